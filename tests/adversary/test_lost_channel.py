"""A relay that has lost a whole conversation: what waits in it goes out in the one that takes its place."""

from secure_chat.client.commands import Delete, Edit, Send
from secure_chat.client.views import DeliveryState
from tests.adversary.audit import lying_relay
from tests.adversary.evidence import nothing_false
from tests.scenarios.harness import Node
from tests.scenarios.invariants import check_all


def id_of(node: Node, text: str) -> str:
    """The id of a message that somebody has written."""
    return next(line.id for line in node.history() if line.text == text)


def test_what_was_edited_or_deleted_while_it_waited_goes_out_so_in_the_new_channel() -> None:
    """The edit and the deletion were for the lost channel, and stay behind; the lines go over as they stand."""
    with lying_relay() as world:
        alice, bob = world.join("alice"), world.join("bob")
        world.back_up_relay()
        alice.do(Send("bob", "hello"))
        world.settle()
        alice.go_offline()
        for text in ("before", "never mind", "as it is"):
            alice.ask(Send("bob", text))
        alice.ask(Edit(id_of(alice, "before"), "after"))
        alice.ask(Delete(id_of(alice, "never mind")))
        world.restore_relay()
        world.settle()
        alice.go_online()
        world.settle(60_000)
        assert bob.texts()[-2:] == alice.texts()[-2:] == ["after", "as it is"]
        assert not {"before", "never mind"} & set(bob.texts())
        assert next(line.state for line in alice.history() if line.text == "after") is DeliveryState.DELIVERED
        check_all([alice, bob])
        nothing_false([alice, bob])
