"""Entries that wait in memory until it is known which group of their room they belong to."""

from collections import deque

from secure_chat.wire.messages import Entry

__all__ = ["Held"]

MAX_HELD = 4_096
"""Entries held for one room; beyond that the oldest are given up, and show as gaps."""
MAX_HELD_BYTES = 16 * 1024 * 1024
"""Of one room: a few thousand messages, or the commits of a busy day."""


class Held:
    """By room, oldest first."""

    def __init__(self) -> None:
        self._entries: dict[bytes, deque[Entry]] = {}
        self._bytes: dict[bytes, int] = {}

    def of(self, channel: bytes) -> deque[Entry]:
        """What is held for a room."""
        return self._entries.get(channel, deque())

    def add(self, entry: Entry) -> list[Entry]:
        """Holds one more; returns the oldest ones that there is no room for any more."""
        held = self._entries.setdefault(entry.channel, deque())
        held.append(entry)
        size = self._bytes.get(entry.channel, 0) + len(entry.payload)
        given_up: list[Entry] = []
        while len(held) > MAX_HELD or (size > MAX_HELD_BYTES and len(held) > 1):
            given_up.append(held.popleft())
            size -= len(given_up[-1].payload)
        self._bytes[entry.channel] = size
        return given_up

    def take(self, channel: bytes) -> deque[Entry]:
        """Everything that is held for a room, and is no longer."""
        self._bytes.pop(channel, None)
        return self._entries.pop(channel, deque())

    def put_back(self, channel: bytes, entries: deque[Entry]) -> None:
        """The rest has to wait on."""
        self._entries[channel] = entries
        self._bytes[channel] = sum(len(entry.payload) for entry in entries)

    def clear(self) -> None:
        """A new connection delivers them again."""
        self._entries.clear()
        self._bytes.clear()
