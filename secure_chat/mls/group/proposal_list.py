"""Which lists of proposals a commit may cover, and what they do (RFC 9420 §12.1 to §12.3)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from secure_chat.mls.credential.credential import check_certificate_key
from secure_chat.mls.credential.extensions import (
    Extension,
    check_extension_list,
    external_senders_of,
    required_capabilities_of,
)
from secure_chat.mls.credential.policy import CredentialPolicy
from secure_chat.mls.errors import ValidationError
from secure_chat.mls.group.limits import Limits
from secure_chat.mls.group.results import Member
from secure_chat.mls.group.results import Update as LeafUpdate
from secure_chat.mls.group.state import KeptProposal, member_of
from secure_chat.mls.messages.commit import ProposalRef
from secure_chat.mls.messages.content import Sender, SenderType
from secure_chat.mls.messages.proposals import (
    Add,
    ExternalInit,
    GroupContextExtensions,
    PreSharedKey,
    Proposal,
    ReInit,
    Remove,
    Update,
    proposal_type,
)
from secure_chat.mls.registry import ProposalType
from secure_chat.mls.schedule.group_context import GroupContext
from secure_chat.mls.schedule.psk import PreSharedKeyID, ResumptionPSK, ResumptionPSKUsage
from secure_chat.mls.tree.leaf_node import LeafNode, LeafNodeSource
from secure_chat.mls.tree.ratchet_tree import RatchetTree
from secure_chat.mls.tree.validation import check_members

__all__ = [
    "Applied",
    "ProposalList",
    "apply_proposals",
    "check_extensions",
    "check_list",
    "check_proposal",
    "check_sender",
    "check_successor",
    "check_total_lifetime",
    "resolve",
    "select_valid",
]

_EXTERNAL_TYPES = frozenset(
    {
        ProposalType.add,
        ProposalType.remove,
        ProposalType.psk,
        ProposalType.reinit,
        ProposalType.group_context_extensions,
    }
)
"""§12.1.8: what an external sender may propose."""
_WITHOUT_PATH = frozenset({ProposalType.add, ProposalType.psk, ProposalType.reinit})
"""§12.4: what can be committed without a path."""


@dataclass(frozen=True, slots=True)
class ProposalList:
    """A commit's proposals in its order, with their senders and sorted by kind; §12.2 holds for the list."""

    proposals: tuple[tuple[Proposal, Sender], ...]
    adds: tuple[Add, ...]
    updates: tuple[tuple[int, LeafNode], ...]
    removes: tuple[int, ...]
    psks: tuple[PreSharedKeyID, ...]
    extensions: tuple[Extension, ...] | None
    reinit: ReInit | None
    external_init: ExternalInit | None

    @property
    def path_required(self) -> bool:
        """§12.4: an empty list, or one with a proposal that needs fresh secrets."""
        return not self.proposals or any(proposal_type(proposal) not in _WITHOUT_PATH for proposal, _ in self.proposals)


def resolve(
    items: Sequence[Proposal | ProposalRef], kept: Mapping[bytes, KeptProposal], committer: Sender
) -> list[tuple[Proposal, Sender]]:
    """Each of a commit's proposals with its sender; ValidationError for a reference to nothing we have."""
    resolved: list[tuple[Proposal, Sender]] = []
    for item in items:
        if not isinstance(item, ProposalRef):
            resolved.append((item, committer))
            continue
        # §12.4.3.2: an external joiner cannot know the group's proposals.
        if committer.sender_type is not SenderType.member:
            raise ValidationError("an external commit refers to a proposal (RFC 9420 §12.4.3.2)")
        found = kept.get(item.reference)
        if found is None:
            raise ValidationError("the commit refers to a proposal that is not known (RFC 9420 §12.4)")
        resolved.append((found.proposal, found.sender))
    return resolved


