"""Received trees: sound ones pass, and each rule refuses a tree that breaks it alone."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from secure_chat.mls.credential.extensions import Extension, RequiredCapabilities
from secure_chat.mls.errors import CryptoError, ValidationError
from secure_chat.mls.tree.leaf_node import LeafNode
from secure_chat.mls.tree.math import NodeIndex, node_of
from secure_chat.mls.tree.parent_node import ParentNode
from secure_chat.mls.tree.ratchet_tree import Node, RatchetTree
from secure_chat.mls.tree.validation import check_members, original_tree_hash, validate_tree, verify_parent_hashes
from tests.mls.tree.party import GROUP, AnyIdentity, Nobody, Party, person

Change = Callable[[dict[int, Node | None]], None]


def sound() -> RatchetTree:
    """Six members, most parent nodes filled, a late leaf unmerged at two of them."""
    party = Party(5)
    for index in (4, 1, 2, 0):
        party.commit(index)
    party.add(1)
    return party.tree


TREE = sound()


def altered(change: Change, tree: RatchetTree = TREE) -> RatchetTree:
    """The tree as it would arrive from somebody who changed its nodes."""
    nodes: dict[int, Node | None] = {i: tree.node(NodeIndex(i)) for i in range(2 * tree.leaf_count - 1)}
    change(nodes)
    rows = []
    for index, node in nodes.items():
        if node is not None:
            rows.append((index, (b"\1" if isinstance(node, LeafNode) else b"\2") + node.encode()))
    return RatchetTree.decode(tree.suite, RatchetTree.load(tree.suite, rows).encode())


def validate(tree: RatchetTree, extensions: tuple[Extension, ...] = ()) -> None:
    validate_tree(tree, GROUP, extensions, AnyIdentity())


def parent(nodes: dict[int, Node | None], index: int) -> ParentNode:
    node = nodes[index]
    assert isinstance(node, ParentNode)
    return node


def test_sound_trees_pass() -> None:
    """As built, and as received."""
    validate(TREE)
    validate(altered(lambda nodes: None))
    top = TREE.node(TREE.root)
    assert isinstance(top, ParentNode)
    assert top.unmerged_leaves == (5,)


def test_the_policy_has_its_say() -> None:
    """§5.3.1: each credential of a joined group is validated."""
    with pytest.raises(ValidationError, match="never heard"):
        validate_tree(TREE, GROUP, (), Nobody())


def test_every_leaf_is_validated() -> None:
    """§7.3: one bad signature anywhere is enough."""

    def forge(nodes: dict[int, Node | None]) -> None:
        leaf = nodes[node_of(5)]
        assert isinstance(leaf, LeafNode)
        nodes[node_of(5)] = replace(leaf, signature=bytes(64), _encoded=b"")

    with pytest.raises(CryptoError):
        validate(altered(forge))


def test_leaves_of_another_group_are_refused() -> None:
    """§7.2: leaves from commits are signed for their group."""
    with pytest.raises(CryptoError):
        validate_tree(TREE, b"other", (), AnyIdentity())


def test_two_leaves_with_one_key_are_refused() -> None:
    """§7.3."""

    def repeat(nodes: dict[int, Node | None]) -> None:
        nodes[node_of(6)] = nodes[node_of(5)]

    with pytest.raises(ValidationError, match="same encryption key"):
        validate(altered(repeat))


def test_a_parent_with_the_key_of_another_node_is_refused() -> None:
    """§12.4.3.1."""

    def repeat(nodes: dict[int, Node | None]) -> None:
        leaf = nodes[0]
        assert leaf is not None
        nodes[7] = replace(parent(nodes, 7), encryption_key=leaf.encryption_key, _encoded=b"")

    with pytest.raises(ValidationError, match="same encryption key"):
        validate(altered(repeat))


def test_parents_with_unusable_keys_are_refused() -> None:
    """§5.1.1."""

    def spoil(nodes: dict[int, Node | None]) -> None:
        nodes[7] = replace(parent(nodes, 7), encryption_key=bytes(32), _encoded=b"")

    with pytest.raises(ValidationError, match="encryption_key of a parent"):
        validate(altered(spoil))


@pytest.mark.parametrize(
    ("index", "leaves", "message"),
    [
        (7, (5, 5), "increasing order"),
        (7, (5, 1), "increasing order"),
        (7, (5, 6), "no member below"),
        (7, (5, 99), "no member below"),
        (3, (5,), "no member below"),
        (9, (0,), "no member below"),
        (7, (3, 5), "not at one between"),
    ],
)
def test_wrong_unmerged_leaves_are_refused(index: int, leaves: tuple[int, ...], message: str) -> None:
    """§7.1, §12.4.3.1: order, membership below the node, and presence at all nodes between."""

    def spoil(nodes: dict[int, Node | None]) -> None:
        old = nodes[index]
        key = person().key.public if old is None else old.encryption_key
        nodes[index] = ParentNode(key, b"", leaves)

    with pytest.raises(ValidationError, match=message):
        validate(altered(spoil))


@pytest.mark.parametrize("index", [1, 3, 7])
def test_a_parent_that_nobody_signed_for_is_refused(index: int) -> None:
    """§7.9.2: a swapped key breaks the chain, wherever it stands."""

    def swap(nodes: dict[int, Node | None]) -> None:
        nodes[index] = replace(parent(nodes, index), encryption_key=person().key.public, _encoded=b"")

    with pytest.raises(ValidationError, match="parent-hash valid"):
        validate(altered(swap))


def test_a_parent_invented_over_leaves_is_refused() -> None:
    """§7.9.2: a node that no path has set."""

    def invent(nodes: dict[int, Node | None]) -> None:
        assert nodes[9] is None
        nodes[9] = ParentNode(person().key.public, b"", (5,))

    with pytest.raises(ValidationError, match="parent-hash valid"):
        validate(altered(invent))


def test_a_parent_above_nobody_is_refused() -> None:
    """§7.9.2: with a blank subtree below there is nobody who could have set it."""

    def invent(nodes: dict[int, Node | None]) -> None:
        nodes[13] = ParentNode(person().key.public, b"")

    with pytest.raises(ValidationError, match="parent-hash valid"):
        validate(altered(invent))


def test_a_hidden_unmerged_leaf_is_refused() -> None:
    """§7.9.2: the resolution below must be the unmerged leaves and one node more."""

    def hide(nodes: dict[int, Node | None]) -> None:
        for index in (7, 11):
            if nodes[index] is not None:
                nodes[index] = replace(parent(nodes, index), unmerged_leaves=(), _encoded=b"")

    with pytest.raises(ValidationError, match="parent-hash valid"):
        validate(altered(hide))


def test_the_original_tree_hash_forgets_later_leaves() -> None:
    """§7.9: it is the hash from before the unmerged leaves came, whatever has been added since."""
    party = Party(3)
    party.commit(0)
    right_half = NodeIndex(5)
    before = party.tree.tree_hash(right_half)
    party.add(1)
    assert party.tree.tree_hash(right_half) != before
    assert original_tree_hash(party.tree, right_half, (3,), {}) == before
    assert original_tree_hash(party.tree, right_half, (), {}) == party.tree.tree_hash(right_half)
    verify_parent_hashes(party.tree)


@pytest.mark.parametrize("size", [2, 3, 5, 8])
def test_parent_hashes_hold_while_leaves_come_and_go(size: int) -> None:
    """Adds and removals between paths leave valid chains."""
    party = Party(size)
    for step in range(size):
        party.commit(step % size)
        party.add(2)
        validate(altered(lambda nodes: None, party.tree))
        party.commit(0)
        party.remove(max(party.privates))
        validate(altered(lambda nodes: None, party.tree))


def test_group_extensions_must_be_supported_by_all() -> None:
    """§13.4."""
    with pytest.raises(ValidationError, match=r"§13\.4"):
        validate(TREE, (Extension(0xF001, b""),))


def test_required_capabilities_must_be_supported_by_all() -> None:
    """§11.1."""
    check_members(TREE, (RequiredCapabilities((), (), (1,)).extension(),))
    with pytest.raises(ValidationError, match=r"§11\.1"):
        check_members(TREE, (RequiredCapabilities((), (), (2,)).extension(),))
    with pytest.raises(ValidationError, match="required_capabilities"):
        check_members(TREE, (Extension(3, b"\1"),))
