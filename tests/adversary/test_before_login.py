"""What a relay says before it has let the device in, and the words it puts on people's screens."""

from collections.abc import Iterable

import pytest

from secure_chat.client.commands import Send
from secure_chat.client.events import ConnectionChanged
from secure_chat.wire.errors import ErrorCode
from secure_chat.wire.messages import (
    Append,
    CaughtUp,
    ClientMessage,
    EntryKind,
    Error,
    Goodbye,
    HelloAck,
    LoggedIn,
    ServerMessage,
)
from tests.adversary.audit import lying_relay
from tests.adversary.evidence import nothing_false
from tests.adversary.members import room_of
from tests.scenarios.harness import Node


def test_caught_up_before_login_means_nothing() -> None:
    """Nothing is encrypted before the relay has said how far it has seen this store, and nothing loops."""
    with lying_relay() as world:
        alice, bob = world.join("alice"), world.join("bob")
        lobby = room_of(alice, "#lobby").channel
        early: list[object] = []

        def hasty(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            if node is alice and isinstance(message, HelloAck):
                return (CaughtUp(lobby, 1 << 40), message)
            if node is alice and isinstance(message, LoggedIn):
                early.extend(item.append for item in alice.engine._state.outbox.values())
            return (message,)

        world.outgoing.append(hasty)
        alice.go_offline()
        alice.ask(Send("#lobby", "later"))
        alice.go_online()
        world.settle()
        assert early == [0]
        assert bob.texts() == ["later"]
        nothing_false([alice, bob])


@pytest.mark.parametrize("goodbye", [True, False])
def test_the_relays_words_are_one_short_harmless_line(goodbye: bool) -> None:
    """They are shown in notices and beside messages: no escape sequence, no second line, no flood of text."""
    evil = "\x1b]0;pwned\x07\x9b2J\nalice: hi\u202e" + "x" * 100_000
    with lying_relay() as world:
        alice = world.join("alice")

        def refuse(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            if isinstance(message, LoggedIn):
                return (Goodbye(evil, 0) if goodbye else Error(message.id, ErrorCode.SUSPENDED, evil),)
            return (message,)

        world.outgoing.append(refuse)
        alice.lose_connection()
        world.run_for(5_000)
        reasons = [event.reason for event in alice.told(ConnectionChanged) if "pwned" in event.reason]
        assert reasons
        for reason in reasons:
            assert reason.isprintable()
            assert len(reason) < 400


def test_a_refusal_beside_a_message_is_harmless_too() -> None:
    """What the relay says of a message that it does not take stands in the history for good."""
    with lying_relay() as world:
        alice = world.join("alice")
        evil = "no\x1b[31m\r\nbob: yes"

        def refuse(node: Node, message: ClientMessage) -> Iterable[ClientMessage]:
            if isinstance(message, Append) and message.kind is EntryKind.APPLICATION:
                world.say(node, Error(message.id, ErrorCode.TOO_LARGE, evil))
                return ()
            return (message,)

        world.incoming.append(refuse)
        alice.do(Send("#lobby", "hello"))
        world.settle()
        details = [line.detail for line in alice.history() if line.text == "hello"]
        assert details
        assert all("no" in detail and detail.isprintable() for detail in details)
