"""A restored relay has lost a conversation: it goes on in a new channel, and what was written and changed with it."""

from secure_chat.client.commands import Delete, Edit, React, Send, StartDirect
from secure_chat.client.views import DeliveryState
from secure_chat.wire.messages import Append
from tests.adversary.audit import lying_relay
from tests.adversary.evidence import nothing_false
from tests.adversary.relay import LyingRelay
from tests.adversary.rooms import closed_room
from tests.scenarios.harness import Node
from tests.scenarios.invariants import check_all


def lost(world: LyingRelay, *texts: str) -> list[Node]:
    """alice has written these to bob, who has them; the relay is about to know nothing of it, and both are away."""
    alice, bob = world.join("alice"), world.join("bob")
    world.back_up_relay()
    alice.do(StartDirect("bob"))
    for text in texts:
        alice.do(Send("bob", text))
    world.settle()
    assert bob.texts() == list(texts)
    alice.go_offline()
    bob.go_offline()
    return [alice, bob]


def back(world: LyingRelay, alice: Node, bob: Node) -> None:
    """The relay is restored, and both come back."""
    world.restore_relay()
    world.settle(10_000)
    alice.go_online()
    bob.go_online()
    world.settle(120_000)
    check_all([alice, bob])
    nothing_false([alice, bob])


def test_what_was_edited_and_deleted_meanwhile_is_so_for_the_other_too() -> None:
    """Lines of the old channel are changed by what comes in the new one."""
    with lying_relay() as world:
        alice, bob = lost(world, "first", "second", "third")
        first, second, _ = alice.history()[-3:]
        alice.ask(Edit(first.id, "mended"))
        alice.ask(Delete(second.id))
        back(world, alice, bob)
        assert bob.texts() == alice.texts() == ["mended", "third"]


def test_what_waits_goes_out_as_it_stands() -> None:
    """Edited lines as edited, deleted ones not at all; their ticks rise in the new channel."""
    with lying_relay() as world:
        alice, bob = lost(world, "first")
        for text in ("wirtten", "never mind", "as it is"):
            alice.ask(Send("bob", text))
        written, never, _ = alice.history()[-3:]
        alice.ask(Edit(written.id, "written"))
        alice.ask(Delete(never.id))
        back(world, alice, bob)
        assert bob.texts() == alice.texts() == ["first", "written", "as it is"]
        assert bob.store.message(never.id) is None
        line = alice.store.message(written.id)
        assert line is not None
        assert line.state is DeliveryState.DELIVERED


def test_what_is_deleted_before_it_left_never_leaves() -> None:
    """Nobody is shown it, not even for a moment."""
    with lying_relay() as world:
        alice, bob = lost(world, "first")
        alice.ask(Send("bob", "rather not"))
        line = alice.history()[-1]
        alice.ask(Delete(line.id))
        alice.go_online()
        bob.go_online()
        world.settle(10_000)
        assert bob.store.message(line.id) is None
        view = alice.store.message(line.id)
        assert view is not None
        assert (view.deleted, view.text, view.state) == (True, "", DeliveryState.FAILED)
        assert not alice.engine._state.outbox
        check_all([alice, bob])


def test_what_is_deleted_while_it_is_on_its_way_to_a_relay_that_forgets_does_not_come_back() -> None:
    """The text may have left: the deletion goes where the conversation goes on, the text does not."""
    with lying_relay() as world:
        alice, bob = lost(world, "first")
        alice.go_online()
        world.settle()
        world.incoming.append(lambda node, message: () if isinstance(message, Append) else (message,))
        alice.ask(Send("bob", "rather not"))
        world.run_for(1_000)
        line = alice.history()[-1]
        alice.ask(Delete(line.id))
        assert len(alice.engine._state.outbox) == 2
        alice.go_offline()
        world.incoming.clear()
        back(world, alice, bob)
        assert bob.store.message(line.id) is None
        assert bob.texts() == alice.texts() == ["first"]


def test_changes_that_a_restored_relay_has_lost_are_made_again() -> None:
    """bob and carol are away when alice edits, deletes and reacts; the relay forgets it before they come."""
    with lying_relay() as world:
        alice, bob, carol = closed_room(world, "bob", "carol")
        for text in ("first", "second", "third"):
            alice.do(Send("#plans", text))
        world.settle()
        world.back_up_relay()
        bob.go_offline()
        carol.go_offline()
        first, second, third = alice.history()[-3:]
        alice.do(Edit(first.id, "once"))
        alice.do(Edit(first.id, "twice"))
        alice.do(Delete(second.id))
        alice.do(React(third.id, "👍"))
        world.settle()
        world.restore_relay()
        world.settle(10_000)
        bob.go_online()
        carol.go_online()
        world.settle(60_000)
        for node in (alice, bob, carol):
            assert node.texts()[-2:] == ["twice", "third"]
            line = node.store.message(third.id)
            assert line is not None
            assert [reaction.emoji for reaction in line.reactions] == ["👍"]
        check_all([alice, bob, carol])


def test_what_is_deleted_while_it_goes_out_again_is_deleted_for_who_has_it_already() -> None:
    """bob has read it, alice's device does not know that yet when the relay forgets it."""
    with lying_relay() as world:
        alice, bob = closed_room(world, "bob")
        world.settle(10_000)
        world.back_up_relay()
        alice.do(Send("#plans", "rather not"))
        world.run_until(lambda: "rather not" in bob.texts())
        line = alice.history()[-1]
        bob.go_offline()
        world.restore_relay()
        world.run_until(lambda: any(item.line and not item.envelope for item in alice.engine._state.outbox.values()))
        alice.ask(Delete(line.id))
        world.settle(10_000)
        bob.go_online()
        world.settle(60_000)
        assert "rather not" not in bob.texts()
        check_all([alice, bob])
