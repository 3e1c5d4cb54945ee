"""Every story of chatting, each with lost connections, crashes, restarts of the relay, and all of it at once.

Whatever goes wrong in between, the story ends as it should for everybody, nothing is lost, doubled or reordered, and
no key is used twice (`invariants`, `watch`).
"""

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import pytest

from secure_chat.client.commands import (
    Ban,
    Block,
    DeclineInvitation,
    Delete,
    Demote,
    Edit,
    Kick,
    LeaveRoom,
    MarkRead,
    MarkVerified,
    Mute,
    Promote,
    React,
    RefreshKeys,
    RenameRoom,
    RestartRoom,
    Send,
    SetInvitePolicy,
    SetReadReceipts,
    Unban,
    Unblock,
    Unmute,
)
from secure_chat.client.events import Done, FailureCode, PresenceChanged
from secure_chat.client.queries import GetSafetyNumber
from secure_chat.client.views import DeliveryState, SafetyNumberView, Trust
from tests.fast_suite import fast_suites
from tests.scenarios.harness import world
from tests.scenarios.invariants import check_all
from tests.scenarios.trouble import TROUBLES, Person, Trouble

End: TypeAlias = Callable[[], None]
Story: TypeAlias = Callable[[Person, Person, Person], End]
"""Plays in the middle of trouble; what it returns is looked at when everything has calmed down."""

QUIET = 300_000
"""Milliseconds after which everything has come to its end."""


def lobby_and_open_rooms(alice: Person, bob: Person, carol: Person) -> End:
    """People come into an open room one after the other; each hears what is said from then on."""
    garden = alice.enter("garden")
    bob.enter("garden")
    alice.say(garden, "hello bob")
    alice.wait(lambda: _is_out(alice, "hello bob"), "that it is at the relay")
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
    alice.wait(lambda: _is_out(alice, "unheard by carol"), "that it is at the relay")
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


def direct_messages(alice: Person, bob: Person, carol: Person) -> End:
    """Both write first at the same moment: one conversation, and nobody else hears."""
    for person, other in ((alice, "bob"), (bob, "alice")):
        person.node.ask(Send(other, f"{person.name} begins"))
    for number in range(3):
        alice.say("bob", f"to bob {number}")
        bob.say("alice", f"to alice {number}")
    carol.say("alice", "me too")

    def end() -> None:
        for text in [f"to {name} {number}" for name in ("alice", "bob") for number in range(3)]:
            assert alice.has(text)
            assert bob.has(text)
            assert not carol.has(text)
        assert alice.has("me too")
        rooms = {line.room for line in alice.node.history() if line.text.startswith("to ")}
        assert len(rooms) == 1

    return end


def blocking(alice: Person, bob: Person, carol: Person) -> End:
    """Nothing of a blocked person is shown, until they are not blocked any more."""
    bob.want(Block("carol"), lambda: _blocked(bob, "carol"))
    carol.say("#lobby", "unseen")
    carol.say("bob", "unseen, too")
    alice.hears("unseen")
    bob.node.world.run_for(60_000)
    bob.want(Unblock("carol"), lambda: not _blocked(bob, "carol"))
    bob.node.world.run_for(60_000)
    carol.say("#lobby", "seen")

    def end() -> None:
        assert alice.has("seen")
        assert bob.has("seen")
        bob.node.do(Block("carol"))  # what was not shown is not to be looked for

    return end


def _blocked(person: Person, other: str) -> bool:
    return any(each.handle == other and each.blocked for each in person.node.engine._state.people.values())


