"""Ways into a room: founding it, asking to be let in, the external commit, a Welcome; and the same ways back.

    found      the channel has no group yet, or an admin starts the group anew (generation + 1)
    request    a signed request in the log, which any member answers with a commit and a Welcome
    external   in open rooms, when nobody has answered or is there to answer: RFC 9420 §12.4.3.2

A device that can no longer follow a room climbs the same ladder: it asks; if nobody answers, it enters an open room by
itself, or (an admin, either side of a direct conversation) founds the group anew; else it asks again, ever more slowly.
"""

from collections.abc import Callable

from secure_chat.client.engine import spaces
from secure_chat.client.engine.changes import Wish
from secure_chat.client.engine.channel_answers import ChannelAnswers
from secure_chat.client.engine.commits import Commits
from secure_chat.client.engine.content import Accepted
from secure_chat.client.engine.device import DEFAULT_SUITE
from secure_chat.client.engine.directory import Directory
from secure_chat.client.engine.entrances import Entrances
from secure_chat.client.engine.history import History
from secure_chat.client.engine.leavers import staying
from secure_chat.client.engine.outbox import Outbox
from secure_chat.client.engine.policy import acts_as_admin
from secure_chat.client.engine.requests import ForeignRequest, RequestError, Seen, read_request
from secure_chat.client.engine.session import OFFLINE_TEXT, Session
from secure_chat.client.engine.spaces import Phase, Room
from secure_chat.client.engine.state import State
from secure_chat.client.engine.tasks import Promise, Task, wait
from secure_chat.client.errors import CommandFailed
from secure_chat.client.events import FailureCode, SecurityKind
from secure_chat.client.views import RoomKind
from secure_chat.errors import SecureChatError
from secure_chat.wire.errors import ErrorCode, RelayError
from secure_chat.wire.messages import (
    Append,
    Appended,
    ChannelChange,
    ChannelInfo,
    ChannelKind,
    ChannelSummary,
    CreateChannel,
    Entry,
    EntryKind,
    GetChannel,
    Ok,
    Subscribe,
)

__all__ = ["Joining"]

_OUTSIDE = (Phase.ENTERING, Phase.OUT, Phase.NEW)
"""Where a device climbs."""
EXTERNAL_AFTER = 3_000
"""Milliseconds without an answer to a request after which an open room is entered by an external commit."""
REFOUND_AFTER = 8_000
"""Milliseconds after which who may founds the group anew; jitter keeps two from doing it at once."""
WELCOME_WAIT = 10_000
"""Milliseconds that a Welcome may lag behind the entry that it belongs to."""
FIRST_PAUSE = 30_000
LONGEST_PAUSE = 600_000
"""Milliseconds between requests that nobody answers."""
LAST_RESORT = 6
"""Attempts after which an open room is entered in an earlier state than this device has seen, if there is no other:
everybody else may be gone, and the relay have lost the rest."""
PATIENCE = 5
"""Attempts after which a closed room that the relay does not know is given up: other members may bring it back; and an
invitation that nobody can answer: who may found the room anew has done so by then."""


