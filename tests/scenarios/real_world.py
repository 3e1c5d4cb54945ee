"""The harness's clients against a real relay process: real TLS over loopback, real time, one thread.

`RealWorld` is a `World` whose wire is TLS and whose clock is the machine's: a scenario that is written against the one
runs in the other. What belongs to the simulated relay (crashes, backups, the operator) is the process's own here.
"""

import os
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from secure_chat.client.engine.effects import Received
from secure_chat.transport.errors import TransportError
from secure_chat.transport.stream import Stream
from secure_chat.transport.tls import client_context
from tests.relay_process import RelayProcess
from tests.scenarios.harness import Link, Node, World

__all__ = ["RealWorld", "Where"]

PAUSE = 0.002
"""Seconds to sleep when nothing has come: with a hundred connections in one thread looking costs something, too."""
_BYTES_ACKED = 120
"""Where Linux keeps bytes sent and received in `struct tcp_info`."""
_TCP_INFO_SIZE = 192


@dataclass(frozen=True)
class Where:
    """What a process needs to know of the relay."""

    port: int
    ca_pem: str

    @classmethod
    def of(cls, relay: RelayProcess) -> "Where":
        """A running relay."""
        return cls(relay.address[1], relay.ca_pem)


class RealWorld(World):
    """Clients of this process."""

    def __init__(self, path: Path, where: Where, seed: int = 1) -> None:
        self._where = where
        self._context = client_context(where.ca_pem)
        self._streams: dict[int, Stream] = {}
        super().__init__(path, seed)
        self.sent = 0
        self.received = 0
        """Bytes of TCP, TLS included, of connections that are closed."""
        self.now = _now()

    def close(self) -> None:
        """Ends every connection and releases every file."""
        for node in self.nodes.values():
            node.go_offline()
            node.store.close()

    def traffic(self) -> tuple[int, int]:
        """Bytes to the relay and to the clients so far."""
        sizes = [_bytes(stream) for stream in self._streams.values()]
        return self.sent + sum(up for up, _ in sizes), self.received + sum(down for _, down in sizes)

    # -- time

    def step(self) -> None:
        """What is due and what has come; a short sleep where that is nothing."""
        self.now = max(self.now, _now())
        busy = False
        while self._queue and self._queue[0][0] <= self.now:
            super().step()
            busy = True
        for number in list(self._streams):
            busy |= self._listen(number)
        if not busy:
            time.sleep(PAUSE)

    def run_for(self, milliseconds: int) -> None:
        """Lets time pass."""
        end = _now() + milliseconds
        while _now() < end:
            self.step()

    def run_until(self, condition: Callable[[], bool], limit: int = 60_000, what: str = "") -> None:
        """Lets time pass until something is so; AssertionError after `limit` milliseconds."""
        end = _now() + limit
        while not condition():
            assert _now() < end, f"not within {limit} ms: {what}"
            self.step()

    # -- the wire

    def open_link(self, node: Node) -> Link:
        """A connection with its handshake done."""
        stream = Stream("127.0.0.1", self._where.port, self._context)
        stream.connect()
        self._link_numbers += 1
        link = Link(self._link_numbers, node, certificate_hash=stream.certificate_hash)
        self._links[link.number] = link
        self._streams[link.number] = stream
        return link

    def close_link(self, link: Link) -> None:
        """The client hangs up."""
        link.open = False
        self._links.pop(link.number, None)
        stream = self._streams.pop(link.number, None)
        if stream is not None:
            if stream.established:
                up, down = _bytes(stream)
                self.sent += up
                self.received += down
            stream.close()

    def to_relay(self, link: Link, frame: bytes) -> None:
        """A frame leaves a client."""
        for tap in self.taps:
            tap(link.node, frame, True)
        stream = self._streams.get(link.number)
        if stream is not None:
            stream.send(frame)
            stream.flush()

    def _listen(self, number: int) -> bool:
        stream, link = self._streams.get(number), self._links.get(number)
        if stream is None or link is None:
            return False
        try:
            messages = stream.poll(0)
        except TransportError:
            link.node.lose_connection()
            return True
        for message in messages:
            self.now = max(self.now, _now())
            if link.node.link is link:
                link.node.handle(Received(message))
        return bool(messages)

    # -- the relay is a process of its own

    def _open_relay(self) -> None:
        pass

    def _relay_tick(self) -> None:
        pass


def _now() -> int:
    return time.time_ns() // 1_000_000


def _bytes(stream: Stream) -> tuple[int, int]:
    """Sent and received by a connection's socket; 0 where the system doesn't count them."""
    connection = stream._connection
    if connection is None or not hasattr(socket, "TCP_INFO"):
        return 0, 0
    with socket.socket(fileno=os.dup(connection.fileno())) as copy:
        info = copy.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_SIZE)
    sent, received = struct.unpack_from("=QQ", info, _BYTES_ACKED)
    return sent, received
