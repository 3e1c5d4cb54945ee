"""Folding the write-ahead log back into the database, beside the writer.

Left to itself SQLite does this within some commit, which then takes a hundred times as long. Here a thread copies the
pages (SQLite lets it run beside a writer); what the writer has added meanwhile is little, and only that is folded
back within a commit, after which the log begins anew.
"""

import contextlib
import threading
from pathlib import Path

import apsw

from secure_chat.server.storage.sql import Sql, open_connection
from secure_chat.write_ahead import make_room

__all__ = ["PAGES", "Checkpointer"]

PAGES = 16_384
"""Of the write-ahead log, 64 MiB: from here on it is folded back. With fewer a busy relay folds a dozen times a second,
and each time some commit waits for it; with more a start after a crash has long to read."""
_REMAINDER = 512
"""Pages that are folded back within a commit: about a millisecond of work."""
_TOO_MANY_PAGES = 131_072
"""512 MiB: the thread can't keep up, and the next commit waits for all of it."""
_STEP = 1 << 20
"""Bytes by which the log's file grows."""
_PAUSE_SECONDS = 0.02
"""Before it looks again whether the writer has left it less to do."""


class Checkpointer:
    """Told of the log's length after each commit, by the writer; runs its own thread from the first need on."""

    def __init__(self, connection: apsw.Connection, path: Path, pages: int = PAGES) -> None:
        self._writer = connection
        self._path = path
        self._enough = pages
        self._wanted = threading.Event()
        self._closing = threading.Event()
        self._almost_done = False
        self._room = 0
        self._thread: threading.Thread | None = None
        connection.set_wal_hook(self._committed)

    def _committed(self, connection: apsw.Connection, schema: str, pages: int) -> int:
        """SQLite calls this in the writer's thread, after a commit."""
        if pages > self._room:
            self._room = make_room(self._path, pages, _STEP)
        if pages < self._enough:
            return apsw.SQLITE_OK
        if self._almost_done or pages > _TOO_MANY_PAGES:
            self._almost_done = False
            with contextlib.suppress(apsw.BusyError, apsw.LockedError):
                connection.wal_checkpoint(schema, apsw.SQLITE_CHECKPOINT_PASSIVE)
        elif not self._wanted.is_set():
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="checkpointer", daemon=True)
                self._thread.start()
            self._wanted.set()
        return apsw.SQLITE_OK

    def _run(self) -> None:
        connection = open_connection(self._path)
        sql = Sql(connection)
        sql.run("PRAGMA wal_autocheckpoint = 0")
        sql.one("SELECT count(*) FROM sqlite_schema")  # only after its first read does a connection know of a log
        try:
            while not self._closing.is_set():
                self._wanted.wait()
                if self._closing.is_set():
                    break
                if self._fold(connection) > _REMAINDER:
                    self._closing.wait(_PAUSE_SECONDS)
                    continue
                self._almost_done = True
                self._wanted.clear()
        finally:
            connection.close()

    def _fold(self, connection: apsw.Connection) -> int:
        """Pages that are still to be folded back."""
        try:
            pages, copied = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except (apsw.BusyError, apsw.LockedError):
            return _TOO_MANY_PAGES
        assert pages >= 0, "a database without a write-ahead log"
        return pages - copied

    def close(self) -> None:
        """Ends the thread; the last connection to the database folds back what is left."""
        self._closing.set()
        self._wanted.set()
        self._writer.set_wal_hook(None)
        if self._thread is not None:
            self._thread.join()
