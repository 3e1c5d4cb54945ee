"""The client's connection to its relay: messages in, frames out, driven by one thread through `poll`.

Nothing blocks but `poll`, and that ends when the descriptor given as `wakeup` becomes readable: whoever has something
for the connection's thread posts it to a mailbox and the thread comes back. No other thread touches the TLS object.
"""

import hashlib
import ssl
from collections import deque
from typing import Protocol

from secure_chat.transport.connection import TlsConnection
from secure_chat.transport.deadline import Deadline
from secure_chat.transport.dial import Dialer
from secure_chat.transport.errors import TimedOut
from secure_chat.transport.poller import READ, WRITE, Poller
from secure_chat.wire.framing import FrameBuffer, server_message_decoder
from secure_chat.wire.limits import MAX_FRAME
from secure_chat.wire.messages import ServerMessage

__all__ = ["CONNECT_TIMEOUT", "Stream"]

CONNECT_TIMEOUT = 10.0
"""Seconds for name, TCP and TLS together; a person has given up by then."""

_CHUNK = 64 * 1024
"""Queued frames are joined up to this size, so that many small ones share a TLS record."""


class HasDescriptor(Protocol):
    """A mailbox or wake-up."""

    def fileno(self) -> int:
        """Readable when the connection's thread is wanted."""


class Stream:
    """A connection to a relay, from the first step on. Ends with a TransportError or WireError out of `poll`."""

    def __init__(
        self,
        host: str,
        port: int,
        context: ssl.SSLContext,
        *,
        wakeup: HasDescriptor | None = None,
        timeout: float = CONNECT_TIMEOUT,
        limit: int = MAX_FRAME,
    ) -> None:
        """Begins to connect; `limit` is the largest frame accepted, in bytes."""
        self._host = host
        self.peer = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._context = context
        self._deadline = Deadline(timeout)
        self._poller = Poller()
        self._wakeup = None if wakeup is None else wakeup.fileno()
        if self._wakeup is not None:
            self._poller.register(self._wakeup, READ)
        self._connection: TlsConnection | None = None
        self._frames = FrameBuffer(server_message_decoder, limit)
        self._queue: deque[bytes] = deque()
        self._wants = 0
        self._failure: Exception | None = None
        self._closed = False
        self.established = False
        """The handshake is finished: frames may flow."""
        self._dialer: Dialer | None = Dialer(host, port, self._poller)

    def connect(self) -> None:
        """Blocks until established, whatever the wake-up says; raises ConnectError or HandshakeFailed."""
        while not self.established:
            self.poll(None)

    @property
    def certificate(self) -> bytes:
        """The server's certificate in DER; only once established."""
        assert self._connection is not None
        return self._connection.peer_certificate()

    @property
    def certificate_hash(self) -> bytes:
        """SHA-256 of the server's certificate, which a login signs."""
        return hashlib.sha256(self.certificate).digest()

    @property
    def description(self) -> str:
        """Protocol version and cipher suite, for people; only once established."""
        assert self._connection is not None
        return self._connection.description

    @property
    def unsent(self) -> int:
        """Bytes that were given to `send` and have not been encrypted yet."""
        return sum(map(len, self._queue))

    def send(self, frame: bytes) -> None:
        """Queues a frame; the next `poll` sends it. Before the connection is established it waits."""
        self._queue.append(frame)

    def flush(self) -> None:
        """Sends what is queued as far as there is room, without waiting; a failure is raised by the next `poll`."""
        if self.established and self._failure is None:
            try:
                self._push()
            except Exception as error:
                self._failure = error
                self.close()

    def poll(self, timeout: float | None) -> list[ServerMessage]:
        """Sends what is queued and returns what has come; waits at most `timeout` seconds (None: without end).

        Returns early, maybe with nothing, when the wake-up is readable (its owner clears it) or the connection has
        just been established. What came before an error is returned first; the next call raises it: ConnectError,
        HandshakeFailed, ConnectionLost, or FrameError for bytes that are no message.
        """
        if self._failure is not None:
            raise self._failure
        deadline = Deadline(timeout)
        while True:
            try:
                messages, stop = self._turn(deadline)
            except Exception as error:
                self._failure = error
                self.close()
                raise
            if messages or stop or deadline.expired:
                return messages

    def close(self) -> None:
        """Says good-bye as far as there is room and frees everything; only the polling thread may call it."""
        if self._closed:
            return
        self._closed = True
        self.established = False
        if self._dialer is not None:
            self._dialer.close()
        if self._connection is not None:
            self._connection.close()
        self._poller.close()

    def _turn(self, deadline: Deadline) -> tuple[list[ServerMessage], bool]:
        """One round of sending, waiting and receiving; the flag tells `poll` to return."""
        if self.established:
            self._push()
        wait = deadline.remaining()
        if not self.established:
            wait = self._deadline.remaining(wait)
            if self._dialer is not None and (next_step := self._dialer.timeout) is not None:
                wait = next_step if wait is None else min(wait, next_step)
        ready = dict(self._poller.poll(wait))
        woken = self._wakeup is not None and ready.pop(self._wakeup, 0) != 0
        if self.established:
            return self._receive() if ready else [], woken
        before = self.established
        messages = self._advance(ready)
        if not self.established and self._deadline.expired:
            raise TimedOut(f"{self.peer} does not answer; is it switched on, and does its firewall let you in?")
        return messages, woken or self.established != before

    def _advance(self, ready: dict[int, int]) -> list[ServerMessage]:
        """The next step of connecting."""
        if self._dialer is not None:
            connected = self._dialer.step(ready)
            if connected is None:
                return []
            self._dialer = None
            self._connection = TlsConnection(connected, self._context, self.peer, server_hostname=self._host)
            self._wants = READ
            self._poller.register(self._connection.fileno(), READ)
        connection = self._connection
        assert connection is not None
        finished = connection.handshake()
        self._watch(connection)
        if not finished:
            return []
        self.established = True
        return self._decode(connection.read_pending())  # data may come together with the end of the handshake

    def _push(self) -> None:
        connection = self._connection
        assert connection is not None
        if connection.has_unsent and not connection.flush():
            return
        while self._queue and not connection.has_unsent:
            frames = [self._queue.popleft()]
            size = len(frames[0])
            while self._queue and size + len(self._queue[0]) <= _CHUNK:
                size += len(self._queue[0])
                frames.append(self._queue.popleft())
            connection.send(b"".join(frames))
        self._watch(connection)

    def _receive(self) -> list[ServerMessage]:
        connection = self._connection
        assert connection is not None
        return self._decode(connection.receive())

    def _decode(self, data: bytes) -> list[ServerMessage]:
        messages: list[ServerMessage] = []
        try:  # an error must not lose the messages before it
            for message in self._frames.feed(data):
                messages.append(message)
        except Exception as error:
            if not messages:
                raise
            self._failure = error
            self.close()
        return messages

    def _watch(self, connection: TlsConnection) -> None:
        wants = READ | WRITE if connection.has_unsent else READ
        if wants != self._wants:
            self._wants = wants
            self._poller.modify(connection.fileno(), wants)
