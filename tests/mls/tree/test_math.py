"""Tree arithmetic against a tree that is built of linked nodes."""

import pytest

from secure_chat.mls.tree.math import (
    NodeIndex,
    common_ancestor,
    copath,
    direct_path,
    is_leaf,
    leaf_of,
    left,
    level,
    node_count,
    node_of,
    parent,
    perfect_leaf_count,
    right,
    root,
    sibling,
    span,
)

SIZES = [1, 2, 4, 8, 16, 32]


class Linked:
    """A perfect tree of linked nodes, numbered in order from the left (§12.4.3.3)."""

    def __init__(self, leaf_count: int) -> None:
        self.parents: dict[int, int] = {}
        self.children: dict[int, tuple[int, int]] = {}
        self.levels: dict[int, int] = {}
        self.leaves: dict[int, range] = {}
        self._next = 0
        self.root = self._build(leaf_count)

    def _build(self, leaf_count: int) -> int:
        if leaf_count == 1:
            index = self._next
            self._next += 1
            self.levels[index] = 0
            self.leaves[index] = range(index // 2, index // 2 + 1)
            return index
        before = self._build(leaf_count // 2)
        index = self._next
        self._next += 1
        after = self._build(leaf_count // 2)
        self.children[index] = (before, after)
        self.parents[before] = self.parents[after] = index
        self.levels[index] = self.levels[before] + 1
        self.leaves[index] = range(self.leaves[before].start, self.leaves[after].stop)
        return index

    def path(self, index: int) -> list[int]:
        path = []
        while index != self.root:
            index = self.parents[index]
            path.append(index)
        return path


@pytest.mark.parametrize("size", SIZES)
def test_arithmetic_agrees_with_linked_nodes(size: int) -> None:
    """Every function, for every node."""
    tree = Linked(size)
    assert root(size) == tree.root
    assert node_count(size) == len(tree.levels)
    for number, height in tree.levels.items():
        node = NodeIndex(number)
        assert level(node) == height
        assert is_leaf(node) == (height == 0)
        assert range(span(node)[0], span(node)[1] + 1) == tree.leaves[node]
        if height:
            assert (left(node), right(node)) == tree.children[node]
        if node != tree.root:
            assert parent(node) == tree.parents[node]
            assert {node, sibling(node)} == set(tree.children[parent(node)])
        assert direct_path(node, size) == tree.path(node)
        assert copath(node, size) == [sibling(n) for n in [node, *direct_path(node, size)] if n != tree.root]


@pytest.mark.parametrize("size", SIZES)
def test_the_common_ancestor_is_the_lowest_node_above_both(size: int) -> None:
    """For every pair, a node counting as its own ancestor."""
    tree = Linked(size)
    for first in tree.levels:
        above = [first, *tree.path(first)]
        for second in tree.levels:
            expected = next(node for node in [second, *tree.path(second)] if node in above)
            assert common_ancestor(NodeIndex(first), NodeIndex(second)) == expected


def test_leaves_stand_at_even_places() -> None:
    """Leaf i is node 2i."""
    assert [node_of(i) for i in range(4)] == [0, 2, 4, 6]
    assert [leaf_of(node_of(i)) for i in range(4)] == [0, 1, 2, 3]


@pytest.mark.parametrize(("leaves", "size"), [(0, 1), (1, 1), (2, 2), (3, 4), (4, 4), (5, 8), (1000, 1024)])
def test_trees_are_as_small_as_possible(leaves: int, size: int) -> None:
    """The next power of two."""
    assert perfect_leaf_count(leaves) == size
