"""A store that was set back (a snapshot, a copied directory): with its old leaves nothing is ever encrypted."""

from collections.abc import Iterable

import pytest

from secure_chat.client.commands import AcceptInvitation, CreateRoom, InvitePeople, LeaveRoom, Promote, Send
from secure_chat.client.engine.spaces import Phase
from secure_chat.client.events import SecurityKind
from secure_chat.wire.framing import HEADER_LENGTH, decode_client_message
from secure_chat.wire.messages import Append, EntryKind, LoggedIn, ServerMessage
from tests.adversary.audit import lying_relay
from tests.adversary.evidence import noticed
from tests.adversary.members import room_of
from tests.adversary.relay import LyingRelay, changed
from tests.scenarios.harness import Node


def plans(world: LyingRelay) -> tuple[Node, Node]:
    """Alice's closed room with bob in it, who is as much an admin."""
    alice, bob = world.join("alice"), world.join("bob")
    alice.do(CreateRoom("plans", None, False))
    alice.do(InvitePeople("#plans", ("bob",)))
    world.settle()
    bob.do(AcceptInvitation("#plans"))
    world.settle()
    alice.do(Promote("#plans", "bob"))
    world.settle()
    return alice, bob


@pytest.mark.parametrize("began", [False, True])
def test_leaving_with_a_rolled_back_store_encrypts_nothing_with_the_old_leaf(began: bool) -> None:
    """The Remove proposal is an encrypted message too: its key may be one that the store's own future has used."""
    with lying_relay() as world:
        alice, bob = plans(world)
        alice.go_offline()
        if not began:
            copy = bob.snapshot()
            bob.do(Send("#plans", "used"))
            world.settle()
        bob.ask(LeaveRoom("#plans"))
        if began:
            assert room_of(bob, "#plans").phase == Phase.LEAVING
            copy = bob.snapshot()
            bob.do(Send("#lobby", "used"))
        world.settle()
        bob.restore(copy)
        since = len(world.heard)
        world.run_until(lambda: bob.engine._session.entered)
        if not began:
            bob.ask(LeaveRoom("#plans"))
        world.settle()
        lobby = room_of(bob, "#lobby")
        room = room_of(bob, "#plans")
        heard = [decode_client_message(frame[HEADER_LENGTH:]) for frame in world.heard[since:]]
        mine = [m.kind for m in heard if isinstance(m, Append) and m.channel == room.channel]
        assert EntryKind.PROPOSAL not in mine
        assert room.phase == Phase.LEFT
        assert lobby.phase in (Phase.OUT, Phase.JOINED)
        alice.go_online()
        world.settle()
        assert alice.engine._state.accounts(room_of(alice, "#plans")) == [alice.engine._state.own_account]


def test_a_relay_that_hides_how_far_the_store_was_is_contradicted_by_the_log() -> None:
    """At login it says that it has seen nothing; the device's own messages of its future give the rollback away."""
    with lying_relay() as world:
        alice, bob = plans(world)
        alice.go_offline()  # what nobody has read yet, the relay keeps
        copy = bob.snapshot()
        bob.do(Send("#plans", "one"))
        bob.do(Send("#lobby", "two"))
        world.settle()

        def forget(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            if node is bob and isinstance(message, LoggedIn):
                return (changed(message, last_counter=0),)
            return (message,)

        world.outgoing.append(forget)
        bob.restore(copy)
        world.run_until(lambda: bob.engine._session.entered)
        bob.ask(Send("#plans", "three"))
        world.settle()
        alice.go_online()
        world.settle(120_000)
        noticed(bob, SecurityKind.ROLLED_BACK)
        assert sorted(alice.texts()) == ["one", "three", "two"]
