"""What the engine knows, and the effects of the input being handled.

All parts of the engine share one `State`. It reads rows when they are first needed, remembers what was changed, and
turns changes into writes when the input has been handled: memory and store never drift apart, since after a failed
commit the whole engine is thrown away.
"""

from collections.abc import Iterator
from typing import Protocol

import msgspec

from secure_chat.client.engine import spaces
from secure_chat.client.engine.effects import DeleteRow, Effects, PutMessage, PutRow, StoreReader
from secure_chat.client.engine.occupants import Occupant
from secure_chat.client.engine.policy import Authority, Roles, occupant_of, roles_of
from secure_chat.client.engine.spaces import Outgoing, Pending, Person, Pin, Profile, Room, Roster, RosterEntry
from secure_chat.client.engine.tasks import Tasks
from secure_chat.client.events import Event
from secure_chat.client.views import MessageView
from secure_chat.identity.keys import AccountKey
from secure_chat.mls.group.group import Group
from secure_chat.mls.group.limits import Limits

__all__ = ["Randomness", "State"]

GROUPS_IN_MEMORY = 64
"""MLS groups kept ready, those used last; the others are read from the store when they are needed."""

TimerKey = tuple[str, bytes]
"""What for, and the channel or nothing."""


class Randomness(Protocol):
    """Where ids, jitter and seeds come from: the operating system's, or a seeded one in tests."""

    def randbytes(self, n: int, /) -> bytes:
        """That many bytes."""

    def random(self) -> float:
        """A number from 0 up to 1."""


