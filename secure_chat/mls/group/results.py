"""What a group tells the application: the typed results of `Group.receive` and `Group.commit`.

Parsed, verified and staged things are different types, so that no check can be skipped: a `StagedCommit` can only
come from `Group.receive` after every validation of RFC 9420 has passed, and only `Group.merge` takes one.
"""

from dataclasses import dataclass
from enum import Enum

from secure_chat.mls.credential.credential import Credential
from secure_chat.mls.credential.extensions import Extension
from secure_chat.mls.errors import MLSError
from secure_chat.mls.messages.proposals import Proposal
from secure_chat.mls.tree.leaf_node import LeafNode

__all__ = [
    "Application",
    "Member",
    "Out",
    "Pending",
    "ReceivedProposal",
    "SenderKind",
    "Skipped",
    "StagedCommit",
    "Update",
]


@dataclass(frozen=True, slots=True)
class Member:
    """One non-blank leaf."""

    leaf_index: int
    leaf: LeafNode

    @property
    def credential(self) -> Credential:
        """Who the leaf claims to be; the credential policy has accepted it."""
        return self.leaf.credential

    @property
    def signature_key(self) -> bytes:
        """The leaf's public signature key."""
        return self.leaf.signature_key


@dataclass(frozen=True, slots=True)
class Update:
    """A leaf before and after (§12.1.2, and the committer's own leaf in an update path)."""

    before: Member
    after: Member


class SenderKind(Enum):
    """§6: who may have sent a proposal or commit."""

    MEMBER = "member"
    EXTERNAL = "external"
    NEW_MEMBER_PROPOSAL = "new_member_proposal"
    NEW_MEMBER_COMMIT = "new_member_commit"


@dataclass(frozen=True, slots=True)
class Application:
    """A decrypted message whose signature has been verified (§6, §15)."""

    sender: Member
    """As the tree of the message's epoch names it: may since have been removed, see `current`."""
    epoch: int
    generation: int
    data: bytes
    authenticated_data: bytes
    current: bool
    """Whether `epoch` is the group's current one."""


@dataclass(frozen=True, slots=True)
class ReceivedProposal:
    """A valid proposal, kept by reference until a commit covers it or the epoch ends (§12.4)."""

    reference: bytes
    proposal: Proposal
    sender: Member | None
    """None for proposals from outside the group."""
    sender_kind: SenderKind
    authenticated_data: bytes


@dataclass(frozen=True, slots=True)
class StagedCommit:
    """A commit that passed every check, for the application to merge or to drop without a trace (§12.4.2)."""

    committer: Member
    """For an external commit the leaf that it adds."""
    external: bool
    epoch: int
    """The epoch that merging starts."""
    adds: tuple[Member, ...]
    """With the leaf indices they get; an external committer is not among them."""
    removes: tuple[Member, ...]
    """As they were in the old tree; for an external rejoin its old leaf too."""
    updates: tuple[Update, ...]
    extensions: tuple[Extension, ...] | None
    """The new GroupContext extensions, where the commit changes them."""
    psk_ids: tuple[bytes, ...]
    """External PSK ids in use."""
    reinit: bool
    """After merging the group is closed, §11.2."""
    removes_self: bool
    """Merging ends this member's part in the group; the group then only answers queries."""
    has_path: bool
    proposals: tuple[Proposal, ...]
    """All that the commit covers, by value or by reference, in its order."""
    authenticated_data: bytes
    context: bytes
    """The encoded GroupContext (§8.1) of the epoch that merging starts: whoever joins by this commit has the same."""
    token: object
    """The staged state; only the group that staged it can merge it."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """Not applied, for a reason that every member can check and sees alike; the group is unchanged."""

    reason: MLSError


@dataclass(frozen=True, slots=True)
class Out:
    """A valid-looking commit that this member alone cannot follow: path secret or confirmation tag fail.

    The group is unchanged, but the others may have moved on: stop sending, name the author, ask to be added again.
    """

    author: Member | None
    reason: MLSError


@dataclass(frozen=True, slots=True)
class Pending:
    """A commit of this member's own, kept in the group's rows until merged or discarded (§12.4.1)."""

    commit: bytes
    """An MLSMessage for every member."""
    welcome: bytes | None
    """One MLSMessage for all that it adds, if it adds anybody."""
    group_info: bytes | None
    """The new epoch's signed GroupInfo as MLSMessage with ratchet tree and external_pub, where asked for."""
    epoch: int
    """The epoch that merging starts."""
