"""The ways into rooms, with and without anybody there to open the door."""

from dataclasses import replace

import pytest

from secure_chat.client.commands import (
    AcceptInvitation,
    Ban,
    CreateRoom,
    DeclineInvitation,
    InvitePeople,
    JoinRoom,
    Kick,
    LeaveRoom,
    Promote,
    RefreshKeys,
    RestartRoom,
    Send,
    StartDirect,
)
from secure_chat.client.engine.entrances import group_prefix
from secure_chat.client.engine.spaces import Phase
from secure_chat.client.events import Failed, FailureCode, Invited, MessageAdded, RoomRemoved, SecurityNotice
from secure_chat.client.queries import GetInvitations, GetMembers
from secure_chat.client.views import MemberView
from tests.scenarios.harness import GENEROUS, Network, Node, World, world
from tests.scenarios.invariants import check_all

HOUR = 3_600_000


def members(node: Node, room: str) -> set[str]:
    views = node.do(GetMembers(room))
    assert isinstance(views, tuple)
    return {view.handle for view in views if isinstance(view, MemberView)}


def members_channel(w: World, name: str) -> int:
    node = next(iter(w.nodes.values()))
    room = next(r for r in node.engine._state.rooms.values() if r.name == name)
    return room.head


def test_who_declines_is_shown_nothing_that_still_comes() -> None:
    """What was written before the others have learned of it is not for them."""
    with world() as w:
        alice, bob = w.join("alice"), w.join("bob")
        alice.do(CreateRoom("plans", 3, False))
        alice.do(InvitePeople("#plans", ("bob",)))
        w.settle()
        bob.ask(DeclineInvitation("#plans"))
        alice.ask(Send("#plans", "for members only"))
        w.settle()
        shown = [event.message.text for event in bob.told(MessageAdded)]
        assert "for members only" not in shown
        assert not bob.rooms()["#plans"].joined


def test_a_rooms_name_alone_will_do_where_nobody_is_called_so() -> None:
    """To accept, to look, to leave; but never to send, and never where it could be a person."""
    with world() as w:
        alice, bob = w.join("alice"), w.join("bob")
        for name in ("plans", "alice"):
            alice.do(CreateRoom(name, 3, False))
            alice.do(InvitePeople(f"#{name}", ("bob",)))
            w.settle()
            bob.do(AcceptInvitation(name))
            w.settle()
        assert members(bob, "plans") == {"alice", "bob"}
        assert bob.fails(Send("plans", "to whom?")) is FailureCode.NOT_FOUND
        assert bob.fails(GetMembers("alice")) is FailureCode.NOT_FOUND
        bob.do(LeaveRoom("PLANS"))
        assert bob.fails(LeaveRoom("alice")) is FailureCode.NOT_FOUND


def test_a_member_who_is_online_opens_the_door() -> None:
    """Within a moment."""
    with world() as w:
        alice = w.join("alice")
        bob = w.add("bob")
        bob.connect_at = w.now
        bob.connect()
        w.run_until(lambda: any(r.phase == Phase.JOINED for r in bob.engine._state.rooms.values()), 1_500)
        w.settle()
        assert members(alice, "#lobby") == members(bob, "#lobby") == {"alice", "bob"}


@pytest.mark.parametrize(("presence", "wait"), [(True, 0), (False, 3_000)])
def test_with_nobody_online_a_newcomer_enters_by_itself(presence: bool, wait: int) -> None:
    """By an external commit, at once or, where the relay tells nothing, after three seconds."""
    with world(settings=replace(GENEROUS, presence=presence)) as w:
        alice = w.join("alice")
        alice.go_offline()
        bob = w.add("bob")
        bob.connect_at = w.now
        bob.connect()
        begun = w.now
        w.run_until(lambda: any(r.phase == Phase.JOINED for r in bob.engine._state.rooms.values()), wait + 2_000)
        assert w.now - begun >= wait
        bob.do(Send("#lobby", "is anybody here?"))
        alice.go_online()
        w.settle()
        assert alice.texts() == ["is anybody here?"]
        check_all([alice, bob])
        assert not alice.told(SecurityNotice)


def test_many_who_come_at_once_are_let_in_together() -> None:
    """A few commits for thirty people."""
    with world() as w:
        alice = w.join("alice")
        before = members_channel(w, "lobby")
        newcomers = [w.add(f"guest{n}") for n in range(30)]
        for node in newcomers:
            node.connect_at = w.now
            node.connect()
        w.settle(30_000)
        assert len(members(alice, "#lobby")) == 31
        commits = members_channel(w, "lobby") - before
        assert commits < 60, "requests and commits"
        assert alice.rooms()["#lobby"].epoch < 12
        check_all(list(w.nodes.values()))


