"""Tree arithmetic on array indices (RFC 9420 Appendix C): leaf i is node 2i, parents are odd.

All trees are perfect: a tree of `leaf_count` leaves, a power of two, has `2 * leaf_count - 1` nodes. A node's
index stays the same when the tree is extended or truncated.
"""

from typing import NewType, cast

__all__ = [
    "NodeIndex",
    "common_ancestor",
    "copath",
    "direct_path",
    "is_leaf",
    "leaf_of",
    "left",
    "level",
    "node_count",
    "node_of",
    "parent",
    "perfect_leaf_count",
    "right",
    "root",
    "sibling",
    "span",
]

NodeIndex = NewType("NodeIndex", int)
"""A place in the array of nodes; a leaf index is a plain int, as on the wire."""


def node_of(leaf_index: int) -> NodeIndex:
    """The node of a leaf."""
    return NodeIndex(2 * leaf_index)


def leaf_of(node: NodeIndex) -> int:
    """The leaf index of a leaf node."""
    return node >> 1


def is_leaf(node: NodeIndex) -> bool:
    """Whether the node is a leaf."""
    return node & 1 == 0


def level(node: NodeIndex) -> int:
    """The node's height: 0 for leaves, one more for each parent."""
    return (node ^ (node + 1)).bit_length() - 1


def node_count(leaf_count: int) -> int:
    """Nodes of a tree with this many leaves."""
    return 2 * leaf_count - 1


def perfect_leaf_count(leaves: int) -> int:
    """The smallest tree, in leaves, that holds `leaves` of them; at least 1."""
    return 1 << (leaves - 1).bit_length() if leaves > 1 else 1


def root(leaf_count: int) -> NodeIndex:
    """The root of a tree with this many leaves."""
    return NodeIndex(leaf_count - 1)


def left(node: NodeIndex) -> NodeIndex:
    """The left child of a parent node."""
    return NodeIndex(node ^ (1 << (level(node) - 1)))


def right(node: NodeIndex) -> NodeIndex:
    """The right child of a parent node."""
    return NodeIndex(node ^ (3 << (level(node) - 1)))


def parent(node: NodeIndex) -> NodeIndex:
    """The node above; the caller knows that it is not the root."""
    height = level(node)
    return NodeIndex((node | (1 << height)) & ~(1 << (height + 1)))


def sibling(node: NodeIndex) -> NodeIndex:
    """The other child of the node above."""
    return NodeIndex(node ^ (1 << (level(node) + 1)))


def direct_path(node: NodeIndex, leaf_count: int) -> list[NodeIndex]:
    """§4.1.2: the nodes above `node`, from the lowest to the root; empty for the root."""
    path: list[int] = []
    index, bit, top = int(node), 1 << level(node), root(leaf_count)
    while index != top:  # `parent`, without asking for the level each time
        index = (index | bit) & ~(bit << 1)
        bit <<= 1
        path.append(index)
    return cast(list[NodeIndex], path)


def copath(node: NodeIndex, leaf_count: int) -> list[NodeIndex]:
    """§4.1.2: the siblings of `node` and of the nodes above it, without the root's."""
    path = []
    top = root(leaf_count)
    while node != top:
        path.append(sibling(node))
        node = parent(node)
    return path


def common_ancestor(first: NodeIndex, second: NodeIndex) -> NodeIndex:
    """The lowest node whose subtree contains both."""
    height = max(level(first), level(second))
    # Below `height` the lower node's position inside the higher one's subtree does not matter.
    first_prefix, second_prefix = first >> height, second >> height
    if height and first_prefix | 1 == second_prefix | 1:
        return first if level(first) == height else second
    height = max(height, (first ^ second).bit_length() - 1)
    return NodeIndex((first >> (height + 1) << (height + 1)) | ((1 << height) - 1))


def span(node: NodeIndex) -> tuple[int, int]:
    """The first and the last leaf below a node, as leaf indices; a leaf's own twice."""
    half = (1 << level(node)) - 1
    return (node - half) >> 1, (node + half) >> 1
