"""TLS contexts against real handshakes."""

import hashlib
import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from secure_chat import certificates
from secure_chat.transport.errors import (
    ContextError,
    NotInForce,
    ProtocolRefused,
    TransportError,
    WrongAuthority,
    WrongHost,
)
from secure_chat.transport.stream import Stream
from secure_chat.transport.tls import (
    ContextHolder,
    client_context,
    groups_offered,
    server_context,
    unverified_context,
)
from tests.transport.conftest import Relay, ca_pem, only_x25519, write_certificate


def wait(connection: ssl.SSLSocket) -> None:
    """Serves until the client goes."""
    while connection.recv(1024):
        pass


def attempt(relay: Relay, context: ssl.SSLContext, host: str = "127.0.0.1") -> None:
    """Connects and closes; raises what the client would see."""
    stream = Stream(host, relay.port, context)
    try:
        stream.connect()
    finally:
        stream.close()


def refusal(relay: Relay, context: ssl.SSLContext, expected: type[TransportError], host: str = "127.0.0.1") -> str:
    """The client's error message; also waits for the server's side, which must have noticed."""
    with pytest.raises(expected) as caught:
        attempt(relay, context, host)
    assert relay.finished.acquire(timeout=20)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_pinned_authority_is_accepted(start: Callable[..., Relay], authority: trustme.CA) -> None:
    """By address and by name, over TLS 1.3 with X25519."""
    relay = start(wait)
    attempt(relay, client_context(ca_pem(authority)))
    attempt(relay, client_context(ca_pem(authority)), "localhost")


def test_certificate_of_another_authority_is_refused(start: Callable[..., Relay]) -> None:
    """A valid certificate of a CA that is not the pinned one: both sides say so."""
    relay = start(wait)
    message = refusal(relay, client_context(ca_pem(trustme.CA())), WrongAuthority)
    assert "another authority" in message
    assert "unknown ca" in relay.errors[0].lower().replace("_", " ")


def test_public_authorities_do_not_count_when_one_is_pinned(tmp_path: Path) -> None:
    """A pinned context knows exactly one CA."""
    made = certificates.generate(tmp_path, ["localhost"], 1_800_000_000)
    context = client_context(made.files.ca.read_text())
    assert len(context.get_ca_certs()) == 1


def test_system_context_refuses_a_private_authority(start: Callable[..., Relay]) -> None:
    """Without a pin only public CAs count."""
    refusal(start(wait), client_context(None), WrongAuthority)


def test_wrong_host_name_is_refused(start: Callable[..., Relay], authority: trustme.CA, tmp_path: Path) -> None:
    """Right authority, other name: the error says what to do, by name and by address."""
    files = write_certificate(tmp_path, authority, "chat.lan", "10.9.9.9")
    relay = start(wait, context=server_context(*files).context)
    for host in ("127.0.0.1", "localhost"):
        message = refusal(relay, client_context(ca_pem(authority)), WrongHost, host)
        assert "for another name or address" in message


def test_expired_certificate_is_refused(start: Callable[..., Relay], authority: trustme.CA, tmp_path: Path) -> None:
    """The operator has to renew it, and the message says so."""
    files = write_certificate(tmp_path, authority, "127.0.0.1", expired=True)
    relay = start(wait, context=server_context(*files).context)
    assert "has expired" in refusal(relay, client_context(ca_pem(authority)), NotInForce)


def test_certificate_of_the_future_is_refused(start: Callable[..., Relay], tmp_path: Path) -> None:
    """Most often the own clock is wrong."""
    made = certificates.generate(tmp_path, ["127.0.0.1"], 4_000_000_000)
    relay = start(wait, context=server_context(made.files.server, made.files.server_key).context)
    message = refusal(relay, client_context(made.files.ca.read_text()), NotInForce)
    assert "clock" in message


def test_server_refuses_tls_1_2(start: Callable[..., Relay]) -> None:
    """An old client gets a protocol alert, no connection."""
    relay = start(wait)
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname = False
    old.verify_mode = ssl.CERT_NONE
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        socket.create_connection(("127.0.0.1", relay.port), 10) as raw,
        pytest.raises(ssl.SSLError, match=r"(?i)protocol.version"),
    ):
        old.wrap_socket(raw)


