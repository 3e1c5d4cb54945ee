"""Every promise that scenarios are held to is broken here on purpose, once: a check that can't fail proves nothing."""

from collections.abc import Callable, Iterable

import pytest

from secure_chat.client.commands import Kick, RefreshKeys, Send
from secure_chat.client.engine import spaces
from secure_chat.client.engine.content import Edit, Text
from secure_chat.client.engine.effects import PutRow
from secure_chat.client.engine.spaces import Phase, Room
from secure_chat.client.events import Failed, FailureCode
from secure_chat.client.views import MessageView
from secure_chat.wire.framing import encode_frame
from secure_chat.wire.messages import Append, Entry, EntryKind, ServerMessage
from tests.adversary.members import Rogue, room_of
from tests.adversary.relay import LyingRelay, lying_relay
from tests.adversary.rooms import closed_room
from tests.scenarios.campaign import Campaign, shape_of
from tests.scenarios.harness import Node, World, world
from tests.scenarios.invariants import Violation, check_all


def erase(node: Node, message: str) -> None:
    """A line is gone from a client's store."""
    node.store._connection.execute("DELETE FROM messages WHERE id = ?", (bytes.fromhex(message),))


def line(node: Node, text: str) -> MessageView:
    """A line of somebody's history."""
    return next(view for view in node.history() if view.text == text)


def forge(author: Node, room: str, body: Text | Edit) -> None:
    """Something under this client's keys of which its user knows nothing."""
    tool = Rogue(author)
    author.world.rogues.clear()  # nobody is told that this one does not keep to the rules
    payload = tool.seal(tool.group(room), body, counter=10)
    tool.append(room, EntryKind.APPLICATION, payload)


# -- at every event


def test_a_key_that_is_used_twice_is_noticed() -> None:
    """A copy of alice's group encrypts something with the key that her next message has, too."""
    with world() as w:
        alice, _ = w.join("alice"), w.join("bob")
        room = room_of(alice, "#lobby")
        copy = Rogue(alice).copy(room)
        append = Append(
            1 << 40, room.channel, 1 << 30, EntryKind.APPLICATION, room.head, copy.protect(b"something else")
        )
        alice._send(encode_frame(append))
        alice.ask(Send("#lobby", "hello"))
        with pytest.raises(Violation, match="a message key was used twice"):
            w.settle()


def test_a_removed_member_who_reads_on_is_noticed() -> None:
    """Carol has got hold of bob's keys after her removal, and the relay still delivers to her."""
    with lying_relay() as w:
        alice, bob, carol = closed_room(w, "bob", "carol")
        alice.do(Kick("#plans", "carol"))
        w.settle()
        take_over(carol, bob, room_of(bob, "#plans"))
        deliver_to(w, carol, room_of(bob, "#plans").channel)
        alice.ask(Send("#plans", "now that carol is gone"))
        with pytest.raises(Violation, match="carol reads 'now that carol is gone', which alice wrote for others"):
            w.settle()


def take_over(thief: Node, owner: Node, room: Room) -> None:
    """Everything that the owner's client has of the room is copied into the thief's."""
    state = owner.engine._state
    places = [spaces.group_space(room.channel, room.group)]
    writes = [PutRow(space, key, value) for space in places for key, value in owner.store.scan(space)]
    writes.append(PutRow(spaces.ROOMS, room.channel, spaces.encode(room)))
    roster = state.row(spaces.ROSTERS, room.channel)
    assert roster is not None
    writes.append(PutRow(spaces.ROSTERS, room.channel, roster))
    thief.store.apply(writes)
    thief.store.commit()
    thief.crash()
    thief.world.settle()
    thief.engine._state.rooms[room.channel].phase = Phase.JOINED
    thief.engine._state.rooms[room.channel].spent = False


def deliver_to(w: LyingRelay, node: Node, channel: bytes) -> None:
    """Whatever others get of the room, this client gets, too."""
    told: set[int] = set()

    def lie(other: Node, message: ServerMessage) -> Iterable[ServerMessage]:
        if other is not node and isinstance(message, Entry) and message.channel == channel and message.seq not in told:
            told.add(message.seq)
            w.say(node, message)
        return (message,)

    w.outgoing.append(lie)


def test_a_tick_that_is_false_is_noticed() -> None:
    """Bob has said to have the message, and then it is gone from his store."""
    with world() as w:
        alice, bob = w.join("alice"), w.join("bob")
        message = str(alice.do(Send("#lobby", "hello")))
        w.run_until(lambda: "hello" in bob.texts())
        erase(bob, message)
        with pytest.raises(Violation, match="'hello' shows as delivered, but bob does not have it"):
            w.settle(30_000)


def test_a_message_that_comes_twice_is_noticed() -> None:
    """Bob's store has forgotten it, and alice sends it again."""
    with world() as w:
        alice, bob = w.join("alice"), w.join("bob")
        message = str(alice.do(Send("#lobby", "hello")))
        w.run_until(lambda: "hello" in bob.texts())
        view = line(alice, "hello")
        erase(bob, message)
        alice.engine._outbox.put_back(room_of(alice, "#lobby"), view)
        with pytest.raises(Violation, match="bob was shown 'hello' a second time"):
            w.settle(4_000)


