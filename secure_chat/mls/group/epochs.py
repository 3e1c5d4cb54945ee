"""The current epoch and the few past ones whose late messages can still be opened (RFC 9420 §9.2, §15.3)."""

from secure_chat.mls.crypto.labels import verify_with_label
from secure_chat.mls.errors import SecretConsumedError, ValidationError
from secure_chat.mls.group.limits import Limits
from secure_chat.mls.group.psks import PSKStore
from secure_chat.mls.group.results import Application, Member
from secure_chat.mls.group.state import EpochState, PastEpoch
from secure_chat.mls.group.storage import Rows
from secure_chat.mls.messages.content import SIGNATURE_LABEL
from secure_chat.mls.messages.private import PrivateChannel
from secure_chat.mls.schedule.secret_tree import HANDSHAKE
from secure_chat.mls.tree.leaf_node import LeafNode

__all__ = ["Epochs"]


class Epochs:
    """What this member can open, and how it moves from one epoch to the next."""

    __slots__ = ("_limits", "_rows", "current", "past", "psks")

    def __init__(
        self, current: EpochState, past: dict[int, PastEpoch], psks: PSKStore, rows: Rows, limits: Limits
    ) -> None:
        self.current = current
        self.past = past
        self.psks = psks
        self._rows = rows
        self._limits = limits

    def open_application(self, message: bytes) -> Application | None:
        """An application message of an epoch held here, None if it is something else; MLSError if it is refused."""
        channel = self.current.channel
        if message.startswith(channel.application_header):
            return self._open(channel, message, True)
        for past in self.past.values():
            if message.startswith(past.channel.application_header):
                return self._open(past.channel, message, False)
        return None

    def _open(self, channel: PrivateChannel, message: bytes, current: bool) -> Application:
        unsealed = channel.unseal_application(message)
        leaf_index = unsealed.leaf_index
        leaf = self.current.tree.leaf(leaf_index) if current else self._past_leaf(channel.epoch, leaf_index)
        if leaf is None:
            raise ValidationError("the sender is a blank leaf (RFC 9420 §6.3.2)")
        data, signed, signature = channel.split_application(unsealed)
        verify_with_label(channel.suite, leaf.signature_key, SIGNATURE_LABEL, signed, signature)
        key = unsealed.key
        channel.secret_tree.consume(key)
        member = Member(leaf_index, leaf)
        return Application(member, channel.epoch, key.generation, data, unsealed.authenticated_data, current)

    def _past_leaf(self, epoch: int, leaf_index: int) -> LeafNode | None:
        """A leaf as it was in a past epoch: as the first later commit that changed it found it, or still is."""
        for number, past in self.past.items():
            if number >= epoch and leaf_index in past.replaced:
                return past.replaced[leaf_index]
        return self.current.tree.leaf(leaf_index)

    def consume_handshake_key(self, sender: int, generation: int) -> None:
        """Forget the key that a merged commit was encrypted with (§9.2), unless that has happened already."""
        tree = self.current.channel.secret_tree
        try:
            tree.consume(tree.find(sender, HANDSHAKE, generation))
        except SecretConsumedError:
            return

    def enter(self, state: EpochState) -> None:
        """Make `state` the current epoch, and the current one the latest of the past; the oldest is deleted."""
        old = self.current
        old.channel.secret_tree.drop_handshake_ratchets()
        past = PastEpoch(old.channel, old.tree.replaced_leaves(state.tree))
        self.past[old.epoch] = past
        self._rows.save_past(past, old.context, old.tree.leaf_count, old.secrets.sender_data_secret)
        while len(self.past) > self._limits.past_epochs:
            epoch = next(iter(self.past))
            self._rows.delete_past(epoch, self.past.pop(epoch))
        self.current = state
        self._rows.save_epoch(state)
        self.remember_resumption_psk()

    def remember_resumption_psk(self) -> None:
        """§8.6: keep the current epoch's resumption PSK, and the latest of this group's past ones."""
        known, state = self.psks.resumption, self.current
        group_id = state.context.group_id
        known[group_id, state.epoch] = state.secrets.resumption_psk
        self._rows.save_resumption_psk(group_id, state.epoch, state.secrets.resumption_psk)
        oldest = (group_id, state.epoch - self._limits.resumption_psks)
        if known.pop(oldest, None) is not None:
            self._rows.save_resumption_psk(*oldest, None)

    def changes(self) -> list[tuple[bytes, bytes | None]]:
        """All rows of the group that changed since the last call."""
        return self._rows.drain(self.current, self.past)
