"""A store and its relay set back together: nothing shows how old the store is, and it knows nothing of its own future.

Others have taken in what it had written there. What they say of it must not count for what is written now in its place.
"""

from collections.abc import Iterable

import pytest

from secure_chat.client.commands import RefreshKeys, Send
from secure_chat.client.events import SecurityKind
from secure_chat.client.views import DeliveryState
from secure_chat.wire.messages import Entry, ServerMessage
from tests.adversary.audit import lying_relay
from tests.adversary.evidence import noticed
from tests.adversary.relay import LyingRelay
from tests.adversary.rooms import closed_room, kinds
from tests.scenarios.harness import Node
from tests.scenarios.invariants import check_all

LOST = 3
"""Messages that neither alice's store nor the relay knows any more."""


def lose_the_future(world: LyingRelay, alice: Node) -> None:
    """Alice writes something that everybody takes in, and both she and the relay go back to before it."""
    world.settle(20_000)
    world.back_up_relay()
    copy = alice.snapshot()
    for number in range(LOST):
        alice.do(Send("#plans", f"lost {number}"))
    world.settle(500)
    world.restore_relay()
    alice.restore(copy)


def state_of(node: Node, text: str) -> DeliveryState:
    """Of a message in its author's history."""
    return next(line.state for line in node.history() if line.text == text)


def test_receipts_for_a_lost_future_confirm_nothing_that_is_written_in_its_place() -> None:
    """The others' receipts come when alice has forgotten what they are for; carol reads only much later."""
    with lying_relay() as world:
        alice, bob, carol = closed_room(world, "bob", "carol")
        lose_the_future(world, alice)
        world.settle(20_000)
        alice.do(RefreshKeys("#plans"))
        world.settle()
        carol.go_offline()
        for number in range(LOST):
            alice.do(Send("#plans", f"new {number}"))
        world.settle(20_000)
        assert {state_of(alice, f"new {number}") for number in range(LOST)} == {DeliveryState.SENT}
        assert "new 0" not in carol.texts()
        carol.go_online()
        world.settle(20_000)
        assert {state_of(alice, f"new {number}") for number in range(LOST)} == {DeliveryState.DELIVERED}
        check_all([alice, bob, carol])


def test_what_is_withheld_in_a_lost_futures_place_is_missing() -> None:
    """The relay keeps from carol what has the numbers of what she has read: she is shown a gap, and alice no tick."""
    with lying_relay() as world:
        alice, bob, carol = closed_room(world, "bob", "carol")
        lose_the_future(world, alice)
        world.settle(20_000)
        alice.do(RefreshKeys("#plans"))
        world.settle()
        device = alice.engine._state.profile.device_id

        def withhold(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            return () if node is carol and isinstance(message, Entry) and message.sender == device else (message,)

        world.outgoing.append(withhold)
        for number in range(LOST):
            alice.do(Send("#plans", f"new {number}"))
        world.settle()
        world.outgoing.clear()
        alice.do(Send("#plans", "shown"))
        world.settle(20_000)
        assert "shown" in carol.texts()
        assert any(f"{LOST} messages of alice are missing here." in line.text for line in carol.history())
        assert {state_of(alice, f"new {number}") for number in range(LOST)} == {DeliveryState.SENT}
        assert state_of(alice, "shown") is DeliveryState.DELIVERED
        assert {f"new {number}" for number in range(LOST)} <= set(bob.texts())


@pytest.mark.parametrize("acknowledged", [False, True])
def test_a_chain_that_forked_unnoticed_by_its_author_is_not_vouched_for(acknowledged: bool) -> None:
    """Store and relay are set back to the same moment, and nothing shows it to alice; carol can't tell the numbers."""
    with lying_relay() as world:
        alice, _, carol = closed_room(world, "bob", "carol")
        world.settle(20_000)
        database, copy = world.copy_database(), alice.snapshot()
        for number in range(LOST):
            alice.do(Send("#plans", f"lost {number}"))
        world.settle(20_000 if acknowledged else 500)
        world.set_back(database)
        alice.restore(copy)
        world.settle(20_000)
        assert not {SecurityKind.SET_BACK, SecurityKind.ROLLED_BACK} & kinds(alice)
        alice.do(RefreshKeys("#plans"))
        world.settle()
        device = alice.engine._state.profile.device_id

        def withhold(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            return () if node is carol and isinstance(message, Entry) and message.sender == device else (message,)

        world.outgoing.append(withhold)
        for number in range(LOST):
            alice.do(Send("#plans", f"new {number}"))
        world.settle(20_000)
        world.outgoing.clear()
        alice.do(Send("#plans", "shown"))
        world.settle(20_000)
        noticed(carol, SecurityKind.CHAIN_BROKEN, "alice")
        assert "new 0" not in carol.texts()
        assert {state_of(alice, f"new {number}") for number in range(LOST)} == {DeliveryState.SENT}
        assert state_of(alice, "shown") is DeliveryState.DELIVERED
