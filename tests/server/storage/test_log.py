"""Entries and append ids on SQLite."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_chat.server.core.storage import (
    AccountRecord,
    AppendResult,
    ChannelRecord,
    DeviceRecord,
    StoreRecord,
    Usage,
)
from secure_chat.server.storage.database import Database, SqliteTransaction
from secure_chat.server.storage.log import MAX_SEQ
from secure_chat.server.storage.reader import LogReader
from secure_chat.wire.messages import ChannelKind


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "relay.db")
    yield database
    database.close()


def channel(transaction: SqliteTransaction, identity: bytes = b"c" * 16) -> ChannelRecord:
    record = ChannelRecord(identity, ChannelKind.ROOM)
    transaction.channels.put_channel(record)
    return record


def device(transaction: SqliteTransaction) -> bytes:
    transaction.directory.put_account(AccountRecord(b"a" * 32, "alice", b"", 0))
    transaction.directory.put_device(DeviceRecord(b"d" * 16, b"a" * 32, b"", 1, b"i" * 16, 0))
    return b"d" * 16


def fill(transaction: SqliteTransaction, record: ChannelRecord, sizes: list[int], first: int = 1) -> None:
    for seq, size in enumerate(sizes, first):
        transaction.log.append(record.number, seq, seq * 10, bytes(size))


def test_entries_are_read_in_order_after_a_position(database: Database) -> None:
    """Of their channel only, whatever the order of storing."""
    with database.transaction() as transaction:
        first, second = channel(transaction), channel(transaction, b"e" * 16)
        for seq in range(1, 6):
            transaction.log.append(first.number, seq, 0, b"first %d" % seq)
            transaction.log.append(second.number, seq, 0, b"second %d" % seq)
    reader = LogReader(database.path)
    assert reader.read_after(b"c" * 16, 2, 2, 1_000) == [(3, b"first 3"), (4, b"first 4")]
    assert [seq for seq, _ in reader.read_after(b"e" * 16, 0, 100, 1_000)] == [1, 2, 3, 4, 5]
    assert reader.read_after(b"?" * 16, 0, 100, 1_000) == []
    reader.close()


def test_a_read_is_bounded_by_bytes_but_gives_at_least_one(database: Database) -> None:
    """However large the entry is."""
    with database.transaction() as transaction:
        fill(transaction, channel(transaction), [100, 100, 5_000])
    reader = LogReader(database.path)
    assert [seq for seq, _ in reader.read_after(b"c" * 16, 0, 10, 250)] == [1, 2]
    assert [seq for seq, _ in reader.read_after(b"c" * 16, 2, 10, 250)] == [3]
    reader.close()


def test_the_newest_number_is_remembered_without_entries(database: Database) -> None:
    """Deleted up to the floor, or going on above a base after a restore."""
    with database.transaction() as transaction:
        record = channel(transaction)
        assert transaction.log.last(record) == 0
        fill(transaction, record, [1, 1, 1])
        assert transaction.log.last(record) == 3
        assert transaction.log.delete_through(record.number, 3) == Usage(3, 3)
        record.floor = 3
        assert transaction.log.last(record) == 3
        record.base = 3 + 2**32
        assert transaction.log.last(record) == 3 + 2**32


def test_a_welcome_goes_with_its_last_reference(database: Database) -> None:
    """One payload, two inboxes."""
    with database.transaction() as transaction:
        first, second = channel(transaction), channel(transaction, b"e" * 16)
        welcome = transaction.log.add_welcome(b"payload", 2)
        for record in (first, second):
            transaction.log.append_welcome(record.number, 1, 0, b"<", welcome, b">", b"sender", 9)
        assert transaction.log.sender_usage(first.number, b"sender") == Usage(1, 9)
        assert transaction.log.sender_usage(first.number, b"other") == Usage(0, 0)
    reader = LogReader(database.path)
    assert reader.read_after(b"e" * 16, 0, 1, 1) == [(1, b"<payload>")]
    with database.transaction() as transaction:
        assert transaction.log.delete_through(first.number, 1) == Usage(1, 9)
    assert reader.read_after(b"e" * 16, 0, 1, 1) == [(1, b"<payload>")]
    with database.transaction() as transaction:
        transaction.log.delete_through(second.number, 1)
    assert reader._sql.one("SELECT count(*) FROM welcomes") == (0,)
    reader.close()


def test_how_much_must_or_may_be_deleted(database: Database) -> None:
    """At least so much, or at most."""
    with database.transaction() as transaction:
        record = channel(transaction)
        assert transaction.log.oldest_worth(record.number, 1, 1) == 0
        fill(transaction, record, [100, 200, 300, 400])
        log = transaction.log
        assert log.oldest_worth(record.number, 2, 0) == 2
        assert log.oldest_worth(record.number, 0, 301) == 3
        assert log.oldest_worth(record.number, 99, 0) == 4
        assert log.oldest_within(record.number, 2, 1_000) == 2
        assert log.oldest_within(record.number, 10, 350) == 2
        assert log.oldest_within(record.number, 0, 0) == 1
        assert log.oldest_within(record.number, 10, 10_000) == MAX_SEQ


def test_what_has_expired_is_found_by_age(database: Database) -> None:
    """The newest expired entry of each channel, a bounded number at once."""
    with database.transaction() as transaction:
        first, second = channel(transaction), channel(transaction, b"e" * 16)
        fill(transaction, first, [1] * 5)
        fill(transaction, second, [1] * 5)
        assert transaction.log.expired(31, 100) == [(first.number, 3)]
        transaction.log.delete_through(first.number, 5)
        assert transaction.log.expired(31, 100) == [(second.number, 3)]
        assert transaction.log.expired(31, 2) == [(second.number, 2)]


@given(st.lists(st.lists(st.integers(1, 60), min_size=1, max_size=8, unique=True), max_size=12))
def test_append_ids_are_found_whatever_their_order(batches: list[list[int]]) -> None:
    """Each recorded one gives its result, each other none; the highest is remembered."""
    directory = tempfile.TemporaryDirectory()
    database = Database(Path(directory.name) / "relay.db")
    with database.transaction() as transaction:
        store = StoreRecord(b"s" * 16, device(transaction))
        transaction.log.put_store(store, 16)
        recorded: dict[int, AppendResult] = {}
        for batch in batches:
            results = [AppendResult(counter, 1, counter + 100, 2, 3) for counter in batch if counter not in recorded]
            if results:
                transaction.log.record_appends({store.number: results})
                recorded |= {result.counter: result for result in results}
        for counter in range(62):
            assert transaction.log.find_append(store.number, counter) == recorded.get(counter)
        found = transaction.log.store(b"s" * 16)
        assert found is not None
        assert found.last == max(recorded, default=0)
    database.close()
    directory.cleanup()


def test_append_ids_are_forgotten_by_age(database: Database) -> None:
    """The store remembers up to where."""
    with database.transaction() as transaction:
        store = StoreRecord(b"s" * 16, device(transaction))
        transaction.log.put_store(store, 16)
        for counter in range(1, 6):
            transaction.log.record_appends({store.number: [AppendResult(counter, 1, counter, 1, counter * 10)]})
        transaction.log.forget_appends(31, 2)
        assert transaction.log.find_append(store.number, 2) is None
        assert transaction.log.find_append(store.number, 3) is not None
        transaction.log.forget_appends(31, 100)
        assert transaction.log.find_append(store.number, 3) is None
        assert transaction.log.find_append(store.number, 4) is not None
        found = transaction.log.store(b"s" * 16)
        assert found is not None
        assert (found.forgotten, found.last) == (3, 5)
        transaction.log.forget_appends(1_000, 100)
        found = transaction.log.store(b"s" * 16)
        assert found is not None
        assert (found.forgotten, found.last) == (5, 5)


def test_a_device_has_a_limited_number_of_stores(database: Database) -> None:
    """The oldest is forgotten with its append ids."""
    with database.transaction() as transaction:
        owner = device(transaction)
        stores = [StoreRecord(bytes([number]) * 16, owner) for number in range(4)]
        for store in stores:
            transaction.log.put_store(store, 3)
            transaction.log.record_appends({store.number: [AppendResult(1, 1, 1, 1, 1)]})
        assert transaction.log.store(stores[0].id) is None
        assert transaction.log.find_append(stores[0].number, 1) is None
        assert transaction.log.store(stores[1].id) is not None
        transaction.directory.remove_device(owner)
        assert transaction.log.store(stores[1].id) is None
        assert transaction.log.find_append(stores[1].number, 1) is None
