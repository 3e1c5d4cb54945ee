"""What must hold in every deployment, whatever has happened: read from the clients' stores and engines."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from secure_chat.client.engine.evidence import noted_leaves, read_notes
from secure_chat.client.engine.farewells import farewell
from secure_chat.client.engine.receipts import MAX_PEOPLE
from secure_chat.client.engine.spaces import Phase
from secure_chat.client.events import Failed, FailureCode, RoomRemoved, SecurityKind, SecurityNotice
from secure_chat.client.views import DeliveryState, MessageKind, MessageView
from secure_chat.mls.codec import Reader
from secure_chat.mls.errors import MLSError
from secure_chat.mls.group.group import Group
from secure_chat.mls.messages.content import ContentType
from secure_chat.wire.messages import Append, EntryKind

if TYPE_CHECKING:
    from tests.scenarios.harness import Node

__all__ = ["KeyUses", "Violation", "check_all"]


class Violation(AssertionError):
    """A promise was broken."""


class KeyUses:
    """Every (epoch's secrets, leaf, generation) encrypts one message only, of all that reaches the relay.

    An epoch is named by a secret of its, since after a relay's restore a group can have two epochs of one number.
    """

    def __init__(self) -> None:
        self._uses: dict[bytes, tuple[bytes, int, bool, bytes]] = {}
        self._arrived: dict[tuple[bytes, int, bool, bytes], bytes] = {}

    def leaves(self, name: str, group: Group | None, append: Append) -> None:
        """An append leaves a client: its own group still knows which key encrypted it."""
        payload = append.payload
        if group is None or payload in self._uses:
            return
        channels = [group._epochs.current.channel, *(past.channel for past in group._epochs.past.values())]
        headers = [(c, c.application_header[:-1] + bytes([kind])) for c in channels for kind in ContentType]
        channel, header = next(((c, h) for c, h in headers if payload.startswith(h)), (None, b""))
        if channel is None:
            return
        reader = Reader(payload, len(header))
        reader.opaque()
        sealed, ciphertext = reader.opaque(), reader.opaque()
        key, nonce = channel.sender_data_keys(ciphertext)
        try:
            data = channel.suite.aead(key).decrypt(nonce, sealed, header[4:])
        except MLSError as error:
            raise Violation(f"{name} sent something that its own group can't read: {error}") from None
        secret = channel._sender_data_secret
        # Proposals and commits have a ratchet of their own (RFC 9420 §9.1).
        self._uses[payload] = (secret, channel.epoch, append.kind is EntryKind.APPLICATION, data[:8])

    def arrives(self, append: Append) -> None:
        """An append reaches the relay."""
        use = self._uses.get(append.payload)
        if use is not None and self._arrived.setdefault(use, append.payload) != append.payload:
            raise Violation(f"a message key was used twice: epoch {use[1]}, leaf and generation {use[3].hex()}")


def check_all(nodes: Sequence["Node"], *, honest_relay: bool = True) -> None:
    """Everything that must hold once the deployment has come to rest.

    A relay that reorders what different people wrote can't be caught, so its victims need not agree on the order.
    """
    _check_commands(nodes)
    _check_epochs(nodes)
    _check_outboxes(nodes)
    _check_histories(nodes, honest_relay)
    _check_states(nodes)


def _check_commands(nodes: Sequence["Node"]) -> None:
    for node in nodes:
        for failed in node.told(Failed):
            if failed.code is FailureCode.INTERNAL:
                raise Violation(f"{node.name}: {failed.message}")


def _check_epochs(nodes: Sequence["Node"]) -> None:
    """All members of a room are in the same epoch of the same group; nobody who should be in is out."""
    seen: dict[bytes, tuple[str, int, int, bytes, frozenset[bytes]]] = {}
    for node in nodes:
        state = node.engine._state
        for room in state.rooms.values():
            if room.phase in (Phase.OUT, Phase.ENTERING, Phase.NEW, Phase.LEAVING):
                raise Violation(f"{node.name} is {room.phase} in {room.name}")
            if room.phase == Phase.LEFT:
                continue
            group = state.group(room)
            accounts = frozenset(state.accounts(room))
            view = (node.name, room.generation, group.epoch, group.epoch_authenticator, accounts)
            first = seen.setdefault(room.channel, view)
            if first[1:] != view[1:]:
                raise Violation(f"{room.name}: {first[0]} is at {first[1:3]}, {node.name} at {view[1:3]}")
            if room.channel in state.pending or room.next:
                raise Violation(f"{node.name} still has something pending in {room.name}")
    for node in nodes:
        state = node.engine._state
        for room in state.rooms.values():
            if room.phase in (Phase.JOINED, Phase.INVITED):
                names = {other.name for other in nodes if _is_in(other, room.channel)}
                inside = {state.people[account].handle for account in state.accounts(room)}
                known = inside & {other.name for other in nodes}
                if not names <= known or (names != known and not _hidden(nodes, room.channel, known - names)):
                    raise Violation(f"{room.name}: the tree says {inside}, in it are {names}")


def _is_in(node: "Node", channel: bytes) -> bool:
    room = node.engine._state.rooms.get(channel)
    return room is not None and room.phase in (Phase.JOINED, Phase.INVITED)


def _hidden(nodes: Sequence["Node"], channel: bytes, gone: set[str]) -> bool:
    """Whether nobody in the room can know that these have left.

    The relay had forgotten entries, perhaps just those, before they came by, or has kept them from them; or it has
    kept from who left the Welcome to the leaf that the others have, so that what was said on leaving does not name it.
    """
    leavers = [node for node in nodes if node.name in gone and not _was_never_told(node, nodes, channel)]
    devices = [node.engine._state.profile.device_id for node in leavers]
    return all(
        all(_is_hidden(node, channel, device) for device in devices)
        or any(n.room == channel.hex() and "no longer at the relay" in n.text for n in node.told(SecurityNotice))
        for node in nodes
        if _is_in(node, channel)
    )


def _was_never_told(leaver: "Node", nodes: Sequence["Node"], channel: bytes) -> bool:
    """Whether the relay has kept from somebody the Welcome to the very leaf that the others have.

    It is none of those for which the device has ever said that it leaves.
    """
    room = leaver.engine._state.rooms.get(channel)
    said = b"" if room is None else farewell(leaver.engine._state, room)
    notes = read_notes(said) if said else []
    groups = [n.engine._state.group(n.engine._state.rooms[channel]) for n in nodes if _is_in(n, channel)]
    members = [member for group in groups for member in leaver.engine._state.occupants(group)]
    own = [member for member in members if member.device == leaver.engine._state.profile.device_id]
    hidden = any((node, of) == (leaver, channel) for node, of, _ in leaver.world.hidden_welcomes)
    return hidden and room is not None and not noted_leaves(notes, groups[0].group_id, own)


def _is_hidden(node: "Node", channel: bytes, device: bytes) -> bool:
    """Whether the relay has kept from somebody that this device has left, and never showed it to this client.

    Who has come in since has the leaf from those who do not know.
    """
    hidden = [seq for (_, room, gone), seq in node.world.hidden_leavings.items() if (room, gone) == (channel, device)]
    return bool(hidden) and node.world.shown_leavings.get((node, channel, device), 0) < max(hidden)


def _check_outboxes(nodes: Sequence["Node"]) -> None:
    for node in nodes:
        for item in node.engine._state.outbox.values():
            room = node.engine._state.rooms[item.room]
            if not item.failed and room.phase == Phase.JOINED and not node.engine._directory.blocks(room):
                raise Violation(f"{node.name}: something still waits to be sent in {room.name}")


def _check_histories(nodes: Sequence["Node"], honest_relay: bool) -> None:
    """What two people both received is in the same order; what was sent has come."""
    received: dict[str, dict[str, list[MessageView]]] = {}
    for node in nodes:
        lines = [line for line in node.history() if line.kind is MessageKind.TEXT]
        for line in lines:
            if line.state is DeliveryState.RECEIVED:
                received.setdefault(line.room, {}).setdefault(node.path.stem, []).append(line)
    restored = any(n.kind is SecurityKind.NEW_INCARNATION for node in nodes for n in node.told(SecurityNotice))
    for room, by_node in received.items():
        # What a restored relay had lost comes again, later, to those who did not have it yet; and so does, for those
        # who were shown a gap, what its author could not know to have arrived before the relay forgot it.
        whole = {node.path.stem for node in nodes if not _has_gap(node, room)}
        names = sorted(whole & by_node.keys()) if honest_relay and not restored else []
        for first in names:
            for second in names:
                common = {line.id for line in by_node[first]} & {line.id for line in by_node[second]}
                orders = [[line.id for line in by_node[name] if line.id in common] for name in (first, second)]
                if orders[0] != orders[1]:
                    raise Violation(f"{first} and {second} have room {room} in different orders")
    for sender in nodes:
        for line in sender.history():
            if line.kind is MessageKind.TEXT and line.state in _AT_RELAY and line.sender == sender.name:
                if (
                    not honest_relay
                    and line.state is DeliveryState.SENT
                    and not _is_in(sender, bytes.fromhex(line.room))
                ):
                    continue  # what somebody wrote last can be withheld: nothing followed it, and no tick was shown
                for reader in nodes:
                    if reader is not sender and _should_have(sender, reader, line):
                        found = reader.store.message(line.id)
                        if found is None:
                            raise Violation(f"{reader.name} lost {line.text!r} of {sender.name}")


def _has_gap(node: "Node", room: str) -> bool:
    return any(n.room == room and n.kind is SecurityKind.GAP for n in node.told(SecurityNotice))


_AT_RELAY = (DeliveryState.SENT, DeliveryState.DELIVERED, DeliveryState.READ)
_EXCUSES = {SecurityKind.REJOINED, SecurityKind.GAP, SecurityKind.RESTARTED, SecurityKind.UNDECRYPTABLE}


def _should_have(sender: "Node", reader: "Node", line: MessageView) -> bool:
    """Whether the reader was in the room all the time from before the line was written, without a shown gap."""
    channel = bytes.fromhex(line.room)
    room = reader.engine._state.rooms.get(channel)
    if room is None or room.phase != Phase.JOINED:
        return False
    entered = reader.entered.get(line.room)
    queued = sender.queued_at.get(line.id)
    if entered is None or queued is None or entered > queued:
        return False
    if any(removed.room == line.room for removed in reader.told(RoomRemoved)):
        return False
    restored = any(notice.kind is SecurityKind.NEW_INCARNATION for notice in sender.told(SecurityNotice))
    large = len(sender.engine._state.accounts(room)) > MAX_PEOPLE
    if restored and (large or any(removed.room == line.room for removed in sender.told(RoomRemoved))):
        return False  # what a restored relay has lost is sent again by who is still there, in rooms with receipts
    if sender.name in {person.handle for person in reader.engine._state.people.values() if person.blocked}:
        return False
    return not any(notice.room == line.room and notice.kind in _EXCUSES for notice in reader.told(SecurityNotice))


def _check_states(nodes: Sequence["Node"]) -> None:
    """A tick is never false: what shows as delivered is at everybody who was and is in the room."""
    for sender in nodes:
        for line in sender.history():
            if line.kind is not MessageKind.TEXT or line.state not in (DeliveryState.DELIVERED, DeliveryState.READ):
                continue
            for reader in nodes:
                if reader is sender or not _should_have(sender, reader, line):
                    continue
                if reader.store.message(line.id) is None:
                    raise Violation(f"{line.text!r} shows as {line.state}, but {reader.name} does not have it")
