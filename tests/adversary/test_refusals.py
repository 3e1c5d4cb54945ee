"""A relay that refuses for good, whether it means it or not: what becomes of places in the chain, and of changes."""

from collections.abc import Iterable

from secure_chat.client.commands import AcceptInvitation, InvitePeople, RetryMessage, Send
from secure_chat.client.events import FailureCode, Invited, SecurityKind
from secure_chat.wire.errors import ErrorCode
from secure_chat.wire.messages import Append, Appended, ClientMessage, Entry, EntryKind, Error, ServerMessage
from tests.adversary.audit import lying_relay
from tests.adversary.evidence import nobody_noticed, noticed
from tests.adversary.rooms import closed_room
from tests.scenarios.harness import Node
from tests.scenarios.invariants import check_all


def state_of(author: Node, text: str) -> str:
    """What the author's line shows."""
    return next(line.state for line in author.history() if line.text == text)


def test_nothing_stands_in_the_place_of_a_message_that_was_refused_and_delivered() -> None:
    """The relay swallows what its author wrote next: others have something there, and none of it counts for that."""
    with lying_relay() as world:
        alice, bob = closed_room(world, "bob")
        texts = iter(("refused", "swallowed"))
        asked: dict[int, str] = {}

        def hear(node: Node, message: ClientMessage) -> Iterable[ClientMessage]:
            if node is alice and isinstance(message, Append) and message.kind is EntryKind.APPLICATION:
                asked[message.id] = next(texts, "")
                if asked[message.id] == "swallowed":
                    world.say(alice, Appended(message.id, world.last(alice, message.channel) + 1, 0, world.now))
                    return ()
            return (message,)

        def answer(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            if node is alice and isinstance(message, Appended) and asked.get(message.id) == "refused":
                return (Error(message.id, ErrorCode.RESERVED, "no"),)
            hers = isinstance(message, Entry) and message.sender == alice.engine._state.profile.device_id
            return () if node is alice and hers else (message,)

        world.incoming.append(hear)
        world.outgoing.append(answer)
        alice.do(Send("#plans", "refused"))
        world.settle()
        alice.do(Send("#plans", "swallowed"))
        world.settle()
        assert bob.texts()[-1] == "refused"
        assert (state_of(alice, "refused"), state_of(alice, "swallowed")) == ("failed", "sent")
        alice.do(Send("#plans", "and now?"))
        world.settle()
        noticed(bob, SecurityKind.GAP, "1 message of alice")
        assert (state_of(alice, "swallowed"), state_of(alice, "and now?")) == ("sent", "delivered")
        world.honest()
        world.settle()
        noticed(alice, SecurityKind.WITHHELD)
        check_all([alice, bob])


def test_a_message_that_the_relay_refuses_leaves_no_gap() -> None:
    """Its author is told; nobody else misses it, and sent again it has a place of its own."""
    with lying_relay() as world:
        alice, bob = closed_room(world, "bob")

        def refuse(node: Node, message: ClientMessage) -> Iterable[ClientMessage]:
            if node is alice and isinstance(message, Append) and message.kind is EntryKind.APPLICATION:
                world.say(alice, Error(message.id, ErrorCode.TOO_LARGE, "too much"))
                return ()
            return (message,)

        world.incoming.append(refuse)
        alice.do(Send("#plans", "one"))
        alice.do(Send("#plans", "two"))
        world.settle()
        world.honest()
        world.settle()
        alice.do(Send("#plans", "three"))
        assert state_of(alice, "one") == "failed"
        alice.do(RetryMessage(next(line.id for line in alice.history() if line.text == "one")))
        world.settle()
        assert bob.texts()[-2:] == ["three", "one"]
        nobody_noticed([alice, bob])
        assert [state_of(alice, text) for text in ("one", "two", "three")] == ["delivered", "failed", "delivered"]
        check_all([alice, bob])


def test_a_change_that_was_refused_for_good_and_delivered_all_the_same_leaves_nobody_behind() -> None:
    """Alice gives up inviting carol; when the relay shows what it has told the others, she asks to come back."""
    with lying_relay() as world:
        alice, bob = closed_room(world, "bob")
        carol = world.join("carol")
        held: list[Entry] = []

        def refuse(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            if node is alice and isinstance(message, Entry) and message.kind is EntryKind.COMMIT:
                held.append(message)
                return ()
            if node is alice and isinstance(message, Appended) and held and message.seq == held[0].seq:
                return (Error(message.id, ErrorCode.STALE, "too late", head=message.head),)
            return (message,)

        world.outgoing.append(refuse)
        assert alice.fails(InvitePeople("#plans", ("carol",))) is FailureCode.REFUSED
        assert len(held) == 1
        world.outgoing.clear()
        world.say(alice, held[0])
        world.settle(120_000)
        noticed(alice, SecurityKind.GAP, "asks to be added again")
        carol.do(AcceptInvitation(carol.told(Invited)[-1].invitation.room))
        world.settle()
        alice.do(Send("#plans", "all of us"))
        world.settle()
        assert bob.texts()[-1] == carol.texts()[-1] == "all of us"
        check_all([alice, bob, carol])
