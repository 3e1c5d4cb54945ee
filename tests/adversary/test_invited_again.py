"""Removed and invited again while away: the person is asked, and nothing that did not happen is told."""

from msgspec.structs import replace

from secure_chat.client.commands import AcceptInvitation, DeclineInvitation, InvitePeople, Kick, Send
from secure_chat.client.engine.spaces import Phase
from secure_chat.client.events import FailureCode, Invited, RoomRemoved, SecurityKind
from secure_chat.client.queries import GetInvitations
from secure_chat.client.views import InvitationView
from secure_chat.wire.messages import ChannelClosed, Entry, EntryKind
from tests.adversary.audit import lying_relay
from tests.adversary.evidence import nobody_noticed, nothing_false
from tests.adversary.forgery import deliver_welcome, forged_group, package_of
from tests.adversary.members import room_of
from tests.adversary.relay import LyingRelay
from tests.adversary.rooms import closed_room, kinds
from tests.scenarios.harness import Node
from tests.scenarios.invariants import check_all


def removed_and_invited(world: LyingRelay) -> list[Node]:
    """bob is kicked and invited again while he is away; he is back online."""
    nodes = closed_room(world, "bob", "carol")
    alice, bob, carol = nodes
    bob.go_offline()
    alice.do(Kick("#plans", "bob"))
    world.settle()
    carol.do(Send("#plans", "not for bob"))
    world.settle(20_000)
    alice.do(InvitePeople("#plans", ("bob",)))
    world.settle()
    bob.go_online()
    world.settle(30_000)
    return nodes


def invitations(node: Node) -> list[str]:
    """Who invites, of what waits for a decision."""
    views = node.do(GetInvitations())
    assert isinstance(views, tuple)
    return [view.inviter for view in views if isinstance(view, InvitationView)]


def test_the_person_is_asked_again_and_accepts() -> None:
    """A new invitation, no alarm; what was said meanwhile was not for them."""
    with lying_relay() as world:
        alice, bob, carol = removed_and_invited(world)
        nobody_noticed([alice, bob, carol])
        assert len(bob.told(Invited)) == 2
        assert len(bob.told(RoomRemoved)) == 1
        assert invitations(bob) == ["alice"]
        assert not bob.rooms()["#plans"].joined
        bob.do(AcceptInvitation("#plans"))
        world.settle()
        alice.do(Send("#plans", "welcome back"))
        bob.do(Send("#plans", "thanks"))
        world.settle()
        assert "welcome back" in bob.texts()
        assert "thanks" in carol.texts()
        assert "not for bob" not in bob.texts()
        nobody_noticed([alice, bob, carol])
        check_all([alice, bob, carol])
        nothing_false([alice, bob, carol])


def test_the_person_is_asked_again_and_declines() -> None:
    """They are out, as the others see."""
    with lying_relay() as world:
        alice, bob, carol = removed_and_invited(world)
        bob.do(DeclineInvitation("#plans"))
        world.settle()
        assert room_of(bob, "#plans").phase == Phase.LEFT
        assert alice.rooms()["#plans"].members == 2
        nobody_noticed([alice, bob, carol])
        check_all([alice, bob, carol])


def test_who_had_lost_the_room_meanwhile_is_asked_too() -> None:
    """bob's store was set back while he was away and removed: what brings him back is an invitation."""
    with lying_relay() as world:
        alice, bob, carol = closed_room(world, "bob", "carol")
        copy = bob.snapshot()
        bob.do(Send("#plans", "forgotten here"))
        world.settle()
        bob.go_offline()
        alice.do(Kick("#plans", "bob"))
        world.settle()
        bob.restore(copy)
        bob.go_online()
        world.settle(60_000)
        alice.do(InvitePeople("#plans", ("bob",)))
        world.settle(60_000)
        assert invitations(bob) == ["alice"]
        assert not bob.rooms()["#plans"].joined
        bob.do(AcceptInvitation("#plans"))
        world.settle()
        check_all([alice, bob, carol])


def test_who_is_out_before_deciding_decides_all_the_same() -> None:
    """bob's invitation is open when the relay strikes him off: nothing can be written, and accepting counts."""
    with lying_relay() as world:
        alice, carol = closed_room(world, "carol")
        bob = world.join("bob")
        alice.do(InvitePeople("#plans", ("bob",)))
        world.settle()
        assert invitations(bob) == ["alice"]
        world.outgoing.append(lambda node, m: () if node is bob and isinstance(m, Entry) else (m,))
        room = room_of(bob, "#plans")
        world.say(bob, ChannelClosed(room.channel, 0))
        world.run_for(50)
        assert room.phase == Phase.OUT
        assert invitations(bob) == ["alice"]
        view = bob.rooms()["#plans"]
        assert (view.joined, view.writable, view.blocked) == (False, False, "accept the invitation first")
        assert bob.fails(Send("#plans", "too early")) is FailureCode.NOT_ALLOWED
        bob.do(AcceptInvitation("#plans"))
        assert not invitations(bob)
        assert bob.rooms()["#plans"].joined
        world.honest()
        world.settle(120_000)
        bob.do(Send("#plans", "here I am"))
        world.settle()
        assert "here I am" in alice.texts()
        assert "here I am" in carol.texts()
        assert len(bob.told(Invited)) == 1
        check_all([alice, bob, carol])


def test_a_stranger_leads_nobody_back_into_a_room() -> None:
    """Relay and mallory: alice is struck off, and her request is answered by mallory's own group of that name."""
    with lying_relay() as world:
        alice, bob = closed_room(world, "bob")
        mallory = world.join("mallory")
        room = room_of(alice, "#plans")
        roles = alice.engine._state.roles(room)
        assert roles is not None
        packages = [package_of(world, mallory, node) for node in (alice, bob)]
        bob.go_offline()
        world.say(alice, ChannelClosed(room.channel, 0))
        world.run_for(50)
        assert room.phase == Phase.OUT
        forged = replace(roles, admins=(mallory.engine._state.own_account,))
        _, welcome = forged_group(mallory, room.channel, forged, packages)
        seq = world.last(alice, room.channel) + 1
        deliver_welcome(world, alice, welcome, room.channel, seq)
        device = mallory.engine._state.profile.device_id
        world.say(alice, world.entry(room.channel, seq, EntryKind.COMMIT, device, b"forged", head=room.head))
        world.run_for(100)
        assert room.phase != Phase.JOINED
        assert invitations(alice) in ([], ["mallory"])
        assert SecurityKind.REJOINED not in kinds(alice)
