"""What hashes are made of, written out; the official vectors judge the rest."""

import hashlib

from secure_chat.mls.codec import encode_opaque
from secure_chat.mls.tree.hashes import leaf_tree_hash, parent_hash, parent_tree_hash
from secure_chat.mls.tree.parent_node import ParentNode
from tests.mls.suites import FAST, XWING
from tests.mls.tree.party import person

NODE = ParentNode(b"key", b"above", (1, 2))


def test_a_leafs_tree_hash_covers_its_index_and_content() -> None:
    """§7.8: LeafNodeHashInput."""
    leaf = person().leaf
    assert leaf_tree_hash(FAST, 3, None) == hashlib.sha256(b"\1\0\0\0\3\0").digest()
    assert leaf_tree_hash(FAST, 3, leaf) == hashlib.sha256(b"\1\0\0\0\3\1" + leaf.encode()).digest()


def test_a_parents_tree_hash_covers_node_and_children() -> None:
    """§7.8: ParentNodeHashInput, also where a hash needs a two-byte length."""
    assert (
        parent_tree_hash(FAST, None, b"l" * 32, b"r" * 32)
        == hashlib.sha256(b"\2\0" + b"\x20" + b"l" * 32 + b"\x20" + b"r" * 32).digest()
    )
    assert (
        parent_tree_hash(XWING, NODE, b"l" * 64, b"r" * 64)
        == hashlib.sha512(b"\2\1" + NODE.encode() + b"\x40\x40" + b"l" * 64 + b"\x40\x40" + b"r" * 64).digest()
    )


def test_a_parent_hash_covers_key_chain_and_sibling() -> None:
    """§7.9: ParentHashInput; the unmerged leaves do not count."""
    expected = hashlib.sha256(encode_opaque(b"key") + encode_opaque(b"above") + encode_opaque(b"s" * 32)).digest()
    assert parent_hash(FAST, NODE, b"s" * 32) == expected
    assert parent_hash(FAST, ParentNode(b"key", b"above"), b"s" * 32) == expected
