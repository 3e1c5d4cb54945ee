"""Who receives which channel: live, or from the log until it has caught up. Does no I/O.

A connection gets every entry of a channel once and in order. It begins in the log; when a read finds nothing newer
than what the shard has passed on, it goes live. An entry can be in the log before the shard hears of it, so whoever
goes live remembers how far the log took it and skips what was in there. A connection whose output is full leaves
the live ones and reads the log again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from secure_chat.server.core.effects import Delivery
from secure_chat.server.io.bounds import (
    EPHEMERAL_OUTPUT,
    LIVE_OUTPUT,
    REPLAY_BYTES,
    REPLAY_CHANNELS,
    REPLAY_ENTRIES,
    REPLAY_OUTPUT,
)
from secure_chat.server.io.peer import Peer, Replay
from secure_chat.wire.framing import encode_frame
from secure_chat.wire.messages import CaughtUp

__all__ = ["ChannelLog", "Fanout", "ReadLog"]


@dataclass(frozen=True, slots=True)
class ReadLog:
    """Asks the reader thread for parts of the log."""

    connection: int
    positions: Sequence[tuple[bytes, int]]
    """(channel, after)."""
    max_entries: int = REPLAY_ENTRIES
    max_bytes: int = REPLAY_BYTES


@dataclass(frozen=True, slots=True)
class ChannelLog:
    """A part of one channel's log, as the reader thread found it."""

    channel: bytes
    entries: Sequence[tuple[int, bytes]]
    """(sequence number, frame)."""
    complete: bool
    """There was nothing after these when they were read."""


class _Channel:
    __slots__ = ("identity", "last", "live", "pending", "pending_last", "skipping", "waiting")

    def __init__(self, identity: bytes) -> None:
        self.identity = identity
        self.live: set[Peer] = set()
        self.waiting = 0
        """How many connections are reading its log."""
        self.skipping: dict[Peer, int] | None = None
        """Of the live ones, those that have entries up to here from the log."""
        self.last = 0
        """The newest entry passed on, as far as this process knows."""
        self.pending: list[bytes] | None = None
        """Entries that are not in outputs yet; None for most channels most of the time, to save memory."""
        self.pending_last = 0


