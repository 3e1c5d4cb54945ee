"""What people do, told once: played in the deployment of one thread, and with real processes over TLS.

A story knows people, what they ask of their clients and what these tell them, and that processes die. What stands
behind it is a `Stage` of `stages.py`.
"""

from collections.abc import Callable
from functools import partial
from typing import Protocol, TypeVar

from secure_chat.client.commands import (
    AcceptInvitation,
    Command,
    CreateRoom,
    DeclineInvitation,
    Delete,
    Edit,
    InvitePeople,
    Kick,
    LeaveRoom,
    MarkVerified,
    Promote,
    React,
    RefreshKeys,
    RenameRoom,
    Send,
)
from secure_chat.client.events import Event, FailureCode, Invited, MessageAdded, MessageChanged, Result, RoomRemoved
from secure_chat.client.queries import GetHistory, GetMembers, GetRoomCode, GetRooms, GetSafetyNumber
from secure_chat.client.views import (
    DeliveryState,
    MemberView,
    MessageView,
    RoomCodeView,
    RoomView,
    SafetyNumberView,
    Trust,
)

__all__ = ["STORIES", "Person", "Stage", "Story"]

E = TypeVar("E", bound=Event)


class Person(Protocol):
    """Somebody with a client."""

    name: str

    def do(self, command: Command) -> Result:
        """Asks the client for something; CommandFailed if it fails."""

    def fails(self, command: Command) -> FailureCode:
        """Asks for something that must fail; the code."""

    def told(self, kind: type[E]) -> list[E]:
        """What the client has told since it was last started, oldest first."""

    def kill(self) -> None:
        """The client's process dies, in whatever it does."""

    def start(self) -> None:
        """It is started again."""


class Stage(Protocol):
    """A deployment."""

    def join(self, name: str) -> Person:
        """A new person, in the lobby."""

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Lets time pass until something is so; AssertionError if it does not come to that."""

    def kill_relay(self) -> None:
        """The relay's process dies."""

    def start_relay(self) -> None:
        """It is started again on the same data."""


Story = Callable[[Stage], list[Person]]
"""What happens; everybody who is alive in the end."""


def history(person: Person, room: str) -> list[MessageView]:
    """What somebody sees of a room: messages, oldest first."""
    views = person.do(GetHistory(room, 500))
    assert isinstance(views, tuple)
    lines = [view for view in views if isinstance(view, MessageView)]
    return [line for line in lines if line.kind == "text" and not line.deleted]


def texts(person: Person, room: str) -> list[str]:
    """Their texts."""
    return [line.text for line in history(person, room)]


def all_see(stage: Stage, people: list[Person], room: str, *expected: str) -> None:
    """Everybody has these texts, each once, and in this order."""

    def sees(person: Person) -> bool:
        return [text for text in texts(person, room) if text in expected] == list(expected)

    for person in people:
        stage.until(partial(sees, person), f"{person.name} sees {expected} in {room}")


def in_room(person: Person, room: str) -> set[str]:
    """Who is in a room, as this person's client says."""
    views = person.do(GetMembers(room))
    assert isinstance(views, tuple)
    return {view.handle for view in views if isinstance(view, MemberView)}


def rooms(person: Person) -> set[str]:
    """The rooms that somebody is in."""
    views = person.do(GetRooms())
    assert isinstance(views, tuple)
    return {view.name for view in views if isinstance(view, RoomView) and view.joined}


def one_room(stage: Stage, people: list[Person], room: str) -> None:
    """All are in the same group at the same epoch: their room codes are the same."""

    def codes() -> set[tuple[int, str]]:
        views = [person.do(GetRoomCode(room)) for person in people]
        return {(view.epoch, view.code) for view in views if isinstance(view, RoomCodeView)}

    stage.until(lambda: len(codes()) == 1, f"one code for {room}")


def plans(stage: Stage, alice: Person, *others: Person) -> None:
    """A closed room of alice's that the others have accepted the invitation to."""
    alice.do(CreateRoom("plans", None, False))
    alice.do(InvitePeople("#plans", tuple(other.name for other in others)))
    for other in others:
        stage.until(partial(other.told, Invited), f"{other.name} is invited")
        other.do(AcceptInvitation(other.told(Invited)[-1].invitation.room))
        stage.until(partial(is_in, other, "plans"), f"{other.name} is in")


def is_in(person: Person, room: str) -> bool:
    """Whether somebody is in a room."""
    return room in rooms(person)


