"""Making channels and asking about them."""

import pytest

from secure_chat.server.core.settings import Settings
from secure_chat.wire.errors import ErrorCode
from secure_chat.wire.messages import (
    ChannelInfo,
    ChannelKind,
    CreateChannel,
    Error,
    GetChannel,
    ListRooms,
    OpenRooms,
)
from tests.server.relay_host import Peer, RelayHost


def test_a_room_begins_with_its_creator(host: RelayHost) -> None:
    """As its admin and only member device, without a group."""
    alice = Peer.join(host, "alice")
    info = alice.create(ChannelKind.ROOM)
    assert info.created
    assert (info.devices, info.admins, info.members_may_add) == ((alice.member,), (alice.account.public,), True)
    assert (info.summary.generation, info.summary.head, info.summary.last, info.summary.first) == (0, 0, 0, 1)
    assert alice.create(ChannelKind.ROOM).summary.channel != info.summary.channel


def test_a_direct_channel_is_unique_per_pair(host: RelayHost) -> None:
    """Whoever makes it again gets it back; each sees the other as peer."""
    alice, bob = Peer.join(host, "alice"), Peer.join(host, "bob")
    first = alice.create(ChannelKind.DIRECT, peer=bob.account.public)
    second = bob.create(ChannelKind.DIRECT, peer=alice.account.public)
    assert (first.created, second.created) == (True, False)
    assert first.summary.channel == second.summary.channel
    assert (first.summary.peer, second.summary.peer) == (bob.account.public, alice.account.public)
    assert set(first.admins) == {alice.account.public, bob.account.public}
    host.restart()
    bob.connect()
    bob.log_in()
    assert bob.create(ChannelKind.DIRECT, peer=alice.account.public).summary.channel == first.summary.channel


def test_notes_to_oneself(host: RelayHost) -> None:
    """The direct channel of an account with itself is for its own devices."""
    alice = Peer.join(host, "alice")
    own = alice.create(ChannelKind.DIRECT, peer=alice.account.public)
    assert own.summary.peer == alice.account.public


def test_a_direct_channel_needs_somebody(host: RelayHost) -> None:
    """An account that doesn't exist has none."""
    alice = Peer.join(host, "alice")
    assert alice.refused(CreateChannel(1, ChannelKind.DIRECT, peer=bytes(32))).code is ErrorCode.NOT_FOUND


def test_an_open_room_is_unique_by_name(host: RelayHost) -> None:
    """Upper and lower case are the same; the first spelling stays."""
    alice, bob = Peer.join(host, "alice"), Peer.join(host, "bob")
    first = alice.create(ChannelKind.OPEN, name="Lobby")
    second = bob.create(ChannelKind.OPEN, name="lobby")
    assert first.summary.channel == second.summary.channel
    assert (second.created, second.summary.name) == (False, "Lobby")


@pytest.mark.parametrize("name", ["", " lobby", "lobby ", "lob\nby", "lob\x00by"])
def test_a_rooms_name_is_printable(host: RelayHost, name: str) -> None:
    """It must not confuse a terminal."""
    alice = Peer.join(host, "alice")
    assert alice.refused(CreateChannel(1, ChannelKind.OPEN, name)).code is ErrorCode.FORBIDDEN


@pytest.mark.parametrize(
    ("kind", "name", "peer"),
    [
        (ChannelKind.ROOM, "secret", b""),
        (ChannelKind.ROOM, "", bytes(32)),
        (ChannelKind.OPEN, "lobby", bytes(32)),
        (ChannelKind.DIRECT, "", b"short"),
        (ChannelKind.DIRECT, "name", bytes(32)),
    ],
)
def test_fields_belong_to_kinds(host: RelayHost, kind: ChannelKind, name: str, peer: bytes) -> None:
    """The relay never learns the name of a closed room."""
    alice = Peer.join(host, "alice")
    assert alice.refused(CreateChannel(1, kind, name, peer)).code is ErrorCode.MALFORMED
    assert alice.closed


