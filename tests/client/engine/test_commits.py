"""Changes of a room: conflicts that nobody notices, turns, refusals, and what the log decides."""

from dataclasses import replace

from secure_chat.client.commands import (
    AcceptInvitation,
    CreateRoom,
    InvitePeople,
    Kick,
    LeaveRoom,
    Promote,
    RefreshKeys,
    RenameRoom,
    Send,
)
from secure_chat.client.events import Done, Failed, FailureCode, SecurityNotice
from tests.scenarios.harness import GENEROUS, Network, Node, World, world
from tests.scenarios.invariants import check_all


def epoch(node: Node, name: str) -> int:
    return node.rooms()[name].epoch


def team(w: World, *others: str) -> list[Node]:
    """Alice's room with everybody in it, all admins."""
    nodes = [w.join(name) for name in ("alice", *others)]
    nodes[0].do(CreateRoom("team", suite=3))
    nodes[0].do(InvitePeople("#team", others))
    w.settle()
    for node in nodes[1:]:
        node.do(AcceptInvitation("#team"))
        nodes[0].do(Promote("#team", node.name))
    w.settle()
    return nodes


def test_everybody_changes_the_room_at_once_and_all_of_it_happens() -> None:
    """One wins each race; the others put their wishes into the next commit."""
    with world() as w:
        nodes = team(w, "bob", "carol", "dave")
        before = epoch(nodes[0], "#team")
        refs = [node.ask(RefreshKeys("#team")) for node in nodes]
        w.settle(30_000)
        assert all(isinstance(node.answer(ref), Done) for node, ref in zip(nodes, refs, strict=True))
        assert epoch(nodes[0], "#team") == before + len(nodes)
        check_all(nodes)


def test_two_admins_who_remove_each_other_leave_one_of_them() -> None:
    """Who came second is told that it is out."""
    with world() as w:
        alice, bob = team(w, "bob")
        refs = alice.ask(Kick("#team", "bob")), bob.ask(Kick("#team", "alice"))
        w.settle(30_000)
        outcomes = sorted(type(n.answer(r)).__name__ for n, r in zip((alice, bob), refs, strict=True))
        assert outcomes == ["Done", "Failed"]
        check_all([alice, bob])


def test_several_wishes_of_one_go_into_one_commit() -> None:
    """While an earlier one is on its way, the others gather."""
    with world() as w:
        alice, bob = team(w, "bob")
        before = epoch(alice, "#team")
        refs = [alice.ask(command) for command in (RefreshKeys("#team"), RenameRoom("#team", "crew"))]
        refs.append(alice.ask(RefreshKeys("#team")))
        w.settle()
        assert all(isinstance(alice.answer(ref), Done) for ref in refs)
        assert epoch(bob, "#crew") == before + 2


def test_a_wish_that_others_have_fulfilled_is_granted_without_a_commit() -> None:
    """It is so already."""
    with world() as w:
        alice, bob, carol = team(w, "bob", "carol")
        before = epoch(alice, "#team")
        refs = alice.ask(Kick("#team", "carol")), bob.ask(Kick("#team", "carol"))
        w.settle(30_000)
        assert all(isinstance(n.answer(r), Done) for n, r in zip((alice, bob), refs, strict=True))
        assert epoch(alice, "#team") == before + 1
        check_all([alice, bob, carol])


def test_messages_wait_for_a_commit_that_is_on_its_way() -> None:
    """And go out in the new epoch, in order."""
    with world(network=Network((50, 200))) as w:
        alice, bob = team(w, "bob")
        alice.ask(RefreshKeys("#team"))
        texts = [f"number {n}" for n in range(10)]
        for text in texts:
            alice.ask(Send("#team", text))
        w.settle(20_000)
        assert bob.texts() == texts
        check_all([alice, bob])


def test_who_leaves_is_removed_by_whoever_is_there() -> None:
    """Before anything else is sent, and without a person's help."""
    with world() as w:
        alice, bob, carol = team(w, "bob", "carol")
        carol.do(LeaveRoom("#team"))
        bob.do(Send("#team", "carol is gone"))
        w.settle()
        assert alice.rooms()["#team"].members == 2
        assert alice.texts() == ["carol is gone"]
        assert carol.texts() == []
        check_all([alice, bob, carol])


def test_who_leaves_while_nobody_else_is_there_is_removed_later() -> None:
    """By the first who comes online."""
    with world() as w:
        alice, bob, carol = team(w, "bob", "carol")
        alice.go_offline()
        bob.go_offline()
        carol.do(LeaveRoom("#team"))
        w.sleep(3_600_000)
        bob.go_online()
        w.settle()
        assert bob.rooms()["#team"].members == 2
        alice.go_online()
        w.settle()
        check_all([alice, bob, carol])


def test_the_last_admin_hands_the_room_over_before_leaving() -> None:
    """A room is never without one."""
    with world() as w:
        alice, bob = w.join("alice"), w.join("bob")
        alice.do(CreateRoom("team"))
        alice.do(InvitePeople("#team", ("bob",)))
        w.settle()
        bob.do(AcceptInvitation("#team"))
        w.settle()
        alice.do(LeaveRoom("#team"))
        w.settle()
        assert bob.rooms()["#team"].admin
        bob.do(RenameRoom("#team", "mine"))
        check_all([alice, bob])


def test_a_limit_on_commits_only_takes_time() -> None:
    """The relay says when to come back; nobody is asked to do anything."""
    slow = replace(GENEROUS, commits_per_minute=6, commits_burst=6)
    with world(settings=slow) as w:
        alice, bob = w.join("alice"), w.join("bob")
        refs = [alice.ask(RefreshKeys("#lobby"))]
        for _ in range(8):
            w.settle(1_000)
            refs.append(alice.ask(RefreshKeys("#lobby")))
        w.settle(200_000)
        assert all(isinstance(alice.answer(ref), Done) for ref in refs)
        assert not alice.told(SecurityNotice)
        check_all([alice, bob])


def test_a_change_that_the_relay_refuses_fails_and_the_room_goes_on() -> None:
    """The person learns why."""
    with world(settings=replace(GENEROUS, channel_members=2)) as w:
        alice, bob, carol = w.join("alice"), w.join("bob"), w.join("carol")
        alice.do(CreateRoom("small"))
        alice.do(InvitePeople("#small", ("bob",)))
        w.settle()
        ref = alice.ask(InvitePeople("#small", ("carol",)))
        w.settle(30_000)
        answer = alice.answer(ref)
        assert isinstance(answer, Failed)
        assert answer.code is FailureCode.REFUSED
        assert "at most 2 devices" in answer.message
        bob.do(AcceptInvitation("#small"))
        alice.do(Send("#small", "just us, then"))
        w.settle()
        assert bob.texts() == ["just us, then"]
        assert carol.texts() == []
        check_all([alice, bob])
