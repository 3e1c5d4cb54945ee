"""Entering a group: by Welcome, or by an external commit of one's own (RFC 9420 §12.4.3)."""

import hmac
from collections.abc import Collection
from dataclasses import dataclass

from secure_chat.mls.credential.extensions import ExternalPub, check_extension_list, find_extension
from secure_chat.mls.credential.policy import CredentialPolicy
from secure_chat.mls.crypto.secret import Secret
from secure_chat.mls.crypto.suite import CipherSuite, suite_of
from secure_chat.mls.errors import CryptoError, DecodeError, UsageError, ValidationError
from secure_chat.mls.group.create_commit import make_group_info
from secure_chat.mls.group.limits import Limits
from secure_chat.mls.group.proposal_list import (
    apply_proposals,
    check_extensions,
    check_list,
    check_proposal,
    check_successor,
    check_total_lifetime,
)
from secure_chat.mls.group.psks import PSKStore
from secure_chat.mls.group.results import Pending
from secure_chat.mls.group.state import EpochState
from secure_chat.mls.group.transition import advance, provisional_context
from secure_chat.mls.messages.commit import Commit
from secure_chat.mls.messages.content import AuthenticatedContent, FramedContent, Sender, SenderType
from secure_chat.mls.messages.envelope import MLSMessage
from secure_chat.mls.messages.key_package import KeyPackageBundle
from secure_chat.mls.messages.proposals import ExternalInit, Proposal, Remove
from secure_chat.mls.messages.public import PublicMessage
from secure_chat.mls.messages.welcome import GroupInfo, Welcome, open_group_info, open_group_secrets
from secure_chat.mls.registry import ExtensionType, WireFormat
from secure_chat.mls.schedule.epoch import EpochSecrets, member_secret, seal_external_init, welcome_secret
from secure_chat.mls.schedule.psk import PreSharedKeyID, ResumptionPSK, ResumptionPSKUsage
from secure_chat.mls.schedule.transcript import interim_transcript_hash
from secure_chat.mls.tree.leaf_node import LeafIdentity, LeafNodeSource
from secure_chat.mls.tree.private import TreePrivate
from secure_chat.mls.tree.ratchet_tree import RatchetTree
from secure_chat.mls.tree.treekem import create_path, join_path
from secure_chat.mls.tree.validation import check_members, validate_tree

__all__ = ["ExternalJoin", "WelcomeJoin", "join_external", "join_welcome", "read_group_info", "read_welcome"]


@dataclass(frozen=True, slots=True, repr=False)
class WelcomeJoin:
    """A group as its Welcome describes it, verified."""

    state: EpochState
    psk_ids: tuple[PreSharedKeyID, ...]
    signer: int
    """The leaf whose member signed the GroupInfo."""

    @property
    def successor_of(self) -> ResumptionPSK | None:
        """The resumption PSK of the group that this one succeeds (§11.2, §11.3), if it does."""
        return _successor_psk(self.psk_ids)


def read_welcome(message: bytes, limits: Limits) -> Welcome:
    """The Welcome in an MLSMessage; DecodeError for anything else."""
    body = _body(message, limits)
    if not isinstance(body, Welcome):
        raise DecodeError("not a Welcome")
    return body


def read_group_info(message: bytes, limits: Limits) -> GroupInfo:
    """The GroupInfo in an MLSMessage; DecodeError for anything else."""
    body = _body(message, limits)
    if not isinstance(body, GroupInfo):
        raise DecodeError("not a GroupInfo")
    return body


def _body(message: bytes, limits: Limits) -> object:
    if len(message) > limits.message_bytes:
        raise DecodeError(f"a message of more than {limits.message_bytes} bytes")
    return MLSMessage.decode(message).body


