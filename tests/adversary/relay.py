"""A relay that lies: the real relay core and database, with something in between that changes what passes.

A *lie* looks at every message to a client (`outgoing`) or from one (`incoming`) and returns what really goes on: the
message itself, another one, several, none. Everything that the relay ever received is kept, so that a test can look
for what it must not have learned.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import msgspec

from secure_chat.identity.keys import DeviceKey
from secure_chat.server.core import effects
from secure_chat.server.core.settings import Settings
from secure_chat.wire.framing import HEADER_LENGTH, decode_server_message, encode_frame
from secure_chat.wire.messages import (
    Append,
    Appended,
    ClientMessage,
    Entry,
    EntryKind,
    MemberDevice,
    ServerMessage,
)
from tests.scenarios.harness import GENEROUS, Link, Network, Node, World

__all__ = ["Branch", "Lie", "LyingRelay", "Question", "changed", "device_of", "key_of", "lying_relay"]

Lie = Callable[[Node, ServerMessage], Iterable[ServerMessage]]
"""What really reaches this client instead of a message."""
Question = Callable[[Node, ClientMessage], Iterable[ClientMessage]]
"""What the relay makes of a message of this client."""


class LyingRelay(World):
    """A deployment whose relay does what its lies say."""

    def __init__(
        self, path: Path, seed: int = 1, settings: Settings = GENEROUS, network: Network | None = None
    ) -> None:
        self.outgoing: list[Lie] = []
        self.incoming: list[Question] = []
        self.heard: list[bytes] = []
        """Every frame that clients have sent."""
        self._forged = 0
        super().__init__(path, seed, settings, network)

    def node_of(self, connection: int) -> Node | None:
        """Whose connection this is."""
        link = self._links.get(connection)
        return None if link is None else link.node

    def say(self, node: Node, message: ServerMessage) -> None:
        """Sends something to a client past all lies."""
        assert node.link is not None
        super()._to_client(node.link.number, encode_frame(message))

    def honest(self) -> None:
        """From now on the relay tells the truth; connections made under lies are cut, as a restart would."""
        self.outgoing.clear()
        self.incoming.clear()
        for node in self.nodes.values():
            if node.link is not None:
                node.lose_connection()

    def entry(
        self,
        channel: bytes,
        seq: int,
        kind: EntryKind,
        sender: bytes,
        payload: bytes,
        *,
        head: int = 0,
        added: tuple[MemberDevice, ...] = (),
        removed: tuple[bytes, ...] = (),
        origin: tuple[bytes, int] | None = None,
    ) -> Entry:
        """An entry that nobody has appended."""
        self._forged += 1
        return Entry(
            channel, seq, kind, sender, bytes(15) + b"\x01", self._forged, self.now, head, payload, added, removed,
            None, origin,
        )  # fmt: skip

    def last(self, node: Node, channel: bytes) -> int:
        """The newest sequence number that a client has taken in."""
        return node.engine._state.position(channel)

    def clone(self, node: Node, copy: Path, profile: str) -> Node:
        """A second process on a copy of somebody's profile; offline at first."""
        path = self.path / f"{profile}.db"
        shutil.copy(copy, path)
        twin = self.nodes[profile] = Node(self, node.name, path)
        twin.connect_at = None
        twin.offline = True
        return twin

    def set_back(self, copy: Path) -> None:
        """The relay's database is what it was, and the relay says nothing of it: same incarnation."""
        self.crash_relay()
        for file in self.database_files():
            file.unlink(missing_ok=True)
        shutil.copy(copy, self.home.database)

    def copy_database(self) -> Path:
        """The relay's database as it is now, for `set_back`."""
        copy = self.path / f"relay-{self.now}.copy"
        self._database._connection.execute("VACUUM INTO ?", (str(copy),))
        return copy

    def database_files(self) -> list[Path]:
        """Everything that the relay has on disk of what it stores."""
        database = self.home.database
        return [database, *(database.with_name(database.name + end) for end in ("-wal", "-shm"))]

    # -- what passes

    def to_relay(self, link: Link, frame: bytes) -> None:
        self.heard.append(frame)
        super().to_relay(link, frame)

    def _to_client(self, number: int, frame: bytes) -> None:
        node = self.node_of(number)
        if node is None or not (self.outgoing or self.hidden_welcomes):
            super()._to_client(number, frame)
            return
        true = decode_server_message(frame[HEADER_LENGTH:])
        messages: list[ServerMessage] = [true]
        for lie in self.outgoing:
            messages = [told for message in messages for told in lie(node, message)]
        if isinstance(true, Entry) and true.kind is EntryKind.WELCOME and true.origin is not None:
            welcome = {(node, *true.origin)}
            shown = true in messages and true.seq > self.last(node, true.channel)  # else its number was given away
            self.hidden_welcomes = self.hidden_welcomes - welcome if shown else self.hidden_welcomes | welcome
        if self.outgoing and isinstance(true, Entry) and true.kind is EntryKind.MEMBERS:
            said = self.shown_leavings if true in messages else self.hidden_leavings
            said.update({(node, true.channel, device): true.seq for device in true.removed})
        for message in messages:
            super()._to_client(number, encode_frame(message))

    def _relay_handle(self, *batch: effects.Input) -> None:
        heard: list[effects.Input] = []
        for item in batch:
            node = self.node_of(item.connection) if isinstance(item, effects.Received) else None
            if not isinstance(item, effects.Received) or node is None:
                heard.append(item)
                continue
            messages: list[ClientMessage] = [item.message]
            for question in self.incoming:
                messages = [meant for message in messages for meant in question(node, message)]
            heard += [effects.Received(item.connection, message) for message in messages]
        if heard:
            super()._relay_handle(*heard)


