"""What a user may ask of the client: together with `events` the whole contract with every front end.

A front end submits a command and gets one `events.Done` or `events.Failed` with its reference. `room` is a room id,
`#name` or a handle (the direct conversation with that person). Queries are answered from the store at once.
"""

from typing import TypeAlias

from msgspec import Struct

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
    "RecoveryCodeSeen",
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


class Send(Struct, frozen=True):
    """Queue a message, durably; done (with its id) as soon as it is on disk here."""

    room: str
    text: str
    reply_to: MessageId | None = None


class Edit(Struct, frozen=True):
    """Replace the text of one's own message."""

    message: MessageId
    text: str


class Delete(Struct, frozen=True):
    """Delete one's own message for everybody (an admin: anybody's)."""

    message: MessageId


class React(Struct, frozen=True):
    """Put an emoji under a message, or take it back."""

    message: MessageId
    emoji: str
    remove: bool = False


class RetryMessage(Struct, frozen=True):
    """Queue a failed message again."""

    message: MessageId


class CancelMessage(Struct, frozen=True):
    """Drop a message that has not been sent."""

    message: MessageId


class MarkRead(Struct, frozen=True):
    """Everything up to this message (None: all) has been seen here."""

    room: str
    message: MessageId | None = None


class Typing(Struct, frozen=True):
    """The user is typing; sent at most every few seconds, never stored."""

    room: str


class JoinRoom(Struct, frozen=True):
    """Enter an open room, making it if there is none of this name."""

    name: str


class CreateRoom(Struct, frozen=True):
    """Make a closed room."""

    name: str
    suite: int | None = None
    """None: the post-quantum default."""
    members_may_invite: bool = False


class StartDirect(Struct, frozen=True):
    """Open the direct conversation with a person; done with its room id."""

    handle: str


class InvitePeople(Struct, frozen=True):
    """Invite people into a closed room."""

    room: str
    handles: tuple[str, ...]


class AcceptInvitation(Struct, frozen=True):
    """Enter a closed room that one was invited to."""

    room: str


class DeclineInvitation(Struct, frozen=True):
    """Refuse an invitation; the room is told."""

    room: str


class LeaveRoom(Struct, frozen=True):
    """Leave a room; its history stays here."""

    room: str


class Kick(Struct, frozen=True):
    """Remove a person from a room; needs an admin."""

    room: str
    handle: str


class Ban(Struct, frozen=True):
    """Remove a person from an open room and keep them out; needs an admin."""

    room: str
    handle: str


class Unban(Struct, frozen=True):
    """Let a banned person in again; needs an admin."""

    room: str
    handle: str


class Promote(Struct, frozen=True):
    """Make a member an admin; needs an admin."""

    room: str
    handle: str


class Demote(Struct, frozen=True):
    """Take a member's admin right; needs an admin, never the last one."""

    room: str
    handle: str


class RenameRoom(Struct, frozen=True):
    """Give a closed room another name; needs an admin."""

    room: str
    name: str


class SetInvitePolicy(Struct, frozen=True):
    """Whether members who are no admins may invite; needs an admin."""

    room: str
    members_may_invite: bool


class Mute(Struct, frozen=True):
    """No notifications and no mention marks from this room."""

    room: str


class Unmute(Struct, frozen=True):
    """Notifications again."""

    room: str


class RefreshKeys(Struct, frozen=True):
    """Fresh keys for this device in the room now (an MLS update)."""

    room: str


class RestartRoom(Struct, frozen=True):
    """Re-found the room: a new MLS group in the same conversation; needs an admin, either side of a direct one."""

    room: str
    without: tuple[str, ...] = ()
    suite: int | None = None


class MarkVerified(Struct, frozen=True):
    """The safety numbers were the same. `number` (or a scanned QR text), if given, must match; where the key
    has changed it is needed, and decides which key is theirs."""

    handle: str
    number: str = ""


class Unverify(Struct, frozen=True):
    """Take a verification back."""

    handle: str


class AcceptKey(Struct, frozen=True):
    """Go on with a person whose account key has changed; the new key is then pinned, unverified."""

    handle: str
    key: str
    """The key that was seen: `new` of `KeyChanged`, or its fingerprint of 16 hexadecimal digits as notices show it.
    Another key that has come meanwhile is not accepted."""


class Block(Struct, frozen=True):
    """Show nothing further from this person, and refuse their invitations."""

    handle: str


class Unblock(Struct, frozen=True):
    """Show this person's messages again."""

    handle: str


class CreateInviteLink(Struct, frozen=True):
    """A link with which others can join the relay; done with the link."""

    uses: int = 1
    lifetime: int = 7 * 86_400_000
    """Milliseconds."""


class SetReadReceipts(Struct, frozen=True):
    """Whether others learn what one has read."""

    enabled: bool


class SetVisible(Struct, frozen=True):
    """Whether others learn that one is online; takes effect with the next connection."""

    visible: bool


class SetAddress(Struct, frozen=True):
    """The relay has moved to another host:port; its certificate authority stays pinned."""

    address: str


class Reconnect(Struct, frozen=True):
    """Try to connect now instead of waiting."""


class RecoveryCodeSeen(Struct, frozen=True):
    """The person has been shown the recovery code; until then `StatusView.recovery_due` asks for it."""


class RevokeDevice(Struct, frozen=True):
    """Shut another device of this account out of everything."""

    device: str


class DeleteAccount(Struct, frozen=True):
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
    | RecoveryCodeSeen
    | RevokeDevice
    | DeleteAccount
)
"""What changes something."""

Command: TypeAlias = Action | Query

COMMANDS: tuple[type[Command], ...] = Action.__args__ + QUERIES
"""Every command, for front ends that offer all of them."""
