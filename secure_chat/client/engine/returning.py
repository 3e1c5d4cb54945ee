"""A large room that was started anew: one commit adds 64 devices, the others follow.

Everybody who goes over from the old group remembers who is still to come. The founder adds them at once; should it be
gone, any other admin does after a while. They are no newcomers: they are not asked, and nobody is told that they are
invited.
"""

from collections.abc import Callable, Collection

from secure_chat.client.engine.changes import Newcomer, Wish
from secure_chat.client.engine.commits import Commits
from secure_chat.client.engine.policy import acts_as_admin
from secure_chat.client.engine.spaces import Phase, Room
from secure_chat.client.engine.state import State
from secure_chat.client.engine.tasks import Promise, Task, wait
from secure_chat.client.views import RoomKind
from secure_chat.errors import SecureChatError
from secure_chat.wire.limits import CLAIM_BATCH, MAX_ADDS_PER_COMMIT

__all__ = ["Returning"]

FOUNDER_GONE = 60_000
"""Milliseconds after which an admin does what the founder seems not to do, with as much jitter."""
PAUSE = 30_000
"""Milliseconds until it is tried again after a refusal."""


class Returning:
    """Brings back whoever the founding commit had no room for."""

    def __init__(
        self, state: State, commits: Commits, claim: Callable[[int, list[bytes]], Task[tuple[Newcomer, ...]]]
    ) -> None:
        self._state = state
        self._commits = commits
        self._claim = claim
        self._working: set[bytes] = set()

    def expect(self, room: Room, accounts: Collection[bytes]) -> None:
        """Another has started the room anew without these, whom it has not removed."""
        state = self._state
        room.returning = list(accounts) if room.kind != RoomKind.DIRECT else []
        state.save(room)
        state.cancel_timer("returning", room.channel)
        if room.returning:
            state.reset_timer("returning", room.channel, state.now + state.jitter(FOUNDER_GONE, 2 * FOUNDER_GONE))

    def advance(self, room: Room) -> None:
        """Adds those who are still missing, if this device may and its time has come."""
        state = self._state
        if not room.returning or room.phase != Phase.JOINED or not state.is_live(room):
            return
        if room.channel in state.pending or room.next or room.channel in self._working:
            return
        roles, here = state.roles(room), set(state.accounts(room))
        left = [account for account in room.returning if account not in here]
        if left != room.returning:
            room.returning = left
            state.save(room)
        if not left or roles is None or state.has_timer("returning", room.channel):
            return
        if not acts_as_admin(roles, state.occupants(state.group(room)), state.own_account):
            return
        self._working.add(room.channel)
        state.tasks.start(self._add(room, left[:CLAIM_BATCH]), lambda promise: self._added(room, promise))

    def disconnected(self) -> None:
        """What was under way goes on with the next connection."""
        self._working.clear()

    def _add(self, room: Room, accounts: list[bytes]) -> Task[None]:
        roles = self._state.roles(room)
        banned = () if roles is None else roles.banned
        newcomers = yield from self._claim(room.suite, [account for account in accounts if account not in banned])
        for first in range(0, len(newcomers), MAX_ADDS_PER_COMMIT):
            yield from wait(self._commits.wish(room, Wish(add=newcomers[first : first + MAX_ADDS_PER_COMMIT])))
        # Who has no device that could be added is not waited for any longer.
        room.returning = [account for account in room.returning if account not in accounts]
        self._state.save(room)

    def _added(self, room: Room, promise: Promise[None]) -> None:
        self._working.discard(room.channel)
        try:
            promise.result()
        except SecureChatError:
            self._state.reset_timer("returning", room.channel, self._state.now + PAUSE)
        self._state.poke(room)
