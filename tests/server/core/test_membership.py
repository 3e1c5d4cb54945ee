"""Who may change a delivery list, and what follows for those concerned."""

from secure_chat.server.core.effects import StartDelivery, StopDelivery
from secure_chat.server.core.settings import Settings
from secure_chat.wire.errors import ErrorCode
from secure_chat.wire.messages import (
    Appended,
    CaughtUp,
    ChannelAdded,
    ChannelChange,
    ChannelClosed,
    ChannelInfo,
    ChannelKind,
    EntryKind,
    Error,
    GetChannel,
    MemberDevice,
    Subscribe,
)
from tests.server.relay_host import Peer, RelayHost


def change(peer: Peer, room: bytes, **fields: object) -> Appended | Error:
    answer = peer.append(room, EntryKind.MEMBERS, change=ChannelChange(**fields))  # type: ignore[arg-type]
    assert isinstance(answer, Appended | Error)
    return answer


def code(answer: Appended | Error) -> ErrorCode | None:
    return answer.code if isinstance(answer, Error) else None


def info(peer: Peer, room: bytes) -> ChannelInfo:
    answer = peer.ask(GetChannel(peer.next_id(), room))
    assert isinstance(answer, ChannelInfo)
    return answer


def test_a_device_that_is_added_gets_the_channel_at_once(host: RelayHost) -> None:
    """From the entry that added it on, without subscribing; subscribing as well repeats nothing."""
    alice, bob = Peer.join(host, "alice"), Peer.join(host, "bob")
    room = alice.room()
    alice.appended(room)
    bob.received.clear()
    added = change(alice, room, add=(bob.member,))
    assert isinstance(added, Appended)
    alice.appended(room)
    summary = bob.take(ChannelAdded).summary
    assert (summary.channel, summary.joined, summary.last, summary.cursor) == (room, 3, 3, 2)
    assert bob.take(CaughtUp).seq == 3
    bob.ask(Subscribe(bob.next_id(), ((room, 0),)))
    assert [entry.seq for entry in bob.entries(room)] == [3, 4]


def test_a_device_sees_nothing_from_before_it_joined(host: RelayHost) -> None:
    """Whatever position it names."""
    alice, bob = Peer.join(host, "alice"), Peer.join(host, "bob")
    room = alice.room()
    alice.appended(room)
    change(alice, room, add=(bob.member,))
    bob.reconnect()
    bob.subscribe(room, 0)
    assert [entry.seq for entry in bob.entries(room)] == [3]


def test_a_removed_device_reads_up_to_its_removal(host: RelayHost) -> None:
    """While connected, and later; then the channel is closed for it."""
    alice, bob = Peer.join(host, "alice"), Peer.join(host, "bob")
    room = alice.room(bob)
    bob.entries(room)
    removed = change(alice, room, remove=(bob.device_id,))
    assert isinstance(removed, Appended)
    alice.appended(room)
    assert bob.take(ChannelClosed) == ChannelClosed(room, removed.seq)
    (entry,) = bob.entries(room)
    assert (entry.seq, entry.removed) == (removed.seq, (bob.device_id,))
    host.restart()
    bob.connect()
    assert bob.log_in().channels == ()
    bob.subscribe(room, 0)
    assert [entry.seq for entry in bob.entries(room)] == [1, 2]
    assert bob.take(ChannelClosed) == ChannelClosed(room, removed.seq)


def test_a_removed_device_that_has_read_everything_is_forgotten(host: RelayHost) -> None:
    """After its acknowledgement nothing is kept for it."""
    alice, bob = Peer.join(host, "alice"), Peer.join(host, "bob")
    room = alice.room(bob)
    change(alice, room, remove=(bob.device_id,))
    alice.appended(room)
    alice.acknowledge(room, 3)
    host.tick()
    assert [seq for seq, _ in host.reader.read_after(room, 0, 10, 10_000)] == [1, 2, 3]
    bob.acknowledge(room, 2)
    host.tick()
    assert [seq for seq, _ in host.reader.read_after(room, 0, 10, 10_000)] == []
    bob.received.clear()
    bob.subscribe(room)
    assert bob.take(ChannelClosed) == ChannelClosed(room, 0)


