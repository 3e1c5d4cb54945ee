"""What the relay remembers between batches, and what it holds during one."""

from collections.abc import Callable
from enum import IntEnum

from secure_chat.identity.keys import DirectoryKey
from secure_chat.server.core.channel import Channel
from secure_chat.server.core.effects import Close, Connected, ConnectionId, Output, Reply
from secure_chat.server.core.fairness import Limits, address_key
from secure_chat.server.core.settings import Settings
from secure_chat.server.core.storage import AppendResult, DeviceRecord, StoreRecord, Transaction
from secure_chat.wire.errors import ErrorCode, RelayError
from secure_chat.wire.framing import encode_frame
from secure_chat.wire.messages import Goodbye, ServerMessage

__all__ = ["Connection", "Context", "Phase"]


class Phase(IntEnum):
    """How far a connection has come."""

    NEW = 0
    """Nothing was said yet."""
    GREETED = 1
    """`Hello` was answered."""
    LOGGED_IN = 2
    CLOSED = 3
    """What still arrives is ignored."""


class Connection:
    """One connection; the fields from `device` on are set by the login."""

    __slots__ = (
        "address",
        "certificate_hash",
        "client_nonce",
        "device",
        "id",
        "phase",
        "receiving",
        "refusals",
        "refused",
        "server_nonce",
        "store",
        "visible",
        "whole",
    )

    device: DeviceRecord
    store: StoreRecord

    def __init__(self, connected: Connected) -> None:
        self.id = connected.connection
        self.certificate_hash = connected.certificate_hash
        self.address = address_key(connected.address)
        self.phase = Phase.NEW
        self.client_nonce = b""
        self.server_nonce = b""
        self.visible = False
        self.receiving: dict[bytes, None] = {}
        """Channels that are delivered to it."""
        self.whole = 0.0
        """When its credit of requests is whole again (`fairness.RateLimit`)."""
        self.refusals = 0
        """Requests refused since it last kept to its rate."""
        self.refused: dict[bytes, tuple[int, int]] = {}
        """By channel: the message that was refused for now, by its counter, and until when it is waited for."""


