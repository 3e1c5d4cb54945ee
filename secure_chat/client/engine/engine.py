"""The engine: a command, a message of the relay or a tick in, effects out. Pure.

`handle` hands the input to the part that knows it, lets every room and task that it touched go as far as it can, and
returns the writes, frames and events. All state is in the store's rows; after a failed commit a new engine made from
the store goes on where the disk is.
"""

from collections.abc import Generator
from typing import cast

from secure_chat.client.commands import Command
from secure_chat.client.engine.actions import Actions
from secure_chat.client.engine.aftermath import Aftermath
from secure_chat.client.engine.answers import Answers
from secure_chat.client.engine.arrivals import Arrivals
from secure_chat.client.engine.channels import Channels
from secure_chat.client.engine.commits import Commits
from secure_chat.client.engine.confirmed import Confirmed
from secure_chat.client.engine.device import Device
from secure_chat.client.engine.directory import Directory
from secure_chat.client.engine.effects import (
    Ask,
    Connected,
    Disconnected,
    Effects,
    Input,
    Received,
    StoreReader,
    Tick,
)
from secure_chat.client.engine.entrances import Entrances
from secure_chat.client.engine.epochs import Epochs
from secure_chat.client.engine.farewells import Farewells
from secure_chat.client.engine.governing import Governing
from secure_chat.client.engine.history import History
from secure_chat.client.engine.integrity import Integrity
from secure_chat.client.engine.joining import Joining
from secure_chat.client.engine.keys import KeyPackages
from secure_chat.client.engine.leaving import Leaving
from secure_chat.client.engine.log import RoomLog
from secure_chat.client.engine.messages import Messages
from secure_chat.client.engine.names import Names
from secure_chat.client.engine.outbox import Outbox
from secure_chat.client.engine.own import Own
from secure_chat.client.engine.presence import Presences
from secure_chat.client.engine.receipts import Receipts
from secure_chat.client.engine.returning import Returning
from secure_chat.client.engine.session import Session
from secure_chat.client.engine.show import Show
from secure_chat.client.engine.spaces import Phase, Room
from secure_chat.client.engine.state import Randomness, State
from secure_chat.client.engine.statements import Statements
from secure_chat.client.engine.tasks import Promise, Task
from secure_chat.client.errors import CommandFailed
from secure_chat.client.events import Done, Failed, FailureCode, PersonChanged, Result, RoomChanged
from secure_chat.client.queries import Query
from secure_chat.client.views import RoomKind
from secure_chat.errors import SecureChatError
from secure_chat.identity.errors import IdentityError
from secure_chat.wire.errors import RelayError
from secure_chat.wire.messages import CaughtUp as ChannelCaughtUp
from secure_chat.wire.messages import (
    ChannelAdded,
    ChannelClosed,
    Entry,
    EphemeralEntry,
    KeyPackagesLow,
    LoggedIn,
    Presence,
    ServerMessage,
)

__all__ = ["Engine"]

MAX_ROUNDS = 1_000
"""Rounds of one input in which parts wake each other; far more than any real one takes."""


