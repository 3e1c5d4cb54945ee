"""kill -9 between any two steps: nothing is lost, nothing comes twice, no key is used again.

A short story is played over and over; each time one client dies at another of its steps, before the commit, after it
with nothing sent, or with only part of it sent.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import partial

import pytest

from secure_chat.client.commands import (
    AcceptInvitation,
    Command,
    CreateRoom,
    InvitePeople,
    Kick,
    LeaveRoom,
    Promote,
    Send,
)
from secure_chat.client.engine.spaces import Phase
from secure_chat.client.errors import CommandFailed
from secure_chat.client.events import FailureCode
from tests.scenarios.harness import Node, World, world
from tests.scenarios.invariants import check_all

BEFORE_COMMIT, NOTHING_SENT, ONE_SENT = -1, 0, 1


def persist(world: World, node: Node, command: Command, done: Callable[[], bool]) -> None:
    """A person who tries again until it is so."""
    for _ in range(10):
        if done():
            return
        with suppress(CommandFailed, AssertionError):
            node.do(command)
        world.settle(40_000)
    assert done(), f"{node.name} could not: {command}"


def in_room(node: Node, name: str) -> bool:
    return any(r.name == name and r.phase == Phase.JOINED for r in node.engine._state.rooms.values())


def has(node: Node, text: str) -> bool:
    return text in node.texts()


def members(node: Node, name: str) -> set[str]:
    state = node.engine._state
    room = next(r for r in state.rooms.values() if r.name == name)
    return {state.people[account].handle for account in state.accounts(room)}


def story(w: World, victim: str, step: int, kind: int) -> None:
    """Two people chat in the lobby, alone and in a room of their own; one of them dies once."""
    alice, bob = w.join("alice"), w.join("bob")
    w.nodes[victim].fuse = (step, kind)
    sent: list[str] = []
    for number in range(3):
        for node in (alice, bob):
            text = f"{node.name} {number}"
            persist(w, node, Send("#lobby", text), partial(has, node, text))
            sent.append(text)
        w.settle(1_000)
    persist(w, alice, Send("bob", "private"), lambda: "private" in alice.texts())
    persist(w, alice, CreateRoom("team", suite=3), lambda: in_room(alice, "team"))
    persist(w, alice, InvitePeople("#team", ("bob",)), lambda: "bob" in members(alice, "team"))
    persist(w, bob, AcceptInvitation("#team"), lambda: in_room(bob, "team"))
    persist(w, bob, Send("#team", "here I am"), lambda: "here I am" in bob.texts())
    persist(w, alice, Promote("#team", "bob"), lambda: True)
    persist(w, alice, LeaveRoom("#team"), lambda: not in_room(alice, "team"))
    w.settle(120_000)
    check_all(list(w.nodes.values()))
    for node in (alice, bob):
        texts = node.texts()
        for text in [*sent, "private", "here I am"]:
            assert texts.count(text) == 1, f"{node.name} has {text!r} {texts.count(text)} times"
    assert members(bob, "team") == {"bob"}
    assert w.nodes[victim].crashes == 1, "the crash did not happen"


@pytest.mark.parametrize("kind", [BEFORE_COMMIT, NOTHING_SENT, ONE_SENT])
@pytest.mark.parametrize("victim", ["alice", "bob"])
@pytest.mark.parametrize("first", [0, 20, 40])
def test_a_crash_at_any_step_loses_and_repeats_nothing(victim: str, kind: int, first: int) -> None:
    """Every third step, so that each run of the tests stays short; the campaign finds the others."""
    for step in range(first, first + 20, 3):
        with world(seed=step + 1) as w:
            story(w, victim, step, kind)


def test_a_crash_while_a_commit_is_on_its_way_is_resolved_from_the_log() -> None:
    """The relay had accepted it: the client finds its own commit in the log."""
    with world() as w:
        alice, bob = w.join("alice"), w.join("bob")
        w.settle()
        alice.ask(Kick("#lobby", "bob"))
        alice.crash()
        w.settle(30_000)
        assert members(alice, "lobby") == {"alice"}
        assert not in_room(bob, "lobby")
        check_all([alice, bob])


def test_a_command_is_not_answered_as_failed_when_it_may_have_been_done() -> None:
    """The connection breaks after the commit has left: the answer waits for the log."""
    with world() as w:
        alice, bob = w.join("alice"), w.join("bob")
        w.settle()
        ref = alice.ask(Kick("#lobby", "bob"))
        alice.lose_connection()
        w.settle(30_000)
        answer = alice.answer(ref)
        assert answer is not None
        assert getattr(answer, "code", None) is None
        assert members(alice, "lobby") == {"alice"}
        check_all([alice, bob])


def test_a_change_that_never_left_fails_as_offline() -> None:
    """Nothing of it was done."""
    with world() as w:
        alice = w.join("alice")
        w.join("bob")
        alice.go_offline()
        assert alice.fails(Kick("#lobby", "bob")) is FailureCode.OFFLINE
