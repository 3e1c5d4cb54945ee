"""The database file: opening it, transactions, and what SQLite's errors mean.

WAL with `synchronous=FULL` (and a full flush to the platter on macOS): what `transaction` has committed survives
`kill -9` and power loss. One `Database` belongs to the writer thread; each `LogReader` to the thread that made it.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from secure_chat.server.core.storage import Counts
from secure_chat.server.errors import CorruptError, DiskFullError, LockedError, StorageError
from secure_chat.server.storage.channels import ChannelTable
from secure_chat.server.storage.checkpoint import Checkpointer
from secure_chat.server.storage.directory import DirectoryTable
from secure_chat.server.storage.log import LogTable
from secure_chat.server.storage.schema import migrate
from secure_chat.server.storage.sql import Sql, open_connection

__all__ = ["Database", "SqliteTransaction", "translated_errors"]

_CACHE_KIB = 64 * 1024
"""Page cache of the writer: the indexes of a million entries stay in it."""
_OWNER_ONLY = 0o600


@contextmanager
def translated_errors() -> Iterator[None]:
    """SQLite's exceptions as ours."""
    try:
        yield
    except apsw.FullError:
        raise DiskFullError("the disk is full: nothing was written") from None
    except (apsw.CorruptError, apsw.NotADBError):
        raise CorruptError("the database is damaged or no database: restore a backup") from None
    except (apsw.BusyError, apsw.LockedError):
        raise LockedError("another process holds the database") from None
    except apsw.Error as error:
        raise StorageError(f"the database can't be used: {error}") from None


class SqliteTransaction:
    """The `Transaction` of `core.storage` on an open SQLite transaction."""

    def __init__(self, connection: apsw.Connection, path: Path) -> None:
        self._sql = Sql(connection)
        self._directory_path = path.parent
        self.directory = DirectoryTable(self._sql)
        self.channels = ChannelTable(self._sql)
        self.log = LogTable(self._sql)

    @property
    def incarnation(self) -> bytes:
        """16 bytes that change when a backup is restored."""
        return bytes(self._sql.one("SELECT value FROM meta WHERE name = 'incarnation'")[0])

    @property
    def free_bytes(self) -> int:
        """Free space on the disk that holds the database."""
        return shutil.disk_usage(self._directory_path).free

    def counts(self) -> Counts:
        """Totals for the operator."""
        accounts, suspended = self._sql.one(
            "SELECT count(*), coalesce(sum(suspended), 0) FROM accounts WHERE NOT deleted"
        )
        (devices,) = self._sql.one("SELECT count(*) FROM devices")
        kinds: dict[str, int] = dict(self._sql.rows("SELECT kind, count(*) FROM channels GROUP BY kind"))
        entries, size = self._sql.one("SELECT coalesce(sum(entries), 0), coalesce(sum(bytes), 0) FROM channels")
        return Counts(
            accounts,
            suspended,
            devices,
            kinds.get("room", 0),
            kinds.get("open", 0),
            kinds.get("direct", 0),
            kinds.get("inbox", 0),
            entries,
            size,
        )


class Database:
    """The writer's connection."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with translated_errors():
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, _OWNER_ONLY))
            self._connection = open_connection(path)
            try:
                for pragma in (
                    "journal_mode = WAL",
                    "synchronous = FULL",
                    "fullfsync = ON",
                    f"cache_size = -{_CACHE_KIB}",
                ):
                    self._connection.execute(f"PRAGMA {pragma}")
                migrate(self._connection)
            except BaseException:
                self._connection.close()
                raise
        self._transaction = SqliteTransaction(self._connection, path)
        self._checkpointer = Checkpointer(self._connection, path)

    @contextmanager
    def transaction(self) -> Iterator[SqliteTransaction]:
        """Commits on leaving, rolls back on any exception; StorageError and its kin if SQLite fails."""
        transaction = self._transaction
        execute = self._connection.execute
        with translated_errors():
            execute("BEGIN IMMEDIATE")
            try:
                yield transaction
                transaction.log.flush()
                execute("COMMIT")
            except BaseException:
                transaction.log.discard()
                if self._connection.in_transaction:
                    execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Folds the write-ahead log back and closes."""
        with translated_errors():
            self._checkpointer.close()
            self._connection.close()
