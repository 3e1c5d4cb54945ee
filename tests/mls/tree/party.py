"""Members that share a ratchet tree and nothing else: commits without messages, for tests of the tree alone."""

from collections.abc import Sequence
from dataclasses import dataclass

from secure_chat.mls.credential.credential import BasicCredential, Credential
from secure_chat.mls.credential.extensions import Capabilities, Lifetime
from secure_chat.mls.crypto.secret import Secret
from secure_chat.mls.crypto.suite import CipherSuite, HPKEPrivateKey, SignaturePrivateKey
from secure_chat.mls.errors import ValidationError
from secure_chat.mls.tree.leaf_node import LeafIdentity, LeafNode
from secure_chat.mls.tree.math import node_of
from secure_chat.mls.tree.private import TreePrivate
from secure_chat.mls.tree.ratchet_tree import RatchetTree
from secure_chat.mls.tree.treekem import apply_path, create_path, follow_path, join_path
from secure_chat.mls.tree.update_path import UpdatePath
from secure_chat.mls.tree.validation import validate_tree
from tests.mls.suites import FAST

GROUP = b"group"


class AnyIdentity:
    """A policy for tests of the tree: identities are not what they are about."""

    def validate(self, credential: Credential, signature_key: bytes) -> None:
        pass

    def validate_successor(self, old: Credential, new: Credential) -> None:
        pass

    def validate_external_sender(self, credential: Credential, signature_key: bytes) -> None:
        pass


class Nobody(AnyIdentity):
    """A policy that refuses everybody."""

    def validate(self, credential: Credential, signature_key: bytes) -> None:
        raise ValidationError("never heard of them")


@dataclass
class Person:
    """Somebody with the keys of a key package."""

    identity: LeafIdentity
    key: HPKEPrivateKey
    leaf: LeafNode


def person(name: str = "alice", suite: CipherSuite = FAST, capabilities: Capabilities | None = None) -> Person:
    identity = LeafIdentity(
        BasicCredential(name.encode()),
        SignaturePrivateKey.generate(suite),
        capabilities or Capabilities.of([suite.number]),
    )
    key = HPKEPrivateKey.generate(suite)
    return Person(identity, key, identity.key_package_leaf(key.public, Lifetime(0, 100)))


class Party:
    """All members of a group, each with its own private keys; one public tree, which they all agree on."""

    def __init__(self, size: int = 1, suite: CipherSuite = FAST) -> None:
        self.suite = suite
        self.tree = RatchetTree(suite)
        self.identities: dict[int, LeafIdentity] = {}
        self.privates: dict[int, TreePrivate] = {}
        self.count = 0
        self.add(size)

    def context(self, tree: RatchetTree) -> bytes:
        """What stands in for the provisional group context."""
        return b"context" + tree.tree_hash()

    def add(self, count: int = 1) -> list[int]:
        """New members without a path, as in a commit that only adds."""
        indices = []
        for _ in range(count):
            newcomer = person(f"member {self.count}", self.suite)
            self.count += 1
            index = self.tree.add(newcomer.leaf)
            self.identities[index] = newcomer.identity
            self.privates[index] = TreePrivate(index, newcomer.key)
            indices.append(index)
        return indices

    def update(self, index: int) -> None:
        """An Update proposal of this member's, applied."""
        key = HPKEPrivateKey.generate(self.suite)
        self.tree.update(index, self.identities[index].update_leaf(key.public, GROUP, index))
        self.privates[index].set_key(node_of(index), key)
        self.forget()

    def remove(self, index: int) -> None:
        self.tree.remove(index)
        del self.identities[index], self.privates[index]
        self.forget()

    def forget(self) -> None:
        for private in self.privates.values():
            private.forget_outdated(self.tree)

    def commit(self, committer: int, remove: Sequence[int] = (), add: int = 0) -> Secret:
        """A commit with a path; every member follows it. Returns the commit secret, on which all agree."""
        tree = self.tree.copy()
        for index in remove:
            tree.remove(index)
            del self.identities[index], self.privates[index]
        self.tree = tree.copy()
        new = self.add(add)
        tree = self.tree.copy()
        own = create_path(tree, committer, self.identities[committer], GROUP)
        update = UpdatePath.decode(own.encrypt(tree, self.context(tree), new).encode())
        received = self.tree.copy()
        merged = apply_path(received, committer, update, GROUP, new)
        assert received.tree_hash() == tree.tree_hash()
        for index, private in self.privates.items():
            if index == committer:
                own.install(private)
            elif index in new:
                join_path(received, private, committer, own.secret_for(index))
            else:
                secret = follow_path(received, private, merged, self.context(received))
                assert secret == own.commit_secret
        self.tree = received
        self.forget()
        return own.commit_secret

    def check(self) -> None:
        """The tree is sound, everybody's keys fit it, and what should be known is."""
        received = RatchetTree.decode(self.suite, self.tree.encode())
        assert received.tree_hash() == self.tree.tree_hash()
        validate_tree(received, GROUP, (), AnyIdentity())
        for index, private in self.privates.items():
            for node in private.nodes():
                key = private.key(node)
                assert key is not None
                assert key.public == self.tree.encryption_key(node)
            for node in self.tree.direct_path(index):
                parent = self.tree.node(node)
                if parent is not None and index not in getattr(parent, "unmerged_leaves", ()):
                    assert private.key(node) is not None