def join_welcome(
    welcome: Welcome,
    bundle: KeyPackageBundle,
    identity: LeafIdentity,
    policy: CredentialPolicy,
    psks: PSKStore,
    ratchet_tree: bytes | None,
    known_groups: Collection[bytes],
    limits: Limits,
) -> WelcomeJoin:
    """§12.4.3.1, step by step; raises an MLSError if anything about the Welcome or its group is wrong."""
    package = bundle.key_package
    suite = suite_of(package.cipher_suite)
    if identity.signature_key.public != package.leaf_node.signature_key:
        raise UsageError("the identity's signature key is not the key package's")
    # An entry for this key package, in its cipher suite.
    if welcome.cipher_suite != package.cipher_suite:
        raise ValidationError("the Welcome is for another cipher suite (RFC 9420 §12.4.3.1)")
    entry = welcome.secrets_for([bundle.reference])
    secrets = open_group_secrets(suite, bundle.init_key, welcome.encrypted_group_info, entry.encrypted_group_secrets)
    _check_psk_ids(secrets.psks, suite, limits)
    member = member_secret(suite, secrets.joiner_secret, psks.secret(suite, secrets.psks))
    info = open_group_info(suite, welcome_secret(suite, member), welcome.encrypted_group_info)
    context = info.group_context
    if context.cipher_suite != package.cipher_suite:
        raise ValidationError("the GroupInfo is for another cipher suite (RFC 9420 §12.4.3.1)")
    tree = _verified_tree(info, suite, policy, ratchet_tree, known_groups, limits)
    # A leaf identical to the key package's.
    own_index = tree.index_of(package.leaf_node)
    if own_index is None:
        raise ValidationError("the tree does not contain this key package's leaf (RFC 9420 §12.4.3.1)")
    private = TreePrivate(own_index, bundle.encryption_key)
    if secrets.path_secret is not None:
        join_path(tree, private, info.signer, Secret(secrets.path_secret.path_secret))
    epoch = EpochSecrets.of_member_secret(suite, member, context.encode())
    # The confirmation tag is that of this state.
    tag = epoch.confirmation_tag(suite, context.confirmed_transcript_hash)
    if not hmac.compare_digest(tag, info.confirmation_tag):
        raise CryptoError("the GroupInfo's confirmation tag is not valid (RFC 9420 §12.4.3.1)")
    interim = interim_transcript_hash(suite, context.confirmed_transcript_hash, tag)
    state = EpochState.start(context, tree, private, identity.signature_key, epoch, interim, tag, limits)
    if _successor_psk(secrets.psks) is not None and context.epoch != 1:
        raise ValidationError("a successor group's Welcome must be for epoch 1 (RFC 9420 §12.4.3.1)")
    return WelcomeJoin(state, secrets.psks, info.signer)


def _check_psk_ids(psk_ids: tuple[PreSharedKeyID, ...], suite: CipherSuite, limits: Limits) -> None:
    if len(psk_ids) > limits.psks:
        raise ValidationError(f"more than {limits.psks} PSKs in one Welcome")
    for psk_id in psk_ids:
        # §8.4: a full nonce.
        if len(psk_id.psk_nonce) != suite.hash_length:
            raise ValidationError("a psk_nonce of a wrong length (RFC 9420 §8.4)")
    # §12.4.3.1: a PSK of usage reinit or branch is the only such.
    if sum(_founds_successor(psk_id) for psk_id in psk_ids) > 1:
        raise ValidationError("two PSKs for founding a successor group (RFC 9420 §12.4.3.1)")


def _founds_successor(psk_id: PreSharedKeyID) -> bool:
    psk = psk_id.psk
    return isinstance(psk, ResumptionPSK) and psk.usage is not ResumptionPSKUsage.application


def _successor_psk(psk_ids: tuple[PreSharedKeyID, ...]) -> ResumptionPSK | None:
    for psk_id in psk_ids:
        if isinstance(psk_id.psk, ResumptionPSK) and _founds_successor(psk_id):
            return psk_id.psk
    return None


