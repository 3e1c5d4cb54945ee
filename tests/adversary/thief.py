"""Somebody who has stolen a client's whole store with its key, runs the real software on it, and owns the relay.

The thief answers the stolen client's login itself, with what the relay once said, and hands it whatever was recorded.
Nothing that the client sends goes anywhere: nobody notices anything.
"""

import random
from collections.abc import Iterable
from pathlib import Path

from msgspec.structs import replace

from secure_chat.client.engine.effects import Connected, Input, Received, Tick
from secure_chat.client.engine.engine import Engine
from secure_chat.client.events import Event, MessageAdded
from secure_chat.client.store.store import Store
from secure_chat.client.views import MessageKind
from secure_chat.wire.framing import HEADER_LENGTH, decode_client_message
from secure_chat.wire.messages import ClientMessage, Entry, HelloAck, LoggedIn, Login, Ok, ServerMessage, Subscribe
from tests.adversary.relay import LyingRelay
from tests.scenarios.harness import CERTIFICATE_HASH, STORE_KEY, Node

__all__ = ["Recorder", "Thief"]


class Recorder:
    """Everything that the relay says to one client, in order."""

    def __init__(self, world: LyingRelay, victim: Node) -> None:
        self.victim = victim
        self.messages: list[ServerMessage] = []
        world.outgoing.append(self)

    def __call__(self, node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
        if node is self.victim:
            self.messages.append(message)
        return (message,)

    @property
    def entries(self) -> list[Entry]:
        """Of all channels, the inbox among them."""
        return [message for message in self.messages if isinstance(message, Entry)]


class Thief:
    """A real engine on a stolen store."""

    def __init__(self, world: LyingRelay, stolen: Path, recorded: Recorder) -> None:
        self.now = world.now
        self.events: list[Event] = []
        self._store = Store.open(stolen, STORE_KEY)
        self._engine = Engine(self._store, random.Random(1))
        hello = next(m for m in reversed(recorded.messages) if isinstance(m, HelloAck))
        welcome = next(m for m in reversed(recorded.messages) if isinstance(m, LoggedIn))
        self._handle(Connected(CERTIFICATE_HASH, "stolen"))
        for said in self._handle(Received(hello)):
            if isinstance(said, Login):
                self._handle(Received(replace(welcome, id=said.id, last_counter=0)))
        assert self._engine._session.entered, "the stolen client believes that it is connected"

    def _handle(self, item: Input) -> list[ClientMessage]:
        effects = self._engine.handle(item, self.now)
        self._store.apply(effects.writes)
        self._store.commit()
        self.events += effects.events
        said = [decode_client_message(frame[HEADER_LENGTH:]) for frame in effects.frames]
        for message in said:
            if isinstance(message, Subscribe):
                self._handle(Received(Ok(message.id)))
        return said

    def hand_over(self, entries: Iterable[Entry], *, again: bool = False, own: bool = True) -> None:
        """Gives the client what was recorded; `again`: under the next numbers, as if it had just been written.

        Without its `own` entries it does not find out that it is a copy, and goes on reading.
        """
        device = self._engine._state.profile.device_id
        for entry in entries:
            if entry.sender == device and not own:
                continue
            seq = self._engine._state.position(entry.channel) + 1 if again else entry.seq
            self._handle(Received(replace(entry, seq=seq)))
            self.now += 1_000
            self._handle(Tick())

    @property
    def reads(self) -> list[str]:
        """The texts that have become readable."""
        added = [event.message for event in self.events if isinstance(event, MessageAdded)]
        return [line.text for line in added if line.kind is MessageKind.TEXT]

    def close(self) -> None:
        """Throws the copy away."""
        self._store.close()
