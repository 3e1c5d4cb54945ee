"""A relay set back to when an open room was empty: everybody comes back, one by one, and no tick counts too few."""

from collections.abc import Iterable

from secure_chat.client.commands import JoinRoom, LeaveRoom, Send
from secure_chat.client.views import DeliveryState
from secure_chat.wire.messages import Append, ClientMessage, EntryKind
from tests.adversary.audit import lying_relay
from tests.adversary.members import room_of
from tests.scenarios.harness import Node
from tests.scenarios.invariants import check_all


def test_who_comes_back_after_the_others_is_no_newcomer() -> None:
    """Carol was there when bob wrote what the relay has lost; he sends it again before she is back: no tick."""
    with lying_relay() as world:
        alice, bob, carol = (world.join(name) for name in ("alice", "bob", "carol"))
        alice.do(JoinRoom("talk"))
        alice.do(LeaveRoom("#talk"))
        world.settle()
        world.back_up_relay()
        for node in (alice, bob, carol):
            node.do(JoinRoom("talk"))
        world.settle()
        channel = room_of(bob, "#talk").channel
        back: list[bool] = []

        def wait(node: Node, message: ClientMessage) -> Iterable[ClientMessage]:
            late = node is not alice and isinstance(message, Append) and message.channel == channel
            if late and isinstance(message, Append) and message.kind is not EntryKind.APPLICATION:
                return (message,) if node is bob or back else ()
            return (message,)

        world.incoming.append(wait)
        carol.go_offline()
        sent = bob.do(Send("#talk", "who is here?"))
        world.restore_relay()
        world.run_until(lambda: alice.rooms()["#talk"].members == 2 and bob.rooms()["#talk"].members == 2, 300_000)
        carol.go_online()
        back.append(True)
        world.run_until(lambda: bob.rooms()["#talk"].members == 3, 300_000)
        world.settle(60_000)
        shown = next(line.state for line in bob.history() if line.id == sent)
        assert ("who is here?" in carol.texts()) == (shown is not DeliveryState.SENT)
        check_all([alice, bob, carol])
