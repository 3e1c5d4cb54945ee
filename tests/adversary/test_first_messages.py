"""The first messages that somebody writes, withheld from one device: it is told, whatever other devices have said."""

from collections.abc import Iterable

from secure_chat.client.commands import Send
from secure_chat.client.engine.own_chain import is_known_to_all
from secure_chat.client.events import SecurityKind
from secure_chat.identity.keys import AccountKey
from secure_chat.wire.messages import Entry, EntryKind, ServerMessage
from tests.adversary.audit import lying_relay
from tests.adversary.evidence import nobody_noticed, noticed
from tests.adversary.members import room_of
from tests.adversary.relay import LyingRelay
from tests.scenarios.harness import Node

OWNER = AccountKey(bytes([9]) * 32)


def two_devices(world: LyingRelay, name: str) -> tuple[Node, Node]:
    """Both of one account, in the lobby."""
    return world.join(name, account=OWNER), world.join(name, account=OWNER, profile=f"{name}.two")


def withhold_a_message(world: LyingRelay, author: Node, victim: Node, *, room: str = "#lobby") -> None:
    """Something that one device writes does not reach another; everybody else has it and says so, then it goes on."""
    device = author.engine._state.profile.device_id

    def lie(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
        written = isinstance(message, Entry) and message.kind is EntryKind.APPLICATION and message.sender == device
        return () if written and node is victim else (message,)

    world.outgoing.append(lie)
    author.do(Send(room, "the secret plan"))
    world.settle(30_000)
    world.outgoing.remove(lie)
    author.do(Send(room, "what do you think?"))
    world.settle()
    assert "the secret plan" not in victim.texts()
    assert "what do you think?" in victim.texts()


def test_a_device_is_told_what_only_its_owners_other_one_has_received() -> None:
    """Bob's first device has confirmed it; for his second it is missing."""
    with lying_relay() as world:
        alice = world.join("alice")
        bob, second = two_devices(world, "bob")
        withhold_a_message(world, alice, second)
        noticed(second, SecurityKind.GAP, "1 message", "alice")
        nobody_noticed([alice, bob])


def test_a_device_is_told_what_its_owner_has_written_elsewhere() -> None:
    """Everybody but alice's second device has what she wrote on her first."""
    with lying_relay() as world:
        alice, second = two_devices(world, "alice")
        bob = world.join("bob")
        second.do(Send("bob", "hello"))
        world.settle()
        withhold_a_message(world, alice, second, room="bob")
        noticed(second, SecurityKind.GAP, "1 message", "alice")
        nobody_noticed([alice, bob])


def test_a_device_that_comes_later_is_told_what_was_written_for_it() -> None:
    """Its owner had confirmed earlier messages before it came; they are not for it, and not missing."""
    with lying_relay() as world:
        alice, bob = world.join("alice"), world.join("bob", account=OWNER)
        alice.do(Send("#lobby", "one"))
        alice.do(Send("#lobby", "two"))
        world.settle(30_000)
        second = world.join("bob", account=OWNER, profile="bob.two")
        withhold_a_message(world, alice, second)
        noticed(second, SecurityKind.GAP, "1 message", "alice")
        nobody_noticed([alice, bob])


def test_who_has_everything_is_told_no_more_than_needed() -> None:
    """Once each device has confirmed something, messages no longer say how many there were before each epoch."""
    with lying_relay() as world:
        alice = world.join("alice")
        bob, second = two_devices(world, "bob")
        alice.do(Send("#lobby", "one"))
        second.go_offline()
        world.settle(30_000)
        state = alice.engine._state
        room = room_of(alice, "#lobby")
        assert not is_known_to_all(state, room), "the device that is away has confirmed nothing"
        second.go_online()
        world.settle(30_000)
        assert is_known_to_all(state, room)
        third = world.join("bob", account=OWNER, profile="bob.three")
        assert not is_known_to_all(state, room)
        alice.do(Send("#lobby", "two"))
        world.settle(30_000)
        assert is_known_to_all(state, room)
        nobody_noticed([alice, bob, second, third])