class State:
    """Records, groups, timers, and the effects gathered so far."""

    def __init__(self, reader: StoreReader, random: Randomness) -> None:
        self.reader = reader
        self.random = random
        self.now = 0
        """Milliseconds since the POSIX epoch, of the input being handled."""
        self.effects = Effects()
        self.tasks = Tasks()
        profile = reader.get(spaces.PROFILE, b"profile")
        if profile is None:
            raise spaces.StoredStateError("the profile's store is empty")
        self.profile = spaces.decode(Profile, profile)
        counters = reader.get(spaces.PROFILE, b"counters") or bytes(16)
        self.append_counter = int.from_bytes(counters[:8], "big")
        self._order = int.from_bytes(counters[8:16], "big")
        self.confirmed_append = int.from_bytes(counters[16:], "big")
        """The highest append counter that the relay has confirmed."""
        self.account_key = AccountKey(self.profile.account_seed)
        self.own_account = self.account_key.public
        self.authority = Authority(self.profile.directory_key)
        self.rooms = {key: spaces.decode(Room, value) for key, value in reader.scan(spaces.ROOMS)}
        self.positions = {key: int.from_bytes(value, "big") for key, value in reader.scan(spaces.POSITIONS)}
        self.people = {key: spaces.decode(Person, value) for key, value in reader.scan(spaces.PEOPLE)}
        self.pins = {key.decode(): spaces.decode(Pin, value) for key, value in reader.scan(spaces.HANDLES)}
        self.outbox = {
            item.order: item for _, value in reader.scan(spaces.OUTBOX) for item in [spaces.decode(Outgoing, value)]
        }
        self.pending = {key: spaces.decode(Pending, value) for key, value in reader.scan(spaces.PENDING)}
        self.online: set[bytes] = set()
        """Accounts that the relay says are connected."""
        self.connected = False
        self.live: set[bytes] = set()
        """Channels whose waiting entries have all been taken in on this connection."""
        self.quiet = True
        """Catching up: changes of rooms are told at the end."""
        self.changed_rooms: set[bytes] = set()
        self.changed_people: set[bytes] = set()
        self.active: set[bytes] = set()
        """Rooms in which something may now be possible: looked at before `handle` returns."""
        self.overheard: dict[bytes, set[bytes]] = {}
        """Leave notes in entries that are held back, by channel."""
        self._rosters: dict[bytes, Roster | None] = {}
        self._accounts: dict[bytes, list[bytes]] = {}
        self._roles: dict[bytes, Roles] = {}
        self._groups: dict[tuple[bytes, int], Group] = {}
        self._timers: dict[TimerKey, int] = {}
        self._lines: dict[str, MessageView] = {}
        self._position = 0
        self._dirty_rooms: set[bytes] = set()
        self._dirty_people: set[bytes] = set()
        self._dirty_groups: set[tuple[bytes, int]] = set()
        self._dirty_positions: set[bytes] = set()
        self._dirty_outbox: set[int] = set()
        self._dirty_profile = False
        self._dirty_counter = False

    # -- effects

    def begin(self, now: int) -> None:
        """A new input."""
        self.now = now
        self.effects = Effects()
        self._lines.clear()
        self._position = 0

    def emit(self, event: Event) -> None:
        """Tells the front ends, once everything is on disk."""
        self.effects.events.append(event)

    def put(self, space: str, key: bytes, record: msgspec.Struct | bytes) -> None:
        """Writes a row."""
        value = record if isinstance(record, bytes) else spaces.encode(record)
        self.effects.writes.append(PutRow(space, key, value))

    def delete(self, space: str, key: bytes | None) -> None:
        """Deletes a row, or a whole space."""
        self.effects.writes.append(DeleteRow(space, key))

    def row(self, space: str, key: bytes) -> bytes | None:
        """A row as the writes of this input leave it: the reader shows them only once they are on disk."""
        for write in reversed(self.effects.writes):
            if isinstance(write, PutRow) and (write.space, write.key) == (space, key):
                return write.value
            if isinstance(write, DeleteRow) and write.space == space and write.key in (key, None):
                return None
        return self.reader.get(space, key)

    def rows(self, space: str) -> dict[bytes, bytes]:
        """All rows of a space, in the same way and in the order of their keys."""
        rows = dict(self.reader.scan(space))
        for write in self.effects.writes:
            if isinstance(write, PutRow) and write.space == space:
                rows[write.key] = write.value
            elif isinstance(write, DeleteRow) and write.space == space:
                if write.key is None:
                    rows.clear()
                else:
                    rows.pop(write.key, None)
        return dict(sorted(rows.items()))

    def flush(self) -> Effects:
        """The effects of this input, with every changed record."""
        if self._dirty_profile:
            self.put(spaces.PROFILE, b"profile", self.profile)
        if self._dirty_counter:
            counters = (self.append_counter, self._order, self.confirmed_append)
            self.put(spaces.PROFILE, b"counters", b"".join(map(spaces.order_key, counters)))
        if self._dirty_rooms:
            for channel in sorted(self._dirty_rooms):
                self.put(spaces.ROOMS, channel, self.rooms[channel])
            self._dirty_rooms.clear()
        if self._dirty_positions:
            for channel in sorted(self._dirty_positions):
                self.put(spaces.POSITIONS, channel, spaces.order_key(self.positions[channel]))
            self._dirty_positions.clear()
        if self._dirty_outbox:
            for order in sorted(self._dirty_outbox):
                item = self.outbox.get(order)
                if item is None:
                    self.delete(spaces.OUTBOX, spaces.order_key(order))
                else:
                    self.put(spaces.OUTBOX, spaces.order_key(order), item)
            self._dirty_outbox.clear()
        if self._dirty_people:
            for account in sorted(self._dirty_people):
                self.put(spaces.PEOPLE, account, self.people[account])
            self._dirty_people.clear()
        for channel, number in sorted(self._dirty_groups):
            space = spaces.group_space(channel, number)
            for key, value in self._groups[channel, number].changes():
                self.effects.writes.append(DeleteRow(space, key) if value is None else PutRow(space, key, value))
        while len(self._groups) > GROUPS_IN_MEMORY:
            del self._groups[next(iter(self._groups))]
        self._dirty_profile = self._dirty_counter = False
        self._dirty_groups.clear()
        self.effects.wake_at = min(self._timers.values(), default=0)
        return self.effects

    # -- profile

    def save_profile(self) -> None:
        """The profile has changed."""
        self._dirty_profile = True

    def next_append(self) -> int:
        """A fresh append counter; on disk with the effects of this input, before anything is sent under it."""
        self.append_counter += 1
        self._dirty_counter = True
        return self.append_counter

    def reset_appends(self) -> None:
        """A new store id counts from the start."""
        self.append_counter = self.confirmed_append = 0
        self._dirty_counter = True

    def confirm_append(self, counter: int) -> None:
        """The relay has said that it stored this append."""
        if counter > self.confirmed_append:
            self.confirmed_append = counter
            self._dirty_counter = True

    def next_order(self) -> int:
        """A place in the outbox."""
        self._order += 1
        self._dirty_counter = True
        return self._order

    def save_outgoing(self, item: Outgoing) -> None:
        """Something to send is new or has changed."""
        self.outbox[item.order] = item
        self._dirty_outbox.add(item.order)

    def drop_outgoing(self, item: Outgoing) -> None:
        """It is done with."""
        self.outbox.pop(item.order, None)
        self._dirty_outbox.add(item.order)

    def save_pending(self, room: Room, pending: Pending | None) -> None:
        """The append whose outcome the log will tell; None: resolved."""
        if pending is None:
            if self.pending.pop(room.channel, None) is not None:
                self.delete(spaces.PENDING, room.channel)
        else:
            self.pending[room.channel] = pending
            self.put(spaces.PENDING, room.channel, pending)

    # -- rooms

    def save(self, room: Room) -> None:
        """The record of this room has changed."""
        self.rooms[room.channel] = room
        self._dirty_rooms.add(room.channel)

    def show(self, room: Room) -> None:
        """The room's view has changed: told once, when the input has been handled."""
        self._dirty_rooms.add(room.channel)
        self.changed_rooms.add(room.channel)

    def poke(self, room: Room) -> None:
        """Something may now be possible in this room."""
        self.active.add(room.channel)

    def position(self, channel: bytes) -> int:
        """Sequence number of the last entry taken in."""
        return self.positions.get(channel, 0)

    def advance(self, channel: bytes, seq: int) -> None:
        """An entry has been taken in."""
        if seq > self.positions.get(channel, 0):
            self.positions[channel] = seq
            self._dirty_positions.add(channel)

    def set_back(self, channel: bytes, seq: int) -> None:
        """The relay has lost what came after this entry; its next ones will have the same numbers."""
        self.positions[channel] = seq
        self._dirty_positions.add(channel)

    def is_live(self, room: Room) -> bool:
        """Connected, and everything that waited in this room has been taken in."""
        return self.connected and room.channel in self.live

    # -- people

    def save_person(self, person: Person) -> None:
        """The record of this person has changed."""
        self.people[person.account] = person
        self._dirty_people.add(person.account)

    def save_pin(self, handle: str, pin: Pin) -> None:
        """What the handle stands for has changed."""
        self.pins[handle] = pin
        self.put(spaces.HANDLES, handle.encode(), pin)

    # -- MLS groups

    def group(self, room: Room, number: int | None = None) -> Group:
        """The room's current group, or the one with this number; what is done to it is saved with the effects."""
        number = room.group if number is None else number
        key = (room.channel, number)
        group = self._groups.pop(key, None)
        if group is None:
            rows = dict(self.reader.scan(spaces.group_space(room.channel, number)))
            group = Group.load(rows, self.authority, Limits())
        self._groups[key] = group
        self._dirty_groups.add(key)
        return group

    def adopt_group(self, room: Room, group: Group) -> int:
        """Keeps a new group under a new number."""
        number = self.profile.next_group
        self.profile.next_group += 1
        self._dirty_profile = True
        self._groups[room.channel, number] = group
        self._dirty_groups.add((room.channel, number))
        return number

    def drop_group(self, room: Room, number: int) -> None:
        """Forgets a group with all its secrets."""
        if number:
            self._groups.pop((room.channel, number), None)
            self._dirty_groups.discard((room.channel, number))
            self.delete(spaces.group_space(room.channel, number), None)

    def roster(self, room: Room) -> Roster | None:
        """The members of the room as of the current epoch; None where no group is known."""
        if room.channel not in self._rosters:
            row = self.row(spaces.ROSTERS, room.channel)
            self._rosters[room.channel] = None if row is None else spaces.decode(Roster, row)
        return self._rosters[room.channel]

    def save_roster(self, room: Room, roster: Roster | None) -> None:
        """The members have changed."""
        self._rosters[room.channel] = roster
        self._accounts.pop(room.channel, None)
        self._roles.pop(room.channel, None)
        if roster is None:
            self.delete(spaces.ROSTERS, room.channel)
        else:
            self.put(spaces.ROSTERS, room.channel, roster)

    def read_roster(self, room: Room, invited: set[bytes]) -> Roster:
        """Makes the roster anew from the current group's tree."""
        group = self.group(room)
        entries = [
            RosterEntry(o.leaf_index, o.account, o.identity.handle, o.device, o.identity.device_key, o.identity.serial)
            for o in self.occupants(group)
        ]
        accounts = {entry.account for entry in entries}
        roster = Roster(spaces.FORMAT, group.epoch, roles_of(group.extensions).encode(), entries, invited & accounts)
        self.save_roster(room, roster)
        return roster

    def roles(self, room: Room) -> Roles | None:
        """The roles of the current epoch."""
        roster = self.roster(room)
        if roster is None:
            return None
        roles = self._roles.get(room.channel)
        if roles is None:
            roles = self._roles[room.channel] = msgspec.msgpack.decode(roster.roles, type=Roles)
        return roles

    def occupants(self, group: Group) -> list[Occupant]:
        """The leaves of a group and who holds them."""
        return [occupant_of(self.authority, member) for member in group.members()]

    def accounts(self, room: Room) -> list[bytes]:
        """The accounts in a room, by their first leaf."""
        accounts = self._accounts.get(room.channel)
        if accounts is None:
            roster = self.roster(room)
            accounts = [] if roster is None else list(dict.fromkeys(entry.account for entry in roster.entries))
            self._accounts[room.channel] = accounts
        return accounts

    # -- history

    def line(self, message_id: str) -> MessageView | None:
        """A line of history, with the changes of this input."""
        return self._lines.get(message_id) or self.reader.message(message_id)

    def put_line(self, view: MessageView) -> None:
        """Writes a line of history."""
        self._lines[view.id] = view
        self.effects.writes.append(PutMessage(view))

    def next_position(self) -> int:
        """The position of a new line."""
        position = max(self._position + 1, self.reader.next_position())
        self._position = position
        return position

    # -- timers

    def set_timer(self, purpose: str, channel: bytes, at: int) -> None:
        """To be looked at no earlier than this; an earlier one of the same key stays."""
        key = (purpose, channel)
        self._timers[key] = min(at, self._timers.get(key, at))

    def reset_timer(self, purpose: str, channel: bytes, at: int) -> None:
        """To be looked at then, whatever was set before."""
        self._timers[purpose, channel] = at

    def cancel_timer(self, purpose: str, channel: bytes) -> None:
        """Not needed any more."""
        self._timers.pop((purpose, channel), None)

    def has_timer(self, purpose: str, channel: bytes) -> bool:
        """Whether one is set."""
        return (purpose, channel) in self._timers

    def due(self) -> Iterator[TimerKey]:
        """Takes every timer that is due."""
        due = sorted((at, key) for key, at in self._timers.items() if at <= self.now)
        for _, key in due:
            del self._timers[key]
        return iter([key for _, key in due])

    def jitter(self, low: int, high: int) -> int:
        """A random number of milliseconds."""
        return low + int(self.random.random() * (high - low))
