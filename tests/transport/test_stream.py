"""The client's connection against a real TLS server."""

import socket
import ssl
import struct
import threading
from collections.abc import Callable

import pytest
import trustme
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from secure_chat.transport.errors import ConnectionLost, Refused, TimedOut
from secure_chat.transport.mailbox import Wakeup
from secure_chat.transport.stream import Stream
from secure_chat.transport.tls import client_context
from secure_chat.wire.errors import FrameError, FrameTooLarge
from secure_chat.wire.framing import encode_frame
from secure_chat.wire.messages import Goodbye, Ok, Ping, ServerMessage
from tests.transport.conftest import Relay, ca_pem


def open_stream(relay: Relay, authority: trustme.CA, **options: object) -> Stream:
    stream = Stream("127.0.0.1", relay.port, client_context(ca_pem(authority)), **options)  # type: ignore[arg-type]
    stream.connect()
    return stream


def collect(stream: Stream, count: int) -> list[ServerMessage]:
    """The next `count` messages."""
    found: list[ServerMessage] = []
    while len(found) < count:
        batch = stream.poll(20)
        assert batch, "nothing came in time"
        found += batch
    return found


def test_messages_arrive_in_order(start: Callable[..., Relay], authority: trustme.CA) -> None:
    """Many frames in one record, and one frame byte by byte."""

    def behave(connection: ssl.SSLSocket) -> None:
        connection.sendall(b"".join(encode_frame(Ok(i)) for i in range(500)))
        for byte in encode_frame(Ok(500)):
            connection.sendall(bytes([byte]))
        connection.recv(1)

    stream = open_stream(start(behave), authority)
    try:
        assert collect(stream, 501) == [Ok(i) for i in range(501)]
    finally:
        stream.close()


