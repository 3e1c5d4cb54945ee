"""What a front end is told: together with `commands` the whole contract with every front end.

Events arrive in the order in which things became durable. They carry views, not keys.
"""

from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct

from secure_chat.client.views import (
    AccountId,
    ConnectionState,
    DeviceView,
    Hit,
    InvitationView,
    MemberView,
    MessageId,
    MessageView,
    OpenRoomView,
    PersonView,
    RoomCodeView,
    RoomId,
    RoomView,
    SafetyNumberView,
    StatusView,
)

__all__ = [
    "EVENTS",
    "CaughtUp",
    "ConnectionChanged",
    "Done",
    "Event",
    "Failed",
    "FailureCode",
    "Invited",
    "KeyChanged",
    "MessageAdded",
    "MessageChanged",
    "NewDevice",
    "PersonChanged",
    "PresenceChanged",
    "Progress",
    "Result",
    "RoomChanged",
    "RoomRemoved",
    "SecurityKind",
    "SecurityNotice",
    "ShuttingDown",
    "TypingSeen",
]

Result: TypeAlias = (
    str
    | MessageView
    | SafetyNumberView
    | RoomCodeView
    | StatusView
    | RoomView
    | tuple[RoomView, ...]
    | tuple[MemberView, ...]
    | tuple[PersonView, ...]
    | tuple[InvitationView, ...]
    | tuple[OpenRoomView, ...]
    | tuple[DeviceView, ...]
    | tuple[MessageView, ...]
    | tuple[Hit, ...]
    | None
)
"""What a command returns: nothing, an id or link, or views."""


class FailureCode(StrEnum):
    """Why a command failed; the message beside it says what to do."""

    NOT_FOUND = "not_found"
    """No such room, person or message."""
    NOT_ALLOWED = "not_allowed"
    """Needs an admin, or somebody else's message."""
    BLOCKED = "blocked"
    """A changed key or a lost room blocks sending until it is decided."""
    INVALID = "invalid"
    """The input is not what the command takes."""
    TOO_LARGE = "too_large"
    OFFLINE = "offline"
    """Needs the relay, which can't be reached; messages are queued instead."""
    REFUSED = "refused"
    """The relay refused; the message says why."""
    INTERNAL = "internal"


class Done(Struct, frozen=True):
    """The command with this reference succeeded."""

    ref: int
    result: Result = None


class Failed(Struct, frozen=True):
    """The command with this reference failed; nothing of it was done."""

    ref: int
    code: FailureCode
    message: str


class ConnectionChanged(Struct, frozen=True):
    """The connection to the relay."""

    state: ConnectionState
    reason: str = ""
    """One line, when offline: why, and what to do if a person can do something."""
    retry_at: int = 0
    """When the next attempt starts; 0: only a person can help."""


class CaughtUp(Struct, frozen=True):
    """Everything that waited at the relay has been read and stored."""

    messages: int


class MessageAdded(Struct, frozen=True):
    """A new line in a conversation, one's own or another's."""

    message: MessageView
    mention: bool
    """It names this user, or is a direct message."""
    live: bool
    """False while catching up."""


class MessageChanged(Struct, frozen=True):
    """State, text, reactions or deletion of a line changed."""

    message: MessageView


class RoomChanged(Struct, frozen=True):
    """A room is new or anything in its view changed."""

    room: RoomView


class RoomRemoved(Struct, frozen=True):
    """One has left, or was removed; the history stays."""

    room: RoomId
    name: str
    reason: str
    by: str = ""
    """Handle of who removed this account."""


class Invited(Struct, frozen=True):
    """An invitation to a closed room waits for a decision."""

    invitation: InvitationView


class PersonChanged(Struct, frozen=True):
    """Trust, devices or block of a person changed."""

    person: PersonView


class PresenceChanged(Struct, frozen=True):
    """Somebody is online or offline now."""

    handle: str
    account: AccountId
    online: bool


class TypingSeen(Struct, frozen=True):
    """Somebody is typing; forget it after six seconds."""

    room: RoomId
    handle: str


class NewDevice(Struct, frozen=True):
    """A person has another device: certified by the account key, so only a note."""

    handle: str
    account: AccountId
    device: str
    rooms: tuple[RoomId, ...]


class KeyChanged(Struct, frozen=True):
    """A handle came with another account key: sending is blocked until `AcceptKey` or a verification."""

    handle: str
    old: AccountId
    new: AccountId
    was_verified: bool
    explanation: str
    """What may have happened and what to do, in words."""


class SecurityKind(StrEnum):
    """What can be noticed; each has its own place in the threat model."""

    GAP = "gap"
    """Messages of a device are missing."""
    CHAIN_BROKEN = "chain_broken"
    """A device's message doesn't continue its previous one: altered order, or a fork."""
    REPLAY = "replay"
    """Something came a second time, or under a number that had passed; it was dropped."""
    UNDECRYPTABLE = "undecryptable"
    FOREIGN_BINDING = "foreign_binding"
    """The relay vouches for two account keys under one handle: proof of a lie."""
    GHOST = "ghost"
    """The relay's list of a room names a device that is not in the room's tree."""
    COMMIT_REFUSED = "commit_refused"
    """Somebody changed the room without the right; it was not applied here."""
    ROOM_SPLIT = "room_split"
    """Another member sees another room state."""
    REMOVED_SENDER = "removed_sender"
    """A removed member still talks."""
    POISONED = "poisoned"
    """A commit that this device alone could not follow; it asks to be added again."""
    REJOINED = "rejoined"
    """This device came back as a new leaf; what was sent meanwhile is a gap."""
    RESTARTED = "restarted"
    """The room was re-founded."""
    ROLLED_BACK = "rolled_back"
    """This store is older than what the relay has seen from it."""
    NEW_INCARNATION = "new_incarnation"
    """The relay was restored from a backup."""
    KEY_PACKAGE = "key_package"
    """The relay handed out a key package that is not the person's."""
    FALSE_ANSWER = "false_answer"
    """The relay answered with another conversation than was asked for; nothing was sent there."""
    SET_BACK = "set_back"
    """The relay is older than what it has delivered, and did not say so: what it lost is missing there."""
    WITHHELD = "withheld"
    """A message of one's own that the relay had confirmed is missing in its log: others may not have it."""
    BAD_ENTRY = "bad_entry"
    """An entry that is no message of its room: malformed, or of another group."""


class SecurityNotice(Struct, frozen=True):
    """Something was noticed; it also stands as a line in the room's history where it has one."""

    kind: SecurityKind
    room: RoomId
    """Empty where it concerns no single room."""
    handle: str
    """Of whom it concerns; may be empty."""
    text: str
    message: MessageId = ""
    """The history line."""


class Progress(Struct, frozen=True):
    """Long work: catching up, joining a large room, exporting."""

    task: str
    done: int
    total: int
    """0: unknown."""


class ShuttingDown(Struct, frozen=True):
    """The process that owns the profile is ending."""

    reason: str


Event: TypeAlias = (
    Done
    | Failed
    | ConnectionChanged
    | CaughtUp
    | MessageAdded
    | MessageChanged
    | RoomChanged
    | RoomRemoved
    | Invited
    | PersonChanged
    | PresenceChanged
    | TypingSeen
    | NewDevice
    | KeyChanged
    | SecurityNotice
    | Progress
    | ShuttingDown
)

EVENTS: tuple[type[Event], ...] = Event.__args__
"""Every event, for front ends that show all of them."""
