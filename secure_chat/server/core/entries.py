"""Writing an entry that is no plain application entry: those have their own short way in `append`."""

from secure_chat.server.core.channel import Channel
from secure_chat.server.core.context import Connection, Context
from secure_chat.server.core.effects import Delivery
from secure_chat.server.core.membership import Plan
from secure_chat.wire.errors import ErrorCode, RelayError
from secure_chat.wire.framing import encode_frame
from secure_chat.wire.limits import DEVICE_ID_LENGTH, STORE_ID_LENGTH
from secure_chat.wire.messages import Append, Entry, EntryKind

__all__ = ["count_entry", "require_volume", "write_entry"]

_RELAY = bytes(DEVICE_ID_LENGTH)
_NO_STORE = bytes(STORE_ID_LENGTH)
_AUDIENCE = 16
"""Member devices from which on a larger room counts for more: what one sends there is delivered to all of them."""


def write_entry(
    context: Context,
    channel: Channel,
    kind: EntryKind,
    payload: bytes,
    *,
    connection: Connection | None = None,
    message: Append | None = None,
    head: int | None = None,
    plan: Plan | None = None,
) -> int:
    """Stores and delivers an entry; without a connection it is the relay's own. Returns its sequence number."""
    channel.last = seq = channel.last + 1
    entry = Entry(
        channel.id,
        seq,
        kind,
        connection.device.id if connection else _RELAY,
        connection.store.id if connection else _NO_STORE,
        message.counter if message else 0,
        context.now,
        channel.head if head is None else head,
        payload,
        plan.added_devices if plan else (),
        plan.removed_devices if plan else (),
        plan.admins if plan else None,
    )
    frame = encode_frame(entry)
    count_entry(context, channel, len(frame))
    context.transaction.log.append(channel.number, seq, context.now, frame)
    context.outputs.append(Delivery(channel.id, frame, seq))
    return seq


def count_entry(context: Context, channel: Channel, size: int) -> None:
    """Keeps the channel's usage; what is over its limit loses its oldest entries at the end of the batch."""
    record = channel.record
    record.entries += 1
    record.bytes += size
    context.unsaved[channel.id] = channel
    settings = context.settings
    if record.entries > settings.channel_entries or record.bytes > settings.channel_bytes:
        context.full[channel.id] = channel


def require_volume(context: Context, channel: Channel, account: bytes, payload: int, beside: int = 0) -> None:
    """Counts bytes for the account's quota; RelayError if it has sent too much.

    The payload goes to every member, `beside` (Welcomes, GroupInfo) does not.
    """
    cost = payload * max(1.0, len(channel.members) / _AUDIENCE) + beside
    wait = context.limits.account_bytes.take(account, context.now, cost)
    if wait:
        raise RelayError(ErrorCode.QUOTA, "this account has sent too much", retry_after=wait)