def _verified_tree(
    info: GroupInfo,
    suite: CipherSuite,
    policy: CredentialPolicy,
    ratchet_tree: bytes | None,
    known_groups: Collection[bytes],
    limits: Limits,
) -> RatchetTree:
    """The group's tree, from the GroupInfo or from elsewhere, with all that §12.4.3.1 has a joiner verify."""
    context = info.group_context
    if ratchet_tree is None:
        ratchet_tree = find_extension(info.extensions, ExtensionType.ratchet_tree)
    if ratchet_tree is None:
        raise ValidationError("the ratchet tree is neither in the GroupInfo nor given (RFC 9420 §12.4.3.3)")
    # The group is not one of ours already.
    if context.group_id in known_groups:
        raise ValidationError("already a member of a group with this id (RFC 9420 §12.4.3)")
    tree = RatchetTree.decode(suite, ratchet_tree, limits.members)
    if tree.members.total > limits.members:
        raise ValidationError(f"more than {limits.members} members")
    # The signature, by the member it names.
    signer = tree.leaf(info.signer)
    if signer is None:
        raise ValidationError("the GroupInfo's signer is a blank leaf (RFC 9420 §12.4.3.1)")
    info.verify_signature(suite, signer.signature_key)
    # §13.4: no extension type twice.
    check_extensions(context.extensions, policy)
    check_extension_list(info.extensions)
    # The tree that the context commits to, valid node by node.
    if not hmac.compare_digest(tree.tree_hash(), context.tree_hash):
        raise ValidationError("the ratchet tree does not have the group's tree hash (RFC 9420 §12.4.3.1)")
    validate_tree(tree, context.group_id, context.extensions, policy)
    for _, leaf in tree.leaves():
        check_total_lifetime(leaf, limits)
    return tree


@dataclass(frozen=True, slots=True, repr=False)
class ExternalJoin:
    """An external commit of one's own, and the state it leads to once the group has accepted it."""

    pending: Pending
    state: EpochState


def join_external(
    info: GroupInfo,
    identity: LeafIdentity,
    policy: CredentialPolicy,
    psks: PSKStore,
    psk_proposals: tuple[Proposal, ...],
    ratchet_tree: bytes | None,
    remove: int | None,
    known_groups: Collection[bytes],
    authenticated_data: bytes,
    limits: Limits,
) -> ExternalJoin:
    """§12.4.3.2: add oneself to the group that `info` describes; `remove` is the leaf of an old self, if any."""
    context = info.group_context
    suite = suite_of(context.cipher_suite)
    tree = _verified_tree(info, suite, policy, ratchet_tree, known_groups, limits)
    external_pub = find_extension(info.extensions, ExtensionType.external_pub)
    if external_pub is None:
        raise ValidationError("the GroupInfo has no external_pub (RFC 9420 §12.4.3.2)")
    kem_output, init_secret = seal_external_init(suite, ExternalPub.decode(external_pub).external_pub)

    sender = Sender(SenderType.new_member_commit)
    items: list[Proposal] = [ExternalInit(kem_output), *psk_proposals]
    if remove is not None:
        items.append(Remove(remove))
    proposals = check_list([(item, sender) for item in items], sender, limits)
    for item in items:
        check_proposal(item, sender, context, tree, policy, limits)
    applied = apply_proposals(tree, proposals, limits)
    own_index = tree.blank_leaf()
    own_path = create_path(tree, own_index, identity, context.group_id)
    own_path.leaf_node.validate(suite, LeafNodeSource.commit, context.group_id, own_index)
    for old in applied.removes:
        check_successor(old.leaf, own_path.leaf_node, policy)
    check_members(tree, context.extensions)

    private = TreePrivate(own_index, own_path.leaf_key)
    own_path.install(private)
    provisional = provisional_context(context, tree, context.extensions)
    commit = Commit(tuple(items), own_path.encrypt(tree, provisional.encode()))
    framed = FramedContent(context.group_id, context.epoch, sender, authenticated_data, commit)
    signed = AuthenticatedContent.sign(WireFormat.mls_public_message, framed, context.encode(), identity.signature_key)
    interim = interim_transcript_hash(suite, context.confirmed_transcript_hash, info.confirmation_tag)
    transition = advance(
        tree, provisional, interim, signed, init_secret, own_path.commit_secret, psks.secret(suite, proposals.psks)
    )
    tag = transition.confirmation_tag
    state = EpochState.start(
        transition.context,
        tree,
        private,
        identity.signature_key,
        transition.secrets,
        interim_transcript_hash(suite, transition.context.confirmed_transcript_hash, tag),
        tag,
        limits,
    )
    message = PublicMessage(signed.with_confirmation_tag(tag), None)
    group_info = MLSMessage.of(make_group_info(state, external=True)).encode()
    return ExternalJoin(Pending(MLSMessage.of(message).encode(), None, group_info, state.epoch), state)
