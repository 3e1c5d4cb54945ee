"""What must hold after every step: looked at as each client is told something, with everybody's stores at hand."""

from typing import TYPE_CHECKING

from secure_chat.client.engine.spaces import Phase, Room
from secure_chat.client.events import Event, MessageAdded, MessageChanged, PersonChanged
from secure_chat.client.views import DeliveryState, MessageKind, MessageView
from secure_chat.wire.messages import Append, EntryKind
from tests.scenarios.invariants import Violation
from tests.scenarios.stays import Stays

if TYPE_CHECKING:
    from tests.scenarios.harness import Node, World

__all__ = ["Watch"]

_OUTSIDE = (Phase.LEFT, Phase.NEW, Phase.ENTERING)
_COMPLETE = (DeliveryState.DELIVERED, DeliveryState.READ)


class Watch:
    """Sees every event as it is emitted; raises Violation for what is not true at that moment."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._shown: dict[str, set[str]] = {}
        self._before: dict[bytes, str] = {}
        self._audience: dict[str, set[bytes]] = {}
        self._written: dict[str, set[str]] = {}
        """Every text that a message has had for its author, by id."""
        self._rooms: dict[str, set[str]] = {}
        """Every room that a message was in for its author, by id: a lost one goes on in a new channel."""
        self._encrypted: dict[str, tuple[bytes, int]] = {}
        """What a message's latest ciphertext is, and when it first left, by id."""
        self._stays = Stays()

    def begins(self, node: "Node") -> None:
        """A client is about to handle something: where does it stand?"""
        self._before = {room.channel: room.phase for room in node.engine._state.rooms.values()}
        self._stays.look(node)

    def leaves(self, node: "Node", room: Room, append: Append) -> None:
        """A message leaves a client: it is for those who have a leaf now, and for nobody who comes later."""
        if append.kind is EntryKind.APPLICATION:
            state = node.engine._state
            for item in state.outbox.values():
                if item.append == append.counter and item.line:
                    self._audience.setdefault(item.id.hex(), set()).update(state.accounts(room))
                    if self._encrypted.get(item.id.hex(), (b"", 0))[0] != append.payload:
                        self._encrypted[item.id.hex()] = (append.payload, self._world.now)

    def told(self, node: "Node", event: Event) -> None:
        """One event of one client."""
        match event:
            case MessageAdded(message=line) if line.kind is MessageKind.TEXT:
                self._remember(node, line)
                self._added(node, line)
            case MessageChanged(message=line) if line.kind is MessageKind.TEXT:
                self._remember(node, line)
                if line.state in _COMPLETE:
                    self._complete(node, line)
                elif line.state is DeliveryState.RECEIVED:
                    self._genuine(node, line)

    def restored(self, node: "Node") -> None:
        """A client forgets what it was shown since the copy was made."""
        self._shown.pop(str(node.path), None)

    def _remember(self, node: "Node", line: MessageView) -> None:
        """What its author has seen as his own words."""
        if line.account == self._account(node):
            self._written.setdefault(line.id, set()).add(line.text)
            self._rooms.setdefault(line.id, set()).add(line.room)

    def _added(self, node: "Node", line: MessageView) -> None:
        shown = self._shown.setdefault(str(node.path), set())
        if line.id in shown:
            raise Violation(f"{node.name} was shown {line.text!r} a second time")
        shown.add(line.id)
        if line.state is not DeliveryState.RECEIVED:
            return
        room = node.engine._state.rooms[bytes.fromhex(line.room)]
        if room.phase in _OUTSIDE and self._before.get(room.channel) == room.phase:
            raise Violation(f"{node.name} is {room.phase} in {room.name} and reads {line.text!r} of {line.sender}")
        self._genuine(node, line)

    def _genuine(self, node: "Node", line: MessageView) -> None:
        """Its author wrote it, so, in this room, and for this reader among others."""
        authors = [other for other in self._world.nodes.values() if self._account(other) == line.account]
        if not authors:
            raise Violation(f"{node.name} reads {line.text!r} of an account that nobody has")
        if line.deleted or any(author in self._world.rogues for author in authors):
            return
        written = self._written.get(line.id, set())
        if line.room not in self._rooms.get(line.id, set()):
            raise Violation(f"{node.name} reads {line.text!r}, which {line.sender} never wrote in this room")
        if line.text not in written:
            raise Violation(f"{node.name} reads {line.text!r}, {line.sender} wrote {sorted(written)}")
        if node.engine._state.own_account not in self._audience.get(line.id, set()):
            raise Violation(f"{node.name} reads {line.text!r}, which {line.sender} wrote for others")

    def _complete(self, node: "Node", line: MessageView) -> None:
        """A tick for everybody: whoever is in the room, and was when it was sent, as its author knows it, has it."""
        state = node.engine._state
        room = state.rooms[bytes.fromhex(line.room)]
        if (
            node in self._world.rogues
            or line.account != state.own_account.hex()
            or room.phase not in (Phase.JOINED, Phase.OUT)
        ):
            return
        written = node.queued_at.get(line.id, 0)
        _, encrypted = self._encrypted.get(line.id, (b"", self._world.now))
        roster = state.roster(room)
        self._stays.look(node)
        for account in state.accounts(room):
            readers = [other for other in self._world.nodes.values() if self._account(other) == account.hex()]
            if roster is not None and account in roster.invited:
                continue  # has accepted, perhaps, but its author can't know that yet
            if account == state.own_account or not readers or any(r in self._world.rogues for r in readers):
                continue
            if self._stays.since(node, room.channel, account) > encrypted:
                continue  # was not there for its author, or was removed after it, and came (back) in later
            entered = [reader.entered.get(line.room, self._world.now) for reader in readers]
            if min(entered) > written or any(r.restored or _blocks(r, node) for r in readers):
                continue
            if all(reader.store.message(line.id) is None for reader in readers):
                names = ", ".join(reader.name for reader in readers)
                raise Violation(f"{line.text!r} shows as {line.state}, but {names} does not have it")

    @staticmethod
    def _account(node: "Node") -> str:
        return node.engine._state.own_account.hex()


def _blocks(reader: "Node", author: "Node") -> bool:
    """Whether the reader wanted nothing of the author, now or when it came."""
    return any(e.person.blocked and e.person.handle == author.name for e in reader.told(PersonChanged))