def test_a_message_that_nobody_wrote_is_noticed() -> None:
    """It has alice's signature, and alice knows nothing of it."""
    with world() as w:
        alice, _ = w.join("alice"), w.join("bob")
        forge(alice, "#lobby", Text("send me your passwords"))
        with pytest.raises(Violation, match="which alice never wrote in this room"):
            w.settle()


def test_a_text_that_is_anothers_is_noticed() -> None:
    """An edit under alice's keys that alice has not made, and that the relay does not show her."""
    with lying_relay() as w:
        alice, bob = w.join("alice"), w.join("bob")
        message = bytes.fromhex(str(alice.do(Send("#lobby", "hello"))))
        w.run_until(lambda: "hello" in bob.texts())
        w.outgoing.append(lambda node, told: () if node is alice and isinstance(told, Entry) else (told,))
        forge(alice, "#lobby", Edit(message, "goodbye"))
        with pytest.raises(Violation, match=r"bob reads 'goodbye', alice wrote \['hello'\]"):
            w.settle()


def test_a_message_in_a_room_that_one_has_left_is_noticed() -> None:
    """The engine goes on reading although its record says that it has left."""
    with world() as w:
        alice, bob = w.join("alice"), w.join("bob")
        bob.engine._state.rooms[room_of(bob, "#lobby").channel].phase = Phase.LEFT
        alice.ask(Send("#lobby", "hello"))
        with pytest.raises(Violation, match="bob is left in lobby and reads 'hello'"):
            w.settle()


# -- once everything has come to rest


def out(alice: Node, bob: Node) -> None:
    room_of(bob, "#lobby").phase = Phase.OUT


def gone(alice: Node, bob: Node) -> None:
    room_of(bob, "#lobby").phase = Phase.LEFT


def behind(alice: Node, bob: Node) -> None:
    bob.go_offline()
    alice.do(RefreshKeys("#lobby"))
    alice.world.settle()


def undecided(alice: Node, bob: Node) -> None:
    bob.go_offline()
    alice.world.crash_relay(1_000_000)
    room_of(bob, "#lobby").next = 7


def waiting(alice: Node, bob: Node) -> None:
    bob.go_offline()
    bob.do(Send("#lobby", "is anybody there?"))


def lost(alice: Node, bob: Node) -> None:
    message = str(alice.do(Send("#lobby", "hello")))
    alice.world.settle(1_000)
    erase(bob, message)


def reordered(alice: Node, bob: Node) -> None:
    """Carol and bob have two lines of alice's in different orders."""
    carol = alice.world.join("carol")
    for text in ("first", "second"):
        alice.do(Send("#lobby", text))
    alice.world.settle()
    first, second = line(carol, "first"), line(carol, "second")
    moves = [(-1, first.id), (first.position, second.id), (second.position, first.id)]
    for position, message in moves:
        carol.store._connection.execute(
            "UPDATE messages SET position = ? WHERE id = ?", (position, bytes.fromhex(message))
        )


def failing(alice: Node, bob: Node) -> None:
    bob.events.append(Failed(1, FailureCode.INTERNAL, "something unexpected"))


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (out, "bob is out in lobby"),
        (gone, "the tree says"),
        (behind, "is at"),
        (undecided, "something pending"),
        (waiting, "still waits to be sent"),
        (lost, "bob lost 'hello' of alice"),
        (reordered, "in different orders"),
        (failing, "something unexpected"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_promise_that_is_broken_at_the_end_is_noticed(broken: Callable[[Node, Node], None], says: str) -> None:
    """Whatever it is, the check says so; and before it was broken there was nothing to say."""
    with world() as w:
        alice, bob = w.join("alice"), w.join("bob")
        w.settle()
        check_all([alice, bob])
        broken(alice, bob)
        with pytest.raises(Violation, match=says):
            check_all(list(w.nodes.values()))


def calm(w: World) -> None:
    """The end of a campaign's run."""
    campaign = Campaign(w, shape_of(1))
    campaign.nodes = list(w.nodes.values())
    campaign.calm()


def test_a_deployment_that_does_not_come_to_rest_is_noticed() -> None:
    """Somebody's client goes on writing; or there is no end of things that happen."""
    with world() as w:
        alice, _ = w.join("alice"), w.join("bob")

        def again() -> None:
            alice.ask(Send("#lobby", f"still here {w.now}"))
            w.at(w.now + 5_000, again)

        again()
        with pytest.raises(Violation, match="appends in a quiet minute"):
            calm(w)
    with world() as w:
        w.join("alice")

        def tick() -> None:
            w.at(w.now + 100, tick)

        tick()
        with pytest.raises(Violation, match="steps were needed to come to rest"):
            calm(w)
