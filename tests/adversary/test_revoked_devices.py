"""A stolen device, after its owner has withdrawn it."""

from collections.abc import Iterable

from secure_chat.client.commands import RevokeDevice, Send
from secure_chat.client.engine.content import Text
from secure_chat.client.events import SecurityKind
from secure_chat.identity.keys import AccountKey
from secure_chat.mls.group.results import Application
from secure_chat.wire.messages import Entry, EntryKind, ServerMessage
from tests.adversary.audit import lying_relay
from tests.adversary.evidence import noticed
from tests.adversary.members import Rogue, room_of
from tests.scenarios.harness import Node


def test_a_withdrawn_device_is_not_heard_under_the_keys_of_a_past_epoch() -> None:
    """Its owner is still in the room with another device: that makes the stolen one no member."""
    with lying_relay() as world:
        owner = AccountKey(bytes(range(32)))
        alice = world.join("alice")
        bob = world.join("bob", account=owner)
        stolen = world.join("bob", account=owner, profile="stolen")
        room = room_of(alice, "#lobby")
        device = stolen.engine._state.profile.device_id
        rogue = Rogue(stolen)
        group = rogue.group("#lobby")
        bob.do(RevokeDevice(device.hex()))
        world.settle()
        assert device not in {o.device for o in alice.engine._state.occupants(alice.engine._state.group(room))}
        assert owner.public in alice.engine._state.accounts(room)
        payload = rogue.seal(group, Text("send money"), counter=1, chain=bytes(8))
        seq = world.last(alice, room.channel) + 1
        world.say(alice, world.entry(room.channel, seq, EntryKind.APPLICATION, device, payload))
        world.settle()
        assert "send money" not in alice.texts()
        noticed(alice, SecurityKind.REMOVED_SENDER, "bob")


def test_a_withdrawn_device_reads_nothing_new() -> None:
    """Its leaves are removed from every room: with all its keys and the relay's log it stays outside."""
    with lying_relay() as world:
        owner = AccountKey(bytes(range(32)))
        alice = world.join("alice")
        bob = world.join("bob", account=owner)
        stolen = world.join("bob", account=owner, profile="stolen")
        alice.do(Send("#lobby", "the thief reads this"))
        world.settle()
        assert "the thief reads this" in stolen.texts()
        spy = Rogue(stolen).group("#lobby")
        log: list[bytes] = []

        def record(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            if node is alice and isinstance(message, Entry) and message.channel == room_of(alice, "#lobby").channel:
                log.append(message.payload)
            return (message,)

        world.outgoing.append(record)
        bob.do(RevokeDevice(stolen.engine._state.profile.device_id.hex()))
        world.settle()
        alice.do(Send("#lobby", "and not this"))
        bob.do(Send("#lobby", "nor this"))
        world.settle()
        assert {"and not this", "nor this"} <= set(alice.texts())
        assert not any(isinstance(spy.receive(payload), Application) for payload in log)
        assert stolen.texts() == ["the thief reads this"]
