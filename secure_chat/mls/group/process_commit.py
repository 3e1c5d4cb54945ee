"""Processing a commit (RFC 9420 §12.4.2): every check, on copies of the state.

The checks come in two groups. What all members see alike comes first; a failure there is an MLSError, and everybody
skips the commit. What only this member can see (its path secret, its PSKs, the confirmation tag) follows; a failure
there is a PrivateFailure: the others may have moved on.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, replace

from secure_chat.mls.credential.policy import CredentialPolicy
from secure_chat.mls.crypto.secret import Secret
from secure_chat.mls.errors import CryptoError, MLSError, ValidationError
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
from secure_chat.mls.group.results import Member, StagedCommit, Update
from secure_chat.mls.group.state import EpochState, KeptProposal, member_of
from secure_chat.mls.group.transition import advance, provisional_context
from secure_chat.mls.messages.commit import Commit, ProposalRef
from secure_chat.mls.messages.content import AuthenticatedContent, SenderType
from secure_chat.mls.messages.proposals import ReInit
from secure_chat.mls.schedule.epoch import open_external_init
from secure_chat.mls.schedule.group_context import GroupContext
from secure_chat.mls.schedule.psk import ExternalPSK
from secure_chat.mls.schedule.transcript import confirmed_transcript_hash, interim_transcript_hash
from secure_chat.mls.tree.math import node_of
from secure_chat.mls.tree.ratchet_tree import RatchetTree
from secure_chat.mls.tree.treekem import MergedPath, apply_path, follow_path
from secure_chat.mls.tree.validation import check_members

__all__ = ["PrivateFailure", "StagedState", "stage_commit"]


class PrivateFailure(Exception):
    """This member alone cannot follow a commit; never leaves `mls.group`."""

    def __init__(self, author: Member, reason: MLSError) -> None:
        super().__init__(str(reason))
        self.author = author
        self.reason = reason


@dataclass(frozen=True, slots=True, repr=False)
class StagedState:
    """What merging a staged commit does; the token of a `StagedCommit`."""

    base: EpochState
    next: EpochState | None
    """None where the commit removes this member."""
    reinit: ReInit | None
    used_key: tuple[int, int] | None
    """Sender and generation of the handshake key that the commit was encrypted with."""


@dataclass(frozen=True, slots=True)
class _Checked:
    """A commit after all checks that every member makes alike."""

    commit: Commit
    proposals: ProposalList
    applied: Applied
    committer: int
    merged: MergedPath | None
    tree: RatchetTree
    provisional: GroupContext
    init_secret: Secret


def stage_commit(
    state: EpochState,
    kept: Mapping[bytes, KeptProposal],
    content: AuthenticatedContent,
    used_key: tuple[int, int] | None,
    policy: CredentialPolicy,
    psks: PSKStore,
    limits: Limits,
) -> StagedCommit:
    """Take a commit whose signature and membership tag have been verified through all other checks.

    Raises an MLSError for what all members find alike, PrivateFailure for what only this one does.
    """
    checked = _check(state, kept, content, policy, limits)
    author = member_of(checked.tree, checked.committer)
    next_state = None
    if state.own_index not in checked.proposals.removes:
        try:
            next_state = _follow(state, kept, content, checked, psks, limits)
        except MLSError as error:
            raise PrivateFailure(author, error) from None
    external = content.content.sender.sender_type is SenderType.new_member_commit
    updates = checked.applied.updates
    if checked.merged is not None and not external:
        updates += (Update(member_of(state.tree, checked.committer), author),)
    proposals = checked.proposals
    return StagedCommit(
        committer=author,
        external=external,
        epoch=checked.provisional.epoch,
        adds=checked.applied.adds,
        removes=checked.applied.removes,
        updates=updates,
        extensions=proposals.extensions,
        psk_ids=tuple(psk.psk.psk_id for psk in proposals.psks if isinstance(psk.psk, ExternalPSK)),
        reinit=proposals.reinit is not None,
        removes_self=next_state is None,
        has_path=checked.merged is not None,
        proposals=tuple(proposal for proposal, _ in proposals.proposals),
        authenticated_data=content.content.authenticated_data,
        context=next_state.context.encode() if next_state else _context_after(state, content, checked),
        token=StagedState(state, next_state, proposals.reinit, used_key),
    )


def _context_after(state: EpochState, content: AuthenticatedContent, checked: _Checked) -> bytes:
    confirmed = confirmed_transcript_hash(
        state.suite, state.interim_transcript_hash, content.wire_format, content.encoded, content.auth.signature
    )
    return replace(checked.provisional, confirmed_transcript_hash=confirmed).encode()


def _check(
    state: EpochState,
    kept: Mapping[bytes, KeptProposal],
    content: AuthenticatedContent,
    policy: CredentialPolicy,
    limits: Limits,
) -> _Checked:
    """All that does not depend on this member's private keys."""
    sender, commit = content.content.sender, content.content.content
    assert isinstance(commit, Commit)
    context = state.context
    external = sender.sender_type is SenderType.new_member_commit
    # The list first: it bounds the work that the single proposals make.
    proposals = check_list(resolve(commit.proposals, kept, sender), sender, limits)
    for item in commit.proposals:
        if not isinstance(item, ProposalRef):
            check_proposal(item, sender, context, state.tree, policy, limits)
    # §12.4, §12.4.3.2: the path is there where it must be.
    if commit.path is None and (external or proposals.path_required):
        raise ValidationError("a commit without the path that it needs (RFC 9420 §12.4)")

    tree = state.tree.copy()
    applied = apply_proposals(tree, proposals, limits)
    committer = tree.blank_leaf() if external else sender.index
    merged = None
    if commit.path is not None:
        leaf = commit.path.leaf_node
        # §12.4.2: a member's new leaf succeeds its old one, a rejoining client's the one that it removes (§12.2).
        replaced = applied.removes[0].leaf if external and applied.removes else state.tree.leaf(committer)
        if replaced is not None and (not external or applied.removes):
            check_successor(replaced, leaf, policy)
        else:
            policy.validate(leaf.credential, leaf.signature_key)
        new_leaves = [member.leaf_index for member in applied.adds]
        merged = apply_path(tree, committer, commit.path, context.group_id, new_leaves)
    if tree.members.total > limits.members:
        raise ValidationError(f"more than {limits.members} members")
    extensions = context.extensions if proposals.extensions is None else proposals.extensions
    # §12.2: every leaf of the resulting tree is valid (§7.3).
    check_members(tree, extensions)

    init_secret = state.secrets.init_secret
    if proposals.external_init is not None:
        kem_output = proposals.external_init.kem_output
        init_secret = open_external_init(state.suite, state.secrets.external_secret, kem_output)
    provisional = provisional_context(context, tree, extensions)
    return _Checked(commit, proposals, applied, committer, merged, tree, provisional, init_secret)


