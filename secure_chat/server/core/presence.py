"""Who is online, told once a tick to accounts that share a channel; and ephemeral entries, which are never stored."""

from secure_chat.server.core.context import Connection, Context
from secure_chat.server.core.effects import Delivery, Reply
from secure_chat.wire.framing import encode_frame
from secure_chat.wire.messages import Ephemeral, EphemeralEntry, Presence

__all__ = ["announce", "pass_on"]


def pass_on(context: Context, connection: Connection, message: Ephemeral) -> None:
    """To the members who are connected; not answered, so what may not pass is dropped."""
    device = connection.device
    channel = context.channel(message.channel)
    if channel is None or device.id not in channel.members:
        return
    if context.limits.ephemeral.take(device.id, context.now) == 0:
        frame = encode_frame(EphemeralEntry(channel.id, device.id, message.payload))
        context.outputs.append(Delivery(channel.id, frame, 0, connection.id))


def announce(context: Context) -> None:
    """Tells who has come and gone since the last tick; somebody who came and went meanwhile is not mentioned."""
    changed = _changes(context)
    newcomers = context.presence_new
    context.presence_new = {}
    if not context.settings.presence:
        return
    heard: dict[int, tuple[Connection, list[bytes]]] = {}
    by_channel: dict[bytes, list[bytes]] = {}
    for account in changed:
        for channel_id in context.transaction.channels.channels_of(account):
            by_channel.setdefault(channel_id, []).append(account)
    for channel_id in by_channel:
        channel = context.channel(channel_id)
        for device in channel.members if channel else ():
            connection = context.devices.get(device)
            if connection is not None and connection.id not in newcomers:
                heard.setdefault(connection.id, (connection, []))[1].append(channel_id)
    frames: dict[tuple[bytes, ...], bytes] = {}  # members of the same channels hear the same
    for connection, channels in heard.values():
        key = tuple(channels)
        if key not in frames:
            accounts = list(dict.fromkeys(account for channel_id in key for account in by_channel[channel_id]))
            frames[key] = _frame(changed, accounts)
        context.outputs.append(Reply(connection.id, frames[key]))
    for connection in newcomers.values():
        _introduce(context, connection)


def _changes(context: Context) -> dict[bytes, bool]:
    """Accounts whose being online is not what others were told."""
    changed: dict[bytes, bool] = {}
    for account in context.presence_changed:
        online = any(connection.visible for connection in context.accounts.get(account, {}).values())
        if online and account not in context.announced:
            context.announced[account] = None
            changed[account] = True
        elif not online and account in context.announced:
            del context.announced[account]
            changed[account] = False
    context.presence_changed.clear()
    return changed


def _frame(changed: dict[bytes, bool], accounts: list[bytes]) -> bytes:
    online = tuple(account for account in accounts if changed[account])
    return encode_frame(Presence(online, tuple(account for account in accounts if not changed[account])))


def _introduce(context: Context, connection: Connection) -> None:
    """Tells a new connection who is online already."""
    own = connection.device.account
    online: dict[bytes, None] = {}
    for channel_id in context.transaction.channels.channels_of(own):
        channel = context.channel(channel_id)
        for member in channel.members.values() if channel else ():
            if member.account in context.announced and member.account != own:
                online[member.account] = None
    if online:
        context.outputs.append(Reply(connection.id, encode_frame(Presence(tuple(online), ()))))
