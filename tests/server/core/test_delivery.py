"""Subscriptions, cursors, deletion, retention, full channels."""

from secure_chat.server.core.effects import Received, StartDelivery, Tick
from secure_chat.server.core.settings import Settings
from secure_chat.server.storage.reader import LogReader
from secure_chat.wire.errors import ErrorCode
from secure_chat.wire.limits import MAX_POSITIONS
from secure_chat.wire.messages import (
    Ack,
    Appended,
    CaughtUp,
    ChannelChange,
    ChannelClosed,
    ChannelInfo,
    ChannelKind,
    EntryKind,
    Error,
    GetChannel,
    Ok,
    Subscribe,
)
from tests.server.relay_host import Peer, RelayHost

DAY = 86_400_000


def stored(host: RelayHost, channel: bytes) -> list[int]:
    return [seq for seq, _ in host.reader.read_after(channel, 0, 100_000, 1 << 40)]


def test_nothing_is_delivered_before_a_subscription(host: RelayHost) -> None:
    """A login alone starts nothing."""
    alice, bob = Peer.join(host, "alice"), Peer.join(host, "bob")
    room = alice.room(bob)
    bob.reconnect()
    alice.appended(room)
    assert bob.entries(room) == []


def test_a_subscription_goes_on_where_the_client_is(host: RelayHost) -> None:
    """Answered by `ok`, then the log after the position, then live."""
    alice = Peer.join(host, "alice")
    room = alice.room()
    for _ in range(5):
        alice.appended(room)
    alice.reconnect()
    alice.received.clear()
    alice.send(Subscribe(77, ((room, 4),)))
    alice.appended(room)
    kinds = [type(message) for message in alice.received]
    assert kinds[0] is Ok
    assert kinds.index(CaughtUp) == 3
    assert [entry.seq for entry in alice.entries(room)] == [5, 6, 7]


def test_a_second_subscription_repeats_nothing(host: RelayHost) -> None:
    """Within a connection entries come once."""
    alice = Peer.join(host, "alice")
    room = alice.room()
    alice.entries(room)
    alice.subscribe(room, 0)
    assert alice.entries(room) == []


def test_a_position_beyond_the_log_is_its_end(host: RelayHost) -> None:
    """What a client claims to have is not waited for."""
    alice = Peer.join(host, "alice")
    room = alice.room()
    alice.reconnect()
    alice.subscribe(room, 1 << 40)
    alice.appended(room)
    assert [entry.seq for entry in alice.entries(room)] == [2]


def test_foreign_channels_are_closed(host: RelayHost) -> None:
    """An unknown channel and somebody else's look the same."""
    alice, eve = Peer.join(host, "alice"), Peer.join(host, "eve")
    room = alice.room()
    for channel in (room, alice.inbox, bytes(16)):
        eve.subscribe(channel)
        assert eve.take(ChannelClosed) == ChannelClosed(channel, 0)
    alice.appended(room)
    assert eve.entries(room) == []


def test_an_entry_is_deleted_once_every_member_has_it(host: RelayHost) -> None:
    """The slowest decides; cursors only move forward."""
    alice, bob = Peer.join(host, "alice"), Peer.join(host, "bob")
    room = alice.room(bob)
    for _ in range(3):
        alice.appended(room)
    alice.acknowledge(room, 4)
    host.tick()
    assert stored(host, room) == [1, 2, 3, 4]
    bob.acknowledge(room, 2)
    bob.acknowledge(room, 1)
    host.tick()
    assert stored(host, room) == [3, 4]
    summary = bob.reconnect().channels[0]
    assert (summary.first, summary.cursor, summary.last) == (3, 2, 4)


def test_cursors_are_stored_within_a_second(host: RelayHost) -> None:
    """And survive a restart."""
    alice, bob = Peer.join(host, "alice"), Peer.join(host, "bob")
    room = alice.room(bob)
    bob.acknowledge(room, 1)
    host.tick(500)
    host.restart()
    bob.connect()
    assert bob.log_in().channels[0].cursor == 1