def changed_messages(alice: Person, bob: Person, carol: Person) -> End:
    """A reply, a better wording, a thumb, and one taken back: the same on every screen."""
    alice.say("#lobby", "who brings the cake?")
    question = alice.line("who brings the cake?")
    assert question is not None
    for person in (bob, carol):
        person.hears("who brings the cake?")
    bob.want(Send("#lobby", "I do", question.id), lambda: bob.has("I do"))
    answer = bob.line("I do")
    assert answer is not None
    bob.want(Edit(answer.id, "I bring two"), lambda: bob.has("I bring two"))
    carol.hears("I bring two")
    carol.want(React(answer.id, "🎂"), lambda: _reactions(carol, answer.id) == {("🎂", ("carol",))})
    carol.say("#lobby", "oops")
    mistake = carol.line("oops")
    assert mistake is not None
    carol.want(Delete(mistake.id), lambda: not carol.has("oops"))

    def end() -> None:
        for person in (alice, bob, carol):
            line = person.line("I bring two")
            assert line is not None
            assert (line.edited, line.reply_to) == (True, question.id)
            assert _reactions(person, answer.id) == {("🎂", ("carol",))}
            gone = person.node.store.message(mistake.id)
            assert gone is not None
            assert gone.deleted

    return end


def _reactions(person: Person, message: str) -> set[tuple[str, tuple[str, ...]]]:
    line = person.node.store.message(message)
    return set() if line is None else {(each.emoji, each.handles) for each in line.reactions}


def receipts(alice: Person, bob: Person, carol: Person) -> End:
    """Delivered when it is on both disks; read when both have read it and chose to tell."""
    for person in (bob, carol):
        person.want(SetReadReceipts(True), partial(_tells, person))
    alice.say("#lobby", "please read")
    alice.say("bob", "you, too")
    for person in (bob, carol):
        person.hears("please read")
        person.want(MarkRead("#lobby"), partial(_all_read, person))
    bob.hears("you, too")

    def end() -> None:
        line, direct = alice.line("please read"), alice.line("you, too")
        assert line is not None
        assert direct is not None
        assert line.state is DeliveryState.READ
        assert direct.state is DeliveryState.DELIVERED

    return end


def _tells(person: Person) -> bool:
    return person.node.engine._state.profile.read_receipts


def _all_read(person: Person) -> bool:
    return _unread(person, "lobby") == (0, 0)


def unread_counts(alice: Person, bob: Person, carol: Person) -> End:
    """What came is counted once, mentions apart, muted rooms without; reading takes it away, for good."""
    bob.want(MarkRead("#lobby"), lambda: _unread(bob, "lobby") == (0, 0))
    carol.want(Mute("#lobby"), lambda: _muted(carol))
    for text in ("one", "two", "three, bob"):
        alice.say("#lobby", text)
    bob.hears("three, bob")
    bob.wait(lambda: _unread(bob, "lobby") == (3, 1), "three unread, one of them for bob")
    bob.want(MarkRead("#lobby"), lambda: _unread(bob, "lobby") == (0, 0))
    carol.hears("three, bob")
    carol.want(Unmute("#lobby"), lambda: not _muted(carol))
    alice.say("#lobby", "four")

    def end() -> None:
        assert _unread(bob, "lobby") == (1, 0)
        assert _unread(carol, "lobby") == (4, 0)

    return end


def _unread(person: Person, name: str) -> tuple[int, int]:
    room = person.room(name)
    return (-1, -1) if room is None else (room.unread, room.mentions)


def _muted(person: Person) -> bool:
    room = person.room("lobby")
    return room is not None and room.muted


def history_and_search(alice: Person, bob: Person, carol: Person) -> End:
    """The same lines in the same order, pages without a gap, words found by their beginnings in one room or all."""
    garden = alice.enter("garden")
    bob.enter("garden")
    for number in range(4):
        alice.say("#lobby", f"launch number {number}")
        bob.say(garden, f"lunch number {number}")
        alice.hears(f"lunch number {number}")

    def end() -> None:
        for person in (alice, bob):
            lobby, store = person.id("lobby"), person.node.store
            assert [hit.message.text for hit in store.search("laun")] == [f"launch number {n}" for n in (3, 2, 1, 0)]
            assert len(store.search("l numb")) == 8
            assert len(store.search("l numb", lobby)) == 4
            assert {hit.message.text for hit in store.search('"number 2"')} == {"launch number 2", "lunch number 2"}
            lines = [line.id for line in store.history(lobby, 1_000)]
            paged: list[str] = []
            before: int | None = None
            while page := store.history(lobby, 3, before=before):
                paged[:0] = [line.id for line in page]
                before = page[0].position
            assert paged == lines
        assert not carol.has("lunch number 0")

    return end


