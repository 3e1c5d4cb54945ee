"""What tree hashes and parent hashes are made of: RFC 9420 §7.8 and §7.9."""

from secure_chat.mls.codec import encode_opaque
from secure_chat.mls.crypto.suite import CipherSuite
from secure_chat.mls.tree.leaf_node import LeafNode
from secure_chat.mls.tree.parent_node import ParentNode

__all__ = ["leaf_tree_hash", "parent_hash", "parent_tree_hash"]


def leaf_tree_hash(suite: CipherSuite, leaf_index: int, leaf: LeafNode | None) -> bytes:
    """The hash of a `TreeHashInput` for a leaf, blank or not (§7.8)."""
    start = b"\x01" + leaf_index.to_bytes(4, "big")
    return suite.hash(start + b"\0" if leaf is None else start + b"\x01" + leaf.encode())


def parent_tree_hash(suite: CipherSuite, node: ParentNode | None, left_hash: bytes, right_hash: bytes) -> bytes:
    """The hash of a `TreeHashInput` for a parent node, blank or not (§7.8)."""
    start = b"\x02\0" if node is None else b"\x02\x01" + node.encode()
    return suite.hash(start + encode_opaque(left_hash) + encode_opaque(right_hash))


def parent_hash(suite: CipherSuite, node: ParentNode, original_sibling_tree_hash: bytes) -> bytes:
    """The hash of the `ParentHashInput` of a node, seen from its other child (§7.9)."""
    return suite.hash(
        encode_opaque(node.encryption_key) + encode_opaque(node.parent_hash) + encode_opaque(original_sibling_tree_hash)
    )
