"""The encrypted store: rows, transactions, keys and what stays on disk."""

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_chat.client.engine.effects import DeleteRow, PutMessage, PutRow
from secure_chat.client.errors import StoreDamagedError, StoreError, WrongKeyError
from secure_chat.client.store import Store
from tests.client.lines import KEY, line


def test_row_is_read_back_before_and_after_the_commit(store: Store) -> None:
    """The engine's next read sees what it wrote a moment ago."""
    store.apply([PutRow("a", b"k", b"1")])
    assert store.get("a", b"k") == b"1"
    store.commit()
    assert store.get("a", b"k") == b"1"
    assert store.get("b", b"k") is None


def test_scan_yields_one_space_in_key_order(store: Store) -> None:
    """Other spaces don't show, and order doesn't depend on insertion."""
    store.apply([PutRow("a", b"\xff", b"3"), PutRow("b", b"x", b"0"), PutRow("a", b"", b"1"), PutRow("a", b"a", b"2")])
    assert list(store.scan("a")) == [(b"", b"1"), (b"a", b"2"), (b"\xff", b"3")]


def test_scan_is_not_disturbed_by_writes_meanwhile(store: Store) -> None:
    """A scan shows the space as it was when it began."""
    store.apply([PutRow("a", bytes([i]), b"") for i in range(5)])
    for key, _ in store.scan("a"):
        store.apply([DeleteRow("a", key), PutRow("a", key + b"x", b"")])
    assert [key for key, _ in store.scan("a")] == [bytes([i]) + b"x" for i in range(5)]


def test_deleting_a_row_or_a_space_leaves_the_rest(store: Store) -> None:
    """`key` None deletes the whole space and no other."""
    store.apply([PutRow(space, key, b"") for space in "ab" for key in (b"1", b"2")])
    store.apply([DeleteRow("a", b"1"), DeleteRow("b", None)])
    assert list(store.scan("a")) == [(b"2", b"")]
    assert list(store.scan("b")) == []


def test_rollback_undoes_rows_messages_and_positions(store: Store) -> None:
    """A failed batch leaves no trace."""
    store.apply([PutRow("a", b"k", b"old"), PutMessage(line("first"))])
    store.commit()
    store.apply([PutRow("a", b"k", b"new"), PutMessage(line("second"))])
    assert store.next_position() == 3
    store.rollback()
    assert store.get("a", b"k") == b"old"
    assert store.next_position() == 2
    assert [hit.message.text for hit in store.search("second")] == []


def test_only_what_was_committed_is_there_after_reopening(path: Path) -> None:
    """Closing without a commit is a rollback."""
    with Store.create(path, KEY) as store:
        store.apply([PutRow("a", b"1", b""), PutMessage(line("kept"))])
        store.commit()
        store.apply([PutRow("a", b"2", b"")])
    with Store.open(path, KEY) as store:
        assert list(store.scan("a")) == [(b"1", b"")]
        assert store.next_position() == 2


def test_wrong_key_is_refused_and_changes_nothing(path: Path) -> None:
    """A wrong passphrase must never cost anybody their history."""
    with Store.create(path, KEY) as store:
        store.apply([PutRow("a", b"1", b"x")])
        store.commit()
    before = path.read_bytes()
    with pytest.raises(WrongKeyError, match="nothing was changed"):
        Store.open(path, bytes(32))
    assert path.read_bytes() == before
    with Store.open(path, KEY) as store:
        assert store.get("a", b"1") == b"x"


def test_altered_page_is_refused(path: Path) -> None:
    """Every page is authenticated: one flipped bit is an error, not other content."""
    with Store.create(path, KEY) as store:
        store.apply([PutRow("a", i.to_bytes(2, "big"), os.urandom(500)) for i in range(200)])
        store.commit()
    data = bytearray(path.read_bytes())
    for page in range(4096, len(data), 4096):
        data[page + 1000] ^= 1
    path.write_bytes(data)
    with pytest.raises((StoreDamagedError, WrongKeyError)), Store.open(path, KEY) as store:
        list(store.scan("a"))


def test_existing_file_is_never_overwritten(path: Path) -> None:
    """Creating a store where something stands is an error."""
    path.write_bytes(b"precious")
    with pytest.raises(StoreError, match="cannot create"):
        Store.create(path, KEY)
    assert path.read_bytes() == b"precious"


