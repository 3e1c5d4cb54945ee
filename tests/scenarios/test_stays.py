"""Who is owed a line, as its author knows it: ticks are held to that, however the relay delays what happens."""

from collections.abc import Iterable

import pytest
from msgspec.structs import replace

from secure_chat.client.commands import JoinRoom, Kick, LeaveRoom, RefreshKeys, Send
from secure_chat.client.engine.spaces import Phase
from secure_chat.client.views import DeliveryState
from secure_chat.wire.messages import Entry, EntryKind, ServerMessage
from tests.adversary.members import room_of
from tests.adversary.relay import LyingRelay, changed, lying_relay
from tests.scenarios.harness import Node
from tests.scenarios.invariants import Violation, check_all
from tests.scenarios.stays import Stays
from tests.scenarios.test_invariants import erase


def talk(world: LyingRelay) -> tuple[Node, Node, Node]:
    """Three people in an open room that alice has made."""
    alice, bob, carol = (world.join(name) for name in ("alice", "bob", "carol"))
    for node in (alice, bob, carol):
        node.do(JoinRoom("talk"))
    world.settle()
    return alice, bob, carol


def state_of(author: Node, message: object) -> DeliveryState:
    """How far a line has come."""
    return next(line.state for line in author.history() if line.id == message)


def test_who_was_removed_and_came_back_is_owed_nothing_from_before() -> None:
    """Bob has lost a change, and alice's line with it; she removes him, and he is back before he knows of that."""
    with lying_relay() as world:
        alice, bob, carol = talk(world)

        def lie(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            if node is bob and isinstance(message, Entry) and message.kind is EntryKind.COMMIT:
                return (changed(message, head=message.head + 1),)
            return (message,)

        world.outgoing.append(lie)
        alice.do(RefreshKeys("#talk"))
        before = alice.do(Send("#talk", "without bob"))
        alice.do(Kick("#talk", "bob"))
        assert room_of(bob, "#talk").phase == Phase.OUT
        world.outgoing.clear()
        world.settle(60_000)
        assert "without bob" in carol.texts()
        assert "without bob" not in bob.texts()
        assert state_of(alice, before) is DeliveryState.DELIVERED
        check_all([alice, bob, carol])
        after = str(alice.do(Send("#talk", "with bob")))
        world.run_until(lambda: "with bob" in bob.texts())
        erase(bob, after)
        with pytest.raises(Violation, match="'with bob' shows as delivered, but bob does not have it"):
            world.settle(60_000)


def test_who_came_in_behind_the_authors_back_is_owed_nothing_until_it_is_known() -> None:
    """Alice writes while the relay keeps from her that bob is in the room again."""
    with lying_relay() as world:
        alice, bob, carol = talk(world)
        bob.do(LeaveRoom("#talk"))
        world.settle()
        channel = room_of(alice, "#talk").channel

        def keep(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            return () if node is alice and isinstance(message, Entry) and message.channel == channel else (message,)

        world.outgoing.append(keep)
        bob.do(JoinRoom("talk"))
        world.settle(1_000)
        sent = alice.do(Send("#talk", "is bob gone?"))
        world.settle(30_000)
        world.honest()
        world.settle(60_000)
        assert "is bob gone?" in carol.texts()
        assert "is bob gone?" not in bob.texts()
        assert state_of(alice, sent) is DeliveryState.DELIVERED
        check_all([alice, bob, carol])


def test_who_has_no_leaf_in_a_group_that_goes_on_is_still_there() -> None:
    """A commit of this group takes bob out, and he is gone; another group without him says nothing."""
    with lying_relay() as world:
        alice, bob, _ = talk(world)
        stays, room, account = Stays(), room_of(alice, "#talk"), bob.engine._state.own_account
        stays.look(alice)
        first = world.now
        inside = alice.engine._state.roster(room)
        assert inside is not None
        without = replace(inside, entries=[entry for entry in inside.entries if entry.account != account])
        for group, since in ((room.group + 1, first), (room.group + 1, first + 4_000)):
            world.run_for(1_000)
            room.group = group
            alice.engine._state.save_roster(room, without)
            stays.look(alice)
            world.run_for(1_000)
            alice.engine._state.save_roster(room, inside)
            stays.look(alice)
            assert stays.since(alice, room.channel, account) == since
