"""A client put back to a snapshot meets a relay put back to a backup: nothing shows that the store is old.

`KeyUses` of the harness looks in each of these tests whether a message key encrypts two messages.
"""

import pytest

from secure_chat.client.commands import (
    AcceptInvitation,
    Command,
    InvitePeople,
    LeaveRoom,
    RefreshKeys,
    RenameRoom,
    Send,
)
from secure_chat.client.engine.spaces import Phase
from secure_chat.client.events import SecurityKind
from secure_chat.client.views import DeliveryState
from secure_chat.mls.messages.envelope import MLSMessage
from secure_chat.mls.messages.public import PublicMessage
from secure_chat.wire.framing import HEADER_LENGTH, decode_client_message
from secure_chat.wire.messages import Append, EntryKind
from tests.adversary.audit import lying_relay
from tests.adversary.evidence import nobody_noticed, noticed
from tests.adversary.members import room_of
from tests.adversary.relay import LyingRelay
from tests.adversary.rooms import closed_room, kinds
from tests.scenarios.harness import Node
from tests.scenarios.invariants import check_all

SOON = 120_000


def set_back_both(world: LyingRelay, node: Node, *future: Command) -> int:
    """Backup and snapshot are of one moment, and the client has had another future since.

    Returns how many frames the relay had heard before the client came back.
    """
    world.back_up_relay()
    copy = node.snapshot()
    for command in future:
        node.ask(command)
        world.settle(2_000)
    node.go_offline()
    node.restore(copy)
    world.restore_relay()
    world.settle(5_000)
    since = len(world.heard)
    node.go_online()
    world.run_until(lambda: node.engine._session.entered)
    return since


def appended(world: LyingRelay, node: Node, room: str, since: int) -> list[Append]:
    """What was sent to a room since then."""
    heard = [decode_client_message(frame[HEADER_LENGTH:]) for frame in world.heard[since:]]
    return [m for m in heard if isinstance(m, Append) and m.channel == room_of(node, room).channel]


def is_public(append: Append) -> bool:
    """Whether no message key has encrypted it."""
    return isinstance(MLSMessage.decode(append.payload).body, PublicMessage)


@pytest.mark.parametrize(
    "future",
    [Send("#plans", "used one key"), RefreshKeys("#plans"), LeaveRoom("#plans")],
    ids=lambda c: type(c).__name__,
)
def test_what_comes_first_is_encrypted_with_no_key_of_before(future: Command) -> None:
    """Messages wait for fresh keys, and the commit that makes these uses no message key either."""
    with lying_relay() as world:
        alice, bob = closed_room(world, "bob")
        alice.go_offline()
        since = set_back_both(world, bob, future)
        assert SecurityKind.ROLLED_BACK not in kinds(bob)
        noticed(bob, SecurityKind.NEW_INCARNATION)
        bob.do(Send("#plans", "after both went back"))
        world.settle()
        first, *rest = appended(world, bob, "#plans", since)
        assert first.kind is EntryKind.COMMIT
        assert is_public(first)
        assert EntryKind.APPLICATION in {append.kind for append in rest}
        assert not any(is_public(append) for append in rest)
        alice.go_online()
        world.settle(SOON)
        assert "after both went back" in alice.texts()
        check_all([alice, bob])


def test_what_others_have_read_of_the_lost_future_does_not_lock_the_client_out() -> None:
    """Alice has used the keys for reading: fresh ones bring her what bob writes now."""
    with lying_relay() as world:
        alice, bob = closed_room(world, "bob")
        set_back_both(world, bob, Send("#plans", "bob will not know that he wrote this"))
        assert "bob will not know that he wrote this" in alice.texts()
        bob.do(Send("#plans", "after both went back"))
        world.settle(SOON)
        assert "after both went back" in alice.texts()
        alice.do(Send("#plans", "and I read it"))
        world.settle()
        assert "and I read it" in bob.texts()
        check_all([alice, bob])


