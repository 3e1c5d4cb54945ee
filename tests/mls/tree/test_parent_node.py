"""Parent nodes."""

from hypothesis import given
from hypothesis import strategies as st

from secure_chat.mls.tree.parent_node import ParentNode

leaves = st.sets(st.integers(0, 2**32 - 1), max_size=20).map(sorted).map(tuple)


@given(st.builds(ParentNode, st.binary(max_size=70), st.binary(max_size=70), leaves))
def test_parent_nodes_survive_a_round_trip(node: ParentNode) -> None:
    """Same value, same bytes."""
    again = ParentNode.decode(node.encode())
    assert again == node
    assert again.encode() == node.encode()


@given(leaves, st.integers(0, 2**32 - 1))
def test_unmerged_leaves_stay_in_order(before: tuple[int, ...], leaf: int) -> None:
    """§7.1: in increasing order, and the encoding follows."""
    node = ParentNode(b"key", b"", tuple(other for other in before if other != leaf))
    node.encode()
    after = node.with_unmerged(leaf)
    assert after.unmerged_leaves == tuple(sorted({*before, leaf}))
    assert ParentNode.decode(after.encode()) == after


def test_unmerged_leaves_can_be_taken_out() -> None:
    """§7.9: for the original tree hash."""
    node = ParentNode.decode(ParentNode(b"key", b"above", (1, 2, 5)).encode())
    without = node.without_unmerged(frozenset({1, 5, 9}))
    assert without == ParentNode(b"key", b"above", (2,))
    assert ParentNode.decode(without.encode()).unmerged_leaves == (2,)
