"""New secrets for everybody below a path, and nobody else: RFC 9420 §7.4, §7.5 and §12.4.3.1.

A committer makes a path in two steps, since the ciphertexts depend on the tree hash that the path leads to::

    create_path → OwnPath, set in the tree → group context → OwnPath.encrypt → UpdatePath

A receiver likewise: `apply_path` checks and merges what everybody can see; `follow_path` then opens the one secret
meant for this member. A failure of the first is the committer's and alike for all; one of the second is private.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass

from secure_chat.mls.crypto.hpke import HPKECiphertext
from secure_chat.mls.crypto.labels import decrypt_with_label, derive_secret, sealer_with_label
from secure_chat.mls.crypto.secret import Secret
from secure_chat.mls.crypto.suite import CipherSuite, HPKEPrivateKey
from secure_chat.mls.errors import CryptoError, ValidationError
from secure_chat.mls.tree.leaf_node import LeafIdentity, LeafNode, LeafNodeSource
from secure_chat.mls.tree.math import NodeIndex, common_ancestor, node_of
from secure_chat.mls.tree.private import TreePrivate
from secure_chat.mls.tree.ratchet_tree import RatchetTree
from secure_chat.mls.tree.update_path import UpdatePath, UpdatePathNode

__all__ = ["MergedPath", "OwnPath", "apply_path", "create_path", "follow_path", "join_path"]

_LABEL = "UpdatePathNode"


@dataclass(frozen=True, slots=True)
class _Step:
    """A node of the filtered direct path, with its new secrets."""

    node: NodeIndex
    copath_child: NodeIndex
    path_secret: Secret
    key: HPKEPrivateKey


@dataclass(frozen=True, slots=True)
class OwnPath:
    """A path that this member has made and set in its tree, not yet encrypted to anybody."""

    leaf_index: int
    leaf_node: LeafNode
    leaf_key: HPKEPrivateKey
    commit_secret: Secret
    """What the path contributes to the key schedule (§8)."""
    steps: tuple[_Step, ...]

    def encrypt(self, tree: RatchetTree, group_context: bytes, new_leaves: Iterable[int] = ()) -> UpdatePath:
        """The path for everybody but `new_leaves`, which get its secrets in their Welcome (§7.5, §7.6).

        `group_context` is the encoded provisional GroupContext. Raises CryptoError if a member's key is unusable.
        """
        sealer = sealer_with_label(tree.suite, _LABEL, group_context)
        excluded = {node_of(leaf) for leaf in new_leaves}
        nodes = []
        for step in self.steps:
            ciphertexts: list[HPKECiphertext] = []
            for node in tree.resolution(step.copath_child):
                if node in excluded:
                    continue
                public_key = tree.encryption_key(node)
                assert public_key is not None
                ciphertexts.append(sealer.seal(public_key, step.path_secret))
            nodes.append(UpdatePathNode(step.key.public, tuple(ciphertexts)))
        return UpdatePath(self.leaf_node, tuple(nodes))

    def secret_for(self, leaf_index: int) -> Secret:
        """The path secret that a new member's Welcome carries: that of the lowest node above both (§12.4.3.1)."""
        ancestor = common_ancestor(node_of(leaf_index), node_of(self.leaf_index))
        return next(step.path_secret for step in self.steps if step.node == ancestor)

    def install(self, private: TreePrivate) -> None:
        """Hand the private keys to `private`, which then knows no other on this path."""
        private.set_key(node_of(self.leaf_index), self.leaf_key)
        for step in self.steps:
            private.set_key(step.node, step.key)


def create_path(tree: RatchetTree, leaf_index: int, identity: LeafIdentity, group_id: bytes) -> OwnPath:
    """Fresh keys for a leaf and its filtered direct path, set in `tree` with a newly signed leaf (§7.4, §7.5).

    `tree` already has the commit's proposals applied; the leaf may be blank, as in an external commit.
    """
    suite = tree.suite
    path = tree.filtered_direct_path(leaf_index)
    path_secret = Secret(os.urandom(suite.hash_length))
    steps = []
    for node, copath_child in path:
        steps.append(_Step(node, copath_child, path_secret, _node_key(suite, path_secret)))
        path_secret = derive_secret(suite, path_secret, "path")
    leaf_key = HPKEPrivateKey.generate(suite)
    above = tree.merge_path(leaf_index, path, [step.key.public for step in steps])
    leaf = identity.commit_leaf(leaf_key.public, above, group_id, leaf_index)
    tree.set_leaf(leaf_index, leaf)
    return OwnPath(leaf_index, leaf, leaf_key, path_secret, tuple(steps))


def _node_key(suite: CipherSuite, path_secret: Secret) -> HPKEPrivateKey:
    """The key pair of a node (§7.4)."""
    return HPKEPrivateKey.derive_key_pair(suite, derive_secret(suite, path_secret, "node"))


@dataclass(frozen=True, slots=True)
class MergedPath:
    """Somebody's path after it has been checked and set in the tree."""

    leaf_index: int
    update: UpdatePath
    path: tuple[tuple[NodeIndex, NodeIndex], ...]
    """The filtered direct path, each node with its child on the copath."""
    resolutions: tuple[tuple[NodeIndex, ...], ...]
    """Whom each node's ciphertexts are for, in their order."""