@dataclass
class Branch:
    """One half of a room that the relay has split: a log of its own for these clients, from an entry on.

    What the half appends to the channel never reaches the real log; what stands there does not reach the half.
    """

    world: LyingRelay
    channel: bytes
    nodes: tuple[Node, ...]
    seq: int
    head: int
    entries: list[Entry] = field(default_factory=list)

    def install(self) -> None:
        """From now on the room is split."""
        self.world.incoming.append(self.hear)
        self.world.outgoing.append(self.tell)

    def remove(self) -> None:
        """The half gets the real log again, from where it is."""
        if self.hear in self.world.incoming:
            self.world.incoming.remove(self.hear)
            self.world.outgoing.remove(self.tell)

    def tell(self, node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
        """The real log is not for this half."""
        if isinstance(message, Entry) and message.channel == self.channel and node in self.nodes:
            return ()
        return (message,)

    def hear(self, node: Node, message: ClientMessage) -> Iterable[ClientMessage]:
        """Appends of this half go into its own log."""
        if not isinstance(message, Append) or message.channel != self.channel or node not in self.nodes:
            return (message,)
        self.append(node, message)
        return ()

    def append(self, node: Node, message: Append) -> None:
        """As the real relay would, with its own numbers."""
        self.seq += 1
        moves = message.kind in (EntryKind.COMMIT, EntryKind.FOUNDING)
        if moves:
            self.head = self.seq
        profile = node.engine._state.profile
        entry = Entry(
            self.channel, self.seq, message.kind, profile.device_id, profile.store, message.counter, self.world.now,
            message.head, message.payload,
        )  # fmt: skip
        self.entries.append(entry)
        if node.link is not None:
            self.world.say(node, Appended(message.id, self.seq, self.head, self.world.now))
        for other in self.nodes:
            if other.link is not None:
                self.world.say(other, entry)


def device_of(node: Node) -> MemberDevice:
    """A client's device as delivery lists name it."""
    profile = node.engine._state.profile
    return MemberDevice(profile.device_id, node.engine._state.own_account)


def key_of(node: Node) -> DeviceKey:
    """A client's device key: for members who sign what they should not."""
    return DeviceKey(node.engine._state.profile.device_seed)


M = TypeVar("M", bound=msgspec.Struct)


def changed(message: M, **fields: object) -> M:
    """The message, or part of one, with other fields."""
    return msgspec.structs.replace(message, **fields)


@contextmanager
def lying_relay(seed: int = 1, settings: Settings = GENEROUS, network: Network | None = None) -> Iterator[LyingRelay]:
    """A deployment with a relay that can be made to lie."""
    shared = Path("/dev/shm")
    base = shared if shared.is_dir() else None
    path = Path(tempfile.mkdtemp(prefix="secure-chat-", dir=base))
    deployment = LyingRelay(path, seed, settings, network)
    try:
        yield deployment
    finally:
        deployment.close()
        shutil.rmtree(path, ignore_errors=True)
