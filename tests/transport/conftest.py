"""Real TLS endpoints: certificates from trustme and a small relay-like server over blocking sockets."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme

from secure_chat.transport.tls import server_context

Behaviour = Callable[[ssl.SSLSocket], None]


def only_x25519() -> bool:
    """Whether this Python offers X25519 alone; otherwise OpenSSL's own list, with others after it."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).set_ecdh_curve("X25519")
    except ssl.SSLError:
        return False
    return ssl.OPENSSL_VERSION_INFO < (3, 5)


@dataclass
class Relay:
    """A listening TLS server; `contexts` may be replaced while it runs."""

    context: ssl.SSLContext
    behave: Behaviour
    listening: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    errors: list[str] = field(default_factory=list)
    """What went wrong on this side, one entry a connection."""
    finished: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    """Released when a connection has been served."""
    received: bytearray = field(default_factory=bytearray)

    @property
    def port(self) -> int:
        return int(self.listening.getsockname()[1])

    def run(self) -> None:
        while True:
            try:
                raw, _ = self.listening.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(raw,), daemon=True).start()

    def serve(self, raw: socket.socket) -> None:
        raw.settimeout(20)
        try:
            with raw, self.context.wrap_socket(raw, server_side=True) as connection:
                self.behave(connection)
        except (OSError, ssl.SSLError) as error:
            self.errors.append(str(error))
        finally:
            self.finished.release()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA(key_type=trustme.KeyType.ECDSA)


def write_certificate(folder: Path, authority: trustme.CA, *hosts: str, expired: bool = False) -> tuple[Path, Path]:
    """A certificate and key file for the hosts."""
    import datetime

    before = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    after = datetime.datetime(2020, 2, 1, tzinfo=datetime.UTC)
    leaf = (
        authority.issue_cert(*hosts, not_before=before, not_after=after, key_type=trustme.KeyType.ECDSA)
        if expired
        else authority.issue_cert(*hosts, key_type=trustme.KeyType.ECDSA)
    )
    certificate, key = folder / "server.pem", folder / "server-key.pem"
    leaf.cert_chain_pems[0].write_to_path(certificate)
    leaf.private_key_pem.write_to_path(key)
    return certificate, key


def ca_pem(authority: trustme.CA) -> str:
    return authority.cert_pem.bytes().decode()


@pytest.fixture
def start(tmp_path: Path, authority: trustme.CA) -> Iterator[Callable[..., Relay]]:
    """Starts a server with a certificate of the authority for 127.0.0.1 and localhost, unless told otherwise."""
    started: list[Relay] = []

    def begin(behave: Behaviour, *, context: ssl.SSLContext | None = None) -> Relay:
        if context is None:
            context = server_context(*write_certificate(tmp_path, authority, "127.0.0.1", "localhost")).context
        relay = Relay(context, behave)
        started.append(relay)
        threading.Thread(target=relay.run, daemon=True).start()
        return relay

    yield begin
    for relay in started:
        relay.close()