def apply_path(
    tree: RatchetTree, leaf_index: int, update: UpdatePath, group_id: bytes, new_leaves: Iterable[int] = ()
) -> MergedPath:
    """Check a received path and set it in `tree`, which has the commit's proposals applied (§7.5, §12.4.2).

    Raises ValidationError or CryptoError for what every member finds alike, and then leaves `tree` half-changed:
    pass a copy. Credentials are for the caller's policy; rules between members for `validation.check_members`.
    """
    suite = tree.suite
    # §12.4.2: the leaf is valid and comes from a commit.
    update.leaf_node.validate(suite, LeafNodeSource.commit, group_id, leaf_index)
    path = tree.filtered_direct_path(leaf_index)
    # §7.6: one entry for each node of the filtered direct path.
    if len(update.nodes) != len(path):
        raise ValidationError("the update path does not fit the filtered direct path (RFC 9420 §7.6)")
    excluded = {node_of(leaf) for leaf in new_leaves}
    resolutions = []
    for (_, copath_child), entry in zip(path, update.nodes, strict=True):
        resolution = tree.resolution(copath_child)
        if excluded:
            resolution = [node for node in resolution if node not in excluded]
        # §7.6: one ciphertext for each node of the resolution.
        if len(entry.encrypted_path_secret) != len(resolution):
            raise ValidationError("the update path has too few or too many ciphertexts (RFC 9420 §7.6)")
        resolutions.append(tuple(resolution))
    keys = [entry.encryption_key for entry in update.nodes]
    for key in (update.leaf_node.encryption_key, *keys):
        # §12.4.2: none of the keys stands in the tree, the committer's old one included.
        if tree.has_encryption_key(key):
            raise ValidationError("a key of the update path is already in the tree (RFC 9420 §12.4.2)")
    for key in keys:
        # §5.1.1: a public key is one of the suite's KEM.
        try:
            suite.kem.check_public_key(key)
        except CryptoError as error:
            raise ValidationError(f"encryption_key of the update path: {error} (RFC 9420 §5.1.1)") from None
    above = tree.merge_path(leaf_index, path, keys)
    # §7.5, §7.9.2: the signed leaf binds the whole path.
    if update.leaf_node.parent_hash != above:
        raise ValidationError("the committer's leaf does not have the path's parent hash (RFC 9420 §7.9.2)")
    tree.set_leaf(leaf_index, update.leaf_node)
    # §7.3, §12.4.3.1: nor do two of the path's own keys coincide.
    tree.check_unique_keys()
    return MergedPath(leaf_index, update, tuple(path), tuple(resolutions))


def follow_path(tree: RatchetTree, private: TreePrivate, merged: MergedPath, group_context: bytes) -> Secret:
    """Open this member's secret of a merged path, take the keys above, and return the commit secret (§7.5).

    `group_context` is the encoded provisional GroupContext. Raises CryptoError if the secret cannot be opened and
    ValidationError if it does not lead to the keys in the tree; `private` is unchanged then.
    """
    suite = tree.suite
    ancestor = common_ancestor(node_of(private.leaf_index), node_of(merged.leaf_index))
    at = next((i for i, (node, _) in enumerate(merged.path) if node == ancestor), None)
    if at is None:
        raise ValidationError("the update path does not reach this member (RFC 9420 §7.5)")
    place, key = _own_place(tree, private, merged.resolutions[at])
    ciphertext = merged.update.nodes[at].encrypted_path_secret[place]
    path_secret = decrypt_with_label(suite, key, _LABEL, group_context, ciphertext)
    return _take_keys(tree, private, path_secret, [node for node, _ in merged.path[at:]])


def _own_place(
    tree: RatchetTree, private: TreePrivate, resolution: tuple[NodeIndex, ...]
) -> tuple[int, HPKEPrivateKey]:
    """A node of a resolution whose private key this member has: its place, and the key."""
    for node in private.nodes():  # few, while a resolution can name every member
        key = private.key(node)
        if key is not None and key.public == tree.encryption_key(node) and node in resolution:
            return resolution.index(node), key
    raise CryptoError("no private key for this update path (RFC 9420 §7.5)")


def join_path(tree: RatchetTree, private: TreePrivate, signer: int, path_secret: Secret) -> None:
    """Take the keys above the lowest node that the Welcome's signer and this member share (§12.4.3.1).

    Raises ValidationError if the secret does not lead to the keys in the tree; `private` is unchanged then.
    """
    ancestor = common_ancestor(node_of(private.leaf_index), node_of(signer))
    path = [node for node, _ in tree.filtered_direct_path(signer)]
    if ancestor not in path:
        raise ValidationError("the path secret belongs to no node above this member (RFC 9420 §12.4.3.1)")
    _take_keys(tree, private, path_secret, path[path.index(ancestor) :])


def _take_keys(tree: RatchetTree, private: TreePrivate, path_secret: Secret, path: list[NodeIndex]) -> Secret:
    """Derive the keys of `path` upwards; the secret after the last."""
    suite = tree.suite
    found = []
    for node in path:
        key = _node_key(suite, path_secret)
        # §7.5, §12.4.3.1: the derived public key is the node's.
        if key.public != tree.encryption_key(node):
            raise ValidationError("a path secret does not lead to the key in the tree (RFC 9420 §7.5)")
        found.append((node, key))
        path_secret = derive_secret(suite, path_secret, "path")
    for node, key in found:
        private.set_key(node, key)
    return path_secret
