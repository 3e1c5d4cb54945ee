"""A relay that drops, holds back, replays, reorders and renumbers: noticed end to end, whatever it claims."""

from collections.abc import Iterable

from secure_chat.client.commands import LeaveRoom, Promote, RefreshKeys, RestartRoom, Send
from secure_chat.client.engine.receipts import MAX_PEOPLE
from secure_chat.client.engine.spaces import Phase
from secure_chat.client.events import MessageAdded, SecurityKind
from secure_chat.client.views import DeliveryState, MessageKind
from secure_chat.wire.messages import CaughtUp, Entry, EntryKind, ServerMessage
from tests.adversary.audit import lying_relay
from tests.adversary.evidence import nobody_noticed, nothing_false, nothing_leaked, noticed
from tests.adversary.members import room_of
from tests.adversary.relay import LyingRelay, changed
from tests.adversary.rooms import closed_room
from tests.scenarios.harness import Node
from tests.scenarios.invariants import check_all


def application_from(message: ServerMessage, sender: Node) -> bool:
    """Whether this is a message that a client wrote."""
    device = sender.engine._state.profile.device_id
    return isinstance(message, Entry) and message.kind is EntryKind.APPLICATION and message.sender == device


class Withhold:
    """Keeps one client's messages from another; `kept` has them."""

    def __init__(self, author: Node, victim: Node) -> None:
        self.author = author
        self.victim = victim
        self.kept: list[Entry] = []
        self.active = True

    def __call__(self, node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
        if self.active and node is self.victim and application_from(message, self.author):
            assert isinstance(message, Entry)
            self.kept.append(message)
            return ()
        return (message,)


def trio(world: LyingRelay) -> tuple[Node, Node, Node]:
    """Three people in the lobby who have each said something."""
    nodes = world.join("alice"), world.join("bob"), world.join("carol")
    for node in nodes:
        node.do(Send("#lobby", f"{node.name} is here"))
    world.settle()
    nobody_noticed(nodes)
    return nodes


def test_a_dropped_message_is_shown_as_a_gap() -> None:
    """Bob sees that one of alice's messages is missing as soon as her next one comes."""
    with lying_relay() as world:
        alice, bob, carol = trio(world)
        drop = Withhold(alice, bob)
        world.outgoing.append(drop)
        alice.do(Send("#lobby", "the secret plan"))
        world.settle()
        drop.active = False
        alice.do(Send("#lobby", "what do you think?"))
        world.settle()
        assert "the secret plan" not in bob.texts()
        assert "the secret plan" in carol.texts()
        noticed(bob, SecurityKind.GAP, "1 message", "alice")
        assert any(line.kind is MessageKind.GAP for line in bob.history())
        nobody_noticed([carol])
        nothing_false([alice, bob, carol])
        nothing_leaked(world, "the secret plan", "what do you think?")


def test_a_dropped_message_never_shows_as_delivered() -> None:
    """The author of a message that one member does not get sees no tick that says everybody has it."""
    with lying_relay() as world:
        alice, bob, carol = trio(world)
        world.outgoing.append(Withhold(alice, bob))
        alice.do(Send("#lobby", "the secret plan"))
        world.settle(60_000)
        state = next(line.state for line in alice.history() if line.text == "the secret plan")
        assert state is DeliveryState.SENT
        nothing_false([alice, bob, carol])


def hide_a_change(world: LyingRelay, alice: Node, *victims: Node) -> None:
    """A commit of alice's is not delivered to these; then the log goes on with what they can read."""

    def lie(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
        hidden = isinstance(message, Entry) and message.kind is EntryKind.COMMIT and node in victims
        return () if hidden else (message,)

    world.outgoing.append(lie)
    alice.do(RefreshKeys("#lobby"))
    world.settle(1_000)
    world.outgoing.remove(lie)
    victims[0].do(Send("#lobby", "still in the old epoch"))
    world.settle(1_000)


def test_a_change_that_was_passed_over_is_noticed_by_the_next_own_one() -> None:
    """The relay says that another commit came first, and the log has passed its place without it."""
    with lying_relay() as world:
        alice, bob, carol = trio(world)
        hide_a_change(world, alice, bob, carol)
        bob.ask(RefreshKeys("#lobby"))
        world.settle(60_000)
        noticed(bob, SecurityKind.GAP, "have not reached this device")
        noticed(bob, SecurityKind.REJOINED)
        assert room_of(bob, "#lobby").phase == Phase.JOINED
        nothing_false([alice, bob, carol])


def test_a_change_that_was_passed_over_is_noticed_at_the_next_login() -> None:
    """The relay names a later commit than the last that bob has, at a place that he has passed."""
    with lying_relay() as world:
        alice, bob, carol = trio(world)
        hide_a_change(world, alice, bob, carol)
        for node in (bob, carol):
            node.lose_connection()
        world.settle(60_000)
        for node in (bob, carol):
            noticed(node, SecurityKind.GAP, "Changes of the room were not delivered")
        check_all([alice, bob, carol])
        nothing_false([alice, bob, carol])


def new_chain(node: Node, room: str) -> None:
    """The client's device key is another, as after a return elsewhere, and gets into this room with a commit."""
    node.engine._device.renew(fresh_key=True)
    node.do(RefreshKeys(room))
    node.lose_connection()  # the next one publishes key packages of the new key
    node.world.settle()


def test_the_last_messages_before_fresh_keys_cannot_be_cut_off() -> None:
    """The next chain tells bob that the end of the former one is missing; alice's ticks stay true."""
    with lying_relay() as world:
        alice, bob, carol = trio(world)
        drop = Withhold(alice, bob)
        world.outgoing.append(drop)
        lost = [alice.do(Send("#lobby", text)) for text in ("the plan", "and its date")]
        world.settle()
        drop.active = False
        new_chain(alice, "#lobby")
        after = [alice.do(Send("#lobby", f"later {number}")) for number in range(5)]
        world.settle(60_000)
        noticed(bob, SecurityKind.GAP, "messages of alice are missing", "alice")
        states = {line.id: line.state for line in alice.history()}
        assert [states[str(message)] for message in lost] == [DeliveryState.SENT] * 2
        assert [states[str(message)] for message in after] == [DeliveryState.DELIVERED] * 5
        nobody_noticed([carol])
        nothing_false([alice, bob, carol])


def test_who_never_acknowledged_a_new_chain_is_not_taken_for_a_newcomer() -> None:
    """Bob comes back by founding the room anew: what alice wrote before that, and he lost, is not delivered."""
    with lying_relay() as world:
        alice, bob = closed_room(world, "bob")
        alice.do(Promote("#plans", "bob"))
        world.settle(30_000)
        new_chain(alice, "#plans")
        drop = Withhold(alice, bob)
        world.outgoing.append(drop)
        lost = alice.do(Send("#plans", "the plan"))
        world.settle()
        drop.active = False
        bob.do(RestartRoom("#plans"))
        world.settle(60_000)
        seen = alice.do(Send("#plans", "anything new?"))
        world.settle(60_000)
        assert next(line.state for line in alice.history() if line.id == seen) is DeliveryState.DELIVERED
        assert next(line.state for line in alice.history() if line.id == lost) is DeliveryState.SENT
        nothing_false([alice, bob])


def test_who_came_when_the_room_was_too_large_for_receipts_is_owed_what_is_written_since() -> None:
    """Nothing was counted for bob when he came; the group is started anew, and what he lost is still not delivered."""
    with lying_relay() as world:
        nodes = [world.join(f"user{number}") for number in range(MAX_PEOPLE)]
        alice, bob = nodes[0], world.join("bob")
        world.settle()
        nodes[1].do(LeaveRoom("#lobby"))
        world.settle()
        drop = Withhold(alice, bob)
        world.outgoing.append(drop)
        lost = alice.do(Send("#lobby", "the secret plan"))
        world.settle(60_000)
        drop.active = False
        alice.do(RestartRoom("#lobby"))
        world.settle(60_000)
        seen = alice.do(Send("#lobby", "anything new?"))
        world.settle(120_000)
        assert next(line.state for line in alice.history() if line.id == seen) is DeliveryState.DELIVERED
        assert next(line.state for line in alice.history() if line.id == lost) is DeliveryState.SENT
        nothing_false([*nodes, bob])


def test_messages_held_back_come_late_and_say_so() -> None:
    """What the relay delivers after all fills the gap; the line tells that it came out of order."""
    with lying_relay() as world:
        alice, bob, carol = trio(world)
        channel = room_of(bob, "#lobby").channel
        hold = Withhold(alice, bob)
        world.outgoing.append(hold)
        alice.do(Send("#lobby", "one"))
        alice.do(Send("#lobby", "two"))
        world.settle()
        hold.active = False
        alice.do(Send("#lobby", "three"))
        world.settle()
        noticed(bob, SecurityKind.GAP, "2 messages", "alice")
        for number, entry in enumerate(hold.kept, 1):
            world.say(bob, changed(entry, seq=world.last(bob, channel) + number))
        world.settle()
        assert bob.texts()[-3:] == ["three", "one", "two"]
        gap = next(line for line in bob.history() if line.kind is MessageKind.GAP)
        assert "late and out of order" in gap.text
        nothing_false([alice, bob, carol])


def test_a_replayed_message_is_dropped_and_told() -> None:
    """The same entry again, under its own number or a new one, changes nothing but raises a notice."""
    with lying_relay() as world:
        alice, bob, carol = trio(world)
        channel = room_of(bob, "#lobby").channel
        seen: list[Entry] = []

        def tap(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            if node is bob and application_from(message, alice):
                assert isinstance(message, Entry)
                seen.append(message)
            return (message,)

        world.outgoing.append(tap)
        alice.do(Send("#lobby", "pay bob 5"))
        world.settle()
        entry = next(e for e in seen)
        before = bob.history()
        world.say(bob, entry)
        world.settle()
        noticed(bob, SecurityKind.REPLAY, "second time")
        world.say(bob, changed(entry, seq=world.last(bob, channel) + 1))
        world.settle()
        noticed(bob, SecurityKind.REPLAY, "alice", "second time")
        assert [line for line in bob.history() if line.kind is MessageKind.TEXT] == [
            line for line in before if line.kind is MessageKind.TEXT
        ]
        nothing_false([alice, bob, carol])


def test_a_message_of_yesterday_under_a_new_number_is_a_replay() -> None:
    """Keys of an ended epoch are kept for late messages, but each opens only once."""
    with lying_relay() as world:
        alice, bob, carol = trio(world)
        channel = room_of(bob, "#lobby").channel
        seen: list[Entry] = []

        def tap(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            if node is bob and application_from(message, alice):
                assert isinstance(message, Entry)
                seen.append(message)
            return (message,)

        world.outgoing.append(tap)
        alice.do(Send("#lobby", "yesterday's news"))
        world.run_for(86_400_000)
        alice.do(Send("#lobby", "today's news"))
        world.settle()
        world.say(bob, changed(seen[0], seq=world.last(bob, channel) + 1))
        world.settle()
        noticed(bob, SecurityKind.REPLAY, "alice")
        assert bob.texts().count("yesterday's news") == 1
        nothing_false([alice, bob, carol])


def test_two_messages_of_one_author_in_swapped_order_are_noticed() -> None:
    """Alice's second message delivered first leaves a gap, which the first then fills as late."""
    with lying_relay() as world:
        alice, bob, carol = trio(world)
        held: list[Entry] = []

        def swap(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            if node is not bob or not application_from(message, alice):
                return (message,)
            assert isinstance(message, Entry)
            held.append(message)
            if len(held) < 2:
                return ()
            first, second = held
            return (changed(second, seq=first.seq), changed(first, seq=second.seq))

        world.outgoing.append(swap)
        alice.do(Send("#lobby", "no"))
        alice.do(Send("#lobby", "yes"))
        world.settle()
        noticed(bob, SecurityKind.GAP, "alice")
        assert carol.texts()[-2:] == ["no", "yes"]
        assert sorted(bob.texts()[-2:]) == ["no", "yes"]
        assert any("late and out of order" in line.text for line in bob.history())
        nothing_false([alice, bob, carol])


def test_a_message_that_is_handed_out_late_never_takes_anothers_place() -> None:
    """A stale entry whose number has passed is told as a repetition and then as a gap, not silently lost."""
    with lying_relay() as world:
        alice, bob, carol = trio(world)
        hold = Withhold(alice, bob)
        world.outgoing.append(hold)
        alice.do(Send("#lobby", "early"))
        world.settle()
        hold.active = False
        carol.do(Send("#lobby", "in between"))
        world.settle()
        world.say(bob, hold.kept[0])
        world.settle()
        alice.do(Send("#lobby", "later"))
        world.settle()
        noticed(bob, SecurityKind.GAP, "alice")
        nothing_false([alice, bob, carol])


def test_renumbered_entries_are_read_all_the_same() -> None:
    """Numbers are the relay's business: a log with holes in it loses nothing and alarms nobody."""
    with lying_relay() as world:
        alice, bob, carol = trio(world)
        channel = room_of(bob, "#lobby").channel

        def shift(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            if node is bob and isinstance(message, Entry) and message.channel == channel:
                return (changed(message, seq=message.seq + 1_000),)
            return (message,)

        world.outgoing.append(shift)
        alice.do(Send("#lobby", "one"))
        alice.do(Send("#lobby", "two"))
        world.settle()
        assert bob.texts()[-2:] == ["one", "two"]
        assert world.last(bob, channel) > 1_000
        nobody_noticed([bob])
        nothing_false([alice, bob, carol])


def test_a_room_whose_numbers_were_shifted_comes_back_when_the_relay_is_honest() -> None:
    """After real numbers return, which are below the false ones, messages flow again and what is lost is a gap."""
    with lying_relay() as world:
        alice, bob, carol = trio(world)

        def shift(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            if node is bob and application_from(message, alice):
                assert isinstance(message, Entry)
                return (changed(message, seq=message.seq + 1_000),)
            return (message,)

        world.outgoing.append(shift)
        alice.do(Send("#lobby", "one"))
        world.settle()
        world.honest()
        world.settle(60_000)
        carol.do(Send("#lobby", "back to normal"))
        alice.do(Send("#lobby", "good"))
        world.settle()
        assert sorted(bob.texts()[-2:]) == ["back to normal", "good"]
        nothing_false([alice, bob, carol])


def test_a_relay_that_never_says_that_all_was_sent_makes_no_message_old() -> None:
    """What comes in a new conversation while one is online is news, whatever else the relay leaves unsaid of it."""
    with lying_relay() as world:
        alice, bob = world.join("alice"), world.join("bob")
        world.settle()
        world.outgoing.append(lambda node, m: () if node is bob and isinstance(m, CaughtUp) else (m,))
        alice.do(Send("bob", "are you there?"))
        world.settle()
        added = [event for event in bob.told(MessageAdded) if event.message.text == "are you there?"]
        assert [event.live for event in added] == [True]
        assert [event.mention for event in added] == [True]
