"""Open rooms are entered by an external commit on what the relay hands out: it may be of the past."""

from collections.abc import Iterable
from pathlib import Path

from secure_chat.client.commands import RefreshKeys, Send
from secure_chat.client.engine.occupants import Occupant
from secure_chat.client.engine.spaces import Phase
from secure_chat.client.events import SecurityKind
from secure_chat.wire.messages import (
    Append,
    Appended,
    CaughtUp,
    ChannelAdded,
    ChannelKind,
    ChannelSummary,
    ClientMessage,
    EntryKind,
    GroupInfoResult,
    ServerMessage,
)
from tests.adversary.audit import lying_relay
from tests.adversary.evidence import nothing_false, noticed
from tests.adversary.members import room_of
from tests.adversary.relay import Branch, LyingRelay, changed
from tests.adversary.rooms import kinds
from tests.scenarios.harness import Node
from tests.scenarios.invariants import check_all


class OldGroupInfo:
    """The relay keeps the GroupInfos of the lobby, and hands out the one that it had when this was made `old`."""

    def __init__(self, world: LyingRelay) -> None:
        self._newest = b""
        self.old = b""
        world.incoming.append(self.hear)
        world.outgoing.append(self.tell)

    def hear(self, node: Node, message: ClientMessage) -> Iterable[ClientMessage]:
        """Remembers what committers leave at the relay."""
        if isinstance(message, Append) and message.group_info is not None:
            self._newest = message.group_info
        return (message,)

    def tell(self, node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
        """The old one instead of the newest."""
        if isinstance(message, GroupInfoResult) and self.old:
            return (changed(message, payload=self.old),)
        return (message,)

    def keep(self) -> None:
        """From now on this is what everybody gets."""
        self.old = self._newest


def no_requests(world: LyingRelay, name: str) -> None:
    """The relay confirms somebody's requests to be added and shows them to nobody."""

    def hide(node: Node, message: ClientMessage) -> Iterable[ClientMessage]:
        if node.name == name and isinstance(message, Append) and message.kind is EntryKind.REQUEST:
            world.say(node, Appended(message.id, 1, message.head, world.now))
            return ()
        return (message,)

    world.incoming.append(hide)


def lobby_of_two(world: LyingRelay) -> tuple[Node, Node]:
    """alice and bob in the lobby, where the keys have changed a few times."""
    alice, bob = world.join("alice"), world.join("bob")
    for node in (alice, bob):
        node.do(RefreshKeys("#lobby"))
        world.settle()
    return alice, bob


def rolled_back(node: Node, copy: Path) -> None:
    """A client whose store goes back, so that it has to enter its rooms anew."""
    node.do(Send("#lobby", "forgotten here"))
    node.world.settle()
    node.restore(copy)


def test_who_was_in_an_open_room_is_not_led_into_its_past() -> None:
    """Nobody else is online and the relay hands out an earlier state: refused, told; later bob is in the real one."""
    with lying_relay() as world:
        lie = OldGroupInfo(world)
        alice, bob = lobby_of_two(world)
        lie.keep()
        alice.do(RefreshKeys("#lobby"))
        bob.do(RefreshKeys("#lobby"))
        world.settle()
        epoch = bob.engine._state.group(room_of(bob, "#lobby")).epoch
        copy = bob.snapshot()
        alice.go_offline()
        rolled_back(bob, copy)
        world.settle(8_000)
        noticed(bob, SecurityKind.SET_BACK, "earlier state", "not entered")
        assert room_of(bob, "#lobby").phase == Phase.OUT
        world.honest()
        alice.go_online()
        world.settle(120_000)
        assert bob.engine._state.group(room_of(bob, "#lobby")).epoch > epoch
        check_all([alice, bob])
        nothing_false([bob])


def test_the_past_of_a_room_is_entered_only_when_there_is_nothing_else() -> None:
    """The relay has nothing newer and nobody answers: the room goes on, and says that what was changed is undone."""
    with lying_relay() as world:
        lie = OldGroupInfo(world)
        alice, bob = lobby_of_two(world)
        lie.keep()
        bob.do(RefreshKeys("#lobby"))
        world.settle()
        copy = bob.snapshot()
        alice.go_offline()
        rolled_back(bob, copy)
        world.settle(120_000)
        assert room_of(bob, "#lobby").phase == Phase.JOINED
        noticed(bob, SecurityKind.ROOM_SPLIT, "Nobody answers", "undone")
        world.honest()
        alice.go_online()
        world.settle(30_000)
        for node in (alice, bob):
            node.do(Send("#lobby", f"{node.name} is here"))
        world.settle(300_000)
        check_all([alice, bob])
        nothing_false([bob])


def test_a_newcomer_whose_entry_fits_no_more_is_told_and_let_in() -> None:
    """The relay lets carol commit on an old state into the real log: members skip it, her device comes in again."""
    with lying_relay() as world:
        lie = OldGroupInfo(world)
        alice, bob = lobby_of_two(world)
        lie.keep()
        alice.do(RefreshKeys("#lobby"))
        bob.do(RefreshKeys("#lobby"))
        world.settle()
        no_requests(world, "carol")
        carol = world.join("carol")
        world.settle(5_000)
        for node in (alice, bob):
            assert {SecurityKind.BAD_ENTRY, SecurityKind.GHOST} <= kinds(node)
            assert "carol" not in {o.identity.handle for o in members(node)}
        world.honest()
        world.settle(30_000)
        for node in (alice, bob):
            node.do(Send("#lobby", f"{node.name} is here"))
        world.settle(180_000)
        carol.do(Send("#lobby", "and I"))
        world.settle()
        assert "and I" in alice.texts()
        check_all([alice, bob, carol])
        nothing_false([alice, bob, carol])


def members(node: Node) -> list[Occupant]:
    """Who is in the lobby as a client knows it."""
    state = node.engine._state
    return state.occupants(state.group(room_of(node, "#lobby")))


class Aside:
    """carol enters a branch of the lobby that nobody else sees."""

    def __init__(self, world: LyingRelay, carol: Node, channel: bytes, head: int) -> None:
        self.world = world
        self.branch = Branch(world, channel, (carol,), head, head)
        self.entered = False
        world.incoming.append(self.hear)
        world.outgoing.append(self.branch.tell)

    def hear(self, node: Node, message: ClientMessage) -> Iterable[ClientMessage]:
        """Her external commit, and what follows, go aside."""
        if node not in self.branch.nodes or not isinstance(message, Append) or message.channel != self.branch.channel:
            return (message,)
        if message.kind is EntryKind.COMMIT and not self.entered:
            self.entered = True
            seq = self.branch.seq + 1
            summary = ChannelSummary(self.branch.channel, ChannelKind.OPEN, "lobby", b"", 1, seq, seq, seq, 0, seq)
            self.world.say(node, ChannelAdded(summary))
            self.branch.append(node, message)
            self.world.say(node, CaughtUp(self.branch.channel, seq))
            return ()
        if self.entered:
            return self.branch.hear(node, message)
        return (message,)


def test_a_newcomer_in_a_room_of_the_past_is_found_out_by_direct_messages() -> None:
    """carol alone sees an old lobby. A word to alice tells alice; alice's answer tells carol, who enters anew."""
    with lying_relay() as world:
        lie = OldGroupInfo(world)
        alice, bob = lobby_of_two(world)
        lie.keep()
        alice.do(RefreshKeys("#lobby"))
        bob.do(RefreshKeys("#lobby"))
        world.settle()
        room = room_of(alice, "#lobby")
        no_requests(world, "carol")
        carol = world.add("carol")
        Aside(world, carol, room.channel, room.head)
        carol.connect_at = world.now
        carol.connect()
        world.settle(20_000)
        assert room_of(carol, "#lobby").phase == Phase.JOINED
        carol.do(Send("alice", "hello from the lobby"))
        world.settle()
        noticed(alice, SecurityKind.ROOM_SPLIT, "carol")
        alice.do(Send("carol", "I don't see you there"))
        world.settle(70_000)
        noticed(carol, SecurityKind.ROOM_SPLIT, "alice has seen a change")
        noticed(carol, SecurityKind.GAP)
        world.honest()
        world.settle(60_000)
        check_all([alice, bob, carol])
        carol.do(Send("#lobby", "now I am"))
        world.settle()
        assert "now I am" in alice.texts()
        nothing_false([alice, bob, carol])
