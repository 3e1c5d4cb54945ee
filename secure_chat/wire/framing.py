"""Frames: a 4-byte big-endian length, then one MessagePack message of `wire.messages`."""

from collections.abc import Iterator
from typing import Generic, TypeVar

import msgspec

from secure_chat.wire.errors import FrameError, FrameTooLarge
from secure_chat.wire.limits import MAX_FRAME
from secure_chat.wire.messages import ClientMessage, Message, ServerMessage

__all__ = [
    "HEADER_LENGTH",
    "FrameBuffer",
    "client_message_decoder",
    "decode_client_message",
    "decode_server_message",
    "encode_frame",
    "server_message_decoder",
]

HEADER_LENGTH = 4

_ENCODER = msgspec.msgpack.Encoder()
client_message_decoder: msgspec.msgpack.Decoder[ClientMessage] = msgspec.msgpack.Decoder(ClientMessage)
server_message_decoder: msgspec.msgpack.Decoder[ServerMessage] = msgspec.msgpack.Decoder(ServerMessage)

M = TypeVar("M")


def encode_frame(message: Message) -> bytes:
    """The frame of one message."""
    body = _ENCODER.encode(message)
    return len(body).to_bytes(HEADER_LENGTH, "big") + body


def decode_client_message(body: bytes | memoryview) -> ClientMessage:
    """What a client sent; FrameError if it is no message a client may send."""
    return _decode(client_message_decoder, body)


def decode_server_message(body: bytes | memoryview) -> ServerMessage:
    """What a relay sent; FrameError if it is no message a relay may send."""
    return _decode(server_message_decoder, body)


def _decode(decoder: msgspec.msgpack.Decoder[M], body: bytes | memoryview) -> M:
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FrameError(f"not a message of this protocol: {error}") from None


class FrameBuffer(Generic[M]):
    """Cuts a byte stream into decoded messages; holds at most one incomplete frame of bounded size."""

    def __init__(self, decoder: msgspec.msgpack.Decoder[M], limit: int = MAX_FRAME) -> None:
        self._decoder = decoder
        self._buffer = bytearray()
        self.limit = limit
        """Largest body in bytes; may be raised after login."""

    def feed(self, data: bytes) -> Iterator[M]:
        """Every message completed by `data`; FrameError or FrameTooLarge end the connection."""
        self._buffer += data
        position = 0
        size = len(self._buffer)
        try:
            while size - position >= HEADER_LENGTH:
                length = int.from_bytes(self._buffer[position : position + HEADER_LENGTH], "big")
                if length > self.limit:
                    raise FrameTooLarge(f"a frame of {length} bytes, {self.limit} are allowed")
                stop = position + HEADER_LENGTH + length
                if stop > size:
                    break
                body = bytes(self._buffer[position + HEADER_LENGTH : stop])
                position = stop
                yield _decode(self._decoder, body)
        finally:
            del self._buffer[:position]