def test_frames_leave_whole_and_in_order(start: Callable[..., Relay], authority: trustme.CA) -> None:
    """More than any socket buffer holds, while the server reads slowly; queued before the connection exists."""
    total = 3_000_000
    received = bytearray()

    def behave(connection: ssl.SSLSocket) -> None:
        while len(received) < total:
            received.extend(connection.recv(16_384))
        connection.sendall(encode_frame(Ok(1)))
        connection.recv(1)

    relay = start(behave)
    data = b"".join(i.to_bytes(4, "big") for i in range(total // 4))
    stream = Stream("127.0.0.1", relay.port, client_context(ca_pem(authority)))
    try:
        for position in range(0, total, 50_000):
            stream.send(data[position : position + 50_000])
        assert stream.unsent == total
        assert collect_after_connect(stream) == [Ok(1)]
        assert bytes(received) == data
        assert stream.unsent == 0
    finally:
        stream.close()


def collect_after_connect(stream: Stream) -> list[ServerMessage]:
    stream.connect()
    return collect(stream, 1)


def test_data_with_the_end_of_the_handshake_is_not_lost(start: Callable[..., Relay], authority: trustme.CA) -> None:
    """A server that speaks first and then waits."""

    def behave(connection: ssl.SSLSocket) -> None:
        connection.sendall(encode_frame(Ok(7)))
        connection.recv(1)

    relay = start(behave)
    for _ in range(20):
        stream = Stream("127.0.0.1", relay.port, client_context(ca_pem(authority)))
        try:
            messages: list[ServerMessage] = []
            while not messages:
                messages = stream.poll(20)
            assert messages == [Ok(7)]
        finally:
            stream.close()


def test_last_words_arrive_before_the_end(start: Callable[..., Relay], authority: trustme.CA) -> None:
    """A good-bye sent right before closing is delivered; the next poll tells that the connection has ended."""
    last = Goodbye("shutting down", 1000)
    relay = start(lambda connection: connection.sendall(encode_frame(Ok(1)) + encode_frame(last)))
    stream = open_stream(relay, authority)
    assert collect(stream, 2) == [Ok(1), last]
    for _ in range(2):
        with pytest.raises(ConnectionLost):
            stream.poll(20)
    stream.close()


def test_reset_is_connection_lost(start: Callable[..., Relay], authority: trustme.CA) -> None:
    """A server that dies."""

    def behave(connection: ssl.SSLSocket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    stream = open_stream(start(behave), authority)
    with pytest.raises(ConnectionLost):
        collect(stream, 1)


@pytest.mark.parametrize("cut", [False, True])
def test_what_is_no_message_ends_the_connection(cut: bool, start: Callable[..., Relay], authority: trustme.CA) -> None:
    """Messages before the nonsense are delivered, then the typed error, again and again."""
    nonsense = (4).to_bytes(4, "big") + b"\xff\xff\xff\xff"
    relay = start(lambda connection: connection.sendall((b"" if cut else encode_frame(Ok(1))) + nonsense))
    stream = open_stream(relay, authority)
    if not cut:
        assert collect(stream, 1) == [Ok(1)]
    for _ in range(2):
        with pytest.raises(FrameError):
            stream.poll(20)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(st.binary(max_size=40), st.integers(0, 9).map(lambda i: encode_frame(Ok(i)))), max_size=6))
def test_any_bytes_end_in_typed_errors(start: Callable[..., Relay], authority: trustme.CA, parts: list[bytes]) -> None:
    """Whatever a server sends: messages, then FrameError or ConnectionLost, and nothing else."""
    relay = start(lambda connection: connection.sendall(b"".join(parts)))
    stream = open_stream(relay, authority)
    with pytest.raises((FrameError, ConnectionLost)):
        collect(stream, len(parts) * 50 + 1)
    relay.close()


def test_too_large_frame_is_refused_by_its_header(start: Callable[..., Relay], authority: trustme.CA) -> None:
    """Nobody makes us wait for, or keep, gigabytes."""

    def behave(connection: ssl.SSLSocket) -> None:
        connection.sendall((101).to_bytes(4, "big"))
        connection.recv(1)

    stream = open_stream(start(behave), authority, limit=100)
    with pytest.raises(FrameTooLarge):
        stream.poll(20)


def test_poll_returns_at_its_timeout(start: Callable[..., Relay], authority: trustme.CA) -> None:
    """Nothing to do is no error."""
    stream = open_stream(start(lambda connection: connection.recv(1) and None), authority)
    try:
        assert stream.poll(0) == []
        assert stream.poll(0.01) == []
    finally:
        stream.close()


def test_other_threads_wake_the_poll(start: Callable[..., Relay], authority: trustme.CA) -> None:
    """A readable wake-up ends an endless wait; its owner clears it, and the connection lives on."""

    def behave(connection: ssl.SSLSocket) -> None:
        if connection.recv(1):
            connection.sendall(encode_frame(Ok(3)))
        connection.recv(100)

    wakeup = Wakeup()
    stream = open_stream(start(behave), authority, wakeup=wakeup)
    try:
        waker = threading.Thread(target=wakeup.set)
        waker.start()
        assert stream.poll(None) == []
        waker.join()
        wakeup.clear()
        assert stream.poll(0) == []
        stream.send(encode_frame(Ping(3)))
        assert collect(stream, 1) == [Ok(3)]
    finally:
        stream.close()
        wakeup.close()


def test_silent_server_times_out() -> None:
    """A port that accepts and never answers the handshake."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        context = client_context(ca_pem(trustme.CA()))
        stream = Stream("127.0.0.1", listening.getsockname()[1], context, timeout=0.2)
        with pytest.raises(TimedOut, match="does not answer"):
            stream.connect()


def test_closed_port_is_refused() -> None:
    """Nothing listens: the error names host and port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    stream = Stream("127.0.0.1", port, client_context(ca_pem(trustme.CA())))
    with pytest.raises(Refused, match=f"127.0.0.1:{port}"):
        stream.connect()


def test_close_is_final_and_idempotent(start: Callable[..., Relay], authority: trustme.CA) -> None:
    """The server sees an orderly end; closing twice does nothing."""
    relay = start(lambda connection: connection.recv(10) and None)
    stream = open_stream(relay, authority)
    stream.close()
    stream.close()
    assert relay.finished.acquire(timeout=20)
    assert relay.errors == []
    assert not stream.established


def test_flushed_frames_leave_without_a_poll(start: Callable[..., Relay], authority: trustme.CA) -> None:
    """What follows a commit need not wait for the next turn of the loop; a broken connection shows at the next poll."""
    heard: list[bytes] = []
    arrived = threading.Event()

    def behave(connection: ssl.SSLSocket) -> None:
        heard.append(connection.recv(100))
        arrived.set()

    stream = open_stream(start(behave), authority)
    try:
        stream.flush()
        stream.send(b"a frame")
        stream.flush()
        assert arrived.wait(20)
        assert heard == [b"a frame"]
        with pytest.raises(ConnectionLost):
            talk_on(stream)
        stream.flush()
    finally:
        stream.close()


def talk_on(stream: Stream) -> None:
    while True:
        stream.send(b"into the void")
        stream.flush()
        stream.poll(0.01)
