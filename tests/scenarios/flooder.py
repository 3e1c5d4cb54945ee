"""A member that floods a room: with commits of every sort, with messages, and by losing races on purpose.

It is a real client with keys, group and connection whose software was replaced; it goes as fast as the relay lets it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from secure_chat.client.commands import Ban, Kick, RefreshKeys
from secure_chat.client.engine.content import Text
from secure_chat.client.engine.effects import Tick
from secure_chat.client.engine.spaces import Phase
from secure_chat.client.events import Done, RoomRemoved
from secure_chat.client.views import RoomKind
from secure_chat.mls.group.group import Group
from secure_chat.wire.limits import MAX_COMMIT_PAYLOAD
from secure_chat.wire.messages import EntryKind
from tests.adversary.members import Rogue, room_of
from tests.scenarios.harness import Node, World

__all__ = ["HEAD_STARTS", "Flood", "Flooder", "Removal", "remove"]

HEAD_STARTS = (0, 200, 3_000)
"""Milliseconds of flooding before somebody acts: the relay lets the first ten commits pass at once."""

EVERY = 40
"""Milliseconds between what it sends: 25 to 75 appends a second, about what the relay takes from one connection."""


class Flood(StrEnum):
    """What the room is flooded with."""

    COMMITS = "commits"
    """Valid, with a path to everybody: each ends an epoch."""
    JUNK = "junk"
    """Of the largest size; each moves the head, and everybody gets it."""
    MESSAGES = "messages"
    """Valid ones, small."""
    EVERYTHING = "everything"


@dataclass(frozen=True)
class Removal:
    """How it went; milliseconds from the admin's command."""

    head_start: int
    until_done: int
    """Until the log had the removal."""
    until_known: int
    """Until every honest member had followed it."""
    sent: int
    """Appends that the flooder tried."""
    entries: int
    """By how many the log grew meanwhile."""

    def __str__(self) -> str:
        return (
            f"  after {self.head_start / 1000:.1f} s of flood: removal in the log after "
            f"{self.until_done / 1000:.2f} s, followed by everybody after {self.until_known / 1000:.2f} s "
            f"({self.sent} appends tried, {self.entries} entries)"
        )


class Flooder:
    """Floods one room from `start` until it is no member any more."""

    def __init__(self, node: Node, name: str, flood: Flood) -> None:
        self.node = node
        self._rogue = Rogue(node)
        self._name = name
        self._flood = flood
        self._group: Group | None = None
        self._turn = 0
        self._said = 0
        self.sent = 0

    def start(self) -> None:
        """Goes on by itself."""
        if self._rogue.room(self._name).phase != Phase.JOINED:
            return
        if self.node.link is not None:
            for act in self._acts():
                act()
        self.node.world.at(self.node.world.now + EVERY, self.start)

    def _acts(self) -> tuple[Callable[[], None], ...]:
        match self._flood:
            case Flood.COMMITS:
                return (self._commit, self._lose)
            case Flood.JUNK:
                return (self._junk, self._lose)
            case Flood.MESSAGES:
                return (self._message,)
            case Flood.EVERYTHING:
                self._turn += 1
                return (self._junk if self._turn % 2 else self._commit, self._lose, self._message)

    def _commit(self) -> None:
        """Fresh keys again and again; what the relay refuses for now is sent again at once, whatever it said."""
        room, state = self._rogue.room(self._name), self._rogue.state
        if room.channel in state.pending:
            state.cancel_timer("commit_retry", room.channel)
            state.poke(room)
            self.node.handle(Tick())
        else:
            self.node.ask(RefreshKeys(self._name))
        self.sent += 1

    def _junk(self) -> None:
        self._append(EntryKind.COMMIT, bytes(MAX_COMMIT_PAYLOAD))

    def _lose(self) -> None:
        """For a head that is long gone: who loses twice gets the next one reserved."""
        self._append(EntryKind.COMMIT, b"late", head=1)

    def _message(self) -> None:
        room = self._rogue.room(self._name)
        if self._group is None or self._group.epoch != self._rogue.state.group(room).epoch:
            self._group = self._rogue.copy(room)
        self._said += 1
        self._append(EntryKind.APPLICATION, self._rogue.seal(self._group, Text("flood"), counter=self._said))

    def _append(self, kind: EntryKind, payload: bytes, head: int | None = None) -> None:
        self.sent += 1
        self._rogue.append(self._name, kind, payload, head=head)


def remove(
    world: World,
    name: str,
    admin: Node,
    mallory: Node,
    honest: Sequence[Node],
    flood: Flood,
    head_start: int,
    limit: int,
) -> Removal:
    """Mallory floods the room, the admin removes it; in an open room it stays out."""
    room = room_of(admin, name)
    account, state = mallory.engine._state.own_account, admin.engine._state
    flooder = Flooder(mallory, name, flood)
    before = state.position(room.channel)
    flooder.start()
    world.run_for(head_start)
    start = world.now
    command = Ban(name, mallory.name) if room.kind == RoomKind.OPEN else Kick(name, mallory.name)
    asked = admin.ask(command)
    world.run_until(lambda: isinstance(admin.answer(asked), Done), limit, f"{command} is in the log")
    until_done = world.now - start
    world.run_until(lambda: all(_is_without(node, name, account) for node in honest), limit, "all know of it")
    until_known = world.now - start
    entries = state.position(room.channel) - before
    world.run_until(lambda: bool(mallory.told(RoomRemoved)), limit, "the flooder is out")
    return Removal(head_start, until_done, until_known, flooder.sent, entries)


def _is_without(node: Node, name: str, account: bytes) -> bool:
    return account not in node.engine._state.accounts(room_of(node, name))
