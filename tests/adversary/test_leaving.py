"""Who leaves is gone, whatever leaf the others have of them, and whatever is still on its way; later stays are safe."""

from collections.abc import Iterable
from dataclasses import replace

from secure_chat.client.commands import AcceptInvitation, CreateRoom, InvitePeople, LeaveRoom, RestartRoom, Send
from secure_chat.client.engine.spaces import Phase
from secure_chat.client.events import Invited
from secure_chat.wire.messages import (
    Append,
    Appended,
    ChannelChange,
    ChannelClosed,
    ClientMessage,
    Entry,
    EntryKind,
    ServerMessage,
)
from tests.adversary.audit import lying_relay
from tests.adversary.members import Rogue, poison, room_of
from tests.adversary.relay import LyingRelay, changed
from tests.adversary.rooms import CLASSICAL, closed_room
from tests.scenarios.harness import GENEROUS, Node
from tests.scenarios.invariants import check_all

SOON = 60_000
HOUR = 3_600_000
COMMIT, MEMBERS, WELCOME = EntryKind.COMMIT, EntryKind.MEMBERS, EntryKind.WELCOME


class Withheld:
    """Entries of some kinds do not reach a client."""

    def __init__(self, victim: Node, *kinds: EntryKind) -> None:
        self.victim = victim
        self.kinds = kinds

    def __call__(self, node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
        withheld = node is self.victim and isinstance(message, Entry) and message.kind in self.kinds
        return () if withheld else (message,)


def members(node: Node, name: str = "#plans") -> set[str]:
    """Who has a leaf, as a client knows the room."""
    state = node.engine._state
    return {state.people[account].handle for account in state.accounts(room_of(node, name))}


def locked_out(world: LyingRelay, name: str) -> tuple[Node, Node, Node]:
    """bob has locked carol out of the room; the Welcome by which she comes back does not reach her."""
    if name == "#lobby":
        alice, bob, carol = (world.join(person) for person in ("alice", "bob", "carol"))
    else:
        alice, bob, carol = closed_room(world, "bob", "carol")
    world.settle()
    world.outgoing.append(Withheld(carol, EntryKind.WELCOME))
    rogue = Rogue(bob)
    rogue.append(name, EntryKind.COMMIT, poison(rogue.group(name), {rogue.leaf(name, "carol")}))
    world.run_until(lambda: room_of(carol, name).phase == Phase.OUT)
    return alice, bob, carol


def test_who_leaves_before_hearing_that_others_have_let_them_in_again_is_gone() -> None:
    """Carol's leaf is the one that her request made, and all that she knows is that she has asked."""
    with lying_relay() as world:
        alice, bob, carol = locked_out(world, "#plans")
        serial = carol.engine._state.profile.certificate
        world.settle(SOON)
        assert room_of(carol, "#plans").phase == Phase.OUT
        assert carol.engine._state.profile.certificate != serial
        carol.do(LeaveRoom("#plans"))
        world.settle(SOON)
        assert room_of(carol, "#plans").phase == Phase.LEFT
        for node in (alice, bob):
            assert members(node) == {"alice", "bob"}
        invited = len(carol.told(Invited))
        world.honest()
        world.settle(5 * SOON)
        assert room_of(carol, "#plans").phase == Phase.LEFT, "the answer that comes now is to an earlier wish"
        assert len(carol.told(Invited)) == invited
        check_all([alice, bob, carol])


def test_who_leaves_while_out_is_not_led_back_by_what_comes_then() -> None:
    """Carol is behind when she leaves: a change or a Welcome that comes while she goes brings her back to nothing."""
    with lying_relay() as world:
        alice, bob, carol = closed_room(world, "bob", "carol")
        channel = room_of(carol, "#plans").channel
        held: list[Entry] = []

        def hold(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            if node is not carol or not isinstance(message, Entry) or message.kind not in (COMMIT, WELCOME, MEMBERS):
                return () if node is carol and isinstance(message, Appended | ChannelClosed) and held else (message,)
            held.append(message)
            return ()

        world.outgoing.append(hold)
        rogue = Rogue(bob)
        rogue.append("#plans", COMMIT, poison(rogue.group("#plans"), {rogue.leaf("#plans", "carol")}))
        world.run_until(lambda: len(held) == 1)
        world.outgoing.clear()
        world.say(carol, held.pop())
        world.run_until(lambda: room_of(carol, "#plans").phase == Phase.OUT)
        world.outgoing.append(hold)
        world.run_until(lambda: {entry.kind for entry in held} == {COMMIT, WELCOME})
        carol.ask(LeaveRoom("#plans"))
        world.run_until(lambda: any(entry.kind is MEMBERS for entry in held))
        assert room_of(carol, "#plans").phase == Phase.LEAVING
        invited = len(carol.told(Invited))
        for entry in sorted(held, key=lambda entry: entry.kind is not WELCOME):
            world.say(carol, entry)
        world.run_for(100)
        assert room_of(carol, "#plans").phase == Phase.LEAVING
        world.honest()
        world.settle(SOON)
        assert carol.engine._state.rooms[channel].phase == Phase.LEFT
        assert len(carol.told(Invited)) == invited
        check_all([alice, bob, carol])


def test_who_leaves_before_hearing_that_the_room_was_started_anew_is_gone() -> None:
    """Which key package the founder has taken carol does not know: when the Welcome comes she says that she is gone."""
    with lying_relay() as world:
        alice, bob, carol = closed_room(world, "bob", "carol")
        world.outgoing.append(Withheld(carol, EntryKind.WELCOME))
        alice.do(RestartRoom("#plans"))
        world.settle()
        carol.do(LeaveRoom("#plans"))
        world.settle()
        assert room_of(carol, "#plans").phase == Phase.LEFT
        assert members(alice) == {"alice", "bob", "carol"}
        invited = len(carol.told(Invited))
        world.honest()
        world.settle(SOON)
        for node in (alice, bob):
            assert members(node) == {"alice", "bob"}
            assert [line.text for line in node.history() if line.text == "carol left"] == ["carol left"]
        assert len(carol.told(Invited)) == invited
        check_all([alice, bob, carol])


def test_a_welcome_under_another_label_is_one_all_the_same() -> None:
    """What lies in the inbox tells carol of her leaf in the room that was started anew, whatever the relay calls it."""
    with lying_relay() as world:
        alice, bob, carol = closed_room(world, "bob", "carol")

        def relabel(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            if node is carol and isinstance(message, Entry) and message.kind is WELCOME:
                return (changed(message, kind=EntryKind.FOUNDING),)
            hidden = node is carol and isinstance(message, Entry) and message.kind is EntryKind.FOUNDING
            return () if hidden else (message,)

        world.outgoing.append(relabel)
        alice.do(RestartRoom("#plans"))
        world.settle()
        carol.do(LeaveRoom("#plans"))
        world.honest()
        world.settle(SOON)
        for node in (alice, bob):
            assert members(node) == {"alice", "bob"}
        check_all([alice, bob, carol])


def test_a_request_that_is_answered_after_its_author_has_left_brings_nobody_back() -> None:
    """Carol asks to be let into the lobby again and leaves at once: who has the request and the wish sees her go."""
    with lying_relay() as world:
        alice, bob, carol = locked_out(world, "#lobby")
        asked: list[Append] = []

        def listen(node: Node, message: ClientMessage) -> Iterable[ClientMessage]:
            if node is carol and isinstance(message, Append) and message.kind is EntryKind.REQUEST:
                asked.append(message)
            return (message,)

        world.incoming.append(listen)
        world.run_until(lambda: bool(asked))
        carol.do(LeaveRoom("#lobby"))
        world.settle(SOON)
        for node in (alice, bob):
            assert members(node, "#lobby") == {"alice", "bob"}
        world.honest()
        world.settle(5 * SOON)
        for node in (alice, bob):
            assert members(node, "#lobby") == {"alice", "bob"}
        check_all([alice, bob, carol])


def test_invitations_to_a_room_that_everybody_has_left_are_given_up() -> None:
    """Alice leaves before bob and carol have their Welcomes, and the relay loses those: nobody is inside to ask."""
    with lying_relay(settings=replace(GENEROUS, retention=HOUR)) as world:
        alice, bob, carol = (world.join(name) for name in ("alice", "bob", "carol"))
        world.outgoing += [Withheld(bob, WELCOME), Withheld(carol, WELCOME)]
        alice.do(CreateRoom("plans", CLASSICAL, False))
        alice.do(InvitePeople("#plans", ("bob", "carol")))
        world.settle()
        channel = room_of(alice, "#plans").channel
        alice.do(LeaveRoom("#plans"))
        world.sleep(2 * HOUR)
        world.honest()
        world.settle(HOUR)
        for node in (alice, bob, carol):
            assert node.engine._state.rooms[channel].phase == Phase.LEFT, node.name
        check_all([alice, bob, carol])


def test_notes_of_an_earlier_stay_do_not_hold_in_a_later_one() -> None:
    """Carol left while she had asked to be let in again; invited anew, she stays, whoever repeats what she said."""
    with lying_relay() as world:
        alice, bob, carol = locked_out(world, "#plans")
        said: list[bytes] = []

        def tap(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            if isinstance(message, Entry) and message.kind is EntryKind.MEMBERS and message.payload:
                said.append(message.payload)
            return (message,)

        world.outgoing.append(tap)
        world.settle(SOON)
        carol.do(LeaveRoom("#plans"))
        world.honest()
        world.settle(SOON)
        alice.do(InvitePeople("#plans", ("carol",)))
        world.settle()
        carol.do(AcceptInvitation(carol.told(Invited)[-1].invitation.room))
        world.settle()
        assert said
        rogue = Rogue(bob)
        rogue.append("#plans", EntryKind.MEMBERS, said[0], head=0, change=ChannelChange())
        rogue.append("#plans", EntryKind.REQUEST, said[0], head=0)
        world.settle(SOON)
        carol.do(Send("#plans", "still here"))
        world.settle()
        assert "still here" in alice.texts()
        check_all([alice, bob, carol])
