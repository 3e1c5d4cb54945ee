"""The private keys that one member holds in the tree (RFC 9420 §4.2): its leaf's and some of those above."""

from collections.abc import Iterable

from secure_chat.mls.crypto.secret import Secret
from secure_chat.mls.crypto.suite import CipherSuite, HPKEPrivateKey
from secure_chat.mls.errors import CryptoError, StorageError
from secure_chat.mls.tree.math import NodeIndex, node_of
from secure_chat.mls.tree.ratchet_tree import RatchetTree

__all__ = ["TreePrivate"]


class TreePrivate:
    """Private keys by node. Path secrets are not kept: §7.5 has them deleted once the keys are derived."""

    __slots__ = ("_changed", "_keys", "leaf_index")

    def __init__(self, leaf_index: int, leaf_key: HPKEPrivateKey) -> None:
        self.leaf_index = leaf_index
        self._keys: dict[NodeIndex, HPKEPrivateKey] = {}
        self._changed: set[NodeIndex] = set()
        self.set_key(node_of(leaf_index), leaf_key)

    def key(self, node: NodeIndex) -> HPKEPrivateKey | None:
        """The private key for a node, None if this member does not have it."""
        return self._keys.get(node)

    def nodes(self) -> list[NodeIndex]:
        """The nodes whose private keys are known."""
        return sorted(self._keys)

    def set_key(self, node: NodeIndex, key: HPKEPrivateKey) -> None:
        """Know the private key for a node, in place of an older one."""
        self._keys[node] = key
        self._changed.add(node)

    def forget_outdated(self, tree: RatchetTree) -> None:
        """§7.5: delete the keys of nodes that are blank in `tree` or have another public key there."""
        for node, key in list(self._keys.items()):
            if tree.encryption_key(node) != key.public:
                del self._keys[node]
                self._changed.add(node)

    def copy(self) -> "TreePrivate":
        """An independent copy that shares the key objects."""
        other = TreePrivate.__new__(TreePrivate)
        other.leaf_index = self.leaf_index
        other._keys = self._keys.copy()
        other._changed = self._changed.copy()
        return other

    def drain_changes(self) -> list[tuple[NodeIndex, Secret | None]]:
        """The keys that changed since the last call, serialised, None for deleted ones."""
        changed = sorted(self._changed)
        self._changed.clear()
        return [(node, key.private_bytes if (key := self._keys.get(node)) else None) for node in changed]

    @classmethod
    def load(cls, suite: CipherSuite, leaf_index: int, rows: Iterable[tuple[int, bytes]]) -> "TreePrivate":
        """The keys that `drain_changes` described; StorageError if the rows are damaged."""
        try:
            keys = {NodeIndex(node): HPKEPrivateKey.from_bytes(suite, data) for node, data in rows}
        except CryptoError:
            raise StorageError("a stored private key is damaged") from None
        own = keys.pop(node_of(leaf_index), None)
        if own is None:
            raise StorageError("the stored private keys lack the own leaf's")
        private = cls(leaf_index, own)
        private._keys.update(keys)
        private._changed.clear()
        return private
