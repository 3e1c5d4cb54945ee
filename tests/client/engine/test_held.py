"""Entries that wait stay within bounds and in order."""

from collections import deque

from secure_chat.client.engine.held import MAX_HELD, MAX_HELD_BYTES, Held
from secure_chat.wire.messages import Entry, EntryKind

CHANNEL = bytes(16)


def entry(seq: int, size: int = 0) -> Entry:
    return Entry(CHANNEL, seq, EntryKind.APPLICATION, bytes(16), bytes(16), seq, 0, 0, bytes(size))


def test_what_is_held_comes_back_in_order() -> None:
    """Once; what has to wait on is put back."""
    held = Held()
    for seq in range(1, 4):
        assert held.add(entry(seq)) == []
    taken = held.take(CHANNEL)
    assert [one.seq for one in taken] == [1, 2, 3]
    assert not held.of(CHANNEL)
    held.put_back(CHANNEL, deque(list(taken)[1:]))
    assert [one.seq for one in held.of(CHANNEL)] == [2, 3]
    held.clear()
    assert not held.of(CHANNEL)


def test_the_oldest_are_given_up() -> None:
    """By number, and by size."""
    held = Held()
    given_up = [one.seq for seq in range(MAX_HELD + 2) for one in held.add(entry(seq))]
    assert given_up == [0, 1]
    held.clear()
    assert held.add(entry(1, MAX_HELD_BYTES)) == []
    assert [one.seq for one in held.add(entry(2, 1))] == [1]
