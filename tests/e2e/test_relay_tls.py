"""TLS as outsiders see it: openssl, sslyze, certificates of the wrong kind, and reload in mid-connection."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from secure_chat import certificates
from secure_chat.transport.bootstrap import fetch_ca
from secure_chat.transport.errors import NotInForce, PinMismatch, WrongAuthority, WrongHost
from secure_chat.transport.stream import Stream
from secure_chat.transport.tls import client_context
from secure_chat.wire.messages import EntryKind
from tests.relay_client import Person, RelayClient
from tests.relay_process import RelayProcess, running, wait_until
from tests.transport.conftest import only_x25519, write_certificate

SSLYZE = "sslyze==6.3.1"
"""Pins an older `cryptography`, so it lives in an environment of its own."""


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[RelayProcess]:
    with running(tmp_path) as started:
        yield started


def s_client(relay: RelayProcess, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("openssl is not installed")
    host, port = relay.address
    command = [program, "s_client", "-connect", f"{host}:{port}", "-CAfile", str(relay.data / "certs" / "ca.pem")]
    command += ["-verify_return_error", "-verify_hostname", "localhost", *arguments]
    return subprocess.run(command, input="", capture_output=True, text=True, timeout=60, check=False)


def test_openssl_connects_with_tls_1_3_only(relay: RelayProcess) -> None:
    """1.3 with X25519 verifies against the CA; 1.2 and older get a protocol alert."""
    accepted = s_client(relay, "-tls1_3")
    assert accepted.returncode == 0, accepted.stderr
    assert "TLSv1.3" in accepted.stdout
    assert "Verify return code: 0 (ok)" in accepted.stdout
    assert "X25519" in accepted.stdout
    refused = s_client(relay, "-tls1_2")
    assert refused.returncode != 0
    assert "Cipher is (NONE)" in refused.stdout
    assert "alert protocol version" in refused.stderr


def test_no_session_can_be_resumed(relay: RelayProcess) -> None:
    """No tickets are handed out: every connection proves the certificate anew."""
    shown = s_client(relay, "-tls1_3", "-msg")
    assert "NewSessionTicket" not in shown.stdout


def sslyze() -> list[str]:
    """The scanner's command, installed on first use into a cache directory."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "secure-chat-tests" / SSLYZE
    python = cache / ("Scripts" if os.name == "nt" else "bin") / "python"
    ready = cache / "ready"
    if not ready.exists():
        shutil.rmtree(cache, ignore_errors=True)
        try:
            venv.EnvBuilder(with_pip=False).create(cache)
            target = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", SSLYZE]
            subprocess.run(target, check=True, capture_output=True, text=True, timeout=110)
        except (OSError, subprocess.SubprocessError) as error:
            pytest.skip(f"{SSLYZE} can't be installed here: {getattr(error, 'stderr', None) or error}")
        ready.touch()
    return [str(python), "-m", "sslyze"]


