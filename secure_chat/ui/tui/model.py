"""What the terminal UI knows between events: rooms, people, who is typing, where one has been. No widget, no clock."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from secure_chat.client.views import (
    AccountId,
    ConnectionState,
    InvitationView,
    MemberView,
    MessageKind,
    MessageView,
    PersonView,
    RoomId,
    RoomKind,
    RoomView,
    Trust,
)

__all__ = ["Connection", "Model", "Visits"]

TYPING_MS = 6_000
"""How long somebody who was seen typing counts as typing."""
SPEAKERS = 100
"""People per room remembered for completion."""
VISITS = 50
"""Rooms remembered for going back."""


@dataclass(frozen=True, slots=True)
class Connection:
    """The connection to the relay, as last told."""

    state: ConnectionState = ConnectionState.CONNECTING
    reason: str = ""
    retry_at: int = 0


class Visits:
    """Rooms in the order of their visits, to go back and forward."""

    def __init__(self) -> None:
        self._rooms: list[RoomId] = []
        self._at = -1

    def enter(self, room: RoomId) -> None:
        """A room was chosen; what lay ahead is forgotten."""
        if 0 <= self._at < len(self._rooms) and self._rooms[self._at] == room:
            return
        self._rooms = [*self._rooms[: self._at + 1], room][-VISITS:]
        self._at = len(self._rooms) - 1

    def step(self, by: int) -> RoomId | None:
        """The room one visit back (-1) or forward (1)."""
        target = self._at + by
        if not 0 <= target < len(self._rooms):
            return None
        self._at = target
        return self._rooms[target]


@dataclass(slots=True)
class Model:
    """Owned by the event loop."""

    handle: str
    account: AccountId
    rooms: dict[RoomId, RoomView] = field(default_factory=dict)
    invitations: dict[RoomId, InvitationView] = field(default_factory=dict)
    people: dict[str, PersonView] = field(default_factory=dict)
    """By handle: of several keys under one name the one that is trusted."""
    members: dict[RoomId, tuple[MemberView, ...]] = field(default_factory=dict)
    connection: Connection = field(default_factory=Connection)
    current: RoomId = ""
    visits: Visits = field(default_factory=Visits)
    queued: int = 0
    _accounts: dict[AccountId, PersonView] = field(default_factory=dict)
    """Everybody met, also earlier and doubtful keys."""
    _typing: dict[RoomId, dict[str, int]] = field(default_factory=dict)
    _speakers: dict[RoomId, dict[str, None]] = field(default_factory=dict)

    @property
    def room(self) -> RoomView | None:
        """The room on screen."""
        return self.rooms.get(self.current)

    @property
    def is_cut_off(self) -> bool:
        """Whether what is written now waits for a connection."""
        return self.connection.state is not ConnectionState.ONLINE

    def listed(self) -> list[RoomView]:
        """Rooms in the order of the list, which stays the same whoever writes: rooms by name, then people."""
        shown = [
            room
            for room in self.rooms.values()
            if (room.joined or room.unread or room.id == self.current) and room.id not in self.invitations
        ]
        return sorted(shown, key=lambda room: (room.kind is RoomKind.DIRECT, room.name.casefold(), room.id))

    def next_unread(self) -> RoomView | None:
        """Where to look next: mentions and direct messages first, then the most recent; muted rooms last."""
        waiting = [
            room
            for room in self.rooms.values()
            if room.unread and room.id != self.current and room.id not in self.invitations
        ]
        return min(
            waiting,
            key=lambda room: (
                room.muted,
                not room.mentions,
                room.kind is not RoomKind.DIRECT,
                -room.last_time,
                room.id,
            ),
            default=None,
        )

    def unread_elsewhere(self) -> tuple[int, int]:
        """Unread messages and mentions in other rooms that are not muted."""
        others = [
            room
            for room in self.rooms.values()
            if room.id != self.current and not room.muted and room.id not in self.invitations
        ]
        return sum(room.unread for room in others), sum(room.mentions for room in others)

    def find(self, name: str) -> RoomView | None:
        """A room by id, `#name`, name or person."""
        plain = name.removeprefix("#").removeprefix("@")
        found = [room for room in self.rooms.values() if room.id == name or room.name == plain]
        found.sort(key=lambda room: ((room.kind is RoomKind.DIRECT) == name.startswith("#"), not room.joined))
        return found[0] if found else None

    def trust(self, account: AccountId, handle: str) -> Trust:
        """What is known of the key behind an account."""
        if account == self.account:
            return Trust.SELF
        person = self._accounts.get(account)
        if person is not None:
            return person.trust
        return Trust.CHANGED if handle in self.people else Trust.FIRST_USE

    def online(self, handle: str) -> bool:
        """Whether a person is known to be online."""
        person = self.people.get(handle)
        return person is not None and person.online

    def set_rooms(self, rooms: Iterable[RoomView]) -> None:
        """All rooms, as the client lists them."""
        self.rooms = {room.id: room for room in rooms}

    def set_people(self, people: Iterable[PersonView]) -> None:
        """Everybody met."""
        self.people.clear()
        self._accounts.clear()
        for person in people:
            self.know(person)

    def know(self, person: PersonView) -> None:
        """Somebody as they are now."""
        self._accounts[person.account] = person
        known = self.people.get(person.handle)
        if known is None or known.account == person.account or person.trust is not Trust.CHANGED:
            self.people[person.handle] = person

    def seen_online(self, account: AccountId, online: bool) -> None:
        """Somebody came or went."""
        person = self._accounts.get(account)
        if person is not None:
            self.know(replace(person, online=online))

    def undecided(self) -> dict[str, list[AccountId]]:
        """Names that stand for several keys of which none is trusted, and those keys."""
        found: dict[str, list[AccountId]] = {}
        for person in self._accounts.values():
            found.setdefault(person.handle, []).append(person.account)
        return {
            handle: accounts
            for handle, accounts in found.items()
            if len(accounts) > 1 and self.people[handle].trust is Trust.CHANGED
        }

    # --- who speaks and types

    def heard(self, lines: Iterable[MessageView]) -> None:
        """Lines in the order in which they came: their authors spoke last."""
        for message in lines:
            if message.kind is MessageKind.TEXT and message.sender and message.account != self.account:
                spoke = self._speakers.setdefault(message.room, {})
                spoke.pop(message.sender, None)
                spoke[message.sender] = None
                while len(spoke) > SPEAKERS:
                    del spoke[next(iter(spoke))]
                self._typing.get(message.room, {}).pop(message.sender, None)

    def names(self) -> list[str]:
        """People of the current room, whoever spoke last first."""
        spoke = list(reversed(self._speakers.get(self.current, {})))
        present = sorted(member.handle for member in self.members.get(self.current, ()))
        return [*spoke, *(name for name in present if name not in spoke and name != self.handle)]

    def speakers(self) -> frozenset[str]:
        """Who has spoken in the current room, as far as was seen."""
        return frozenset(self._speakers.get(self.current, {}))

    def typed(self, room: RoomId, handle: str, now: int) -> None:
        """Somebody is typing; `now` in milliseconds."""
        self._typing.setdefault(room, {})[handle] = now + TYPING_MS

    def typing(self, now: int) -> Sequence[str]:
        """Who is typing in the current room."""
        return sorted(handle for handle, until in self._typing.get(self.current, {}).items() if until > now)
