"""Whose turn it is to do what any member may: to let in who asks, to take out who leaves or was withdrawn.

The lowest leaf that is online goes first, after a moment in which more may gather for the same commit; if it does not,
the next in line goes, and so on. Who has made many commits within a minute goes to the end of the line, so that in a
crowd the work is shared and nobody meets the relay's limit. All of it is read from the log, by everybody alike: two
commits for the same work would cost the room the larger part of its traffic.
"""

from collections import Counter, deque
from collections.abc import Collection
from dataclasses import dataclass, field

from secure_chat.client.engine.changes import Wish
from secure_chat.client.engine.spaces import Room, RosterEntry
from secure_chat.client.engine.state import State

__all__ = ["Turns"]

GATHER = 60
"""Milliseconds for which work gathers before the first in line commits it."""
PACE = 1_000
"""Milliseconds between two such commits: what comes in between shares one, with its Welcome and ratchet tree."""
TURN = 700
"""Milliseconds after which the next in line does what the one before has not."""
NEAR = 3
SPREAD = 60
"""Milliseconds between turns further down the line than `NEAR`, where a crowd waits."""
LONGEST = 10_000
JITTER = 200
NEW = 2_000
"""Milliseconds in which who has just come in or connected takes everybody for online: it is being told only now."""
SHARE = 8
"""Commits a minute after which a device stands back: the relay allows ten."""
MINUTE = 60_000
MAX_REQUESTS = 256
"""Devices that wait in one room: four commits have room for them. The oldest are forgotten, and ask again."""
_REMEMBERED = 256


@dataclass(slots=True)
class _Line:
    """Of one room, in memory, for as long as this device is in it and connected."""

    since: int
    requests: dict[bytes, Wish] = field(default_factory=dict)
    """Devices that asked to be added."""
    leaving: frozenset[int] = frozenset()
    due: bool = False
    """It is this device's turn."""
    served_at: int = 0
    """When such work was last done."""
    commits: deque[tuple[int, bytes]] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    """When which device has committed."""


class Turns:
    """What waits to be done in each room by whoever comes first, and when that is this device."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._lines: dict[bytes, _Line] = {}

    def ask(self, room: Room, wish: Wish) -> None:
        """A device asks to be added."""
        requests = self._of(room).requests
        requests.pop(wish.request, None)
        requests[wish.request] = wish
        while len(requests) > MAX_REQUESTS:
            del requests[next(iter(requests))]
        self._state.poke(room)

    def requests(self, room: Room) -> list[Wish]:
        """Devices that wait to be added."""
        return list(self._of(room).requests.values())

    def settle(self, room: Room, wish: Wish) -> None:
        """A request, if this wish is one, needs no answer any more."""
        self._of(room).requests.pop(wish.request, None)

    def come(self, room: Room) -> None:
        """Nobody before this device in line has done it."""
        self._of(room).due = True

    def take(self, room: Room) -> bool:
        """Whether it is this device's turn, which is then over."""
        line = self._of(room)
        due, line.due = line.due, False
        return due

    def wait(self, room: Room, leaving: frozenset[int], *, work: bool) -> bool:
        """Whether this device's turn has come to do what has to be done; else waits for it."""
        state, line = self._state, self._of(room)
        line.leaving = leaving
        if not work:
            line.due = False
            state.cancel_timer("commit", room.channel)
        elif not line.due and not state.has_timer("commit", room.channel):
            state.set_timer("commit", room.channel, state.now + self._delay(room, line))
        return work and line.due

    def committed(self, room: Room, device: bytes, leaving: Collection[int]) -> None:
        """A commit of this device's was merged: where it did some of the work, the rest waits for a turn anew.

        Where it did none the turns stay as they are, so that nobody keeps others from theirs by commits.
        """
        state, line = self._state, self._of(room)
        line.commits.append((state.now, device))
        roster = state.roster(room)
        assert roster is not None
        serials = {(entry.account, entry.device): entry.serial for entry in roster.entries}
        answered = [asking for asking, wish in line.requests.items() if _is_answered(wish, serials)]
        for asking in answered:
            del line.requests[asking]
        if answered or line.leaving - set(leaving):
            line.due = False
            line.served_at = state.now
            state.cancel_timer("commit", room.channel)

    def forget(self, room: Room) -> None:
        """The room is no longer this device's."""
        self._lines.pop(room.channel, None)
        self._state.cancel_timer("commit", room.channel)

    def disconnected(self) -> None:
        """Others will have done what is asked for by now; who is still outside asks again."""
        self._lines.clear()

    def _delay(self, room: Room, line: _Line) -> int:
        """Milliseconds until this device's turn."""
        state = self._state
        first = max(GATHER, line.served_at + PACE - state.now)
        place = self._place(room, line)
        if not place:
            return first
        later = TURN * min(place, NEAR) + SPREAD * max(place - NEAR, 0) + state.jitter(0, JITTER)
        return min(first + later, LONGEST)

    def _place(self, room: Room, line: _Line) -> int:
        """How many are before this device."""
        state = self._state
        roster = state.roster(room)
        assert roster is not None
        while line.commits and line.commits[0][0] <= state.now - MINUTE:
            line.commits.popleft()
        made = Counter(device for _, device in line.commits)

        def order(entry: RosterEntry) -> tuple[bool, int]:
            return made[entry.device] >= SHARE, entry.leaf_index

        own = next((e for e in roster.entries if self._is_own(e)), None)
        if own is None or own.leaf_index in line.leaving:
            return len(roster.entries)
        new = state.now - line.since < NEW
        mine = order(own)
        return sum(
            1
            for entry in roster.entries
            if entry.leaf_index not in line.leaving
            and (new or entry.account in state.online or entry.account == state.own_account)
            and order(entry) < mine
        )

    def _is_own(self, entry: RosterEntry) -> bool:
        return entry.account == self._state.own_account and entry.device == self._state.profile.device_id

    def _of(self, room: Room) -> _Line:
        line = self._lines.get(room.channel)
        if line is None:
            line = self._lines[room.channel] = _Line(self._state.now)
        return line


def _is_answered(wish: Wish, serials: dict[tuple[bytes, bytes], int]) -> bool:
    wanted = [newcomer.identity for newcomer in wish.add]
    return all(serials.get((who.account_key, who.device_id), -1) >= who.serial for who in wanted)