def test_a_lost_cursor_only_means_redelivery(host: RelayHost) -> None:
    """Not stored yet at the crash: the entries are still there."""
    alice = Peer.join(host, "alice")
    room = alice.room()
    alice.acknowledge(room, 1)
    host.restart()
    alice.connect()
    assert alice.log_in().channels[0].cursor == 0
    alice.entries(room)
    alice.subscribe(room)
    assert [entry.seq for entry in alice.entries(room)] == [1]


def test_sequence_numbers_go_on_after_everything_was_deleted(host: RelayHost) -> None:
    """Also after a restart with an empty log."""
    alice = Peer.join(host, "alice")
    room = alice.room()
    alice.appended(room)
    alice.acknowledge(room, 2)
    host.tick()
    assert stored(host, room) == []
    host.restart()
    alice.connect()
    assert alice.log_in().channels[0].last == 2
    assert alice.appended(room).seq == 3


def test_acknowledgements_of_nothing_are_ignored(host: RelayHost) -> None:
    """Unknown and foreign channels, and numbers that were never reached."""
    alice, eve = Peer.join(host, "alice"), Peer.join(host, "eve")
    room = alice.room()
    eve.send(Ack(((room, 1), (bytes(16), 1), (alice.inbox, 1))))
    alice.acknowledge(room, 1 << 60)
    host.tick()
    assert alice.appended(room).seq == 2
    host.tick()
    assert stored(host, room) == [2]


def test_entries_expire(host: RelayHost) -> None:
    """After the retention time although nobody has acknowledged them; others stay."""
    alice, bob = Peer.join(host, "alice"), Peer.join(host, "bob")
    room = alice.room(bob)
    alice.appended(room)
    host.now += 20 * DAY
    alice.appended(room)
    host.tick(11 * DAY)
    assert stored(host, room) == [3]
    assert stored(host, bob.inbox) == []
    summary = bob.reconnect().channels[0]
    assert (summary.first, summary.last) == (3, 3)
    bob.subscribe(room)
    assert [entry.seq for entry in bob.entries(room)] == [3], "the laggard sees a gap"


def test_a_full_channel_drops_its_oldest(host: RelayHost) -> None:
    """One sleeping laptop can't wedge a room."""
    host.relay.reconfigure(Settings(channel_entries=10), b"")
    alice, bob = Peer.join(host, "alice"), Peer.join(host, "bob")
    room = alice.room(bob)
    host.step(*(Received(alice.connection, alice.message(room)) for _ in range(25)))
    assert stored(host, room) == list(range(17, 27))
    host.restart()
    host.relay.reconfigure(Settings(channel_entries=10), b"")
    alice.connect()
    alice.log_in()
    alice.appended(room)
    assert stored(host, room) == list(range(18, 28))


def test_a_channel_is_also_full_by_bytes(host: RelayHost) -> None:
    """Large entries count for what they take; the newest stays in any case."""
    host.relay.reconfigure(Settings(channel_bytes=100_000), b"")
    alice = Peer.join(host, "alice")
    room = alice.room()
    for _ in range(5):
        alice.append(room, payload=bytes(40_000))
    assert stored(host, room) == [5, 6]
    alice.append(room, EntryKind.COMMIT, bytes(200_000))
    assert stored(host, room) == [7]


def test_usage_is_right_after_a_restart(host: RelayHost) -> None:
    """Counted from what was stored last and what came after."""
    host.relay.reconfigure(Settings(channel_entries=10), b"")
    alice, bob = Peer.join(host, "alice"), Peer.join(host, "bob")
    room = alice.room(bob)
    for moment in range(6):
        alice.appended(room)
        if moment == 2:
            host.tick()
            alice.append(room, EntryKind.COMMIT)
    host.restart()
    host.relay.reconfigure(Settings(channel_entries=10), b"")
    for peer in (alice, bob):
        peer.connect()
        peer.log_in()
    alice.append(room, head=5)
    host.tick()
    with host.database.transaction() as transaction:
        record = transaction.channels.channel(room)
        assert record is not None
        usage = transaction.log.usage_after(record.number, 0)
    assert (record.entries, record.bytes) == (usage.entries, usage.bytes)
    assert usage.entries == 9


