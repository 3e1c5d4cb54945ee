"""One client of a simulated deployment: the real engine and store, a connection, and what its user was told."""

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from secure_chat.client.commands import Command
from secure_chat.client.engine.effects import Ask, Connected, Disconnected, Effects, Input, Received, Tick
from secure_chat.client.engine.engine import Engine
from secure_chat.client.errors import CommandFailed
from secure_chat.client.events import (
    Done,
    Event,
    Failed,
    FailureCode,
    MessageAdded,
    Result,
    RoomChanged,
    RoomRemoved,
)
from secure_chat.client.queries import GetRooms
from secure_chat.client.store.store import Store
from secure_chat.client.views import DeliveryState, MessageView, RoomView
from secure_chat.wire.framing import HEADER_LENGTH, decode_client_message, decode_server_message
from secure_chat.wire.messages import Append

if TYPE_CHECKING:
    from tests.scenarios.harness import World

__all__ = ["CERTIFICATE_HASH", "STORE_KEY", "Link", "Node"]

CERTIFICATE_HASH = hashlib.sha256(b"the relay's certificate").digest()
STORE_KEY = bytes(32)

E = TypeVar("E", bound=Event)


@dataclass
class Link:
    """One connection: frames arrive in order on each side."""

    number: int
    node: "Node"
    to_relay: int = 0
    to_client: int = 0
    open: bool = True
    certificate_hash: bytes = CERTIFICATE_HASH