def test_nobody_makes_an_inbox(host: RelayHost) -> None:
    """Inboxes come with devices."""
    alice = Peer.join(host, "alice")
    assert alice.refused(CreateChannel(1, ChannelKind.INBOX)).code is ErrorCode.FORBIDDEN


def test_closed_channels_are_shown_to_members_accounts_only(host: RelayHost) -> None:
    """Open rooms to anyone, inboxes to nobody."""
    alice, bob, eve = (Peer.join(host, name) for name in ("alice", "bob", "eve"))
    room = alice.room(bob)
    lobby = alice.room(kind=ChannelKind.OPEN, name="lobby")
    direct = alice.create(ChannelKind.DIRECT, peer=bob.account.public).summary.channel
    assert isinstance(bob.another_device().ask(GetChannel(1_000, room)), ChannelInfo)
    assert isinstance(bob.ask(GetChannel(1_000, direct)), ChannelInfo)
    assert isinstance(eve.ask(GetChannel(1_000, lobby)), ChannelInfo)
    for channel in (room, direct, eve.inbox, bytes(16)):
        assert eve.refused(GetChannel(1_000, channel)).code is ErrorCode.NOT_FOUND


def test_channel_says_whether_anybody_could_answer(host: RelayHost) -> None:
    """Another visible device is connected; where the operator tells nobody who is online, it may be."""
    alice, bob = Peer.join(host, "alice"), Peer.join(host, "bob")
    lobby = alice.room(kind=ChannelKind.OPEN, name="lobby")

    def attended(peer: Peer) -> bool:
        answer = peer.ask(GetChannel(1_000, lobby))
        assert isinstance(answer, ChannelInfo)
        return answer.attended

    assert attended(bob)
    assert not attended(alice), "nobody else is in it"
    alice.disconnect()
    assert not attended(bob)
    alice.connect()
    alice.log_in()
    assert attended(bob)
    host.settings = Settings(presence=False)
    host.restart()
    bob.connect()
    bob.log_in()
    assert attended(bob)


def test_open_rooms_are_listed(host: RelayHost) -> None:
    """With the number of their devices."""
    alice, bob = Peer.join(host, "alice"), Peer.join(host, "bob")
    alice.room(bob)
    alice.room(bob, kind=ChannelKind.OPEN, name="lobby")
    alice.room(kind=ChannelKind.OPEN, name="garden")
    answer = bob.ask(ListRooms(1_000))
    assert isinstance(answer, OpenRooms)
    assert [(room.name, room.devices) for room in answer.rooms] == [("lobby", 2), ("garden", 1)]


def test_channels_are_limited(host: RelayHost) -> None:
    """Rooms per account, open rooms in all, and how fast."""
    alice, bob = Peer.join(host, "alice"), Peer.join(host, "bob")

    def refusal(peer: Peer, kind: ChannelKind, name: str = "") -> ErrorCode | None:
        answer = peer.ask(CreateChannel(peer.next_id(), kind, name))
        return answer.code if isinstance(answer, Error) else None

    host.relay.reconfigure(Settings(rooms_per_account=2, open_rooms=1), b"")
    assert refusal(alice, ChannelKind.OPEN, "lobby") is None
    assert refusal(bob, ChannelKind.OPEN, "garden") is ErrorCode.QUOTA
    assert refusal(alice, ChannelKind.ROOM) is None
    assert refusal(alice, ChannelKind.ROOM) is ErrorCode.QUOTA
    host.relay.reconfigure(Settings(creations_burst=1), b"")
    assert refusal(bob, ChannelKind.ROOM) is None
    assert refusal(bob, ChannelKind.ROOM) is ErrorCode.RATE_LIMITED


def test_the_operator_may_keep_open_rooms(host: RelayHost) -> None:
    """Then members enter the lobby, and make no others."""
    host.relay.reconfigure(Settings(members_may_open_rooms=False), b"")
    alice = Peer.join(host, "alice")
    assert alice.refused(CreateChannel(1, ChannelKind.OPEN, "garden")).code is ErrorCode.FORBIDDEN
    assert alice.create(ChannelKind.OPEN, name="lobby").created
