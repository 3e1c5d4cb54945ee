"""Creating a commit and its Welcome (RFC 9420 §12.4.1, §12.4.3.1), on copies of the state."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from secure_chat.mls.credential.extensions import Extension, ExternalPub
from secure_chat.mls.credential.policy import CredentialPolicy
from secure_chat.mls.errors import ValidationError
from secure_chat.mls.group.limits import Limits
from secure_chat.mls.group.proposal_list import (
    Applied,
    ProposalList,
    apply_proposals,
    check_list,
    check_proposal,
    check_successor,
    resolve,
)
from secure_chat.mls.group.psks import PSKStore
from secure_chat.mls.group.results import Pending
from secure_chat.mls.group.state import EpochState, KeptProposal
from secure_chat.mls.group.transition import Transition, advance, provisional_context
from secure_chat.mls.messages.commit import Commit, ProposalRef
from secure_chat.mls.messages.content import AuthenticatedContent, FramedContent, Sender, SenderType
from secure_chat.mls.messages.envelope import MLSMessage
from secure_chat.mls.messages.proposals import Add, Proposal, ReInit
from secure_chat.mls.messages.public import PublicMessage
from secure_chat.mls.messages.welcome import (
    EncryptedGroupSecrets,
    GroupInfo,
    GroupSecrets,
    PathSecret,
    Welcome,
    group_secrets_sealer,
    seal_group_info,
)
from secure_chat.mls.registry import ExtensionType, WireFormat, grease_value
from secure_chat.mls.schedule.epoch import welcome_secret
from secure_chat.mls.schedule.psk import ResumptionPSKUsage
from secure_chat.mls.schedule.transcript import interim_transcript_hash
from secure_chat.mls.tree.leaf_node import LeafIdentity, LeafNodeSource
from secure_chat.mls.tree.treekem import OwnPath, create_path
from secure_chat.mls.tree.validation import check_members

__all__ = ["CommitOptions", "OwnCommit", "check_lifetime", "create_commit", "make_group_info"]


@dataclass(frozen=True, slots=True)
class CommitOptions:
    """How a commit is made."""

    identity: LeafIdentity | None = None
    """What the committer's new leaf says, where that changes."""
    force_path: bool = True
    group_info: bool = False
    public: bool = False
    ratchet_tree: bool = True
    """Whether the Welcome carries the tree; else newcomers need it from elsewhere (§12.4.3.3)."""
    now: int | None = None
    successor: ResumptionPSKUsage | None = None
    """Set while founding a successor group (§11.2, §11.3)."""
    authenticated_data: bytes = b""


@dataclass(frozen=True, slots=True, repr=False)
class OwnCommit:
    """A commit of this member's, with the state that it leads to."""

    pending: Pending
    state: EpochState
    reinit: ReInit | None


