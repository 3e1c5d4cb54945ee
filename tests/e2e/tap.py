"""Somebody who sits on the wire with the server's own key: sees every byte as it travels, and as it was meant.

To clients the tap shows the relay's own certificate, which their logins sign: all that they say to it is accepted by
the relay behind it. That is more than any attacker on the network has; whoever broke into the relay has as much.
"""

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from secure_chat import certificates
from secure_chat.transport.tls import client_context, server_context
from tests.relay_process import RelayProcess

__all__ = ["Tap"]

CHUNK = 64 * 1024
PATIENCE = 30.0
"""Seconds for a handshake, or until somebody reads what was sent; a busy machine is slow."""
LOOK = 0.2
"""Seconds after which a connection's thread looks whether the tap was closed."""


class _Side:
    """One TLS connection, with all that came in on it."""

    def __init__(self, connection: socket.socket, context: ssl.SSLContext, host: str | None) -> None:
        self.socket = connection
        self.wire = bytearray()
        self.plain = bytearray()
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=host is None, server_hostname=host)
        connection.settimeout(PATIENCE)

    def shake_hands(self) -> None:
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                if not self.receive():
                    raise ConnectionError("hung up in the handshake") from None
            else:
                self._flush()
                return

    def receive(self) -> bool:
        """Takes in what has come; False at the end."""
        data = self.socket.recv(CHUNK)
        self.wire += data
        self._incoming.write(data)
        return bool(data)

    def read(self) -> bytes:
        """What it means."""
        read = bytearray()
        with contextlib.suppress(ssl.SSLWantReadError):
            while data := self._tls.read(CHUNK):
                read += data
        self.plain += read
        return bytes(read)

    def write(self, data: bytes) -> None:
        if data:
            self._tls.write(data)
        self._flush()

    def _flush(self) -> None:
        data = self._outgoing.read()
        if data:
            self.socket.sendall(data)


class Tap:
    """Listens on a port of its own and passes everything on to a relay, both ways."""

    def __init__(self, relay: RelayProcess) -> None:
        files = certificates.load(relay.data / "certs").files
        self._server = server_context(files.server, files.server_key).context
        self._client = client_context(relay.ca_pem)
        self._relay = relay
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(LOOK)
        self._closed = threading.Event()
        self._threads: list[threading.Thread] = []
        self._sides: list[tuple[_Side, _Side]] = []
        self.port: int = self._listener.getsockname()[1]
        self._start(self._accept)

    @property
    def to_relay(self) -> bytes:
        """All that clients have said, decrypted."""
        return b"".join(bytes(client.plain) for client, _ in self._sides)

    @property
    def to_clients(self) -> bytes:
        """All that the relay has said, decrypted."""
        return b"".join(bytes(relay.plain) for _, relay in self._sides)

    @property
    def on_the_wire(self) -> bytes:
        """All that passed, as anybody on the network sees it."""
        return b"".join(bytes(side.wire) for pair in self._sides for side in pair)

    def close(self) -> None:
        """Ends all connections."""
        self._closed.set()
        for thread in self._threads:
            thread.join(PATIENCE)
        self._listener.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                continue
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):  # either side may hang up at any time, which ends the other
            upstream = socket.create_connection(self._relay.address, PATIENCE)
            with upstream:
                host = self._relay.address[0]
                client, relay = _Side(connection, self._server, None), _Side(upstream, self._client, host)
                self._sides.append((client, relay))
                client.shake_hands()
                relay.shake_hands()
                self._pass_on(client, relay)

    def _pass_on(self, client: _Side, relay: _Side) -> None:
        relay.write(client.read())  # what came with the last bytes of the handshakes
        client.write(relay.read())
        other = {client.socket: (client, relay), relay.socket: (relay, client)}
        while not self._closed.is_set():
            for ready in select.select(list(other), [], [], LOOK)[0]:
                source, target = other[ready]
                if not source.receive():
                    return
                target.write(source.read())
