"""The ratchet tree (RFC 9420 §4, §7.7, §7.8, §12.4.3.3): public keys of all members and of the subgroups they form.

Nodes are immutable and shared between copies; a copy costs a few list copies, so a commit is staged on one. Tree
hashes are kept per node and recomputed only along paths that changed.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import compress
from operator import is_not
from typing import cast

from secure_chat.mls.codec import Reader, encode_varint
from secure_chat.mls.crypto.suite import CipherSuite
from secure_chat.mls.errors import DecodeError, StorageError, ValidationError
from secure_chat.mls.tree.hashes import leaf_tree_hash, parent_hash, parent_tree_hash
from secure_chat.mls.tree.leaf_node import LeafNode
from secure_chat.mls.tree.math import (
    NodeIndex,
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
)
from secure_chat.mls.tree.members import KeyCount, MemberCount
from secure_chat.mls.tree.parent_node import ParentNode

__all__ = ["MAX_MEMBERS", "Node", "RatchetTree"]

Node = LeafNode | ParentNode

MAX_MEMBERS = 1 << 16
"""Of a received tree, unless the caller says otherwise; a group of that size takes about 200 MB."""

_LEAF = 1
_PARENT = 2


class RatchetTree:
    """The public tree of one epoch, or of one that is being staged."""

    __slots__ = (
        "_changed",
        "_encryption_keys",
        "_hashes",
        "_nodes",
        "_signature_keys",
        "_taken",
        "members",
        "suite",
    )

    def __init__(self, suite: CipherSuite) -> None:
        """A tree of one blank leaf."""
        self.suite = suite
        self.members = MemberCount()
        """What the members have in common: who supports what."""
        self._nodes: list[Node | None] = [None]
        # One byte for each node, 1 unless it is blank: whole subtrees are searched without touching the nodes.
        self._taken = bytearray(1)
        # Invariant: above a node without a hash, no node has one.
        self._hashes: list[bytes | None] = [None]
        self._encryption_keys = KeyCount()
        self._signature_keys = KeyCount()
        self._changed: set[NodeIndex] = set()

    # ---- Reading ----------------------------------------------------------------------------------------------

    @property
    def leaf_count(self) -> int:
        """Leaves of the tree, blank ones included: a power of two."""
        return (len(self._nodes) + 1) >> 1

    @property
    def root(self) -> NodeIndex:
        """The topmost node."""
        return root(self.leaf_count)

    def node(self, node: NodeIndex) -> Node | None:
        """What stands at a node, None if it is blank or outside the tree."""
        return self._nodes[node] if node < len(self._nodes) else None

    def leaf(self, leaf_index: int) -> LeafNode | None:
        """The leaf at an index, None if it is blank or outside the tree."""
        if not 0 <= leaf_index < self.leaf_count:
            return None
        leaf = self._nodes[2 * leaf_index]
        assert not isinstance(leaf, ParentNode)
        return leaf

    def leaves(self) -> Iterator[tuple[int, LeafNode]]:
        """The non-blank leaves with their indices, from the left."""
        for index, node in enumerate(self._nodes[::2]):
            if isinstance(node, LeafNode):
                yield index, node

    def parents(self) -> Iterator[tuple[NodeIndex, ParentNode]]:
        """The non-blank parent nodes, from the left."""
        for index, node in enumerate(self._nodes[1::2]):
            if isinstance(node, ParentNode):
                yield NodeIndex(2 * index + 1), node

    def index_of(self, leaf: LeafNode) -> int | None:
        """Where exactly this leaf stands, None if nowhere."""
        if not self.has_encryption_key(leaf.encryption_key):
            return None
        encoded = leaf.encode()
        return next((index for index, other in self.leaves() if other.encode() == encoded), None)

    def has_encryption_key(self, key: bytes) -> bool:
        """Whether some node has this public key."""
        return self._encryption_keys.count(key) > 0

    def has_signature_key(self, key: bytes) -> bool:
        """Whether some leaf has this signature key."""
        return self._signature_keys.count(key) > 0

    def replaced_leaves(self, successor: "RatchetTree") -> dict[int, LeafNode | None]:
        """The leaves of this tree that stand differently in a later one, None for those that are blank here."""
        old, new = self._nodes[::2], successor._nodes[::2]
        width = max(len(old), len(new))
        old += [None] * (width - len(old))
        new += [None] * (width - len(new))
        changed = list(compress(range(width), map(is_not, old, new)))
        return {index: self.leaf(index) for index in changed}

    def check_unique_keys(self) -> None:
        """§7.3, §12.4.3.1: no two nodes share an encryption key, no two leaves a signature key."""
        if self._encryption_keys.repeated:
            raise ValidationError("two nodes of the tree have the same encryption key (RFC 9420 §7.3, §12.4.3.1)")
        if self._signature_keys.repeated:
            raise ValidationError("two leaves of the tree have the same signature key (RFC 9420 §7.3)")

    def direct_path(self, leaf_index: int) -> list[NodeIndex]:
        """§4.1.2: the nodes above a leaf, from the lowest to the root."""
        return direct_path(node_of(leaf_index), self.leaf_count)

    def filtered_direct_path(self, leaf_index: int) -> list[tuple[NodeIndex, NodeIndex]]:
        """§4.1.2: the nodes above a leaf whose child on the copath has a non-empty resolution, with that child."""
        path = []
        node = node_of(leaf_index)
        top = self.root
        while node != top:
            copath_child = sibling(node)
            node = parent(node)
            half = (1 << level(copath_child)) - 1
            if self._taken.find(1, copath_child - half, copath_child + half + 1) >= 0:
                path.append((node, copath_child))
        return path

    def resolution(self, node: NodeIndex) -> list[NodeIndex]:
        """§4.1.1: the non-blank nodes that cover everything below `node`, from the left."""
        value = self._nodes[node]
        if isinstance(value, ParentNode):
            return [node, *map(node_of, value.unmerged_leaves)]
        if value is not None:
            return [node]
        half = (1 << level(node)) - 1
        first, last = node - half, node + half
        if 1 not in self._taken[first + 1 : last : 2]:  # only leaves below
            leaves = self._taken[first : last + 1 : 2]
            return cast(list[NodeIndex], list(compress(range(first, last + 1, 2), leaves)))
        return self.resolution(left(node)) + self.resolution(right(node))

    def encryption_key(self, node: NodeIndex) -> bytes | None:
        """The public key at a node, None if it is blank or outside the tree."""
        value = self.node(node)
        return None if value is None else value.encryption_key

    # ---- Hashes -----------------------------------------------------------------------------------------------

    def tree_hash(self, node: NodeIndex | None = None) -> bytes:
        """§7.8: the tree hash of the whole tree, or of the subtree below `node`."""
        index = self.root if node is None else node
        known = self._hashes[index]
        if known is not None:
            return known
        value = self._nodes[index]
        if is_leaf(index):
            assert not isinstance(value, ParentNode)
            result = leaf_tree_hash(self.suite, leaf_of(index), value)
        else:
            assert not isinstance(value, LeafNode)
            result = parent_tree_hash(self.suite, value, self.tree_hash(left(index)), self.tree_hash(right(index)))
        self._hashes[index] = result
        return result

    # ---- Changing ---------------------------------------------------------------------------------------------

    def copy(self) -> "RatchetTree":
        """An independent copy that shares the nodes."""
        other = RatchetTree.__new__(RatchetTree)
        other.suite = self.suite
        other.members = self.members.copy()
        other._nodes = self._nodes.copy()
        other._hashes = self._hashes.copy()
        other._encryption_keys = self._encryption_keys.copy()
        other._signature_keys = self._signature_keys.copy()
        other._taken = self._taken.copy()
        other._changed = self._changed.copy()
        return other

    def blank_leaf(self) -> int:
        """The leftmost blank leaf; the tree is extended to the right if there is none (§7.7, §12.1.1)."""
        index = self._taken[::2].find(0)
        if index < 0:
            index = self.leaf_count
            blanks = [None] * (len(self._nodes) + 1)
            self._nodes += blanks
            self._hashes += blanks
            self._taken += bytes(len(blanks))
        return index

    def add(self, leaf: LeafNode) -> int:
        """§12.1.1: a new member at the leftmost blank leaf, unmerged at all nodes above; its index."""
        index = self.blank_leaf()
        for node in self.direct_path(index):
            value = self._nodes[node]
            if isinstance(value, ParentNode):
                self._set(node, value.with_unmerged(index))
        self._set(node_of(index), leaf)
        return index

    def update(self, leaf_index: int, leaf: LeafNode) -> None:
        """§12.1.2: replace a member's leaf and blank the nodes above it."""
        if self.leaf(leaf_index) is None:
            raise ValidationError("an update for a blank leaf (RFC 9420 §12.1.2)")
        self._set(node_of(leaf_index), leaf)
        self._blank_path(leaf_index)

    def remove(self, leaf_index: int) -> None:
        """§12.1.3: blank a member's leaf and the nodes above it, then truncate the tree."""
        if self.leaf(leaf_index) is None:
            raise ValidationError("a removal of a blank leaf (RFC 9420 §12.1.3)")
        self._set(node_of(leaf_index), None)
        self._blank_path(leaf_index)
        self._truncate()

    def set_leaf(self, leaf_index: int, leaf: LeafNode) -> None:
        """Put a committer's leaf in its place, below the path that `merge_path` has set (§7.5)."""
        self._set(node_of(leaf_index), leaf)

    def merge_path(self, leaf_index: int, path: Sequence[tuple[NodeIndex, NodeIndex]], keys: Sequence[bytes]) -> bytes:
        """§7.5: set new keys on a filtered direct path, blank the rest of it; the parent hash for the leaf (§7.9)."""
        on_path = {node for node, _ in path}
        for node in self.direct_path(leaf_index):
            if node not in on_path:
                self._set(node, None)
        above = b""  # the topmost node's parent hash is empty
        for (node, copath_child), key in zip(reversed(path), reversed(keys), strict=True):
            value = ParentNode(key, above)
            self._set(node, value)
            above = parent_hash(self.suite, value, self.tree_hash(copath_child))
        return above

    def _blank_path(self, leaf_index: int) -> None:
        for node in self.direct_path(leaf_index):
            self._set(node, None)

    def _truncate(self) -> None:
        """§7.7: drop the right half while no leaf in it is taken."""
        while self.leaf_count > 1 and 1 not in self._taken[self.root + 1 :: 2]:
            top = self.root
            for index in range(top, len(self._nodes)):
                self._set(NodeIndex(index), None)
            del self._nodes[top:]
            del self._hashes[top:]
            del self._taken[top:]

    def _set(self, index: NodeIndex, value: Node | None) -> None:
        old = self._nodes[index]
        if old is value:
            return
        self._nodes[index] = value
        self._taken[index] = value is not None
        self._changed.add(index)
        if old is not None:
            self._encryption_keys.remove(old.encryption_key)
        if value is not None:
            self._encryption_keys.add(value.encryption_key)
        if is_leaf(index):
            self._count_member(index, old, value)
        hashes = self._hashes
        top = self.root
        while hashes[index] is not None:
            hashes[index] = None
            if index == top:
                break
            index = parent(index)

    def _count_member(self, index: NodeIndex, old: Node | None, value: Node | None) -> None:
        assert not isinstance(old, ParentNode)
        assert not isinstance(value, ParentNode)
        if old is not None:
            self._signature_keys.remove(old.signature_key)
        if value is not None:
            self._signature_keys.add(value.signature_key)
        self.members.replace(old, value)

    # ---- Wire and store ---------------------------------------------------------------------------------------

    def encode(self) -> bytes:
        """The `ratchet_tree` extension's data (§12.4.3.3)."""
        last = len(self._nodes)
        while last and self._nodes[last - 1] is None:
            last -= 1
        body = b"".join([b"\0" if node is None else b"\x01" + _encode_node(node) for node in self._nodes[:last]])
        return encode_varint(len(body)) + body

    @classmethod
    def decode(cls, suite: CipherSuite, data: bytes, max_members: int = MAX_MEMBERS) -> "RatchetTree":
        """A tree as it was received; nothing but its form is checked, see `tree.validation`.

        DecodeError if it is malformed, ends in a blank node or has a leaf where a parent belongs; ValidationError if
        it is larger than `max_members` need, since blank nodes take one byte each here, but far more in memory.
        """
        reader = Reader(data)
        block = reader.block()
        reader.finish()
        nodes: list[Node | None] = []
        limit = node_count(perfect_leaf_count(max_members))
        while block.position < block.end:
            if len(nodes) == limit:
                raise ValidationError(f"a ratchet tree with room for more than {max_members} members")
            present = block.uint(1)
            if present > 1:
                raise DecodeError(f"presence octet {present} (RFC 9420 §2.1.1)")
            nodes.append(_read_node(block, len(nodes)) if present else None)
        # §12.4.3.3: the last node is not blank.
        if not nodes or nodes[-1] is None:
            raise DecodeError("a ratchet tree that ends in a blank node (RFC 9420 §12.4.3.3)")
        return cls._of(suite, nodes)

    @classmethod
    def load(
        cls, suite: CipherSuite, rows: Iterable[tuple[int, bytes]], max_members: int = MAX_MEMBERS
    ) -> "RatchetTree":
        """The tree that `drain_changes` described; StorageError if the rows are damaged.

        A damaged index must not make a huge tree: none is larger than `max_members` need.
        """
        found: dict[int, Node] = {}
        try:
            for index, data in rows:
                reader = Reader(data)
                found[index] = _read_node(reader, index)
                reader.finish()
        except DecodeError as error:
            raise StorageError(f"a stored tree node is damaged: {error}") from None
        if not found or max(found) >= node_count(perfect_leaf_count(max_members)):
            raise StorageError("the stored tree has no node, or one beyond any tree")
        nodes: list[Node | None] = [None] * (max(found) + 1)
        for index, node in found.items():
            nodes[index] = node
        tree = cls._of(suite, nodes)
        tree._changed.clear()
        return tree

    @classmethod
    def _of(cls, suite: CipherSuite, nodes: list[Node | None]) -> "RatchetTree":
        tree = cls(suite)
        size = node_count(perfect_leaf_count((len(nodes) + 2) // 2))
        tree._nodes = [None] * size
        tree._hashes = [None] * size
        tree._taken = bytearray(size)
        for index, node in enumerate(nodes):
            tree._set(NodeIndex(index), node)
        return tree

    def drain_changes(self) -> list[tuple[NodeIndex, bytes | None]]:
        """The nodes that changed since the last call, encoded, None for blank or truncated ones."""
        changed = sorted(self._changed)
        self._changed.clear()
        return [(index, None if (node := self.node(index)) is None else _encode_node(node)) for index in changed]


def _encode_node(node: Node) -> bytes:
    return (b"\x01" if isinstance(node, LeafNode) else b"\x02") + node.encode()


def _read_node(reader: Reader, index: int) -> Node:
    """A `Node` for this place: leaves at even places, parents at odd ones (§12.4.3.3)."""
    node_type = reader.uint(1)
    if node_type == _LEAF and index & 1 == 0:
        return LeafNode.read(reader)
    if node_type == _PARENT and index & 1 == 1:
        return ParentNode.read(reader)
    raise DecodeError("a node of the wrong type for its place (RFC 9420 §12.4.3.3)")
