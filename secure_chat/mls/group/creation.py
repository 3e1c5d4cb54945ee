"""A new group: one member, epoch 0 (RFC 9420 §11)."""

from secure_chat.mls.credential.extensions import Extension, Lifetime
from secure_chat.mls.credential.policy import CredentialPolicy
from secure_chat.mls.crypto.suite import CipherSuite, HPKEPrivateKey
from secure_chat.mls.group.limits import Limits
from secure_chat.mls.group.proposal_list import check_extensions
from secure_chat.mls.group.state import EpochState, random_secret
from secure_chat.mls.registry import ProtocolVersion
from secure_chat.mls.schedule.epoch import EpochSecrets
from secure_chat.mls.schedule.group_context import GroupContext
from secure_chat.mls.schedule.transcript import interim_transcript_hash
from secure_chat.mls.tree.leaf_node import LeafIdentity, LeafNodeSource
from secure_chat.mls.tree.private import TreePrivate
from secure_chat.mls.tree.ratchet_tree import RatchetTree
from secure_chat.mls.tree.validation import check_members

__all__ = ["first_epoch"]


def first_epoch(
    suite: CipherSuite,
    group_id: bytes,
    identity: LeafIdentity,
    lifetime: Lifetime,
    policy: CredentialPolicy,
    extensions: tuple[Extension, ...],
    limits: Limits,
) -> EpochState:
    """The creator's state; ValidationError if its own leaf or the extensions break a rule."""
    leaf_key = HPKEPrivateKey.generate(suite)
    leaf = identity.key_package_leaf(leaf_key.public, lifetime)
    leaf.validate(suite, LeafNodeSource.key_package, group_id, 0)
    policy.validate(leaf.credential, leaf.signature_key)
    check_extensions(extensions, policy)
    tree = RatchetTree(suite)
    tree.add(leaf)
    check_members(tree, extensions)
    context = GroupContext(ProtocolVersion.mls10, suite.number, group_id, 0, tree.tree_hash(), b"", extensions)
    secrets = EpochSecrets.of_epoch_secret(suite, random_secret(suite))
    tag = secrets.confirmation_tag(suite, b"")
    interim = interim_transcript_hash(suite, b"", tag)
    private = TreePrivate(0, leaf_key)
    return EpochState.start(context, tree, private, identity.signature_key, secrets, interim, tag, limits)
