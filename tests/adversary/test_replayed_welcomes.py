"""A relay that delivers a Welcome again: nobody enters a state of a group twice, whose keys have been used there."""

from collections.abc import Iterable

from secure_chat.client.commands import (
    AcceptInvitation,
    CreateRoom,
    InvitePeople,
    JoinRoom,
    LeaveRoom,
    RefreshKeys,
    Send,
)
from secure_chat.client.engine.spaces import Phase
from secure_chat.client.events import Invited, SecurityKind
from secure_chat.wire.messages import (
    ChannelAdded,
    ChannelClosed,
    ChannelKind,
    ChannelSummary,
    Entry,
    EntryKind,
    ServerMessage,
)
from tests.adversary.audit import lying_relay
from tests.adversary.evidence import nobody_noticed, nothing_false, noticed
from tests.adversary.forgery import deliver_welcome, forged_group, package_of
from tests.adversary.members import room_of
from tests.adversary.relay import LyingRelay
from tests.adversary.rooms import CLASSICAL, closed_room
from tests.scenarios.harness import Node
from tests.scenarios.invariants import check_all


def added_by_last_resort(world: LyingRelay) -> tuple[Node, Node, bytes]:
    """Bob in alice's room #plans by his last-resort key package, and the Welcome that was encrypted to it."""
    alice, bob, mallory = world.join("alice"), world.join("bob"), world.join("mallory")
    welcomes: list[bytes] = []

    def keep(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
        if node is bob and isinstance(message, Entry) and message.kind is EntryKind.WELCOME:
            welcomes.append(message.payload)
        return (message,)

    world.outgoing.append(keep)
    bob.go_offline()
    packages = [package_of(world, mallory, bob).encode() for _ in range(22)]
    assert packages[-1] == packages[-2], "the last resort is handed out again and again"
    alice.do(CreateRoom("plans", CLASSICAL, False))
    alice.do(InvitePeople("#plans", ("bob",)))
    bob.go_online()
    world.settle()
    bob.do(AcceptInvitation(bob.told(Invited)[-1].invitation.room))
    bob.do(Send("#plans", "here I am"))
    world.settle()
    return alice, bob, welcomes[-1]


def test_a_replayed_welcome_labelled_as_a_founding_does_not_lead_back() -> None:
    """Its founder had every right, but the room is beyond that: a founding starts another generation."""
    with lying_relay() as world:
        alice, bob, welcome = added_by_last_resort(world)
        alice.do(RefreshKeys("#plans"))
        world.settle()
        room = room_of(bob, "#plans")
        before = bob.engine._state.group(room).epoch_authenticator
        seq = world.last(bob, room.channel) + 1
        deliver_welcome(world, bob, welcome, room.channel, seq)
        founder = alice.engine._state.profile.device_id
        founding = world.entry(room.channel, seq, EntryKind.FOUNDING, founder, b"again", head=room.head)
        world.say(bob, founding)
        world.run_for(100)
        assert bob.engine._state.group(room_of(bob, "#plans")).epoch_authenticator == before
        noticed(bob, SecurityKind.BAD_ENTRY, "not genuine")
        nothing_false([alice, bob])


def test_a_replayed_welcome_invites_nobody_who_has_left() -> None:
    """Bob has left and knows the room no more; the old Welcome would put him where he has used keys already."""
    with lying_relay() as world:
        alice, bob, welcome = added_by_last_resort(world)
        channel = room_of(bob, "#plans").channel
        bob.do(LeaveRoom("#plans"))
        world.settle()
        invited = len(bob.told(Invited))
        seq = world.last(bob, channel) + 1
        world.say(bob, ChannelAdded(ChannelSummary(channel, ChannelKind.ROOM, "", b"", seq, seq, seq, 1, 0, seq)))
        deliver_welcome(world, bob, welcome, channel, seq)
        sender = alice.engine._state.profile.device_id
        world.say(bob, world.entry(channel, seq, EntryKind.COMMIT, sender, b"again"))
        world.run_for(2_000)
        assert len(bob.told(Invited)) == invited
        assert bob.engine._state.rooms[channel].phase not in (Phase.INVITED, Phase.JOINED)
        noticed(bob, SecurityKind.BAD_ENTRY, "not genuine")


def test_a_founding_of_the_generation_that_runs_already_is_none() -> None:
    """Even an admin's group takes a room's place only with a higher generation: nothing else is new."""
    with lying_relay() as world:
        alice, bob = closed_room(world, "bob")
        room = room_of(bob, "#plans")
        roles = bob.engine._state.roles(room)
        assert roles is not None
        before = bob.engine._state.group(room).epoch_authenticator
        group, welcome = forged_group(alice, room.channel, roles, [package_of(world, alice, bob)])
        seq = world.last(bob, room.channel) + 1
        deliver_welcome(world, bob, welcome, room.channel, seq)
        founder = alice.engine._state.profile.device_id
        world.say(bob, world.entry(room.channel, seq, EntryKind.FOUNDING, founder, group.group_id, head=room.head))
        world.run_for(100)
        assert bob.engine._state.group(room).epoch_authenticator == before
        noticed(bob, SecurityKind.COMMIT_REFUSED)


class KeepWelcomes:
    """Keeps bob's Welcomes from him while it is active."""

    def __init__(self) -> None:
        self.kept: list[Entry] = []
        self.active = True

    def __call__(self, node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
        if self.active and node.name == "bob" and isinstance(message, Entry) and message.kind is EntryKind.WELCOME:
            self.kept.append(message)
            return ()
        return (message,)

    def give(self, world: LyingRelay, bob: Node, number: int, *, later: int = 0) -> bytes:
        """Delivers one of them after all, as if its group began so many entries later; the channel of its room."""
        entry = self.kept[number]
        assert entry.origin is not None
        channel, seq = entry.origin
        deliver_welcome(world, bob, entry.payload, channel, seq + later)
        return channel


def left_before_its_welcome_came(world: LyingRelay) -> tuple[Node, Node, KeepWelcomes]:
    """Bob has asked to be let in, got no Welcome, come in by himself and left; the Welcome is kept."""
    keep = KeepWelcomes()
    world.outgoing.append(keep)
    alice, bob = world.join("alice"), world.join("bob")
    bob.do(Send("#lobby", "here I am"))
    bob.do(LeaveRoom("#lobby"))
    world.settle()
    keep.active = False
    assert len(keep.kept) == 1
    return alice, bob, keep


def comes_back(world: LyingRelay, alice: Node, bob: Node) -> None:
    """Bob enters the lobby again, and both are in the same group without any alarm."""
    bob.do(Send("#lobby", "back again"))
    world.settle()
    assert "back again" in alice.texts()
    nobody_noticed([alice, bob])
    check_all([alice, bob])


def test_a_welcome_kept_back_until_one_has_left_does_not_lead_back() -> None:
    """It answers what bob had asked before, and its group has gone on since: nobody else is there."""
    with lying_relay() as world:
        alice, bob, keep = left_before_its_welcome_came(world)
        channel = keep.give(world, bob, 0)
        world.settle()
        assert bob.engine._state.rooms[channel].phase == Phase.LEFT
        assert bob.told(Invited) == []
        check_all([alice, bob])
        bob.do(JoinRoom("lobby"))
        comes_back(world, alice, bob)


def test_a_welcome_kept_back_until_one_enters_again_does_not_lead_astray() -> None:
    """Bob waits for the answer to his new request, and the relay hands him the one to his first."""
    with lying_relay() as world:
        alice, bob, keep = left_before_its_welcome_came(world)
        bob.ask(JoinRoom("lobby"))
        world.run_until(lambda: room_of(bob, "#lobby").phase == Phase.ENTERING)
        keep.give(world, bob, 0)
        world.settle()
        comes_back(world, alice, bob)


def test_a_welcome_that_names_an_entry_to_come_holds_up_nobody_who_enters_again() -> None:
    """The relay names an entry that it will never have; once it is honest, bob sees that he is on no list, and asks."""
    with lying_relay() as world:
        alice, bob, keep = left_before_its_welcome_came(world)
        bob.ask(JoinRoom("lobby"))
        world.run_until(lambda: room_of(bob, "#lobby").phase == Phase.ENTERING)
        keep.give(world, bob, 0, later=1_000)
        world.settle()
        bob.lose_connection()
        world.settle()
        comes_back(world, alice, bob)


def test_a_welcome_that_names_an_entry_to_come_holds_up_nobody_whose_delivery_ends() -> None:
    """The relay ends delivery before the entry that it has named: bob comes back without waiting for that."""
    with lying_relay() as world:
        keep = KeepWelcomes()
        world.outgoing.append(keep)
        alice, bob = world.join("alice"), world.join("bob")
        channel = keep.give(world, bob, 0, later=1_000)
        world.settle()
        world.say(bob, ChannelClosed(channel, 0))
        world.settle()
        noticed(bob, SecurityKind.REJOINED)
        check_all([alice, bob])


def test_a_welcome_kept_back_until_one_is_invited_again_does_not_lead_astray() -> None:
    """Bob has left a closed room and is invited once more; the relay hands him the first invitation before this one."""
    with lying_relay() as world:
        alice, bob = world.join("alice"), world.join("bob")
        keep = KeepWelcomes()
        world.outgoing.append(keep)
        alice.do(CreateRoom("plans", CLASSICAL, False))
        alice.do(InvitePeople("#plans", ("bob",)))
        world.settle()
        keep.active = False
        world.run_until(lambda: bob.told(Invited) != [], what="the answer to his request")
        bob.do(LeaveRoom("#plans"))
        world.settle()
        keep.active = True
        alice.do(InvitePeople("#plans", ("bob",)))
        world.settle(1_000)
        for number in (0, -1):
            channel = keep.give(world, bob, number)
            world.settle(1_000)
        keep.active = False
        assert bob.engine._state.rooms[channel].phase == Phase.INVITED
        bob.do(AcceptInvitation(channel.hex()))
        world.settle()
        nobody_noticed([alice, bob])
        check_all([alice, bob])
