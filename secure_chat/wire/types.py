"""What messages are made of: bounded field types, kinds, and the structures that stand inside messages."""

from enum import IntEnum, StrEnum
from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

from secure_chat.wire import limits

__all__ = [
    "AccountInfo",
    "AccountKey",
    "Certificate",
    "ChannelChange",
    "ChannelId",
    "ChannelKind",
    "ChannelSummary",
    "ClaimedKeyPackage",
    "DeviceId",
    "EntryKind",
    "Handle",
    "MemberDevice",
    "Message",
    "Nonce",
    "OpenRoom",
    "Ping",
    "Pong",
    "Position",
    "RoomName",
    "Signature",
    "StoreId",
    "Token",
    "UInt",
    "Welcome",
]

UInt: TypeAlias = Annotated[int, Meta(ge=0, le=2**63 - 1)]
AccountKey: TypeAlias = Annotated[
    bytes, Meta(min_length=limits.ACCOUNT_KEY_LENGTH, max_length=limits.ACCOUNT_KEY_LENGTH)
]
DeviceId: TypeAlias = Annotated[bytes, Meta(min_length=limits.DEVICE_ID_LENGTH, max_length=limits.DEVICE_ID_LENGTH)]
ChannelId: TypeAlias = Annotated[bytes, Meta(min_length=limits.CHANNEL_ID_LENGTH, max_length=limits.CHANNEL_ID_LENGTH)]
StoreId: TypeAlias = Annotated[bytes, Meta(min_length=limits.STORE_ID_LENGTH, max_length=limits.STORE_ID_LENGTH)]
Nonce: TypeAlias = Annotated[bytes, Meta(min_length=limits.NONCE_LENGTH, max_length=limits.NONCE_LENGTH)]
Signature: TypeAlias = Annotated[bytes, Meta(min_length=limits.SIGNATURE_LENGTH, max_length=limits.SIGNATURE_LENGTH)]
Certificate: TypeAlias = Annotated[bytes, Meta(max_length=limits.MAX_CERTIFICATE)]
Handle: TypeAlias = Annotated[str, Meta(pattern=r"^[a-z0-9._-]{1,32}\Z")]
Token: TypeAlias = Annotated[str, Meta(min_length=1, max_length=64)]
RoomName: TypeAlias = Annotated[str, Meta(min_length=1, max_length=limits.MAX_ROOM_NAME)]
Position: TypeAlias = tuple[ChannelId, UInt]
"""A channel and a sequence number in it."""


class Message(Struct, frozen=True, array_like=True, gc=False):
    """Base of all messages: immutable, encoded as an array; without cycles, so the garbage collector is spared."""


class ChannelKind(StrEnum):
    """What a channel carries."""

    INBOX = "inbox"
    """One per device: Welcomes arrive here."""
    DIRECT = "direct"
    """Unique per pair of accounts."""
    ROOM = "room"
    """Closed: only by invitation."""
    OPEN = "open"
    """For everyone with an account; its name is public."""


class EntryKind(IntEnum):
    """How the relay treats an entry; it never looks into the payload."""

    APPLICATION = 1
    """An MLS PrivateMessage; refused as stale when `head` is too many commits back."""
    COMMIT = 2
    """Accepted only if `head` is still the channel's; becomes the head."""
    FOUNDING = 3
    """Starts an MLS group in the channel (generation + 1); ordered like a commit."""
    PROPOSAL = 4
    """An MLS proposal by reference; treated like APPLICATION."""
    REQUEST = 5
    """A device's plaintext, signed request to be added (again); names no head."""
    MEMBERS = 6
    """Changes the delivery list alone: leaving, repair, an account that the operator removed."""
    WELCOME = 7
    """In inboxes: an MLS Welcome; `origin` names the channel and the entry that it belongs to."""


class ChannelSummary(Message, frozen=True):
    """What a device needs to know of a channel it is in."""

    channel: ChannelId
    kind: ChannelKind
    name: str
    """Of open rooms; empty otherwise."""
    peer: bytes
    """The other account key of a direct channel; empty otherwise."""
    generation: UInt
    """Number of foundings so far; 0: no MLS group yet."""
    head: UInt
    """Sequence number of the last commit or founding."""
    first: UInt
    """The oldest entry still stored is not before this one."""
    last: UInt
    """The newest entry's sequence number; 0 when there was none."""
    cursor: UInt
    """What this device has acknowledged."""
    joined: UInt
    """The entry that added this device: nothing before it is delivered."""


class MemberDevice(Message, frozen=True):
    """A device in a channel's delivery list."""

    device: DeviceId
    account: AccountKey


class Welcome(Message, frozen=True):
    """One MLS Welcome, stored once and referenced from each recipient's inbox."""

    payload: Annotated[bytes, Meta(max_length=limits.MAX_WELCOME)]
    devices: Annotated[tuple[DeviceId, ...], Meta(max_length=limits.MAX_ADDS_PER_COMMIT)]


class ChannelChange(Message, frozen=True):
    """What an append changes besides the log, atomically with it; None and empty leave things as they are."""

    add: Annotated[tuple[MemberDevice, ...], Meta(max_length=limits.MAX_ADDS_PER_COMMIT)] = ()
    remove: tuple[DeviceId, ...] = ()
    admins: tuple[AccountKey, ...] | None = None
    members_may_add: bool | None = None
    banned: tuple[AccountKey, ...] | None = None
    """Accounts whose requests and external commits the relay refuses; open rooms."""


class OpenRoom(Message, frozen=True):
    """One line of `OpenRooms`."""

    channel: ChannelId
    name: str
    devices: UInt


class AccountInfo(Message, frozen=True):
    """What the relay says of an account; the binding and the certificates prove themselves."""

    handle: str
    account: AccountKey
    binding: Certificate
    devices: tuple[Certificate, ...]
    revocation: bytes
    """The newest account-signed minimum serial; empty when there is none."""
    online: bool


class ClaimedKeyPackage(Message, frozen=True):
    """One claimed key package."""

    account: AccountKey
    device: DeviceId
    package: bytes
    last_resort: bool


class Ping(Message, frozen=True, tag="ping"):
    """Either side may ask; the other answers `Pong`."""

    id: UInt


class Pong(Message, frozen=True, tag="pong"):
    """Answers `Ping`."""

    id: UInt