def create_commit(
    state: EpochState,
    kept: Mapping[bytes, KeptProposal],
    items: Sequence[Proposal | ProposalRef],
    policy: CredentialPolicy,
    psks: PSKStore,
    limits: Limits,
    options: CommitOptions,
) -> OwnCommit:
    """A commit covering `items`, by value or by reference; raises ValidationError if they are not a valid list.

    Of `state` only the own handshake ratchet moves, and only when nothing can fail any more.
    """
    suite, context = state.suite, state.context
    sender = Sender(SenderType.member, state.own_index)
    proposals = check_list(resolve(items, kept, sender), sender, limits)
    for item in items:
        if not isinstance(item, ProposalRef):
            check_proposal(item, sender, context, state.tree, policy, limits, options.successor)
    if options.now is not None:
        for add in proposals.adds:
            check_lifetime(add, options.now)

    tree = state.tree.copy()
    applied = apply_proposals(tree, proposals, limits)
    private, signature_key, own_path = state.private.copy(), state.signature_key, None
    if options.force_path or options.identity is not None or proposals.path_required:
        identity = options.identity or state.identity
        own_path = create_path(tree, state.own_index, identity, context.group_id)
        if options.identity is not None:
            own_path.leaf_node.validate(suite, LeafNodeSource.commit, context.group_id, state.own_index)
        check_successor(state.own_leaf, own_path.leaf_node, policy)
        own_path.install(private)
        signature_key = identity.signature_key
    private.forget_outdated(tree)
    extensions = context.extensions if proposals.extensions is None else proposals.extensions
    check_members(tree, extensions)

    provisional = provisional_context(context, tree, extensions)
    new_leaves = [member.leaf_index for member in applied.adds]
    path = own_path.encrypt(tree, provisional.encode(), new_leaves) if own_path else None
    psk = psks.secret(suite, proposals.psks)
    wire_format = WireFormat.mls_public_message if options.public else WireFormat.mls_private_message
    framed = FramedContent(
        context.group_id, context.epoch, sender, options.authenticated_data, Commit(tuple(items), path)
    )
    signed = AuthenticatedContent.sign(wire_format, framed, state.channel.context, state.signature_key)
    commit_secret = own_path.commit_secret if own_path else None
    transition = advance(
        tree,
        provisional,
        state.interim_transcript_hash,
        signed,
        state.secrets.init_secret,
        commit_secret,
        psk,
    )
    next_state = EpochState.start(
        transition.context,
        tree,
        private,
        signature_key,
        transition.secrets,
        interim_transcript_hash(suite, transition.context.confirmed_transcript_hash, transition.confirmation_tag),
        transition.confirmation_tag,
        limits,
    )
    welcome = None
    if applied.adds:
        welcome = _welcome(next_state, transition, proposals, applied, own_path, options.ratchet_tree)
    group_info = None
    if options.group_info:
        group_info = MLSMessage.of(make_group_info(next_state, external=True)).encode()
    commit = _protect(state, signed.with_confirmation_tag(transition.confirmation_tag), options.public)
    return OwnCommit(Pending(commit, welcome, group_info, next_state.epoch), next_state, proposals.reinit)


def make_group_info(state: EpochState, *, external: bool, ratchet_tree: bool = True) -> GroupInfo:
    """§12.4.3: the epoch's GroupInfo, signed by this member; `external` adds the key for external commits."""
    extensions = []
    if ratchet_tree:
        extensions.append(Extension(ExtensionType.ratchet_tree, state.tree.encode()))
    if external:
        extensions.append(ExternalPub(state.secrets.external_key(state.suite).public).extension())
    # §13.5: an unknown extension, so that readers stay used to ignoring them.
    extensions.append(Extension(grease_value(os.urandom(1)[0]), b""))
    return GroupInfo.sign(
        state.context, tuple(extensions), state.confirmation_tag, state.own_index, state.signature_key
    )


def check_lifetime(add: Add, now: int) -> None:
    """§7.3: whoever adds a client makes sure that its leaf is valid now; `now` in POSIX seconds."""
    lifetime = add.key_package.leaf_node.lifetime
    if lifetime is None or not lifetime.not_before <= now <= lifetime.not_after:
        raise ValidationError("a key package outside its lifetime (RFC 9420 §7.3)")


def _protect(state: EpochState, commit: AuthenticatedContent, public: bool) -> bytes:
    if not public:
        return state.channel.protect(commit)
    message = PublicMessage.protect(state.suite, commit, state.secrets.membership_key, state.channel.context)
    return MLSMessage.of(message).encode()


def _welcome(
    state: EpochState,
    transition: Transition,
    proposals: ProposalList,
    applied: Applied,
    own_path: OwnPath | None,
    ratchet_tree: bool,
) -> bytes:
    """§12.4.3.1: one Welcome for everybody that the commit adds."""
    suite = state.suite
    group_info = make_group_info(state, external=False, ratchet_tree=ratchet_tree)
    sealed_info = seal_group_info(suite, welcome_secret(suite, transition.member), group_info)
    sealer = group_secrets_sealer(suite, sealed_info)
    entries = []
    for add, member in zip(proposals.adds, applied.adds, strict=True):
        path_secret = PathSecret(own_path.secret_for(member.leaf_index)) if own_path else None
        secrets = GroupSecrets(transition.joiner, path_secret, proposals.psks).encode()
        package = add.key_package
        sealed = sealer.seal(package.init_key, secrets)
        entries.append(EncryptedGroupSecrets(package.reference(suite), sealed))
    return MLSMessage.of(Welcome(suite.number, tuple(entries), sealed_info)).encode()