class Context:
    """State of the core; `transaction`, `now` and `outputs` are those of the current batch."""

    transaction: Transaction

    def __init__(self, settings: Settings, directory: DirectoryKey, random_bytes: Callable[[int], bytes]) -> None:
        self.settings = settings
        self.directory = directory
        self.random_bytes = random_bytes
        self.ca_certificate = b""
        self.limits = Limits(settings)
        self.now = 0
        self.outputs: list[Output] = []

        self.connections: dict[ConnectionId, Connection] = {}
        self.devices: dict[bytes, Connection] = {}
        """Who is logged in, by device: at most one connection each."""
        self.accounts: dict[bytes, dict[ConnectionId, Connection]] = {}
        """Who is logged in, by account."""
        self.announced: dict[bytes, None] = {}
        """Accounts that others were told are online."""
        self.presence_changed: dict[bytes, None] = {}
        """Accounts whose connections have changed since the last tick."""
        self.presence_new: dict[ConnectionId, Connection] = {}
        """Connections that don't know yet who is online."""
        self.presence_joined: dict[tuple[bytes, bytes], None] = {}
        """(device, channel) of connected devices that were added since the last tick."""

        self.unsaved: dict[bytes, Channel] = {}
        """Channels whose usage or cursors are not stored yet."""
        self.full: dict[bytes, Channel] = {}
        """Channels that this batch has filled beyond their limits."""
        self.appended: dict[int, list[AppendResult]] = {}
        """Append ids of this batch, by store."""
        self.refused_counters: dict[bytes, StoreRecord] = {}
        """Stores whose highest counter was seen in an append that this batch has refused."""
        self._channels: dict[bytes, Channel] = {}
        self._cached_members = 0
        self.has_space: bool | None = None
        """Whether the disk has more than its reserve; None: not asked yet in this batch."""

    def begin(self, transaction: Transaction, now: int) -> None:
        """A new batch; time never runs backwards here."""
        self.transaction = transaction
        self.now = max(now, self.now)
        self.outputs = []
        self.has_space = None

    # Answers

    def send(self, connection: Connection, message: ServerMessage) -> None:
        """A message to one connection."""
        self.outputs.append(Reply(connection.id, encode_frame(message)))

    def close(self, connection: Connection, message: ServerMessage | None = None) -> None:
        """Ends a connection from our side; what it still sends is ignored."""
        if connection.phase is not Phase.CLOSED:
            self.leave(connection)
            connection.phase = Phase.CLOSED
            self.outputs.append(Close(connection.id, encode_frame(message) if message else b""))

    def require_space(self) -> None:
        """RelayError unless the disk has more than its reserve."""
        if self.has_space is None:
            self.has_space = self.transaction.free_bytes >= self.settings.disk_reserve
        if not self.has_space:
            raise RelayError(ErrorCode.DISK_FULL, "the relay's disk is full: nothing was written")

    # Who is here

    def enter(self, connection: Connection) -> None:
        """A login has succeeded; an older connection of the same device is closed."""
        device = connection.device
        older = self.devices.get(device.id)
        if older is not None:
            self.close(older, Goodbye("this device has connected again"))
        connection.phase = Phase.LOGGED_IN
        self.devices[device.id] = connection
        self.accounts.setdefault(device.account, {})[connection.id] = connection
        self.presence_changed[device.account] = None
        self.presence_new[connection.id] = connection

    def leave(self, connection: Connection) -> None:
        """It is gone; harmless if it never logged in."""
        if connection.phase is Phase.LOGGED_IN:
            device = connection.device
            del self.devices[device.id]
            connections = self.accounts[device.account]
            del connections[connection.id]
            if not connections:
                del self.accounts[device.account]
            self.presence_changed[device.account] = None
            self.presence_new.pop(connection.id, None)
            connection.receiving.clear()

    def connections_of(self, account: bytes) -> list[Connection]:
        """Connections that have logged in as this account."""
        return list(self.accounts.get(account, {}).values())

    # Channels

    def channel(self, channel: bytes) -> Channel | None:
        """The channel with this id, from memory or storage."""
        found = self._channels.get(channel)
        if found is not None:
            found.used = self.now
            return found
        record = self.transaction.channels.channel(channel)
        if record is None:
            return None
        log = self.transaction.log
        since = log.usage_after(record.number, record.counted)
        record.entries += since.entries
        record.bytes += since.bytes
        last = log.last(record)
        record.counted = last
        return self.keep(Channel(record, self.transaction.channels.members(record.number), last, self.now))

    def keep(self, channel: Channel) -> Channel:
        """Takes a channel into memory."""
        self._channels[channel.id] = channel
        self._cached_members += len(channel.members) + 1
        return channel

    def cached(self, channel: bytes) -> Channel | None:
        """The channel, if it is in memory."""
        return self._channels.get(channel)

    def save(self, channel: Channel) -> None:
        """Stores a channel's record; its counts are true for everything up to the newest entry."""
        channel.record.counted = channel.last
        self.transaction.channels.put_channel(channel.record)

    def forget(self, channel: Channel) -> None:
        """Drops a channel from memory; nothing of it may be unsaved."""
        if self._channels.pop(channel.id, None) is not None:
            self._cached_members -= len(channel.members) + 1
        self.unsaved.pop(channel.id, None)
        self.full.pop(channel.id, None)

    def count_member(self, difference: int) -> None:
        """A cached channel has gained or lost members."""
        self._cached_members += difference

    def idle_channels(self) -> list[Channel]:
        """What to evict so that memory stays bounded: those needed least recently; usually none."""
        limit = self.settings.cached_members
        if self._cached_members <= limit:
            return []
        surplus = self._cached_members - limit * 7 // 8
        idle: list[Channel] = []
        for channel in sorted(self._channels.values(), key=lambda channel: channel.used):
            if surplus <= 0:
                break
            idle.append(channel)
            surplus -= len(channel.members) + 1
        return idle