def three_people_meet(stage: Stage) -> list[Person]:
    """Lobby, direct message, verification, closed room with invitation and refusal, roles, edits, leaving."""
    alice, bob, carol = (stage.join(name) for name in ("alice", "bob", "carol"))
    for person in (alice, bob, carol):
        person.do(Send("#lobby", f"{person.name} is here"))
        all_see(stage, [alice, bob, carol], "#lobby", f"{person.name} is here")
    alice.do(Send("bob", "just for you"))
    stage.until(lambda: any(e.message.text == "just for you" for e in bob.told(MessageAdded)), "bob hears it")
    assert not any(e.message.text == "just for you" for e in carol.told(MessageAdded))
    numbers = [alice.do(GetSafetyNumber("bob")), bob.do(GetSafetyNumber("alice"))]
    first, second = (view.number for view in numbers if isinstance(view, SafetyNumberView))
    assert first == second
    alice.do(MarkVerified("bob", first))
    verified = alice.do(GetSafetyNumber("bob"))
    assert isinstance(verified, SafetyNumberView)
    assert verified.trust is Trust.VERIFIED
    plans(stage, alice, bob)
    assert bob.fails(InvitePeople("#plans", ("carol",))) is FailureCode.NOT_ALLOWED
    alice.do(InvitePeople("#plans", ("carol",)))
    stage.until(lambda: bool(carol.told(Invited)), "carol is invited")
    carol.do(DeclineInvitation(carol.told(Invited)[-1].invitation.room))
    stage.until(lambda: in_room(alice, "#plans") == {"alice", "bob"}, "carol has declined")
    message = alice.do(Send("#plans", "meet at sven"))
    assert isinstance(message, str)
    all_see(stage, [alice, bob], "#plans", "meet at sven")
    alice.do(Edit(message, "meet at seven"))
    all_see(stage, [bob], "#plans", "meet at seven")
    bob.do(React(message, "👍"))
    stage.until(lambda: bool(history(alice, "#plans")[0].reactions), "the reaction comes")
    alice.do(Delete(message))
    stage.until(lambda: not texts(bob, "#plans"), "it is gone at bob's, too")
    alice.do(Promote("#plans", "bob"))
    stage.until(lambda: any(m.admin for m in members(bob) if m.handle == "bob"), "bob is an admin")
    bob.do(RenameRoom("#plans", "party"))
    stage.until(lambda: "party" in rooms(alice), "the new name comes")
    alice.do(LeaveRoom("#party"))
    stage.until(lambda: in_room(bob, "#party") == {"bob"}, "alice has left")
    bob.do(Send("#party", "alone"))
    one_room(stage, [alice, bob, carol], "#lobby")
    return [alice, bob, carol]


def members(person: Person) -> list[MemberView]:
    """Of #plans."""
    views = person.do(GetMembers("#plans"))
    assert isinstance(views, tuple)
    return [view for view in views if isinstance(view, MemberView)]


def everything_dies_once(stage: Stage) -> list[Person]:
    """Relay and clients are killed in the middle: nothing is lost, nothing comes twice, everything is in order."""
    alice, bob, carol = (stage.join(name) for name in ("alice", "bob", "carol"))
    plans(stage, alice, bob, carol)
    alice.do(Send("#plans", "one"))
    all_see(stage, [alice, bob, carol], "#plans", "one")
    stage.kill_relay()
    for text in ("two", "three"):
        alice.do(Send("#plans", text))
    bob.kill()
    stage.start_relay()
    all_see(stage, [alice, carol], "#plans", "one", "two", "three")
    alice.do(RefreshKeys("#plans"))
    carol.do(Send("#plans", "four"))
    all_see(stage, [alice, carol], "#plans", "four")
    bob.start()
    all_see(stage, [bob], "#plans", "one", "two", "three", "four")
    last = alice.do(Send("#plans", "five"))
    alice.kill()  # it was on its disk when `do` returned
    alice.start()
    all_see(stage, [alice, bob, carol], "#plans", "one", "two", "three", "four", "five")
    stage.kill_relay()
    stage.start_relay()
    bob.do(Send("#plans", "six"))
    all_see(stage, [alice, bob, carol], "#plans", "one", "two", "three", "four", "five", "six")
    stage.until(lambda: state_of(alice, str(last)) is DeliveryState.DELIVERED, "the tick comes")
    one_room(stage, [alice, bob, carol], "#plans")
    return [alice, bob, carol]


def state_of(person: Person, message: str) -> DeliveryState:
    """Of a message in #plans."""
    return next(line.state for line in history(person, "#plans") if line.id == message)


def removed_while_away(stage: Stage) -> list[Person]:
    """Carol's client is dead while she is removed: it reads nothing new when it is back, and says why."""
    alice, bob, carol = (stage.join(name) for name in ("alice", "bob", "carol"))
    plans(stage, alice, bob, carol)
    carol.do(Send("#plans", "see you"))
    all_see(stage, [alice, bob, carol], "#plans", "see you")
    carol.kill()
    alice.do(Send("#plans", "for all three"))
    alice.do(Kick("#plans", "carol"))
    alice.do(Send("#plans", "for two"))
    all_see(stage, [alice, bob], "#plans", "for all three", "for two")
    carol.start()
    stage.until(lambda: any(e.name == "plans" for e in carol.told(RoomRemoved)), "carol learns it")
    read = {e.message.text for e in carol.told(MessageAdded) if e.message.kind == "text"}
    assert "for two" not in read
    carol.do(Send("#lobby", "what a pity"))
    all_see(stage, [alice, bob, carol], "#lobby", "what a pity")
    assert not [e for e in carol.told(MessageChanged) if e.message.text == "for two"]
    one_room(stage, [alice, bob], "#plans")
    return [alice, bob, carol]


STORIES: tuple[Story, ...] = (three_people_meet, everything_dies_once, removed_while_away)
