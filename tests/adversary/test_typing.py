"""Typing notices: nobody speaks for another, and none is shown a second time."""

from collections.abc import Iterable

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from secure_chat.client.commands import Typing
from secure_chat.client.engine.content import encode_typing
from secure_chat.client.engine.presence import KEY_LABEL, MAX_AGE
from secure_chat.client.events import TypingSeen
from secure_chat.identity.labels import Purpose, to_be_signed
from secure_chat.wire.messages import ClientMessage, Ephemeral, EphemeralEntry
from tests.adversary.audit import lying_relay
from tests.adversary.members import Rogue, room_of
from tests.adversary.relay import LyingRelay
from tests.adversary.rooms import closed_room
from tests.scenarios.harness import Node


def seen(node: Node) -> list[str]:
    """Who was shown to be typing."""
    return [event.handle for event in node.told(TypingSeen)]


def forged(mallory: Node, leaf: int, time: int) -> bytes:
    """A notice for anybody's leaf, under the epoch's key and mallory's own signature."""
    rogue = Rogue(mallory)
    group = rogue.group("#plans")
    key = group.export(KEY_LABEL, b"", 32)
    epoch = group.epoch.to_bytes(8, "big")
    fields = (group.group_id, group.epoch, leaf, time)
    signature = group.identity.signature_key.sign(to_be_signed(Purpose.TYPING, *fields))
    data = encode_typing(leaf, time, signature)
    return (
        epoch + bytes(12) + ChaCha20Poly1305(key).encrypt(bytes(12), data, room_of(mallory, "#plans").channel + epoch)
    )


def hear(world: LyingRelay, node: Node, sender: Node, payload: bytes) -> None:
    """The relay delivers a notice."""
    device = sender.engine._state.profile.device_id
    world.say(node, EphemeralEntry(room_of(node, "#plans").channel, device, payload))
    world.settle(500)


def test_a_member_can_not_have_another_typing() -> None:
    """Everybody has the epoch's key; the signature says whose notice it is."""
    with lying_relay() as world:
        alice, bob, mallory = closed_room(world, "bob", "mallory")
        rogue = Rogue(mallory)
        hear(world, alice, bob, forged(mallory, rogue.leaf("#plans", "bob"), world.now))
        assert seen(alice) == []
        hear(world, alice, mallory, forged(mallory, rogue.leaf("#plans", "mallory"), world.now))
        assert seen(alice) == ["mallory"]


def test_a_relay_can_not_show_a_notice_again() -> None:
    """Neither at once nor later; one that was never shown only while it may be news."""
    with lying_relay() as world:
        alice, bob = closed_room(world, "bob")
        caught: list[bytes] = []

        def catch(node: Node, message: ClientMessage) -> Iterable[ClientMessage]:
            if isinstance(message, Ephemeral) and node is bob:
                caught.append(message.payload)
                return () if len(caught) == 2 else (message,)
            return (message,)

        world.incoming.append(catch)
        bob.do(Typing("#plans"))
        world.settle(5_000)
        assert seen(alice) == ["bob"]
        hear(world, alice, bob, caught[0])
        assert seen(alice) == ["bob"]
        bob.do(Typing("#plans"))
        world.run_for(MAX_AGE + 1_000)
        alice.crash()  # who starts anew remembers no notice
        world.settle(1_000)
        hear(world, alice, bob, caught[0])
        hear(world, alice, bob, caught[1])
        assert seen(alice) == ["bob"]
