"""Subscriptions, cursors, and when entries are deleted.

An entry goes once every member device, and every removed one that may still read it, has acknowledged it; or when its
time is over; or when its channel is full. Cursors are stored before what they allow to delete is deleted.
"""

from itertools import islice

from secure_chat.server.core.channel import Channel
from secure_chat.server.core.context import Connection, Context
from secure_chat.server.core.effects import StartDelivery, StopDelivery
from secure_chat.server.core.storage import MemberRecord, Usage
from secure_chat.wire.framing import encode_frame
from secure_chat.wire.messages import Ack, ChannelClosed, ChannelKind, Ok, Subscribe

__all__ = [
    "acknowledge",
    "drop_oldest",
    "evict_idle",
    "expire",
    "flush",
    "flush_appends",
    "remove_channel",
    "subscribe",
]

_EXPIRED_AT_ONCE = 2_000
"""Entries, and batches of append ids, that one tick lets expire: a few milliseconds of work."""
_SAVED_AT_ONCE = 512
"""Channels that one flush saves: some ten milliseconds of work; only with thousands that are busy do others wait."""
_FLUSHES_PER_ROUND = 20
_SAVED_AT_LEAST = 8
"""One flush takes a twentieth of the channels that wait, and at least a few: every one has its turn within a second,
and no batch waits long behind it."""
_DELETED_AT_ONCE = Usage(1_000, 4 * 1024 * 1024)
"""Entries and bytes that one flush deletes: one or two milliseconds of work; the rest waits for the next."""


def subscribe(context: Context, connection: Connection, message: Subscribe) -> None:
    """Starts delivery; where this device is no member, `ChannelClosed` after the last entry that it may read."""
    context.send(connection, Ok(message.id))
    for channel_id, after in message.positions:
        if channel_id in connection.receiving:
            continue
        found = _readable(context, connection.device.id, channel_id)
        if found is None:
            context.send(connection, ChannelClosed(channel_id, 0))
            continue
        member, last = found
        readable = member.until or last
        context.outputs.append(StartDelivery(connection.id, channel_id, min(max(after, member.joined - 1), readable)))
        if not member.until:
            connection.receiving[channel_id] = None
        else:
            frame = encode_frame(ChannelClosed(channel_id, member.until))
            context.outputs.append(StopDelivery(connection.id, channel_id, member.until, frame))


def _readable(context: Context, device: bytes, channel_id: bytes) -> tuple[MemberRecord, int] | None:
    """The membership, removed or not, and the channel's newest entry; a channel is not taken into memory for this."""
    channel = context.cached(channel_id)
    if channel is not None:
        member = channel.members.get(device) or channel.leaving.get(device)
        return (member, channel.last) if member is not None else None
    found = context.transaction.channels.membership(channel_id, device)
    return (found[1], context.transaction.log.last(found[0])) if found is not None else None


def acknowledge(context: Context, connection: Connection, message: Ack) -> None:
    """Moves cursors forward; what names no channel of this device is ignored."""
    device = connection.device.id
    for channel_id, seq in message.positions:
        channel = context.channel(channel_id)
        if channel is None:
            continue
        member = channel.members.get(device) or channel.leaving.get(device)
        if member is not None and seq > member.cursor:
            member.cursor = min(seq, channel.last)
            channel.acknowledged[device] = member
            context.unsaved[channel_id] = channel


