"""What is remembered between batches, and that it is bounded."""

from secure_chat.server.core.effects import Tick
from secure_chat.server.core.settings import Settings
from tests.server.relay_host import Peer, RelayHost


def test_channels_in_memory_are_bounded(host: RelayHost) -> None:
    """By their members; those needed least recently go first, everything of them stored."""
    host.relay.reconfigure(Settings(cached_members=20), b"")
    context = host.relay._context
    alice, bob = Peer.join(host, "alice"), Peer.join(host, "bob")
    rooms = []
    for _ in range(20):
        host.now += 1
        rooms.append(alice.room(bob))
    assert context._cached_members <= 20
    assert context._cached_members == sum(len(channel.members) + 1 for channel in context._channels.values())
    assert context.cached(rooms[-1]) is not None
    assert context.cached(rooms[0]) is None
    assert alice.appended(rooms[0]).seq == 2


def test_nothing_is_left_of_who_is_gone(host: RelayHost) -> None:
    """Connections, devices, accounts, presence."""
    peers = [Peer.join(host, f"peer{number}") for number in range(5)]
    peers[0].room(*peers[1:])
    host.tick()
    for peer in peers:
        peer.disconnect()
    host.tick(10_000)
    context = host.relay._context
    for name in (
        "connections", "devices", "accounts", "announced", "presence_changed", "presence_new", "presence_joined",
        "unsaved", "full", "appended", "refused_counters",
    ):  # fmt: skip
        assert not getattr(context, name), name


def test_time_never_runs_backwards(host: RelayHost) -> None:
    """Whatever the clock does, entries are in the order of their times."""
    alice = Peer.join(host, "alice")
    room = alice.room()
    first = alice.appended(room)
    host.now -= 60_000
    second = alice.appended(room)
    assert second.time == first.time
    host.step(Tick())


def test_many_busy_channels_are_saved_bit_by_bit(host: RelayHost) -> None:
    """What one tick doesn't reach, the next does; nothing is lost by a crash in between."""
    generous = Settings(creations_burst=10_000, rooms_per_account=10_000, requests_burst=100_000, commits_burst=10_000)
    host.relay.reconfigure(generous, b"")
    alice = Peer.join(host, "alice")
    rooms = [alice.room() for _ in range(600)]
    for room in rooms:
        alice.acknowledge(room, 1)
    context = host.relay._context
    waiting = len(context.unsaved)
    assert waiting >= 600
    host.step(Tick())
    assert len(context.unsaved) == waiting - waiting // 20
    for _ in range(80):
        host.step(Tick())
    assert not context.unsaved
    host.restart()
    alice.connect()
    assert {summary.cursor for summary in alice.log_in().channels} == {1}