def test_client_refuses_tls_1_2(start: Callable[..., Relay], authority: trustme.CA, tmp_path: Path) -> None:
    """A downgraded server is no relay of ours."""
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    old.load_cert_chain(*write_certificate(tmp_path, authority, "127.0.0.1"))
    message = refusal(start(wait, context=old), client_context(ca_pem(authority)), ProtocolRefused)
    assert "TLS 1.3" in message


def test_something_else_than_tls_is_named_as_such(authority: trustme.CA) -> None:
    """A web server on the port, say."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        stream = Stream("127.0.0.1", listening.getsockname()[1], client_context(ca_pem(authority)))
        stream.poll(0)
        listening.settimeout(20)
        raw, _ = listening.accept()
        with raw:
            raw.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            with pytest.raises(ProtocolRefused, match="right port"):
                stream.connect()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command")
@pytest.mark.parametrize(("version", "works"), [("-tls1_3", True), ("-tls1_2", False)])
def test_openssl_agrees(
    version: str, works: bool, start: Callable[..., Relay], authority: trustme.CA, tmp_path: Path
) -> None:
    """Somebody else's client connects with TLS 1.3 only."""
    relay = start(wait)
    ca = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(ca)
    result = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{relay.port}", version, "-CAfile", str(ca)],
        input="",
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (result.returncode == 0) == works, result.stderr
    if works:
        assert "Verification: OK" in result.stdout
        assert "X25519" in result.stdout


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command")
@pytest.mark.skipif(not only_x25519(), reason="this Python keeps OpenSSL's own list of groups")
def test_other_groups_are_refused(start: Callable[..., Relay]) -> None:
    """A client that has only P-256 finds no common group."""
    relay = start(wait)
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{relay.port}", "-groups", "P-256"]
    result = subprocess.run(command, input="", capture_output=True, text=True, timeout=30, check=False)
    assert result.returncode != 0


