"""Non-blocking TLS over memory buffers, between two real endpoints on a real socket."""

import secrets
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from secure_chat.transport.connection import TlsConnection
from secure_chat.transport.errors import ConnectionLost, HandshakeFailed
from secure_chat.transport.poller import READ, WRITE, Poller
from secure_chat.transport.tls import client_context, server_context
from tests.transport.conftest import ca_pem, write_certificate

Pair = tuple[TlsConnection, TlsConnection]


def connected() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        client = socket.create_connection(listening.getsockname())
        server, _ = listening.accept()
    return server, client


def wait(connection: TlsConnection, events: int) -> None:
    poller = Poller()
    poller.register(connection.fileno(), events)
    assert poller.poll(20.0)
    poller.close()


def shake_hands(server: TlsConnection, client: TlsConnection) -> None:
    done = {server: False, client: False}
    client.handshake()
    for _ in range(20):
        for connection in done:
            if not done[connection]:
                done[connection] = connection.handshake()
        if all(done.values()):
            return
    raise AssertionError("the handshake does not end")


def read_to_the_end(connection: TlsConnection) -> None:
    while True:
        connection.receive()


@pytest.fixture
def contexts(tmp_path: Path, authority: trustme.CA) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    server = server_context(*write_certificate(tmp_path, authority, "localhost"))
    return server.context, client_context(ca_pem(authority))


@pytest.fixture
def pair(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> Iterator[Pair]:
    ours, theirs = connected()
    server = TlsConnection(ours, contexts[0], "127.0.0.1")
    client = TlsConnection(theirs, contexts[1], "relay", server_hostname="localhost")
    shake_hands(server, client)
    yield server, client
    server.close()
    client.close()


def test_data_goes_both_ways(pair: Pair) -> None:
    """Small and large, each as it was."""
    server, client = pair
    for sender, receiver in ((client, server), (server, client)):
        for size in (1, 512, 16_384, 50_000):
            data = secrets.token_bytes(size)
            assert sender.send(data)
            received = b""
            while len(received) < size:
                wait(receiver, READ)
                received += receiver.receive()
            assert received == data


def test_data_that_came_with_the_end_of_the_handshake_is_found(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    """The client speaks at once; its bytes can lie in the same segment as Finished."""
    ours, theirs = connected()
    server = TlsConnection(ours, contexts[0], "127.0.0.1")
    client = TlsConnection(theirs, contexts[1], "relay", server_hostname="localhost")
    client.handshake()
    wait(server, READ)
    server.handshake()
    wait(client, READ)
    assert client.handshake()
    assert client.send(b"hello")
    wait(server, READ)
    assert server.handshake()
    assert (server.read_pending() or server.receive()) == b"hello"
    server.close()
    client.close()


def test_an_unread_connection_keeps_a_remainder_and_its_order(pair: Pair) -> None:
    """A full socket takes a part; the rest follows when there is room, nothing lost or swapped."""
    server, client = pair
    sent = bytearray()
    while not server.has_unsent:
        block = secrets.token_bytes(100_000)
        server.send(block)
        sent += block
    assert not server.flush()
    received = bytearray()
    while len(received) < len(sent):
        wait(client, READ)
        received += client.receive()
        if server.has_unsent:
            server.flush()
    assert received == sent
    assert server.flush()
    assert server.send(b"on")
    wait(client, READ)
    assert client.receive() == b"on"


def test_a_goodbye_ends_the_connection(pair: Pair) -> None:
    """close_notify arrives as ConnectionLost on the other side."""
    server, client = pair
    client.close()
    wait(server, READ)
    with pytest.raises(ConnectionLost):
        read_to_the_end(server)


def test_a_reset_ends_the_connection(pair: Pair) -> None:
    """So does a peer that vanishes without a word, for reading and for writing."""
    server, client = pair
    linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
    raw = socket.socket(fileno=socket.dup(client.fileno()))
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    client.close()
    raw.close()
    wait(server, READ)
    with pytest.raises(ConnectionLost):
        read_to_the_end(server)


def test_garbage_instead_of_a_record_ends_the_connection(pair: Pair) -> None:
    """Nobody can write into the stream from outside."""
    server, client = pair
    raw = socket.socket(fileno=socket.dup(client.fileno()))
    raw.send(b"\x17\x03\x03\x00\x20" + bytes(32))
    wait(server, READ)
    with pytest.raises(ConnectionLost, match="TLS: "):
        server.receive()
    raw.close()


def test_something_else_than_tls_fails_the_handshake(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    """A web browser, a port scanner."""
    ours, theirs = connected()
    server = TlsConnection(ours, contexts[0], "127.0.0.1")
    theirs.send(b"GET / HTTP/1.1\r\n\r\n")
    wait(server, READ)
    with pytest.raises(HandshakeFailed):
        server.handshake()
    server.close()
    theirs.close()


def test_a_peer_that_leaves_during_the_handshake_is_lost(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    """No certificate, no Finished, no wait."""
    ours, theirs = connected()
    server = TlsConnection(ours, contexts[0], "127.0.0.1")
    assert not server.handshake()
    theirs.close()
    wait(server, READ | WRITE)
    with pytest.raises(ConnectionLost):
        server.handshake()
    server.close()