class Joining:
    """Climbs the ladder for every room that this device wants to be in and is not."""

    def __init__(
        self,
        state: State,
        session: Session,
        directory: Directory,
        history: History,
        commits: Commits,
        entrances: Entrances,
        outbox: Outbox,
        gone: Callable[[Room], None],
    ) -> None:
        self._state = state
        self._session = session
        self._gone = gone
        """The relay no longer has, or no longer shows, the room's channel."""
        self._directory = directory
        self._history = history
        self._commits = commits
        self._entrances = entrances
        self._outbox = outbox
        self._channels = ChannelAnswers(state, history)
        self._requests = Seen()
        self._climbing: set[bytes] = set()
        self._waiting: dict[bytes, list[Promise[None]]] = {}
        self._asking: dict[bytes, set[bytes]] = {}
        """By room: devices that have asked to be added since anybody has changed it."""

    # -- what users ask for

    def enter_open(self, name: str) -> Task[Room]:
        """Enters an open room, making it if there is none; done when this device is in."""
        info = yield from self._make(CreateChannel(0, ChannelKind.OPEN, name))
        room = self._room_of(info.summary, name)
        yield from self._begin(room, info)
        yield from self._entered(room)
        return room

    def create_closed(self, name: str, suite: int, members_may_invite: bool) -> Task[Room]:
        """Makes a closed room with nobody else in it."""
        info = yield from self._make(CreateChannel(0, ChannelKind.ROOM))
        room = self._room_of(info.summary, name)
        room.suite, room.invite_policy = suite, members_may_invite
        yield from self._begin(room, info)
        yield from self._entered(room)
        return room

    def start_direct(self, handle: str) -> Task[Room]:
        """The direct conversation with a person; messages may be queued in it at once."""
        person = yield from self._directory.find(handle)
        if person.account == self._state.own_account:
            raise CommandFailed(FailureCode.INVALID, "that is you")
        for room in self._state.rooms.values():
            if room.kind == RoomKind.DIRECT and room.peer == person.account and room.phase != Phase.LEFT:
                return room
        info = yield from self._make(CreateChannel(0, ChannelKind.DIRECT, peer=person.account))
        room = self._room_of(info.summary, handle)
        room.peer = person.account
        yield from self._begin(room, info)
        return room

    def accept(self, room: Room) -> None:
        """The person wants to be in the room that this device was added to."""
        if room.phase == Phase.INVITED:
            room.phase = Phase.JOINED
        room.undecided = False  # who is out comes back as somebody who has accepted
        self._state.save(room)
        self._outbox.queue(room, Accepted())
        self._state.show(room)

    def _make(self, asked: CreateChannel) -> Task[ChannelInfo]:
        info = yield from self._session.ask(asked, ChannelInfo)
        self._channels.require_made(asked, info)
        return info

    def _look(self, room: Room) -> Task[ChannelInfo]:
        info = yield from self._session.ask(GetChannel(0, room.channel), ChannelInfo)
        self._channels.require_same(room, info)
        return info

    def refound(self, room: Room, without: set[bytes], suite: int | None) -> Task[None]:
        """Starts the group anew with everybody but these accounts."""
        answer = yield from self._look(room)
        yield from self._entrances.found(room, answer, without, suite or room.suite or DEFAULT_SUITE)

    # -- the ladder

    def advance(self, room: Room) -> None:
        """Takes the next step where one is due."""
        state = self._state
        if room.phase == Phase.JOINED:
            for promise in self._waiting.pop(room.channel, ()):
                promise.keep(None)
            return
        if room.phase == Phase.LEFT:
            for promise in self._waiting.pop(room.channel, ()):
                promise.fail(CommandFailed(FailureCode.REFUSED, "you left the room"))
            return
        if room.phase not in _OUTSIDE or not self._session.entered:
            return
        if room.channel in self._climbing or room.channel in state.pending:
            return
        if room.next and (room.phase != Phase.NEW or room.channel in state.live):
            return
        if state.has_timer("ladder", room.channel):
            return
        if room.phase == Phase.NEW and not room.attempts:
            room.attempts = 1
            state.set_timer("ladder", room.channel, state.now + WELCOME_WAIT)
            return
        if room.phase == Phase.OUT and not room.attempts:
            room.attempts = 1
            state.save(room)
            state.set_timer("ladder", room.channel, state.now + state.jitter(0, 1_000))
            return
        self._climb(room)

    def hurry(self, account: bytes) -> None:
        """Somebody has come online who could answer a request."""
        state = self._state
        for room in state.rooms.values():
            if room.phase in (Phase.OUT, Phase.ENTERING) and account in state.accounts(room) and room.attempts > 2:
                room.attempts = 1
                state.reset_timer("ladder", room.channel, state.now + state.jitter(500, 2_000))

    def disconnected(self) -> None:
        """Whoever waits to be let in is told; the wish itself stays."""
        self._asking.clear()
        waiting = [promise for promises in self._waiting.values() for promise in promises]
        self._waiting.clear()
        for promise in waiting:
            promise.fail(CommandFailed(FailureCode.OFFLINE, OFFLINE_TEXT))

    def give_up(self, room: Room, reason: str) -> None:
        """This device will not get in: the relay refuses for good."""
        room.phase = Phase.LEFT
        self._state.save(room)
        self._state.show(room)
        self._state.cancel_timer("ladder", room.channel)
        for promise in self._waiting.pop(room.channel, ()):
            promise.fail(CommandFailed(FailureCode.REFUSED, reason))

    def _climb(self, room: Room) -> None:
        self._climbing.add(room.channel)
        self._state.tasks.start(self._step(room), lambda promise: self._stepped(room, promise))

    def _stepped(self, room: Room, promise: Promise[None]) -> None:
        self._climbing.discard(room.channel)
        state = self._state
        try:
            promise.result()
        except RelayError as error:
            refused = error.code in (ErrorCode.FORBIDDEN, ErrorCode.NOT_FOUND)
            if refused and room.phase != Phase.OUT:
                self.give_up(room, f"the relay refused: {error}")
            elif error.code is ErrorCode.NOT_FOUND and (room.kind != RoomKind.ROOM or room.attempts > PATIENCE):
                self._gone(room)
            else:
                room.attempts += refused
                state.save(room)
                state.set_timer("ladder", room.channel, state.now + (error.retry_after or FIRST_PAUSE))
        except CommandFailed as failure:
            if failure.code is not FailureCode.OFFLINE:  # else the next connection goes on
                state.set_timer("ladder", room.channel, state.now + state.jitter(FIRST_PAUSE // 2, FIRST_PAUSE))
        except SecureChatError:
            state.set_timer("ladder", room.channel, state.now + state.jitter(1_000, 3_000))
        state.poke(room)

    def _step(self, room: Room) -> Task[None]:
        state = self._state
        if room.next:  # a Welcome has come, and nothing of its room: the relay says so if it delivers none of it
            state.set_timer("ladder", room.channel, state.now + FIRST_PAUSE)
            yield from self._session.ask(Subscribe(0, ((room.channel, state.position(room.channel)),)), Ok)
            return
        info = yield from self._look(room)
        if room.channel in state.pending or room.next or room.phase not in _OUTSIDE:
            return
        if not info.summary.generation or self._alone(room, info):
            # No group yet, or nobody else is left in it: whoever comes first begins.
            alone = room.kind == RoomKind.OPEN
            yield from self._entrances.found(room, info, set(), room.suite or DEFAULT_SUITE, alone=alone)
            return
        if room.phase == Phase.NEW and self._deserted(room, info):
            yield from self._drop_out(room)
            return
        attempt = room.attempts
        room.attempts += 1
        state.save(room)
        opened = room.kind == RoomKind.OPEN
        may_found = self._may_refound(room)
        if opened and (attempt % 2 == 0 or not info.attended) and attempt < 8:
            state.set_timer("ladder", room.channel, state.now + state.jitter(2_000, 6_000))
            yield from self._entrances.external(room, info, last_resort=attempt >= LAST_RESORT)
        elif may_found and attempt >= (8 if opened else 2):
            state.set_timer("ladder", room.channel, state.now + state.jitter(REFOUND_AFTER, 2 * REFOUND_AFTER))
            without = {room.out_author} - {state.own_account} if room.kind != RoomKind.DIRECT else set[bytes]()
            yield from self._entrances.found(room, info, without, room.suite or DEFAULT_SUITE)
        else:
            state.set_timer("ladder", room.channel, state.now + self._pause(attempt, opened, may_found))
            yield from self._entrances.request(room, info)

    def _alone(self, room: Room, info: ChannelInfo) -> bool:
        """Whether nobody could answer: this device's own past self, or nobody, is all that the relay lists."""
        others = {member.device for member in info.devices} - {self._state.profile.device_id}
        return not others and room.phase != Phase.NEW and room.kind != RoomKind.DIRECT

    def _deserted(self, room: Room, info: ChannelInfo) -> bool:
        """Whether nobody is inside: whom the relay lists is outside, too, and none of them founds the room anew."""
        others = {member.device for member in info.devices} - {self._state.profile.device_id}
        patient = room.kind == RoomKind.ROOM and room.attempts > PATIENCE
        return not others or (patient and others <= self._asking.get(room.channel, set()))

    def _drop_out(self, room: Room) -> Task[None]:
        """Was added, but everybody who could let this device in has gone: there is nothing to enter."""
        change = ChannelChange(remove=(self._state.profile.device_id,))
        append = Append(0, room.channel, self._state.next_append(), EntryKind.MEMBERS, 0, b"", change)
        yield from self._session.ask(append, Appended)
        self.give_up(room, "nobody is left in the room")

    def _pause(self, attempt: int, opened: bool, may_found: bool) -> int:
        if opened and attempt < 8:
            return EXTERNAL_AFTER
        if may_found:
            return self._state.jitter(REFOUND_AFTER, 2 * REFOUND_AFTER)
        pause = min(FIRST_PAUSE * 2 ** min(max(attempt - 1, 0), 8), LONGEST_PAUSE)
        return self._state.jitter(pause // 2, pause)

    def _may_refound(self, room: Room) -> bool:
        state = self._state
        if room.kind == RoomKind.DIRECT:
            return True
        roles, roster = state.roles(room), state.roster(room)
        if room.kind == RoomKind.ROOM and room.phase == Phase.ENTERING:
            return True  # its own founding is lost to this device, and perhaps to all
        if roles is None or roster is None or not room.group:
            return False
        return acts_as_admin(roles, staying(state, room), state.own_account)

    # -- steps

    def _begin(self, room: Room, info: ChannelInfo) -> Task[None]:
        """A channel to be in: subscribed if the relay lists the device, then the ladder."""
        state = self._state
        if room.phase == Phase.LEAVING:
            raise CommandFailed(FailureCode.BLOCKED, "you are just leaving the room: join it again when that is done")
        if room.phase == Phase.INVITED:
            self.accept(room)
        if room.phase in (Phase.JOINED, Phase.OUT):
            room.undecided = False
            return
        room.phase = Phase.ENTERING
        room.attempts = 1
        state.cancel_timer("ladder", room.channel)
        listed = {member.device for member in info.devices}
        state.save(room)
        state.show(room)
        if state.profile.device_id in listed and room.channel not in state.live:
            yield from self._session.ask(Subscribe(0, ((room.channel, state.position(room.channel)),)), Ok)
        state.poke(room)

    def _entered(self, room: Room) -> Task[None]:
        if room.phase == Phase.JOINED:
            return
        promise: Promise[None] = Promise()
        self._waiting.setdefault(room.channel, []).append(promise)
        yield from wait(promise)

    def _room_of(self, summary: ChannelSummary, name: str) -> Room:
        room = self._state.rooms.get(summary.channel)
        if room is None:
            room = Room(spaces.FORMAT, summary.channel, summary.kind.value, summary.name or name, peer=summary.peer)
            self._state.save(room)
        return room

    # -- others' requests

    def overhear(self, room: Room, entry: Entry) -> None:
        """An entry that waits until this device is in: who asks is outside, who changes the room is inside."""
        if entry.kind is EntryKind.REQUEST:
            self._asking.setdefault(room.channel, set()).add(entry.sender)
        elif entry.kind in (EntryKind.COMMIT, EntryKind.FOUNDING):
            self._asking.pop(room.channel, None)

    def on_request(self, room: Room, entry: Entry) -> None:
        """Somebody asks to be added: into the next commit, if they may be."""
        state = self._state
        if room.phase not in (Phase.JOINED, Phase.INVITED) or entry.sender == state.profile.device_id:
            return
        if self._requests.before(entry.payload, state.now):
            text = "A request to be added to the room came a second time; it was ignored."
            self._history.security(room, SecurityKind.REPLAY, text, time=entry.time)
            return
        group = state.group(room)
        try:
            newcomer = read_request(
                entry.payload,
                state.authority,
                group.suite,
                channel=room.channel,
                generation=room.generation,
                sender=entry.sender,
                now=state.now,
            )
        except ForeignRequest as error:
            text = f"Somebody else's request to be added was posted again and ignored: {error}."
            self._history.security(room, SecurityKind.REPLAY, text, time=entry.time)
            return
        except RequestError:
            return  # nobody answers it, and the log is full of what people write: no event
        account = newcomer.identity.account_key
        expected = account in room.expected
        if room.kind == RoomKind.ROOM and account not in state.accounts(room) and not expected:
            return  # closed: who has no leaf needs an invitation
        person = self._directory.observe(newcomer.identity)
        if newcomer.identity.serial < person.minimum_serial:
            return
        self._commits.request(room, Wish(add=(newcomer,), request=newcomer.identity.device_id, expected=expected))