def test_two_who_found_a_room_at_once_end_in_one() -> None:
    """The relay takes the first; the other is let in."""
    with world() as w:
        alice, bob = w.join("alice"), w.join("bob")
        refs = alice.ask(JoinRoom("garden")), bob.ask(JoinRoom("garden"))
        w.run_until(lambda: all(n.answer(r) for n, r in zip((alice, bob), refs, strict=True)), 30_000)
        w.settle()
        assert members(alice, "#garden") == {"alice", "bob"}
        check_all([alice, bob])


def test_two_who_write_to_each_other_at_once_end_in_one_conversation() -> None:
    """Nothing of what they wrote is lost."""
    with world() as w:
        alice, bob = w.join("alice"), w.join("bob")
        alice.ask(Send("bob", "hello bob"))
        bob.ask(Send("alice", "hello alice"))
        w.settle(60_000)
        assert sorted(alice.texts()) == sorted(bob.texts()) == ["hello alice", "hello bob"]
        check_all([alice, bob])


@pytest.mark.parametrize("later", [5, 15, 20, 35])
def test_whoever_was_overtaken_while_founding_changes_the_room_all_the_same(later: int) -> None:
    """The own founding lost to another's, whose Welcome may come before the refusal: the next commit leaves."""
    with world(seed=later) as w:
        alice, bob = w.join("alice"), w.join("bob")
        alice.ask(Send("bob", "hello"))
        w.run_for(later)
        bob.ask(Send("alice", "hello"))
        w.settle(30_000)
        for node, other in ((alice, "bob"), (bob, "alice")):
            node.do(RefreshKeys(other))
        w.settle(60_000)
        check_all([alice, bob])


def test_a_direct_message_reaches_somebody_who_is_away() -> None:
    """By a key package that waits at the relay."""
    with world() as w:
        alice, bob = w.join("alice"), w.join("bob")
        bob.go_offline()
        alice.do(Send("bob", "for later"))
        w.sleep(3_600_000)
        bob.go_online()
        w.settle()
        assert bob.texts() == ["for later"]


def test_nobody_writes_to_a_stranger_or_to_oneself() -> None:
    """In one clear line."""
    with world() as w:
        alice = w.join("alice")
        assert alice.fails(StartDirect("nobody")) is FailureCode.NOT_FOUND
        assert alice.fails(StartDirect("Not A Name")) is FailureCode.INVALID
        assert alice.fails(Send("alice", "me")) is FailureCode.INVALID
        assert alice.fails(Send("#nowhere", "hello?")) is FailureCode.NOT_FOUND


def invited(w: World) -> tuple[Node, Node]:
    alice, bob = w.join("alice"), w.join("bob")
    alice.do(CreateRoom("team"))
    alice.do(InvitePeople("#team", ("bob",)))
    alice.do(Send("#team", "welcome"))
    w.settle()
    return alice, bob


def test_an_invitation_waits_and_shows_nothing_of_the_room_before_it_is_accepted() -> None:
    """Then everything since the invitation is there."""
    with world() as w:
        alice, bob = invited(w)
        assert [event.invitation.name for event in bob.told(Invited)] == ["team"]
        assert not any(event.message.text == "welcome" for event in bob.told(MessageAdded))
        assert not bob.rooms()["#team"].joined
        assert bob.fails(Send("#team", "hello")) is FailureCode.NOT_ALLOWED
        bob.crash()
        w.settle()
        bob.do(AcceptInvitation("#team"))
        w.settle()
        assert bob.texts(bob.rooms()["#team"].id) == ["welcome"]
        assert [line.detail for line in alice.history() if line.sender == "bob"][-1] == "accepted"
        assert bob.fails(AcceptInvitation("#team")) is FailureCode.NOT_FOUND


def test_a_declined_invitation_is_told_and_can_come_again() -> None:
    """The room forgets nothing, the invited keeps nothing."""
    with world() as w:
        alice, bob = invited(w)
        bob.do(DeclineInvitation("#team"))
        w.settle()
        assert members(alice, "#team") == {"alice"}
        assert [line.detail for line in alice.history() if line.kind == "notice"][-1] == "declined"
        assert bob.do(GetInvitations()) == ()
        alice.do(InvitePeople("#team", ("bob",)))
        w.settle()
        bob.do(AcceptInvitation("#team"))
        w.settle()
        assert members(alice, "#team") == {"alice", "bob"}
        check_all([alice, bob])


def test_joining_an_open_room_that_others_have_put_one_into_accepts_that() -> None:
    """As after a relay's restore; it needs no other way in."""
    with world() as w:
        alice, bob = w.join("alice"), w.join("bob")
        lobby = bytes.fromhex(bob.rooms()["#lobby"].id)
        bob.engine._state.rooms[lobby].phase = Phase.INVITED
        epoch = group_epoch(alice, "#lobby")
        bob.do(JoinRoom("lobby"))
        w.settle()
        assert bob.rooms()["#lobby"].joined
        assert group_epoch(alice, "#lobby") == epoch
        check_all([alice, bob])


