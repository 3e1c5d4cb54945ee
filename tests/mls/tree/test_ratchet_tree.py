"""The tree against a slow model of it, and its forms on the wire and in the store."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_chat.mls.codec import encode_opaque
from secure_chat.mls.errors import DecodeError, StorageError, ValidationError
from secure_chat.mls.tree.leaf_node import LeafNode
from secure_chat.mls.tree.math import NodeIndex, is_leaf, left, node_of, right, span
from secure_chat.mls.tree.parent_node import ParentNode
from secure_chat.mls.tree.ratchet_tree import RatchetTree
from tests.mls.suites import FAST
from tests.mls.tree.party import Party, person

LEAVES = [person(f"member {i}").leaf for i in range(20)]


def resolution(tree: RatchetTree, node: NodeIndex) -> list[int]:
    """§4.1.1, word for word."""
    value = tree.node(node)
    if isinstance(value, ParentNode):
        return [node, *(2 * leaf for leaf in value.unmerged_leaves)]
    if value is not None:
        return [node]
    return [] if is_leaf(node) else resolution(tree, left(node)) + resolution(tree, right(node))


def tree_hash(tree: RatchetTree, node: NodeIndex) -> bytes:
    """§7.8, word for word and without memory."""
    value = tree.node(node)
    present = b"\0" if value is None else b"\1" + value.encode()
    if is_leaf(node):
        return FAST.hash(b"\1" + (node // 2).to_bytes(4, "big") + present)
    hashes = encode_opaque(tree_hash(tree, left(node))) + encode_opaque(tree_hash(tree, right(node)))
    return FAST.hash(b"\2" + present + hashes)


def check(tree: RatchetTree) -> None:
    nodes = [NodeIndex(i) for i in range(2 * tree.leaf_count - 1)]
    for node in nodes:
        assert tree.resolution(node) == resolution(tree, node)
        assert tree.tree_hash(node) == tree_hash(tree, node)
    for index, _ in tree.leaves():
        filtered = []
        below = node_of(index)
        for node in tree.direct_path(index):
            copath_child = right(node) if span(node)[0] <= index <= span(left(node))[1] else left(node)
            if resolution(tree, copath_child):
                filtered.append((node, copath_child))
            below = node
        assert below == tree.root
        assert tree.filtered_direct_path(index) == filtered
    again = RatchetTree.decode(FAST, tree.encode())
    assert again.tree_hash() == tree.tree_hash()
    assert again.leaf_count == tree.leaf_count
    taken = [index for index, _ in tree.leaves()]
    assert tree.members.total == len(taken)
    assert tree.leaf_count == 1 or max(taken) >= tree.leaf_count // 2


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 12))
def test_any_sequence_of_changes_keeps_the_tree_right(seed: int, steps: int) -> None:
    """Adds, updates, removes and commits in any order, compared with the model; caches never lag behind."""
    choose = random.Random(seed)
    party = Party(1)
    stored: dict[int, bytes] = {}
    for _ in range(steps):
        present = sorted(party.privates)
        action = choose.choice(["add", "add", "update", "remove", "commit"])
        if action == "add":
            party.add(choose.randint(1, 4))
        elif action == "update":
            party.update(choose.choice(present))
        elif action == "remove" and len(present) > 1:
            party.remove(choose.choice(present))
        elif action == "commit":
            party.commit(choose.choice(present))
        check(party.tree)
        for node, data in party.tree.drain_changes():
            if data is None:
                stored.pop(node, None)
            else:
                stored[node] = data
        loaded = RatchetTree.load(FAST, stored.items())
        assert loaded.tree_hash() == party.tree.tree_hash()
        assert loaded.drain_changes() == []
    party.check()


def test_new_members_take_the_leftmost_blank_leaf() -> None:
    """§12.1.1: blanks first, then the tree grows to the right."""
    tree = RatchetTree(FAST)
    assert [tree.add(leaf) for leaf in LEAVES[:5]] == [0, 1, 2, 3, 4]
    assert tree.leaf_count == 8
    tree.remove(1)
    tree.remove(3)
    assert [tree.add(leaf) for leaf in LEAVES[5:9]] == [1, 3, 5, 6]


def test_a_new_leaf_is_unmerged_above() -> None:
    """§12.1.1: at all non-blank nodes on its path, in order."""
    party = Party(3)
    party.commit(0)
    party.commit(2)
    party.tree.remove(1)
    party.tree.add(LEAVES[0])
    party.tree.add(LEAVES[1])
    top = party.tree.node(party.tree.root)
    assert top is None  # blanked by the removal
    lower = party.tree.node(NodeIndex(5))
    assert lower is None  # filtered out when leaf 3 was blank
    party = Party(4)
    party.commit(0)
    party.commit(2)
    party.tree.blank_leaf()
    party.add(1)
    party.commit(0)
    party.add(2)
    top = party.tree.node(party.tree.root)
    assert isinstance(top, ParentNode)
    assert top.unmerged_leaves == (5, 6)


def test_removing_truncates_the_tree() -> None:
    """§7.7: as long as the right half is empty; the gap in the middle stays."""
    tree = RatchetTree(FAST)
    for leaf in LEAVES[:9]:
        tree.add(leaf)
    assert tree.leaf_count == 16
    tree.remove(2)
    assert tree.leaf_count == 16
    tree.remove(8)
    assert tree.leaf_count == 8
    for index in (7, 6, 5, 4, 3):
        tree.remove(index)
    assert tree.leaf_count == 2
    tree.remove(0)
    tree.remove(1)
    assert tree.leaf_count == 1
    assert list(tree.leaves()) == []


@pytest.mark.parametrize("index", [1, 2, 7, 2**32 - 1])
def test_blank_leaves_cannot_be_changed(index: int) -> None:
    """§12.1.2, §12.1.3: blank, or outside the tree."""
    tree = RatchetTree(FAST)
    tree.add(LEAVES[0])
    with pytest.raises(ValidationError, match=r"§12\.1\.3"):
        tree.remove(index)
    with pytest.raises(ValidationError, match=r"§12\.1\.2"):
        tree.update(index, LEAVES[1])
    assert tree.leaf(index) is None


def test_a_copy_is_independent() -> None:
    """Staging on a copy leaves no trace in the original."""
    party = Party(5)
    party.commit(0)
    tree = party.tree
    before = (tree.tree_hash(), tree.encode(), tree.leaf_count)
    other = tree.copy()
    other.remove(4)
    other.add(LEAVES[0])
    other.add(LEAVES[0])
    assert (tree.tree_hash(), tree.encode(), tree.leaf_count) == before
    tree.check_unique_keys()
    with pytest.raises(ValidationError):
        other.check_unique_keys()
    assert tree.has_encryption_key(LEAVES[0].encryption_key) is False
    assert other.has_encryption_key(LEAVES[0].encryption_key)


def test_leaves_are_found_where_they_stand() -> None:
    """§12.4.3.1: identical leaves only."""
    tree = RatchetTree(FAST)
    for leaf in LEAVES[:4]:
        tree.add(leaf)
    assert tree.index_of(LeafNode.decode(LEAVES[2].encode())) == 2
    assert tree.index_of(LEAVES[5]) is None
    assert tree.has_signature_key(LEAVES[2].signature_key)
    assert not tree.has_signature_key(LEAVES[5].signature_key)


def test_replaced_leaves_are_told_from_a_later_tree() -> None:
    """What stood where another leaf, or none, stands now; also beyond the end of the smaller tree."""
    tree = RatchetTree(FAST)
    for leaf in LEAVES[:4]:
        tree.add(leaf)
    later = tree.copy()
    assert tree.replaced_leaves(later) == {}
    later.remove(1)
    later.add(LEAVES[5])
    later.add(LEAVES[6])
    assert tree.replaced_leaves(later) == {1: LEAVES[1], 4: None}
    assert later.replaced_leaves(tree) == {1: LEAVES[5], 4: LEAVES[6]}


def test_two_leaves_with_the_same_keys_are_refused() -> None:
    """§7.3: each kind of key; removing one of the two is the remedy."""
    tree = RatchetTree(FAST)
    tree.add(LEAVES[0])
    tree.add(LEAVES[0])
    with pytest.raises(ValidationError, match="same encryption key"):
        tree.check_unique_keys()
    tree.remove(0)
    tree.check_unique_keys()
    alice = person("alice")
    tree.add(alice.leaf)
    other_key = alice.identity.update_leaf(person().key.public, b"", 0)
    tree.add(other_key)
    with pytest.raises(ValidationError, match="same signature key"):
        tree.check_unique_keys()


@given(st.binary(max_size=100))
def test_no_bytes_break_the_decoder(data: bytes) -> None:
    """Success or DecodeError."""
    for attempt in (data, encode_opaque(data)):
        try:
            tree = RatchetTree.decode(FAST, attempt)
        except DecodeError:
            continue
        assert tree.encode() == attempt


BLANK = b"\0"
LEAF = b"\1\1" + LEAVES[0].encode()
PARENT = b"\1\2" + ParentNode(b"key", b"").encode()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "ends in a blank"),
        (LEAF + BLANK, "ends in a blank"),
        (BLANK, "ends in a blank"),
        (PARENT, "wrong type"),
        (LEAF + LEAF, "wrong type"),
        (b"\1\3", "wrong type"),
        (b"\2" + LEAF[1:], "presence"),
    ],
)
def test_malformed_trees_are_refused(body: bytes, message: str) -> None:
    """§12.4.3.3: no trailing blank nodes, and node types at their places."""
    with pytest.raises(DecodeError, match=message):
        RatchetTree.decode(FAST, encode_opaque(body))


def test_trees_beyond_the_limit_are_refused() -> None:
    """A few bytes must not claim a huge tree; the limit itself fits."""
    for count, fits in ((8, True), (9, False), (100_000, False)):
        tree = encode_opaque(LEAF + BLANK * (2 * count - 3) + LEAF)
        if fits:
            assert RatchetTree.decode(FAST, tree, 5).leaf_count == 8
        else:
            with pytest.raises(ValidationError, match="more than 5 members"):
                RatchetTree.decode(FAST, tree, 5)
    with pytest.raises(ValidationError, match="more than 65536"):
        RatchetTree.decode(FAST, encode_opaque(LEAF + BLANK * 300_000 + LEAF))


def test_trailing_bytes_after_a_tree_are_refused() -> None:
    """The extension holds one tree."""
    with pytest.raises(DecodeError, match="trailing"):
        RatchetTree.decode(FAST, encode_opaque(LEAF) + b"\0")


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [(0, b"")],
        [(0, LEAF[1:] + b"\0")],
        [(0, PARENT[1:])],
        [(1 << 40, LEAF[1:])],
        [(0, LEAF[1:-1])],
    ],
)
def test_damaged_rows_are_a_storage_error(rows: list[tuple[int, bytes]]) -> None:
    """Missing, cut, misplaced or absurd."""
    with pytest.raises(StorageError):
        RatchetTree.load(FAST, rows)


def test_only_changed_nodes_are_stored() -> None:
    """One update in a large tree touches its path, not the tree."""
    party = Party(64)
    party.tree.drain_changes()
    party.commit(5)
    changed = party.tree.drain_changes()
    assert sorted(node for node, _ in changed) == sorted([node_of(5), *party.tree.direct_path(5)])
    assert party.tree.drain_changes() == []
    party.remove(5)
    assert {data for _, data in party.tree.drain_changes()} == {None}
