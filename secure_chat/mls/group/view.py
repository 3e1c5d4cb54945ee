"""What a group can be asked without changing it."""

from secure_chat.mls.credential.extensions import Extension
from secure_chat.mls.crypto.secret import Secret
from secure_chat.mls.crypto.suite import CipherSuite, SignaturePrivateKey
from secure_chat.mls.group.epochs import Epochs
from secure_chat.mls.group.kept import KeptProposals, received_proposal
from secure_chat.mls.group.results import Member, Pending, ReceivedProposal
from secure_chat.mls.group.storage import PendingState, Status
from secure_chat.mls.messages.proposals import ReInit
from secure_chat.mls.tree.leaf_node import LeafIdentity

__all__ = ["GroupView"]


class GroupView:
    """One member's view of a group: its parts, and the questions that they answer."""

    def __init__(
        self,
        epochs: Epochs,
        kept: KeptProposals,
        pending: PendingState | None,
        status: Status,
        reinit: ReInit | None,
    ) -> None:
        self._epochs = epochs
        self._kept = kept
        self._pending = pending
        self._status = status
        self._reinit = reinit
        self._introducer: Member | None = None

    @property
    def group_id(self) -> bytes:
        """Constant over the group's life."""
        return self._epochs.current.context.group_id

    @property
    def suite(self) -> CipherSuite:
        """Constant over the group's life."""
        return self._epochs.current.suite

    @property
    def epoch(self) -> int:
        """The current epoch's number."""
        return self._epochs.current.epoch

    @property
    def extensions(self) -> tuple[Extension, ...]:
        """The GroupContext's extensions."""
        return self._epochs.current.context.extensions

    @property
    def epoch_authenticator(self) -> bytes:
        """§8.7: equal at all members that agree on everything that has happened; made to be compared and shown."""
        return bytes(self._epochs.current.secrets.epoch_authenticator)

    @property
    def context(self) -> bytes:
        """§8.1: the current epoch's encoded GroupContext, equal at all members."""
        return self._epochs.current.context.encode()

    @property
    def introducer(self) -> Member | None:
        """Who signed the GroupInfo of the Welcome that this member joined by; known only right after `join`."""
        return self._introducer

    @property
    def tree_hash(self) -> bytes:
        """§7.8: of the current epoch's tree, equal at all members."""
        return self._epochs.current.context.tree_hash

    @property
    def own_leaf_index(self) -> int:
        """This member's place in the tree."""
        return self._epochs.current.own_index

    @property
    def identity(self) -> LeafIdentity:
        """What this member's leaf says, with its signature key."""
        return self._epochs.current.identity

    @property
    def active(self) -> bool:
        """Whether this member can act: not before an external join is accepted, nor once removed or reinitialized."""
        return self._status is Status.active

    @property
    def reinit(self) -> ReInit | None:
        """What the commit that ended the group asked for (§11.2), None while it has not been reinitialized."""
        return self._reinit

    @property
    def pending(self) -> Pending | None:
        """The own commit that waits to be merged or discarded."""
        return self._pending.pending if self._pending else None

    @property
    def proposals(self) -> tuple[ReceivedProposal, ...]:
        """The proposals kept and not declined in this epoch, one's own included, in the order they came."""
        state = self._epochs.current
        return tuple(received_proposal(state, kept) for kept in self._kept.wanted)

    def members(self) -> list[Member]:
        """All members, by leaf index."""
        return [Member(index, leaf) for index, leaf in self._epochs.current.tree.leaves()]

    def member(self, leaf_index: int) -> Member | None:
        """The member at a leaf, None if it is blank."""
        leaf = self._epochs.current.tree.leaf(leaf_index)
        return None if leaf is None else Member(leaf_index, leaf)

    def pending_leaf(self) -> tuple[Member, SignaturePrivateKey] | None:
        """The own leaf as the pending commit makes it, and its signature key; None where no commit is pending."""
        state = None if self._pending is None else self._pending.state
        leaf = None if state is None else state.tree.leaf(state.own_index)
        return None if state is None or leaf is None else (Member(state.own_index, leaf), state.signature_key)

    def export(self, label: str, context: bytes, length: int) -> Secret:
        """§8.5 MLS-Exporter: a secret of the current epoch, known to its members only."""
        state = self._epochs.current
        return state.secrets.export(state.suite, label, context, length)

    def resumption_psk(self, epoch: int | None = None) -> Secret | None:
        """§8.6: of the current or a remembered past epoch."""
        return self._epochs.psks.resumption.get((self.group_id, self.epoch if epoch is None else epoch))

    def ratchet_tree(self) -> bytes:
        """The public tree, for newcomers whose Welcome or GroupInfo lacks it (§12.4.3.3)."""
        return self._epochs.current.tree.encode()
