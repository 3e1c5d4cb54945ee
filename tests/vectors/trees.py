"""Families about the ratchet tree: tree-math, tree-operations, tree-validation, treekem."""

from collections.abc import Callable

from secure_chat.mls.codec import Reader
from secure_chat.mls.crypto.labels import derive_secret
from secure_chat.mls.crypto.suite import CipherSuite, HPKEPrivateKey, SignaturePrivateKey, suite_of
from secure_chat.mls.messages.proposals import PROPOSAL, Add, Remove, Update
from secure_chat.mls.registry import ProtocolVersion
from secure_chat.mls.schedule.group_context import GroupContext
from secure_chat.mls.tree import math
from secure_chat.mls.tree.leaf_node import LeafIdentity
from secure_chat.mls.tree.math import NodeIndex, common_ancestor, node_of
from secure_chat.mls.tree.private import TreePrivate
from secure_chat.mls.tree.ratchet_tree import RatchetTree
from secure_chat.mls.tree.treekem import apply_path, create_path, follow_path
from secure_chat.mls.tree.update_path import UpdatePath
from secure_chat.mls.tree.validation import verify_parent_hashes
from tests.vectors.families import Vector

__all__ = ["VERIFY"]

unhex = bytes.fromhex


def tree_math(vector: Vector) -> None:
    """Every relation between the nodes of a tree of one size."""
    leaves, nodes = vector["n_leaves"], vector["n_nodes"]
    assert math.node_count(leaves) == nodes
    top = math.root(leaves)
    assert top == vector["root"]
    for index in map(NodeIndex, range(nodes)):
        leaf = math.is_leaf(index)
        assert vector["left"][index] == (None if leaf else math.left(index))
        assert vector["right"][index] == (None if leaf else math.right(index))
        assert vector["parent"][index] == (None if index == top else math.parent(index))
        assert vector["sibling"][index] == (None if index == top else math.sibling(index))


def tree_operations(vector: Vector) -> None:
    """A proposal applied to a tree."""
    suite = suite_of(vector["cipher_suite"])
    before = unhex(vector["tree_before"])
    tree = RatchetTree.decode(suite, before)
    assert tree.encode() == before
    assert tree.tree_hash() == unhex(vector["tree_hash_before"])
    encoded = unhex(vector["proposal"])
    reader = Reader(encoded)
    proposal = PROPOSAL.read(reader)
    reader.finish()
    out = bytearray()
    PROPOSAL.write(proposal, out)
    assert out == encoded
    match proposal:
        case Add():
            tree.add(proposal.key_package.leaf_node)
        case Update():
            tree.update(vector["proposal_sender"], proposal.leaf_node)
        case Remove():
            tree.remove(proposal.removed)
        case _:
            raise AssertionError(f"unexpected proposal {proposal}")
    assert tree.encode() == unhex(vector["tree_after"])
    assert tree.tree_hash() == unhex(vector["tree_hash_after"])


def tree_validation(vector: Vector) -> None:
    """Resolution and hash of every node; parent hashes and signatures."""
    suite = suite_of(vector["cipher_suite"])
    encoded = unhex(vector["tree"])
    tree = RatchetTree.decode(suite, encoded)
    assert tree.encode() == encoded
    nodes = math.node_count(tree.leaf_count)
    assert len(vector["resolutions"]) == len(vector["tree_hashes"]) == nodes
    for index in map(NodeIndex, range(nodes)):
        assert tree.resolution(index) == vector["resolutions"][index]
        assert tree.tree_hash(index) == unhex(vector["tree_hashes"][index])
    verify_parent_hashes(tree)
    for leaf_index, leaf in tree.leaves():
        leaf.verify_signature(suite, unhex(vector["group_id"]), leaf_index)


def treekem(vector: Vector) -> None:
    """Update paths processed by every member, given ones and fresh ones."""
    suite = suite_of(vector["cipher_suite"])
    tree = RatchetTree.decode(suite, unhex(vector["ratchet_tree"]))
    privates = {leaf["index"]: _private(suite, tree, leaf) for leaf in vector["leaves_private"]}
    assert privates.keys() == {index for index, _ in tree.leaves()}
    signers = {
        leaf["index"]: SignaturePrivateKey.from_bytes(suite, unhex(leaf["signature_priv"]))
        for leaf in vector["leaves_private"]
    }
    group_id = unhex(vector["group_id"])
    for case in vector["update_paths"]:
        sender = case["sender"]
        encoded = unhex(case["update_path"])
        update = UpdatePath.decode(encoded)
        assert update.encode() == encoded
        merged_tree = tree.copy()
        merged = apply_path(merged_tree, sender, update, group_id)
        verify_parent_hashes(merged_tree)
        assert merged_tree.tree_hash() == unhex(case["tree_hash_after"])
        for index, private in privates.items():
            if index == sender:
                continue
            mine = private.copy()
            secret = follow_path(merged_tree, mine, merged, _context(suite, vector, merged_tree))
            assert secret == unhex(case["commit_secret"])
            ancestor = common_ancestor(node_of(index), node_of(sender))
            known = mine.key(ancestor)
            assert known is not None
            assert known.public == _node_key(suite, unhex(case["path_secrets"][index])).public

        leaf = tree.leaf(sender)
        assert leaf is not None
        assert signers[sender].public == leaf.signature_key
        identity = LeafIdentity(leaf.credential, signers[sender], leaf.capabilities, leaf.extensions)
        own_tree = tree.copy()
        own = create_path(own_tree, sender, identity, group_id)
        fresh = UpdatePath.decode(own.encrypt(own_tree, _context(suite, vector, own_tree)).encode())
        for index, private in privates.items():
            if index != sender:
                their_tree = tree.copy()
                merged = apply_path(their_tree, sender, fresh, group_id)
                context = _context(suite, vector, their_tree)
                assert follow_path(their_tree, private.copy(), merged, context) == own.commit_secret
                assert their_tree.tree_hash() == own_tree.tree_hash()


def _private(suite: CipherSuite, tree: RatchetTree, leaf: Vector) -> TreePrivate:
    private = TreePrivate(leaf["index"], HPKEPrivateKey.from_bytes(suite, unhex(leaf["encryption_priv"])))
    for entry in leaf["path_secrets"]:
        private.set_key(NodeIndex(entry["node"]), _node_key(suite, unhex(entry["path_secret"])))
    for node in private.nodes():
        key = private.key(node)
        assert key is not None
        assert key.public == tree.encryption_key(node)
    return private


def _node_key(suite: CipherSuite, path_secret: bytes) -> HPKEPrivateKey:
    return HPKEPrivateKey.derive_key_pair(suite, derive_secret(suite, path_secret, "node"))


def _context(suite: CipherSuite, vector: Vector, tree: RatchetTree) -> bytes:
    return GroupContext(
        version=ProtocolVersion.mls10,
        cipher_suite=suite.number,
        group_id=unhex(vector["group_id"]),
        epoch=vector["epoch"],
        tree_hash=tree.tree_hash(),
        confirmed_transcript_hash=unhex(vector["confirmed_transcript_hash"]),
        extensions=(),
    ).encode()


VERIFY: dict[str, Callable[[Vector], None]] = {
    "tree-math": tree_math,
    "tree-operations": tree_operations,
    "tree-validation": tree_validation,
    "treekem": treekem,
}
