"""Who is online, and ephemeral entries."""

from secure_chat.server.core.effects import Delivery, Received, Reply
from secure_chat.server.core.settings import Settings
from secure_chat.wire.messages import (
    Appended,
    ChannelChange,
    ChannelKind,
    EntryKind,
    Ephemeral,
    EphemeralEntry,
    Presence,
)
from tests.server.relay_host import Peer, RelayHost


def test_those_who_share_a_channel_are_told(host: RelayHost) -> None:
    """On the next tick, of coming and going; strangers hear nothing."""
    alice, bob, eve = (Peer.join(host, name) for name in ("alice", "bob", "eve"))
    alice.room(bob)
    bob.disconnect()
    host.tick()
    for peer in (alice, eve):
        peer.take_all(Presence)
    bob.connect()
    bob.log_in()
    assert not alice.take_all(Presence)
    host.tick()
    assert alice.take_all(Presence) == [Presence((bob.account.public,), ())]
    assert bob.take_all(Presence) == [Presence((alice.account.public,), ())], "a newcomer learns who is there"
    bob.disconnect()
    host.tick()
    assert alice.take_all(Presence) == [Presence((), (bob.account.public,))]
    assert not eve.take_all(Presence)


def test_who_is_added_to_a_channel_has_come_there(host: RelayHost) -> None:
    """Both were online before they had a channel in common."""
    alice, bob, carol = (Peer.join(host, name) for name in ("alice", "bob", "carol"))
    hidden = Peer.join(host, "hidden", visible=False)
    host.tick()
    alice.room(bob, hidden)
    host.tick()
    assert alice.take_all(Presence) == [Presence((bob.account.public,), ())]
    assert bob.take_all(Presence) == [
        Presence((alice.account.public,), ()),
    ]
    assert len(hidden.take_all(Presence)) == 2, "what is new there, and who is there"
    assert not carol.take_all(Presence)


def test_a_short_absence_is_not_mentioned(host: RelayHost) -> None:
    """Reconnecting within a tick is nothing that happened."""
    alice, bob = Peer.join(host, "alice"), Peer.join(host, "bob")
    alice.room(bob)
    host.tick()
    alice.take_all(Presence)
    bob.reconnect()
    host.tick()
    assert not alice.take_all(Presence)


def test_an_account_is_online_with_any_device(host: RelayHost) -> None:
    """It goes with the last."""
    alice, bob = Peer.join(host, "alice"), Peer.join(host, "bob")
    second = bob.another_device()
    alice.room(bob, second)
    host.tick()
    alice.take_all(Presence)
    bob.disconnect()
    host.tick()
    assert not alice.take_all(Presence)
    second.disconnect()
    host.tick()
    assert alice.take_all(Presence) == [Presence((), (bob.account.public,))]


def test_who_wants_to_be_invisible_is(host: RelayHost) -> None:
    """And still sees others."""
    alice, bob = Peer.join(host, "alice"), Peer.join(host, "bob", visible=False)
    alice.room(bob)
    host.tick()
    alice.take_all(Presence)
    bob.reconnect()
    host.tick()
    assert not alice.take_all(Presence)
    assert bob.take_all(Presence) == [Presence((alice.account.public,), ())]


def test_a_lobby_costs_one_frame_for_all(host: RelayHost) -> None:
    """Two hundred members who share the same channels get the same bytes."""
    host.relay.reconfigure(Settings(commits_burst=100), b"")
    first = Peer.join(host, "first")
    lobby = first.room(kind=ChannelKind.OPEN, name="lobby")
    head = 1
    for number in range(60):
        peer = Peer.join(host, f"peer{number}")
        answer = peer.append(lobby, EntryKind.COMMIT, head=head, change=ChannelChange(add=(peer.member,)))
        assert isinstance(answer, Appended)
        head = answer.head
    host.tick()
    last = Peer.join(host, "last")
    answer = last.append(lobby, EntryKind.COMMIT, head=head, change=ChannelChange(add=(last.member,)))
    host.tick()
    frames = [output.frame for output in host.outputs if isinstance(output, Reply)]
    newcomer = [frame for frame in frames if frames.count(frame) == 1]
    assert len(frames) == 62
    assert len(newcomer) == 1
    assert len({id(frame) for frame in frames}) == 2


def test_presence_can_be_turned_off(host: RelayHost) -> None:
    """By the operator, for all."""
    host.relay.reconfigure(Settings(presence=False), b"")
    alice, bob = Peer.join(host, "alice"), Peer.join(host, "bob")
    alice.room(bob)
    host.tick()
    assert not alice.take_all(Presence)


def test_an_ephemeral_entry_goes_to_the_connected_and_is_never_stored(host: RelayHost) -> None:
    """To everyone but the sender's own connection."""
    alice, bob = Peer.join(host, "alice"), Peer.join(host, "bob")
    room = alice.room(bob)
    alice.send(Ephemeral(room, b"typing"))
    assert bob.take(EphemeralEntry) == EphemeralEntry(room, alice.device_id, b"typing")
    assert not alice.take_all(EphemeralEntry)
    (output,) = host.outputs
    assert isinstance(output, Delivery)
    assert (output.seq, output.exclude) == (0, alice.connection)
    assert len(host.reader.read_after(room, 0, 10, 1000)) == 1


def test_ephemeral_entries_of_strangers_and_floods_are_dropped(host: RelayHost) -> None:
    """Without an answer: they are not worth one."""
    alice, eve = Peer.join(host, "alice"), Peer.join(host, "eve")
    room = alice.room()
    eve.send(Ephemeral(room, b"x"), Ephemeral(bytes(16), b"x"))
    assert host.outputs == []
    host.step(*(Received(alice.connection, Ephemeral(room, b"x")) for _ in range(100)))
    assert len(host.outputs) == 30
