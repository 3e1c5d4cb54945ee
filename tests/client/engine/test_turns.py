"""Who lets others in, and when: by the line of those who are online, shared, and paced."""

from secure_chat.client.commands import LeaveRoom, RefreshKeys
from secure_chat.client.engine.changes import Wish
from secure_chat.client.engine.occupants import own_leaf_key
from secure_chat.client.engine.spaces import Room
from secure_chat.client.engine.state import State
from secure_chat.client.engine.turns import MAX_REQUESTS, MINUTE, NEW, PACE, SHARE, TURN, Turns
from secure_chat.wire.framing import HEADER_LENGTH, decode_client_message
from secure_chat.wire.messages import Append, Entry, EntryKind, ServerMessage
from tests.adversary.members import room_of
from tests.adversary.relay import LyingRelay, lying_relay
from tests.scenarios.harness import Node, World

ROUND_TRIPS = 200
"""Milliseconds that requests, commits and Welcomes need on the way."""


def lobby(world: World, *names: str) -> list[Node]:
    """Everybody in the lobby, in the order of leaves, and no newcomers any more."""
    nodes = [world.join(name) for name in names]
    world.settle(NEW + MINUTE)
    return nodes


def committers(world: World) -> list[str]:
    """Fills with the names of those whose commits leave from now on."""
    names: list[str] = []

    def tap(node: Node, frame: bytes, to_relay: bool) -> None:
        if to_relay:
            message = decode_client_message(frame[HEADER_LENGTH:])
            if isinstance(message, Append) and message.kind is EntryKind.COMMIT:
                names.append(node.name)

    world.taps.append(tap)
    return names


def enter(world: World, name: str) -> tuple[Node, int]:
    """Somebody comes for the first time; milliseconds until they are in."""
    start = world.now
    node = world.add(name)
    node.connect_at = start
    node.connect()
    world.run_until(lambda: node.engine._state.profile.lobby_entered, 10_000, f"{name} is in")
    return node, world.now - start


def deaf(world: LyingRelay, node: Node) -> None:
    """From now on the relay shows this client no requests: it is there, but answers none."""
    world.outgoing.append(lambda to, message: () if to is node and _is_request(message) else (message,))


def _is_request(message: ServerMessage) -> bool:
    return isinstance(message, Entry) and message.kind is EntryKind.REQUEST


def test_the_lowest_leaf_lets_in_and_nobody_else_tries() -> None:
    """At once, with one commit."""
    with lying_relay() as world:
        lobby(world, "alice", "bob", "carol")
        names = committers(world)
        _, took = enter(world, "dave")
        world.settle()
        assert took < ROUND_TRIPS + TURN
        assert names == ["alice"]


def test_the_next_in_line_does_what_the_first_has_not() -> None:
    """After its turn; the one after it stays quiet."""
    with lying_relay() as world:
        alice, _, _ = lobby(world, "alice", "bob", "carol")
        deaf(world, alice)
        names = committers(world)
        _, took = enter(world, "dave")
        world.settle()
        assert TURN <= took < 2 * TURN + ROUND_TRIPS
        assert names == ["bob"]


def test_who_is_away_has_no_turn() -> None:
    """The line is of those who are online."""
    with lying_relay() as world:
        alice, _, _ = lobby(world, "alice", "bob", "carol")
        alice.go_offline()
        world.settle()
        names = committers(world)
        _, took = enter(world, "dave")
        assert took < ROUND_TRIPS + TURN
        assert names == ["bob"]


def test_who_has_just_come_in_waits_for_the_others() -> None:
    """It does not know yet who is online: it must not take itself for the first."""
    with lying_relay() as world:
        lobby(world, "alice", "bob")
        names = committers(world)
        for name in ("carol", "dave", "erin", "frank"):
            enter(world, name)
        world.settle()
        assert set(names) == {"alice"}


def test_what_comes_within_a_second_shares_a_commit() -> None:
    """The first at once, the others together."""
    with lying_relay() as world:
        alice, _ = lobby(world, "alice", "bob")
        names = committers(world)
        enter(world, "carol")
        start = world.now
        others = [world.add(name) for name in ("dave", "erin", "frank", "grace")]
        for node in others:
            node.connect_at = world.now
            node.connect()
        world.run_until(lambda: all(node.engine._state.profile.lobby_entered for node in others), 5_000)
        assert world.now - start < PACE + ROUND_TRIPS
        assert names == ["alice", "alice"]
        assert len(alice.engine._state.accounts(room_of(alice, "#lobby"))) == 7


def test_who_has_committed_often_stands_back() -> None:
    """The next in line goes on for a minute, before the relay's limit is met; then it is the first one's turn again."""
    with lying_relay() as world:
        alice, bob = lobby(world, "alice", "bob")
        for _ in range(SHARE):
            alice.do(RefreshKeys("#lobby"))
        world.settle(PACE)
        names = committers(world)
        enter(world, "carol")
        assert names == ["bob"]
        world.settle(MINUTE)
        enter(world, "dave")
        world.settle()
        assert names == ["bob", "alice"]
        assert len(bob.engine._state.accounts(room_of(bob, "#lobby"))) == 4


def test_commits_that_let_nobody_in_take_no_turn_away() -> None:
    """Mallory, the first in line, refreshes its keys all the time and answers nobody: bob's turn comes all the same."""
    with lying_relay() as world:
        mallory, _, _ = lobby(world, "mallory", "bob", "carol")
        deaf(world, mallory)
        end = world.now + 10_000

        def flood() -> None:
            if world.now < end:
                mallory.ask(RefreshKeys("#lobby"))
                world.at(world.now + 100, flood)

        world.at(world.now, flood)
        _, took = enter(world, "dave")
        assert took < 3 * TURN


def test_letting_in_sends_no_path_and_a_removal_does() -> None:
    """RFC 9420 §12.4: only a path gives fresh keys."""
    with lying_relay() as world:
        alice, bob = lobby(world, "alice", "bob")
        room = room_of(alice, "#lobby")
        keys, due = own_leaf_key(alice.engine._state.group(room)), room.keys_due
        enter(world, "carol")
        world.settle()
        assert own_leaf_key(alice.engine._state.group(room)) == keys
        assert room.keys_due == due
        bob.do(LeaveRoom("#lobby"))
        world.settle()
        assert own_leaf_key(alice.engine._state.group(room)) != keys
        assert room.keys_due != due


def test_waiting_requests_are_bounded(state: State, room: Room) -> None:
    """However many accounts somebody makes: the oldest are forgotten, and who asks again is the newest."""
    turns = Turns(state)
    wishes = [Wish(request=number.to_bytes(16, "big")) for number in range(MAX_REQUESTS + 2)]
    for wish in wishes[:MAX_REQUESTS]:
        turns.ask(room, wish)
    turns.ask(room, wishes[0])
    for wish in wishes[MAX_REQUESTS:]:
        turns.ask(room, wish)
    waiting = turns.requests(room)
    assert len(waiting) == MAX_REQUESTS
    assert wishes[0] in waiting
    assert wishes[1] not in waiting
