"""The secret tree gives each message one key, once (RFC 9420 §9)."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_chat.mls.crypto.labels import derive_tree_secret, expand_with_label
from secure_chat.mls.crypto.secret import Secret
from secure_chat.mls.crypto.suite import SUITES
from secure_chat.mls.errors import SecretConsumedError, StorageError, UsageError
from secure_chat.mls.schedule.secret_tree import APPLICATION, HANDSHAKE, MAX_GENERATION, SecretTree

SUITE = SUITES[3]
WINDOW = 20


def fresh(leaf_count: int = 8, secret: bytes = b"\x07" * 32) -> SecretTree:
    return SecretTree(SUITE, secret, leaf_count, WINDOW)


def take(tree: SecretTree, leaf: int, generation: int) -> tuple[bytes, bytes]:
    key = tree.find(leaf, APPLICATION, generation)
    tree.consume(key)
    return key.key, key.nonce


def test_keys_are_those_of_the_rfc() -> None:
    """The lazily derived keys equal the formulas of §9 and §9.1 applied from the root."""
    root = Secret(b"\x07" * 32)
    left = expand_with_label(SUITE, root, "tree", b"left", 32)
    leaf = expand_with_label(SUITE, left, "tree", b"right", 32)
    ratchet = expand_with_label(SUITE, leaf, "application", b"", 32)
    ratchet = derive_tree_secret(SUITE, ratchet, "secret", 0, 32)
    found = fresh(4).find(1, APPLICATION, 1)
    assert found.key == derive_tree_secret(SUITE, ratchet, "key", 1, 32)
    assert found.nonce == derive_tree_secret(SUITE, ratchet, "nonce", 1, 12)


def test_finding_changes_nothing() -> None:
    """A key can be found any number of times until it is consumed, and finding leaves no row behind."""
    tree = fresh()
    before = tree.rows()
    tree.changes()
    assert tree.find(3, APPLICATION, 5).key == tree.find(3, APPLICATION, 5).key
    assert tree.rows() == before
    assert tree.changes() == []


def test_a_consumed_key_is_gone() -> None:
    """§9.2: neither the tree nor its rows give a consumed key again."""
    tree = fresh()
    key, _ = take(tree, 3, 2)
    with pytest.raises(SecretConsumedError):
        tree.find(3, APPLICATION, 2)
    restored = SecretTree.of_rows(SUITE, 8, WINDOW, tree.rows())
    with pytest.raises(SecretConsumedError):
        restored.find(3, APPLICATION, 2)
    assert all(key not in value for value in tree.rows().values())


def test_consuming_deletes_the_secrets_above() -> None:
    """§9.2: after a message from a leaf, all nodes on the way from the root to it are gone."""
    tree = fresh()
    root_row = next(iter(tree.rows()))
    take(tree, 3, 0)
    rows = tree.rows()
    assert root_row not in rows
    for node in (7, 3, 5, 6):
        assert b"n" + node.to_bytes(4, "big") not in rows
    assert {row for row in rows if row[:1] == b"n"} == {b"n" + n.to_bytes(4, "big") for n in (11, 1, 4)}


def test_ratchet_kinds_and_senders_are_independent() -> None:
    """The handshake ratchet and other leaves stay usable after a message."""
    one, other = fresh(), fresh()
    take(one, 0, 0)
    for leaf in range(1, 8):
        assert take(one, leaf, 3) == take(other, leaf, 3)
    assert one.find(0, HANDSHAKE, 0).key == other.find(0, HANDSHAKE, 0).key


def test_skipped_keys_open_late_messages() -> None:
    """Messages in any order within the window get the same keys as in order."""
    ordered = fresh()
    expected = [take(ordered, 1, generation) for generation in range(6)]
    shuffled = fresh()
    for generation in (5, 0, 3, 4, 1, 2):
        assert take(shuffled, 1, generation) == expected[generation]


def test_forward_distance_is_bounded() -> None:
    """§15.3: a generation beyond the window is refused, the last within it accepted."""
    tree = fresh()
    with pytest.raises(SecretConsumedError):
        tree.find(0, APPLICATION, WINDOW + 1)
    take(tree, 0, WINDOW)
    with pytest.raises(SecretConsumedError):
        tree.find(0, APPLICATION, MAX_GENERATION)


def test_skipped_keys_are_bounded() -> None:
    """§15.3: only the newest `window` skipped keys are kept, in memory and in rows."""
    tree = fresh()
    take(tree, 0, WINDOW)
    take(tree, 0, 2 * WINDOW + 1)
    with pytest.raises(SecretConsumedError):
        tree.find(0, APPLICATION, WINDOW - 1)
    tree.find(0, APPLICATION, WINDOW + 1)
    assert len([row for row in tree.rows() if row[:1] == b"a" and len(row) == 9]) == WINDOW


def test_a_leaf_outside_the_tree_has_no_key() -> None:
    """A sender index beyond the tree is refused."""
    with pytest.raises(SecretConsumedError):
        fresh().find(8, APPLICATION, 0)


def test_own_keys_count_up() -> None:
    """The sender's own keys come in order, one for each message."""
    tree = fresh()
    assert [tree.next_key(2, APPLICATION).generation for _ in range(3)] == [0, 1, 2]


