"""The whole store is stolen and the real software run on it, with all that was recorded at the relay."""

from contextlib import closing
from pathlib import Path

import pytest

from secure_chat.client.commands import AcceptInvitation, CreateRoom, InvitePeople, RefreshKeys, Send
from secure_chat.client.events import Invited
from tests.adversary.audit import lying_relay
from tests.adversary.relay import LyingRelay
from tests.adversary.rooms import closed_room
from tests.adversary.thief import Recorder, Thief
from tests.scenarios.harness import Node

SECRETS = ("in the room", "under newer keys", "between us", "in a room of its own", "in the lobby")


def conversation(world: LyingRelay, alice: Node, bob: Node) -> None:
    """Something in every kind of room, with commits and Welcomes in between; bob reads all of it."""
    alice.do(Send("#plans", "in the room"))
    world.settle()
    alice.do(RefreshKeys("#plans"))
    alice.do(Send("#plans", "under newer keys"))
    alice.do(Send("bob", "between us"))
    alice.do(Send("#lobby", "in the lobby"))
    alice.do(CreateRoom("own", None, False))
    alice.do(InvitePeople("#own", ("bob",)))
    world.settle()
    bob.do(AcceptInvitation(bob.told(Invited)[-1].invitation.room))
    world.settle()
    alice.do(Send("#own", "in a room of its own"))
    world.settle()
    assert set(SECRETS) <= set(bob.texts())


def met(world: LyingRelay) -> tuple[Node, Node]:
    """alice and bob in #plans, #lobby and a conversation of their own."""
    alice, bob = closed_room(world, "bob")
    alice.do(Send("bob", "hi"))
    bob.do(Send("alice", "hello"))
    world.settle()
    return alice, bob


def test_a_store_stolen_after_reading_shows_nothing_of_what_is_handed_to_it_again() -> None:
    """Messages, commits and Welcomes, as they came or as if they were new: the real client reads none of them."""
    with lying_relay() as world:
        alice, bob = met(world)
        recorded = Recorder(world, bob)
        conversation(world, alice, bob)
        entries = list(recorded.entries)
        bob.lose_connection()
        world.settle()
        for again in (False, True):
            with closing(Thief(world, bob.snapshot(), recorded)) as thief:
                thief.hand_over(entries, again=again)
                assert thief.reads == []


def stolen_now(world: LyingRelay, victim: Node) -> tuple[Path, Recorder, Recorder]:
    """A copy of the store as it is, what the relay said at its last login, and what it will say from now on."""
    logins = Recorder(world, victim)
    victim.lose_connection()
    world.settle()
    stolen = victim.snapshot()
    world.outgoing.remove(logins)
    return stolen, logins, Recorder(world, victim)


def test_a_store_stolen_before_reading_shows_it_all() -> None:
    """The control: what had not been read is readable with it, so that the thief knows how."""
    with lying_relay() as world:
        alice, bob = met(world)
        stolen, logins, recorded = stolen_now(world, bob)
        conversation(world, alice, bob)
        with closing(Thief(world, stolen, logins)) as thief:
            thief.hand_over(recorded.entries, own=False)
            assert set(thief.reads) >= {"in the room", "under newer keys", "between us", "in the lobby"}


@pytest.mark.parametrize("own", [False, True])
def test_a_thief_reads_nothing_from_after_the_victims_fresh_keys(own: bool) -> None:
    """The stolen client goes on reading until bob's keys are fresh, room by room; from then on nothing at all."""
    with lying_relay() as world:
        alice, bob = met(world)
        stolen, logins, recorded = stolen_now(world, bob)
        for room in ("#plans", "bob", "#lobby"):
            alice.do(Send(room, f"before, in {room}"))
        world.settle()
        for room in ("#plans", "alice", "#lobby"):
            bob.do(RefreshKeys(room))
        world.settle()
        for room in ("#plans", "bob", "#lobby"):
            alice.do(Send(room, f"after, in {room}"))
        for room in ("#plans", "alice", "#lobby"):
            bob.do(Send(room, f"after, from bob in {room}"))
        world.settle()
        assert sum(text.startswith("after") for text in alice.texts()) == 6
        assert sum(text.startswith("after") for text in bob.texts()) == 6
        with closing(Thief(world, stolen, logins)) as thief:
            thief.hand_over(recorded.entries, own=own)
            assert set(thief.reads) <= {"before, in #lobby", "before, in #plans", "before, in bob"}
            assert own or len(thief.reads) == 3
