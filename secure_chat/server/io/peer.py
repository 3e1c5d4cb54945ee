"""What the data shard knows of one connection."""

from collections.abc import Sequence

import msgspec

from secure_chat.transport.connection import TlsConnection
from secure_chat.transport.poller import READ
from secure_chat.wire.framing import FrameBuffer, client_message_decoder
from secure_chat.wire.limits import MAX_HANDSHAKE_FRAME
from secure_chat.wire.messages import ClientMessage

__all__ = ["Peer", "Replay"]


class Replay(msgspec.Struct, gc=False):
    """A channel whose log is being sent, from the oldest entry on, before live entries follow."""

    position: int
    """The last entry that this connection has."""
    asked_at: int = 0
    """The channel's newest entry when the log was asked for: the answer contains it unless it is deleted."""
    until: int | None = None
    """Ends after this entry: the device was removed from the channel."""
    last_frame: bytes = b""
    """Sent at that end."""
    successor: "Replay | None" = None
    """What follows that end: the device was added again meanwhile."""

    @property
    def newest(self) -> "Replay":
        """The last of those that follow each other."""
        return self.successor.newest if self.successor is not None else self


class Peer:
    """One connection: what came in and is incomplete, what waits to go out, and which channels it receives."""

    __slots__ = (
        "announced", "authenticated", "channels", "closing", "dirty", "events", "frames", "id", "in_flight", "more",
        "output", "reading_log", "replays", "size", "tls",
    )  # fmt: skip

    def __init__(self, identity: int, tls: TlsConnection, dirty: list["Peer"]) -> None:
        self.id = identity
        self.tls = tls
        self.frames: FrameBuffer[ClientMessage] = FrameBuffer(client_message_decoder, MAX_HANDSHAKE_FRAME)
        self.output: list[bytes] = []
        """Plaintext waiting to go out; the chunks are shared between connections."""
        self.size = 0
        """Bytes in `output`."""
        self.dirty = dirty
        """The shard's list of connections with new output."""
        self.channels: set[bytes] = set()
        self.replays: dict[bytes, Replay] = {}
        self.reading_log = False
        """A part of the log is being read for this connection."""
        self.announced = False
        """The core knows of this connection."""
        self.authenticated = False
        self.closing = False
        """Nothing more is read; closes when the output has gone out."""
        self.more = False
        """Complete frames are waiting for the next tick."""
        self.in_flight = 0
        """Messages handed to the writer and not yet on disk."""
        self.events = READ
        """What the poller waits for."""

    def put(self, data: bytes) -> None:
        """Adds to the output."""
        if not self.output:
            self.dirty.append(self)
        self.output.append(data)
        self.size += len(data)

    def take(self, limit: int) -> bytes:
        """Up to about `limit` bytes of output, at least one chunk."""
        output = self.output
        if self.size <= limit:
            data = output[0] if len(output) == 1 else b"".join(output)
            output.clear()
            self.size = 0
            return data
        return self._take_part(output, limit)

    def _take_part(self, output: Sequence[bytes], limit: int) -> bytes:
        first = output[0]
        if len(first) > limit:
            self.output[0] = first[limit:]
            self.size -= limit
            return first[:limit]
        count = total = 0
        for chunk in output:
            if total + len(chunk) > limit:
                break
            total += len(chunk)
            count += 1
        data = b"".join(output[:count])
        del self.output[:count]
        self.size -= total
        return data
