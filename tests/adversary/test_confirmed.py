"""A relay that forgets, or throws away, what it has confirmed, and leaves the author's own entries out to hide it."""

from collections.abc import Iterable

from secure_chat.client.commands import RefreshKeys, Send
from secure_chat.client.events import SecurityKind, SecurityNotice
from secure_chat.wire.messages import Append, Appended, ClientMessage, Entry, EntryKind, LoggedIn, ServerMessage
from tests.adversary.audit import lying_relay
from tests.adversary.evidence import nobody_noticed, nothing_false, noticed
from tests.adversary.members import room_of
from tests.adversary.relay import changed
from tests.adversary.rooms import closed_room, kinds
from tests.scenarios.harness import Node
from tests.scenarios.invariants import check_all


class OwnLeftOut:
    """A client's own messages never come back to it."""

    def __init__(self, author: Node) -> None:
        self.author = author

    def __call__(self, node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
        device = self.author.engine._state.profile.device_id
        if node is self.author and isinstance(message, Entry) and message.sender == device:
            return ()
        return (message,)


def test_a_rollback_that_hides_ones_own_entries_is_noticed() -> None:
    """Nobody has read what alice wrote, she was not shown it herself, and the relay is set back: its word tells."""
    with lying_relay() as world:
        alice, bob = closed_room(world, "bob")
        bob.go_offline()
        copy = world.copy_database()
        world.outgoing.append(OwnLeftOut(alice))
        alice.do(Send("#plans", "first"))
        alice.do(Send("#plans", "second"))
        world.settle(500)
        assert [line.state for line in alice.history() if line.text in ("first", "second")] == ["sent", "sent"]
        world.set_back(copy)
        world.settle(60_000)
        noticed(alice, SecurityKind.SET_BACK)
        world.honest()
        bob.go_online()
        world.settle(60_000)
        assert {"first", "second"} <= set(bob.texts())
        check_all([alice, bob])
        nothing_false([alice, bob])


def test_a_rollback_behind_false_numbers_is_noticed() -> None:
    """The relay even repeats the numbers that it had confirmed: it still has nothing to show for them."""
    with lying_relay() as world:
        alice, bob = closed_room(world, "bob")
        room = room_of(alice, "#plans")
        bob.go_offline()
        copy = world.copy_database()
        world.outgoing.append(OwnLeftOut(alice))
        alice.do(Send("#plans", "never happened"))
        world.settle(500)
        last, counter = room.owed[-1].seq, alice.engine._state.append_counter

        def pretend(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            if node is alice and isinstance(message, LoggedIn):
                channels = tuple(changed(s, last=max(s.last, last)) for s in message.channels)
                return (changed(message, channels=channels, last_counter=counter),)
            return (message,)

        world.outgoing.append(pretend)
        world.set_back(copy)
        world.settle(60_000)
        assert SecurityKind.SET_BACK not in kinds(alice)
        noticed(alice, SecurityKind.WITHHELD, "1 message of yours", "others may not have it")


def test_a_relay_that_forgets_ones_appends_is_noticed_by_its_counter() -> None:
    """Every room looks whole, but the relay knows of fewer appends than it had confirmed."""
    with lying_relay() as world:
        alice, bob = closed_room(world, "bob")
        counter = alice.engine._state.append_counter

        def forget(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            if node is alice and isinstance(message, LoggedIn):
                return (changed(message, last_counter=counter - 2),)
            return (message,)

        world.outgoing.append(forget)
        alice.lose_connection()
        world.settle()
        noticed(alice, SecurityKind.SET_BACK, "no longer knows")
        alice.lose_connection()
        world.settle()
        assert sum("no longer knows" in notice for notice in words(alice)) == 1
        nobody_noticed([bob])


def words(node: Node) -> list[str]:
    """The texts of what a client was told."""
    return [notice.text for notice in node.told(SecurityNotice)]


def test_a_confirmed_message_that_was_thrown_away_is_noticed_by_its_author() -> None:
    """The next entry stands where the relay had claimed to have put alice's message."""
    with lying_relay() as world:
        alice, bob = closed_room(world, "bob")

        def swallow(node: Node, message: ClientMessage) -> Iterable[ClientMessage]:
            if node is alice and isinstance(message, Append) and message.kind is EntryKind.APPLICATION:
                seq = world.last(node, message.channel) + 1
                world.say(node, Appended(message.id, seq, message.head, world.now))
                return ()
            return (message,)

        world.incoming.append(swallow)
        alice.do(Send("#plans", "swallowed"))
        world.settle(500)
        assert SecurityKind.WITHHELD not in kinds(alice)
        bob.do(Send("#plans", "anybody?"))
        world.settle()
        noticed(alice, SecurityKind.WITHHELD, "1 message of yours")
        nothing_false([alice, bob])


def test_a_lost_connection_between_the_answer_and_the_entry_alarms_nobody() -> None:
    """The entry comes with the next connection: the relay has kept its word."""
    with lying_relay() as world:
        alice, bob = closed_room(world, "bob")
        left_out = OwnLeftOut(alice)
        world.outgoing.append(left_out)
        alice.do(Send("#plans", "in between"))
        world.settle(500)
        assert room_of(alice, "#plans").owed
        world.honest()
        world.settle()
        assert not room_of(alice, "#plans").owed
        assert bob.texts().count("in between") == 1
        nobody_noticed([alice, bob])
        check_all([alice, bob])


def test_a_change_that_others_have_seen_and_the_relay_keeps_back_is_told() -> None:
    """Bob's direct message says how far the room has come; a minute later carol is told that she was not shown it."""
    with lying_relay() as world:
        _, bob, carol = closed_room(world, "bob", "carol")
        channel = room_of(carol, "#plans").channel

        def keep_back(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            if node is carol and isinstance(message, Entry) and message.channel == channel:
                return ()
            return (message,)

        bob.do(Send("carol", "hello"))
        world.settle()
        world.outgoing.append(keep_back)
        bob.do(RefreshKeys("#plans"))
        world.settle()
        bob.do(Send("carol", "have you seen it?"))
        world.settle(30_000)
        assert SecurityKind.ROOM_SPLIT not in kinds(carol)
        world.settle(60_000)
        noticed(carol, SecurityKind.ROOM_SPLIT, "bob has seen a change", "keep changes back")
        assert sum("has seen a change" in text for text in words(carol)) == 1