class Fanout:
    """The channels that connections of one shard receive."""

    def __init__(self) -> None:
        self._channels: dict[bytes, _Channel] = {}
        self._touched: list[_Channel] = []
        self.hungry: list[Peer] = []
        """Connections that may need the next part of their logs."""
        self.delivered = 0
        """Entries put into outputs so far, one for each recipient."""
        self.fallbacks = 0
        """How often a connection was too slow for live delivery."""

    @property
    def channels(self) -> int:
        """How many channels somebody here receives."""
        return len(self._channels)

    def deliver(self, delivery: Delivery) -> None:
        """An entry for all who receive its channel; goes into outputs with the next `flush`."""
        channel = self._channels.get(delivery.channel)
        if channel is None:
            return
        if not delivery.seq:
            self._deliver_ephemeral(channel, delivery)
            return
        if not delivery.frame:
            self._leave_to_log(channel, delivery.seq)
            return
        if channel.pending is None:
            channel.pending = [delivery.frame]
            self._touched.append(channel)
        else:
            channel.pending.append(delivery.frame)
        channel.pending_last = delivery.seq
        if channel.skipping:
            self._flush_channel(channel)

    def _deliver_ephemeral(self, channel: _Channel, delivery: Delivery) -> None:
        self._flush_channel(channel)
        for peer in channel.live:
            if peer.id != delivery.exclude and peer.size <= EPHEMERAL_OUTPUT:
                peer.put(delivery.frame)

    def _leave_to_log(self, channel: _Channel, seq: int) -> None:
        self._flush_channel(channel)
        live = list(channel.live)
        self._fall_back(channel, live)
        self.hungry += live
        channel.last = seq

    def flush(self) -> None:
        """Puts all pending entries into outputs, each channel's joined to one piece."""
        for channel in self._touched:
            self._flush_channel(channel)
        self._touched.clear()

    def _flush_channel(self, channel: _Channel) -> None:
        pending = channel.pending
        if pending is None:
            return
        channel.pending = None
        chunk = pending[0] if len(pending) == 1 else b"".join(pending)
        length = len(chunk)
        behind: list[Peer] = []
        skipping = channel.skipping
        for peer in channel.live:
            if skipping and channel.pending_last <= skipping.get(peer, 0):
                continue  # while anybody skips, entries are flushed one by one
            if peer.size > LIVE_OUTPUT:
                behind.append(peer)
                continue
            if skipping:
                skipping.pop(peer, None)
            output = peer.output
            if not output:
                peer.dirty.append(peer)
            output.append(chunk)
            peer.size += length
        self.delivered += len(pending) * (len(channel.live) - len(behind))
        if behind:
            self._fall_back(channel, behind)
        channel.last = channel.pending_last

    def _fall_back(self, channel: _Channel, behind: Sequence[Peer]) -> None:
        for peer in behind:
            channel.live.discard(peer)
            channel.waiting += 1
            skipped = channel.skipping.pop(peer, 0) if channel.skipping else 0
            peer.replays[channel.identity] = Replay(max(channel.last, skipped))
        self.fallbacks += len(behind)

    def start(self, peer: Peer, identity: bytes, after: int) -> None:
        """The connection receives the channel from now on: the log after `after`, then live."""
        if identity in peer.channels:
            replay = peer.replays.get(identity)
            if replay is not None and replay.newest.until is not None:
                replay.newest.successor = Replay(after)
            return
        channel = self._channels.get(identity)
        if channel is None:
            channel = self._channels[identity] = _Channel(identity)
        channel.waiting += 1
        peer.channels.add(identity)
        peer.replays[identity] = Replay(after)
        self.hungry.append(peer)

    def stop(self, peer: Peer, identity: bytes, last: int, frame: bytes) -> None:
        """The connection receives the channel no longer: entries up to `last` still go out, then `frame`."""
        channel = self._channels.get(identity)
        if channel is None or identity not in peer.channels:
            if frame:
                peer.put(frame)
            return
        self._flush_channel(channel)
        replay = peer.replays.get(identity)
        if replay is not None and (replay.successor is not None or replay.position < last):
            replay.newest.until, replay.newest.last_frame = last, frame
            return
        self._remove(peer, identity, channel)
        if frame:
            peer.put(frame)

    def _end(self, peer: Peer, identity: bytes, replay: Replay) -> None:
        """The part of the log that a removed device may read is out; if it was added again, that follows."""
        self._remove(peer, identity, self._channels[identity])
        if replay.last_frame:
            peer.put(replay.last_frame)
        if replay.successor is not None:
            self.start(peer, identity, replay.successor.position)
            peer.replays[identity] = replay.successor

    def drop(self, peer: Peer) -> None:
        """The connection is gone."""
        for identity in tuple(peer.channels):
            channel = self._channels[identity]
            self._remove(peer, identity, channel)

    def _remove(self, peer: Peer, identity: bytes, channel: _Channel) -> None:
        peer.channels.discard(identity)
        if peer.replays.pop(identity, None) is not None:
            channel.waiting -= 1
        channel.live.discard(peer)
        if channel.skipping:
            channel.skipping.pop(peer, None)
        if not channel.live and not channel.waiting:
            channel.pending = None
            del self._channels[identity]

    def next_read(self, peer: Peer) -> ReadLog | None:
        """What to read of the log for this connection now, if anything."""
        if not peer.replays or peer.reading_log or peer.size > REPLAY_OUTPUT or peer.closing:
            return None
        positions: list[tuple[bytes, int]] = []
        for identity, replay in peer.replays.items():
            channel = self._channels[identity]
            self._flush_channel(channel)
            replay.asked_at = max(channel.last, replay.until or 0)
            positions.append((identity, replay.position))
            if len(positions) == REPLAY_CHANNELS:
                break
        peer.reading_log = True
        return ReadLog(peer.id, positions)

    def replayed(self, peer: Peer, logs: Sequence[ChannelLog]) -> None:
        """Puts parts of the log into the connection's output; channels that are complete go live."""
        peer.reading_log = False
        for log in logs:
            replay = peer.replays.get(log.channel)
            if replay is not None:
                self._replay(peer, log, replay)
        self.hungry.append(peer)

    def _replay(self, peer: Peer, log: ChannelLog, replay: Replay) -> None:
        channel = self._channels[log.channel]
        entries = log.entries
        if entries and entries[0][0] <= replay.position:  # asked for before the device was removed and added again
            entries = [entry for entry in entries if entry[0] > replay.position]
        if replay.until is not None:
            entries = [entry for entry in entries if entry[0] <= replay.until]
        if entries:
            peer.put(b"".join([frame for _, frame in entries]))
            replay.position = entries[-1][0]
            self.delivered += len(entries)
        if log.complete:
            replay.position = max(replay.position, replay.asked_at)
        if replay.until is not None:
            if replay.position >= replay.until or (log.entries and log.entries[-1][0] > replay.until):
                self._end(peer, log.channel, replay)
            return
        if not log.complete:
            return
        self._flush_channel(channel)
        if replay.position < channel.last:
            return  # more was passed on meanwhile: read again
        del peer.replays[log.channel]
        if not peer.replays:
            peer.replays = {}  # an emptied one keeps its memory
        channel.waiting -= 1
        channel.live.add(peer)
        if replay.position > channel.last:
            channel.skipping = {**(channel.skipping or {}), peer: replay.position}
        peer.put(encode_frame(CaughtUp(log.channel, replay.position)))