def test_only_an_admin_removes_others(host: RelayHost) -> None:
    """Everybody removes the own account's devices."""
    alice, bob, carol = (Peer.join(host, name) for name in ("alice", "bob", "carol"))
    second = bob.another_device()
    room = alice.room(bob, second, carol)
    assert code(change(bob, room, remove=(carol.device_id,))) is ErrorCode.FORBIDDEN
    assert code(change(bob, room, remove=(carol.device_id, bob.device_id))) is ErrorCode.FORBIDDEN
    assert isinstance(change(bob, room, remove=(second.device_id,)), Appended)
    assert isinstance(change(carol, room, remove=(carol.device_id,)), Appended)
    assert isinstance(change(alice, room, remove=(bob.device_id,)), Appended)
    assert [member.device for member in info(alice, room).devices] == [alice.device_id]


def test_only_an_admin_changes_rights(host: RelayHost) -> None:
    """The new admin may, the former one no longer."""
    alice, bob = Peer.join(host, "alice"), Peer.join(host, "bob")
    room = alice.room(bob)
    for fields in ({"admins": (bob.account.public,)}, {"members_may_add": False}):
        assert code(change(bob, room, **fields)) is ErrorCode.FORBIDDEN
    bob.entries(room)
    handed = change(alice, room, admins=(bob.account.public, bob.account.public), members_may_add=False)
    assert isinstance(handed, Appended)
    (entry,) = bob.entries(room)
    assert entry.admins == (bob.account.public,)
    assert info(alice, room).admins == (bob.account.public,)
    assert not info(alice, room).members_may_add
    assert code(change(alice, room, members_may_add=True)) is ErrorCode.FORBIDDEN
    assert isinstance(change(bob, room, members_may_add=True), Appended)


def test_a_room_has_one_to_64_admins(host: RelayHost) -> None:
    """Neither none nor a crowd."""
    alice = Peer.join(host, "alice")
    room = alice.room()
    assert code(change(alice, room, admins=())) is ErrorCode.FORBIDDEN
    crowd = tuple(number.to_bytes(32, "big") for number in range(65))
    assert code(change(alice, room, admins=crowd)) is ErrorCode.FORBIDDEN
    assert isinstance(change(alice, room, admins=crowd[:64]), Appended)


def test_without_an_admin_among_the_members_everyone_may_act(host: RelayHost) -> None:
    """A room whose admins have gone is not stuck."""
    alice, bob, carol = (Peer.join(host, name) for name in ("alice", "bob", "carol"))
    room = alice.room(bob, carol)
    assert isinstance(change(alice, room, remove=(alice.device_id,)), Appended)
    assert isinstance(change(bob, room, admins=(bob.account.public,)), Appended)
    assert code(change(carol, room, remove=(bob.device_id,))) is ErrorCode.FORBIDDEN


def test_members_add_where_the_room_allows_it(host: RelayHost) -> None:
    """Otherwise only admins; a further device of a member is no new person."""
    alice, bob, carol = (Peer.join(host, name) for name in ("alice", "bob", "carol"))
    room = alice.room(bob)
    assert isinstance(change(bob, room, add=(carol.member,)), Appended)
    change(alice, room, remove=(carol.device_id,), members_may_add=False)
    assert code(change(bob, room, add=(carol.member,))) is ErrorCode.FORBIDDEN
    assert isinstance(change(bob, room, add=(bob.another_device().member,)), Appended)
    assert isinstance(change(bob, room, add=(alice.another_device().member,)), Appended)
    assert isinstance(change(alice, room, add=(carol.member,)), Appended)


def test_an_open_room_is_for_everyone(host: RelayHost) -> None:
    """Members answer requests even where members may not invite to closed rooms."""
    alice, bob, carol = (Peer.join(host, name) for name in ("alice", "bob", "carol"))
    room = alice.room(bob, kind=ChannelKind.OPEN, name="lobby")
    change(alice, room, members_may_add=False)
    assert isinstance(change(bob, room, add=(carol.member,)), Appended)


def test_a_direct_channel_is_for_two_accounts(host: RelayHost) -> None:
    """Nobody else is added, and there are no admins."""
    alice, bob, eve = (Peer.join(host, name) for name in ("alice", "bob", "eve"))
    direct = alice.create(ChannelKind.DIRECT, peer=bob.account.public).summary.channel
    alice.append(direct, EntryKind.FOUNDING, head=0, change=ChannelChange(add=(bob.member,)))
    assert code(change(alice, direct, add=(eve.member,))) is ErrorCode.FORBIDDEN
    assert code(change(alice, direct, admins=(alice.account.public,))) is ErrorCode.FORBIDDEN
    assert code(change(alice, direct, members_may_add=False)) is ErrorCode.FORBIDDEN
    assert code(change(alice, direct, banned=())) is ErrorCode.FORBIDDEN
    assert isinstance(change(bob, direct, add=(bob.another_device().member,)), Appended)


