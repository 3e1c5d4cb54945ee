"""A stolen device, after its owner has withdrawn it."""

from secure_chat.client.commands import RevokeDevice
from secure_chat.client.engine.content import Text
from secure_chat.client.events import SecurityKind
from secure_chat.identity.keys import AccountKey
from secure_chat.wire.messages import EntryKind
from tests.adversary.audit import lying_relay
from tests.adversary.evidence import noticed
from tests.adversary.members import Rogue, room_of


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
