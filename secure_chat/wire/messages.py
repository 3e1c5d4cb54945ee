"""Every message that client and relay exchange, as typed MessagePack arrays.

On the wire a message is an array whose first element is its tag and whose other elements are the fields below, in
order. A receiver ignores elements beyond those it knows (a later minor version may append some with defaults) and
refuses everything else that does not fit the types. Byte strings are `bin`, texts `str`, numbers unsigned.
Times are milliseconds since the POSIX epoch. `docs/wire-protocol.md` describes the exchange.

A request carries an `id` that its one answer repeats: the answer named with it, or `Error`.
"""

from typing import TypeAlias

from secure_chat.wire.answers import (
    Accounts,
    Appended,
    CaCertificate,
    CaughtUp,
    ChannelAdded,
    ChannelClosed,
    ChannelInfo,
    Entry,
    EphemeralEntry,
    Error,
    Goodbye,
    GroupInfoResult,
    HelloAck,
    InviteCreated,
    KeyPackages,
    KeyPackagesLow,
    LoggedIn,
    Ok,
    OpenRooms,
    Presence,
    Registered,
)
from secure_chat.wire.requests import (
    Ack,
    Append,
    ClaimKeyPackages,
    CreateChannel,
    CreateInvite,
    DeleteAccount,
    Ephemeral,
    GetCa,
    GetChannel,
    GetGroupInfo,
    Hello,
    ListRooms,
    Login,
    Lookup,
    PublishKeyPackages,
    Register,
    RevokeDevices,
    RevokeInvite,
    Subscribe,
)
from secure_chat.wire.types import (
    AccountInfo,
    AccountKey,
    Certificate,
    ChannelChange,
    ChannelId,
    ChannelKind,
    ChannelSummary,
    ClaimedKeyPackage,
    DeviceId,
    EntryKind,
    Handle,
    MemberDevice,
    Message,
    Nonce,
    OpenRoom,
    Ping,
    Pong,
    Position,
    RoomName,
    Signature,
    StoreId,
    Token,
    UInt,
    Welcome,
)

__all__ = [
    "AccountInfo",
    "AccountKey",
    "Accounts",
    "Ack",
    "Append",
    "Appended",
    "CaCertificate",
    "CaughtUp",
    "Certificate",
    "ChannelAdded",
    "ChannelChange",
    "ChannelClosed",
    "ChannelId",
    "ChannelInfo",
    "ChannelKind",
    "ChannelSummary",
    "ClaimKeyPackages",
    "ClaimedKeyPackage",
    "ClientMessage",
    "CreateChannel",
    "CreateInvite",
    "DeleteAccount",
    "DeviceId",
    "Entry",
    "EntryKind",
    "Ephemeral",
    "EphemeralEntry",
    "Error",
    "GetCa",
    "GetChannel",
    "GetGroupInfo",
    "Goodbye",
    "GroupInfoResult",
    "Handle",
    "Hello",
    "HelloAck",
    "InviteCreated",
    "KeyPackages",
    "KeyPackagesLow",
    "ListRooms",
    "LoggedIn",
    "Login",
    "Lookup",
    "MemberDevice",
    "Message",
    "Nonce",
    "Ok",
    "OpenRoom",
    "OpenRooms",
    "Ping",
    "Pong",
    "Position",
    "Presence",
    "PublishKeyPackages",
    "Register",
    "Registered",
    "RevokeDevices",
    "RevokeInvite",
    "RoomName",
    "ServerMessage",
    "Signature",
    "StoreId",
    "Subscribe",
    "Token",
    "UInt",
    "Welcome",
]

ClientMessage: TypeAlias = (
    GetCa
    | Hello
    | Register
    | Login
    | Subscribe
    | Ack
    | Append
    | CreateChannel
    | GetChannel
    | GetGroupInfo
    | ListRooms
    | Ephemeral
    | Lookup
    | PublishKeyPackages
    | ClaimKeyPackages
    | RevokeDevices
    | DeleteAccount
    | CreateInvite
    | RevokeInvite
    | Ping
    | Pong
)
"""What a relay reads."""

ServerMessage: TypeAlias = (
    CaCertificate
    | HelloAck
    | Registered
    | LoggedIn
    | Entry
    | CaughtUp
    | Appended
    | ChannelInfo
    | GroupInfoResult
    | OpenRooms
    | EphemeralEntry
    | ChannelAdded
    | ChannelClosed
    | Accounts
    | KeyPackages
    | KeyPackagesLow
    | InviteCreated
    | Presence
    | Ping
    | Pong
    | Ok
    | Error
    | Goodbye
)
"""What a client reads."""
