"""The encrypted store of one profile: a single SQLite file, ChaCha20-Poly1305 over every page.

One thread at a time. Writes gather in a transaction that the first one opens; reads see them; `commit` makes them
durable (WAL, `synchronous=FULL`) before it returns. Deleted content is overwritten (`secure_delete`, in the index
too) and leaves the log at the next `checkpoint`.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self, cast

import apsw

from secure_chat.client.engine.effects import DeleteRow, PutMessage, PutRow, Write
from secure_chat.client.errors import StoreDamagedError, StoreError, WrongKeyError
from secure_chat.client.store import history, schema
from secure_chat.client.store.search import search
from secure_chat.client.vault import KEY_LENGTH
from secure_chat.client.views import Hit, MessageView, RoomId
from secure_chat.write_ahead import make_room

__all__ = ["Store"]

_CACHE_KIB = 8 * 1024
"""Page cache: holds the inner pages of the index over a million messages."""
_BUSY_MS = 2_000
"""How long to wait for a process that is just closing the store."""
_LOG_PAGES = 1_000
"""Of the write-ahead log, 4 MiB: from here on it is folded into the file."""
_TOO_MANY_PAGES = 4_000
"""Nobody has called `prepare` for long: the commit itself waits for the log to be folded."""
_LOG_STEP = 512 * 1024
"""Bytes by which the log's file grows: some ten messages."""

_HEXADECIMAL = frozenset("0123456789abcdef")


