"""A whole deployment in one thread under a seed: relay core, its database, client engines with their stores, a network.

Nothing waits and nothing is simulated but time and the wire: `World` keeps a queue of what happens when, hands frames
over after a delay, drops connections, crashes clients and the relay, and is replayed exactly by the same seed.
"""

import hashlib
import heapq
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import apsw

from secure_chat.client.engine.create import new_profile
from secure_chat.client.engine.effects import Disconnected
from secure_chat.client.store.store import Store
from secure_chat.identity.keys import AccountKey, DirectoryKey
from secure_chat.server.backup import back_up, restore
from secure_chat.server.core import effects as relay_effects
from secure_chat.server.core.admin import AdminCommand, AdminResult, CreateInviteToken, NewInvite
from secure_chat.server.core.relay import Relay
from secure_chat.server.core.settings import Settings
from secure_chat.server.home import Home
from secure_chat.server.storage.database import Database
from secure_chat.server.storage.reader import LogReader
from secure_chat.wire.framing import HEADER_LENGTH, decode_client_message, encode_frame
from secure_chat.wire.messages import Append, CaughtUp
from tests.scenarios.invariants import KeyUses
from tests.scenarios.node import CERTIFICATE_HASH, STORE_KEY, Link, Node
from tests.scenarios.watch import Watch

__all__ = [
    "CERTIFICATE_HASH",
    "GENEROUS",
    "START",
    "STORE_KEY",
    "Link",
    "Network",
    "Node",
    "Tap",
    "World",
    "world",
]

START = 1_700_000_000_000
REPLAY_BATCH = 50
TICK = 500
IDLE_TICK = 30_000
BUSY = 10_000
"""Milliseconds between the relay's ticks while something happens, and hours of silence pass quickly."""
GENEROUS = Settings(
    open_registration=True,
    requests_per_second=100_000,
    requests_burst=1_000_000,
    commits_per_minute=100_000,
    commits_burst=100_000,
    join_requests_per_minute=100_000,
    join_requests_burst=100_000,
    claims_per_pair_per_hour=100_000,
    claims_per_pair_burst=100_000,
    claims_per_minute=100_000,
    claims_burst=100_000,
    creations_burst=100_000,
    failures_burst=100_000,
    registrations_burst=100_000,
    lookups_burst=100_000,
)
"""Rates that no scenario reaches: what rates do has its own tests."""

Tap = Callable[["Node", bytes, bool], None]
"""Told of every frame that is put on the wire: whose connection, the frame, whether it goes to the relay."""


@dataclass
class Network:
    """How the wire behaves; milliseconds."""

    delay: tuple[int, int] = (1, 20)
    drop_rate: float = 0.0
    """Chance, for each frame handed over, that its connection breaks instead."""


