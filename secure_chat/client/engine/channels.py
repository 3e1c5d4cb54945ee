"""The relay's list of this device's channels, brought in line with the rooms known here."""

from secure_chat.client.engine import spaces
from secure_chat.client.engine.aftermath import Aftermath
from secure_chat.client.engine.commits import Commits
from secure_chat.client.engine.confirmed import Confirmed
from secure_chat.client.engine.freshness import begin_era
from secure_chat.client.engine.history import History
from secure_chat.client.engine.joining import WELCOME_WAIT, Joining
from secure_chat.client.engine.leaving import Leaving
from secure_chat.client.engine.log import RoomLog
from secure_chat.client.engine.policy import acts_as_admin
from secure_chat.client.engine.recovery import lose
from secure_chat.client.engine.session import Session
from secure_chat.client.engine.spaces import Phase, Room
from secure_chat.client.engine.state import State
from secure_chat.client.engine.tasks import Task
from secure_chat.client.events import RoomRemoved, SecurityKind
from secure_chat.client.views import RoomKind
from secure_chat.wire.messages import (
    Append,
    Appended,
    ChannelChange,
    ChannelInfo,
    ChannelSummary,
    EntryKind,
    GetChannel,
    LoggedIn,
)

__all__ = ["Channels"]

LOBBY = "lobby"
JUMP = 2**32
"""A restored relay leaves out a multiple of so many sequence numbers."""


