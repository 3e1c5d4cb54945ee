"""The front door: accepts connections and does their TLS handshakes, so that the data shard never waits for one.

One thread over all half-open connections. Strangers cost little here: each has a deadline, and when there are too
many, of one address or in all, the oldest half-open one has to go. An honest client is through in milliseconds, so
the oldest ones are those that stall, and a client that behaves always gets in.
"""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from secure_chat.server.io.bounds import ACCEPTS_PER_TICK
from secure_chat.server.io.mail import Accepted
from secure_chat.server.io.shard import Shard
from secure_chat.transport.connection import TlsConnection
from secure_chat.transport.errors import ListenError, TransportError
from secure_chat.transport.listener import Listener
from secure_chat.transport.mailbox import Wakeup
from secure_chat.transport.poller import READ, WRITE, Poller
from secure_chat.transport.tls import ServerContext

__all__ = ["DoorLimits", "FrontDoor"]

logger = logging.getLogger(__name__)

_PAUSE = 1.0
"""Seconds without accepting after descriptors ran out."""


@dataclass(slots=True)
class DoorLimits:
    """What the operator may tune; a reload replaces it."""

    handshake_time: float = 10.0
    """Seconds for a TLS handshake: three round trips over a bad mobile line fit."""
    half_open: int = 1024
    """Handshakes under way in all; about 20 KB each."""
    half_open_per_address: int = 64
    """The same for one address: many people behind one router may reconnect at once."""
    log_addresses: bool = False


@dataclass(slots=True)
class _HalfOpen:
    tls: TlsConnection
    certificate_hash: bytes
    deadline: float


class FrontDoor:
    """Listens, shakes hands, and hands finished connections to the shards in turn."""

    def __init__(
        self, listeners: Sequence[Listener], context: ServerContext, shards: Sequence[Shard], limits: DoorLimits
    ) -> None:
        self.limits = limits
        self.context = context
        """Presented to new connections; replaced by a reload. Connections under way keep theirs."""
        self.handshakes = 0
        self.failed = 0
        self.evicted = 0
        """Handshakes finished, failed, and given up for newer ones so far."""
        self._listeners = list(listeners)
        self._shards = shards
        self._poller = Poller()
        self._wakeup = Wakeup()
        self._half_open: OrderedDict[int, _HalfOpen] = OrderedDict()
        self._per_address: dict[str, OrderedDict[int, None]] = {}
        self._ids = count(1)
        self._stopping = False
        self._paused_until = 0.0
        self._thread = threading.Thread(target=self._run, name="front door", daemon=True)

    @property
    def half_open(self) -> int:
        """How many handshakes are under way."""
        return len(self._half_open)

    @property
    def alive(self) -> bool:
        """The thread runs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stops listening, gives up handshakes under way and ends the thread."""
        self._stopping = True
        self._wakeup.set()
        self._thread.join()

    def _run(self) -> None:
        self._poller.register(self._wakeup.fileno(), READ)
        listeners = {listener.fileno(): listener for listener in self._listeners}
        for descriptor in listeners:
            self._poller.register(descriptor, READ)
        while not self._stopping:
            for descriptor, mask in self._poller.poll(self._timeout()):
                listener = listeners.get(descriptor)
                if listener is not None:
                    self._accept(listener)
                elif descriptor in self._half_open:
                    self._advance(descriptor, mask)
            now = time.monotonic()
            self._expire(now)
            if self._paused_until and now >= self._paused_until:
                self._paused_until = 0.0
                for descriptor in listeners:
                    self._poller.modify(descriptor, READ)
        for descriptor in list(self._half_open):
            self._give_up(descriptor)
        for listener in self._listeners:
            listener.close()
        self._poller.close()
        self._wakeup.close()

    def _timeout(self) -> float | None:
        oldest = next(iter(self._half_open.values()), None)
        times = [oldest.deadline] if oldest else []
        if self._paused_until:
            times.append(self._paused_until)
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _accept(self, listener: Listener) -> None:
        for _ in range(ACCEPTS_PER_TICK):
            try:
                accepted = listener.accept()
            except ListenError as error:
                logger.error("%s", error)
                self._paused_until = time.monotonic() + _PAUSE
                for other in self._listeners:
                    self._poller.modify(other.fileno(), 0)
                return
            if accepted is None:
                return
            connected, address = accepted
            context = self.context
            tls = TlsConnection(connected, context.context, address)
            self._make_room(address)
            descriptor = tls.fileno()
            deadline = time.monotonic() + self.limits.handshake_time
            self._half_open[descriptor] = _HalfOpen(tls, context.certificate_hash, deadline)
            self._per_address.setdefault(address, OrderedDict())[descriptor] = None
            self._poller.register(descriptor, READ)

    def _make_room(self, address: str) -> None:
        mine = self._per_address.get(address)
        if mine is not None and len(mine) >= self.limits.half_open_per_address:
            self.evicted += 1
            self._give_up(next(iter(mine)))
        elif len(self._half_open) >= self.limits.half_open:
            self.evicted += 1
            self._give_up(next(iter(self._half_open)))

    def _advance(self, descriptor: int, mask: int) -> None:
        half_open = self._half_open[descriptor]
        try:
            finished = half_open.tls.handshake()
        except TransportError as error:
            self.failed += 1
            whose = half_open.tls.peer if self.limits.log_addresses else "a stranger"
            logger.debug("the handshake with %s failed: %s", whose, error)
            self._give_up(descriptor)
            return
        if finished:
            self.handshakes += 1
            self._forget(descriptor)
            identity = next(self._ids)
            shard = self._shards[identity % len(self._shards)]
            shard.inbox.post(Accepted(identity, half_open.tls, half_open.certificate_hash))
        elif half_open.tls.has_unsent:
            self._poller.modify(descriptor, READ | WRITE)
        elif mask & WRITE:
            self._poller.modify(descriptor, READ)

    def _expire(self, now: float) -> None:
        while self._half_open:
            descriptor, oldest = next(iter(self._half_open.items()))
            if oldest.deadline > now:
                return
            self.failed += 1
            self._give_up(descriptor)

    def _give_up(self, descriptor: int) -> None:
        self._forget(descriptor).tls.close()

    def _forget(self, descriptor: int) -> _HalfOpen:
        self._poller.unregister(descriptor)
        half_open = self._half_open.pop(descriptor)
        mine = self._per_address[half_open.tls.peer]
        del mine[descriptor]
        if not mine:
            del self._per_address[half_open.tls.peer]
        return half_open
