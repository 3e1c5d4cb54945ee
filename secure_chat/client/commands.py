"""What a user may ask of the client: together with `events` the whole contract with every front end.

A front end submits a command and gets one `events.Done` or `events.Failed` with its reference. `room` is a room id,
`#name` or a handle (the direct conversation with that person). Queries are answered from the store at once.
"""

from dataclasses import dataclass
from typing import TypeAlias

from secure_chat.client.queries import QUERIES, Query
from secure_chat.client.views import MessageId

__all__ = [
    "COMMANDS",
    "AcceptInvitation",
    "AcceptKey",
    "Action",
    "Ban",
    "Block",
    "CancelMessage",
    "Command",
    "CreateInviteLink",
    "CreateRoom",
    "DeclineInvitation",
    "Delete",
    "DeleteAccount",
    "Demote",
    "Edit",
    "InvitePeople",
    "JoinRoom",
    "Kick",
    "LeaveRoom",
    "MarkRead",
    "MarkVerified",
    "Mute",
    "Promote",
    "React",
    "Reconnect",
    "RefreshKeys",
    "RenameRoom",
    "RestartRoom",
    "RetryMessage",
    "RevokeDevice",
    "Send",
    "SetAddress",
    "SetInvitePolicy",
    "SetReadReceipts",
    "SetVisible",
    "StartDirect",
    "Typing",
    "Unban",
    "Unblock",
    "Unmute",
    "Unverify",
]


@dataclass(frozen=True, slots=True)
class Send:
    """Queue a message, durably; done (with its id) as soon as it is on disk here."""

    room: str
    text: str
    reply_to: MessageId | None = None


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace the text of one's own message."""

    message: MessageId
    text: str


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete one's own message for everybody (an admin: anybody's)."""

    message: MessageId


@dataclass(frozen=True, slots=True)
class React:
    """Put an emoji under a message, or take it back."""

    message: MessageId
    emoji: str
    remove: bool = False


@dataclass(frozen=True, slots=True)
class RetryMessage:
    """Queue a failed message again."""

    message: MessageId


@dataclass(frozen=True, slots=True)
class CancelMessage:
    """Drop a message that has not been sent."""

    message: MessageId


@dataclass(frozen=True, slots=True)
class MarkRead:
    """Everything up to this message (None: all) has been seen here."""

    room: str
    message: MessageId | None = None


@dataclass(frozen=True, slots=True)
class Typing:
    """The user is typing; sent at most every few seconds, never stored."""

    room: str


@dataclass(frozen=True, slots=True)
class JoinRoom:
    """Enter an open room, making it if there is none of this name."""

    name: str


@dataclass(frozen=True, slots=True)
class CreateRoom:
    """Make a closed room."""

    name: str
    suite: int | None = None
    """None: the post-quantum default."""
    members_may_invite: bool = False


@dataclass(frozen=True, slots=True)
class StartDirect:
    """Open the direct conversation with a person; done with its room id."""

    handle: str


@dataclass(frozen=True, slots=True)
class InvitePeople:
    """Invite people into a closed room."""

    room: str
    handles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AcceptInvitation:
    """Enter a closed room that one was invited to."""

    room: str


@dataclass(frozen=True, slots=True)
class DeclineInvitation:
    """Refuse an invitation; the room is told."""

    room: str


@dataclass(frozen=True, slots=True)
class LeaveRoom:
    """Leave a room; its history stays here."""

    room: str


@dataclass(frozen=True, slots=True)
class Kick:
    """Remove a person from a room; needs an admin."""

    room: str
    handle: str


@dataclass(frozen=True, slots=True)
class Ban:
    """Remove a person from an open room and keep them out; needs an admin."""

    room: str
    handle: str


@dataclass(frozen=True, slots=True)
class Unban:
    """Let a banned person in again; needs an admin."""

    room: str
    handle: str


@dataclass(frozen=True, slots=True)
class Promote:
    """Make a member an admin; needs an admin."""

    room: str
    handle: str


@dataclass(frozen=True, slots=True)
class Demote:
    """Take a member's admin right; needs an admin, never the last one."""

    room: str
    handle: str


