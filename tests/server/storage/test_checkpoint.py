"""Folding the write-ahead log back beside the writer."""

import threading
from pathlib import Path

import apsw

from secure_chat.server.core.storage import ChannelRecord
from secure_chat.server.storage.checkpoint import PAGES, Checkpointer
from secure_chat.server.storage.database import Database
from secure_chat.server.storage.reader import LogReader
from secure_chat.server.storage.sql import open_connection
from secure_chat.wire.messages import ChannelKind
from tests.relay_process import wait_until

FOLDED = PAGES * 4_096
"""Bytes of the log from which on it is folded back."""


def test_the_write_ahead_log_stays_small_while_a_lot_is_written(tmp_path: Path) -> None:
    """By a writer that lets the thread keep up; what was written is there, also for a reader that looks meanwhile."""
    database = Database(tmp_path / "relay.db")
    database._connection.execute("PRAGMA synchronous = OFF")
    with database.transaction() as transaction:
        record = ChannelRecord(b"c" * 16, ChannelKind.ROOM)
        transaction.channels.put_channel(record)
    reader = LogReader(database.path)
    log = database.path.with_name("relay.db-wal")
    largest = seq = 0
    for _ in range(250):
        with database.transaction() as transaction:
            for _ in range(250):
                seq += 1
                transaction.log.append(record.number, seq, 0, bytes(4_000))
        largest = max(largest, log.stat().st_size)
        if largest > FOLDED:  # how far the writer gets ahead is a matter of the disk
            wait_until(lambda: not database._checkpointer._wanted.is_set(), "the log is folded back", 60.0)
        assert reader.read_after(record.id, seq - 1, 10, 10_000)[0][0] == seq
    assert FOLDED < largest < FOLDED + (16 << 20), "250 MB were written"
    reader.close()
    database.close()
    assert not log.exists()
    assert not [thread for thread in threading.enumerate() if thread.name == "checkpointer"]
    again = Database(tmp_path / "relay.db")
    with again.transaction() as transaction:
        assert transaction.log.usage_after(record.number, 0).entries == seq
    again.close()


def test_the_thread_leaves_the_writer_little_to_fold_back(tmp_path: Path) -> None:
    """What the writer does within a commit is the remainder; the thread has brought the rest into the database."""
    path = tmp_path / "relay.db"
    connection = open_connection(path)
    connection.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; CREATE TABLE entries (payload)").fetchall()
    checkpointer = Checkpointer(connection, path, 4_096)
    before = path.stat().st_size
    connection.execute("INSERT INTO entries VALUES (randomblob(20000000))")
    pause = threading.Event()
    for _ in range(500):
        if path.stat().st_size > before + 19_000_000:
            break
        pause.wait(0.02)
    assert path.stat().st_size > before + 19_000_000, "nobody but the thread has done anything since"
    checkpointer.close()
    connection.close()


def test_no_thread_is_started_for_little(tmp_path: Path) -> None:
    """A relay with little to do needs none."""
    database = Database(tmp_path / "relay.db")
    with database.transaction() as transaction:
        transaction.log.append(1, 1, 0, b"")
    assert not [thread for thread in threading.enumerate() if thread.name == "checkpointer"]
    database.close()


def test_another_connection_in_its_way_is_waited_for(tmp_path: Path) -> None:
    """An operator's backup may hold back the log; afterwards it is folded back."""
    path = tmp_path / "relay.db"
    connection = open_connection(path)
    connection.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; CREATE TABLE entries (payload)").fetchall()
    checkpointer = Checkpointer(connection, path, 4_096)
    other = open_connection(path)
    other.execute("BEGIN; SELECT count(*) FROM entries").fetchall()
    for _ in range(30):
        connection.execute("INSERT INTO entries VALUES (randomblob(1000000))")
    assert path.with_name("relay.db-wal").stat().st_size > 25_000_000
    other.execute("COMMIT")
    deadline = threading.Event()
    for _ in range(500):
        connection.execute("INSERT INTO entries VALUES (1)")
        if _pages(connection) < 100:
            break
        deadline.wait(0.02)
    assert _pages(connection) < 100
    checkpointer.close()
    other.close()
    connection.close()


def _pages(connection: apsw.Connection) -> int:
    """Pages of the log that are in use."""
    return int(connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)[0])
