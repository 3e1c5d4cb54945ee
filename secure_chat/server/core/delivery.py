"""Subscriptions, cursors, and when entries are deleted.

An entry goes once every member device, and every removed one that may still read it, has acknowledged it; or when its
time is over; or when its channel is full. Cursors are stored before what they allow to delete is deleted.
"""

from secure_chat.server.core.channel import Channel
from secure_chat.server.core.context import Connection, Context
from secure_chat.server.core.effects import StopDelivery
from secure_chat.server.core.membership import start_delivery
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


def subscribe(context: Context, connection: Connection, message: Subscribe) -> None:
    """Starts delivery; where this device is no member, `ChannelClosed` after the last entry that it may read."""
    context.send(connection, Ok(message.id))
    device = connection.device.id
    for channel_id, after in message.positions:
        channel = context.channel(channel_id)
        member = None if channel is None else channel.members.get(device)
        if channel is not None and member is not None:
            start_delivery(context, connection, channel, min(max(after, member.joined - 1), channel.last))
            continue
        leaving = None if channel is None else channel.leaving.get(device)
        if channel is None or leaving is None:
            context.send(connection, ChannelClosed(channel_id, 0))
            continue
        start_delivery(context, connection, channel, min(max(after, leaving.joined - 1), leaving.until))
        if channel_id in connection.receiving:
            del connection.receiving[channel_id]
            frame = encode_frame(ChannelClosed(channel_id, leaving.until))
            context.outputs.append(StopDelivery(connection.id, channel_id, leaving.until, frame))


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
    """Stores cursors and usage, deletes what all have acknowledged, and closed rooms that nobody is left in."""
    for channel in list(context.unsaved.values()):
        _save_cursors(context, channel)
        acknowledged = _acknowledged_by_all(channel)
        if acknowledged > channel.record.floor:
            _delete_through(context, channel, acknowledged)
        _release(context, channel)
        if channel.kind is ChannelKind.ROOM and not channel.members and not channel.leaving:
            remove_channel(context, channel)
        else:
            context.save(channel)
    context.unsaved.clear()


def flush_appends(context: Context) -> None:
    """Stores the append ids of this batch, and the counters of refused appends."""
    log = context.transaction.log
    for store, results in context.appended.items():
        log.record_appends(store, results)
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
    context.full.clear()


def expire(context: Context) -> None:
    """Deletes entries and forgets append ids whose time is over."""
    transaction = context.transaction
    before = context.now - context.settings.retention
    for number, seq in transaction.log.expired(before, _EXPIRED_AT_ONCE):
        record = transaction.channels.by_number(number)
        channel = context.channel(record.id) if record else None
        if channel is not None:
            _delete_through(context, channel, seq)
    transaction.log.forget_appends(before, _EXPIRED_AT_ONCE)
    transaction.directory.forget_invites(before)


def evict_idle(context: Context) -> None:
    """Keeps memory bounded: saves and forgets the channels that were needed least recently."""
    for channel in context.idle_channels():
        _save_cursors(context, channel)
        context.save(channel)
        context.forget(channel)


def remove_channel(context: Context, channel: Channel) -> None:
    """Removes a channel with everything in it."""
    context.transaction.log.delete_through(channel.number, channel.last)
    context.transaction.channels.remove_channel(channel.number)
    context.forget(channel)


def _save_cursors(context: Context, channel: Channel) -> None:
    if channel.acknowledged:
        context.transaction.channels.put_cursors(
            [(member.cursor, channel.number, member.number) for member in channel.acknowledged.values()]
        )
        channel.acknowledged.clear()


def _acknowledged_by_all(channel: Channel) -> int:
    cursors = [member.cursor for member in channel.members.values()]
    cursors += [min(member.cursor, member.until) for member in channel.leaving.values()]
    return min(cursors, default=channel.last)


def _delete_through(context: Context, channel: Channel, seq: int) -> None:
    record = channel.record
    if seq > record.floor:
        deleted = context.transaction.log.delete_through(channel.number, seq)
        record.floor = seq
        record.entries -= deleted.entries
        record.bytes -= deleted.bytes
        context.save(channel)
        context.unsaved[channel.id] = channel


def _release(context: Context, channel: Channel) -> None:
    """Forgets removed devices that have read, or can no longer read, up to their removal."""
    for device, member in list(channel.leaving.items()):
        if max(member.cursor, channel.record.floor) >= member.until:
            del channel.leaving[device]
            context.transaction.channels.remove_member(channel.number, member.number)