def test_a_room_that_everybody_left_is_removed(host: RelayHost) -> None:
    """Once those who left have read, or need no longer read, how it ended; an open room keeps its name."""
    alice, bob = Peer.join(host, "alice"), Peer.join(host, "bob")
    room = alice.room(bob)
    lobby = alice.room(kind=ChannelKind.OPEN, name="lobby")
    for channel in (room, lobby):
        removal = ChannelChange(remove=(alice.device_id, bob.device_id))
        assert isinstance(alice.append(channel, EntryKind.MEMBERS, change=removal), Appended)
    alice.acknowledge(room, 2)
    alice.acknowledge(lobby, 2)
    host.tick()
    assert stored(host, room) == [1, 2], "bob has not read it"
    bob.acknowledge(room, 2)
    host.tick()
    host.tick()
    answer = alice.refused(alice.message(room, EntryKind.REQUEST))
    assert answer.code is ErrorCode.NOT_FOUND
    info = alice.ask(GetChannel(alice.next_id(), lobby))
    assert isinstance(info, ChannelInfo)
    assert info.devices == ()
    assert stored(host, lobby) == []


def test_a_long_log_is_deleted_bit_by_bit(host: RelayHost) -> None:
    """A laggard that acknowledges a lot at once doesn't hold up the others."""
    host.relay.reconfigure(Settings(requests_burst=1_000_000, account_bytes_burst=1 << 40), b"")
    alice, bob = Peer.join(host, "alice"), Peer.join(host, "bob")
    room = alice.room(bob)
    for _ in range(2):
        host.step(*(Received(alice.connection, alice.message(room, payload=b"")) for _ in range(1_000)))
    assert len(alice.take_all(Error)) == 0
    alice.acknowledge(room, 1 << 60)
    bob.acknowledge(room, 1 << 60)
    counts = []
    for _ in range(3):
        host.tick()
        counts.append(len(stored(host, room)))
    assert counts == [1_001, 1, 0]


def test_subscriptions_cost_by_what_they_name(host: RelayHost) -> None:
    """Thousands of positions again and again are over the rate."""
    alice = Peer.join(host, "alice")
    positions = tuple((number.to_bytes(16, "big"), 0) for number in range(MAX_POSITIONS))
    codes = [alice.ask(Subscribe(alice.next_id(), positions)) for _ in range(6)]
    assert isinstance(codes[0], Ok)
    assert isinstance(codes[-1], Error)
    assert codes[-1].code is ErrorCode.RATE_LIMITED


def test_delivery_goes_on_after_eviction_from_memory(host: RelayHost) -> None:
    """The cache is bounded; what falls out of it is as if it had never been in."""
    host.relay.reconfigure(Settings(cached_members=6), b"")
    alice, bob = Peer.join(host, "alice"), Peer.join(host, "bob")
    rooms = [alice.room(bob) for _ in range(6)]
    for round_number in range(3):
        for room in rooms:
            host.now += 1
            assert alice.appended(room).seq == 2 + round_number
            bob.acknowledge(room, 2 + round_number)
            alice.acknowledge(room, 1 + round_number)
    host.step(Tick())
    host.tick()
    for room in rooms:
        assert [entry.seq for entry in bob.entries(room)] == [1, 2, 3, 4]
        assert stored(host, room) in ([4], [2, 3, 4], [3, 4]), "what is acknowledged goes when the channel is needed"


def test_start_delivery_names_the_position(host: RelayHost) -> None:
    """The effect carries what the reader needs."""
    alice = Peer.join(host, "alice")
    room = alice.room()
    alice.reconnect()
    outputs = host.step(Received(alice.connection, Subscribe(5, ((room, 1),))))
    assert StartDelivery(alice.connection, room, 1) in outputs


def test_the_reader_sees_what_is_committed(host: RelayHost) -> None:
    """Another connection to the same file, as the reader thread has it."""
    alice = Peer.join(host, "alice")
    room = alice.room()
    reader = LogReader(host.path)
    alice.appended(room)
    assert [seq for seq, _ in reader.read_after(room, 0, 10, 1 << 20)] == [1, 2]
    reader.close()
