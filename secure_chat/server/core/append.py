"""Appending: the short way of application entries, and what all kinds share.

Order of the checks: rate, append id (a repeat gets the first result, whatever has changed since), rights, staleness or
head, quotas. Everything is checked before anything is written.
"""

from secure_chat.server.core.channel import Channel
from secure_chat.server.core.commits import append_change, append_request
from secure_chat.server.core.context import Connection, Context
from secure_chat.server.core.effects import Delivery, Reply
from secure_chat.server.core.entries import require_volume
from secure_chat.server.core.storage import AppendResult
from secure_chat.wire.errors import ErrorCode, RelayError
from secure_chat.wire.framing import encode_frame
from secure_chat.wire.messages import Append, Appended, ChannelKind, Entry, EntryKind

__all__ = ["append", "note_refusal"]

_APPLICATION = (EntryKind.APPLICATION, EntryKind.PROPOSAL)
_FOR_NOW = {ErrorCode.RATE_LIMITED, ErrorCode.QUOTA, ErrorCode.DISK_FULL, ErrorCode.BUSY}
"""Refusals after which a client sends the same message again."""
_PATIENCE_MS = 30_000
"""For how long after its time a refused message is waited for."""
_MOST_REFUSED = 1_000
"""Channels of one connection in which something waits to be repeated."""


def append(context: Context, connection: Connection, message: Append) -> None:
    """Answers with `Appended` or RelayError; the entry goes to every member."""
    store = connection.store
    counter = message.counter
    if counter <= store.last:
        first = _earlier(context, connection, message)
        if first is not None:
            context.send(connection, Appended(message.id, first.seq, first.head, first.time, True))
            return
    if connection.refused and message.kind in _APPLICATION:
        _require_order(context, connection, message)
    channel = context.channel(message.channel)
    if channel is None:
        raise RelayError(ErrorCode.NOT_FOUND, "no such channel")
    try:
        if message.kind in _APPLICATION:
            seq = _append_application(context, connection, channel, message)
        elif channel.record.kind is ChannelKind.INBOX:
            raise RelayError(ErrorCode.FORBIDDEN, "Welcomes go to inboxes with a commit")
        elif message.kind is EntryKind.REQUEST:
            seq = append_request(context, connection, channel, message)
        else:
            seq = append_change(context, connection, channel, message)
    except RelayError:
        if counter > store.last:  # its ciphertext was seen: a store that does not know of it was rolled back
            store.last = counter
            context.refused_counters[store.id] = store
        raise
    if counter > store.last:
        store.last = counter
    head = channel.heads[-1]
    result = AppendResult(counter, channel.number, seq, head, context.now)
    if not store.number:
        context.transaction.log.put_store(store, context.settings.stores_per_device)
    try:
        context.appended[store.number].append(result)
    except KeyError:
        context.appended[store.number] = [result]
    context.outputs.append(Reply(connection.id, encode_frame(Appended(message.id, seq, head, context.now))))


def note_refusal(context: Context, connection: Connection, message: Append, error: RelayError) -> None:
    """A message was refused for now: what its sender had written after it must not overtake it."""
    if message.kind not in _APPLICATION or error.code not in _FOR_NOW or message.channel in connection.refused:
        return
    if len(connection.refused) >= _MOST_REFUSED:
        connection.refused.clear()
    connection.refused[message.channel] = (message.counter, context.now + error.retry_after + _PATIENCE_MS)


def _require_order(context: Context, connection: Connection, message: Append) -> None:
    """RelayError while an earlier message of the same channel, refused for now, has not been repeated."""
    refused = connection.refused.get(message.channel)
    if refused is None:
        return
    counter, until = refused
    if message.counter > counter and context.now < until:
        wait = max(until - _PATIENCE_MS - context.now, 1)
        raise RelayError(ErrorCode.RATE_LIMITED, "an earlier message has to be repeated first", retry_after=wait)
    del connection.refused[message.channel]


def _append_application(context: Context, connection: Connection, channel: Channel, message: Append) -> int:
    device = connection.device
    payload = message.payload
    settings = context.settings
    now = context.now
    if device.id not in channel.members or channel.record.kind is ChannelKind.INBOX:
        raise RelayError(ErrorCode.FORBIDDEN, "only members may append to this channel")
    if message.head not in channel.heads or not channel.record.generation:
        raise RelayError(ErrorCode.STALE, "encrypted too many commits ago", head=channel.heads[-1])
    if len(payload) > settings.application_payload:
        raise RelayError(ErrorCode.TOO_LARGE, f"at most {settings.application_payload} bytes")
    if message.change is not None or message.welcomes or message.group_info is not None:
        raise RelayError(ErrorCode.MALFORMED, "only commits, foundings and changes of members change a channel")
    if context.has_space is not True:
        context.require_space()
    require_volume(context, channel, device.account, len(payload))
    channel.last = seq = channel.last + 1
    frame = encode_frame(
        Entry(
            channel.id, seq, message.kind, device.id, connection.store.id, message.counter, now, message.head, payload
        )
    )
    record = channel.record
    record.entries += 1
    record.bytes += len(frame)
    context.unsaved[channel.id] = channel
    if record.entries > settings.channel_entries or record.bytes > settings.channel_bytes:
        context.full[channel.id] = channel
    context.transaction.log.append(channel.number, seq, now, frame)
    context.outputs.append(Delivery(channel.id, frame, seq))
    return seq


def _earlier(context: Context, connection: Connection, message: Append) -> AppendResult | None:
    """What this append id led to; None if it was refused then."""
    store = connection.store
    counter = message.counter
    found = next((result for result in context.appended.get(store.number, ()) if result.counter == counter), None)
    if found is None:
        log = context.transaction.log
        found = log.find_append(store.number, counter)
        if found is None:
            stored = log.store(store.id)
            if counter == 0 or (stored is not None and counter <= stored.forgotten):
                raise RelayError(ErrorCode.STALE, "this append id is too old to know whether it was used")
            return None
    channel = context.channel(message.channel)
    if channel is None or channel.number != found.channel:
        raise RelayError(ErrorCode.FORBIDDEN, "this append id was used in another channel")
    return found
