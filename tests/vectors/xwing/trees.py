"""Vectors of the X-Wing suite about the ratchet tree, from a small group that has only a tree."""

from collections.abc import Sequence

from secure_chat.mls.credential.credential import BasicCredential
from secure_chat.mls.credential.extensions import Capabilities, Lifetime
from secure_chat.mls.crypto.secret import Secret
from secure_chat.mls.crypto.suite import CipherSuite, HPKEPrivateKey, SignaturePrivateKey
from secure_chat.mls.messages.key_package import KeyPackageBundle
from secure_chat.mls.messages.proposals import PROPOSAL, Add, Proposal, Remove, Update
from secure_chat.mls.registry import CredentialType, ProtocolVersion
from secure_chat.mls.schedule.group_context import GroupContext
from secure_chat.mls.tree.leaf_node import LeafIdentity
from secure_chat.mls.tree.math import NodeIndex, common_ancestor, node_count, node_of
from secure_chat.mls.tree.private import TreePrivate
from secure_chat.mls.tree.ratchet_tree import RatchetTree
from secure_chat.mls.tree.treekem import OwnPath, apply_path, create_path, follow_path, join_path
from tests.vectors.families import Vector
from tests.vectors.xwing.derandomised import Randomness

__all__ = ["identity", "tree_operations", "tree_validation", "treekem"]

LIFETIME = Lifetime(0, (1 << 63) - 1)
EPOCH = 5


def identity(suite: CipherSuite, randomness: Randomness, name: str) -> LeafIdentity:
    """A member with a basic credential."""
    capabilities = Capabilities.of((suite.number,), credentials=(CredentialType.basic, CredentialType.x509))
    key = SignaturePrivateKey.from_bytes(suite, randomness.take(32))
    return LeafIdentity(BasicCredential(name.encode()), key, capabilities)


class Crowd:
    """Members that share a tree and nothing else."""

    def __init__(self, suite: CipherSuite, randomness: Randomness) -> None:
        self.suite = suite
        self.randomness = randomness
        self.group_id = randomness.take(32)
        self.confirmed = randomness.take(suite.hash_length)
        self.tree = RatchetTree(suite)
        self.identities: dict[int, LeafIdentity] = {}
        self.privates: dict[int, TreePrivate] = {}
        self.path_secrets: dict[NodeIndex, Secret] = {}
        self._named = 0
        self.seat()

    def newcomer(self) -> tuple[LeafIdentity, KeyPackageBundle]:
        """Somebody new."""
        self._named += 1
        who = identity(self.suite, self.randomness, f"member {self._named}")
        return who, KeyPackageBundle.generate(self.suite, who, LIFETIME)

    def seat(self) -> int:
        """Add somebody without a path."""
        who, bundle = self.newcomer()
        leaf_index = self.tree.add(bundle.key_package.leaf_node)
        self.identities[leaf_index] = who
        self.privates[leaf_index] = TreePrivate(leaf_index, bundle.encryption_key)
        return leaf_index

    def remove(self, leaf_index: int) -> None:
        """Remove somebody without a path."""
        self.tree.remove(leaf_index)
        del self.identities[leaf_index], self.privates[leaf_index]

    def commit(self, sender: int, new_leaves: Sequence[int] = ()) -> None:
        """A path by `sender`; members just seated get its secrets as from a Welcome."""
        before = self.tree.copy()
        own = create_path(self.tree, sender, self.identities[sender], self.group_id)
        update = own.encrypt(self.tree, self.context(self.tree), new_leaves)
        for index, private in self.privates.items():
            if index in new_leaves:
                join_path(self.tree, private, sender, own.secret_for(index))
            elif index != sender:
                tree = before.copy()
                merged = apply_path(tree, sender, update, self.group_id, new_leaves)
                assert follow_path(tree, private, merged, self.context(tree)) == own.commit_secret
        own.install(self.privates[sender])
        self.path_secrets |= {step.node: step.path_secret for step in own.steps}
        for private in self.privates.values():
            private.forget_outdated(self.tree)

    def context(self, tree: RatchetTree) -> bytes:
        """The GroupContext that goes with a tree."""
        return GroupContext(
            ProtocolVersion.mls10, self.suite.number, self.group_id, EPOCH, tree.tree_hash(), self.confirmed, ()
        ).encode()


def tree_of(suite: CipherSuite, randomness: Randomness, size: int) -> Crowd:
    """Each member adds the next and commits."""
    crowd = Crowd(suite, randomness)
    for sender in range(size - 1):
        crowd.commit(sender, [crowd.seat()])
    return crowd


def with_blanks(suite: CipherSuite, randomness: Randomness) -> Crowd:
    """Seven leaves; two removed by a commit, one seated without a path."""
    crowd = tree_of(suite, randomness, 7)
    crowd.remove(2)
    crowd.remove(3)
    crowd.commit(0)
    crowd.seat()
    return crowd