def _follow(
    state: EpochState,
    kept: Mapping[bytes, KeptProposal],
    content: AuthenticatedContent,
    checked: _Checked,
    psks: PSKStore,
    limits: Limits,
) -> EpochState:
    """This member's part: path secret, PSKs and confirmation tag."""
    tree = checked.tree
    if checked.committer == state.own_index:
        raise ValidationError("a commit from the own leaf that is not the pending one")
    private, signature_key = state.private.copy(), state.signature_key
    for item in checked.commit.proposals:
        own = kept[item.reference].own_update if isinstance(item, ProposalRef) else None
        if own is not None:
            private.set_key(node_of(state.own_index), own.encryption_key)
            signature_key = own.signature_key
    private.forget_outdated(tree)
    psk = psks.secret(state.suite, checked.proposals.psks)
    commit_secret = None
    if checked.merged is not None:
        commit_secret = follow_path(tree, private, checked.merged, checked.provisional.encode())
    transition = advance(
        tree,
        checked.provisional,
        state.interim_transcript_hash,
        content,
        checked.init_secret,
        commit_secret,
        psk,
    )
    # §12.4.2: the confirmation tag is that of the state reached here.
    tag = content.auth.confirmation_tag or b""
    if not hmac.compare_digest(tag, transition.confirmation_tag):
        raise CryptoError("the confirmation tag is not valid (RFC 9420 §12.4.2)")
    interim = interim_transcript_hash(state.suite, transition.context.confirmed_transcript_hash, tag)
    return EpochState.start(transition.context, tree, private, signature_key, transition.secrets, interim, tag, limits)
