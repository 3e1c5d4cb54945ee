"""Stories of rooms: coming, going, governing."""

from secure_chat.client.commands import (
    Ban,
    DeclineInvitation,
    Demote,
    Kick,
    LeaveRoom,
    Promote,
    RenameRoom,
    SetInvitePolicy,
    Unban,
)
from secure_chat.client.events import FailureCode, PresenceChanged
from tests.scenarios.trouble import End, Person, Story

__all__ = ["ROOM_STORIES"]

QUIET = 300_000
"""Milliseconds after which everybody has heard who is online."""


def lobby_and_open_rooms(alice: Person, bob: Person, carol: Person) -> End:
    """People come into an open room one after the other; each hears what is said from then on."""
    garden = alice.enter("garden")
    bob.enter("garden")
    alice.say(garden, "hello bob")
    alice.wait(lambda: alice.is_out("hello bob"), "that it is at the relay")
    carol.enter("garden")
    for person in (alice, bob, carol):
        person.say("#lobby", f"{person.name} was here")
        person.say(garden, f"{person.name} likes it here")

    def end() -> None:
        for person in (alice, bob, carol):
            assert person.people("garden") == {"alice", "bob", "carol"}
            assert all(person.has(f"{name} was here") for name in ("alice", "bob", "carol"))
            assert all(person.has(f"{name} likes it here") for name in ("alice", "bob", "carol"))
        assert bob.has("hello bob")
        assert not carol.has("hello bob"), "said before carol came"

    return end


def closed_room(alice: Person, bob: Person, carol: Person) -> End:
    """One accepts, one declines; only who is in reads."""
    room = alice.create("team", bob)
    alice.invite(room, "team", carol)
    carol.wait(lambda: carol.invited("team"), "the invitation")
    carol.want(DeclineInvitation(room), lambda: not carol.invited("team"))
    alice.wait(lambda: "carol" not in alice.people("team"), "carol's decision")
    alice.say(room, "between us")
    bob.hears("between us")
    bob.say(room, "between us two")

    def end() -> None:
        assert alice.people("team") == bob.people("team") == {"alice", "bob"}
        assert alice.has("between us two")
        assert not carol.has("between us")
        assert not carol.inside("team")

    return end


def governing(alice: Person, bob: Person, carol: Person) -> End:
    """Another admin removes somebody, the first one leaves, and the room goes on."""
    room = alice.create("team", bob, carol)
    alice.want(Promote(room, "bob"), lambda: "bob" in alice.admins("team"))
    bob.wait(lambda: "bob" in bob.admins("team"), "the right")
    bob.want(Kick(room, "carol"), lambda: "carol" not in bob.people("team"))
    bob.say(room, "without carol")
    bob.want(RenameRoom(room, "crew"), lambda: bob.inside("crew"))
    alice.wait(lambda: alice.inside("crew"), "the new name")
    alice.want(LeaveRoom(room), lambda: not alice.inside("crew"))
    bob.wait(lambda: bob.people("crew") == {"bob"}, "that alice has left")

    def end() -> None:
        assert bob.admins("crew") & bob.people("crew") == {"bob"}
        assert not carol.has("without carol")
        assert not carol.inside("team")

    return end


def rights_given_and_taken(alice: Person, bob: Person, carol: Person) -> End:
    """A member who may invite invites; an admin's right is taken back."""
    room = alice.create("team", bob)
    alice.want(SetInvitePolicy(room, True), lambda: _policy(alice))
    bob.wait(lambda: _policy(bob), "the right to invite")
    bob.invite(room, "team", carol)
    carol.accept(room, "team")
    alice.want(Promote(room, "carol"), lambda: "carol" in alice.admins("team"))
    alice.want(Demote(room, "carol"), lambda: "carol" not in alice.admins("team"))
    carol.say(room, "no admin any more")

    def end() -> None:
        assert alice.admins("team") == bob.admins("team") == carol.admins("team") == {"alice"}
        assert alice.has("no admin any more")
        assert carol.node.fails(Kick(room, "bob")) is FailureCode.NOT_ALLOWED

    return end


