"""First contact with a relay."""

import ssl
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from secure_chat import certificates
from secure_chat.transport.bootstrap import fetch_ca
from secure_chat.transport.errors import (
    ConnectionLost,
    NotInForce,
    PinMismatch,
    TimedOut,
    WrongAuthority,
    WrongHost,
)
from secure_chat.transport.stream import Stream
from secure_chat.transport.tls import client_context, server_context
from secure_chat.wire.errors import FrameError
from secure_chat.wire.framing import encode_frame
from secure_chat.wire.messages import CaCertificate, GetCa, Ok
from tests.transport.conftest import Relay, write_certificate

NOW = int(time.time())


def der(authority: trustme.CA) -> bytes:
    return x509.load_pem_x509_certificate(authority.cert_pem.bytes()).public_bytes(Encoding.DER)


def pin(authority: trustme.CA) -> bytes:
    return certificates.pin(x509.load_pem_x509_certificate(authority.cert_pem.bytes()))


def answering(ca: bytes, seen: bytearray | None = None) -> Callable[[ssl.SSLSocket], None]:
    """A relay that answers the first thing it hears with a CA certificate."""

    def behave(connection: ssl.SSLSocket) -> None:
        heard = connection.recv(65536)
        connection.sendall(encode_frame(CaCertificate(ca)))
        while more := connection.recv(65536):
            heard += more
        if seen is not None:
            seen.extend(heard)

    return behave


def test_pinned_authority_is_fetched_and_nothing_else_said(start: Callable[..., Relay], authority: trustme.CA) -> None:
    """The result makes a context that connects; the unauthenticated connection carried one request."""
    seen = bytearray()
    relay = start(answering(der(authority), seen))
    pem = fetch_ca("127.0.0.1", relay.port, pin(authority), NOW)
    assert relay.finished.acquire(timeout=20)
    assert bytes(seen) == encode_frame(GetCa())
    stream = Stream("localhost", relay.port, client_context(pem))
    stream.connect()
    stream.close()


def test_our_own_certificates_pass(start: Callable[..., Relay], tmp_path: Path) -> None:
    """What `certificates` makes is accepted by the strict verifier, by name and by address."""
    made = certificates.generate(tmp_path, ["127.0.0.1", "localhost"], NOW)
    context = server_context(made.files.server, made.files.server_key).context
    relay = start(answering(made.ca.public_bytes(Encoding.DER)), context=context)
    for host in ("127.0.0.1", "localhost"):
        assert fetch_ca(host, relay.port, made.pin, NOW) == made.files.ca.read_text()


def test_other_authority_does_not_fit_the_pin(start: Callable[..., Relay], authority: trustme.CA) -> None:
    """The man in the middle who hands out his own CA."""
    relay = start(answering(der(authority)))
    with pytest.raises(PinMismatch, match="not the one of your invite link"):
        fetch_ca("127.0.0.1", relay.port, pin(trustme.CA()), NOW)


def test_right_authority_named_by_the_wrong_server(start: Callable[..., Relay]) -> None:
    """The man in the middle who hands out the real CA, but has no certificate of it."""
    real = trustme.CA()
    relay = start(answering(der(real)))
    with pytest.raises(WrongAuthority, match="its own certificate is of another"):
        fetch_ca("127.0.0.1", relay.port, pin(real), NOW)


def test_leaf_for_another_host_is_refused(start: Callable[..., Relay], authority: trustme.CA, tmp_path: Path) -> None:
    """Another server of the same operator is not this one."""
    files = write_certificate(tmp_path, authority, "chat.lan")
    relay = start(answering(der(authority)), context=server_context(*files).context)
    for host in ("127.0.0.1", "localhost"):
        with pytest.raises(WrongHost, match="another name or address"):
            fetch_ca(host, relay.port, pin(authority), NOW)


def test_expired_leaf_is_refused(start: Callable[..., Relay], authority: trustme.CA, tmp_path: Path) -> None:
    """And one of the future is blamed on the clock."""
    files = write_certificate(tmp_path, authority, "127.0.0.1", expired=True)
    relay = start(answering(der(authority)), context=server_context(*files).context)
    with pytest.raises(NotInForce, match="expired"):
        fetch_ca("127.0.0.1", relay.port, pin(authority), NOW)
    with pytest.raises(NotInForce, match="clock"):
        fetch_ca("127.0.0.1", relay.port, pin(authority), 1_500_000_000)


@pytest.mark.parametrize("answer", [b"", b"\x30\x03\x02\x01\x01", b"nonsense"])
def test_what_is_no_certificate_is_a_mismatch(
    answer: bytes, start: Callable[..., Relay], authority: trustme.CA
) -> None:
    """Empty (a relay under a public CA) or broken answers never pass a pin."""
    relay = start(answering(answer))
    with pytest.raises(PinMismatch):
        fetch_ca("127.0.0.1", relay.port, pin(authority), NOW)


def test_other_answers_are_refused(start: Callable[..., Relay], authority: trustme.CA) -> None:
    """Another message, no message of the protocol, or silence."""
    with pytest.raises(ConnectionLost, match="did not say which CA"):
        fetch_ca("127.0.0.1", start(lambda c: c.sendall(encode_frame(Ok(1)))).port, pin(authority), NOW)
    with pytest.raises(FrameError):
        fetch_ca("127.0.0.1", start(lambda c: c.sendall(b"HTTP/1.1 400 Bad Request")).port, pin(authority), NOW)
    with pytest.raises(ConnectionLost):
        fetch_ca("127.0.0.1", start(lambda c: None).port, pin(authority), NOW)
    silent = start(lambda c: list(iter(lambda: c.recv(100), b"")) and None)
    with pytest.raises(TimedOut, match="does not answer"):
        fetch_ca("127.0.0.1", silent.port, pin(authority), NOW, timeout=0.5)
