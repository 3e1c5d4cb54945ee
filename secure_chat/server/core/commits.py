"""Entries that change a channel: commits, foundings, changes of members; and requests to be added.

A commit or founding is accepted only if it names the channel's head (compare-and-swap). With it go, atomically, the
change of members and rights, the Welcomes, and in open rooms the GroupInfo. The relay doesn't parse MLS: what it
checks here is who may steer delivery.
"""

from secure_chat.server.core import inbox, membership
from secure_chat.server.core.channel import Channel
from secure_chat.server.core.context import Connection, Context
from secure_chat.server.core.entries import require_volume, write_entry
from secure_chat.server.core.fairness import Contest
from secure_chat.server.core.storage import DeviceRecord
from secure_chat.wire import limits
from secure_chat.wire.errors import ErrorCode, RelayError
from secure_chat.wire.messages import Append, ChannelChange, ChannelKind, EntryKind

__all__ = ["append_change", "append_request"]

_NO_CHANGE = ChannelChange()
_COMMIT_UNIT = 256 * 1024
"""Bytes that count as one commit: every member gets them, and a flood of the largest would fill everybody's line."""


def append_request(context: Context, connection: Connection, channel: Channel, message: Append) -> int:
    """A plaintext request to be added; the sequence number."""
    account = connection.device.account
    if message.change is not None or message.welcomes or message.group_info is not None:
        raise RelayError(ErrorCode.MALFORMED, "a request changes nothing")
    if len(message.payload) > limits.MAX_REQUEST_PAYLOAD:
        raise RelayError(ErrorCode.TOO_LARGE, f"at most {limits.MAX_REQUEST_PAYLOAD} bytes")
    if account in channel.record.banned:
        raise RelayError(ErrorCode.FORBIDDEN, "this account is banned from the room")
    if not channel.may_see(account) and not context.transaction.channels.is_former(channel.number, account):
        raise RelayError(ErrorCode.NOT_FOUND, "no such channel")
    context.require_space()
    context.limits.join_requests.require(connection.device.id, context.now, "requests to be added")
    require_volume(context, channel, account, len(message.payload))
    return write_entry(context, channel, message.kind, message.payload, connection=connection, message=message)


def append_change(context: Context, connection: Connection, channel: Channel, message: Append) -> int:
    """A commit, founding or change of members; the sequence number."""
    if message.kind is EntryKind.WELCOME:
        raise RelayError(ErrorCode.MALFORMED, "a Welcome goes with the commit that it belongs to")
    device = connection.device
    change = message.change or _NO_CHANGE
    ordered = message.kind is not EntryKind.MEMBERS
    first = 0
    _require_size(message)
    if message.kind is EntryKind.FOUNDING:
        _require_founder(channel, device, change)
    elif device.id not in channel.members:
        _require_external_join(channel, device, message, change)
        # Who has left since, and is still in the group that is entered, may have told it nobody else.
        first = channel.head + 1
    if ordered:
        _require_head(context, channel, device, message)
    elif message.welcomes or message.group_info is not None:
        raise RelayError(ErrorCode.MALFORMED, "only commits and foundings carry Welcomes and GroupInfos")
    if message.group_info is not None and channel.kind is not ChannelKind.OPEN:
        raise RelayError(ErrorCode.FORBIDDEN, "only open rooms have a GroupInfo that strangers may fetch")
    plan = membership.plan_change(context, channel, device.account, change)
    welcomes = inbox.plan_welcomes(context, channel, device.account, plan, message.welcomes)
    context.require_space()
    cost = max(1.0, len(message.payload) / _COMMIT_UNIT)
    context.limits.commits.require((device.id, channel.number), context.now, "commits", cost)
    beside = len(message.group_info or b"") + sum(len(w.payload) for w in message.welcomes)
    require_volume(context, channel, device.account, len(message.payload), beside)

    record = channel.record
    replaced = channel.head
    if ordered:
        channel.move_head(channel.last + 1, founding=message.kind is EntryKind.FOUNDING)
        if channel.contest is not None:
            channel.contest.won(device.id, context.now)
    if message.kind is EntryKind.FOUNDING and not channel.is_admin(device.account):
        plan.admins = plan.admins or (device.account,)
    seq = write_entry(
        context,
        channel,
        message.kind,
        message.payload,
        connection=connection,
        message=message,
        head=replaced,
        plan=plan,
    )
    membership.apply_change(context, channel, seq, plan, first)
    if message.group_info is not None:
        context.transaction.channels.put_group_info(
            channel.number, seq, record.generation, message.group_info, limits.GROUP_INFOS_KEPT
        )
    context.save(channel)
    inbox.deliver_welcomes(context, connection, message, channel, seq, welcomes)
    return seq


def _require_size(message: Append) -> None:
    limit = limits.MAX_APPLICATION_PAYLOAD if message.kind is EntryKind.MEMBERS else limits.MAX_COMMIT_PAYLOAD
    if len(message.payload) > limit:
        raise RelayError(ErrorCode.TOO_LARGE, f"at most {limit} bytes")


def _require_founder(channel: Channel, device: DeviceRecord, change: ChannelChange) -> None:
    """An admin, or either side of a direct channel; an open room that has no group or nobody left is anyone's."""
    account = device.account
    deserted = channel.kind is ChannelKind.OPEN and (not channel.record.generation or not channel.members)
    if account in channel.record.banned or not (channel.is_admin(account) or deserted):
        code = ErrorCode.FORBIDDEN if channel.may_see(account) else ErrorCode.NOT_FOUND
        raise RelayError(code, "only an admin may found the group anew")
    if device.id not in channel.members and not any(added.device == device.id for added in change.add):
        raise RelayError(ErrorCode.FORBIDDEN, "a founder who is no member adds the own device")


def _require_external_join(channel: Channel, device: DeviceRecord, message: Append, change: ChannelChange) -> None:
    """Who is no member may enter an open room by an external commit (RFC 9420 §12.4.3.2) that adds the own device."""
    account = device.account
    if channel.kind is not ChannelKind.OPEN or message.kind is not EntryKind.COMMIT:
        code = ErrorCode.FORBIDDEN if channel.may_see(account) else ErrorCode.NOT_FOUND
        raise RelayError(code, "only members may change this channel")
    if account in channel.record.banned:
        raise RelayError(ErrorCode.FORBIDDEN, "this account is banned from the room")
    if [added.device for added in change.add] != [device.id]:
        raise RelayError(ErrorCode.FORBIDDEN, "an external commit adds the own device and no other")


def _require_head(context: Context, channel: Channel, device: DeviceRecord, message: Append) -> None:
    if message.kind is EntryKind.COMMIT and not channel.record.generation:
        raise RelayError(ErrorCode.FORBIDDEN, "this channel has no group yet", head=channel.head)
    if message.head != channel.head:
        if channel.contest is None:
            channel.contest = Contest()
        channel.contest.lost(device.id, context.now, precedence=_has_precedence(channel, device))
        raise RelayError(ErrorCode.CONFLICT, "another commit came first", head=channel.head)
    if channel.contest is not None:
        precedence = _has_precedence(channel, device)
        channel.contest.require_turn(device.id, context.now, channel.head, precedence=precedence)


def _has_precedence(channel: Channel, device: DeviceRecord) -> bool:
    """The admins that a room names; in a direct channel nobody comes before the other."""
    return channel.kind is not ChannelKind.DIRECT and device.account in channel.record.admins