class Engine:
    """One profile's decisions."""

    def __init__(self, reader: StoreReader, random: Randomness) -> None:
        self._state = state = State(reader, random)
        self._device = device = Device(state)
        self._history = history = History(state)
        self._confirmed = confirmed = Confirmed(state, history)
        self._session = session = Session(state, device, history, confirmed, self._logged_in, self._dropped)
        self._directory = directory = Directory(state, session, history)
        self._keys = keys = KeyPackages(state, session, device)
        self._integrity = integrity = Integrity(state, history)
        self._receipts = receipts = Receipts(state, history, integrity)
        self._outbox = outbox = Outbox(
            state,
            session,
            history,
            directory,
            integrity,
            lambda room, fresh: commits.clear_to_send(room, fresh=fresh),
            receipts.remember,
        )
        epochs = Epochs(state, directory, history, integrity, receipts, outbox.start_chain)
        self._commits = commits = Commits(state, session, device, epochs)
        entrances = Entrances(state, session, device, keys, directory, history, commits, integrity)
        self._joining = joining = Joining(state, session, directory, history, commits, entrances, outbox, self._gone)
        self._leaving = leaving = Leaving(state, session, history, integrity, receipts, outbox, commits)
        self._returning = returning = Returning(state, commits, entrances.claim)
        arrivals = Arrivals(
            state,
            keys,
            directory,
            history,
            epochs,
            commits,
            returning,
            self._decline,
            lambda room: self._aftermath.founded_anew(room),
        )
        self._farewells = farewells = Farewells(state, session, keys)
        messages = Messages(state, directory, history, integrity, receipts)
        self._log = RoomLog(
            state,
            session,
            history,
            integrity,
            epochs,
            outbox,
            commits,
            joining,
            arrivals,
            farewells,
            messages,
            confirmed,
            Statements(state, directory, history),
            leaving.removed,
            leaving.replaced,
        )
        self._aftermath = Aftermath(state, history, outbox, receipts, leaving)
        self._channels = Channels(
            state, session, history, joining, leaving, self._log, self._aftermath, commits, confirmed
        )
        self._presences = presences = Presences(state, session, directory)
        self._own = own = Own(state, session, device, directory, commits, leaving.leave)
        self._names = names = Names(state, directory)
        governing = Governing(state, session, directory, commits, joining, entrances, names)
        self._actions = Actions(
            state,
            session,
            directory,
            history,
            outbox,
            commits,
            joining,
            leaving,
            receipts,
            presences,
            governing,
            names,
            own,
        )
        self._show = show = Show(state, session, directory, outbox)
        self._answers = Answers(state, session, directory, integrity, arrivals, names, own, show)

    @property
    def address(self) -> str:
        """host:port to connect to."""
        return self._state.profile.address

    def room_id(self, name: str) -> str:
        """The id of the room of an id, `#name` or handle; CommandFailed if there is none."""
        return self._names.room(name).channel.hex()

    def room_names(self) -> dict[str, str]:
        """What every room is called, by its id; open and closed ones with `#`."""
        rooms = self._state.rooms.values()
        return {r.channel.hex(): r.name if r.kind == RoomKind.DIRECT else f"#{r.name}" for r in rooms}

    def handle(self, item: Input, now: int) -> Effects:
        """What one input leads to; `now` in milliseconds since the POSIX epoch."""
        state = self._state
        state.begin(now)
        match item:
            case Received(message=message):
                if state.connected:
                    self._receive(message)
            case Ask(ref=ref, command=command):
                self._ask(ref, command)
            case Connected():
                self._session.connected(item)
            case Disconnected():
                self._session.disconnected(item)
            case Tick():
                pass
        for purpose, channel in state.due():
            self._timer(purpose, channel)
        self._settle()
        self._show_changes()
        return state.flush()

    # -- inputs

    def _ask(self, ref: int, command: Command) -> None:
        state = self._state
        try:
            result = self._answers.answer(command) if isinstance(command, Query) else self._actions.perform(command)
        except SecureChatError as error:
            state.emit(_failed(ref, error))
            return
        if isinstance(result, Generator):
            state.tasks.start(cast(Task[Result], result), lambda promise: self._finished(ref, promise))
        else:
            state.emit(Done(ref, result))

    def _finished(self, ref: int, promise: Promise[Result]) -> None:
        try:
            self._state.emit(Done(ref, promise.result()))
        except SecureChatError as error:
            self._state.emit(_failed(ref, error))

    def _receive(self, message: ServerMessage) -> None:
        state = self._state
        if isinstance(message, Entry):
            if not self._session.entered:
                return  # nothing counts before the relay has said how far it has seen this store
            room = state.rooms.get(message.channel)
            if room is not None:
                self._log.entry(room, message)
                state.poke(room)
            elif message.channel == self._channels.inbox:
                self._log.welcome(message)
            return
        if isinstance(message, ChannelCaughtUp) and message.channel in state.rooms and self._session.entered:
            self._log.caught_up(state.rooms[message.channel])
            self._channels.caught_up(state.rooms[message.channel])
        if self._session.receive(message) or not self._session.entered:
            return
        match message:
            case ChannelAdded(summary=summary):
                self._channels.added(summary)
            case ChannelClosed(channel=channel, seq=seq):
                self._channels.closed(channel, seq)
            case EphemeralEntry():
                self._presences.heard(message)
            case Presence():
                for account in self._presences.online(message):
                    self._joining.hurry(account)
            case KeyPackagesLow(suite=suite, remaining=remaining):
                self._keys.low(suite, remaining)

    def _timer(self, purpose: str, channel: bytes) -> None:
        if self._session.tick(purpose):
            return
        if purpose == "key_packages":
            self._keys.look_after()
            return
        room = self._state.rooms.get(channel)
        if room is None:
            return
        match purpose:
            case "commit":
                self._commits.turn_has_come(room)
            case "unresolved":
                if self._commits.is_beyond(room):
                    self._log.own_entry_missing(room)
                elif channel in self._state.pending:
                    self._session.close("the relay does not say what became of a change", self._state.now)
            case "receipt":
                self._receipts.send(room, self._outbox)
            case "keys":
                if room.phase == Phase.JOINED and self._state.is_live(room):
                    self._commits.check_keys(room)
            case "welcome":
                self._log.give_up_waiting(room)
            case "company":
                self._log.look_around(room)
            case "behind":
                self._log.behind(room)
            case "repair":
                self._channels.repair(room)
        self._state.poke(room)

    def _logged_in(self, answer: LoggedIn) -> list[bytes]:
        channels = self._channels.logged_in(answer)
        self._keys.refill(answer)
        self._own.logged_in()
        self._farewells.logged_in()
        return channels

    def _dropped(self) -> None:
        self._outbox.disconnected()
        self._commits.disconnected()
        self._joining.disconnected()
        self._returning.disconnected()
        self._log.disconnected()

    def _gone(self, room: Room) -> None:
        self._aftermath.channel_gone(room, self._joining)

    def _decline(self, room: Room) -> None:
        self._state.tasks.start(self._leaving.leave(room))

    # -- after every input

    def _settle(self) -> None:
        """Lets every room and task that was touched go as far as it can."""
        state = self._state
        for _ in range(MAX_ROUNDS):
            state.tasks.run()
            if not state.active:
                return
            for channel in sorted(state.active):
                state.active.discard(channel)
                self._advance(state.rooms[channel])
        raise RuntimeError("the engine does not come to rest")

    def _advance(self, room: Room) -> None:
        state = self._state
        if not state.connected:
            return
        self._joining.advance(room)
        if room.phase == Phase.JOINED and state.is_live(room):
            self._receipts.plan(room)
            self._integrity.watch(room)
            if room.keys_due:
                state.reset_timer("keys", room.channel, max(room.keys_due, state.now + 60_000))
        self._returning.advance(room)
        self._commits.advance(room)
        self._outbox.advance(room)

    def _show_changes(self) -> None:
        state = self._state
        if state.changed_rooms and not (state.quiet and state.connected):
            for channel in sorted(state.changed_rooms):
                state.emit(RoomChanged(self._show.room(state.rooms[channel])))
            state.changed_rooms.clear()
        for account in sorted(state.changed_people):
            state.emit(PersonChanged(self._show.person(state.people[account])))
        state.changed_people.clear()


def _failed(ref: int, error: SecureChatError) -> Failed:
    if isinstance(error, CommandFailed):
        return Failed(ref, error.code, str(error))
    if isinstance(error, RelayError):
        return Failed(ref, FailureCode.REFUSED, f"the relay refused: {error}")
    if isinstance(error, IdentityError):
        return Failed(ref, FailureCode.INVALID, str(error))
    return Failed(ref, FailureCode.INTERNAL, str(error))