def texts_of_all_kinds(alice: Person, bob: Person, carol: Person) -> End:
    """Several lines, many scripts, signs and long texts arrive as they were written; too long ones are refused."""
    texts = [
        "one\ntwo\n\n  four",
        "שלום, \u202bمرحبا\u202c, नमस्ते, 你好, 👩\u200d👩\u200d👧\u200d👦 e\u0301",
        "\x1b[31mred\x1b[0m \x07 \x00 \x9b",
        "long " * 10_000,
    ]
    for text in texts:
        alice.say("#lobby", text)
    too_long = "x" * 100_000

    def end() -> None:
        for person in (alice, bob, carol):
            assert all(person.has(text) for text in texts)
        assert alice.node.fails(Send("#lobby", too_long)) is FailureCode.TOO_LARGE
        assert not bob.has(too_long)

    return end


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
    alice.wait(lambda: _is_out(alice, "in between"), "that it is at the relay")
    bob.enter("garden")
    alice.wait(lambda: "bob" in alice.people("garden"), "bob")
    alice.say(garden, "after")

    def end() -> None:
        assert bob.has("before")
        assert bob.has("after")
        assert not bob.has("in between")

    return end


def _is_out(person: Person, text: str) -> bool:
    line = person.line(text)
    return line is not None and line.state is not DeliveryState.QUEUED


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


def verifying(alice: Person, bob: Person, carol: Person) -> End:
    """The same digits on both sides; the mark stays, whatever keys change meanwhile."""
    numbers = [_number(person, other) for person, other in ((alice, "bob"), (bob, "alice"))]
    assert numbers[0] == numbers[1]
    alice.want(MarkVerified("bob", numbers[1]), lambda: _trust(alice, "bob") is Trust.VERIFIED)
    alice.node.ask(RefreshKeys("#lobby"))
    bob.node.ask(RestartRoom("#lobby"))
    bob.say("#lobby", "it is still me")

    def end() -> None:
        assert _trust(alice, "bob") is Trust.VERIFIED
        assert _trust(bob, "alice") is Trust.FIRST_USE
        assert alice.has("it is still me")

    return end


def _trust(person: Person, other: str) -> Trust:
    return next(Trust(each.trust) for each in person.node.engine._state.people.values() if each.handle == other)


def _number(person: Person, other: str) -> str:
    """The safety number, asked for until the process lives long enough to show it."""
    shown: list[SafetyNumberView] = []

    def seen() -> bool:
        shown.extend(view for view in _results(person) if isinstance(view, SafetyNumberView))
        return bool(shown)

    person.want(GetSafetyNumber(other), seen)
    return shown[-1].number


def _results(person: Person) -> list[object]:
    return [event.result for event in person.node.told(Done)]


STORIES: list[Story] = [
    lobby_and_open_rooms,
    closed_room,
    governing,
    rights_given_and_taken,
    banned,
    direct_messages,
    blocking,
    changed_messages,
    receipts,
    unread_counts,
    history_and_search,
    texts_of_all_kinds,
    comings_and_goings,
    leaving_and_coming_back,
    entering_with_nobody_there,
    verifying,
]


def play(story: Story, trouble: str, seed: int) -> int:
    """One story under one seed; how many accidents there were."""
    with fast_suites(), world(seed) as w:
        people = [Person(w.join(name)) for name in ("alice", "bob", "carol")]
        w.settle()
        accidents = Trouble(w, TROUBLES[trouble])
        end = story(*people)
        accidents.end()
        w.settle(QUIET)
        end()
        check_all(list(w.nodes.values()))
        return accidents.accidents


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_story_ends_well_whatever_goes_wrong(story: Story, trouble: str) -> None:
    """Three people; each trouble at other moments under each seed."""
    seeds = range(1, 4) if TROUBLES[trouble] else range(1)
    accidents = [play(story, trouble, seed) for seed in seeds]
    assert any(accidents) or trouble == "nothing", "nothing has gone wrong"