@pytest.mark.skipif(not only_x25519(), reason="this Python keeps OpenSSL's own list of groups (decision 9)")
def test_sslyze_finds_mozillas_modern_profile(relay: RelayProcess) -> None:
    """A scanner with nothing to do with us says compliant."""
    command = [*sslyze(), "--mozilla_config", "modern", "--certinfo_ca_file", str(relay.data / "certs" / "ca.pem")]
    host, port = relay.address
    result = subprocess.run(
        [*command, f"localhost:{port}{{{host}}}"], capture_output=True, text=True, timeout=110, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "OK - Compliant" in result.stdout


def test_the_pin_of_the_link_leads_to_the_ca(relay: RelayProcess) -> None:
    """First contact against the real relay: the CA that fits the pin, and no other."""
    host, port = relay.address
    pin = certificates.load(relay.data / "certs").pin
    assert fetch_ca(host, port, pin, int(time.time())) == relay.ca_pem
    with pytest.raises(PinMismatch):
        fetch_ca(host, port, bytes(32), int(time.time()))


def test_a_certificate_of_another_ca_is_refused_by_the_client(relay: RelayProcess) -> None:
    """Whoever pinned one authority never talks to another's server."""
    other = trustme.CA(key_type=trustme.KeyType.ECDSA)
    stream = Stream(*relay.address, client_context(other.cert_pem.bytes().decode()))
    with pytest.raises(WrongAuthority, match="another authority"):
        stream.connect()


@pytest.mark.parametrize(
    ("hosts", "expired", "error"), [(("elsewhere.lan",), False, WrongHost), (("127.0.0.1",), True, NotInForce)]
)
def test_an_unfit_certificate_is_refused_by_the_client(
    tmp_path: Path, hosts: tuple[str, ...], expired: bool, error: type[Exception]
) -> None:
    """Wrong name, expired: each with its own clear error, though the relay serves it."""
    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    certificate, key = write_certificate(tmp_path, authority, *hosts, expired=expired)
    with running(tmp_path, "--cert", str(certificate), "--key", str(key)) as relay:
        stream = Stream(*relay.address, client_context(authority.cert_pem.bytes().decode()))
        with pytest.raises(error):
            stream.connect()


def test_a_certificate_and_a_key_that_do_not_fit_are_refused_at_start(tmp_path: Path) -> None:
    """One line that names the files, exit code 1."""
    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    certificate, _ = write_certificate(tmp_path, authority, "localhost")
    elsewhere = tmp_path / "other"
    elsewhere.mkdir()
    _, key = write_certificate(elsewhere, authority, "localhost")
    relay = RelayProcess(tmp_path, "--cert", str(certificate), "--key", str(key))
    relay.start(wait=False)
    assert relay.wait() == 1
    said = [line["message"] for line in relay.log if line["level"] == "raw"]
    assert len(said) == 1
    assert str(certificate) in said[0]
    assert str(key) in said[0]


def leaf_of(client: RelayClient) -> bytes:
    der = client.tls.getpeercert(binary_form=True)
    assert der is not None
    return der


@pytest.mark.parametrize("by_signal", [True, False])
def test_a_renewed_certificate_is_taken_up_and_no_connection_is_dropped(relay: RelayProcess, by_signal: bool) -> None:
    """By SIGHUP or because the files changed: old connections go on, and can log in, new ones see the new leaf."""
    if by_signal and not hasattr(signal, "SIGHUP"):
        pytest.skip("this system has no SIGHUP")
    token = relay.invite()
    with relay.enter(Person("alice"), token) as alice, relay.connect() as waiting:
        before = leaf_of(alice)
        waiting.hello()
        certificates.renew(relay.data / "certs", int(time.time()))
        if by_signal:
            relay.signal(signal.SIGHUP)
        relay.wait_for_log("reloaded: certificate")
        with relay.connect() as fresh:
            assert leaf_of(fresh) != before
        # A login signs the certificate that its own connection saw: the one from before still proves itself.
        bob = Person("bob")
        waiting.register(bob, token)
        waiting.login(bob)
        room = alice.create_room().summary.channel
        assert alice.append(room, b"still here", kind=EntryKind.FOUNDING).seq == 1


def test_a_damaged_certificate_file_is_renewed(relay: RelayProcess) -> None:
    """Half-written files don't stop the relay: it mends its own."""
    server = relay.data / "certs" / "server.pem"
    half = server.read_bytes()[:200]
    server.write_bytes(half)
    wait_until(lambda: server.read_bytes() != half, "the damaged certificate was renewed")
    with relay.connect() as client:
        client.hello()


def test_damaged_certificate_files_of_the_operator_change_nothing(tmp_path: Path) -> None:
    """They are reported once, and the old certificate stays in force until there are good ones."""
    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    ca = authority.cert_pem.bytes().decode()
    certificate, key = write_certificate(tmp_path, authority, "localhost")
    (tmp_path / "ca.pem").write_text(ca)
    arguments = ("--cert", str(certificate), "--key", str(key), "--ca", str(tmp_path / "ca.pem"))
    with running(tmp_path, *arguments) as relay:
        with RelayClient(relay.address, ca) as client:
            old = leaf_of(client)
        good = certificate.read_bytes()
        certificate.write_bytes(good[:200])
        relay.wait_for_log("not reloaded")
        with RelayClient(relay.address, ca) as client:
            assert leaf_of(client) == old
        write_certificate(tmp_path, authority, "localhost")
        relay.wait_for_log("reloaded: certificate")
        with RelayClient(relay.address, ca) as client:
            assert leaf_of(client) != old
        relay.stop()


def test_plain_text_is_no_way_in(relay: RelayProcess) -> None:
    """A web browser that tries http gets nothing and disturbs nobody."""
    with socket.create_connection(relay.address, 10) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        plain.settimeout(20)
        received = plain.recv(4096)
        assert b"HTTP" not in received
    with relay.connect() as client:
        client.hello()
