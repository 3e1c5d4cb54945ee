"""The database file: transactions, errors, durability settings."""

import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from secure_chat.server.core.storage import AccountRecord
from secure_chat.server.errors import CorruptError, DiskFullError, LockedError, SchemaError, StorageError
from secure_chat.server.storage.database import Database
from secure_chat.server.storage.reader import LogReader
from secure_chat.server.storage.sql import open_connection

ALICE = AccountRecord(b"a" * 32, "alice", b"binding", 1)


def test_a_transaction_is_all_or_nothing(tmp_path: Path) -> None:
    """An exception inside rolls everything back, gathered entries too."""
    database = Database(tmp_path / "relay.db")
    with database.transaction() as transaction:
        transaction.directory.put_account(ALICE)

    def fail() -> None:
        with database.transaction() as transaction:
            transaction.directory.put_account(AccountRecord(b"b" * 32, "bob", b"", 1))
            transaction.log.append(1, 1, 0, b"frame")
            raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        fail()
    with database.transaction() as transaction:
        assert transaction.directory.account_by_handle("alice") == ALICE
        assert transaction.directory.account_by_handle("bob") is None
        assert transaction.log.usage_after(1, 0) == (0, 0)
    database.close()


def test_what_is_committed_survives_a_kill(tmp_path: Path) -> None:
    """The process is gone without closing anything."""
    path = tmp_path / "relay.db"
    program = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from secure_chat.server.storage.database import Database\n"
        "database = Database(Path(sys.argv[1]))\n"
        "with database.transaction() as transaction:\n"
        "    transaction.log.append(1, 1, 0, b'frame')\n"
        "os.kill(os.getpid(), 9)\n"
    )
    result = subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert result.returncode == -9
    database = Database(path)
    with database.transaction() as transaction:
        assert transaction.log.usage_after(1, 0) == (1, 5)
    database.close()


def test_writes_are_durable_and_the_file_is_private(tmp_path: Path) -> None:
    """WAL, flushed with every commit; readable by the owner only."""
    database = Database(tmp_path / "relay.db")
    pragma = database._connection.pragma
    assert pragma("journal_mode") == "wal"
    assert pragma("synchronous") == 2
    assert pragma("fullfsync") == 1
    assert (tmp_path / "relay.db").stat().st_mode & 0o777 == 0o600
    database.close()


def test_the_incarnation_stays(tmp_path: Path) -> None:
    """Opening again is no restore."""
    database = Database(tmp_path / "relay.db")
    with database.transaction() as transaction:
        first = transaction.incarnation
    database.close()
    assert len(first) == 16
    again = Database(tmp_path / "relay.db")
    with again.transaction() as transaction:
        assert transaction.incarnation == first
        assert transaction.free_bytes > 0
    again.close()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """With an error that says so."""
    path = tmp_path / "relay.db"
    path.write_bytes(b"this is no database, whatever its name says. " * 100)
    with pytest.raises(CorruptError, match="restore a backup"):
        Database(path)


def test_a_database_of_something_else_is_refused(tmp_path: Path) -> None:
    """Nothing is written into it."""
    path = tmp_path / "relay.db"
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE diary (page TEXT)")
    connection.close()
    with pytest.raises(SchemaError, match="no database of a secure-chat relay"):
        Database(path)


def test_a_missing_directory_is_refused(tmp_path: Path) -> None:
    """The operator is told the path."""
    with pytest.raises(OSError, match="nowhere"):
        Database(tmp_path / "nowhere" / "relay.db")


def test_a_full_disk_is_a_typed_error_and_writes_nothing(tmp_path: Path) -> None:
    """SQLite's page limit stands for the disk; afterwards the database works on."""
    database = Database(tmp_path / "relay.db")
    pages = int(str(database._connection.pragma("page_count")))
    database._connection.execute(f"PRAGMA max_page_count = {pages + 4}")

    def fill() -> None:
        with database.transaction() as transaction:
            for seq in range(1, 100):
                transaction.log.append(1, seq, 0, bytes(4_000))

    with pytest.raises(DiskFullError):
        fill()
    with database.transaction() as transaction:
        assert transaction.log.usage_after(1, 0) == (0, 0)
        transaction.log.append(1, 1, 0, b"small")
    database.close()


def test_a_locked_database_is_a_typed_error(tmp_path: Path) -> None:
    """Another process writes to it and doesn't stop."""
    database = Database(tmp_path / "relay.db")
    other = open_connection(tmp_path / "relay.db")
    other.execute("BEGIN IMMEDIATE")
    database._connection.set_busy_timeout(1)
    with pytest.raises(LockedError), database.transaction():
        pass
    other.close()
    database.close()


def test_other_failures_of_sqlite_are_storage_errors(tmp_path: Path) -> None:
    """Whatever it is, the caller knows that nothing was written."""
    database = Database(tmp_path / "relay.db")
    database._connection.execute("DROP TABLE entries")
    with pytest.raises(StorageError, match="no such table"), database.transaction() as transaction:
        transaction.log.append(1, 1, 0, b"")
    database.close()


def test_a_reader_can_not_write(tmp_path: Path) -> None:
    """Its connection is read-only, and it needs a database."""
    with pytest.raises(StorageError):
        LogReader(tmp_path / "relay.db")
    Database(tmp_path / "relay.db").close()
    reader = LogReader(tmp_path / "relay.db")
    with pytest.raises(apsw.ReadOnlyError):
        reader._sql.run("DELETE FROM entries")
    reader.close()
