"""The data shard: one thread that alone touches its connections.

Each turn of its loop reads what has come in, decodes it and hands it to the writer; takes what the writer has made
durable and the reader has found in the log; joins output, once for each channel; and writes once to each connection
that has something new. Few large TLS records instead of many small ones are what makes fan-out cheap. Nothing here
waits: no handshake, name lookup, disk or lock.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from secure_chat.server.core.effects import (
    AdminReply,
    Authenticated,
    Close,
    Connected,
    Delivery,
    Disconnected,
    Effects,
    Input,
    Received,
    Reply,
    StartDelivery,
    StopDelivery,
)
from secure_chat.server.io.admission import Admission, ShardLimits
from secure_chat.server.io.bounds import (
    FRAMES_PER_TICK,
    IN_FLIGHT_BYTES,
    IN_FLIGHT_MESSAGES,
    IN_FLIGHT_PER_CONNECTION,
    LIVE_OUTPUT,
    MAX_OUTPUT,
    WRITE_SIZE,
)
from secure_chat.server.io.fanout import Fanout, ReadLog
from secure_chat.server.io.mail import Accepted, Batch, Durable, LogRead
from secure_chat.server.io.peer import Peer
from secure_chat.transport.errors import ConnectionLost
from secure_chat.transport.mailbox import Mailbox
from secure_chat.transport.poller import READ, WRITE, Poller
from secure_chat.wire.errors import ErrorCode, FrameError, FrameTooLarge
from secure_chat.wire.framing import encode_frame
from secure_chat.wire.limits import MAX_FRAME
from secure_chat.wire.messages import Error, Goodbye

__all__ = ["Shard"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Drain:
    """The relay is shutting down: read nothing more."""

    done: Callable[[], None]


@dataclass(frozen=True, slots=True)
class _Farewell:
    """Everything acknowledged has been passed on: say goodbye, flush and end until the deadline."""

    deadline: float
    message: str
    retry_after: int


_BUSY_OPERATIONS = 4000
"""Socket operations per second above which the loop is paced by `ShardLimits.tick`."""
_RETRY_AFTER_MS = 5_000
_HOUSEKEEPING = 0.5


class Shard:
    """A thread over many connections. `inbox` takes what other threads have for it."""

    def __init__(
        self,
        index: int,
        submit: Callable[[Batch], None],
        read_log: Callable[["Shard", ReadLog], None],
        limits: ShardLimits,
    ) -> None:
        self.index = index
        """Its place among the shards."""
        self.inbox: Mailbox[Accepted | Durable | LogRead | _Drain | _Farewell] = Mailbox()
        self.limits = limits
        self.fanout = Fanout()
        self.received = 0
        """Messages read so far."""
        self.refused = 0
        """Connections closed for a limit or for malformed frames so far."""
        self._submit = submit
        self._read_log = read_log
        self._poller = Poller()
        self._peers: dict[int, Peer] = {}
        self._by_descriptor: dict[int, Peer] = {}
        self._admission = Admission()
        self._dirty: list[Peer] = []
        self._more: list[Peer] = []
        self._paused: list[Peer] = []
        self._inputs: list[Input] = []
        self._reads: list[tuple[Peer, int]] = []
        self._size = 0
        self._in_flight = 0
        self._in_flight_bytes = 0
        self._operations = 0
        self._draining: _Drain | None = None
        self._farewell: _Farewell | None = None
        self._thread = threading.Thread(target=self._run, name="shard", daemon=True)

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._peers)

    def connection_ids(self) -> list[int]:
        """The connections open now; from any thread."""
        return list(self._peers)

    def abandon(self, connection: int) -> None:
        """The log can't be read for this connection: it is closed and may come back; from any thread."""
        frame = encode_frame(Error(0, ErrorCode.INTERNAL, "the relay could not read its log", _RETRY_AFTER_MS))
        self.inbox.post(Durable(Effects([Close(connection, frame)]), []))

    @property
    def alive(self) -> bool:
        """The thread runs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def drain(self, done: Callable[[], None]) -> None:
        """Reads nothing more; calls `done` from the shard's thread once all that was read is with the writer."""
        self.inbox.post(_Drain(done))

    def farewell(self, deadline: float, message: str, retry_after: int) -> None:
        """Says goodbye to everyone, flushes until `deadline` (monotonic) and ends the thread."""
        self.inbox.post(_Farewell(deadline, message, retry_after))

    def join(self, timeout: float | None = None) -> None:
        """Waits for the thread's end."""
        self._thread.join(timeout)

    # The loop.

    def _run(self) -> None:
        self._poller.register(self.inbox.fileno(), READ)
        housekeeping = time.monotonic() + _HOUSEKEEPING
        load = 0.0
        turned = time.monotonic()
        while True:
            timeout = 0.0 if self._more else max(0.0, housekeeping - time.monotonic())
            self._turn(self._poller.poll(timeout))
            now = time.monotonic()
            if now >= housekeeping:
                self._keep_house(now)
                housekeeping = now + (0.02 if self._farewell else _HOUSEKEEPING)
                if self._farewell and (not self._peers or now >= self._farewell.deadline):
                    break
            elapsed = max(now - turned, 1e-6)
            weight = min(1.0, elapsed / 0.05)
            load += (self._operations / elapsed - load) * weight
            if load > _BUSY_OPERATIONS and self._operations and elapsed < self.limits.tick:
                time.sleep(self.limits.tick - elapsed)
                now = time.monotonic()
            turned = now
            self._operations = 0
        for peer in list(self._peers.values()):
            self._drop(peer)
        self._poller.close()

    def _turn(self, events: list[tuple[int, int]]) -> None:
        more, self._more = self._more, []
        for peer in more:
            peer.more = False
            if not peer.closing:
                self._decode(peer, b"")
        mail = False
        inbox = self.inbox.fileno()
        by_descriptor = self._by_descriptor
        for descriptor, mask in events:
            if descriptor == inbox:
                mail = True
                continue
            ready = by_descriptor.get(descriptor)
            if ready is None:
                continue
            if mask & WRITE:
                self._flush(ready)
            if mask & ~WRITE and ready.id in self._peers:
                self._read(ready)
        if mail:
            for item in self.inbox.take():
                self._take(item)
        self.fanout.flush()
        dirty = self._dirty
        while dirty or self.fanout.hungry:
            for peer in tuple(dirty):
                self._write(peer)
            dirty.clear()
            self._feed_hungry()
        self._hand_over()  # last: the writer and the sends above would only hinder each other under the global lock

    def _hand_over(self) -> None:
        if self._inputs:
            batch = Batch(self.index, self._inputs, self._reads, self._size)
            self._in_flight += len(batch.inputs)
            self._in_flight_bytes += batch.size
            self._inputs, self._reads, self._size = [], [], 0
            self._submit(batch)

    # Reading.

    def _read(self, peer: Peer) -> None:
        if peer.closing or self._is_full(peer):
            if peer.closing:
                self._skip(peer)
            else:
                self._pause(peer)
            return
        self._operations += 1
        try:
            data = peer.tls.receive()
        except ConnectionLost:
            self._drop(peer)
            return
        if data:
            self._decode(peer, data)

    def _is_full(self, peer: Peer) -> bool:
        return (
            peer.more
            or peer.size > LIVE_OUTPUT
            or peer.in_flight > IN_FLIGHT_PER_CONNECTION
            or self._in_flight > IN_FLIGHT_MESSAGES
            or self._in_flight_bytes > IN_FLIGHT_BYTES
            or self._draining is not None
        )

    def _skip(self, peer: Peer) -> None:
        """Reads and forgets: the peer of a closing connection must be able to hang up."""
        try:
            peer.tls.receive()
        except ConnectionLost:
            self._drop(peer)

    def _pause(self, peer: Peer) -> None:
        """Stops reading: TCP makes the sender wait. `_resume` goes on when there is room."""
        if peer.events & READ:
            self._wait_for(peer, peer.events & ~READ)
            self._paused.append(peer)

    def _resume(self) -> None:
        paused, self._paused = self._paused, []
        for peer in paused:
            if peer.id not in self._peers:
                continue
            if self._is_full(peer) and not peer.closing:
                self._paused.append(peer)
            else:
                self._wait_for(peer, peer.events | READ)

    def _decode(self, peer: Peer, data: bytes) -> None:
        identity, inputs = peer.id, self._inputs
        before = len(inputs)
        messages = peer.frames.feed(data)
        try:
            for message in messages:
                inputs.append(Received(identity, message))
                if len(inputs) - before >= FRAMES_PER_TICK:
                    messages.close()
                    peer.more = True
                    self._more.append(peer)
                    break
        except FrameError as error:
            code = ErrorCode.TOO_LARGE if isinstance(error, FrameTooLarge) else ErrorCode.MALFORMED
            self._refuse(peer, code, str(error))
        count = len(inputs) - before
        if count:
            self.received += count
            peer.in_flight += count
            self._reads.append((peer, count))
            self._size += len(data)

    def _refuse(self, peer: Peer, code: ErrorCode, message: str, retry_after: int = 0) -> None:
        self.refused += 1
        whose = peer.tls.peer if self.limits.log_addresses else "a connection"
        logger.debug("%s is refused: %s", whose, message)
        peer.put(encode_frame(Error(0, code, message, retry_after)))
        self._close_after_output(peer)

    def _close_after_output(self, peer: Peer) -> None:
        if not peer.closing:
            peer.closing = True
            self._admission.close_soon(peer, time.monotonic())
            self.fanout.drop(peer)
            if not peer.output:
                self._dirty.append(peer)

    # Mail from other threads.

    def _take(self, item: Accepted | Durable | LogRead | _Drain | _Farewell) -> None:
        if isinstance(item, Durable):
            self._settle(item.batches)
            self._apply(item.effects)
        elif isinstance(item, LogRead):
            peer = self._peers.get(item.connection)
            if peer is not None:
                self.fanout.replayed(peer, item.logs)
        elif isinstance(item, Accepted):
            self._accept(item)
        elif isinstance(item, _Drain):
            self._draining = item
            self._more.clear()
            self._hand_over()
            item.done()
        else:
            self._farewell = item
            goodbye = encode_frame(Goodbye(item.message, item.retry_after))
            for peer in self._peers.values():
                if not peer.closing:
                    peer.put(goodbye)
                    self._close_after_output(peer)

    def _settle(self, batches: list[Batch]) -> None:
        for batch in batches:
            self._in_flight -= len(batch.inputs)
            self._in_flight_bytes -= batch.size
            for peer, count in batch.reads:
                peer.in_flight -= count
        if self._paused:
            self._resume()

    def _apply(self, effects: Effects) -> None:
        peers, deliver = self._peers, self.fanout.deliver
        for effect in effects.outputs:
            if isinstance(effect, Delivery):
                deliver(effect)
                continue
            if isinstance(effect, AdminReply):
                continue
            peer = peers.get(effect.connection)
            if peer is None or peer.closing:
                continue
            if isinstance(effect, Reply):
                peer.put(effect.frame)
            elif isinstance(effect, StartDelivery):
                self.fanout.start(peer, effect.channel, effect.after)
            elif isinstance(effect, StopDelivery):
                self.fanout.stop(peer, effect.channel, effect.last, effect.frame)
            elif isinstance(effect, Authenticated):
                peer.authenticated = True
                peer.frames.limit = MAX_FRAME
            elif isinstance(effect, Close):
                self.fanout.flush()
                if effect.frame:
                    peer.put(effect.frame)
                self._close_after_output(peer)

    def _accept(self, item: Accepted) -> None:
        tls = item.tls
        peer = Peer(item.connection, tls, self._dirty)
        self._peers[peer.id] = peer
        self._by_descriptor[tls.fileno()] = peer
        self._poller.register(tls.fileno(), READ)
        refusal = self._admission.enter(peer, self.limits, time.monotonic())
        if refusal is None and self._draining:
            refusal = "the relay is stopping"
        if refusal is not None:
            self._refuse(peer, ErrorCode.BUSY, refusal, _RETRY_AFTER_MS)
            return
        peer.announced = True
        self._inputs.append(Connected(peer.id, item.certificate_hash, tls.peer))
        try:
            early = tls.read_pending()
        except ConnectionLost:
            self._drop(peer)
            return
        if early:
            self._decode(peer, early)

    # Writing.

    def _write(self, peer: Peer) -> None:
        """Sends output as far as there is room."""
        if peer.tls.has_unsent or peer.id not in self._peers:
            if peer.size > MAX_OUTPUT:
                self._drop(peer)
            return
        try:
            while peer.output:
                self._operations += 1
                if not peer.tls.send(peer.take(WRITE_SIZE)):
                    self._wait_for(peer, peer.events | WRITE)
                    if peer.size > MAX_OUTPUT:
                        self._drop(peer)
                    return
        except ConnectionLost:
            self._drop(peer)
            return
        if peer.closing:
            self._drop(peer)
        elif peer.replays:
            self.fanout.hungry.append(peer)

    def _flush(self, peer: Peer) -> None:
        try:
            self._operations += 1
            if not peer.tls.flush():
                return
        except ConnectionLost:
            self._drop(peer)
            return
        self._wait_for(peer, peer.events & ~WRITE)
        self._write(peer)
        if self._paused:
            self._resume()

    def _feed_hungry(self) -> None:
        hungry, self.fanout.hungry = self.fanout.hungry, []
        for peer in hungry:
            if peer.id in self._peers:
                job = self.fanout.next_read(peer)
                if job is not None:
                    self._read_log(self, job)

    def _wait_for(self, peer: Peer, events: int) -> None:
        if events != peer.events:
            peer.events = events
            self._poller.modify(peer.tls.fileno(), events)

    # Ends.

    def _drop(self, peer: Peer) -> None:
        """Closes a connection now and tells the core."""
        if self._peers.pop(peer.id, None) is None:
            return
        descriptor = peer.tls.fileno()
        del self._by_descriptor[descriptor]
        self._poller.unregister(descriptor)
        self._admission.leave(peer)
        self.fanout.drop(peer)
        peer.tls.close()
        peer.closing = True
        peer.output.clear()
        peer.size = 0
        if peer.announced:
            self._inputs.append(Disconnected(peer.id))

    def _keep_house(self, now: float) -> None:
        for peer in self._admission.without_login(now):
            self._refuse(peer, ErrorCode.UNAUTHENTICATED, "no login within the time for it")
        for peer in self._admission.overstaying(now):
            self._drop(peer)
        if self._paused:
            self._resume()
        if self._dirty or self._inputs:
            self._turn([])
