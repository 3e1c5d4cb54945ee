"""What a user may ask to be shown: answered from the store at once, two of them by the relay."""

from dataclasses import dataclass
from typing import TypeAlias

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


@dataclass(frozen=True, slots=True)
class GetStatus:
    """A `StatusView`."""


@dataclass(frozen=True, slots=True)
class GetRooms:
    """All `RoomView`s, most recently active first."""


@dataclass(frozen=True, slots=True)
class GetMembers:
    """The `MemberView`s of a room."""

    room: str


@dataclass(frozen=True, slots=True)
class GetPeople:
    """All `PersonView`s."""


@dataclass(frozen=True, slots=True)
class GetInvitations:
    """Undecided `InvitationView`s."""


@dataclass(frozen=True, slots=True)
class GetOpenRooms:
    """`OpenRoomView`s; asks the relay."""


@dataclass(frozen=True, slots=True)
class GetDevices:
    """This account's `DeviceView`s; asks the relay."""


@dataclass(frozen=True, slots=True)
class GetHistory:
    """Up to `limit` `MessageView`s, oldest first: the newest ones, or those before or after a position."""

    room: str
    limit: int = 50
    before: int | None = None
    after: int | None = None


@dataclass(frozen=True, slots=True)
class GetMessage:
    """One `MessageView`."""

    message: MessageId


@dataclass(frozen=True, slots=True)
class Search:
    """Full-text search, newest first: `Hit`s. Words are joined by AND; a word's beginning is enough."""

    text: str
    room: str | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class GetSafetyNumber:
    """A `SafetyNumberView`."""

    handle: str


@dataclass(frozen=True, slots=True)
class GetRoomCode:
    """A `RoomCodeView`, of the current or a recent epoch."""

    room: str
    epoch: int | None = None


@dataclass(frozen=True, slots=True)
class GetRecoveryCode:
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