def test_only_devices_that_exist_are_added(host: RelayHost) -> None:
    """And only under their own account."""
    alice, bob = Peer.join(host, "alice"), Peer.join(host, "bob")
    room = alice.room()
    assert code(change(alice, room, add=(MemberDevice(bytes(16), bob.account.public),))) is ErrorCode.NOT_FOUND
    assert code(change(alice, room, add=(MemberDevice(bob.device_id, bytes(32)),))) is ErrorCode.NOT_FOUND


def test_what_is_true_already_is_no_error(host: RelayHost) -> None:
    """The entry names only what really changed: clients repair the list from the tree."""
    alice, bob, carol = (Peer.join(host, name) for name in ("alice", "bob", "carol"))
    room = alice.room(bob)
    alice.entries(room)
    joined = info(bob, room).summary.joined
    answer = change(alice, room, add=(bob.member,), remove=(carol.device_id,))
    assert isinstance(answer, Appended)
    (entry,) = alice.entries(room)
    assert (entry.added, entry.removed) == ((), ())
    assert info(bob, room).summary.joined == joined


def test_nobody_is_added_and_removed_at_once(host: RelayHost) -> None:
    """Such a change has no meaning."""
    alice, bob = Peer.join(host, "alice"), Peer.join(host, "bob")
    room = alice.room(bob)
    answer = change(alice, room, add=(bob.member,), remove=(bob.device_id,))
    assert code(answer) is ErrorCode.MALFORMED


def test_a_channel_has_a_limited_number_of_members(host: RelayHost) -> None:
    """And a device is in a limited number of channels."""
    host.relay.reconfigure(Settings(channel_members=2, channels_per_device=2), b"")
    alice, bob, carol = (Peer.join(host, name) for name in ("alice", "bob", "carol"))
    room = alice.room(bob)
    assert code(change(alice, room, add=(carol.member,))) is ErrorCode.QUOTA
    alice.room(bob)
    third = carol.room()
    assert code(change(carol, third, add=(bob.member,))) is ErrorCode.QUOTA


def test_nobody_fills_anothers_list_of_channels(host: RelayHost) -> None:
    """What one account adds another's device to is limited; own devices are not."""
    host.relay.reconfigure(Settings(additions_per_pair_burst=2), b"")
    alice, bob, carol = (Peer.join(host, name) for name in ("alice", "bob", "carol"))
    second = alice.another_device()
    rooms = [alice.room(second) for _ in range(3)]
    assert [code(change(alice, room, add=(bob.member,))) for room in rooms] == [None, None, ErrorCode.RATE_LIMITED]
    refused = change(alice, rooms[2], add=(carol.member, bob.member))
    assert isinstance(refused, Error)
    host.now += refused.retry_after
    assert isinstance(change(alice, rooms[2], add=(carol.member, bob.member)), Appended)


def test_only_open_rooms_ban(host: RelayHost) -> None:
    """A closed room has nothing to be banned from, and a ban list is bounded."""
    alice = Peer.join(host, "alice")
    assert code(change(alice, alice.room(), banned=(bytes(32),))) is ErrorCode.FORBIDDEN
    lobby = alice.room(kind=ChannelKind.OPEN, name="lobby")
    crowd = tuple(number.to_bytes(32, "big") for number in range(1_001))
    assert code(change(alice, lobby, banned=crowd)) is ErrorCode.QUOTA
    assert isinstance(change(alice, lobby, banned=crowd[1:]), Appended)


def test_delivery_stops_after_the_removing_entry(host: RelayHost) -> None:
    """The effects come in this order: the entry, then the end."""
    alice, bob = Peer.join(host, "alice"), Peer.join(host, "bob")
    room = alice.room(bob)
    removed = change(alice, room, remove=(bob.device_id,))
    assert isinstance(removed, Appended)
    (stop,) = [output for output in host.outputs if isinstance(output, StopDelivery)]
    assert (stop.connection, stop.channel, stop.last) == (bob.connection, room, removed.seq)
    change(alice, room, add=(bob.member,))
    (start,) = [output for output in host.outputs if isinstance(output, StartDelivery)]
    assert (start.connection, start.channel, start.after) == (bob.connection, room, removed.seq)
