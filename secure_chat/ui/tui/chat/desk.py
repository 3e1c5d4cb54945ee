"""Between client and widgets: asks, and turns events into what has to be drawn anew. Knows no widget."""

import asyncio
from dataclasses import dataclass, field

from secure_chat.client.api import Client
from secure_chat.client.commands import Command
from secure_chat.client.events import (
    CaughtUp,
    ConnectionChanged,
    Event,
    Invited,
    KeyChanged,
    MessageAdded,
    MessageChanged,
    NewDevice,
    PersonChanged,
    PresenceChanged,
    Progress,
    Result,
    RoomChanged,
    RoomRemoved,
    SecurityNotice,
    ShuttingDown,
    TypingSeen,
)
from secure_chat.client.queries import GetInvitations, GetPeople, GetRooms, GetSafetyNumber, GetStatus
from secure_chat.client.views import (
    ConnectionState,
    DeliveryState,
    InvitationView,
    MessageId,
    MessageKind,
    MessageView,
    PersonView,
    RoomView,
    SafetyNumberView,
    StatusView,
)
from secure_chat.ui.tui.model import Connection, Model

__all__ = ["Changes", "Desk"]

UNDECIDED = (
    "This was noticed earlier and waits for you. Either {handle} made a new account because the old key was lost, or "
    "somebody puts themselves in {handle}'s place."
)


@dataclass(slots=True)
class Changes:
    """What a batch of events means for the screen."""

    lists: bool = False
    """Rooms, counts, invitations or presence."""
    members: bool = False
    names: bool = False
    """Trust of somebody: marks behind names."""
    room: bool = False
    """The current room's own view."""
    connection: bool = False
    typing: bool = False
    added: list[MessageView] = field(default_factory=list)
    """New lines of the current room."""
    changed: dict[MessageId, MessageView] = field(default_factory=dict)
    elsewhere: list[MessageAdded] = field(default_factory=list)
    """Live messages in other rooms."""
    alerts: list[MessageAdded] = field(default_factory=list)
    """Live messages for which the user is called."""
    tell: list[Event] = field(default_factory=list)
    """Events to be told in a line."""
    keys: list[KeyChanged] = field(default_factory=list)
    progress: Progress | None = None
    caught_up: bool = False
    removed: RoomRemoved | None = None
    entered: RoomView | None = None
    """A room that one has just come into."""
    ending: str | None = None


class Desk:
    """One run of the chat; everything happens in the event loop."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.model = Model("", "")

    async def ask(self, command: Command) -> Result:
        """A command's result; raises a SecureChatError."""
        return await asyncio.wrap_future(self.client.submit(command))

    async def load(self) -> None:
        """Everything that is known before the first event."""
        status, rooms, people, invitations = await asyncio.gather(
            self.ask(GetStatus()), self.ask(GetRooms()), self.ask(GetPeople()), self.ask(GetInvitations())
        )
        assert isinstance(status, StatusView)
        assert isinstance(rooms, tuple)
        assert isinstance(people, tuple)
        assert isinstance(invitations, tuple)
        model = self.model
        model.handle, model.account = status.handle, status.account
        model.queued = status.queued
        model.connection = Connection(status.connection)
        model.set_rooms(room for room in rooms if isinstance(room, RoomView))
        model.set_people(person for person in people if isinstance(person, PersonView))
        model.invitations = {each.room: each for each in invitations if isinstance(each, InvitationView)}

    async def undecided(self) -> list[KeyChanged]:
        """Changed keys about which the user has not decided in an earlier run."""
        found = []
        for handle, accounts in self.model.undecided().items():
            facing = await self.ask(GetSafetyNumber(handle))
            assert isinstance(facing, SafetyNumberView)
            old = next(account for account in accounts if account != facing.account)
            found.append(KeyChanged(handle, old, facing.account, False, UNDECIDED.format(handle=handle)))
        return found

    async def count_queued(self) -> None:
        """How many messages wait to go out."""
        status = await self.ask(GetStatus())
        assert isinstance(status, StatusView)
        self.model.queued = status.queued

    async def find_room(self, room_id: str) -> RoomView | None:
        """A room's view, also of one that has just been made."""
        if room_id not in self.model.rooms:
            await self.load_rooms()
        return self.model.rooms.get(room_id)

    async def load_rooms(self) -> None:
        """All rooms as they are now."""
        rooms = await self.ask(GetRooms())
        assert isinstance(rooms, tuple)
        self.model.set_rooms(room for room in rooms if isinstance(room, RoomView))

    def apply(self, events: list[Event], now: int) -> Changes:
        """Brings the model up to date; `now` in milliseconds."""
        changes = Changes()
        for event in events:
            self._apply(event, changes, now)
        return changes

    def _apply(self, event: Event, changes: Changes, now: int) -> None:
        model = self.model
        match event:
            case MessageAdded(message, mention, live):
                self._added(event, message, changes, mention=mention, live=live)
            case MessageChanged(message):
                if message.room == model.current:
                    changes.changed[message.id] = message
                if message.state is DeliveryState.FAILED:
                    changes.tell.append(event)
            case RoomChanged(room):
                self._room(room, changes)
            case RoomRemoved(room_id):
                changes.removed = event if room_id == model.current else changes.removed
                changes.lists = True
                changes.tell.append(event)
            case Invited(invitation):
                model.invitations[invitation.room] = invitation
                changes.lists = True
                changes.tell.append(event)
            case PersonChanged(person):
                model.know(person)
                changes.names = changes.lists = changes.members = changes.room = True
            case PresenceChanged(_, account, online):
                model.seen_online(account, online)
                changes.lists = changes.members = changes.room = True
            case ConnectionChanged(state, reason, retry_at):
                model.connection = Connection(state, reason, retry_at)
                changes.connection = True
            case CaughtUp():
                changes.caught_up = True
                changes.tell.append(event)
            case TypingSeen(room_id, handle):
                model.typed(room_id, handle, now)
                changes.typing = changes.typing or room_id == model.current
            case KeyChanged():
                changes.keys.append(event)
            case NewDevice() | SecurityNotice():
                changes.tell.append(event)
            case Progress():
                changes.progress = event
            case ShuttingDown(reason):
                changes.ending = reason
            case _:  # answers to commands have their own way
                pass

    def _added(self, event: MessageAdded, message: MessageView, changes: Changes, *, mention: bool, live: bool) -> None:
        self.model.heard((message,))
        # The first messages of a conversation that one was just added to come as if caught up with; they call, too.
        live = live or self.model.connection.state is ConnectionState.ONLINE
        changes.typing = True
        if message.room == self.model.current:
            changes.added.append(message)
        elif live and message.kind is not MessageKind.NOTICE and message.account != self.model.account:
            changes.elsewhere.append(event)
        if mention and live and message.account != self.model.account:
            changes.alerts.append(event)

    def _room(self, room: RoomView, changes: Changes) -> None:
        model = self.model
        old = model.rooms.get(room.id)
        model.rooms[room.id] = room
        changes.lists = True
        if room.joined and model.invitations.pop(room.id, None) is not None:
            changes.lists = True
        if room.joined and (old is None or not old.joined):
            changes.entered = room
        if room.id == model.current:
            changes.room = True
            changes.members = changes.members or old is None or (old.epoch, old.members) != (room.epoch, room.members)
