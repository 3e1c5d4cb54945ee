"""The client dies at any moment of its first join and starts again: one account, in the lobby, and its code to show."""

import pytest

from secure_chat.client.commands import RecoveryCodeSeen
from secure_chat.client.queries import GetRecoveryCode, GetStatus
from secure_chat.client.views import StatusView
from secure_chat.wire.framing import HEADER_LENGTH, decode_client_message
from secure_chat.wire.messages import Append, PublishKeyPackages, Register
from tests.scenarios.harness import Node, World, world
from tests.scenarios.invariants import check_all

LONGEST = 60
"""Inputs of a first join, with some to spare."""
KINDS = (-1, 0, 1)
"""Before the commit; after it and before anything has left; after the first frame."""


def joins(w: World, inputs: int, kind: int) -> tuple[Node, bool]:
    """bob's first join, with a death after so many inputs; whether it came to that."""
    node = w.add("bob")
    code = node.do(GetRecoveryCode())
    node.fuse = (inputs, kind)
    node.connect_at = w.now
    node.connect()
    w.settle(60_000)
    died = node.crashes > 0
    node.fuse = node.crash_after = None
    assert node.do(GetRecoveryCode()) == code
    return node, died


def accounts(w: World) -> list[str]:
    """Who has an account at the relay."""
    rows = w._database._connection.execute("SELECT handle FROM accounts ORDER BY handle")
    return [handle for (handle,) in rows]


def status(node: Node) -> StatusView:
    """Where the client stands."""
    view = node.do(GetStatus())
    assert isinstance(view, StatusView)
    return view


@pytest.mark.parametrize("kind", KINDS)
def test_a_death_after_any_step_of_the_first_join_is_made_good(kind: int) -> None:
    """Registration, key packages, the lobby: all is there, once, and the code is still to be shown."""
    inputs = 0
    died = True
    steps: set[str] = set()
    while died and inputs < LONGEST:
        with world() as w:
            alice = w.join("alice")

            def tap(node: Node, frame: bytes, to_relay: bool) -> None:
                if to_relay and node.name == "bob":
                    message = decode_client_message(frame[HEADER_LENGTH:])
                    steps.add(type(message).__name__)

            w.taps.append(tap)
            bob, died = joins(w, inputs, kind)
            assert accounts(w) == ["alice", "bob"]
            assert bob.rooms()["#lobby"].joined
            assert alice.rooms()["#lobby"].members == 2
            assert status(bob).recovery_due
            bob.do(RecoveryCodeSeen())
            bob.crash()
            w.settle(10_000)
            assert not status(bob).recovery_due
            check_all([alice, bob])
        inputs += 1
    assert not died, "the first join has more inputs than were tried"
    assert inputs > 10
    assert {Register.__name__, PublishKeyPackages.__name__, Append.__name__} <= steps