def test_leaving_then_uses_no_key_of_before() -> None:
    """The proposal to be removed is a message like others: it goes out as one that no message key encrypts."""
    with lying_relay() as world:
        alice, bob = closed_room(world, "bob")
        alice.go_offline()
        since = set_back_both(world, bob, LeaveRoom("#plans"))
        bob.do(LeaveRoom("#plans"))
        world.settle()
        proposals = [a for a in appended(world, bob, "#plans", since) if a.kind is EntryKind.PROPOSAL]
        assert proposals
        assert all(map(is_public, proposals))
        alice.go_online()
        world.settle(SOON)
        assert alice.engine._state.accounts(room_of(alice, "#plans")) == [alice.engine._state.own_account]


def test_what_is_secret_in_a_change_waits_for_keys() -> None:
    """The new name is not in the first commit, which the relay can read, but in the next."""
    with lying_relay() as world:
        alice, bob = closed_room(world, "bob")
        since = set_back_both(world, alice, Send("#plans", "used one key"))
        alice.do(RenameRoom("#plans", "secret-name"))
        world.settle()
        commits = [a for a in appended(world, alice, "#secret-name", since) if a.kind is EntryKind.COMMIT]
        assert [is_public(commit) for commit in commits] == [True, False]
        assert room_of(bob, "#secret-name").phase == Phase.JOINED
        check_all([alice, bob])


def test_a_welcome_that_is_opened_a_second_time_leads_to_no_key_that_was_used() -> None:
    """The relay and bob's store both have the Welcome again by which he had entered, and written, before."""
    with lying_relay() as world:
        alice, bob = closed_room(world, "bob")
        carol = world.join("carol")
        carol.go_offline()
        alice.do(InvitePeople("#plans", ("carol",)))
        world.settle()
        world.back_up_relay()
        copy = carol.snapshot()
        carol.go_online()
        world.settle()
        carol.do(AcceptInvitation("#plans"))
        carol.do(Send("#plans", "used one key"))
        world.settle()
        carol.go_offline()
        carol.restore(copy)
        world.restore_relay()
        world.settle(5_000)
        carol.go_online()
        world.settle(SOON)
        assert room_of(carol, "#plans").era < carol.engine._state.profile.era
        carol.do(AcceptInvitation("#plans"))
        carol.do(Send("#plans", "after both went back"))
        world.settle(SOON)
        assert "after both went back" in bob.texts()
        check_all([alice, bob, carol])


def test_nobody_commits_before_they_have_something_to_say() -> None:
    """A restored relay is met by everybody at once: a room in which nobody writes stays quiet."""
    with lying_relay() as world:
        people = [world.join(name) for name in ("alice", "bob", "carol", "dave")]
        world.settle()
        world.back_up_relay()
        world.restore_relay()
        since = len(world.heard)
        world.settle(SOON)
        assert not appended(world, people[0], "#lobby", since)
        people[2].do(Send("#lobby", "one"))
        people[2].do(Send("#lobby", "two"))
        world.settle(1_000)
        kinds_sent = [append.kind for append in appended(world, people[0], "#lobby", since)]
        assert kinds_sent == [EntryKind.COMMIT, EntryKind.APPLICATION, EntryKind.APPLICATION]
        world.settle(SOON)
        assert all({"one", "two"} <= set(node.texts()) for node in people)
        nobody_noticed(people, SecurityKind.GAP, SecurityKind.REJOINED, SecurityKind.COMMIT_REFUSED)
        check_all(people)


def test_receipts_do_not_make_everybody_commit_at_once() -> None:
    """Who has only read makes fresh keys a little later, and the tick comes then."""
    with lying_relay() as world:
        people = [world.join(name) for name in ("alice", "bob", "carol", "dave")]
        world.settle()
        world.back_up_relay()
        world.restore_relay()
        world.settle()
        since = len(world.heard)
        people[0].do(Send("#lobby", "read me"))
        world.settle(6_000)
        commits = [a for a in appended(world, people[0], "#lobby", since) if a.kind is EntryKind.COMMIT]
        assert len(commits) < len(people)
        world.settle(SOON)
        line = next(line for line in people[0].history() if line.text == "read me")
        assert line.state is DeliveryState.DELIVERED
        check_all(people)
