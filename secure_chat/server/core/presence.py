"""Who is online, told once a tick to accounts that share a channel; and ephemeral entries, which are never stored."""

from secure_chat.server.core.context import Connection, Context
from secure_chat.server.core.effects import ConnectionId, Delivery, Reply
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
    """Tells who has come and gone since the last tick; somebody who came and went meanwhile is not mentioned.

    Who was added to a channel has come there: the members and the newcomer are told of each other.
    """
    states = _changes(context)
    newcomers, context.presence_new = context.presence_new, {}
    joined, context.presence_joined = context.presence_joined, {}
    if not context.settings.presence:
        return
    channels_of = context.transaction.channels.channels_of
    news: dict[bytes, dict[bytes, None]] = {}
    for account in states:
        for channel_id in channels_of(account):
            news.setdefault(channel_id, {})[account] = None
    introductions = {
        connection.id: (connection, channels_of(connection.device.account)) for connection in newcomers.values()
    }
    for device, channel_id in joined:
        connection = context.devices.get(device)
        if connection is not None:
            introductions.setdefault(connection.id, (connection, []))[1].append(channel_id)
            account = connection.device.account
            if account in context.announced:
                states[account] = True
                news.setdefault(channel_id, {})[account] = None
    _spread(context, states, news, newcomers)
    for connection, channels in introductions.values():
        _introduce(context, connection, channels)


def _spread(
    context: Context,
    states: dict[bytes, bool],
    news: dict[bytes, dict[bytes, None]],
    newcomers: dict[ConnectionId, Connection],
) -> None:
    """Tells the connected members of each channel what is new there."""
    heard: dict[ConnectionId, tuple[Connection, list[bytes]]] = {}
    for channel_id in news:
        channel = context.channel(channel_id)
        for device in channel.members if channel else ():
            connection = context.devices.get(device)
            if connection is not None and connection.id not in newcomers:
                heard.setdefault(connection.id, (connection, []))[1].append(channel_id)
    said: dict[tuple[bytes, ...], tuple[list[bytes], bytes]] = {}  # members of the same channels hear the same
    for connection, channels in heard.values():
        key = tuple(channels)
        if key not in said:
            accounts = list(dict.fromkeys(account for channel_id in key for account in news[channel_id]))
            online = tuple(account for account in accounts if states[account])
            offline = tuple(account for account in accounts if not states[account])
            said[key] = accounts, encode_frame(Presence(online, offline))
        accounts, frame = said[key]
        if accounts != [connection.device.account]:
            context.outputs.append(Reply(connection.id, frame))


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


def _introduce(context: Context, connection: Connection, channels: list[bytes]) -> None:
    """Tells a new connection, or one that is new in channels, who is online there already."""
    own = connection.device.account
    online: dict[bytes, None] = {}
    for channel_id in channels:
        channel = context.channel(channel_id)
        for member in channel.members.values() if channel else ():
            if member.account in context.announced and member.account != own:
                online[member.account] = None
    if online:
        context.outputs.append(Reply(connection.id, encode_frame(Presence(tuple(online), ()))))