def _policy(person: Person) -> bool:
    room = person.room("team")
    roles = None if room is None else person.node.engine._state.roles(room)
    return roles is not None and roles.members_may_invite


def banned(alice: Person, bob: Person, carol: Person) -> End:
    """Out of an open room and kept out, until let in again."""
    garden = alice.enter("garden")
    bob.enter("garden")
    carol.enter("garden")
    alice.wait(lambda: "carol" in alice.people("garden"), "carol")
    alice.want(Ban(garden, "carol"), lambda: "carol" not in alice.people("garden"))
    carol.wait(lambda: not carol.inside("garden"), "the ban")
    alice.say(garden, "unheard by carol")
    alice.wait(lambda: alice.is_out("unheard by carol"), "that it is at the relay")
    alice.want(Unban(garden, "carol"), lambda: _may_come(alice, garden))
    carol.enter("garden")
    bob.wait(lambda: "carol" in bob.people("garden"), "carol")
    bob.say(garden, "welcome back")

    def end() -> None:
        assert carol.has("welcome back")
        assert not carol.has("unheard by carol")

    return end


def _may_come(alice: Person, garden: str) -> bool:
    room = alice.room("garden")
    roles = None if room is None else alice.node.engine._state.roles(room)
    return roles is not None and not roles.banned


def comings_and_goings(alice: Person, bob: Person, carol: Person) -> End:
    """Who joins and leaves is said once in the room; who is online is known again in the end."""
    garden = alice.enter("garden")
    bob.enter("garden")
    carol.enter("garden")
    alice.wait(lambda: alice.people("garden") == {"alice", "bob", "carol"}, "both")
    carol.want(LeaveRoom(garden), lambda: not carol.inside("garden"))
    alice.wait(lambda: alice.people("garden") == {"alice", "bob"}, "that carol has left")
    bob.node.go_offline()

    def end() -> None:
        notices = alice.notices("garden")
        assert sum("bob" in notice and "joined" in notice for notice in notices) == 1, notices
        assert sum("carol" in notice and "joined" in notice for notice in notices) == 1, notices
        assert sum("carol" in notice and "left" in notice for notice in notices) == 1, notices
        bob.node.go_offline()
        bob.node.world.run_for(QUIET)
        told = [event.online for event in alice.node.told(PresenceChanged) if event.handle == "bob"]
        assert told[-1] is False
        bob.node.go_online()
        bob.node.world.run_for(QUIET)
        told = [event.online for event in alice.node.told(PresenceChanged) if event.handle == "bob"]
        assert told[-1] is True

    return end


def leaving_and_coming_back(alice: Person, bob: Person, carol: Person) -> End:
    """Who was away from an open room hears what is said before and after, and nothing of in between."""
    garden = alice.enter("garden")
    bob.enter("garden")
    alice.say(garden, "before")
    bob.hears("before")
    bob.want(LeaveRoom(garden), lambda: not bob.inside("garden"))
    alice.wait(lambda: alice.people("garden") == {"alice"}, "that bob has left")
    alice.say(garden, "in between")
    alice.wait(lambda: alice.is_out("in between"), "that it is at the relay")
    bob.enter("garden")
    alice.wait(lambda: "bob" in alice.people("garden"), "bob")
    alice.say(garden, "after")

    def end() -> None:
        assert bob.has("before")
        assert bob.has("after")
        assert not bob.has("in between")

    return end


def entering_with_nobody_there(alice: Person, bob: Person, carol: Person) -> End:
    """By request while somebody is online, by an external commit when all are away; then all find each other."""
    garden = alice.enter("garden")
    alice.node.go_offline()
    bob.enter("garden")
    bob.say(garden, "anybody here?")
    bob.node.go_offline()
    carol.enter("garden")
    carol.say(garden, "and now?")

    def end() -> None:
        for person in (alice, bob, carol):
            assert person.people("garden") == {"alice", "bob", "carol"}
            assert person.has("and now?")
        assert alice.has("anybody here?")

    return end


ROOM_STORIES: list[Story] = [
    lobby_and_open_rooms,
    closed_room,
    governing,
    rights_given_and_taken,
    banned,
    comings_and_goings,
    leaving_and_coming_back,
    entering_with_nobody_there,
]
