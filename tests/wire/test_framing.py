"""Frames: cutting a byte stream into messages, and refusing what is none."""

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_chat.wire.errors import FrameError, FrameTooLarge
from secure_chat.wire.framing import (
    HEADER_LENGTH,
    FrameBuffer,
    client_message_decoder,
    decode_client_message,
    decode_server_message,
    encode_frame,
    server_message_decoder,
)
from secure_chat.wire.limits import MAX_HANDSHAKE_FRAME
from secure_chat.wire.messages import ClientMessage, Hello, ListRooms, Ok, Ping, ServerMessage
from tests.wire.strategies import client_messages, server_messages


@given(client_messages)
def test_client_messages_round_trip(message: ClientMessage) -> None:
    """Every message a client may send."""
    assert decode_client_message(encode_frame(message)[HEADER_LENGTH:]) == message


@given(server_messages)
def test_server_messages_round_trip(message: ServerMessage) -> None:
    """Every message a relay may send."""
    assert decode_server_message(encode_frame(message)[HEADER_LENGTH:]) == message


@given(st.lists(client_messages, max_size=6), st.lists(st.integers(1, 60), min_size=1, max_size=50))
def test_a_stream_may_be_cut_anywhere(messages: list[ClientMessage], cuts: list[int]) -> None:
    """TLS records know nothing of frames."""
    stream = b"".join(encode_frame(message) for message in messages)
    buffer = FrameBuffer(client_message_decoder)
    received: list[ClientMessage] = []
    position = turn = 0
    while position < len(stream):
        step = cuts[turn % len(cuts)]
        received += buffer.feed(stream[position : position + step])
        position += step
        turn += 1
    assert received == messages


@given(st.binary(max_size=400))
def test_any_bytes_decode_or_are_refused(data: bytes) -> None:
    """With FrameError and nothing else."""
    for feed in (FrameBuffer(client_message_decoder, 256).feed, FrameBuffer(server_message_decoder, 256).feed):
        with contextlib.suppress(FrameError):
            list(feed(data))


@given(client_messages, st.integers(0, 10_000), st.integers(0, 255))
def test_a_changed_byte_decodes_or_is_refused(message: ClientMessage, place: int, value: int) -> None:
    """What still decodes is a message within all bounds: encoding it again works."""
    body = bytearray(encode_frame(message)[HEADER_LENGTH:])
    body[place % len(body)] = value
    try:
        changed = decode_client_message(bytes(body))
    except FrameError:
        return
    assert decode_client_message(encode_frame(changed)[HEADER_LENGTH:]) == changed


def test_a_frame_beyond_the_limit_is_refused_by_its_header() -> None:
    """Before its body has arrived; exactly the limit passes."""
    buffer = FrameBuffer(client_message_decoder, 10)
    with pytest.raises(FrameTooLarge):
        list(buffer.feed((11).to_bytes(4, "big")))
    frame = encode_frame(Ping(1))
    assert list(FrameBuffer(client_message_decoder, len(frame) - HEADER_LENGTH).feed(frame)) == [Ping(1)]


def test_strangers_get_a_small_buffer() -> None:
    """The limit is raised after login."""
    buffer = FrameBuffer(client_message_decoder, MAX_HANDSHAKE_FRAME)
    header = (MAX_HANDSHAKE_FRAME + 1).to_bytes(4, "big")
    with pytest.raises(FrameTooLarge):
        list(buffer.feed(header))
    raised = FrameBuffer(client_message_decoder, MAX_HANDSHAKE_FRAME)
    raised.limit = 1 << 20
    assert list(raised.feed(header)) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xc0",
        msgspec.msgpack.encode(["ping"]),
        msgspec.msgpack.encode(["ping", "one"]),
        msgspec.msgpack.encode(["ping", -1]),
        msgspec.msgpack.encode(["ping", 2**63]),
        msgspec.msgpack.encode(["pong_of_ping", 1]),
        msgspec.msgpack.encode({"type": "ping", "id": 1}),
        msgspec.msgpack.encode(["ping", 1]) + b"\x00",
        msgspec.msgpack.encode(["hello", [1], [], bytes(31)]),
        msgspec.msgpack.encode(["hello", [1], [], bytes(33)]),
        msgspec.msgpack.encode(["lookup", 1, ["Alice"]]),
        msgspec.msgpack.encode(["lookup", 1, ["alice\n"]]),
        msgspec.msgpack.encode(["lookup", 1, [], [bytes(32)] * 65]),
        msgspec.msgpack.encode(["ack", [[bytes(16), 1, 1]]]),
        msgspec.msgpack.encode(["create_channel", 1, "club"]),
        msgspec.msgpack.encode(["append", 1, bytes(16), 1, 8, 0, b""]),
        msgspec.msgpack.encode(["create_invite", 1, 0]),
        b"\x92\xa4ping" + b"\x91" * 5_000,
        b"\x93\xa6lookup\x01\x91\xa1\xff",
    ],
)
def test_what_is_no_message_is_refused(body: bytes) -> None:
    """Wrong types, lengths, ranges, kinds, tags, depth, encodings, and trailing bytes."""
    with pytest.raises(FrameError):
        decode_client_message(body)


def test_each_side_reads_only_the_others_messages() -> None:
    """A relay's answer is nothing that a client may send, and conversely."""
    with pytest.raises(FrameError):
        decode_client_message(encode_frame(Ok(1))[HEADER_LENGTH:])
    with pytest.raises(FrameError):
        decode_server_message(encode_frame(ListRooms(1))[HEADER_LENGTH:])


def test_fields_with_defaults_may_be_missing_and_new_ones_are_passed_over() -> None:
    """That is how the protocol grows."""
    short = msgspec.msgpack.encode(["hello", [1], [], bytes(32)])
    assert decode_client_message(short) == Hello((1,), (), bytes(32), "")
    longer = msgspec.msgpack.encode(["ping", 7, "something new"])
    assert decode_client_message(longer) == Ping(7)


def test_the_buffer_keeps_nothing_it_has_handed_out() -> None:
    """Also when a later frame is refused."""
    buffer = FrameBuffer(client_message_decoder)
    stream = encode_frame(Ping(1)) + encode_frame(Ping(2)) + b"\x00\x00\x00\x01\xc0"
    received: list[ClientMessage] = []
    with pytest.raises(FrameError):
        received.extend(buffer.feed(stream))
    assert received == [Ping(1), Ping(2)]
    assert len(buffer._buffer) == 0


@given(st.lists(client_messages, min_size=2, max_size=6), st.integers(1, 5))
def test_a_reader_that_stops_early_goes_on_where_it_was(messages: list[ClientMessage], taken: int) -> None:
    """Fairness: a connection's further frames wait for its next turn."""
    frames = FrameBuffer(client_message_decoder)
    feeding = frames.feed(b"".join(map(encode_frame, messages)))
    found: list[ClientMessage] = []
    for message in feeding:
        found.append(message)
        if len(found) == taken:
            break
    feeding.close()
    found.extend(frames.feed(b""))
    assert found == messages


def test_messages_before_a_broken_one_still_come_out() -> None:
    """The error comes after them."""
    feeding = FrameBuffer(client_message_decoder).feed(encode_frame(Ping(7)) + b"\x00\x00\x00\x01\xc0")
    assert next(feeding) == Ping(7)
    with pytest.raises(FrameError, match="not a message of this protocol"):
        next(feeding)


def test_nesting_is_bounded() -> None:
    """Deep arrays are refused, not followed until the stack ends."""
    with pytest.raises(FrameError):
        decode_client_message(b"\x91" * 100_000)
