"""What the operator may ask of a running relay, and the answers: typed, and encodable by `msgspec` as they stand.

The local socket decodes an `AdminCommand`, hands it to the core as an `AdminRequest`, and encodes the `AdminResult`
of its `AdminReply`. Times are milliseconds since 1970; accounts are named by handle; ids are hexadecimal.
"""

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

__all__ = [
    "AccountLine",
    "AccountLines",
    "AdminCommand",
    "AdminError",
    "AdminResult",
    "ChannelLine",
    "ChannelLines",
    "CreateInviteToken",
    "DeviceLine",
    "DeviceLines",
    "Done",
    "InviteLine",
    "InviteLines",
    "ListAccounts",
    "ListChannels",
    "ListDevices",
    "ListInvites",
    "NewInvite",
    "RemoveAccount",
    "ResumeAccount",
    "RevokeInviteToken",
    "ShowStatistics",
    "Statistics",
    "SuspendAccount",
]

PageSize: TypeAlias = Annotated[int, Meta(ge=1, le=1000)]


class CreateInviteToken(Struct, frozen=True, tag="invite_create"):
    """A token with which people register; answered by `NewInvite`."""

    uses: Annotated[int, Meta(ge=1, le=100_000)] = 1
    lifetime: Annotated[int, Meta(ge=1)] | None = None
    """Milliseconds; None: until revoked."""
    label: Annotated[str, Meta(max_length=64)] = ""


class ListInvites(Struct, frozen=True, tag="invite_list"):
    """Every invite that is remembered, oldest first; answered by `InviteLines`."""


class RevokeInviteToken(Struct, frozen=True, tag="invite_revoke"):
    """Ends an invite, named by its id or an unambiguous beginning of it, or by the token itself."""

    invite: Annotated[str, Meta(min_length=4, max_length=64)]


class ListAccounts(Struct, frozen=True, tag="account_list"):
    """Accounts in the order of their handles; answered by `AccountLines`."""

    after: str = ""
    """The last handle of the page before."""
    limit: PageSize = 100


class SuspendAccount(Struct, frozen=True, tag="account_suspend"):
    """Logs an account out and refuses its logins; nothing is deleted."""

    handle: str


class ResumeAccount(Struct, frozen=True, tag="account_resume"):
    """Ends a suspension."""

    handle: str


class RemoveAccount(Struct, frozen=True, tag="account_remove"):
    """Removes an account, its devices, key packages and memberships; the handle stays reserved for its key."""

    handle: str


class ListDevices(Struct, frozen=True, tag="account_devices"):
    """An account's devices; answered by `DeviceLines`."""

    handle: str


class ListChannels(Struct, frozen=True, tag="channel_list"):
    """Rooms and direct channels, oldest first, inboxes left out; answered by `ChannelLines`."""

    after: int = 0
    """The last number of the page before."""
    limit: PageSize = 100


class ShowStatistics(Struct, frozen=True, tag="statistics"):
    """Answered by `Statistics`."""


AdminCommand: TypeAlias = (
    CreateInviteToken
    | ListInvites
    | RevokeInviteToken
    | ListAccounts
    | SuspendAccount
    | ResumeAccount
    | RemoveAccount
    | ListDevices
    | ListChannels
    | ShowStatistics
)


class Done(Struct, frozen=True, tag="done"):
    """It is done; one line for the operator."""

    message: str


class AdminError(Struct, frozen=True, tag="error"):
    """It can't be done; one line that says why."""

    message: str


class NewInvite(Struct, frozen=True, tag="new_invite"):
    """The only time that a token is shown."""

    id: str
    token: str
    expires: int
    """0: never."""


class InviteLine(Struct, frozen=True):
    """One invite."""

    id: str
    label: str
    creator: str
    """The handle of the account that made it; empty: the operator."""
    uses: int
    used: int
    created: int
    expires: int
    """0: never."""
    revoked: bool


class InviteLines(Struct, frozen=True, tag="invites"):
    """Answers `ListInvites`."""

    invites: tuple[InviteLine, ...]


class AccountLine(Struct, frozen=True):
    """One account."""

    handle: str
    account: str
    created: int
    devices: int
    suspended: bool
    online: bool


class AccountLines(Struct, frozen=True, tag="accounts"):
    """Answers `ListAccounts`."""

    accounts: tuple[AccountLine, ...]
    more: bool


class DeviceLine(Struct, frozen=True):
    """One device."""

    device: str
    serial: int
    created: int
    expires: int
    """Of its certificate; milliseconds, like all times here."""
    channels: int
    online: bool


class DeviceLines(Struct, frozen=True, tag="devices"):
    """Answers `ListDevices`."""

    handle: str
    devices: tuple[DeviceLine, ...]


class ChannelLine(Struct, frozen=True):
    """One channel."""

    number: int
    channel: str
    kind: str
    name: str
    members: int
    generation: int
    last: int
    entries: int
    bytes: int
    created: int


class ChannelLines(Struct, frozen=True, tag="channels"):
    """Answers `ListChannels`."""

    channels: tuple[ChannelLine, ...]
    more: bool


class Statistics(Struct, frozen=True, tag="statistics"):
    """Answers `ShowStatistics`; entries and bytes may be a second old."""

    accounts: int
    suspended: int
    devices: int
    connections: int
    """Connections that have logged in."""
    rooms: int
    open_rooms: int
    direct: int
    inboxes: int
    entries: int
    bytes: int
    """Of the stored entries."""
    free_bytes: int
    """On the disk that holds the database."""
    incarnation: str


AdminResult: TypeAlias = (
    Done | AdminError | NewInvite | InviteLines | AccountLines | DeviceLines | ChannelLines | Statistics
)
