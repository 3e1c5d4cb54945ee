"""What the relay has confirmed to have stored of this device's own, held against what it delivers.

An author is a member like everybody else: a confirmed message has to come back in the room's log. A relay that was set
back, or that throws away what it confirms, could otherwise hide that by leaving out just these entries.
"""

from secure_chat.client.engine.history import History
from secure_chat.client.engine.spaces import Owed, Phase, Room
from secure_chat.client.engine.state import State
from secure_chat.client.engine.tasks import Promise
from secure_chat.client.events import SecurityKind
from secure_chat.errors import SecureChatError
from secure_chat.wire.messages import Append, Appended, ChannelSummary, EntryKind, LoggedIn, ServerMessage

__all__ = ["Confirmed"]

MAX_OWED = 256
"""Confirmed messages of one room that are waited for: twice what may be on its way at once."""
_DELIVERED = (EntryKind.APPLICATION, EntryKind.PROPOSAL)
"""What only a member appends, who then has to be shown it; what becomes of a commit the log tells in any case."""


class Confirmed:
    """Remembers the relay's word."""

    def __init__(self, state: State, history: History) -> None:
        self._state = state
        self._history = history
        self._sent: set[int] = set()
        """Append counters on their way on this connection whose entry has not come."""

    def asked(self, append: Append, promise: Promise[ServerMessage]) -> None:
        """An append leaves; its answer will be the relay's word."""
        if append.kind in _DELIVERED:
            self._sent.add(append.counter)
        promise.when_settled(lambda: self._answered(append, promise))

    def _answered(self, append: Append, promise: Promise[ServerMessage]) -> None:
        state = self._state
        due = append.counter in self._sent
        self._sent.discard(append.counter)
        try:
            answer = promise.result()
        except SecureChatError:
            return
        if not isinstance(answer, Appended):
            return
        state.confirm_append(append.counter)
        room = state.rooms.get(append.channel)
        if due and room is not None and room.phase != Phase.LEFT:
            room.owed = [*room.owed, Owed(append.counter, answer.seq)][-MAX_OWED:]
            state.save(room)
            self._look(room, state.position(room.channel))

    def passed(self, room: Room, store: bytes, counter: int, seq: int) -> None:
        """An entry of a room has been taken in."""
        if store == self._state.profile.store:
            self._sent.discard(counter)
            if any(owed.counter == counter for owed in room.owed):
                room.owed = [owed for owed in room.owed if owed.counter != counter]
                self._state.save(room)
        if room.owed:
            self._look(room, seq)

    def caught_up(self, room: Room) -> None:
        """Everything that waited has been taken in: what was confirmed on earlier connections has to be among it."""
        if room.owed:
            self._look(room, max(owed.seq for owed in room.owed))

    def last(self, channel: bytes) -> int:
        """The newest entry that must be at the relay: taken in here, or confirmed."""
        room = self._state.rooms.get(channel)
        owed = () if room is None else room.owed
        return max([self._state.position(channel), *(one.seq for one in owed)])

    def listed(self, summary: ChannelSummary) -> None:
        """What was deleted in the meantime, or lies before this device was added again, will not be delivered."""
        room = self._state.rooms.get(summary.channel)
        if room is not None and room.owed:
            begin = max(summary.first, summary.joined)
            room.owed = [owed for owed in room.owed if owed.seq >= begin]
            self._state.save(room)

    def forget(self, channel: bytes) -> None:
        """The relay has lost something, and that was told."""
        room = self._state.rooms.get(channel)
        if room is not None and room.owed:
            room.owed = []
            self._state.save(room)

    def logged_in(self, answer: LoggedIn, *, told: bool) -> bool:
        """The relay knows at least the appends that it has confirmed; True if not, and it did not say so."""
        state = self._state
        self._sent.clear()
        if answer.last_counter >= state.confirmed_append:
            return False
        state.confirmed_append = answer.last_counter
        if not told:
            text = "The relay no longer knows what it had confirmed to this device: it was set back without a word."
            self._history.notice_security(SecurityKind.SET_BACK, text)
        return not told

    def _look(self, room: Room, seq: int) -> None:
        """Tells what should have come up to this entry."""
        missing = sum(owed.seq <= seq for owed in room.owed)
        if missing:
            room.owed = [owed for owed in room.owed if owed.seq > seq]
            self._state.save(room)
            what = "1 message" if missing == 1 else f"{missing} messages"
            text = f"The relay confirmed {what} of yours and left that out of its log: others may not have it."
            self._history.security(room, SecurityKind.WITHHELD, text)