def test_own_keys_end() -> None:
    """The last generation is never used: the sender must start a new epoch."""
    tree = fresh()
    tree.next_key(0, APPLICATION)
    rows = tree.rows()
    row = b"a" + bytes(4)
    rows[row] = MAX_GENERATION.to_bytes(4, "big") + rows[row][4:]
    with pytest.raises(UsageError):
        SecretTree.of_rows(SUITE, 8, WINDOW, rows).next_key(0, APPLICATION)


def test_handshake_ratchets_can_be_dropped() -> None:
    """Once the epoch is over no handshake key of a known sender remains, but application keys do."""
    tree = fresh()
    tree.consume(tree.find(1, HANDSHAKE, 2))
    tree.drop_handshake_ratchets()
    for generation in range(4):
        with pytest.raises(SecretConsumedError):
            tree.find(1, HANDSHAKE, generation)
    tree.find(1, APPLICATION, 0)
    assert [row for row in tree.rows() if row[:1] == b"h" and len(row) == 9] == []
    restored = SecretTree.of_rows(SUITE, 8, WINDOW, tree.rows())
    with pytest.raises(SecretConsumedError):
        restored.find(1, HANDSHAKE, 3)


@given(
    st.lists(st.tuples(st.integers(0, 7), st.integers(0, 40), st.booleans()), max_size=40),
    st.integers(0, 39),
)
def test_rows_follow_every_change(steps: list[tuple[int, int, bool]], reload_at: int) -> None:
    """Applying the reported changes to stored rows always gives the tree's own rows, across reloads."""
    tree = fresh(secret=os.urandom(32))
    stored: dict[bytes, bytes] = {}
    for number, (leaf, generation, application) in enumerate(steps):
        try:
            tree.consume(tree.find(leaf, APPLICATION if application else HANDSHAKE, generation))
        except SecretConsumedError:
            continue
        for row, value in tree.changes():
            if value is None:
                stored.pop(row, None)
            else:
                stored[row] = value
        assert stored == tree.rows()
        if number == reload_at:
            tree = SecretTree.of_rows(SUITE, 8, WINDOW, stored)


def test_one_message_changes_one_row() -> None:
    """After a sender's first message each further one stores a single small row."""
    tree = fresh()
    tree.next_key(2, APPLICATION)
    tree.changes()
    tree.next_key(2, APPLICATION)
    [(row, value)] = tree.changes()
    assert row == b"a" + (2).to_bytes(4, "big")
    assert value is not None
    assert len(value) == 36


@pytest.mark.parametrize(
    "damage",
    [
        {b"x1234": b"?"},
        {b"n1234": b"short"},
        {b"a" + bytes(4): b""},
        {b"a" + bytes(8): bytes(44)},
        {b"a" + bytes(4): bytes(36)},
    ],
)
def test_damaged_rows_are_refused(damage: dict[bytes, bytes]) -> None:
    """Rows that this tree never wrote raise StorageError."""
    with pytest.raises(StorageError):
        SecretTree.of_rows(SUITE, 8, WINDOW, damage)


def test_keys_are_never_printed() -> None:
    """A found key's repr names its generation only."""
    assert repr(fresh().find(0, APPLICATION, 0)) == "<MessageKey generation=0>"
