"""Proposals kept until a commit covers them or the epoch ends (RFC 9420 §12.1, §12.4)."""

from secure_chat.mls.credential.policy import CredentialPolicy
from secure_chat.mls.errors import ValidationError
from secure_chat.mls.group.limits import Limits
from secure_chat.mls.group.proposal_list import check_proposal, check_sender
from secure_chat.mls.group.results import Member, ReceivedProposal
from secure_chat.mls.group.state import EpochState, KeptProposal, OwnUpdate, sender_kind
from secure_chat.mls.group.storage import Rows
from secure_chat.mls.messages.commit import Commit
from secure_chat.mls.messages.content import AuthenticatedContent, SenderType

__all__ = ["KeptProposals", "received_proposal"]


class KeptProposals:
    """The valid proposals of the current epoch by reference, in the order they came.

    A declined proposal stays known, since others may commit it; it just is none that this member wants to commit.
    """

    __slots__ = ("_limits", "_next_number", "_policy", "_rows", "by_reference", "declined")

    def __init__(
        self,
        by_reference: dict[bytes, KeptProposal],
        declined: set[bytes],
        next_number: int,
        policy: CredentialPolicy,
        rows: Rows,
        limits: Limits,
    ) -> None:
        self.by_reference = by_reference
        self.declined = declined
        self._next_number = next_number
        self._policy = policy
        self._rows = rows
        self._limits = limits

    @property
    def wanted(self) -> list[KeptProposal]:
        """Those that were not declined."""
        return [kept for reference, kept in self.by_reference.items() if reference not in self.declined]

    def waiting(self) -> bool:
        """Whether any wait to be committed (§12.4)."""
        return len(self.by_reference) > len(self.declined)

    def keep(
        self, state: EpochState, content: AuthenticatedContent, own_update: OwnUpdate | None = None
    ) -> ReceivedProposal:
        """Keep a verified proposal; ValidationError or CryptoError if §12.1 forbids it or too many are kept."""
        framed = content.content
        proposal, sender = framed.content, framed.sender
        assert not isinstance(proposal, bytes | Commit)
        reference = content.proposal_reference(state.suite)
        kept = self.by_reference.get(reference)
        if kept is None:
            if len(self.by_reference) >= self._limits.proposals:
                raise ValidationError(f"more than {self._limits.proposals} proposals in one epoch")
            size = len(content.encoded)
            if size + sum(other.size for other in self.by_reference.values()) > self._limits.proposal_bytes:
                raise ValidationError(f"more than {self._limits.proposal_bytes} bytes of proposals in one epoch")
            check_sender(proposal, sender)
            check_proposal(proposal, sender, state.context, state.tree, self._policy, self._limits)
            kept = KeptProposal(reference, proposal, sender, framed.authenticated_data, size, own_update)
            self.by_reference[reference] = kept
            self._rows.save_proposal(self._next_number, kept)
            self._next_number += 1
        return received_proposal(state, kept)

    def decline(self, reference: bytes) -> None:
        """Do not commit a proposal; nor does it keep this member from sending."""
        if reference in self.by_reference and reference not in self.declined:
            self.declined.add(reference)
            self._rows.save_declined(reference)

    def forget(self, reference: bytes) -> None:
        """An own proposal could not be sent: nobody else knows it."""
        del self.by_reference[reference]
        self._rows.delete_proposal(reference)

    def clear(self) -> None:
        """The epoch has ended."""
        for reference in self.by_reference:
            self._rows.delete_proposal(reference)
        self.by_reference.clear()
        self.declined.clear()
        self._next_number = 0


def received_proposal(state: EpochState, kept: KeptProposal) -> ReceivedProposal:
    """As the application sees a kept proposal."""
    sender = kept.sender
    member = None
    if sender.sender_type is SenderType.member:
        leaf = state.tree.leaf(sender.index)
        member = None if leaf is None else Member(sender.index, leaf)
    return ReceivedProposal(kept.reference, kept.proposal, member, sender_kind(sender), kept.authenticated_data)