def check_proposal(
    proposal: Proposal,
    sender: Sender,
    context: GroupContext,
    tree: RatchetTree,
    policy: CredentialPolicy,
    limits: Limits,
    successor: ResumptionPSKUsage | None = None,
) -> None:
    """The rules of §12.1 for one proposal, as far as they don't depend on others; ValidationError or CryptoError.

    `successor` is the usage of resumption PSK that founding a successor group demands (§11.2, §11.3).
    """
    suite = tree.suite
    if isinstance(proposal, Add):
        # §12.1.1: the key package is valid.
        proposal.key_package.validate(suite)
        leaf = proposal.key_package.leaf_node
        check_total_lifetime(leaf, limits)
        policy.validate(leaf.credential, leaf.signature_key)
    elif isinstance(proposal, Update):
        # §12.1.2: from a member, for its own leaf.
        old = tree.leaf(sender.index) if sender.sender_type is SenderType.member else None
        if old is None:
            raise ValidationError("an Update from outside the group (RFC 9420 §12.1.2)")
        proposal.leaf_node.validate(suite, LeafNodeSource.update, context.group_id, sender.index)
        check_successor(old, proposal.leaf_node, policy)
    elif isinstance(proposal, Remove):
        # §12.1.3: of a member.
        if tree.leaf(proposal.removed) is None:
            raise ValidationError("a Remove for a blank leaf (RFC 9420 §12.1.3)")
    elif isinstance(proposal, PreSharedKey):
        _check_psk(proposal.psk, suite.hash_length, successor)
    elif isinstance(proposal, ReInit):
        # §12.1.5: no step back.
        if proposal.version < context.version:
            raise ValidationError("a ReInit to an older version (RFC 9420 §12.1.5)")
        check_extension_list(proposal.extensions)
    elif isinstance(proposal, GroupContextExtensions):
        check_extensions(proposal.extensions, policy)
    elif sender.sender_type is not SenderType.new_member_commit:
        # §12.1.6: only in an external commit.
        raise ValidationError("an ExternalInit outside an external commit (RFC 9420 §12.1.6)")


def check_total_lifetime(leaf: LeafNode, limits: Limits) -> None:
    """§7.2: no key package's leaf lives longer than the application allows."""
    lifetime = leaf.lifetime
    if lifetime is None or limits.leaf_lifetime is None:
        return
    if lifetime.not_after - lifetime.not_before > limits.leaf_lifetime:
        raise ValidationError(f"a leaf with a lifetime of more than {limits.leaf_lifetime} seconds (RFC 9420 §7.2)")


def check_sender(proposal: Proposal, sender: Sender) -> None:
    """§6.1, §12.1.8: which senders may propose what."""
    kind = proposal_type(proposal)
    if sender.sender_type is SenderType.external and kind not in _EXTERNAL_TYPES:
        raise ValidationError(f"an external sender must not propose {kind.name} (RFC 9420 §12.1.8)")
    if sender.sender_type is SenderType.new_member_proposal and kind is not ProposalType.add:
        raise ValidationError("a new member can only propose to be added (RFC 9420 §6.1)")


def check_extensions(extensions: tuple[Extension, ...], policy: CredentialPolicy) -> None:
    """What can be said of GroupContext extensions without looking at the members."""
    # §13.4: no type twice.
    check_extension_list(extensions)
    # §11.1, §12.1.8.1: well-formed.
    required_capabilities_of(extensions)
    for external in external_senders_of(extensions):
        # §5.3: a certificate is for the key that its sender signs with.
        check_certificate_key(external.credential, external.signature_key)
        # §5.3.1: the application knows these senders.
        policy.validate_external_sender(external.credential, external.signature_key)


def check_successor(old: LeafNode, new: LeafNode, policy: CredentialPolicy) -> None:
    """§7.3, §5.3.1: what may replace a member's leaf."""
    # §7.3: with a fresh encryption key.
    if new.encryption_key == old.encryption_key:
        raise ValidationError("the new leaf has the old encryption key (RFC 9420 §7.3)")
    if new.credential != old.credential or new.signature_key != old.signature_key:
        policy.validate(new.credential, new.signature_key)
        policy.validate_successor(old.credential, new.credential)


def _check_psk(psk: PreSharedKeyID, nonce_length: int, successor: ResumptionPSKUsage | None) -> None:
    # §12.1.4: a full nonce, and usages reinit and branch only for founding such a group.
    if len(psk.psk_nonce) != nonce_length:
        raise ValidationError("a psk_nonce of a wrong length (RFC 9420 §12.1.4)")
    if (
        isinstance(psk.psk, ResumptionPSK)
        and psk.psk.usage is not ResumptionPSKUsage.application
        and psk.psk.usage is not successor
    ):
        raise ValidationError(f"a resumption PSK for {psk.psk.usage.name} is not allowed here (RFC 9420 §12.1.4)")


