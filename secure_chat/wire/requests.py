"""What a client sends: requests, each answered once, and a few messages that are not answered."""

from typing import Annotated

from msgspec import Meta

from secure_chat.wire import limits
from secure_chat.wire.types import (
    AccountKey,
    Certificate,
    ChannelChange,
    ChannelId,
    ChannelKind,
    EntryKind,
    Handle,
    Message,
    Nonce,
    Position,
    Signature,
    StoreId,
    Token,
    UInt,
    Welcome,
)

__all__ = [
    "Ack",
    "Append",
    "ClaimKeyPackages",
    "CreateChannel",
    "CreateInvite",
    "DeleteAccount",
    "Ephemeral",
    "GetCa",
    "GetChannel",
    "GetGroupInfo",
    "Hello",
    "ListRooms",
    "Login",
    "Lookup",
    "PublishKeyPackages",
    "Register",
    "RevokeDevices",
    "RevokeInvite",
    "Subscribe",
]


class GetCa(Message, frozen=True, tag="get_ca"):
    """The first thing on a connection that only fetches the relay's CA certificate; the relay closes after it."""


class Hello(Message, frozen=True, tag="hello"):
    """The client's first message."""

    versions: tuple[UInt, ...]
    features: tuple[str, ...]
    nonce: Nonce
    software: Annotated[str, Meta(max_length=64)] = ""


class Register(Message, frozen=True, tag="register"):
    """Makes an account; repeating it with the same token and key returns the same answer."""

    id: UInt
    token: Token | None
    """None where registration is open."""
    certificate: Certificate
    """The first device's: names handle and account key."""
    signature: Signature
    """By the account key, see `identity.login`."""


class Login(Message, frozen=True, tag="login"):
    """Proves the device key on this very connection; a new device of a known account is recorded."""

    id: UInt
    certificate: Certificate
    store: StoreId
    signature: Signature
    """By the device key over device id, store, nonces and the server certificate's SHA-256, see `identity.login`."""
    visible: bool = True
    """False: others are not told that this account is online."""


class Subscribe(Message, frozen=True, tag="subscribe"):
    """Deliver everything after these positions, oldest first, then live; answered by `Ok`, then entries."""

    id: UInt
    positions: Annotated[tuple[Position, ...], Meta(max_length=limits.MAX_POSITIONS)]


class Ack(Message, frozen=True, tag="ack"):
    """Cumulative: everything up to these positions is durable at this device; not answered."""

    positions: Annotated[tuple[Position, ...], Meta(max_length=limits.MAX_POSITIONS)]


class Append(Message, frozen=True, tag="append"):
    """Adds one entry; idempotent by (store, counter)."""

    id: UInt
    channel: ChannelId
    counter: UInt
    """Of this device's store, rising by one for each append; the store was named at login."""
    kind: EntryKind
    head: UInt
    payload: Annotated[bytes, Meta(max_length=limits.MAX_COMMIT_PAYLOAD)]
    change: ChannelChange | None = None
    welcomes: Annotated[tuple[Welcome, ...], Meta(max_length=limits.MAX_ADDS_PER_COMMIT)] = ()
    group_info: Annotated[bytes, Meta(max_length=limits.MAX_GROUP_INFO)] | None = None
    """Of the new epoch; open rooms, commits and foundings only."""


class CreateChannel(Message, frozen=True, tag="create_channel"):
    """Makes a room, or returns the existing open room of that name or direct channel with that account."""

    id: UInt
    kind: ChannelKind
    name: Annotated[str, Meta(max_length=limits.MAX_ROOM_NAME)] = ""
    """For open rooms."""
    peer: bytes = b""
    """For direct channels: the other account key."""


class GetChannel(Message, frozen=True, tag="get_channel"):
    """A channel's delivery list and rights; for members, and for anyone where the room is open."""

    id: UInt
    channel: ChannelId


class GetGroupInfo(Message, frozen=True, tag="get_group_info"):
    """The newest GroupInfo of an open room, or the one at a given head."""

    id: UInt
    channel: ChannelId
    head: UInt = 0


class ListRooms(Message, frozen=True, tag="list_rooms"):
    """The open rooms of this relay."""

    id: UInt


class Ephemeral(Message, frozen=True, tag="ephemeral"):
    """Typing and the like: to the members who are connected, never stored, first to be dropped; not answered."""

    channel: ChannelId
    payload: Annotated[bytes, Meta(max_length=limits.MAX_EPHEMERAL_PAYLOAD)]


class Lookup(Message, frozen=True, tag="lookup"):
    """Who is behind these handles and account keys."""

    id: UInt
    handles: Annotated[tuple[Handle, ...], Meta(max_length=limits.CLAIM_BATCH)] = ()
    accounts: Annotated[tuple[AccountKey, ...], Meta(max_length=limits.CLAIM_BATCH)] = ()


class PublishKeyPackages(Message, frozen=True, tag="publish_key_packages"):
    """Stores this device's key packages for one cipher suite beside those stored already.

    `replace` first discards what is stored for the suite: after a new device certificate or restored state.
    """

    id: UInt
    suite: UInt
    packages: tuple[Annotated[bytes, Meta(max_length=limits.MAX_KEY_PACKAGE)], ...]
    last_resort: Annotated[bytes, Meta(max_length=limits.MAX_KEY_PACKAGE)] | None = None
    replace: bool = False


class ClaimKeyPackages(Message, frozen=True, tag="claim_key_packages"):
    """One key package of every device of these accounts; each is handed out once (the last resort excepted)."""

    id: UInt
    suite: UInt
    accounts: Annotated[tuple[AccountKey, ...], Meta(max_length=limits.CLAIM_BATCH)]


class RevokeDevices(Message, frozen=True, tag="revoke_devices"):
    """Publishes an account-signed minimum serial; older devices are logged out for good."""

    id: UInt
    revocation: Certificate


class DeleteAccount(Message, frozen=True, tag="delete_account"):
    """Removes the account, its devices, key packages and memberships; its handle stays reserved for its key."""

    id: UInt
    signature: Signature
    """By the account key, see `identity.login`."""


class CreateInvite(Message, frozen=True, tag="create_invite"):
    """A token with which others register."""

    id: UInt
    uses: Annotated[int, Meta(ge=1, le=1000)] = 1
    lifetime: Annotated[int, Meta(ge=60_000, le=90 * 86_400_000)] = 7 * 86_400_000


class RevokeInvite(Message, frozen=True, tag="revoke_invite"):
    """Ends one of this account's own invites."""

    id: UInt
    token: Token