def flush(context: Context) -> None:
    """Stores cursors and usage, deletes what all have acknowledged, and closed rooms that nobody is left in.

    A part of the channels, those first that wait longest.
    """
    entries, size = _DELETED_AT_ONCE
    most = min(max(len(context.unsaved) // _FLUSHES_PER_ROUND, _SAVED_AT_LEAST), _SAVED_AT_ONCE)
    for channel in list(islice(context.unsaved.values(), most)):
        del context.unsaved[channel.id]
        deleted = _settle(context, channel, Usage(entries, size))
        entries -= deleted.entries
        size -= deleted.bytes


def flush_appends(context: Context) -> None:
    """Stores the append ids of this batch, and the counters of refused appends."""
    log = context.transaction.log
    if context.appended:
        log.record_appends(context.appended)
    for record in context.refused_counters.values():
        log.put_store(record, context.settings.stores_per_device)
    context.appended.clear()
    context.refused_counters.clear()


def drop_oldest(context: Context) -> None:
    """Makes room in the channels that this batch has filled: laggards see a gap."""
    settings = context.settings
    for channel in list(context.full.values()):
        record = channel.record
        entries = record.entries - settings.channel_entries
        size = record.bytes - settings.channel_bytes
        if entries > 0 or size > 0:
            seq = context.transaction.log.oldest_worth(channel.number, entries, size)
            _delete_through(context, channel, min(seq, channel.last - 1))
            context.unsaved[channel.id] = channel
    context.full.clear()


def expire(context: Context) -> bool:
    """Deletes entries and forgets append ids whose time is over; whether that was all."""
    transaction = context.transaction
    before = context.now - context.settings.retention
    expired = transaction.log.expired(before, _EXPIRED_AT_ONCE)
    for number, seq in expired:
        record = transaction.channels.by_number(number)
        channel = context.channel(record.id) if record else None
        if channel is not None:
            _delete_through(context, channel, seq)
            context.unsaved[channel.id] = channel
    forgotten = transaction.log.forget_appends(before, _EXPIRED_AT_ONCE)
    transaction.directory.forget_invites(before)
    return not expired and not forgotten


def evict_idle(context: Context) -> None:
    """Keeps memory bounded: settles and forgets the channels that were needed least recently."""
    for channel in context.idle_channels():
        context.unsaved.pop(channel.id, None)
        _settle(context, channel, _DELETED_AT_ONCE)
        if channel.id not in context.unsaved:
            context.forget(channel)


def remove_channel(context: Context, channel: Channel) -> None:
    """Removes a channel with everything in it."""
    context.transaction.log.delete_through(channel.number, channel.last)
    context.transaction.channels.remove_channel(channel.number)
    context.forget(channel)


def _settle(context: Context, channel: Channel, most: Usage) -> Usage:
    """Makes the stored channel as the one in memory; what there is still to delete waits among the unsaved."""
    channels = context.transaction.channels
    if channel.acknowledged:
        channels.put_cursors(
            [(member.cursor, channel.number, member.number) for member in channel.acknowledged.values()]
        )
        channel.acknowledged.clear()
    _release(context, channel)
    record = channel.record
    target = _acknowledged_by_all(channel)
    deleted = Usage(0, 0)
    if target > record.floor:
        if most.entries <= 0 or most.bytes <= 0:
            context.unsaved[channel.id] = channel
        elif record.entries > most.entries or record.bytes > most.bytes:
            reachable = context.transaction.log.oldest_within(channel.number, most.entries, most.bytes)
            deleted = _delete_through(context, channel, min(target, reachable))
            if reachable < target:
                context.unsaved[channel.id] = channel
        else:
            deleted = _delete_through(context, channel, target)
    if channel.kind is ChannelKind.ROOM and not (channel.members or channel.leaving or record.entries):
        remove_channel(context, channel)
    elif not deleted.entries:
        context.save(channel)
    return deleted


def _acknowledged_by_all(channel: Channel) -> int:
    cursors = [member.cursor for member in channel.members.values()]
    cursors += [min(member.cursor, member.until) for member in channel.leaving.values()]
    return min(cursors, default=channel.last)


def _delete_through(context: Context, channel: Channel, seq: int) -> Usage:
    record = channel.record
    deleted = context.transaction.log.delete_through(channel.number, seq)
    record.floor = max(record.floor, seq)
    record.entries -= deleted.entries
    record.bytes -= deleted.bytes
    _release(context, channel)
    context.save(channel)
    return deleted


def _release(context: Context, channel: Channel) -> None:
    """Forgets removed devices that have read, or can no longer read, up to their removal."""
    for device, member in list(channel.leaving.items()):
        if max(member.cursor, channel.record.floor) >= member.until:
            del channel.leaving[device]
            channel.acknowledged.pop(device, None)
            context.transaction.channels.remove_member(channel.number, member.number)