class World:
    """The relay, the clients, the wire and the clock."""

    def __init__(
        self, path: Path, seed: int = 1, settings: Settings = GENEROUS, network: Network | None = None
    ) -> None:
        self.path = path
        self.seed = seed
        self.random = random.Random(seed)
        self.settings = settings
        self.network = network or Network()
        self.now = START
        self.nodes: dict[str, Node] = {}
        self.relay_up = True
        self.steps = 0
        self.told = hashlib.sha256()
        """Over everything that anybody was told, and when: two runs that agree here have done the same."""
        self.appends = 0
        """That have reached the relay."""
        self.key_uses = KeyUses()
        self.watch = Watch(self)
        self.rogues: set[Node] = set()
        """Clients in the hands of somebody who does not keep to the rules."""
        self.hidden_leavings: dict[tuple[Node, bytes, bytes], int] = {}
        """Client, channel, device: the relay did not show it the entry by which that left, and nothing else tells."""
        self.shown_leavings: dict[tuple[Node, bytes, bytes], int] = {}
        """By a lying relay; its number, too."""
        self.hidden_welcomes: set[tuple[Node, bytes, int]] = set()
        """Client, channel, entry: the relay did not show it the Welcome into the group that begins there."""
        self.taps: list[Tap] = []
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._ticket = 0
        self._links: dict[int, Link] = {}
        self._live: dict[int, dict[bytes, int]] = {}
        self._link_numbers = 0
        self._last_frame = START
        self._admin: list[AdminResult] = []
        self.directory = DirectoryKey(bytes([7]) * 32)
        self.home = Home(path / "relay")
        self.home.prepare()
        self._backup: Path | None = None
        self._open_relay()
        self._relay_tick()

    def close(self) -> None:
        """Releases every file."""
        for node in self.nodes.values():
            node.store.close()
        if self.relay_up:
            self._reader.close()
            self._database.close()

    # -- people

    def join(self, name: str, *, account: AccountKey | None = None, profile: str = "") -> Node:
        """A new client: registered, in the lobby, settled."""
        node = self.add(name, account=account, profile=profile)
        node.connect_at = self.now
        node.connect()
        self.settle()
        return node

    def impersonate(self, handle: str, real_name: str) -> Node:
        """A client with another account key under somebody's handle: the relay lies about who that is."""
        connection = apsw.Connection(str(self.home.database))
        connection.execute("UPDATE accounts SET handle = ? WHERE handle = ?", (f"{handle}.old", handle))
        connection.close()
        return self.join(handle, account=AccountKey(self.random.randbytes(32)), profile=real_name)

    def add(self, name: str, *, account: AccountKey | None = None, profile: str = "") -> Node:
        """A new client that has not connected yet."""
        key = profile or name
        path = self.path / f"{key}.db"
        store = Store.create(path, STORE_KEY)
        writes = new_profile(
            self.random,
            self.now,
            handle=name,
            address="localhost:7443",
            ca_pin=bytes(32),
            token=None,
            account=account,
        )
        store.apply(writes)
        store.commit()
        store.close()
        node = self.nodes[key] = Node(self, name, path)
        node.connect_at = None
        return node

    # -- time

    def at(self, when: int, action: Callable[[], None]) -> None:
        """Puts something into the queue."""
        self._ticket += 1
        heapq.heappush(self._queue, (when, self._ticket, action))

    def step(self) -> None:
        """The next thing that happens."""
        when, _, action = heapq.heappop(self._queue)
        self.now = max(self.now, when)
        self.steps += 1
        action()

    def run_for(self, milliseconds: int) -> None:
        """Lets time pass."""
        end = self.now + milliseconds
        while self._queue and self._queue[0][0] <= end:
            self.step()
        self.now = end

    def run_until(self, condition: Callable[[], bool], limit: int = 60_000, what: str = "") -> None:
        """Lets time pass until something is so; AssertionError after `limit` milliseconds."""
        end = self.now + limit
        while not condition():
            if not self._queue or self._queue[0][0] > end:
                raise AssertionError(f"not within {limit} ms: {what}")
            self.step()

    def sleep(self, milliseconds: int) -> None:
        """Lets much time pass with every laptop closed; afterwards everybody is back and settled."""
        awake = [node for node in self.nodes.values() if not node.offline]
        for node in awake:
            node.go_offline()
        self.run_for(milliseconds)
        for node in awake:
            node.go_online()
        self.settle()

    def settle(self, milliseconds: int = 8_000) -> None:
        """Lets everything that is under way come to its end."""
        self.run_for(milliseconds)

    # -- the wire

    def open_link(self, node: Node) -> Link:
        """A connection; the relay hears of it first."""
        self._link_numbers += 1
        link = Link(self._link_numbers, node, self.now, self.now)
        self._links[link.number] = link
        self._live[link.number] = {}
        self._relay_handle(relay_effects.Connected(link.number, CERTIFICATE_HASH, "127.0.0.1"))
        return link

    def close_link(self, link: Link) -> None:
        """The connection is gone; the relay notices a little later, and may still get what was on its way."""
        link.open = False
        lost = self.random.random() < 0.5
        if lost:
            self._forget_link(link)
        else:
            self.at(max(link.to_relay, self.now) + 1, lambda: self._forget_link(link))

    def _forget_link(self, link: Link) -> None:
        if self._links.pop(link.number, None) is not None:
            del self._live[link.number]
            if self.relay_up:
                self._relay_handle(relay_effects.Disconnected(link.number))

    def to_relay(self, link: Link, frame: bytes) -> None:
        """A frame leaves a client."""
        for tap in self.taps:
            tap(link.node, frame, True)
        link.to_relay = max(link.to_relay, self.now + self._delay())
        self.at(link.to_relay, lambda: self._arrive(link, frame))

    def _arrive(self, link: Link, frame: bytes) -> None:
        if link.number not in self._links or not self.relay_up:
            return
        self._last_frame = self.now
        if link.open and self.random.random() < self.network.drop_rate:
            self._forget_link(link)  # what follows on the same stream does not arrive either
            link.node.lose_connection()
            return
        message = decode_client_message(frame[HEADER_LENGTH:])
        if isinstance(message, Append):
            self.appends += 1
            self.key_uses.arrives(message)
        self._relay_handle(relay_effects.Received(link.number, message))

    def _to_client(self, number: int, frame: bytes) -> None:
        link = self._links.get(number)
        if link is None or not link.open:
            return
        for tap in self.taps:
            tap(link.node, frame, False)
        link.to_client = max(link.to_client, self.now + self._delay())
        self.at(link.to_client, lambda: self._deliver(link, frame))

    def _deliver(self, link: Link, frame: bytes) -> None:
        if not link.open:
            return
        if self.random.random() < self.network.drop_rate:
            link.node.lose_connection()
            return
        link.node.receive(link, frame)

    def _delay(self) -> int:
        low, high = self.network.delay
        return low + int(self.random.random() * (high - low))

    # -- the relay

    def _open_relay(self) -> None:
        self._database = Database(self.home.database)
        self._reader = LogReader(self.home.database)
        self._relay = Relay(self.settings, self.directory, self.random.randbytes, b"")

    def _relay_tick(self) -> None:
        if self.relay_up:
            self._relay_handle(relay_effects.Tick())
        busy = self.now - self._last_frame < BUSY
        self.at(self.now + (TICK if busy else IDLE_TICK), self._relay_tick)

    def crash_relay(self, downtime: int = 500) -> None:
        """The relay's process dies and is started again."""
        if not self.relay_up:
            return
        self.relay_up = False
        links = list(self._links.values())
        self._links.clear()
        self._live.clear()
        self._reader.close()
        self._database.close()
        for link in links:
            if link.open:
                link.open = False
                link.node.link = None
                link.node.handle(Disconnected("the relay is gone"))
        self.at(self.now + downtime, self.start_relay)

    def start_relay(self) -> None:
        """The relay's process is there again, unless it is anyway."""
        if not self.relay_up:
            self._open_relay()
            self.relay_up = True

    def back_up_relay(self) -> None:
        """The operator makes a backup."""
        if self.relay_up:
            self._backup = self.path / f"backup-{self.now}-{self.steps}"
            back_up(self.home, self._backup)

    def restore_relay(self, jumps: int | None = None) -> None:
        """The disk broke, and the operator restores the last backup: a new incarnation, so many jumps further on."""
        if self._backup is not None and self.relay_up:
            self.crash_relay(2_000)
            restore(self.home, self._backup, jumps=jumps or 1 + self.random.randrange(1 << 16))

    def admin(self, command: AdminCommand) -> AdminResult:
        """What the operator asks."""
        self._relay_handle(relay_effects.AdminRequest(1, command))
        return self._admin.pop()

    def invite(self, uses: int = 1000) -> str:
        """A token of the operator's."""
        result = self.admin(CreateInviteToken(uses=uses))
        assert isinstance(result, NewInvite)
        return result.token

    def _relay_handle(self, *batch: relay_effects.Input) -> None:
        with self._database.transaction() as transaction:
            effects = self._relay.handle(batch, transaction, self.now)
        self._relay_carry_out(effects.outputs)

    def _relay_carry_out(self, outputs: Sequence[relay_effects.Output]) -> None:
        for output in outputs:
            match output:
                case relay_effects.Reply(connection, frame):
                    self._to_client(connection, frame)
                case relay_effects.Delivery(channel, frame, seq, exclude):
                    for connection, channels in list(self._live.items()):
                        if channel not in channels or connection == exclude or 0 < seq <= channels[channel]:
                            continue
                        if frame:
                            channels[channel] = max(seq, channels[channel])
                            self._to_client(connection, frame)
                        else:
                            channels[channel] = self._replay(connection, channel, channels[channel])
                case relay_effects.StartDelivery(connection, channel, after):
                    if connection in self._live:
                        self._live[connection][channel] = self._replay(connection, channel, after)
                        self._to_client(connection, encode_frame(CaughtUp(channel, self._live[connection][channel])))
                case relay_effects.StopDelivery(connection, channel, _, frame):
                    if connection in self._live:
                        self._live[connection].pop(channel, None)
                        if frame:
                            self._to_client(connection, frame)
                case relay_effects.Close(connection, frame):
                    self._close_from_relay(connection, frame)
                case relay_effects.AdminReply(_, result):
                    self._admin.append(result)
                case _:
                    pass

    def _close_from_relay(self, connection: int, frame: bytes) -> None:
        link = self._links.get(connection)
        if link is None:
            return
        if frame:
            self._to_client(connection, frame)
        self.at(link.to_client + 1, lambda: self._hung_up(link))
        self._forget_link(link)

    def _hung_up(self, link: Link) -> None:
        if link.open and link.node.link is link:
            link.node.lose_connection()

    def _replay(self, connection: int, channel: bytes, after: int) -> int:
        reached = after
        while rows := self._reader.read_after(channel, reached, REPLAY_BATCH, 1 << 20):
            for seq, frame in rows:
                self._to_client(connection, frame)
                reached = seq
        return reached


@contextmanager
def world(seed: int = 1, settings: Settings = GENEROUS, network: Network | None = None) -> Iterator[World]:
    """A deployment in a temporary directory, in memory where the system offers one."""
    shared = Path("/dev/shm")
    base = shared if shared.is_dir() else None
    path = Path(tempfile.mkdtemp(prefix="secure-chat-", dir=base))
    deployment = World(path, seed, settings, network)
    try:
        yield deployment
    finally:
        deployment.close()
        shutil.rmtree(path, ignore_errors=True)
