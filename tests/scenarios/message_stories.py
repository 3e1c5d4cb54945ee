"""Stories of messages: what is written, changed, confirmed, found and hidden; and of whom one trusts."""

from functools import partial

from secure_chat.client.commands import (
    Block,
    Delete,
    Edit,
    MarkRead,
    MarkVerified,
    Mute,
    React,
    RefreshKeys,
    RestartRoom,
    Send,
    SetReadReceipts,
    Unblock,
    Unmute,
)
from secure_chat.client.events import Done, FailureCode
from secure_chat.client.queries import GetSafetyNumber
from secure_chat.client.views import DeliveryState, SafetyNumberView, Trust
from tests.scenarios.trouble import End, Person, Story

__all__ = ["MESSAGE_STORIES"]


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


MESSAGE_STORIES: list[Story] = [
    direct_messages,
    blocking,
    changed_messages,
    receipts,
    unread_counts,
    history_and_search,
    texts_of_all_kinds,
    verifying,
]
