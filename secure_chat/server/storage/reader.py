"""Reading the log beside the writer."""

from pathlib import Path

from secure_chat.server.storage.database import translated_errors
from secure_chat.server.storage.sql import Sql, open_connection

__all__ = ["LogReader"]

_CACHE_KIB = 8 * 1024
"""Each entry is read about once: a large cache would not help."""


class LogReader:
    """The `Reader` of `core.storage`; belongs to the thread that uses it."""

    def __init__(self, path: Path) -> None:
        with translated_errors():
            self._connection = open_connection(path, read_only=True)
            self._sql = Sql(self._connection)
            self._sql.run(f"PRAGMA cache_size = -{_CACHE_KIB}")

    def read_after(self, channel: bytes, after: int, max_entries: int, max_bytes: int) -> list[tuple[int, bytes]]:
        """(sequence number, encoded `Entry` frame) of the entries after `after`, oldest first; at least one if any."""
        found: list[tuple[int, bytes]] = []
        size = 0
        with translated_errors():
            rows = self._sql.rows(
                "SELECT seq, frame, welcome, tail, size FROM entries "
                "WHERE channel = (SELECT number FROM channels WHERE id = ?) AND seq > ? ORDER BY seq LIMIT ?",
                (channel, after, max_entries),
            )
            for seq, frame, welcome, tail, length in rows:
                size += length
                if found and size > max_bytes:
                    break
                found.append((seq, frame if welcome is None else self._with_welcome(frame, welcome, tail)))
        return found

    def close(self) -> None:
        """Ends the connection."""
        with translated_errors():
            self._connection.close()

    def _with_welcome(self, start: bytes, welcome: int, end: bytes) -> bytes:
        payload: bytes = self._sql.one("SELECT payload FROM welcomes WHERE number = ?", (welcome,))[0]
        return start + payload + end
