"""The connection: the way in, deadlines, signs of life, pauses between attempts, refusals that only people can mend."""

from dataclasses import replace
from functools import partial

import pytest

from secure_chat.client.commands import Reconnect, Send, SetAddress
from secure_chat.client.engine.effects import Connected, Disconnected, Received, Tick
from secure_chat.client.engine.session import LONGEST_RETRY, PING_INTERVAL, REQUEST_TIMEOUT
from secure_chat.client.events import CaughtUp, ConnectionChanged, FailureCode, Progress
from secure_chat.client.queries import GetOpenRooms
from secure_chat.client.views import ConnectionState
from secure_chat.identity.keys import DirectoryKey
from secure_chat.server.core.admin import SuspendAccount
from secure_chat.wire.errors import ErrorCode
from secure_chat.wire.messages import Error, Goodbye, HelloAck, Ping
from tests.scenarios.harness import CERTIFICATE_HASH, GENEROUS, Node, World, world


def states(node: Node) -> list[ConnectionState]:
    return [event.state for event in node.told(ConnectionChanged)]


def told_more(node: Node, count: int) -> bool:
    return len(states(node)) > count


def last(node: Node) -> ConnectionChanged:
    return node.told(ConnectionChanged)[-1]


def test_the_way_in_is_told_step_by_step() -> None:
    """Registered on the way, once."""
    with world() as w:
        alice = w.join("alice")
        way = [ConnectionState.CONNECTING, ConnectionState.CATCHING_UP, ConnectionState.ONLINE]
        assert states(alice) == way
        assert alice.told(CaughtUp)
        alice.lose_connection()
        w.settle()
        assert states(alice) == [*way, ConnectionState.OFFLINE, *way]


def test_a_name_that_is_taken_ends_the_attempts() -> None:
    """Only the person can choose another."""
    with world() as w:
        w.join("alice")
        impostor = w.add("alice", profile="other alice")
        impostor.connect_at = w.now
        impostor.connect()
        w.settle(120_000)
        assert last(impostor) == ConnectionChanged(ConnectionState.OFFLINE, "the name alice is taken", 0)
        assert impostor.link is None


def test_a_suspended_account_is_told_so_and_stays_out() -> None:
    """Until the operator lets it in again."""
    with world() as w:
        alice = w.join("alice")
        w.admin(SuspendAccount("alice"))
        w.settle(120_000)
        assert last(alice).state is ConnectionState.OFFLINE
        assert "suspended" in last(alice).reason
        assert last(alice).retry_at == 0


def test_attempts_become_rarer_and_start_afresh_after_success() -> None:
    """A relay that restarts is not stormed."""
    with world() as w:
        alice = w.join("alice")
        w.crash_relay(downtime=600_000)
        pauses: list[int] = []
        for _ in range(12):
            pauses.append(last(alice).retry_at - w.now)
            w.run_until(partial(told_more, alice, len(states(alice))), 120_000)
        assert pauses[0] < 1_000
        assert max(pauses) <= LONGEST_RETRY
        assert pauses[-1] > LONGEST_RETRY // 2 - 1
        w.run_for(700_000)
        assert states(alice)[-1] is ConnectionState.ONLINE
        alice.lose_connection()
        assert last(alice).retry_at - w.now < 1_000


def test_the_user_need_not_wait_for_the_next_attempt() -> None:
    """Reconnect starts one now."""
    with world() as w:
        alice = w.join("alice")
        w.crash_relay(downtime=30_000)
        w.run_for(40_000)
        w.run_until(lambda: states(alice)[-1] is ConnectionState.ONLINE, 120_000)
        w.crash_relay(downtime=100)
        w.run_for(101)
        alice.do(Reconnect())
        w.run_for(1_000)
        assert states(alice)[-1] is ConnectionState.ONLINE


def test_a_relay_that_says_nothing_any_more_is_left() -> None:
    """After a question for a sign of life; a laptop that slept notices at once."""
    with world() as w:
        alice = w.join("alice")
        alice.link = None  # what is sent now reaches nobody, and nobody says so
        for _ in range(4):
            w.now += PING_INTERVAL
            alice.handle(Tick())
        assert states(alice)[-1] is ConnectionState.OFFLINE
        assert last(alice).reason == "the relay does not answer"


def test_a_request_without_an_answer_ends_the_connection() -> None:
    """The person is told that nothing is known."""
    with world() as w:
        alice = w.join("alice")
        alice.link = None
        ref = alice.ask(GetOpenRooms())
        w.now += REQUEST_TIMEOUT
        alice.handle(Tick())
        answer = alice.answer(ref)
        assert getattr(answer, "code", None) is FailureCode.OFFLINE
        assert states(alice)[-1] is ConnectionState.OFFLINE


