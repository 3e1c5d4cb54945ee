"""What goes into the relay core and what comes out: the contract between core, storage and I/O threads.

`Relay.handle(batch, transaction, now) -> Effects` runs inside one storage transaction; the writer thread commits it
and only then hands the effects to the data shard, so nothing is acknowledged or delivered before it is on disk.
If the commit fails, the effects are dropped, every request of the batch is answered with `internal` or `disk_full`,
and the core is rebuilt from storage.

All of these are immutable `msgspec` structures: thousands are made a second, and a frozen dataclass takes five times
as long.
"""

from typing import TypeAlias

from msgspec import Struct, field

from secure_chat.server.core.admin import AdminCommand, AdminResult
from secure_chat.wire.messages import ClientMessage

__all__ = [
    "AdminReply",
    "AdminRequest",
    "Authenticated",
    "Close",
    "Connected",
    "ConnectionId",
    "Delivery",
    "Disconnected",
    "Effects",
    "Input",
    "Output",
    "Received",
    "Reply",
    "StartDelivery",
    "StopDelivery",
    "Tick",
]

ConnectionId: TypeAlias = int
"""Unique in the life of a process; never reused."""


class Connected(Struct, frozen=True, gc=False):
    """A TLS handshake has finished."""

    connection: ConnectionId
    certificate_hash: bytes
    """SHA-256 of the certificate that this very handshake presented (channel binding)."""
    address: str
    """For limits per address; never stored."""


class Received(Struct, frozen=True, gc=False):
    """One decoded message."""

    connection: ConnectionId
    message: ClientMessage


class Disconnected(Struct, frozen=True, gc=False):
    """The connection is gone; nothing further may be sent on it."""

    connection: ConnectionId


class Tick(Struct, frozen=True, gc=False):
    """Time has passed: expiry, presence, deletion of what everybody has acknowledged; about four times a second."""


class AdminRequest(Struct, frozen=True, gc=False):
    """The operator asks, by a local socket that is not the public port."""

    ticket: int
    """The asker's, returned with the answer."""
    command: AdminCommand


Input: TypeAlias = Connected | Received | Disconnected | Tick | AdminRequest


class Authenticated(Struct, frozen=True, gc=False):
    """The connection has logged in: the login deadline is over and frames up to MAX_FRAME are read."""

    connection: ConnectionId


class Reply(Struct, frozen=True, gc=False):
    """A frame for one connection."""

    connection: ConnectionId
    frame: bytes


class Delivery(Struct, frozen=True, gc=False):
    """A frame for every connection that receives this channel live."""

    channel: bytes
    frame: bytes
    """Empty with an entry that is too large to hand to so many: whoever receives the channel reads it from the log."""
    seq: int
    """0: ephemeral; may be dropped, and is first to be."""
    exclude: ConnectionId = 0
    """With ephemeral entries: the sender's own connection."""


class StartDelivery(Struct, frozen=True, gc=False):
    """From now on this connection receives the channel: first the log after `after`, then live."""

    connection: ConnectionId
    channel: bytes
    after: int


class StopDelivery(Struct, frozen=True, gc=False):
    """This connection no longer receives the channel; entries up to `last` still go out, later ones never.

    After those, however long they take, the frame follows.
    """

    connection: ConnectionId
    channel: bytes
    last: int
    frame: bytes = b""
    """`ChannelClosed`."""


class Close(Struct, frozen=True, gc=False):
    """Send the frame, if any, flush, and close."""

    connection: ConnectionId
    frame: bytes = b""


class AdminReply(Struct, frozen=True, gc=False):
    """Answers an `AdminRequest`."""

    ticket: int
    result: AdminResult


Output: TypeAlias = Authenticated | Reply | Delivery | StartDelivery | StopDelivery | Close | AdminReply


class Effects(Struct):
    """To be carried out in this order once the transaction is on disk."""

    outputs: list[Output] = field(default_factory=list)
