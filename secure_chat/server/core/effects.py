"""What goes into the relay core and what comes out: the contract between core, storage and I/O threads.

`Relay.handle(batch, transaction, now) -> Effects` runs inside one storage transaction; the writer thread commits it
and only then hands the effects to the data shard, so nothing is acknowledged or delivered before it is on disk.
If the commit fails, the effects are dropped, every request of the batch is answered with `internal` or `disk_full`,
and the core is rebuilt from storage.
"""

from dataclasses import dataclass, field
from typing import TypeAlias

from secure_chat.wire.messages import ClientMessage

__all__ = [
    "Authenticated",
    "Close",
    "Connected",
    "ConnectionId",
    "Delivery",
    "Disconnected",
    "Effects",
    "Input",
    "Received",
    "Reply",
    "StartDelivery",
    "StopDelivery",
    "Tick",
]

ConnectionId: TypeAlias = int
"""Unique in the life of a process; never reused."""


@dataclass(frozen=True, slots=True)
class Connected:
    """A TLS handshake has finished."""

    connection: ConnectionId
    certificate_hash: bytes
    """SHA-256 of the certificate that this very handshake presented (channel binding)."""
    address: str
    """For limits per address; never stored."""


@dataclass(frozen=True, slots=True)
class Received:
    """One decoded message."""

    connection: ConnectionId
    message: ClientMessage


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection is gone; nothing further may be sent on it."""

    connection: ConnectionId


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed: expiry, reservations, presence, deletion of what everybody has acknowledged."""


Input: TypeAlias = Connected | Received | Disconnected | Tick


@dataclass(frozen=True, slots=True)
class Authenticated:
    """The connection has logged in: the login deadline is over and frames up to MAX_FRAME are read."""

    connection: ConnectionId


@dataclass(frozen=True, slots=True)
class Reply:
    """A frame for one connection."""

    connection: ConnectionId
    frame: bytes


@dataclass(frozen=True, slots=True)
class Delivery:
    """A frame for every connection that receives this channel live."""

    channel: bytes
    frame: bytes
    seq: int
    """0: ephemeral; may be dropped, and is first to be."""
    exclude: ConnectionId = 0
    """With ephemeral entries: the sender's own connection."""


@dataclass(frozen=True, slots=True)
class StartDelivery:
    """From now on this connection receives the channel: first the log after `after`, then live."""

    connection: ConnectionId
    channel: bytes
    after: int


@dataclass(frozen=True, slots=True)
class StopDelivery:
    """This connection no longer receives the channel; entries up to `last` still go out, later ones never."""

    connection: ConnectionId
    channel: bytes
    last: int
    frame: bytes = b""
    """Sent right after those entries, also when they are still being replayed: `ChannelClosed`."""


@dataclass(frozen=True, slots=True)
class Close:
    """Send the frame, if any, flush, and close."""

    connection: ConnectionId
    frame: bytes = b""


@dataclass(slots=True)
class Effects:
    """To be carried out in this order once the transaction is on disk."""

    outputs: list[Authenticated | Reply | Delivery | StartDelivery | StopDelivery | Close] = field(default_factory=list)
