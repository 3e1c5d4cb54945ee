"""Who is evidently in the same epoch of a room as this device, and who evidently is not.

A relay that hides changes, or shows two halves of a room different ones, leaves a device in a group of its own while
the log looks whole. What gives it away is that members who should be readable are not: their messages claim a later
epoch or another group, or do not open. One such message proves nothing, since anybody can send garbage; but once more
people are elsewhere than here (or as many, and nobody has been heard for a while), it is this device that has lost the
room, and it asks to be added again.
"""

from dataclasses import dataclass, field

from secure_chat.client.engine.spaces import Phase, Room
from secure_chat.client.engine.state import State
from secure_chat.mls.errors import CryptoError, MLSError, WrongEpochError, WrongGroupError
from secure_chat.wire.messages import Entry

__all__ = ["Company"]

PAUSE = 10 * 60_000
"""Milliseconds in which a device gives up a room on such evidence at most once: members who send garbage can't keep
others busy."""


DOUBT = 30_000
"""Milliseconds in which somebody may still be heard where as many are here as elsewhere."""


@dataclass(slots=True)
class _Seen:
    """Of one room in its current epoch."""

    epoch: tuple[int, int] = (0, -1)
    here: set[bytes] = field(default_factory=set)
    elsewhere: set[bytes] = field(default_factory=set)
    lost_at: int = -PAUSE


class Company:
    """Weighs the evidence; in memory only, since it comes again."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._rooms: dict[bytes, _Seen] = {}

    def heard(self, room: Room, account: bytes) -> None:
        """Something of this account's, signed, in the current epoch: it is here."""
        seen = self._of(room)
        seen.here.add(account)
        seen.elsewhere.discard(account)
        if len(seen.elsewhere) < len(seen.here):
            self._state.cancel_timer("company", room.channel)

    def missed(self, room: Room, entry: Entry, reason: MLSError) -> bool:
        """Something that the relay says a member sent is not for this epoch; True if this device has lost the room."""
        ahead = isinstance(reason, WrongEpochError) and reason.ahead
        if not ahead and not isinstance(reason, CryptoError | WrongGroupError):
            return False
        roster = self._state.roster(room)
        if roster is None or room.phase not in (Phase.JOINED, Phase.INVITED):
            return False
        account = next((e.account for e in roster.entries if e.device == entry.sender), b"")
        if not account or account == self._state.own_account:
            return False
        seen = self._of(room)
        seen.elsewhere.add(account)
        seen.here.discard(account)
        if len(seen.elsewhere) == len(seen.here):
            self._state.set_timer("company", room.channel, self._state.now + DOUBT)
        return len(seen.elsewhere) > len(seen.here) and self.gone(room)

    def gone(self, room: Room) -> bool:
        """Whether the evidence still says that the others are elsewhere; not again too soon."""
        seen = self._of(room)
        if room.phase not in (Phase.JOINED, Phase.INVITED) or not seen.elsewhere:
            return False
        return len(seen.elsewhere) >= len(seen.here) and self.may_leave(room)

    def may_leave(self, room: Room) -> bool:
        """Whether this device may give up the room on what others say: not again too soon."""
        seen, now = self._of(room), self._state.now
        if now - seen.lost_at < PAUSE:
            return False
        seen.lost_at = now
        return True

    def _of(self, room: Room) -> _Seen:
        seen = self._rooms.setdefault(room.channel, _Seen())
        roster = self._state.roster(room)
        epoch = (room.generation, -1 if roster is None else roster.epoch)
        if seen.epoch != epoch:
            seen.epoch = epoch
            seen.here.clear()
            seen.elsewhere.clear()
        return seen
