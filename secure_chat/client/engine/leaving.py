"""Ways out of a room: leaving by one's own Remove proposal, declining an invitation, being removed."""

from secure_chat.client.engine import spaces
from secure_chat.client.engine.changes import Wish
from secure_chat.client.engine.commits import Commits, leaving_leaves
from secure_chat.client.engine.farewells import farewell, remember_leaf
from secure_chat.client.engine.freshness import are_outdated
from secure_chat.client.engine.history import History
from secure_chat.client.engine.integrity import Integrity
from secure_chat.client.engine.leavers import put_by, staying
from secure_chat.client.engine.outbox import Outbox
from secure_chat.client.engine.receipts import Receipts
from secure_chat.client.engine.recovery import lose
from secure_chat.client.engine.session import Session
from secure_chat.client.engine.spaces import Phase, Room
from secure_chat.client.engine.state import State
from secure_chat.client.engine.tasks import Task, wait
from secure_chat.client.events import RoomRemoved, SecurityKind
from secure_chat.client.views import RoomKind
from secure_chat.mls.messages.proposals import Remove
from secure_chat.wire.errors import ErrorCode, RelayError
from secure_chat.wire.messages import Append, Appended, ChannelChange, EntryKind

__all__ = ["Leaving"]

STALE_TRIES = 5
"""Attempts at a proposal that commits of others keep making stale; the leave note holds in any case."""


class Leaving:
    """Takes this device out of rooms."""

    def __init__(
        self,
        state: State,
        session: Session,
        history: History,
        integrity: Integrity,
        receipts: Receipts,
        outbox: Outbox,
        commits: Commits,
    ) -> None:
        self._state = state
        self._session = session
        self._history = history
        self._integrity = integrity
        self._receipts = receipts
        self._outbox = outbox
        self._commits = commits

    def leave(self, room: Room) -> Task[None]:
        """Proposes the own removal, which any member commits, and ends delivery."""
        if room.phase in (Phase.JOINED, Phase.INVITED) and room.group:
            yield from self._hand_over(room)
        room.undecided = room.undecided or room.phase == Phase.INVITED  # what still comes is not for who declines
        room.phase = Phase.LEAVING
        self._state.save(room)
        self._state.show(room)
        yield from self.resume(room)

    def resume(self, room: Room) -> Task[None]:
        """From where leaving was interrupted."""
        state = self._state
        # A commit of one's own that is on its way would change the leaf that the note is for.
        yield from wait(self._commits.idle(room))
        for _ in range(STALE_TRIES):
            if room.spent or not room.group or not state.group(room).active or len(state.accounts(room)) < 2:
                break  # the note says it, too
            try:
                yield from self._propose(room)
                break
            except RelayError as error:
                if error.code is not ErrorCode.STALE:
                    break
        if room.phase != Phase.LEAVING:
            return
        if room.group and not room.spent and state.group(room).active:
            remember_leaf(state, room)  # a store of an earlier version has not
        try:
            yield from self.leave_again(room)
        except RelayError as error:
            if error.code not in (ErrorCode.NOT_FOUND, ErrorCode.FORBIDDEN):
                raise
        if room.phase == Phase.LEAVING:
            self.finish(room, "you left")

    def leave_again(self, room: Room) -> Task[None]:
        """Ends delivery. A proposal ends with its epoch; the notes stand until somebody has committed the removal."""
        state = self._state
        change = ChannelChange(remove=(state.profile.device_id,))
        payload = farewell(state, room)
        append = Append(0, room.channel, state.next_append(), EntryKind.MEMBERS, 0, payload, change)
        yield from self._session.ask(append, Appended)

    def removed(self, room: Room, by: bytes) -> None:
        """A commit has removed this device; one that it had asked for itself lets it leave."""
        if room.phase == Phase.LEAVING:
            self.finish(room, "you left")
            return
        person = self._state.people.get(by)
        handle = "" if person is None else person.handle
        text = f"You were removed by {handle or 'somebody'}."
        self._history.notice(room, "removed", text, by)
        self.finish(room, text, handle)

    def replaced(self, room: Room) -> None:
        """Another copy of this profile has taken this device's place: only one of them can have it, the later one."""
        text = "Another copy of this profile has taken this device's place here; it takes it back with fresh keys."
        self._history.security(room, SecurityKind.ROLLED_BACK, text)
        lose(self._state, room, invited=room.phase == Phase.INVITED)
        self._state.profile.restored = True
        self._state.save_profile()
        self._session.close("starting over with fresh keys", self._state.now)

    def finish(self, room: Room, reason: str, by: str = "") -> None:
        """The room is no longer this device's; its history stays."""
        state = self._state
        room.phase = Phase.LEFT
        self._outbox.drop_room(room, "you are no longer in the room")
        self._commits.forget(room, "you are no longer in the room")
        self._integrity.forget(room)
        self._receipts.start_chain(room)
        for number in (room.group, room.next):
            state.drop_group(room, number)
        room.group = room.next = room.next_at = room.head = 0
        room.acknowledged.clear()
        room.claims.clear()
        room.owed.clear()
        room.expected.clear()
        put_by(state, room, room.notes)  # who comes back may find these leaves still there, and is not told again
        room.notes.clear()
        room.receipt_due = room.undecided = False
        room.attempts = room.foundings = 0
        room.chain_key = b""
        state.save_roster(room, None)
        if room.kind != RoomKind.OPEN:  # whoever enters an open room again is not led into its past
            state.delete(spaces.CODES + room.channel.hex(), None)
        state.delete(spaces.SENT + room.channel.hex(), None)
        for purpose in ("receipt", "outbox", "ladder", "repair", "welcome", "keys", "fresh", "company", "behind"):
            state.cancel_timer(purpose, room.channel)
        self._session.forget(room.channel)
        state.show(room)
        state.poke(room)
        state.emit(RoomRemoved(room.channel.hex(), room.name, reason, by))

    def _hand_over(self, room: Room) -> Task[None]:
        """The last admin promotes the member with the lowest leaf before going, of those who do not go, too."""
        state = self._state
        roles = state.roles(room)
        going = leaving_leaves(state.group(room))
        stay = dict.fromkeys(occupant.account for occupant in staying(state, room) if occupant.leaf_index not in going)
        others = [account for account in stay if account != state.own_account]
        if roles is None or room.kind == RoomKind.DIRECT or not others or state.own_account not in roles.admins:
            return
        if not any(account in roles.admins for account in others):
            yield from wait(self._commits.wish(room, Wish(promote=frozenset(others[:1]))))

    def _propose(self, room: Room) -> Task[None]:
        state = self._state
        group = state.group(room)
        payload = group.propose(Remove(group.own_leaf_index), public=are_outdated(state, room))
        append = Append(0, room.channel, state.next_append(), EntryKind.PROPOSAL, room.head, payload)
        yield from self._session.ask(append, Appended)
