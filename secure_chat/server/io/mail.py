"""What the relay's threads post to each other."""

from dataclasses import dataclass

from secure_chat.server.core.effects import Effects, Input
from secure_chat.server.io.fanout import ChannelLog
from secure_chat.server.io.peer import Peer
from secure_chat.transport.connection import TlsConnection

__all__ = ["Accepted", "Batch", "Durable", "LogRead"]


@dataclass(frozen=True, slots=True)
class Accepted:
    """A connection whose handshake is finished; it belongs to the shard from here."""

    connection: int
    tls: TlsConnection
    certificate_hash: bytes


@dataclass(slots=True)
class Batch:
    """What one turn of a shard's loop read."""

    shard: int
    """Whose turn, by index."""
    inputs: list[Input]
    reads: list[tuple[Peer, int]]
    """How many messages of whom; only the shard touches the peers."""
    size: int


@dataclass(frozen=True, slots=True)
class Durable:
    """The effects of a transaction that is on disk, and which batches of this shard were in it."""

    effects: Effects
    batches: list[Batch]


@dataclass(frozen=True, slots=True)
class LogRead:
    """An answer of the reader thread."""

    connection: int
    logs: list[ChannelLog]