def with_unmerged(suite: CipherSuite, randomness: Randomness) -> Crowd:
    """Five leaves, then two seated without a path and a commit that leaves one of them unmerged below."""
    crowd = tree_of(suite, randomness, 5)
    crowd.commit(4)
    crowd.seat()
    crowd.commit(0)
    crowd.seat()
    return crowd


def tree_operations(suite: CipherSuite, randomness: Randomness) -> list[Vector]:
    """Adds to the right and into a gap, an update, removals with and without truncation."""
    vectors = []
    for crowd, kind, sender in (
        (tree_of(suite, randomness, 2), "add", 0),
        (with_blanks(suite, randomness), "add", 1),
        (tree_of(suite, randomness, 4), "update", 2),
        (tree_of(suite, randomness, 4), "remove 1", 0),
        (tree_of(suite, randomness, 5), "remove 4", 0),
    ):
        tree = crowd.tree
        before, hash_before = tree.encode(), tree.tree_hash()
        proposal: Proposal
        if kind == "add":
            _, bundle = crowd.newcomer()
            proposal = Add(bundle.key_package)
            tree.add(bundle.key_package.leaf_node)
        elif kind == "update":
            key = HPKEPrivateKey.generate(suite)
            proposal = Update(crowd.identities[sender].update_leaf(key.public, crowd.group_id, sender))
            tree.update(sender, proposal.leaf_node)
        else:
            proposal = Remove(int(kind.split()[1]))
            tree.remove(proposal.removed)
        encoded = bytearray()
        PROPOSAL.write(proposal, encoded)
        vectors.append(
            {
                "cipher_suite": suite.number,
                "tree_before": before.hex(),
                "proposal": encoded.hex(),
                "proposal_sender": sender,
                "tree_hash_before": hash_before.hex(),
                "tree_after": tree.encode().hex(),
                "tree_hash_after": tree.tree_hash().hex(),
            }
        )
    return vectors


def tree_validation(suite: CipherSuite, randomness: Randomness) -> list[Vector]:
    """Full, odd-sized, with blanks, with unmerged leaves."""
    crowds = [tree_of(suite, randomness, size) for size in (2, 3, 8)]
    crowds += [with_blanks(suite, randomness), with_unmerged(suite, randomness)]
    vectors = []
    for crowd in crowds:
        nodes = [NodeIndex(node) for node in range(node_count(crowd.tree.leaf_count))]
        vectors.append(
            {
                "cipher_suite": suite.number,
                "tree": crowd.tree.encode().hex(),
                "group_id": crowd.group_id.hex(),
                "resolutions": [crowd.tree.resolution(node) for node in nodes],
                "tree_hashes": [crowd.tree.tree_hash(node).hex() for node in nodes],
            }
        )
    return vectors


def treekem(suite: CipherSuite, randomness: Randomness) -> list[Vector]:
    """Paths of every member of three trees."""
    crowds = [tree_of(suite, randomness, 2), tree_of(suite, randomness, 5), with_unmerged(suite, randomness)]
    return [_treekem_vector(crowd) for crowd in crowds]


def _treekem_vector(crowd: Crowd) -> Vector:
    paths = []
    for sender in crowd.privates:
        tree = crowd.tree.copy()
        own = create_path(tree, sender, crowd.identities[sender], crowd.group_id)
        paths.append(
            {
                "sender": sender,
                "update_path": own.encrypt(tree, crowd.context(tree)).encode().hex(),
                "path_secrets": [_seen_by(own, leaf, crowd) for leaf in range(crowd.tree.leaf_count)],
                "commit_secret": own.commit_secret.hex(),
                "tree_hash_after": tree.tree_hash().hex(),
            }
        )
    return {
        "cipher_suite": crowd.suite.number,
        "group_id": crowd.group_id.hex(),
        "epoch": EPOCH,
        "confirmed_transcript_hash": crowd.confirmed.hex(),
        "ratchet_tree": crowd.tree.encode().hex(),
        "leaves_private": [_leaf_private(crowd, leaf_index) for leaf_index in crowd.privates],
        "update_paths": paths,
    }


def _seen_by(own: OwnPath, leaf_index: int, crowd: Crowd) -> str | None:
    """The path secret that a member decrypts; None for the sender and for blank leaves."""
    if leaf_index == own.leaf_index or leaf_index not in crowd.privates:
        return None
    ancestor = common_ancestor(node_of(leaf_index), node_of(own.leaf_index))
    return next(step.path_secret.hex() for step in own.steps if step.node == ancestor)


def _leaf_private(crowd: Crowd, leaf_index: int) -> Vector:
    private = crowd.privates[leaf_index]
    leaf_key = private.key(node_of(leaf_index))
    assert leaf_key is not None
    return {
        "index": leaf_index,
        "encryption_priv": leaf_key.private_bytes.hex(),
        "signature_priv": crowd.identities[leaf_index].signature_key.private_bytes.hex(),
        "path_secrets": [
            {"node": node, "path_secret": crowd.path_secrets[node].hex()}
            for node in private.nodes()
            if node != node_of(leaf_index)
        ],
    }
