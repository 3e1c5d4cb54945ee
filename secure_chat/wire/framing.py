"""Frames: a 4-byte big-endian length, then one MessagePack message of `wire.messages`."""

import struct
from collections.abc import Generator
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
_LENGTH = struct.Struct(">I")

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

    def feed(self, data: bytes) -> Generator[M, None, None]:
        """Every message completed by `data`; FrameError or FrameTooLarge end the connection.

        Whoever stops early and closes the generator goes on with `feed(b"")`.
        """
        source: bytes | bytearray = data
        if self._buffer:
            self._buffer += data
            source = self._buffer
        decode, limit = self._decoder.decode, self.limit
        position, size = 0, len(source)
        try:
            while size - position >= HEADER_LENGTH:
                (length,) = _LENGTH.unpack_from(source, position)
                if length > limit:
                    raise FrameTooLarge(f"a frame of {length} bytes, {limit} are allowed")
                start, stop = position + HEADER_LENGTH, position + HEADER_LENGTH + length
                if stop > size:
                    break
                position = stop
                try:
                    message = decode(source[start:stop])
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                    raise FrameError(f"not a message of this protocol: {error}") from None
                yield message
        finally:
            if source is self._buffer:
                del self._buffer[:position]
            elif position < size:
                self._buffer += source[position:]
