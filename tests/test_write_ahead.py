"""Room in the write-ahead log: there before it is needed, and of no consequence for what the log says."""

from pathlib import Path

import apsw
import pytest

from secure_chat.write_ahead import make_room

STEP = 64 * 1024


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "some.db"


def opened(database: Path) -> apsw.Connection:
    connection = apsw.Connection(str(database))
    connection.execute("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0").fetchall()
    return connection


def log(database: Path) -> Path:
    return database.with_name("some.db-wal")


def pages(connection: apsw.Connection) -> int:
    return int(connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)[0])


def test_file_grows_before_the_log_reaches_its_end(database: Path) -> None:
    """After every commit at least half a step is left, so that the next ones don't lengthen the file."""
    connection = opened(database)
    connection.execute("CREATE TABLE t(x)")
    room = 0
    for number in range(60):
        before = log(database).stat().st_size
        connection.execute("INSERT INTO t VALUES(?)", (b"x" * 3000,))
        if number:
            assert log(database).stat().st_size == before, "this commit made the file longer"
        if pages(connection) > room:
            room = make_room(database, pages(connection), STEP)
        assert log(database).stat().st_size >= pages(connection) * 4120 + STEP // 2
    connection.close()


def test_nothing_is_written_where_there_is_room(database: Path) -> None:
    """Up to the number of pages that it returned."""
    connection = opened(database)
    connection.execute("CREATE TABLE t(x)")
    room = make_room(database, pages(connection), STEP)
    size = log(database).stat().st_size
    assert make_room(database, room, STEP) == room
    assert log(database).stat().st_size == size
    assert make_room(database, room + 1, STEP, sync=True) > room
    assert log(database).stat().st_size == size + STEP
    connection.close()


@pytest.mark.parametrize("emptied", [False, True])
def test_crash_keeps_what_was_committed(database: Path, tmp_path: Path, emptied: bool) -> None:
    """The files as they lie there, opened elsewhere: zeros behind the last frame, or instead of a log, say nothing."""
    connection = opened(database)
    connection.execute("CREATE TABLE t(x)")
    for number in range(50):
        connection.execute("INSERT INTO t VALUES(?)", (number,))
        make_room(database, pages(connection), STEP)
    if emptied:
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        make_room(database, 0, STEP)
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in (database, log(database)):
        (copy / path.name).write_bytes(path.read_bytes())
    again = opened(copy / database.name)
    assert [x for (x,) in again.execute("SELECT x FROM t ORDER BY rowid")] == list(range(50))
    again.execute("INSERT INTO t VALUES('more')")
    assert again.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    again.close()
    connection.close()
    assert not log(database).exists()


def test_refusing_disk_is_no_failure(database: Path) -> None:
    """Without room the log grows as SQLite makes it grow."""
    assert make_room(database, 7, STEP) == 7, "there is not even a log"
    log(database).mkdir()
    assert make_room(database, 7, STEP) == 7
