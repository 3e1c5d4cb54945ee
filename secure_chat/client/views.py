"""What front ends see: immutable values that events carry and queries return.

Rooms, messages, devices and accounts are named by lower-case hexadecimal ids; people are shown by handle. Times are
milliseconds since the POSIX epoch. Text is as its author sent it: a front end must pass it through
`ui.presenter.clean` before a terminal sees it.
"""

from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct

__all__ = [
    "AccountId",
    "ConnectionState",
    "DeliveryState",
    "DeviceView",
    "Hit",
    "InvitationView",
    "MemberView",
    "MessageId",
    "MessageKind",
    "MessageView",
    "OpenRoomView",
    "PersonView",
    "Reaction",
    "RoomCodeView",
    "RoomId",
    "RoomKind",
    "RoomView",
    "SafetyNumberView",
    "StatusView",
    "Trust",
]

RoomId: TypeAlias = str
"""32 hexadecimal digits: the channel."""
MessageId: TypeAlias = str
"""32 hexadecimal digits, chosen by the author's client."""
AccountId: TypeAlias = str
"""64 hexadecimal digits: the account key."""


class RoomKind(StrEnum):
    """What a conversation is."""

    OPEN = "open"
    ROOM = "room"
    DIRECT = "direct"


class Trust(StrEnum):
    """What is known of the key behind a handle, weakest first."""

    CHANGED = "changed"
    """The handle came with another account key than before: sending is blocked until decided."""
    FIRST_USE = "first_use"
    """The first key seen for this handle."""
    FROM_LINK = "from_link"
    """The key that the invite link named."""
    VERIFIED = "verified"
    """Compared by the person using this client."""
    SELF = "self"


class DeliveryState(StrEnum):
    """How far one's own message has come; never claimed before it is so."""

    QUEUED = "queued"
    """On this disk, not yet at the relay."""
    SENT = "sent"
    """On the relay's disk."""
    DELIVERED = "delivered"
    """Decrypted and on the disk of every other person in the conversation."""
    READ = "read"
    """Seen by every other person; only from those who chose to tell."""
    FAILED = "failed"
    """Will not go out by itself; the message says why."""
    RECEIVED = "received"
    """Somebody else's."""


class MessageKind(StrEnum):
    """What one line of a conversation is."""

    TEXT = "text"
    NOTICE = "notice"
    """Joined, left, renamed and the like."""
    GAP = "gap"
    """Messages are missing here; `text` says what is known."""
    SECURITY = "security"
    """Something that a person should know about keys or the relay."""
    UNKNOWN = "unknown"
    """A kind of content that this version doesn't know."""


class ConnectionState(StrEnum):
    """The client's connection to the relay."""

    OFFLINE = "offline"
    CONNECTING = "connecting"
    CATCHING_UP = "catching_up"
    ONLINE = "online"


class Reaction(Struct, frozen=True):
    """One emoji under a message."""

    emoji: str
    handles: tuple[str, ...]


class MessageView(Struct, frozen=True):
    """One line of a conversation."""

    id: MessageId
    room: RoomId
    position: int
    """Orders messages within this store; later is larger; unique."""
    kind: MessageKind
    sender: str
    """Handle; empty for notices without an actor."""
    account: AccountId
    time: int
    """As the relay stamped it (own unsent messages: this machine's clock)."""
    text: str
    state: DeliveryState
    detail: str = ""
    """Machine-readable kind of a notice, gap or security line, or why a message failed."""
    reply_to: MessageId | None = None
    edited: bool = False
    deleted: bool = False
    reactions: tuple[Reaction, ...] = ()


class RoomView(Struct, frozen=True):
    """A conversation in the list of rooms."""

    id: RoomId
    kind: RoomKind
    name: str
    """Without `#`; of direct conversations the other's handle."""
    suite: int
    """MLS cipher suite; 0 while the group is not known yet."""
    epoch: int
    members: int
    """People, not devices."""
    verified: int
    """How many of the other people are verified."""
    unread: int
    mentions: int
    muted: bool
    admin: bool
    """Whether this account is an admin here."""
    members_may_invite: bool
    joined: bool
    """False while an invitation is undecided, entering is under way, or after leaving."""
    writable: bool
    """False while sending is blocked; `blocked` says why."""
    blocked: str
    post_quantum: bool
    last_time: int
    """Of the newest message, 0 if none."""


class MemberView(Struct, frozen=True):
    """A person in a room."""

    handle: str
    account: AccountId
    admin: bool
    trust: Trust
    online: bool
    devices: int
    invited: bool
    """Added, but has not accepted yet."""


class DeviceView(Struct, frozen=True):
    """A device of an account."""

    id: str
    serial: int
    issued: int
    expires: int
    current: bool
    """This very device."""


class PersonView(Struct, frozen=True):
    """Somebody this client has met."""

    handle: str
    account: AccountId
    trust: Trust
    blocked: bool
    online: bool
    devices: int
    rooms: tuple[str, ...]
    """Names of the rooms shared."""


class InvitationView(Struct, frozen=True):
    """A closed room that one was invited to and has not decided on."""

    room: RoomId
    name: str
    inviter: str
    trust: Trust
    members: tuple[str, ...]
    time: int


class OpenRoomView(Struct, frozen=True):
    """An open room of the relay."""

    name: str
    devices: int
    joined: bool


class SafetyNumberView(Struct, frozen=True):
    """What two people compare."""

    handle: str
    account: AccountId
    trust: Trust
    number: str
    """12 groups of 5 digits, the same on both screens."""
    qr: str
    """What the QR code says; scanning compares it."""


class RoomCodeView(Struct, frozen=True):
    """A room's code at one epoch; all members who see the same code are in the same room."""

    room: RoomId
    epoch: int
    code: str


class Hit(Struct, frozen=True):
    """A search result."""

    message: MessageView
    room_name: str
    snippet: str
    """Part of the text with the hits between U+0002 and U+0003."""


class StatusView(Struct, frozen=True):
    """Where this client stands."""

    handle: str
    account: AccountId
    fingerprint: str
    device: str
    address: str
    """host:port of the relay."""
    connection: ConnectionState
    queued: int
    """Messages waiting to go out."""
    rooms: int
    unread: int
    tls: str
    profile: str
    version: str
    reason: str = ""
    """Why there is no connection, and what a person can do; empty while there is one."""
    recovery_due: bool = False
    """The recovery code of this new account has not been shown yet: show it, then say `RecoveryCodeSeen`."""
