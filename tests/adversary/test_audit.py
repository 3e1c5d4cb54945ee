"""What is looked at after every attack would be noticed, were it there."""

import pytest
from msgspec.structs import replace

from secure_chat.client.commands import Send
from secure_chat.client.engine.effects import PutMessage
from secure_chat.client.events import SecurityKind, SecurityNotice
from secure_chat.wire.messages import EntryKind
from tests.adversary.audit import audit
from tests.adversary.members import Rogue
from tests.adversary.relay import LyingRelay
from tests.adversary.relay import lying_relay as unaudited
from tests.adversary.rooms import closed_room
from tests.client.lines import line
from tests.scenarios.harness import Node


def room(world: LyingRelay) -> tuple[Node, Node]:
    """Two people in a closed room, one of whom has said something."""
    alice, bob = closed_room(world, "bob")
    alice.do(Send("#plans", "the sentence in question"))
    world.settle()
    audit(world)
    return alice, bob


@pytest.mark.parametrize("text", ["the sentence in question", "plans"])
def test_a_plaintext_that_the_relay_hears_is_noticed(text: str) -> None:
    """A message or a closed room's name, in anything that a client sends."""
    with unaudited() as world:
        room(world)
        world.heard.append(b"before " + text.encode() + b" after")
        with pytest.raises(AssertionError, match=f"the relay heard '{text}'"):
            audit(world)


def test_a_plaintext_that_the_relay_stores_is_noticed() -> None:
    """A member that sends a message as it is has it found in the database."""
    with unaudited() as world:
        _, bob = room(world)
        Rogue(bob).append("#plans", EntryKind.APPLICATION, b"bob says: the sentence in question")
        world.settle()
        with pytest.raises(AssertionError, match="the relay's database holds 'the sentence in question'"):
            audit(world)


def test_a_line_that_nobody_wrote_is_noticed() -> None:
    """It stands in bob's history under alice's account, and alice's store knows nothing of it."""
    with unaudited() as world:
        alice, bob = room(world)
        false = replace(line("made-up", "I never said that"), account=alice.engine._state.own_account.hex())
        bob.store.apply([PutMessage(false)])
        bob.store.commit()
        with pytest.raises(AssertionError, match="which alice never wrote"):
            audit(world)


def test_an_event_that_json_can_not_tell_is_noticed() -> None:
    """Such as one with a value of another type than it says."""
    with unaudited() as world:
        _, bob = room(world)
        bob.events.append(SecurityNotice(SecurityKind.GAP, 7, "", "text"))  # type: ignore[arg-type]
        with pytest.raises(Exception, match="Expected `str`"):
            audit(world)