class Store:
    """Rows, history and search index of one profile; see `engine.effects.StoreReader` for the engine's view."""

    def __init__(self, connection: apsw.Connection, path: Path, key: bytes) -> None:
        self._connection = connection
        self._path = path
        self.key = key
        """For changing its lock (`vault`)."""
        self._pages = 0
        self._room = 0
        connection.set_wal_hook(self._committed)
        self._next_position = 1
        self._load_position()

    @classmethod
    def create(cls, path: Path, key: bytes) -> Self:
        """A new, empty store; raises StoreError if the file exists."""
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except OSError as error:
            raise StoreError(f"cannot create {path}: {error.strerror}") from None
        return cls._open(path, key)

    @classmethod
    def open(cls, path: Path, key: bytes) -> Self:
        """An existing store, brought to the current schema; raises WrongKeyError without having changed anything."""
        if not path.exists():
            raise StoreError(f"{path} is missing: restore it from a backup, or join again")
        return cls._open(path, key)

    @classmethod
    def _open(cls, path: Path, key: bytes) -> Self:
        if len(key) != KEY_LENGTH:
            raise ValueError(f"a store's key has {KEY_LENGTH} bytes")
        with _translated():
            connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
            try:
                connection.set_busy_timeout(_BUSY_MS)
                connection.pragma("cipher", "chacha20")
                connection.pragma("key", "raw:" + key.hex())
                connection.pragma("user_version")  # the first read: fails here with the wrong key
                # One process owns a profile, so the wal-index can live in memory instead of a file beside it.
                connection.pragma("locking_mode", "EXCLUSIVE")
                connection.pragma("journal_mode", "WAL")
                connection.pragma("synchronous", "FULL")
                connection.pragma("fullfsync", 1)
                connection.pragma("checkpoint_fullfsync", 1)
                connection.pragma("secure_delete", "ON")
                connection.pragma("temp_store", "MEMORY")  # nothing decrypted in temporary files
                connection.pragma("cache_size", -_CACHE_KIB)
                schema.migrate(connection)
                return cls(connection, path, key)
            except BaseException:
                connection.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- what the engine reads

    def get(self, space: str, key: bytes) -> bytes | None:
        """One row's value."""
        with _translated():
            row = self._connection.execute(
                "SELECT value FROM rows WHERE space = ? AND key = ?", (space, key)
            ).fetchone()
        return None if row is None else cast(bytes, row[0])

    def scan(self, space: str) -> Iterator[tuple[bytes, bytes]]:
        """All rows of a space in key order, as they are now."""
        with _translated():
            cursor = self._connection.execute("SELECT key, value FROM rows WHERE space = ? ORDER BY key", (space,))
            rows = cast(list[tuple[bytes, bytes]], cursor.fetchall())
        return iter(rows)

    def spaces(self) -> list[str]:
        """The names of all spaces that have rows."""
        with _translated():
            return [str(name) for (name,) in self._connection.execute("SELECT DISTINCT space FROM rows ORDER BY space")]

    def message(self, message_id: str) -> MessageView | None:
        """One line of history; None also for what is no id."""
        if len(message_id) != 32 or not _HEXADECIMAL.issuperset(message_id):
            return None
        with _translated():
            return history.find(self._connection, message_id)

    def next_position(self) -> int:
        """The position that the next new line will get."""
        return self._next_position

    # --- writing

    def apply(self, writes: Sequence[Write]) -> None:
        """Makes changes in the open transaction, which the first one begins."""
        if not writes:
            return
        with _translated():
            if not self._connection.in_transaction:
                self._connection.execute("BEGIN IMMEDIATE")
            for write in writes:
                self._write(write)

    def commit(self) -> bool:
        """Makes everything applied durable; False if there was nothing to do."""
        if not self._connection.in_transaction:
            return False
        with _translated():
            self._connection.execute("COMMIT")
        return True

    def rollback(self) -> None:
        """Forgets everything applied since the last commit."""
        if self._connection.in_transaction:
            with _translated():
                self._connection.execute("ROLLBACK")
        self._load_position()

    def prepare(self) -> None:
        """Between commits: does what would hold up a later one, should there be something."""
        if self._pages >= _LOG_PAGES:
            self._pages = 0
            with _translated():
                self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        elif self._pages > self._room:
            self._room = make_room(self._path, self._pages, _LOG_STEP, sync=True)

    def checkpoint(self) -> None:
        """Moves the write-ahead log into the file and empties it: deleted content is then gone from disk."""
        with _translated():
            self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        self._pages = 0
        self._room = make_room(self._path, 0, _LOG_STEP, sync=True)

    def close(self) -> None:
        """Rolls back what was not committed, empties the log and closes; harmless when repeated."""
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        except apsw.Error:
            pass  # a full or failing disk: the log stays, and is replayed by the next opening
        finally:
            self._connection.close()

    # --- what people read

    def history(
        self, room: RoomId | None, limit: int, before: int | None = None, after: int | None = None
    ) -> tuple[MessageView, ...]:
        """Up to `limit` lines of a room (None: of all rooms), oldest first, strictly between two positions.

        With `after` alone the oldest of them, otherwise the newest.
        """
        with _translated():
            return history.page(self._connection, room, limit, before, after)

    def search(
        self, text: str, room: RoomId | None = None, limit: int = 50, names: Mapping[RoomId, str] | None = None
    ) -> tuple[Hit, ...]:
        """The newest messages that contain all words of `text`; `names` gives the rooms' names for the hits."""
        with _translated():
            return search(self._connection, text, room, limit, names or {})

    def _write(self, write: Write) -> None:
        match write:
            case PutRow(space, key, value):
                self._connection.execute("REPLACE INTO rows(space, key, value) VALUES(?, ?, ?)", (space, key, value))
            case DeleteRow(space, None):
                self._connection.execute("DELETE FROM rows WHERE space = ?", (space,))
            case DeleteRow(space, key):
                self._connection.execute("DELETE FROM rows WHERE space = ? AND key = ?", (space, key))
            case PutMessage(message):
                position = history.put(self._connection, message, self._next_position)
                self._next_position = max(self._next_position, position + 1)

    def _committed(self, connection: apsw.Connection, schema: str, pages: int) -> int:
        """SQLite tells how many pages the log has now; in place of folding it back within some commit."""
        self._pages = pages
        if pages >= _TOO_MANY_PAGES:
            connection.wal_checkpoint(schema, apsw.SQLITE_CHECKPOINT_PASSIVE)
        return apsw.SQLITE_OK

    def _load_position(self) -> None:
        with _translated():
            row = self._connection.execute("SELECT ifnull(max(position), 0) FROM messages").fetchone()
        assert row is not None
        assert isinstance(row[0], int)
        self._next_position = row[0] + 1


@contextmanager
def _translated() -> Iterator[None]:
    """SQLite's errors as ours: one line that says what to do."""
    try:
        yield
    except apsw.NotADBError:
        raise WrongKeyError("this key does not open the store; nothing was changed") from None
    except apsw.CorruptError:
        raise StoreDamagedError("the store is damaged: restore the profile from a backup") from None
    except apsw.FullError:
        raise StoreError("the disk is full: nothing was written; make room and try again") from None
    except apsw.BusyError:
        raise StoreError("another program has the store open: close it and try again") from None
    except (apsw.CantOpenError, apsw.IOError, apsw.ReadOnlyError, apsw.PermissionsError) as error:
        raise StoreError(f"the disk refuses the store: {error}") from None