class Channels:
    """Channels as the relay lists them."""

    def __init__(
        self,
        state: State,
        session: Session,
        history: History,
        joining: Joining,
        leaving: Leaving,
        log: RoomLog,
        aftermath: Aftermath,
        commits: Commits,
        confirmed: Confirmed,
    ) -> None:
        self._state = state
        self._session = session
        self._history = history
        self._joining = joining
        self._leaving = leaving
        self._log = log
        self._aftermath = aftermath
        self._commits = commits
        self._confirmed = confirmed
        self._foundings: dict[bytes, int] = {}
        """What the relay has said of channels whose entries are on the way."""
        self.inbox = b""
        """The channel where Welcomes arrive."""

    def logged_in(self, answer: LoggedIn) -> list[bytes]:
        """After login: every channel to subscribe to, the inbox first."""
        state, profile = self._state, self._state.profile
        self.inbox = answer.inbox.channel
        renewed = bool(profile.incarnation) and profile.incarnation != answer.incarnation
        if profile.incarnation != answer.incarnation:
            profile.incarnation = answer.incarnation
            state.save_profile()
        if renewed:
            begin_era(state)
            text = "The relay was restored from a backup: what it had received after that is lost there."
            self._history.notice_security(SecurityKind.NEW_INCARNATION, text)
            self._forget_numbers({summary.channel for summary in answer.channels})
        set_back = self._confirmed.logged_in(answer, told=renewed)
        listed = {summary.channel: summary for summary in answer.channels}
        behind = [s.last - max(state.position(s.channel), s.cursor) for s in answer.channels]
        self._session.expect(sum(map(_waiting, behind)))
        for summary in answer.channels:
            self._list(summary, logged_in=True)
        for summary in (answer.inbox, *answer.channels):
            set_back |= self._check_last(summary, told=renewed)
        if renewed or set_back:
            for room in state.rooms.values():
                self._aftermath.send_again(room)
        for room in list(state.rooms.values()):
            found = listed.get(room.channel)
            if room.next_at and (found is None or room.next_at > found.last):
                self._lose_next(room)
            if room.phase in (Phase.JOINED, Phase.INVITED, Phase.OUT) and found is not None:
                self._compare(room, found)
            if room.phase == Phase.LEAVING:
                state.tasks.start(self._leaving.resume(room))
        if not profile.lobby_entered and LOBBY in self._session.features:
            state.tasks.start(self._enter_lobby())
        member = (Phase.NEW, Phase.INVITED, Phase.JOINED, Phase.OUT, Phase.LEAVING)
        known = [c for c, room in state.rooms.items() if room.phase in member and c not in listed]
        return [self.inbox, *listed, *known]

    def added(self, summary: ChannelSummary) -> None:
        """The relay has put this device into a channel; its entries follow."""
        self._list(summary, logged_in=False)
        if self._check_last(summary, told=False):
            self._aftermath.send_again(self._state.rooms[summary.channel])

    def caught_up(self, room: Room) -> None:
        """All that waited has come, and with it every founding, unless a relay that was set back used numbers again."""
        told = self._foundings.pop(room.channel, 0)
        inside = room.phase in (Phase.JOINED, Phase.INVITED) and not room.next and not self._log.waits(room)
        if inside and room.foundings and told > max(room.foundings, room.generation):
            self._leave_behind(room, "were not delivered")
        elif inside or not room.foundings:
            room.foundings = told
            self._state.save(room)

    def closed(self, channel: bytes, seq: int) -> None:
        """The relay delivers nothing more of a channel; `seq` is the entry that removed this device, or 0."""
        state = self._state
        self._session.forget(channel)
        room = state.rooms.get(channel)
        if room is None:
            self._session.check_caught_up()
            return
        self._log.nothing_follows(room)
        if room.next_at:
            self._lose_next(room)
        if room.phase == Phase.LEAVING:
            state.advance(channel, seq)  # what began before that is over, though its Welcome may come yet
            self._leaving.finish(room, "you left")
        elif room.phase == Phase.NEW:
            room.phase = Phase.LEFT
            state.show(room)
        elif room.phase in (Phase.JOINED, Phase.INVITED):
            # The tree has this device, the relay's list does not: it asks to be added there too.
            self._commits.lost(room)
            lose(state, room, invited=room.phase == Phase.INVITED)
        self._session.check_caught_up()

    def repair(self, room: Room) -> None:
        """An admin takes devices that are no members off the relay's list."""
        roles = self._state.roles(room)
        if room.phase != Phase.JOINED or roles is None or room.kind == RoomKind.DIRECT:
            return
        if acts_as_admin(roles, self._state.occupants(self._state.group(room)), self._state.own_account):
            self._state.tasks.start(self._repair(room))

    def _repair(self, room: Room) -> Task[None]:
        info = yield from self._session.ask(GetChannel(0, room.channel), ChannelInfo)
        roster = self._state.roster(room)
        if roster is None or room.channel in self._state.pending:
            return
        leaves = {entry.device for entry in roster.entries}
        ghosts = tuple(m.device for m in info.devices if m.device not in leaves and m.account not in room.expected)
        if ghosts:
            change = ChannelChange(remove=ghosts)
            counter = self._state.next_append()
            yield from self._session.ask(Append(0, room.channel, counter, EntryKind.MEMBERS, 0, b"", change), Appended)

    def _list(self, summary: ChannelSummary, *, logged_in: bool) -> None:
        state = self._state
        self._confirmed.listed(summary)
        self._foundings[summary.channel] = summary.generation
        room = state.rooms.get(summary.channel)
        if room is None:
            name = summary.name
            if summary.peer:
                person = state.people.get(summary.peer)
                name = "" if person is None else person.handle
            room = Room(spaces.FORMAT, summary.channel, summary.kind.value, name, peer=summary.peer)
            state.save(room)
        inside = room.phase in (Phase.JOINED, Phase.INVITED)
        if inside and room.kind == RoomKind.ROOM and summary.joined > state.position(room.channel):
            self._added_again(room, summary)
        if room.phase == Phase.LEFT:
            if logged_in and summary.joined <= state.position(room.channel):
                # Listed from before it left, by a relay that has lost the leaving: it has to be told once more.
                state.tasks.start(self._leaving.leave_again(room))
                return
            room.phase, room.attempts = Phase.NEW, 0
            state.advance(room.channel, summary.joined - 1)
            state.save(room)
        state.poke(room)

    def _forget_numbers(self, listed: set[bytes]) -> None:
        """A restored relay counts from elsewhere: in rooms that it will list again later no number known here holds."""
        state = self._state
        for room in state.rooms.values():
            if room.channel not in listed and (room.head or state.position(room.channel)):
                state.set_back(room.channel, 0)
                room.head, room.owed = 0, []
                state.save(room)
                if room.next_at:
                    self._lose_next(room)

    def _lose_next(self, room: Room) -> None:
        """The entry at which the next group would have begun is not, or no longer, to be had: it is asked for anew."""
        self._state.drop_group(room, room.next)
        room.next = room.next_at = 0
        self._state.save(room)

    def _added_again(self, room: Room, summary: ChannelSummary) -> None:
        """Removed and invited again while this device was away: the person decides anew, as anybody would.

        It is the relay's word until a Welcome comes; until then this device stands where it would without.
        """
        state = self._state
        if room.phase == Phase.JOINED:
            text = "The relay says that you were removed from this room while this device was away."
            self._history.notice(room, "removed", text)
            state.emit(RoomRemoved(room.channel.hex(), room.name, text))
        self._commits.lost(room)
        lose(state, room, invited=True)
        room.attempts = 1
        state.advance(room.channel, summary.joined - 1)
        state.set_timer("ladder", room.channel, state.now + WELCOME_WAIT)

    def _check_last(self, summary: ChannelSummary, *, told: bool) -> bool:
        """A relay that was set back without saying so will use numbers again that this client has seen; True if so."""
        if told:
            self._confirmed.forget(summary.channel)
        if summary.last >= self._confirmed.last(summary.channel):
            return False
        self._confirmed.forget(summary.channel)
        if told:
            # What the relay had when the backup was made has lower numbers than any that it has given since.
            self._state.set_back(summary.channel, summary.last // JUMP * JUMP)
            return False
        self._state.set_back(summary.channel, min(summary.last, self._state.position(summary.channel)))
        room = self._state.rooms.get(summary.channel)
        text = "The relay was set back to an earlier state without saying so: what it lost since then is missing there."
        if room is None or room.phase == Phase.LEFT:
            self._history.notice_security(SecurityKind.SET_BACK, text)
        else:
            self._history.security(room, SecurityKind.SET_BACK, text)
        return True

    def _compare(self, room: Room, summary: ChannelSummary) -> None:
        """Whether the log can still lead from where this device is to where the relay is."""
        state = self._state
        position = state.position(room.channel)
        lost = summary.first - 1 - position
        if lost > 0 and position:
            what = "1 entry of this room is" if lost == 1 else f"{lost} entries of this room are"
            text = f"{what} no longer at the relay: this device did not read them in time, or a copy of it did."
            self._history.gap(room, "", b"", text, 0)
        self._log.passed_by(room, summary.first)
        behind = room.head < summary.head < summary.first
        ahead = summary.head < room.head
        missed = room.head < summary.head <= position
        if ahead:
            room.head = summary.head  # a Welcome for what follows is no old one
            state.save(room)
        if (behind or ahead or missed) and room.phase != Phase.OUT:
            self._leave_behind(room, "were not delivered" if missed else "are no longer at the relay")

    def _leave_behind(self, room: Room, what: str) -> None:
        text = f"Changes of the room {what}; this device asks to be added again."
        self._history.security(room, SecurityKind.GAP, text)
        self._commits.lost(room)
        lose(self._state, room, invited=room.phase == Phase.INVITED)

    def _enter_lobby(self) -> Task[None]:
        profile = self._state.profile
        yield from self._joining.enter_open(LOBBY)
        profile.lobby_entered = True
        self._state.save_profile()


def _waiting(behind: int) -> int:
    """How many entries lie between the own position and the newest, without what a restored relay leaves out."""
    entries = max(behind, 0) % JUMP
    return entries if entries < JUMP // 2 else 0  # the backup was older than what this device has seen
