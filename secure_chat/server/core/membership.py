"""A channel's delivery list and rights: who may change what, and what follows for those concerned.

The list only steers delivery, trust comes from the MLS tree; so changes that are already true (adding a member,
removing a stranger) are no errors, and the entry names only what really changed.
"""

from dataclasses import dataclass

from secure_chat.server.core.channel import Channel
from secure_chat.server.core.context import Connection, Context
from secure_chat.server.core.effects import StartDelivery, StopDelivery
from secure_chat.server.core.storage import DeviceRecord, MemberRecord
from secure_chat.wire.errors import ErrorCode, RelayError
from secure_chat.wire.framing import encode_frame
from secure_chat.wire.messages import ChannelAdded, ChannelChange, ChannelClosed, ChannelKind, MemberDevice

__all__ = ["Plan", "apply_change", "plan_change", "remove_member", "start_delivery"]

_MAX_ADMINS = 64
"""Admin accounts of one channel; each entry that changes them carries the list."""
_MAX_BANNED = 1_000
"""Banned accounts of one room; kept in memory with the channel."""


@dataclass(slots=True)
class Plan:
    """A change that was checked and is not applied yet."""

    added: list[DeviceRecord]
    removed: list[MemberRecord]
    admins: tuple[bytes, ...] | None
    members_may_add: bool | None
    banned: tuple[bytes, ...] | None

    @property
    def added_devices(self) -> tuple[MemberDevice, ...]:
        """As the entry names them."""
        return tuple(MemberDevice(device.id, device.account) for device in self.added)

    @property
    def removed_devices(self) -> tuple[bytes, ...]:
        """As the entry names them."""
        return tuple(member.device for member in self.removed)


def plan_change(context: Context, channel: Channel, account: bytes, change: ChannelChange) -> Plan:
    """What a change really does; RelayError if this account may not do it."""
    admin = channel.is_admin(account)
    removed = [channel.members[device] for device in dict.fromkeys(change.remove) if device in channel.members]
    if not admin and any(member.account != account for member in removed):
        raise RelayError(ErrorCode.FORBIDDEN, "only an admin may remove others")
    if not admin and (change.admins, change.members_may_add, change.banned) != (None, None, None):
        raise RelayError(ErrorCode.FORBIDDEN, "only an admin may change rights")
    _require_rights_exist(channel, change)
    gone = {member.device for member in removed}
    added: list[DeviceRecord] = []
    for member in {member.device: member for member in change.add}.values():
        if member.device in gone:
            raise RelayError(ErrorCode.MALFORMED, "a device is both added and removed")
        if member.device not in channel.members:
            added.append(_addable(context, channel, account, member))
    _limit_additions(context, account, added)
    if len(channel.members) - len(removed) + len(added) > context.settings.channel_members:
        raise RelayError(ErrorCode.QUOTA, f"a channel has at most {context.settings.channel_members} devices")
    admins = tuple(dict.fromkeys(change.admins)) if change.admins is not None else None
    banned = tuple(dict.fromkeys(change.banned)) if change.banned is not None else None
    return Plan(added, removed, admins, change.members_may_add, banned)


def apply_change(context: Context, channel: Channel, seq: int, plan: Plan, first: int = 0) -> None:
    """Makes entry `seq`'s change true; the caller stores the record.

    Who is added gets what follows, from `first` on if that is given.
    """
    first = first or seq
    record = channel.record
    if plan.admins is not None:
        record.admins = plan.admins
    if plan.members_may_add is not None:
        record.members_may_add = plan.members_may_add
    if plan.banned is not None:
        record.banned = plan.banned
    for member in plan.removed:
        remove_member(context, channel, member, seq)
    for device in plan.added:
        member = MemberRecord(device.id, device.account, device.number, joined=first, cursor=first - 1)
        channel.leaving.pop(device.id, None)
        channel.members[device.id] = member
        context.count_member(1)
        context.transaction.channels.put_member(channel.number, member)
        connection = context.devices.get(device.id)
        if connection is not None:
            context.presence_joined[device.id, channel.id] = None
            context.send(connection, ChannelAdded(channel.summary(device.account, member)))
            start_delivery(context, connection, channel, first - 1)


def remove_member(context: Context, channel: Channel, member: MemberRecord, seq: int) -> None:
    """The device was removed by entry `seq`; it may read up to and including that one."""
    del channel.members[member.device]
    channel.acknowledged.pop(member.device, None)
    context.count_member(-1)
    member.until = seq
    channel.leaving[member.device] = member
    channels = context.transaction.channels
    channels.put_member(channel.number, member)
    if channel.kind is not ChannelKind.OPEN:
        channels.put_former(channel.number, member.account)
    connection = context.devices.get(member.device)
    if connection is not None and channel.id in connection.receiving:
        del connection.receiving[channel.id]
        frame = encode_frame(ChannelClosed(channel.id, seq))
        context.outputs.append(StopDelivery(connection.id, channel.id, seq, frame))


def start_delivery(context: Context, connection: Connection, channel: Channel, after: int) -> None:
    """From now on the connection receives the channel, unless it does already."""
    if channel.id not in connection.receiving:
        connection.receiving[channel.id] = None
        context.outputs.append(StartDelivery(connection.id, channel.id, after))


def _require_rights_exist(channel: Channel, change: ChannelChange) -> None:
    if channel.kind is ChannelKind.DIRECT and (change.admins is not None or change.members_may_add is not None):
        raise RelayError(ErrorCode.FORBIDDEN, "a direct channel has no admins")
    if change.banned is not None and channel.kind is not ChannelKind.OPEN:
        raise RelayError(ErrorCode.FORBIDDEN, "only open rooms ban accounts")
    if change.admins is not None and not 1 <= len(change.admins) <= _MAX_ADMINS:
        raise RelayError(ErrorCode.FORBIDDEN, f"a room has 1 to {_MAX_ADMINS} admins")
    if change.banned is not None and len(change.banned) > _MAX_BANNED:
        raise RelayError(ErrorCode.QUOTA, f"a room bans at most {_MAX_BANNED} accounts")


def _limit_additions(context: Context, account: bytes, added: list[DeviceRecord]) -> None:
    """Nobody fills others' lists of channels."""
    additions = context.limits.additions_per_pair
    others = [(account, device.id) for device in added if device.account != account]
    wait = max((additions.wait(pair, context.now) for pair in others), default=0)
    if wait:
        raise RelayError(ErrorCode.RATE_LIMITED, "one of these was added to too many channels", retry_after=wait)
    for pair in others:
        additions.take(pair, context.now)


def _addable(context: Context, channel: Channel, account: bytes, member: MemberDevice) -> DeviceRecord:
    """The device to add; RelayError if there is none or this account may not add it."""
    if not channel.may_add(account, member.account) and member.account != account:
        raise RelayError(ErrorCode.FORBIDDEN, "this account may not be added here, or not by you")
    if member.account in channel.record.banned:
        raise RelayError(ErrorCode.FORBIDDEN, "this account is banned from the room")
    transaction = context.transaction
    device = transaction.directory.device(member.device)
    if device is None or device.account != member.account:
        raise RelayError(ErrorCode.NOT_FOUND, f"no device {member.device.hex()} of that account")
    if transaction.channels.count_memberships(device.id) > context.settings.channels_per_device:
        raise RelayError(ErrorCode.QUOTA, f"device {member.device.hex()} is in too many channels")
    return device
