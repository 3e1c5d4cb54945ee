"""Requests to be added that nobody should answer: from strangers, from people who were removed."""

from collections.abc import Iterable

from secure_chat.client.commands import AcceptInvitation, CreateRoom, InvitePeople, Kick, Send
from secure_chat.client.engine.requests import make_request
from secure_chat.client.engine.spaces import Phase
from secure_chat.mls.credential.extensions import Lifetime
from secure_chat.mls.crypto.suite import SUITES
from secure_chat.mls.messages.key_package import KeyPackageBundle
from secure_chat.wire.messages import Entry, EntryKind, ServerMessage
from tests.adversary.audit import lying_relay
from tests.adversary.evidence import nothing_false
from tests.adversary.members import Rogue, room_of
from tests.adversary.relay import LyingRelay, changed, key_of
from tests.scenarios.harness import Node


def request_of(world: LyingRelay, node: Node, channel: bytes, generation: int, suite: int) -> bytes:
    """A genuine request of this client's device, which its software would not make."""
    node.engine._device.renew(fresh_key=True)
    seconds = world.now // 1000
    identity = node.engine._device.leaf(SUITES[suite])
    package = KeyPackageBundle.generate(SUITES[suite], identity, Lifetime(seconds - 60, seconds + 86_400)).key_package
    return make_request(key_of(node), channel, generation, world.now, (package.message(),))


def invited(world: LyingRelay, host: Node, guest: Node) -> None:
    """Into #plans, and there."""
    host.do(InvitePeople("#plans", (guest.name,)))
    world.settle()
    guest.do(AcceptInvitation("#plans"))
    world.settle()


def test_who_was_removed_from_a_closed_room_does_not_get_in_again_by_asking() -> None:
    """Asking serves devices that lost their state: to somebody without a leaf a closed room needs an invitation."""
    with lying_relay() as world:
        alice, bob, mallory = world.join("alice"), world.join("bob"), world.join("mallory")
        alice.do(CreateRoom("plans", None, True))
        invited(world, alice, bob)
        invited(world, alice, mallory)
        alice.do(Kick("#plans", "mallory"))
        world.settle()
        room = room_of(alice, "#plans")
        payload = request_of(world, mallory, room.channel, room.generation, room.suite)
        Rogue(mallory).append("#plans", EntryKind.REQUEST, payload, head=0)
        world.settle()
        for member in (alice, bob):
            accounts = member.engine._state.accounts(room_of(member, "#plans"))
            assert mallory.engine._state.own_account not in accounts


def test_a_stranger_of_the_relays_making_does_not_get_into_a_closed_room() -> None:
    """The relay can make accounts; one that asks to be added to a closed room stays outside."""
    with lying_relay() as world:
        alice, bob, eve = world.join("alice"), world.join("bob"), world.join("eve")
        alice.do(CreateRoom("plans", None, True))
        invited(world, alice, bob)
        room = room_of(alice, "#plans")
        payload = request_of(world, eve, room.channel, room.generation, room.suite)
        device = eve.engine._state.profile.device_id

        def as_eve(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            if isinstance(message, Entry) and message.payload == payload:
                return (changed(message, sender=device),)
            return (message,)

        world.outgoing.append(as_eve)
        Rogue(bob).append("#plans", EntryKind.REQUEST, payload, head=0)
        world.settle()
        for member in (alice, bob):
            accounts = member.engine._state.accounts(room_of(member, "#plans"))
            assert eve.engine._state.own_account not in accounts
        alice.do(Send("#plans", "not for eve"))
        world.settle()
        assert bob.texts() == ["not for eve"]
        nothing_false([alice, bob, eve])


def test_a_member_that_lost_its_state_gets_in_again_by_asking() -> None:
    """What requests are for goes on working in closed rooms."""
    with lying_relay() as world:
        alice, bob = world.join("alice"), world.join("bob")
        alice.do(CreateRoom("plans", None, False))
        invited(world, alice, bob)
        copy = bob.snapshot()
        bob.do(Send("#plans", "one"))
        world.settle()
        bob.restore(copy)
        world.settle(120_000)
        assert room_of(bob, "#plans").phase == Phase.JOINED
        bob.do(Send("#plans", "two"))
        world.settle()
        assert alice.texts() == ["one", "two"]
