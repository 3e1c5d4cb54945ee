"""Inboxes: one for each device, where Welcomes arrive.

A Welcome is stored once, however many devices it is for; the entries in their inboxes refer to it. Their frames are
put together from what comes before the payload, the payload, and what follows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from secure_chat.server.core.channel import Channel
from secure_chat.server.core.context import Connection, Context
from secure_chat.server.core.effects import Delivery
from secure_chat.server.core.entries import count_entry
from secure_chat.server.core.membership import Plan
from secure_chat.server.core.storage import DeviceRecord
from secure_chat.wire.errors import ErrorCode, RelayError
from secure_chat.wire.framing import HEADER_LENGTH, encode_frame
from secure_chat.wire.limits import MAX_ADDS_PER_COMMIT
from secure_chat.wire.messages import Append, Entry, EntryKind, Welcome

__all__ = ["deliver_welcomes", "plan_welcomes", "split_frame"]

_LIVE_BYTES = 4 * 1024 * 1024
"""Welcomes to connected devices that one append may put into memory; what is more is read from the log."""


@dataclass(frozen=True, slots=True)
class _Planned:
    payload: bytes
    inboxes: list[tuple[DeviceRecord, Channel]]


def plan_welcomes(
    context: Context, channel: Channel, sender: bytes, plan: Plan, welcomes: Sequence[Welcome]
) -> list[_Planned]:
    """Where Welcomes go; RelayError if a recipient is no member afterwards or its inbox is full."""
    settings = context.settings
    transaction = context.transaction
    added = {device.id: device for device in plan.added}
    seen: set[bytes] = set()
    planned: list[_Planned] = []
    for welcome in welcomes:
        inboxes: list[tuple[DeviceRecord, Channel]] = []
        for recipient in welcome.devices:
            if recipient in seen:
                raise RelayError(ErrorCode.MALFORMED, "two Welcomes for one device")
            seen.add(recipient)
            device = added.get(recipient)
            if device is None and recipient in channel.members and recipient not in plan.removed_devices:
                device = transaction.directory.device(recipient)
            if device is None:
                raise RelayError(ErrorCode.FORBIDDEN, f"a Welcome for {recipient.hex()}, which is no member")
            inbox = context.channel(device.inbox)
            assert inbox is not None, "every device has an inbox"
            usage = transaction.log.sender_usage(inbox.number, sender)
            if (
                inbox.record.entries >= settings.inbox_entries
                or usage.entries >= settings.inbox_entries_per_sender
                or usage.bytes + len(welcome.payload) > settings.inbox_bytes_per_sender
            ):
                raise RelayError(ErrorCode.QUOTA, f"the inbox of {recipient.hex()} is full")
            inboxes.append((device, inbox))
        if inboxes:
            planned.append(_Planned(welcome.payload, inboxes))
    if len(seen) > MAX_ADDS_PER_COMMIT:
        raise RelayError(ErrorCode.TOO_LARGE, f"at most {MAX_ADDS_PER_COMMIT} Welcomes with one commit")
    return planned


def deliver_welcomes(
    context: Context, connection: Connection, message: Append, channel: Channel, seq: int, planned: Sequence[_Planned]
) -> None:
    """Stores the Welcomes that belong to entry `seq` of the channel, and hands them to who is connected."""
    live = 0
    for welcome in planned:
        number = context.transaction.log.add_welcome(welcome.payload, len(welcome.inboxes))
        for device, inbox in welcome.inboxes:
            inbox.last = inbox_seq = inbox.last + 1
            start, end = split_frame(
                Entry(
                    inbox.id,
                    inbox_seq,
                    EntryKind.WELCOME,
                    connection.device.id,
                    connection.store.id,
                    message.counter,
                    context.now,
                    0,
                    welcome.payload,
                    origin=(channel.id, seq),
                )
            )
            size = len(start) + len(welcome.payload) + len(end)
            count_entry(context, inbox, size)
            context.transaction.log.append_welcome(
                inbox.number, inbox_seq, context.now, start, number, end, connection.device.account, size
            )
            receiver = context.devices.get(device.id)
            if receiver is None or inbox.id not in receiver.receiving:
                continue
            live += size
            frame = start + welcome.payload + end if live <= _LIVE_BYTES else b""
            context.outputs.append(Delivery(inbox.id, frame, inbox_seq))


def split_frame(entry: Entry) -> tuple[bytes, bytes]:
    """The frame of an entry without its payload: what comes before, and what after."""
    empty = encode_frame(msgspec.structs.replace(entry, payload=b""))[HEADER_LENGTH:]
    # An empty payload is the two bytes c4 00. What follows it is encoded alone to know where it starts.
    end = msgspec.msgpack.encode((entry.added, entry.removed, entry.admins, entry.origin))[1:]
    start = empty[: len(empty) - len(end) - 2]
    length = len(entry.payload)
    if length < 1 << 8:
        header = b"\xc4" + length.to_bytes(1, "big")
    elif length < 1 << 16:
        header = b"\xc5" + length.to_bytes(2, "big")
    else:
        header = b"\xc6" + length.to_bytes(4, "big")
    body = len(start) + len(header) + length + len(end)
    return body.to_bytes(HEADER_LENGTH, "big") + start + header, end