def test_a_goodbye_says_when_to_come_back() -> None:
    """The relay restarts on purpose."""
    with world() as w:
        alice = w.join("alice")
        alice.handle(Received(Goodbye("back in a minute", 60_000)))
        assert last(alice).reason == "back in a minute"
        assert last(alice).retry_at >= w.now + 60_000


def test_a_ping_is_answered() -> None:
    """The other way round."""
    with world() as w:
        alice = w.join("alice")
        assert alice.engine.handle(Received(Ping(7)), w.now).frames


@pytest.mark.parametrize("code", [ErrorCode.REVOKED, ErrorCode.SUSPENDED])
def test_an_error_that_only_people_can_mend_ends_the_attempts(code: ErrorCode) -> None:
    """Whatever the relay says beside it."""
    with world() as w:
        alice = w.join("alice")
        alice.handle(Received(Error(0, code, "no more")))
        assert last(alice) == ConnectionChanged(ConnectionState.OFFLINE, "no more", 0)


def test_a_connection_that_no_attempt_can_mend_is_given_up() -> None:
    """A certificate that is not the pinned one."""
    with world() as w:
        alice = w.join("alice")
        alice.go_offline()
        alice.handle(Disconnected("another certificate authority", permanent=True))
        assert last(alice).retry_at == 0


def test_another_directory_key_is_no_relay_of_ours() -> None:
    """It was pinned on the first connection."""
    with world() as w:
        alice = w.join("alice")
        alice.go_offline()
        alice.handle(Connected(CERTIFICATE_HASH, "simulated"))
        alice.handle(Received(HelloAck(1, (), bytes(32), DirectoryKey(bytes(32)).public, w.now)))
        assert last(alice).retry_at == 0
        assert "directory key" in last(alice).reason


def test_a_relay_of_a_later_version_asks_for_an_update() -> None:
    """And is not tried again."""
    with world() as w:
        alice = w.join("alice")
        alice.go_offline()
        alice.handle(Connected(CERTIFICATE_HASH, "simulated"))
        alice.handle(Received(HelloAck(2, (), bytes(32), w.directory.public, w.now)))
        assert "update" in last(alice).reason
        assert last(alice).retry_at == 0


def test_what_needs_the_relay_fails_as_offline() -> None:
    """Messages are queued instead."""
    with world() as w:
        alice = w.join("alice")
        alice.go_offline()
        assert alice.fails(GetOpenRooms()) is FailureCode.OFFLINE
        assert isinstance(alice.do(Send("#lobby", "later")), str)


def test_a_moved_relay_is_found_under_its_new_address() -> None:
    """The shell asks the engine where to connect."""
    with world() as w:
        alice = w.join("alice")
        assert alice.fails(SetAddress("not an address/")) is FailureCode.INVALID
        alice.do(SetAddress("[fd00::1]:9"))
        assert alice.engine.address == "[fd00::1]:9"
        _still_there_after_a_restart(w, alice)


def _still_there_after_a_restart(w: World, node: Node) -> None:
    node.crash()
    w.settle()
    assert node.engine.address == "[fd00::1]:9"
    assert states(node)[-1] is ConnectionState.ONLINE


def test_a_long_way_to_catch_up_is_told_as_it_goes() -> None:
    """In steps of a thousand entries; a short one just ends."""
    with world() as w:
        alice, bob = w.join("alice"), w.join("bob")
        bob.go_offline()
        for number in range(2_500):
            alice.ask(Send("#lobby", str(number)))
            if number % 100 == 99:
                w.run_for(1_000)
        w.settle(30_000)
        assert not bob.told(Progress)
        bob.go_online()
        w.settle(30_000)
        way = [event.done for event in bob.told(Progress)]
        assert way[:3] == [0, 1_000, 2_000]
        assert {event.total for event in bob.told(Progress)} == {2_500}
        assert len(bob.texts()) == 2_500


def test_a_restored_relay_is_no_long_way() -> None:
    """The sequence numbers that it leaves out are no entries that wait."""
    with world() as w:
        alice, bob = w.join("alice"), w.join("bob")
        alice.ask(Send("#lobby", "saved"))
        w.settle()
        w.back_up_relay()
        alice.ask(Send("#lobby", "lost there"))
        w.settle()
        w.restore_relay()
        w.settle(60_000)
        assert bob.texts() == ["saved", "lost there"]
        assert last(bob).state is ConnectionState.ONLINE
        assert not [*alice.told(Progress), *bob.told(Progress)]


def test_a_relay_without_a_lobby_leaves_newcomers_to_themselves() -> None:
    """The operator has turned it off."""
    with world(settings=replace(GENEROUS, lobby=False)) as w:
        alice = w.join("alice")
        assert alice.rooms() == {}
        assert states(alice)[-1] is ConnectionState.ONLINE