def test_joining_while_leaving_waits_for_a_second_word() -> None:
    """The two don't get into each other's way."""
    with world() as w:
        w.join("alice")
        bob = w.join("bob")
        leaving = bob.ask(LeaveRoom("#lobby"))
        assert bob.fails(JoinRoom("lobby")) is FailureCode.BLOCKED
        w.run_until(lambda: bob.answer(leaving) is not None)
        bob.do(JoinRoom("lobby"))
        w.settle()
        assert bob.rooms()["#lobby"].joined


def group_epoch(node: Node, name: str) -> int:
    """Of the room's MLS group."""
    state = node.engine._state
    return state.group(state.rooms[bytes.fromhex(node.rooms()[name].id)]).epoch


def test_who_left_an_open_room_can_come_back() -> None:
    """And reads on, without a false alarm."""
    with world() as w:
        alice, bob = w.join("alice"), w.join("bob")
        alice.do(Send("#lobby", "one"))
        w.settle()
        bob.do(Send("#lobby", "two"))
        w.settle()
        bob.do(LeaveRoom("#lobby"))
        w.settle()
        assert bob.told(RoomRemoved)
        alice.do(Send("#lobby", "not for bob"))
        bob.do(JoinRoom("lobby"))
        w.settle()
        alice.do(Send("#lobby", "three"))
        w.settle()
        bob.do(Send("#lobby", "four"))
        w.settle()
        assert bob.texts() == ["one", "two", "three", "four"]
        assert alice.texts() == ["one", "two", "not for bob", "three", "four"]
        assert not alice.told(SecurityNotice)
        assert not bob.told(SecurityNotice)


def test_an_open_room_that_everybody_has_left_begins_anew() -> None:
    """Without those who left at the end."""
    with world() as w:
        alice, bob = w.join("alice"), w.join("bob")
        alice.do(LeaveRoom("#lobby"))
        w.settle()
        bob.do(LeaveRoom("#lobby"))
        w.settle()
        alice.do(JoinRoom("lobby"))
        w.settle()
        assert members(alice, "#lobby") == {"alice"}
        bob.do(JoinRoom("lobby"))
        w.settle()
        assert members(bob, "#lobby") == {"alice", "bob"}
        check_all([alice, bob])


def test_who_is_banned_stays_out_whichever_way_they_try() -> None:
    """Neither asking nor an external commit helps."""
    with world() as w:
        alice, bob = w.join("alice"), w.join("bob")
        alice.do(Ban("#lobby", "bob"))
        w.settle()
        assert bob.fails(JoinRoom("lobby")) is FailureCode.REFUSED
        w.settle(60_000)
        assert members(alice, "#lobby") == {"alice"}


def test_names_of_rooms_are_checked() -> None:
    """Printable, and not too long."""
    with world() as w:
        alice = w.join("alice")
        for name in ("", "#", "x" * 65, "two\nlines", "bell\a"):
            assert alice.fails(JoinRoom(name)) is FailureCode.INVALID
            assert alice.fails(CreateRoom(name)) is FailureCode.INVALID
        assert alice.fails(CreateRoom("odd", suite=1)) is FailureCode.INVALID


def test_two_rooms_of_one_name_are_told_apart_by_their_ids() -> None:
    """Names of closed rooms are nobody's."""
    with world() as w:
        alice = w.join("alice")
        first, second = alice.do(CreateRoom("team", suite=3)), alice.do(CreateRoom("team", suite=3))
        assert alice.fails(Send("#team", "which?")) is FailureCode.INVALID
        alice.do(Send(str(second), "this one"))
        assert alice.texts(str(first)) == []
        assert alice.texts(str(second)) == ["this one"]


def test_a_groups_id_names_its_channel_and_founding() -> None:
    """So that no group passes for another room's."""
    assert group_prefix(bytes(16), 3) == bytes(16) + b"\x00" * 7 + b"\x03"


def test_who_lets_somebody_in_before_them_starts_nothing_anew() -> None:
    """Both admins left at once, and carol acts as one; dave asks just then, and takes the first leaf meanwhile."""
    with world(network=Network((20, 21))) as w:
        nodes = alice, bob, carol, dave = [w.join(name) for name in ("alice", "bob", "carol", "dave")]
        alice.do(Promote("#lobby", "bob"))
        dave.do(LeaveRoom("#lobby"))
        w.settle()
        for node in (alice, bob):
            node.ask(LeaveRoom("#lobby"))
        w.settle()
        assert members(carol, "#lobby") == {"carol"}
        room = next(room for room in carol.engine._state.rooms.values() if room.name == "lobby")
        before = carol.engine._state.position(room.channel)
        dave.ask(JoinRoom("lobby"))
        w.run_until(lambda: carol.engine._state.position(room.channel) > before)
        assert carol.fails(RestartRoom("#lobby")) is FailureCode.NOT_ALLOWED
        w.settle()
        check_all(nodes)
        dave.do(RestartRoom("#lobby"))
        w.settle()
        assert members(carol, "#lobby") == members(dave, "#lobby") == {"carol", "dave"}
        check_all(nodes)


