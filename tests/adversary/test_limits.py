"""What cannot be prevented or noticed, shown as honestly as the rest; and what little each adversary is left with."""

from collections.abc import Iterable

import pytest

from secure_chat.client.commands import (
    AcceptInvitation,
    CreateRoom,
    Delete,
    InvitePeople,
    Kick,
    LeaveRoom,
    RestartRoom,
    Send,
)
from secure_chat.client.events import Invited, NewDevice, SecurityKind
from secure_chat.client.views import DeliveryState
from secure_chat.mls.group.results import Application
from secure_chat.wire.messages import Append, ClientMessage, Entry, EntryKind, ServerMessage
from tests.adversary.audit import lying_relay
from tests.adversary.evidence import nobody_noticed, noticed, travels_as_json
from tests.adversary.members import Rogue, room_of
from tests.adversary.relay import changed
from tests.adversary.rooms import CLASSICAL, closed_room
from tests.adversary.test_withholding import Withhold, application_from, trio
from tests.scenarios.harness import Node
from tests.scenarios.invariants import Violation, check_all


def test_messages_of_different_people_can_change_places_unnoticed() -> None:
    """Each author's own messages keep their order; between authors only the relay knows which was first."""
    with lying_relay() as world:
        alice, bob, carol = trio(world)
        held: list[Entry] = []

        def swap(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            if node is not bob or not (application_from(message, alice) or application_from(message, carol)):
                return (message,)
            assert isinstance(message, Entry)
            held.append(message)
            if len(held) != 2:
                return () if len(held) < 2 else (message,)
            first, second = held
            return (changed(second, seq=first.seq), changed(first, seq=second.seq))

        world.outgoing.append(swap)
        alice.do(Send("#lobby", "shall we?"))
        world.run_until(lambda: len(held) == 1 and "shall we?" in carol.texts())
        carol.do(Send("#lobby", "no"))
        world.settle()
        assert carol.texts()[-2:] == ["shall we?", "no"]
        assert bob.texts()[-2:] == ["no", "shall we?"]
        nobody_noticed([alice, bob, carol])


def test_the_last_messages_can_be_withheld_until_something_follows() -> None:
    """Bob cannot miss what nothing speaks of; that alice is not told "delivered" is all there is to see."""
    with lying_relay() as world:
        alice, bob, carol = trio(world)
        world.outgoing.append(Withhold(alice, bob))
        alice.do(Send("#lobby", "the last word"))
        world.run_for(86_400_000 // 2)
        assert "the last word" not in bob.texts()
        nobody_noticed([bob])
        assert next(line.state for line in alice.history() if line.text == "the last word") is DeliveryState.SENT
        assert "the last word" in carol.texts()


def test_a_leaving_can_be_kept_from_everybody_who_stays() -> None:
    """Who has gone says nothing more that would tell, and reads nothing more."""
    with lying_relay() as world:
        alice, bob = closed_room(world, "bob")

        def hide(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            leaving = isinstance(message, Entry) and message.kind in (EntryKind.PROPOSAL, EntryKind.MEMBERS)
            return () if leaving and node is alice else (message,)

        world.outgoing.append(hide)
        bob.do(LeaveRoom("#plans"))
        alice.do(Send("#plans", "what do you think?"))
        world.settle()
        world.honest()
        world.settle()
        nobody_noticed([alice, bob])
        assert "what do you think?" not in bob.texts()
        check_all([alice, bob])
        carol = world.join("carol")
        alice.do(InvitePeople("#plans", ("carol",)))
        world.settle()
        carol.do(AcceptInvitation(carol.told(Invited)[-1].invitation.room))
        world.settle()
        check_all([alice, bob, carol])
        world.hidden_leavings.clear()
        with pytest.raises(Violation, match="the tree says"):
            check_all([alice, bob, carol])


@pytest.mark.parametrize("early", [False, True], ids=["swallowed", "number given away"])
def test_who_leaves_and_never_gets_a_welcome_leaves_that_leaf_behind(early: bool) -> None:
    """The room was started anew, and carol leaves before she hears of her leaf there: she can't say that it is gone."""
    with lying_relay() as world:
        welcomes: list[Entry] = []
        swallowed: list[bool] = []

        def swallow(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            if not isinstance(message, Entry) or message.kind is not EntryKind.WELCOME or node.name != "carol":
                return (message,)
            welcomes.append(message)
            return () if swallowed else (message,)

        world.outgoing.append(swallow)
        alice, bob, carol = closed_room(world, "bob", "carol")
        if early:
            world.say(carol, changed(welcomes[-1], seq=welcomes[-1].seq + 1))
            world.settle()
        else:
            swallowed.append(True)
        alice.do(RestartRoom("#plans"))
        world.settle(1_000)
        swallowed.clear()
        carol.do(LeaveRoom("#plans"))
        world.settle()
        alice.do(Send("carol", "where are you?"))  # its Welcome comes after the one that did not
        world.settle()
        world.honest()
        world.settle()
        assert "where are you?" in carol.texts()
        for node in (alice, bob):
            noticed(node, SecurityKind.BAD_ENTRY, "carol", "a wish to leave")
        check_all([alice, bob, carol])
        world.hidden_welcomes.clear()
        with pytest.raises(Violation, match="the tree says"):
            check_all([alice, bob, carol])
        alice.do(Kick("#plans", "carol"))
        world.settle()
        check_all([alice, bob, carol])


def test_a_relay_that_takes_nothing_gets_no_tick() -> None:
    """Refusing service cannot be prevented; the author sees a message that waits, for as long as it does."""
    with lying_relay() as world:
        alice, bob, _ = trio(world)

        def refuse(node: Node, message: ClientMessage) -> Iterable[ClientMessage]:
            return () if node is alice and isinstance(message, Append) else (message,)

        world.incoming.append(refuse)
        alice.do(Send("#lobby", "can you hear me?"))
        world.run_for(3_600_000)
        state = [line.state for line in alice.history() if line.text == "can you hear me?"]
        assert state == [DeliveryState.QUEUED]
        world.honest()
        world.settle(60_000)
        assert "can you hear me?" in bob.texts()


def test_sizes_are_seen_in_classes_only() -> None:
    """Whether it is one letter or a sentence, the relay stores as many bytes; a page of text is of another class."""
    with lying_relay() as world:
        alice, bob, _ = trio(world)
        sizes: list[int] = []

        def measure(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            if node is bob and application_from(message, alice):
                assert isinstance(message, Entry)
                sizes.append(len(message.payload))
            return (message,)

        world.outgoing.append(measure)
        for text in ("y", "yes", "yes, of course I will"):
            alice.do(Send("#lobby", text))
            world.settle()
        assert len(sizes) == 3
        assert len(set(sizes)) == 1
        alice.do(Send("#lobby", "yes, and here is why: " + "because " * 100))
        world.settle()
        assert sizes[-1] > sizes[0]


def test_a_member_can_keep_what_others_deleted() -> None:
    """Deleting is a request to honest clients: whoever was meant to read has read, and may keep and pass on."""
    with lying_relay() as world:
        alice, _, mallory = closed_room(world, "bob", "mallory")
        spy = Rogue(mallory).group("#plans")
        kept: list[bytes] = []

        def keep(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            if node is mallory and application_from(message, alice):
                assert isinstance(message, Entry)
                opened = spy.receive(message.payload)
                if isinstance(opened, Application):
                    kept.append(opened.data)
            return (message,)

        world.outgoing.append(keep)
        alice.do(Send("#plans", "forget that I said this"))
        world.settle()
        alice.do(Delete(next(line.id for line in alice.history() if line.text == "forget that I said this")))
        world.settle()
        assert "forget that I said this" not in mallory.texts()
        assert any(b"forget that I said this" in data for data in kept)


def test_a_newcomer_reads_nothing_from_before_even_with_the_relays_help() -> None:
    """Whoever used a link is in the lobby from then on, and everybody there sees them come."""
    with lying_relay() as world:
        alice, bob = world.join("alice"), world.join("bob")
        lobby = room_of(alice, "#lobby").channel
        log: list[Entry] = []

        def record(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            if node is bob and isinstance(message, Entry) and message.channel == lobby:
                log.append(message)
            return (message,)

        world.outgoing.append(record)
        alice.do(Send("#lobby", "before eve was here"))
        world.settle()
        earlier = list(log)
        eve = world.join("eve")
        for node in (alice, bob):
            assert any(line.text == "eve joined" for line in node.history())
        for entry in earlier:
            world.say(eve, changed(entry, seq=world.last(eve, lobby) + 1))
            world.settle()
        assert eve.texts() == []
        noticed(eve, SecurityKind.UNDECRYPTABLE)


def test_who_has_the_recovery_code_is_the_person_and_everybody_is_told() -> None:
    """A further device of bob's, which nobody can tell from a new computer of his: noted by all, blind to the past."""
    with lying_relay() as world:
        alice, bob = closed_room(world, "bob")
        alice.do(Send("#plans", "between the two of us"))
        world.settle()
        thief = world.join("bob", account=bob.engine._state.account_key, profile="thief")
        world.settle(120_000)
        notes = [note for note in alice.told(NewDevice) if note.handle == "bob"]
        assert notes
        travels_as_json(notes[-1])
        assert "between the two of us" not in thief.texts()
        alice.do(Send("#lobby", "to all of bob"))
        world.settle()
        assert "to all of bob" in thief.texts()


def test_rooms_are_post_quantum_unless_made_otherwise_and_say_so() -> None:
    """What is recorded of a classical room opens to a quantum computer: each room shows which it is."""
    with lying_relay() as world:
        alice, bob = world.join("alice"), world.join("bob")
        alice.do(Send("bob", "hi"))
        alice.do(CreateRoom("hybrid", None, False))
        alice.do(CreateRoom("classical", CLASSICAL, False))
        world.settle()
        assert {name: room.post_quantum for name, room in alice.rooms().items()} == {
            "#lobby": True,
            "bob": True,
            "#hybrid": True,
            "#classical": False,
        }
        assert bob.rooms()["alice"].suite == 0xF00E