def check_list(proposals: Sequence[tuple[Proposal, Sender]], committer: Sender, limits: Limits) -> ProposalList:
    """The rules of §12.2 between the proposals of one commit; ValidationError if one is broken."""
    adds = tuple(proposal for proposal, _ in proposals if isinstance(proposal, Add))
    updates = tuple((sender.index, item.leaf_node) for item, sender in proposals if isinstance(item, Update))
    removes = tuple(proposal.removed for proposal, _ in proposals if isinstance(proposal, Remove))
    psks = tuple(proposal.psk for proposal, _ in proposals if isinstance(proposal, PreSharedKey))
    reinits = [proposal for proposal, _ in proposals if isinstance(proposal, ReInit)]
    inits = [proposal for proposal, _ in proposals if isinstance(proposal, ExternalInit)]
    contexts = [proposal for proposal, _ in proposals if isinstance(proposal, GroupContextExtensions)]
    if committer.sender_type is SenderType.member:
        # §12.2: neither one's own Update nor one's own removal.
        if any(leaf_index == committer.index for leaf_index, _ in updates):
            raise ValidationError("the commit covers an Update of the committer (RFC 9420 §12.2)")
        if committer.index in removes:
            raise ValidationError("the commit removes the committer (RFC 9420 §12.2)")
        # §12.2: one change at most to each leaf.
        changed = [leaf_index for leaf_index, _ in updates] + list(removes)
        if len(set(changed)) != len(changed):
            raise ValidationError("two Updates or Removes for one leaf (RFC 9420 §12.2)")
        if len(contexts) > 1:
            raise ValidationError("two GroupContextExtensions proposals (RFC 9420 §12.2)")
        if reinits and len(proposals) > 1:
            raise ValidationError("a ReInit together with other proposals (RFC 9420 §12.2)")
        if inits:
            raise ValidationError("an ExternalInit in a regular commit (RFC 9420 §12.1.6, §12.2)")
    else:
        # §12.2: one ExternalInit, at most one Remove, PSKs, nothing else.
        if len(inits) != 1:
            raise ValidationError("an external commit without exactly one ExternalInit (RFC 9420 §12.2)")
        if len(removes) > 1:
            raise ValidationError("an external commit with two Removes (RFC 9420 §12.2)")
        if len(proposals) != 1 + len(removes) + len(psks):
            raise ValidationError("a proposal that an external commit must not cover (RFC 9420 §12.2)")
    if len(set(psks)) != len(psks):
        raise ValidationError("one PSK twice (RFC 9420 §12.2)")
    if len(psks) > limits.psks:
        raise ValidationError(f"more than {limits.psks} PSKs in one commit")
    if len(adds) > limits.members:
        raise ValidationError(f"more than {limits.members} members")
    return ProposalList(
        tuple(proposals),
        adds,
        updates,
        removes,
        psks,
        contexts[0].extensions if contexts else None,
        reinits[0] if reinits else None,
        inits[0] if inits else None,
    )


@dataclass(frozen=True, slots=True)
class Applied:
    """What applying a list (§12.3) did to the tree."""

    adds: tuple[Member, ...]
    removes: tuple[Member, ...]
    updates: tuple[LeafUpdate, ...]


def apply_proposals(tree: RatchetTree, proposals: ProposalList, limits: Limits) -> Applied:
    """§12.3: change `tree`, a copy of the group's, in the order the RFC demands.

    The rules between members (§7.3) are checked by the caller, once the commit's path is in the tree too.
    """
    updates = []
    for leaf_index, leaf in proposals.updates:
        updates.append(LeafUpdate(member_of(tree, leaf_index), Member(leaf_index, leaf)))
        tree.update(leaf_index, leaf)
    removes = [member_of(tree, leaf_index) for leaf_index in proposals.removes]
    for leaf_index in proposals.removes:
        tree.remove(leaf_index)
    adds = []
    for add in proposals.adds:
        leaf = add.key_package.leaf_node
        adds.append(Member(tree.add(leaf), leaf))
    if tree.members.total > limits.members:
        raise ValidationError(f"more than {limits.members} members")
    return Applied(tuple(adds), tuple(removes), tuple(updates))


def select_valid(
    kept: Iterable[KeptProposal],
    by_value: Sequence[Proposal],
    committer: Sender,
    context: GroupContext,
    tree: RatchetTree,
    limits: Limits,
) -> list[KeptProposal]:
    """The kept proposals that can be committed together with `by_value`, chosen as §12.2 recommends.

    Removes win over Updates, the latest Update over earlier ones, earlier proposals over later ones that don't go
    with them, and everything over a ReInit. What the committer must not commit (its own Update or removal) is left
    for others.
    """
    removes: list[KeptProposal] = []
    updates: dict[int, KeptProposal] = {}
    others: list[KeptProposal] = []
    reinits: list[KeptProposal] = []
    for item in kept:
        if isinstance(item.proposal, Remove):
            removes.append(item)
        elif isinstance(item.proposal, Update):
            updates[item.sender.index] = item
        else:
            (reinits if isinstance(item.proposal, ReInit) else others).append(item)
    candidates = [*removes, *updates.values(), *others, *reinits]
    if not candidates:
        return []
    values = [(proposal, committer) for proposal in by_value]

    def fit(chosen: Sequence[KeptProposal]) -> bool:
        try:
            listed = [*((item.proposal, item.sender) for item in chosen), *values]
            proposals = check_list(listed, committer, limits)
            changed = tree.copy()
            apply_proposals(changed, proposals, limits)
            check_members(changed, context.extensions if proposals.extensions is None else proposals.extensions)
        except ValidationError:
            return False
        return True

    if fit(candidates):
        return candidates
    chosen: list[KeptProposal] = []
    for item in candidates:
        if fit([*chosen, item]):
            chosen.append(item)
    return chosen
