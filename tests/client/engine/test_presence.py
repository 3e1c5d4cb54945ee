"""Who is online and who is typing: told, and forgotten."""

from secure_chat.client.commands import SetVisible, Typing
from secure_chat.client.engine.effects import Ask, Received
from secure_chat.client.engine.presence import TYPING_INTERVAL
from secure_chat.client.events import PresenceChanged, TypingSeen
from secure_chat.wire.framing import HEADER_LENGTH, decode_client_message
from secure_chat.wire.messages import Ephemeral, EphemeralEntry
from tests.scenarios.harness import Node, World, world


def typing_frame(w: World, node: Node) -> Ephemeral:
    """The notice that would leave now."""
    w.run_for(TYPING_INTERVAL)
    node._refs += 1

    frames = node.engine.handle(Ask(node._refs, Typing("#lobby")), w.now).frames
    message = decode_client_message(frames[0][HEADER_LENGTH:])
    assert isinstance(message, Ephemeral)
    return message


def test_typing_is_seen_at_most_every_few_seconds() -> None:
    """However fast somebody types."""
    with world() as w:
        alice, bob = w.join("alice"), w.join("bob")
        for _ in range(10):
            alice.do(Typing("#lobby"))
        w.settle(1_000)
        assert [event.handle for event in bob.told(TypingSeen)] == ["alice"]
        w.settle(TYPING_INTERVAL)
        alice.do(Typing("#lobby"))
        w.settle(1_000)
        assert len(bob.told(TypingSeen)) == 2
        assert not alice.told(TypingSeen)


def test_a_notice_that_is_not_genuine_is_dropped() -> None:
    """Changed, of another epoch, of another room, or no notice at all."""
    with world() as w:
        alice, bob = w.join("alice"), w.join("bob")
        sender = alice.engine._state.profile.device_id
        good = typing_frame(w, alice)
        payloads = [good.payload[:-1] + b"x", b"", b"\xff" + good.payload[1:], good.payload[:8] + bytes(40)]
        for payload in payloads:
            bob.handle(Received(EphemeralEntry(good.channel, sender, payload)))
        bob.handle(Received(EphemeralEntry(bytes(16), sender, good.payload)))
        assert not bob.told(TypingSeen)
        bob.handle(Received(EphemeralEntry(good.channel, sender, good.payload)))
        assert len(bob.told(TypingSeen)) == 1


def test_coming_and_going_is_told_to_who_shares_a_room() -> None:
    """Unless one would rather not."""
    with world() as w:
        alice, bob = w.join("alice"), w.join("bob")
        w.settle(10_000)
        alice.go_offline()
        w.settle(120_000)
        alice.go_online()
        w.settle(60_000)
        assert [event.online for event in bob.told(PresenceChanged)][-2:] == [False, True]
        alice.go_offline()
        w.settle(120_000)
        seen = len(bob.told(PresenceChanged))
        alice.do(SetVisible(False))
        alice.go_online()
        w.settle(120_000)
        assert len(bob.told(PresenceChanged)) == seen