def test_python_that_cannot_name_the_group_uses_it_all_the_same(
    start: Callable[..., Relay], authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Debian 12's `ssl` refuses the name; OpenSSL's own list begins with it."""

    def refuse(context: ssl.SSLContext, name: str) -> None:
        raise ssl.SSLError(1, "[EC: UNKNOWN_GROUP] unknown group")

    monkeypatch.setattr(ssl.SSLContext, "set_ecdh_curve", refuse)
    relay = start(wait)
    attempt(relay, client_context(ca_pem(authority)))
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{relay.port}"]
    result = subprocess.run(command, input=b"", capture_output=True, timeout=60, check=False)
    assert b"X25519" in result.stdout, result.stdout


def test_groups_are_told_in_words() -> None:
    """The operator's report names what is offered."""
    assert "X25519" in groups_offered()


def test_context_remembers_its_own_certificate(authority: trustme.CA, tmp_path: Path) -> None:
    """The hash is that of the leaf, also where a chain follows it in the file."""
    certificate, key = write_certificate(tmp_path, authority, "localhost")
    leaf = certificate.read_text()
    expected = hashlib.sha256(ssl.PEM_cert_to_DER_cert(leaf)).digest()
    assert server_context(certificate, key).certificate_hash == expected
    certificate.write_text(leaf + ca_pem(authority))
    assert server_context(certificate, key).certificate_hash == expected


def test_reload_swaps_for_new_connections_only(
    start: Callable[..., Relay], authority: trustme.CA, tmp_path: Path
) -> None:
    """A connection made before goes on; each side's hash is that of the certificate it saw."""
    files = write_certificate(tmp_path, authority, "127.0.0.1")
    holder = ContextHolder(*files)
    relay = start(wait, context=holder.current.context)
    first_hash = holder.current.certificate_hash
    assert not holder.reload()

    early = Stream("127.0.0.1", relay.port, client_context(ca_pem(authority)))
    early.connect()
    write_certificate(tmp_path, authority, "127.0.0.1")
    os.utime(files[0], ns=(1, 1))  # whatever the file system's clock resolution
    assert holder.reload()
    relay.context = holder.current.context
    late = Stream("127.0.0.1", relay.port, client_context(ca_pem(authority)))
    late.connect()
    try:
        assert early.certificate_hash == first_hash
        assert late.certificate_hash == holder.current.certificate_hash != first_hash
        early.send(b"\x00\x00\x00\x00")
        assert early.poll(0) == []
    finally:
        early.close()
        late.close()


def test_reload_of_unusable_files_keeps_the_old_context(authority: trustme.CA, tmp_path: Path) -> None:
    """Half-written files are an error and nothing changes; once they are whole they count."""
    certificate, key = write_certificate(tmp_path, authority, "localhost")
    holder = ContextHolder(certificate, key)
    old = holder.current
    whole = certificate.read_bytes()
    certificate.write_bytes(whole[:100])
    for _ in range(2):
        with pytest.raises(ContextError):
            holder.reload()
    assert holder.current is old
    certificate.unlink()
    with pytest.raises(ContextError):
        holder.reload()
    write_certificate(tmp_path, authority, "localhost")
    assert holder.reload(force=True)
    assert holder.current is not old


def test_unusable_files_are_typed_errors(authority: trustme.CA, tmp_path: Path) -> None:
    """Missing, foreign, encrypted: one line that names the file, and no question on the terminal."""
    certificate, key = write_certificate(tmp_path, authority, "localhost")
    with pytest.raises(ContextError, match="nowhere"):
        server_context(tmp_path / "nowhere.pem", key)
    other = tmp_path / "other"
    other.mkdir()
    _, foreign_key = write_certificate(other, authority, "localhost")
    with pytest.raises(ContextError, match="key values mismatch"):
        server_context(certificate, foreign_key)
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        PrivateFormat,
        load_pem_private_key,
    )

    loaded = load_pem_private_key(key.read_bytes(), None)
    key.write_bytes(loaded.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")))
    with pytest.raises(ContextError, match=key.name):
        server_context(certificate, key)


@pytest.mark.parametrize("pem", ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_damaged_pinned_authority_is_a_typed_error(pem: str) -> None:
    """A damaged store says so instead of trusting nobody or everybody."""
    with pytest.raises(ContextError, match="join again"):
        client_context(pem)


def test_contexts_verify_unless_named_otherwise(authority: trustme.CA) -> None:
    """Both client contexts require a certificate and the host; only first contact does not."""
    for context in (client_context(ca_pem(authority)), client_context(None)):
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname
    assert unverified_context().verify_mode is ssl.CERT_NONE


def groups_in(hello: bytes) -> list[int]:
    """The supported_groups of a ClientHello in its TLS record (RFC 8446 §4.1.2, §4.2.7)."""
    place = 5 + 4 + 2 + 32  # record, handshake header, version, random
    place += 1 + hello[place]  # session id
    place += 2 + int.from_bytes(hello[place : place + 2], "big")  # cipher suites
    place += 1 + hello[place]  # compression methods
    place += 2
    while place < len(hello):
        kind, length = (int.from_bytes(hello[at : at + 2], "big") for at in (place, place + 2))
        body = hello[place + 4 : place + 4 + length]
        if kind == 10:
            return [int.from_bytes(body[at : at + 2], "big") for at in range(2, len(body), 2)]
        place += 4 + length
    raise AssertionError("a ClientHello without groups")


def test_the_first_bytes_offer_the_post_quantum_group_first_where_there_is_one(authority: trustme.CA) -> None:
    """On the wire, whatever OpenSSL this is: X25519MLKEM768 and then X25519, or with an older one X25519 alone."""
    outgoing = ssl.MemoryBIO()
    tls = client_context(ca_pem(authority)).wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    x25519, hybrid = 0x001D, 0x11EC
    groups = groups_in(outgoing.read())
    assert x25519 in groups
    has_hybrid = ssl.OPENSSL_VERSION_INFO[:2] >= (3, 5)
    assert (groups[0] == hybrid) is has_hybrid
    assert groups_offered().startswith("X25519MLKEM768" if has_hybrid else "X25519 (")