class Node:
    """One client: engine, store, and what its user was told."""

    def __init__(self, world: "World", name: str, path: Path) -> None:
        self.world = world
        self.name = name
        self.path = path
        self.store = Store.open(path, STORE_KEY)
        self.engine = Engine(self.store, world.random)
        self.events: list[Event] = []
        self.link: Link | None = None
        self.offline = False
        """The user's cable is out: no attempts to connect."""
        self.connect_at: int | None = 0
        self.crash_after: int | None = None
        """Crash once this many frames of the next effects have left; -1: before the commit."""
        self.fuse: tuple[int, int] | None = None
        """After so many further steps, this for `crash_after`."""
        self.crashes = 0
        self.entered: dict[str, int] = {}
        """Room id → since when this client has been in it."""
        self.restored = False
        """Its store went back to an earlier state: what it had written since is gone."""
        self.queued_at: dict[str, int] = {}
        """Message id → when its author wrote it."""
        self._refs = 0
        self._wake = 0

    # -- the user

    def ask(self, command: Command) -> int:
        """Submits a command; its reference."""
        self._refs += 1
        self.handle(Ask(self._refs, command))
        return self._refs

    def answer(self, ref: int) -> Done | Failed | None:
        """What became of a command, if that is known."""
        for event in self.events:
            if isinstance(event, Done | Failed) and event.ref == ref:
                return event
        return None

    def do(self, command: Command, limit: int = 60_000) -> Result:
        """Submits a command and runs the world until it is answered; CommandFailed if it fails."""
        ref = self.ask(command)
        self.world.run_until(lambda: self.answer(ref) is not None, limit, f"{self.name}: {command}")
        answer = self.answer(ref)
        if isinstance(answer, Failed):
            raise CommandFailed(answer.code, answer.message)
        assert isinstance(answer, Done)
        return answer.result

    def fails(self, command: Command) -> FailureCode:
        """Submits a command that must fail; the code."""
        try:
            result = self.do(command)
        except CommandFailed as error:
            return error.code
        raise AssertionError(f"{command} succeeded: {result}")

    def told(self, kind: type[E]) -> list[E]:
        """Events of one kind, oldest first."""
        return [event for event in self.events if isinstance(event, kind)]

    def history(self, room: str | None = None) -> tuple[MessageView, ...]:
        """The lines of a room by its id, or all."""
        return self.store.history(room, 100_000)

    def texts(self, room: str | None = None) -> list[str]:
        """The texts of the messages of a room."""
        return [line.text for line in self.history(room) if line.kind == "text" and not line.deleted]

    def rooms(self) -> dict[str, RoomView]:
        """Every conversation by name; open and closed rooms with `#`."""
        views = self.do(GetRooms())
        assert isinstance(views, tuple)
        found: dict[str, RoomView] = {}
        for view in views:
            assert isinstance(view, RoomView)
            found[view.name if view.kind == "direct" else f"#{view.name}"] = view
        return found

    # -- the shell

    def handle(self, item: Input) -> None:
        """Engine, store, commit, then frames and events: with a crash in between if one is due."""
        if self.fuse is not None:
            left, kind = self.fuse
            self.fuse = (left - 1, kind) if left else None
            self.crash_after = None if left else kind
        self.world.watch.begins(self)
        effects = self.engine.handle(item, self.world.now)
        self.store.apply(effects.writes)
        if self.crash_after == -1:
            self.crash()
            return
        self.store.commit()
        self._carry_out(effects)

    def _carry_out(self, effects: Effects) -> None:
        frames = effects.frames
        self._note(effects.events)
        if self.crash_after is not None:
            for frame in frames[: self.crash_after]:
                self._send(frame)
            self.crash()
            return
        for frame in frames:
            self._send(frame)
        if effects.disconnect is not None:
            self._hang_up()
            self.connect_at = effects.disconnect.retry_at or None
            if self.connect_at is not None:
                self.world.at(max(self.connect_at, self.world.now + 1), self.connect)
        if effects.wake_at and effects.wake_at != self._wake:
            self._wake = effects.wake_at
            self.world.at(max(effects.wake_at, self.world.now + 1), self._tick)

    def _note(self, events: Sequence[Event]) -> None:
        self.events.extend(events)
        for event in events:
            self.world.told.update(f"{self.world.now} {self.name} {type(event).__name__} ".encode())
            self.world.watch.told(self, event)
            match event:
                case RoomChanged(room=view) if view.joined:
                    self.entered.setdefault(view.id, self.world.now)
                case RoomRemoved(room=room):
                    self.entered.pop(room, None)
                case MessageAdded(message=line) if line.state is DeliveryState.QUEUED:
                    self.queued_at[line.id] = self.world.now

    def _tick(self) -> None:
        if self._wake and self.world.now >= self._wake:
            self._wake = 0
            self.handle(Tick())

    def _send(self, frame: bytes) -> None:
        if self.link is not None:
            self._leaves(frame)
            self.world.to_relay(self.link, frame)

    def _leaves(self, frame: bytes) -> None:
        message = decode_client_message(frame[HEADER_LENGTH:])
        if isinstance(message, Append):
            state = self.engine._state
            room = state.rooms.get(message.channel)
            group = state.group(room) if room is not None and room.group else None
            self.world.key_uses.leaves(self.name, group, message)
            if room is not None:
                self.world.watch.leaves(self, room, message)

    def connect(self) -> None:
        """Makes a connection if none is there and one may be made."""
        if self.link is not None or self.offline or self.connect_at is None or self.world.now < self.connect_at:
            return
        if not self.world.relay_up:
            self.handle(Disconnected("connection refused"))
            return
        self.link = self.world.open_link(self)
        self.handle(Connected(self.link.certificate_hash, "simulated"))

    def lose_connection(self) -> None:
        """The line breaks."""
        if self._hang_up():
            self.handle(Disconnected("the line broke"))

    def go_offline(self) -> None:
        """The cable is out until `go_online`."""
        self.offline = True
        self.lose_connection()

    def go_online(self) -> None:
        """The cable is in again."""
        self.offline = False
        self.connect_at = self.world.now
        self.connect()

    def crash(self) -> None:
        """The process dies: what was not committed is gone, and it starts again from the disk."""
        self.crashes += 1
        self.crash_after = None
        self._hang_up()
        self.store.rollback()
        self.engine = Engine(self.store, self.world.random)
        self._wake = 0
        self.connect_at = self.world.now
        self.world.at(self.world.now + 10, self.connect)

    def snapshot(self) -> Path:
        """A copy of the store's file, as a backup or a virtual machine's snapshot would keep it."""
        self.store.checkpoint()
        copy = self.path.with_suffix(f".{self.world.now}.copy")
        shutil.copy(self.path, copy)
        return copy

    def restore(self, copy: Path) -> None:
        """The store is what it was when the copy was made."""
        self.entered.clear()  # what came before is not to be expected here any more
        self.restored = True
        self.world.watch.restored(self)
        self._hang_up()
        self.store.close()
        shutil.copy(copy, self.path)
        self.store = Store.open(self.path, STORE_KEY)
        self.engine = Engine(self.store, self.world.random)
        self._wake = 0
        self.connect_at = self.world.now
        self.world.at(self.world.now + 10, self.connect)

    def _hang_up(self) -> bool:
        link, self.link = self.link, None
        if link is None:
            return False
        self.world.close_link(link)
        return True

    def receive(self, link: Link, frame: bytes) -> None:
        """A frame arrives."""
        if self.link is link:
            self.handle(Received(decode_server_message(frame[HEADER_LENGTH:])))