def test_missing_file_is_not_created_by_opening(path: Path) -> None:
    """A vanished store says so instead of starting empty."""
    with pytest.raises(StoreError, match="missing"):
        Store.open(path, KEY)
    assert not path.exists()


def test_key_of_another_length_is_a_misuse(path: Path) -> None:
    """Only raw 32-byte keys."""
    with pytest.raises(ValueError, match="32 bytes"):
        Store.create(path, b"short")


def test_second_opening_is_refused(path: Path) -> None:
    """Two processes never write one store."""
    with Store.create(path, KEY), pytest.raises(StoreError, match="another program"):
        Store.open(path, KEY)


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
def test_files_are_readable_by_their_owner_only(path: Path) -> None:
    """The store and its log have mode 0600."""
    with Store.create(path, KEY) as store:
        store.apply([PutRow("a", b"1", b"x")])
        store.commit()
        for file in path.parent.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_nothing_readable_is_on_disk(path: Path) -> None:
    """Neither file nor log contains what was written."""
    secret = "a very recognizable sentence"
    with Store.create(path, KEY) as store:
        store.apply([PutMessage(line("m", secret)), PutRow("space-name", b"key-name", b"value-value")])
        store.commit()
        for file in path.parent.iterdir():
            data = file.read_bytes()
            assert not any(word in data for word in (b"recognizable", b"space-name", b"value-value", b"SQLite format"))


def test_checkpoint_empties_the_log(path: Path) -> None:
    """What was deleted doesn't live on in the write-ahead log."""
    with Store.create(path, KEY) as store:
        store.apply([PutRow("a", b"1", os.urandom(10_000))])
        store.commit()
        log = path.with_name(path.name + "-wal")
        assert log.read_bytes().strip(b"\0")
        store.checkpoint()
        assert not log.read_bytes().strip(b"\0")
    assert not log.exists()


def test_log_stays_bounded_where_nobody_prepares(path: Path) -> None:
    """A restored backup is one long series of commits."""
    with Store.create(path, KEY) as store:
        for number in range(50):
            store.apply([PutRow("a", number.to_bytes(4, "big"), os.urandom(1_000_000))])
            store.commit()
        assert path.with_name(path.name + "-wal").stat().st_size < 30_000_000
        assert len(list(store.scan("a"))) == 50


def test_log_stays_short_and_has_room_for_the_next_commit(path: Path) -> None:
    """However much is written; no commit makes the file longer, and everything is there afterwards."""
    log = path.with_name(path.name + "-wal")
    with Store.create(path, KEY) as store:
        for number in range(400):
            store.apply([PutRow("a", number.to_bytes(4, "big"), os.urandom(10_000))])
            before = log.stat().st_size if log.exists() else 0
            store.commit()
            assert not number or log.stat().st_size == before
            store.prepare()
        assert log.stat().st_size < 6_000_000
        content = list(store.scan("a"))
    with Store.open(path, KEY) as store:
        assert list(store.scan("a")) == content


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["put", "delete", "clear", "commit", "rollback"]),
            st.sampled_from(["a", "b"]),
            st.binary(max_size=3),
        ),
        max_size=40,
    )
)
def test_store_behaves_like_dictionaries(steps: list[tuple[str, str, bytes]]) -> None:
    """Any sequence of writes, commits and rollbacks ends like the same on plain dictionaries."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder, Store.create(Path(folder) / "s.db", KEY) as store:
        durable: dict[tuple[str, bytes], bytes] = {}
        current: dict[tuple[str, bytes], bytes] = {}
        for number, (step, space, key) in enumerate(steps):
            match step:
                case "put":
                    store.apply([PutRow(space, key, bytes([number]))])
                    current[space, key] = bytes([number])
                case "delete":
                    store.apply([DeleteRow(space, key)])
                    current.pop((space, key), None)
                case "clear":
                    store.apply([DeleteRow(space, None)])
                    current = {name: value for name, value in current.items() if name[0] != space}
                case "commit":
                    store.commit()
                    durable = dict(current)
                case _:
                    store.rollback()
                    current = dict(durable)
        for space in "ab":
            expected = sorted((key, value) for (where, key), value in current.items() if where == space)
            assert list(store.scan(space)) == expected
