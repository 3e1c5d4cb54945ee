"""What a relay sends: answers, named beside the request they belong to, and deliveries."""

from secure_chat.wire.errors import ErrorCode
from secure_chat.wire.types import (
    AccountInfo,
    AccountKey,
    Certificate,
    ChannelId,
    ChannelSummary,
    ClaimedKeyPackage,
    DeviceId,
    EntryKind,
    MemberDevice,
    Message,
    Nonce,
    OpenRoom,
    Position,
    StoreId,
    Token,
    UInt,
)

__all__ = [
    "Accounts",
    "Appended",
    "CaCertificate",
    "CaughtUp",
    "ChannelAdded",
    "ChannelClosed",
    "ChannelInfo",
    "Entry",
    "EphemeralEntry",
    "Error",
    "Goodbye",
    "GroupInfoResult",
    "HelloAck",
    "InviteCreated",
    "KeyPackages",
    "KeyPackagesLow",
    "LoggedIn",
    "Ok",
    "OpenRooms",
    "Presence",
    "Registered",
]


class CaCertificate(Message, frozen=True, tag="ca"):
    """Answers `GetCa`: the CA certificate in DER; empty where the relay's certificate is of a public CA."""

    certificate: bytes


class HelloAck(Message, frozen=True, tag="hello_ack"):
    """Answers `Hello`; login and registration sign both nonces."""

    version: UInt
    features: tuple[str, ...]
    nonce: Nonce
    directory_key: AccountKey
    """Signs directory bindings; pinned together with the CA."""
    time: UInt


class Registered(Message, frozen=True, tag="registered"):
    """Answers `Register`."""

    id: UInt
    binding: Certificate


class LoggedIn(Message, frozen=True, tag="logged_in"):
    """Answers `Login`. Nothing is delivered before `Subscribe`."""

    id: UInt
    binding: Certificate
    """The account's own directory binding."""
    incarnation: bytes
    """Changes when the relay was restored from a backup."""
    last_counter: UInt
    """Highest append counter seen from this store: above the store's own, the store was rolled back."""
    inbox: ChannelSummary
    channels: tuple[ChannelSummary, ...]
    key_packages: tuple[tuple[UInt, UInt], ...]
    """(cipher suite, how many unclaimed ones are stored), last-resort ones not counted."""
    time: UInt


class Entry(Message, frozen=True, tag="entry"):
    """One entry of a channel; the same bytes for every recipient."""

    channel: ChannelId
    seq: UInt
    kind: EntryKind
    sender: DeviceId
    """All zero: the relay itself."""
    store: StoreId
    counter: UInt
    """With `store` the append id: how a device knows its own entries again."""
    time: UInt
    head: UInt
    """The head that the sender named; for commits and foundings the one they replace."""
    payload: bytes
    added: tuple["MemberDevice", ...] = ()
    removed: tuple[DeviceId, ...] = ()
    admins: tuple[AccountKey, ...] | None = None
    """The new admin accounts, where the entry changes them."""
    origin: Position | None = None
    """In inboxes: the channel and entry that a Welcome belongs to."""


class CaughtUp(Message, frozen=True, tag="caught_up"):
    """Everything in the channel up to `seq` has been sent; live from here."""

    channel: ChannelId
    seq: UInt


class Appended(Message, frozen=True, tag="appended"):
    """Answers `Append` once the entry is on disk."""

    id: UInt
    seq: UInt
    head: UInt
    """The channel's head after this entry."""
    time: UInt
    repeated: bool = False
    """This append id was stored before: the first result, nothing new."""


class ChannelInfo(Message, frozen=True, tag="channel"):
    """Answers `CreateChannel` and `GetChannel`."""

    id: UInt
    summary: ChannelSummary
    devices: tuple[MemberDevice, ...]
    admins: tuple[AccountKey, ...]
    members_may_add: bool
    created: bool = False
    attended: bool = True
    """Somebody else's device is connected, or may be: who could answer a request."""


class GroupInfoResult(Message, frozen=True, tag="group_info"):
    """Answers `GetGroupInfo`."""

    id: UInt
    channel: ChannelId
    generation: UInt
    head: UInt
    payload: bytes


class OpenRooms(Message, frozen=True, tag="rooms"):
    """Answers `ListRooms`."""

    id: UInt
    rooms: tuple[OpenRoom, ...]


class EphemeralEntry(Message, frozen=True, tag="ephemeral_entry"):
    """Delivers `Ephemeral`."""

    channel: ChannelId
    sender: DeviceId
    payload: bytes


class ChannelAdded(Message, frozen=True, tag="channel_added"):
    """This device is now in the channel; its entries follow from the one that added it."""

    summary: ChannelSummary


class ChannelClosed(Message, frozen=True, tag="channel_closed"):
    """This device gets nothing further of the channel; `seq` is the entry that removed it, or 0."""

    channel: ChannelId
    seq: UInt


class Accounts(Message, frozen=True, tag="accounts"):
    """Answers `Lookup`; what is not found is left out."""

    id: UInt
    accounts: tuple[AccountInfo, ...]


class KeyPackages(Message, frozen=True, tag="key_packages"):
    """Answers `ClaimKeyPackages`; devices that have published none are left out."""

    id: UInt
    packages: tuple[ClaimedKeyPackage, ...]


class KeyPackagesLow(Message, frozen=True, tag="key_packages_low"):
    """Few of this device's key packages are left: publish more."""

    suite: UInt
    remaining: UInt


class InviteCreated(Message, frozen=True, tag="invite"):
    """Answers `CreateInvite`."""

    id: UInt
    token: Token
    expires: UInt


class Presence(Message, frozen=True, tag="presence"):
    """Accounts that share a channel with this one and have come or gone."""

    online: tuple[AccountKey, ...]
    offline: tuple[AccountKey, ...]


class Ok(Message, frozen=True, tag="ok"):
    """Answers requests that return nothing."""

    id: UInt


class Error(Message, frozen=True, tag="error"):
    """Refuses a request; id 0 concerns the connection, which is then closed."""

    id: UInt
    code: ErrorCode
    message: str
    retry_after: UInt = 0
    """Milliseconds; 0 where waiting doesn't help."""
    head: UInt = 0
    """With `conflict`, `reserved` and `stale`: the channel's head."""


class Goodbye(Message, frozen=True, tag="goodbye"):
    """The relay is about to close the connection on purpose."""

    message: str
    retry_after: UInt = 0
