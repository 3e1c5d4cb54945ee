"""One TLS connection without blocking: a socket and an `SSLObject` over memory buffers.

A connection belongs to one thread at a time: two threads in one TLS object corrupt it, whatever the operation.
"""

import contextlib
import socket
import ssl
from typing import Final

from secure_chat.transport.errors import ConnectionLost
from secure_chat.transport.tls import handshake_error

__all__ = ["RECEIVE_SIZE", "TlsConnection", "tune"]

RECEIVE_SIZE: Final = 64 * 1024
"""Bytes taken from a socket at once: enough for four full TLS records, little enough to be fair to the others."""

_RECORD: Final = 16 * 1024
"""Largest plaintext of one TLS record (RFC 8446 §5.1)."""
_KEEPALIVE_IDLE_S: Final = 60
_KEEPALIVE_INTERVAL_S: Final = 20
_KEEPALIVE_PROBES: Final = 3
"""A peer that vanished is noticed after two minutes by the kernel, without any work of ours."""
_UNACKNOWLEDGED_MS: Final = 60_000
"""The same for one that vanished while data was on its way."""


class TlsConnection:
    """A non-blocking TLS connection; plaintext in and out, at most one unsent remainder kept."""

    __slots__ = ("_incoming", "_outgoing", "_socket", "_tls", "_unsent", "peer")

    def __init__(
        self, connected: socket.socket, context: ssl.SSLContext, peer: str, *, server_hostname: str | None = None
    ) -> None:
        """The server's side; with `server_hostname` (the host that the certificate must be for) the client's."""
        connected.setblocking(False)
        if server_hostname is not None:
            tune(connected)  # on the relay's side `Listener` has done it
        self._socket = connected
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._incoming,
            self._outgoing,
            server_side=server_hostname is None,
            server_hostname=server_hostname,
        )
        self._unsent: memoryview | None = None
        self.peer = peer
        """The address at the other end, for limits and messages."""

    def fileno(self) -> int:
        """The socket's descriptor."""
        return self._socket.fileno()

    def handshake(self) -> bool:
        """Goes on with the handshake as far as it gets; True once it is finished.

        Raises HandshakeFailed or ConnectionLost. Until it returns True wait for READ, and for WRITE while
        `has_unsent`.
        """
        if self._unsent is not None and not self.flush():
            return False
        try:
            data = self._socket.recv(_RECORD)
        except BlockingIOError:
            data = None
        except OSError as error:
            raise ConnectionLost(f"the connection was lost during the handshake: {error.strerror}") from None
        if data == b"":
            raise ConnectionLost("the peer closed the connection during the handshake")
        if data:
            self._incoming.write(data)
        finished = False
        try:
            self._tls.do_handshake()
            finished = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            self._send_pending()  # the alert, as far as there is room
            raise handshake_error(error, self.peer) from None
        return self._send_pending() and finished

    def peer_certificate(self) -> bytes:
        """The certificate that the other end has shown, in DER; b"" where it has shown none."""
        return self._tls.getpeercert(binary_form=True) or b""

    @property
    def description(self) -> str:
        """Protocol version and cipher suite, for people; only once the handshake is finished."""
        cipher = self._tls.cipher()
        return f"{self._tls.version()} {cipher[0] if cipher else ''}".rstrip()

    def receive(self) -> bytes:
        """The plaintext that is there now, at most about RECEIVE_SIZE bytes; b"" when there is none yet.

        Raises ConnectionLost when the peer has closed or broken the connection.
        """
        try:
            data = self._socket.recv(RECEIVE_SIZE)
        except BlockingIOError:
            data = None
        except OSError as error:
            raise ConnectionLost(f"the connection was lost: {error.strerror}") from None
        if data is not None and not data:
            raise ConnectionLost("the peer closed the connection")
        if not data or len(data) <= _RECORD:
            if data:
                self._incoming.write(data)
            return self.read_pending()
        view, parts = memoryview(data), []
        for start in range(0, len(data), _RECORD):  # the buffer inside keeps the size that it once had
            self._incoming.write(view[start : start + _RECORD])
            try:
                parts.append(self.read_pending())
            except ConnectionLost:
                if not any(parts):
                    raise
                break  # what came before the end counts; the end shows at the next receive
        return b"".join(parts)

    def read_pending(self) -> bytes:
        """The plaintext of what was received already: application data can come with the end of the handshake."""
        incoming, read = self._incoming, self._tls.read
        if not incoming.pending:
            return b""
        try:
            plaintext = read(_RECORD)
            if incoming.pending:
                records = [plaintext]
                while incoming.pending:
                    try:
                        records.append(read(_RECORD))
                    except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
                        break  # what came before a close counts; the end shows at the next receive
                plaintext = b"".join(records)
        except ssl.SSLWantReadError:
            plaintext = b""
        except ssl.SSLZeroReturnError:
            raise ConnectionLost("the peer closed the connection") from None
        except ssl.SSLError as error:
            self._send_pending()
            raise ConnectionLost(f"TLS: {(error.reason or 'broken record').lower().replace('_', ' ')}") from None
        if self._outgoing.pending and self._unsent is None:
            self._send_pending()  # an answer to a key update
        return plaintext

    def send(self, data: bytes) -> bool:
        """Encrypts and sends; True when all of it left. Otherwise call `flush` when there is room, before
        sending more. Raises ConnectionLost.
        """
        try:
            if len(data) <= _RECORD:
                self._tls.write(data)
                return self._send_pending()
            view, records = memoryview(data), []
            for start in range(0, len(data), _RECORD):  # the buffer inside keeps the size that it once had
                self._tls.write(view[start : start + _RECORD])
                records.append(self._outgoing.read())
        except ssl.SSLError as error:
            raise ConnectionLost(f"TLS: {(error.reason or 'write failed').lower().replace('_', ' ')}") from None
        return self._send_bytes(b"".join(records))

    def flush(self) -> bool:
        """Sends what `send` left over; True when nothing is left. Raises ConnectionLost."""
        unsent = self._unsent
        if unsent is None:
            return self._send_pending()
        try:
            sent = self._socket.send(unsent)
        except BlockingIOError:
            return False
        except OSError as error:
            raise ConnectionLost(f"the connection was lost: {error.strerror}") from None
        if sent < len(unsent):
            self._unsent = unsent[sent:]
            return False
        self._unsent = None
        return self._send_pending() if self._outgoing.pending else True

    @property
    def has_unsent(self) -> bool:
        """Encrypted bytes are waiting for room in the socket."""
        return self._unsent is not None

    def close(self) -> None:
        """Tells the peer (close_notify) as far as there is room, and closes; unsent data is dropped."""
        if self._socket.fileno() < 0:
            return
        if self._unsent is None:
            with contextlib.suppress(ssl.SSLError, ValueError):
                self._tls.unwrap()  # the peer's answer isn't waited for; an unfinished handshake has nothing to close
            with contextlib.suppress(OSError):
                if self._outgoing.pending:
                    self._socket.send(self._outgoing.read())
        self._socket.close()

    def _send_pending(self) -> bool:
        if not self._outgoing.pending:
            return True
        return self._send_bytes(self._outgoing.read())

    def _send_bytes(self, data: bytes) -> bool:
        try:
            sent = self._socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            raise ConnectionLost(f"the connection was lost: {error.strerror}") from None
        if sent < len(data):
            self._unsent = memoryview(data)[sent:]
            return False
        return True


def tune(connected: socket.socket) -> None:
    """Small frames leave at once, and the kernel notices peers that have vanished."""
    if connected.family not in (socket.AF_INET, socket.AF_INET6):
        return
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", _KEEPALIVE_IDLE_S),
        ("TCP_KEEPINTVL", _KEEPALIVE_INTERVAL_S),
        ("TCP_KEEPCNT", _KEEPALIVE_PROBES),
        ("TCP_USER_TIMEOUT", _UNACKNOWLEDGED_MS),
    ):
        option = getattr(socket, name, None)  # not every system has all four
        if option is not None:
            connected.setsockopt(socket.IPPROTO_TCP, option, value)