@dataclass(frozen=True, slots=True)
class RenameRoom:
    """Give a closed room another name; needs an admin."""

    room: str
    name: str


@dataclass(frozen=True, slots=True)
class SetInvitePolicy:
    """Whether members who are no admins may invite; needs an admin."""

    room: str
    members_may_invite: bool


@dataclass(frozen=True, slots=True)
class Mute:
    """No notifications and no mention marks from this room."""

    room: str


@dataclass(frozen=True, slots=True)
class Unmute:
    """Notifications again."""

    room: str


@dataclass(frozen=True, slots=True)
class RefreshKeys:
    """Fresh keys for this device in the room now (an MLS update)."""

    room: str


@dataclass(frozen=True, slots=True)
class RestartRoom:
    """Re-found the room: a new MLS group in the same conversation; needs an admin, either side of a direct one."""

    room: str
    without: tuple[str, ...] = ()
    suite: int | None = None


@dataclass(frozen=True, slots=True)
class MarkVerified:
    """The safety numbers were the same. `number` (or a scanned QR text), if given, must match."""

    handle: str
    number: str = ""


@dataclass(frozen=True, slots=True)
class Unverify:
    """Take a verification back."""

    handle: str


@dataclass(frozen=True, slots=True)
class AcceptKey:
    """Go on with a person whose account key has changed; the new key is then pinned, unverified."""

    handle: str


@dataclass(frozen=True, slots=True)
class Block:
    """Show nothing further from this person, and refuse their invitations."""

    handle: str


@dataclass(frozen=True, slots=True)
class Unblock:
    """Show this person's messages again."""

    handle: str


@dataclass(frozen=True, slots=True)
class CreateInviteLink:
    """A link with which others can join the relay; done with the link."""

    uses: int = 1
    lifetime: int = 7 * 86_400_000
    """Milliseconds."""


@dataclass(frozen=True, slots=True)
class SetReadReceipts:
    """Whether others learn what one has read."""

    enabled: bool


@dataclass(frozen=True, slots=True)
class SetVisible:
    """Whether others learn that one is online; takes effect with the next connection."""

    visible: bool


@dataclass(frozen=True, slots=True)
class SetAddress:
    """The relay has moved to another host:port; its certificate authority stays pinned."""

    address: str


@dataclass(frozen=True, slots=True)
class Reconnect:
    """Try to connect now instead of waiting."""


@dataclass(frozen=True, slots=True)
class RevokeDevice:
    """Shut another device of this account out of everything."""

    device: str


@dataclass(frozen=True, slots=True)
class DeleteAccount:
    """Leave every room and delete the account at the relay; the local history stays until the profile is deleted."""

    confirm: str
    """The own handle, typed out."""


Action: TypeAlias = (
    Send
    | Edit
    | Delete
    | React
    | RetryMessage
    | CancelMessage
    | MarkRead
    | Typing
    | JoinRoom
    | CreateRoom
    | StartDirect
    | InvitePeople
    | AcceptInvitation
    | DeclineInvitation
    | LeaveRoom
    | Kick
    | Ban
    | Unban
    | Promote
    | Demote
    | RenameRoom
    | SetInvitePolicy
    | Mute
    | Unmute
    | RefreshKeys
    | RestartRoom
    | MarkVerified
    | Unverify
    | AcceptKey
    | Block
    | Unblock
    | CreateInviteLink
    | SetReadReceipts
    | SetVisible
    | SetAddress
    | Reconnect
    | RevokeDevice
    | DeleteAccount
)
"""What changes something."""

Command: TypeAlias = Action | Query

COMMANDS: tuple[type[Command], ...] = Action.__args__ + QUERIES
"""Every command, for front ends that offer all of them."""