def test_the_last_admin_hands_over_to_somebody_who_stays() -> None:
    """Bob comes first in line, and is leaving himself just then: carol becomes the admin."""
    with world() as w:
        alice, bob, carol = [w.join(name) for name in ("alice", "bob", "carol")]
        bob.ask(LeaveRoom("#lobby"))
        room = next(room for room in alice.engine._state.rooms.values() if room.name == "lobby")
        before = alice.engine._state.position(room.channel)
        w.run_until(lambda: alice.engine._state.position(room.channel) > before)
        alice.do(LeaveRoom("#lobby"))
        w.settle()
        roles = carol.engine._state.roles(carol.engine._state.rooms[room.channel])
        assert roles is not None
        assert carol.engine._state.own_account in roles.admins
        check_all([alice, bob, carol])


def test_who_enters_while_nobody_is_there_hears_who_has_left() -> None:
    """Alice is away for longer than the relay keeps anything: only bob, who came in alone, can take carol out."""
    with world(settings=replace(GENEROUS, retention=HOUR)) as w:
        alice, carol, bob = [w.join(name) for name in ("alice", "carol", "bob")]
        bob.do(LeaveRoom("#lobby"))
        w.settle()
        alice.go_offline()
        carol.do(LeaveRoom("#lobby"))
        w.settle()
        bob.do(JoinRoom("lobby"))
        w.settle()
        assert members(bob, "#lobby") == {"alice", "bob"}
        w.run_for(2 * HOUR)
        alice.go_online()
        w.settle(60_000)
        check_all([alice, bob, carol])
        assert not [n for node in (bob, carol) for n in node.told(SecurityNotice)]


def test_who_comes_back_still_knows_who_was_leaving() -> None:
    """Bob goes before he has taken carol out; nobody else was there, and he comes back alone."""
    with world(settings=replace(GENEROUS, retention=HOUR)) as w:
        alice, carol, bob = [w.join(name) for name in ("alice", "carol", "bob")]
        alice.go_offline()
        room = next(room for room in bob.engine._state.rooms.values() if room.name == "lobby")
        carol.ask(LeaveRoom("#lobby"))
        w.run_until(lambda: bool(room.notes))
        bob.do(LeaveRoom("#lobby"))
        w.settle()
        bob.do(JoinRoom("lobby"))
        w.settle()
        assert members(bob, "#lobby") == {"alice", "bob"}
        w.run_for(2 * HOUR)
        alice.go_online()
        w.settle(60_000)
        check_all([alice, bob, carol])
        assert not [n for node in (bob, carol) for n in node.told(SecurityNotice)]


def test_who_leaves_while_entering_is_gone() -> None:
    """Nobody is there, so bob enters by a commit of his own; it comes into the log when he has changed his mind."""
    with world(settings=replace(GENEROUS, retention=HOUR)) as w:
        alice, bob = w.join("alice"), w.join("bob")
        bob.do(LeaveRoom("#lobby"))
        w.settle()
        alice.go_offline()
        room = next(room for room in bob.engine._state.rooms.values() if room.name == "lobby")
        entering = bob.ask(JoinRoom("lobby"))
        w.run_until(lambda: room.channel in bob.engine._state.pending)
        bob.do(LeaveRoom("#lobby"))
        answer = bob.answer(entering)
        assert isinstance(answer, Failed)
        assert answer.message == "you left the room"
        w.settle()
        assert room.phase == Phase.LEFT
        alice.go_online()
        w.settle(60_000)
        assert members(alice, "#lobby") == {"alice"}
        check_all([alice, bob])


def test_who_was_invited_and_removed_while_away_waits_for_nothing() -> None:
    """The Welcome lies in the inbox, and its room is delivered to bob no more."""
    with world() as w:
        alice, bob = w.join("alice"), w.join("bob")
        bob.go_offline()
        alice.do(CreateRoom("plans"))
        alice.do(InvitePeople("#plans", ("bob",)))
        alice.do(Kick("#plans", "bob"))
        w.settle()
        bob.go_online()
        w.settle(60_000)
        assert bob.do(GetInvitations()) == ()
        assert {room.phase for room in bob.engine._state.rooms.values() if room.name == "plans"} <= {Phase.LEFT}
        check_all([alice, bob])
