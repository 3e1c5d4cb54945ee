"""Live delivery, replay from the log, and the hand-over between them."""

import socket
import ssl
from collections.abc import Iterator

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from secure_chat.server.core.effects import Delivery
from secure_chat.server.io.bounds import EPHEMERAL_OUTPUT, LIVE_OUTPUT
from secure_chat.server.io.fanout import ChannelLog, Fanout, ReadLog
from secure_chat.server.io.peer import Peer
from secure_chat.transport.connection import TlsConnection
from secure_chat.wire.framing import FrameBuffer, encode_frame, server_message_decoder
from secure_chat.wire.messages import CaughtUp, ChannelClosed, Entry, EntryKind, EphemeralEntry, ServerMessage

CHANNEL = b"c" * 16
OTHER = b"d" * 16
NOBODY = bytes(16)


def frame_of(channel: bytes, seq: int, size: int = 10) -> bytes:
    return encode_frame(Entry(channel, seq, EntryKind.APPLICATION, NOBODY, NOBODY, seq, 0, 0, b"x" * size))


class World:
    """A log as the database holds it, a fan-out before it, and what each connection has received."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        theirs.close()
        self.tls = TlsConnection(ours, ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), "here")
        self.fanout = Fanout()
        self.dirty: list[Peer] = []
        self.logs: dict[bytes, list[tuple[int, bytes]]] = {CHANNEL: [], OTHER: []}
        self.undelivered: list[Delivery] = []
        self.received: dict[int, list[ServerMessage]] = {}
        self.buffers: dict[int, FrameBuffer[ServerMessage]] = {}

    def connect(self, identity: int) -> Peer:
        peer = Peer(identity, self.tls, self.dirty)
        self.received[identity] = []
        self.buffers[identity] = FrameBuffer(server_message_decoder)
        return peer

    def commit(self, channel: bytes, size: int = 10) -> Delivery:
        """An entry is on disk; its delivery is on the way to the shard."""
        log = self.logs[channel]
        seq = log[-1][0] + 1 if log else 1
        frame = frame_of(channel, seq, size)
        log.append((seq, frame))
        delivery = Delivery(channel, frame, seq)
        self.undelivered.append(delivery)
        return delivery

    def deliver(self) -> None:
        """The shard hears of everything committed so far."""
        for delivery in self.undelivered:
            self.fanout.deliver(delivery)
        self.undelivered.clear()
        self.fanout.flush()

    def read(self, job: ReadLog, entries: int = 3) -> list[ChannelLog]:
        logs = []
        for channel, after in job.positions:
            found = [entry for entry in self.logs[channel] if entry[0] > after]
            logs.append(ChannelLog(channel, found[:entries], len(found) <= entries))
        return logs

    def drain(self, peer: Peer) -> None:
        """The network takes everything that waits for a connection."""
        while peer.output:
            self.received[peer.id].extend(self.buffers[peer.id].feed(peer.take(1000)))
        assert peer.size == 0

    def settle(self, peers: list[Peer]) -> None:
        """Everything that can happen has happened."""
        self.deliver()
        for _ in range(1000):
            busy = False
            for peer in peers:
                self.drain(peer)
                job = self.fanout.next_read(peer)
                if job is not None:
                    busy = True
                    self.fanout.replayed(peer, self.read(job))
            if not busy:
                break
        for peer in peers:
            self.drain(peer)

    def sequence(self, peer: Peer, channel: bytes = CHANNEL) -> list[int]:
        return [
            message.seq
            for message in self.received[peer.id]
            if isinstance(message, Entry) and message.channel == channel
        ]


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.tls.close()


def test_live_entries_reach_every_member_joined_to_one_piece(world: World) -> None:
    """The same joined bytes object stands in each output."""
    peers = [world.connect(identity) for identity in range(1, 4)]
    for peer in peers:
        world.fanout.start(peer, CHANNEL, 0)
    world.settle(peers)
    world.commit(CHANNEL)
    world.commit(CHANNEL)
    world.deliver()
    assert all(len(peer.output) == 1 for peer in peers)
    assert peers[0].output[0] is peers[1].output[0] is peers[2].output[0]
    world.settle(peers)
    assert [world.sequence(peer) for peer in peers] == [[1, 2]] * 3


def test_an_entry_in_the_log_before_its_delivery_is_not_repeated(world: World) -> None:
    """The log is ahead of the shard: what came from it is skipped live."""
    peer = world.connect(1)
    world.commit(CHANNEL)
    world.commit(CHANNEL)
    world.fanout.start(peer, CHANNEL, 0)
    job = world.fanout.next_read(peer)
    assert job is not None
    world.fanout.replayed(peer, world.read(job))
    world.deliver()
    world.commit(CHANNEL)
    world.settle([peer])
    assert world.sequence(peer) == [1, 2, 3]


def test_an_entry_delivered_during_a_read_is_read_again(world: World) -> None:
    """The shard is ahead of the read: the connection stays in the log until they meet."""
    peer = world.connect(1)
    world.fanout.start(peer, CHANNEL, 0)
    job = world.fanout.next_read(peer)
    assert job is not None
    logs = world.read(job)
    world.commit(CHANNEL)
    world.deliver()
    world.fanout.replayed(peer, logs)
    world.settle([peer])
    assert world.sequence(peer) == [1]
    assert [message.seq for message in world.received[1] if isinstance(message, CaughtUp)] == [1]


def test_a_slow_connection_falls_back_to_the_log_and_loses_nothing(world: World) -> None:
    """Its output stays bounded while the others go on."""
    slow, quick = world.connect(1), world.connect(2)
    for peer in (slow, quick):
        world.fanout.start(peer, CHANNEL, 0)
    world.settle([slow, quick])
    for _ in range(40):
        world.commit(CHANNEL, 60_000)
        world.deliver()
        world.drain(quick)
        assert slow.size <= LIVE_OUTPUT + 61_000
    assert world.fanout.fallbacks == 1
    world.settle([slow, quick])
    assert world.sequence(slow) == world.sequence(quick) == list(range(1, 41))
    world.commit(CHANNEL)
    world.deliver()
    world.drain(slow)
    assert world.sequence(slow)[-1] == 41


def test_an_ephemeral_entry_is_dropped_for_a_busy_connection_and_its_sender(world: World) -> None:
    """Typing notices never wait behind much."""
    sender, quiet, busy = (world.connect(identity) for identity in (1, 2, 3))
    for peer in (sender, quiet, busy):
        world.fanout.start(peer, CHANNEL, 0)
    world.settle([sender, quiet, busy])
    busy.put(b"\0" * (EPHEMERAL_OUTPUT + 1))
    notice = encode_frame(EphemeralEntry(CHANNEL, NOBODY, b"typing"))
    world.fanout.deliver(Delivery(CHANNEL, notice, 0, exclude=sender.id))
    assert not sender.output
    assert quiet.output == [notice]
    assert len(busy.output) == 1


def test_the_last_entry_and_the_closing_frame_come_before_silence(world: World) -> None:
    """A removed device gets the entry that removed it, then ChannelClosed, then nothing."""
    peer = world.connect(1)
    world.fanout.start(peer, CHANNEL, 0)
    world.settle([peer])
    world.commit(CHANNEL)
    closed = encode_frame(ChannelClosed(CHANNEL, 1))
    world.deliver()
    world.fanout.stop(peer, CHANNEL, 1, closed)
    world.commit(CHANNEL)
    world.settle([peer])
    assert [type(message) for message in world.received[1]] == [CaughtUp, Entry, ChannelClosed]


def test_a_device_removed_while_it_reads_the_log_gets_everything_up_to_there(world: World) -> None:
    """The closing frame waits for the replay."""
    peer = world.connect(1)
    for _ in range(10):
        world.commit(CHANNEL)
    world.deliver()
    world.fanout.start(peer, CHANNEL, 0)
    world.fanout.stop(peer, CHANNEL, 8, encode_frame(ChannelClosed(CHANNEL, 8)))
    world.settle([peer])
    assert world.sequence(peer) == list(range(1, 9))
    assert isinstance(world.received[1][-1], ChannelClosed)


def test_a_device_removed_and_added_again_while_it_reads_the_log_gets_both_parts(world: World) -> None:
    """What lies between is not for it."""
    peer = world.connect(1)
    for _ in range(10):
        world.commit(CHANNEL)
    world.deliver()
    world.fanout.start(peer, CHANNEL, 0)
    world.fanout.stop(peer, CHANNEL, 4, encode_frame(ChannelClosed(CHANNEL, 4)))
    world.fanout.start(peer, CHANNEL, 7)
    world.fanout.stop(peer, CHANNEL, 8, encode_frame(ChannelClosed(CHANNEL, 8)))
    world.fanout.start(peer, CHANNEL, 9)
    world.settle([peer])
    world.commit(CHANNEL)
    world.deliver()
    world.drain(peer)
    assert world.sequence(peer) == [1, 2, 3, 4, 8, 10, 11]


def test_a_large_entry_is_read_from_the_log(world: World) -> None:
    """Its delivery has no frame; the ones after it come in order."""
    peer = world.connect(1)
    world.fanout.start(peer, CHANNEL, 0)
    world.settle([peer])
    for frame in (True, False, True):
        delivery = world.commit(CHANNEL)
        if not frame:
            world.undelivered[-1] = Delivery(CHANNEL, b"", delivery.seq)
    world.deliver()
    world.settle([peer])
    assert world.sequence(peer) == [1, 2, 3]


def test_nothing_is_kept_for_channels_without_connections(world: World) -> None:
    """A dropped connection leaves no trace."""
    peer = world.connect(1)
    world.fanout.start(peer, CHANNEL, 0)
    world.fanout.start(peer, OTHER, 0)
    world.settle([peer])
    world.fanout.drop(peer)
    assert not peer.channels
    assert world.fanout.channels == 0


class FanoutMachine(RuleBasedStateMachine):
    """Any interleaving of commits, deliveries, reads, slow networks, starts and stops."""

    @initialize()
    def begin(self) -> None:
        self.world = World()
        self.peers = [self.world.connect(identity) for identity in (1, 2, 3)]
        self.spans: dict[tuple[int, bytes], list[tuple[int, int | None]]] = {}
        """For each connection and channel: after which entry it began, and with which it ended."""
        self.jobs: list[tuple[Peer, list[ChannelLog]]] = []

    channels = st.sampled_from([CHANNEL, OTHER])
    people = st.integers(0, 2)

    @rule(channel=channels, size=st.sampled_from([10, 10, 200_000]))
    def commit(self, channel: bytes, size: int) -> None:
        self.world.commit(channel, size)

    @rule()
    def deliver(self) -> None:
        self.world.deliver()

    @rule(channel=channels)
    def commit_large(self, channel: bytes) -> None:
        """Too large to hand out: the delivery only says that there is something."""
        delivery = self.world.commit(channel)
        self.world.undelivered[-1] = Delivery(channel, b"", delivery.seq)

    @rule(person=people, channel=channels, back=st.integers(0, 5))
    def start(self, person: int, channel: bytes, back: int) -> None:
        """As the core does it: a device that was removed goes on with the entry that added it again."""
        peer = self.peers[person]
        spans = self.spans.setdefault((peer.id, channel), [])
        if spans and spans[-1][1] is None:
            return
        if spans:
            after = self.world.commit(channel).seq - 1
            self.world.deliver()
        else:
            log = self.world.logs[channel]
            after = max(0, (log[-1][0] if log else 0) - back)
        spans.append((after, None))
        self.world.fanout.start(peer, channel, after)

    @rule(person=people, channel=channels)
    def stop(self, person: int, channel: bytes) -> None:
        """As the core does it: after the delivery of the entry that removes."""
        peer = self.peers[person]
        spans = self.spans.get((peer.id, channel))
        if not spans or spans[-1][1] is not None:
            return
        last = self.world.commit(channel).seq
        self.world.deliver()
        spans[-1] = (spans[-1][0], last)
        self.world.fanout.stop(peer, channel, last, encode_frame(ChannelClosed(channel, last)))

    @rule(person=people)
    def ask(self, person: int) -> None:
        """The reader looks now; its answer comes later."""
        job = self.world.fanout.next_read(self.peers[person])
        if job is not None:
            self.jobs.append((self.peers[person], self.world.read(job)))

    @precondition(lambda self: self.jobs)
    @rule()
    def answer(self) -> None:
        self.world.fanout.replayed(*self.jobs.pop(0))

    @rule(person=people)
    def drain(self, person: int) -> None:
        self.world.drain(self.peers[person])

    @invariant()
    def outputs_are_bounded(self) -> None:
        assert all(peer.size < LIVE_OUTPUT + 20 * 200_000 for peer in getattr(self, "peers", ()))

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        for peer, logs in self.jobs:
            self.world.fanout.replayed(peer, logs)
        self.world.settle(self.peers)
        for peer in self.peers:
            for channel in (CHANNEL, OTHER):
                got = self.world.sequence(peer, channel)
                spans = self.spans.get((peer.id, channel), [])
                log = self.world.logs[channel]
                newest = log[-1][0] if log else 0
                expected: list[int] = []
                for after, until in spans:
                    expected += range(after + 1, (newest if until is None else until) + 1)
                assert got == expected
                closed = [
                    message.seq
                    for message in self.world.received[peer.id]
                    if isinstance(message, ChannelClosed) and message.channel == channel
                ]
                assert closed == [until for _, until in spans if until is not None]
        self.world.tls.close()


TestAnyInterleaving = FanoutMachine.TestCase
TestAnyInterleaving.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
