"""Making channels and asking about them."""

from secure_chat.server.core.channel import Channel
from secure_chat.server.core.context import Connection, Context
from secure_chat.server.core.storage import ChannelRecord, MemberRecord
from secure_chat.wire.errors import ErrorCode, RelayError
from secure_chat.wire.limits import ACCOUNT_KEY_LENGTH, CHANNEL_ID_LENGTH
from secure_chat.wire.messages import (
    ChannelInfo,
    ChannelKind,
    CreateChannel,
    GetChannel,
    GetGroupInfo,
    GroupInfoResult,
    ListRooms,
    OpenRoom,
    OpenRooms,
)

__all__ = ["create_channel", "get_channel", "get_group_info", "list_rooms"]

LOBBY = "lobby"
"""The open room that clients enter on their first connection; anyone who comes first may make it."""


def create_channel(context: Context, connection: Connection, message: CreateChannel) -> ChannelInfo:
    """A new channel with this device as its only member, or the existing open room or direct channel."""
    account = connection.device.account
    channels = context.transaction.channels
    existing: ChannelRecord | None = None
    record = ChannelRecord(b"", message.kind, creator=account, created=context.now)
    if message.kind is ChannelKind.DIRECT:
        record.peers = _peers(context, account, message)
        record.creator = b""
        existing = channels.direct(record.peers)
    elif message.kind is ChannelKind.OPEN:
        record.name = _open_name(message)
        record.admins = (account,)
        existing = channels.open_room(record.name)
    elif message.kind is ChannelKind.ROOM:
        if message.name or message.peer:
            raise RelayError(ErrorCode.MALFORMED, "the name of a closed room is not for the relay")
        record.admins = (account,)
    else:
        raise RelayError(ErrorCode.FORBIDDEN, "inboxes come with devices")
    if existing is not None:
        return _info(context, message.id, connection, _loaded(context, existing.id))

    _require_quota(context, connection, record)
    record.id = context.random_bytes(CHANNEL_ID_LENGTH)
    channels.put_channel(record)
    member = MemberRecord(connection.device.id, account, connection.device.number, joined=1, cursor=0)
    channels.put_member(record.number, member)
    channel = context.keep(Channel(record, [member], 0, context.now))
    return _info(context, message.id, connection, channel, created=True)


def get_channel(context: Context, connection: Connection, message: GetChannel) -> ChannelInfo:
    """Delivery list and rights, for members' accounts, and for anyone where the room is open."""
    channel = context.channel(message.channel)
    if channel is None or channel.kind is ChannelKind.INBOX or not channel.may_see(connection.device.account):
        raise RelayError(ErrorCode.NOT_FOUND, "no such channel")
    return _info(context, message.id, connection, channel)


def get_group_info(context: Context, connection: Connection, message: GetGroupInfo) -> GroupInfoResult:
    """The GroupInfo of an open room, for anyone who is not banned."""
    channel = context.channel(message.channel)
    if channel is None or channel.kind is not ChannelKind.OPEN:
        raise RelayError(ErrorCode.NOT_FOUND, "no such open room")
    if connection.device.account in channel.record.banned:
        raise RelayError(ErrorCode.FORBIDDEN, "this account is banned from the room")
    found = context.transaction.channels.group_info(channel.number, message.head)
    if found is None:
        raise RelayError(ErrorCode.NOT_FOUND, "no GroupInfo is stored for this head", head=channel.head)
    head, generation, payload = found
    return GroupInfoResult(message.id, channel.id, generation, head, payload)


def list_rooms(context: Context, connection: Connection, message: ListRooms) -> OpenRooms:
    """Every open room."""
    rooms = context.transaction.channels.open_rooms()
    return OpenRooms(message.id, tuple(OpenRoom(record.id, record.name, devices) for record, devices in rooms))


def _peers(context: Context, account: bytes, message: CreateChannel) -> tuple[bytes, ...]:
    if message.name or len(message.peer) != ACCOUNT_KEY_LENGTH:
        raise RelayError(ErrorCode.MALFORMED, "a direct channel has a peer and no name")
    peer = context.transaction.directory.account(message.peer)
    if peer is None or peer.deleted:
        raise RelayError(ErrorCode.NOT_FOUND, "no such account")
    return tuple(sorted((account, message.peer)))


def _open_name(message: CreateChannel) -> str:
    name = message.name
    if message.peer:
        raise RelayError(ErrorCode.MALFORMED, "an open room has no peer")
    if not name or not name.isprintable() or name != name.strip():
        raise RelayError(ErrorCode.FORBIDDEN, "a room's name is printable and has no space around it")
    return name


def _require_quota(context: Context, connection: Connection, record: ChannelRecord) -> None:
    settings = context.settings
    channels = context.transaction.channels
    account = connection.device.account
    context.require_space()
    if record.kind is ChannelKind.OPEN:
        if not settings.members_may_open_rooms and not (settings.lobby and record.name == LOBBY):
            raise RelayError(ErrorCode.FORBIDDEN, "this relay's operator makes the open rooms")
        if len(channels.open_rooms()) >= settings.open_rooms:
            raise RelayError(ErrorCode.QUOTA, f"this relay has at most {settings.open_rooms} open rooms")
    if record.kind is not ChannelKind.DIRECT and channels.rooms_of(account) >= settings.rooms_per_account:
        raise RelayError(ErrorCode.QUOTA, f"an account makes at most {settings.rooms_per_account} rooms")
    if channels.count_memberships(connection.device.id) > settings.channels_per_device:
        raise RelayError(ErrorCode.QUOTA, f"a device is in at most {settings.channels_per_device} channels")
    context.limits.creations.require(account, context.now, "new channels")


def _loaded(context: Context, channel_id: bytes) -> Channel:
    channel = context.channel(channel_id)
    assert channel is not None, "its record was just read"
    return channel


def _info(
    context: Context, request: int, connection: Connection, channel: Channel, *, created: bool = False
) -> ChannelInfo:
    record, device = channel.record, connection.device
    return ChannelInfo(
        request,
        channel.summary(device.account, channel.members.get(device.id)),
        channel.devices(),
        record.admins or record.peers,
        record.members_may_add,
        created,
        _is_attended(context, channel, device.id),
    )


def _is_attended(context: Context, channel: Channel, device: bytes) -> bool:
    """Another device of it is connected; True also where the operator doesn't tell who is online."""
    if not context.settings.presence:
        return True
    others = (context.devices.get(member) for member in channel.members if member != device)
    return any(connection is not None and connection.visible for connection in others)
