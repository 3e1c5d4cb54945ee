"""What a user may ask to be shown: answered from the store at once, two of them by the relay."""

from typing import TypeAlias

from msgspec import Struct

from secure_chat.client.views import MessageId

__all__ = [
    "QUERIES",
    "GetDevices",
    "GetHistory",
    "GetInvitations",
    "GetMembers",
    "GetMessage",
    "GetOpenRooms",
    "GetPeople",
    "GetRecoveryCode",
    "GetRoomCode",
    "GetRooms",
    "GetSafetyNumber",
    "GetStatus",
    "Query",
    "Search",
]


class GetStatus(Struct, frozen=True):
    """A `StatusView`."""


class GetRooms(Struct, frozen=True):
    """All `RoomView`s, most recently active first."""


class GetMembers(Struct, frozen=True):
    """The `MemberView`s of a room."""

    room: str


class GetPeople(Struct, frozen=True):
    """All `PersonView`s."""


class GetInvitations(Struct, frozen=True):
    """Undecided `InvitationView`s."""


class GetOpenRooms(Struct, frozen=True):
    """`OpenRoomView`s; asks the relay."""


class GetDevices(Struct, frozen=True):
    """This account's `DeviceView`s; asks the relay."""


class GetHistory(Struct, frozen=True):
    """Up to `limit` `MessageView`s, oldest first: the newest ones, or those before or after a position."""

    room: str
    limit: int = 50
    before: int | None = None
    after: int | None = None


class GetMessage(Struct, frozen=True):
    """One `MessageView`."""

    message: MessageId


class Search(Struct, frozen=True):
    """Full-text search, newest first: `Hit`s. Words are joined by AND; a word's beginning is enough."""

    text: str
    room: str | None = None
    limit: int = 50


class GetSafetyNumber(Struct, frozen=True):
    """A `SafetyNumberView`."""

    handle: str


class GetRoomCode(Struct, frozen=True):
    """A `RoomCodeView`, of the current or a recent epoch."""

    room: str
    epoch: int | None = None


class GetRecoveryCode(Struct, frozen=True):
    """The account's recovery code."""


Query: TypeAlias = (
    GetStatus
    | GetRooms
    | GetMembers
    | GetPeople
    | GetInvitations
    | GetOpenRooms
    | GetDevices
    | GetHistory
    | GetMessage
    | Search
    | GetSafetyNumber
    | GetRoomCode
    | GetRecoveryCode
)

QUERIES: tuple[type[Query], ...] = Query.__args__
"""Every query."""
