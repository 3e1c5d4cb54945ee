"""Whoever floods a room is muted, blocked or banned, and disturbs nobody from then on; with the relay's own rates."""

from secure_chat.client.commands import Ban, Block, JoinRoom, LeaveRoom, Mute, RefreshKeys, Send, StartDirect
from secure_chat.client.engine.content import Body, Edit, Reaction, Text
from secure_chat.client.engine.integrity import MAX_CHAINS
from secure_chat.client.engine.requests import make_request
from secure_chat.client.engine.spaces import CHAINS
from secure_chat.client.events import (
    FailureCode,
    MessageAdded,
    MessageChanged,
    SecurityKind,
    SecurityNotice,
    TypingSeen,
)
from secure_chat.client.views import DeliveryState, MessageKind
from secure_chat.identity.keys import AccountKey
from secure_chat.mls.credential.extensions import Lifetime
from secure_chat.mls.group.group import Group
from secure_chat.server.core.settings import Settings
from secure_chat.wire.framing import encode_frame
from secure_chat.wire.messages import ChannelChange, EntryKind, Ephemeral, MemberDevice
from tests.adversary.audit import lying_relay
from tests.adversary.evidence import noticed
from tests.adversary.members import Rogue, room_of
from tests.adversary.relay import device_of
from tests.scenarios.harness import Node, World
from tests.scenarios.invariants import check_all

OWN_RATES = Settings(open_registration=True, registrations_burst=100_000)
FLOOD = 120


def shout(rogue: Rogue, body: Body, *, every: int = 1, count: int = FLOOD) -> None:
    """Genuine messages in the lobby, as fast as they go; `every` leaves holes in their numbers."""
    world, group = rogue.node.world, rogue.group("#lobby")
    for number in range(1, count + 1):
        rogue.append("#lobby", EntryKind.APPLICATION, rogue.seal(group, body, counter=number * every))
        world.run_for(10)
    world.settle(3_000)


def lobby(world: World, *names: str) -> list[Node]:
    """Everybody in the lobby, the first one being its admin."""
    nodes = [world.join(name) for name in names]
    world.settle()
    return nodes


def test_a_flood_in_a_muted_room_rings_nobody_and_holds_up_no_other_conversation() -> None:
    """Whatever names bob there is no mention, and alice's message beside it arrives as quickly as ever."""
    with lying_relay(settings=OWN_RATES) as world:
        alice, bob, mallory = lobby(world, "alice", "bob", "mallory")
        bob.do(Mute("#lobby"))
        alice.do(StartDirect("bob"))
        world.settle()
        shout(Rogue(mallory), Text("bob bob bob"))
        asked = world.now
        alice.do(Send("bob", "psst"))
        world.run_until(lambda: "psst" in bob.texts(), 5_000)
        assert world.now - asked < 1_000
        added = [event for event in bob.told(MessageAdded) if event.message.text == "bob bob bob"]
        assert len(added) == FLOOD
        assert not any(event.mention for event in added)
        room = bob.rooms()["#lobby"]
        assert (room.mentions, room.unread) == (0, FLOOD)
        assert [event.mention for event in bob.told(MessageAdded) if event.message.text == "psst"] == [True]


def test_who_is_blocked_floods_unseen() -> None:
    """Neither messages, edits, reactions and typing nor holes in the numbers of messages show as anything."""
    with lying_relay(settings=OWN_RATES) as world:
        alice, bob, mallory = lobby(world, "alice", "bob", "mallory")
        bob.do(Block("mallory"))
        alice.do(Send("#lobby", "good morning"))
        world.settle()
        target = bytes.fromhex(next(line.id for line in bob.history() if line.text == "good morning"))
        before, events = bob.history(), len(bob.events)
        rogue = Rogue(mallory)
        shout(rogue, Text("bob bob bob"), every=3)
        group = rogue.group("#lobby")
        for number in range(20):
            for body in (Reaction(target, "!", True), Edit(target, "never said")):
                payload = rogue.seal(group, body, counter=10_000 + number, chain=b"another!")
                rogue.append("#lobby", EntryKind.APPLICATION, payload)
        world.settle()
        assert bob.history() == before
        shown = (MessageAdded, MessageChanged, TypingSeen, SecurityNotice)
        assert not [event for event in bob.events[events:] if isinstance(event, shown)]
        assert sum(line.text == "bob bob bob" for line in alice.history()) == FLOOD


def test_garbage_without_end_is_one_line_that_counts() -> None:
    """Entries that nobody can open, and commits that nobody can apply, fill no screen."""
    with lying_relay(settings=OWN_RATES) as world:
        alice, bob, mallory = lobby(world, "alice", "bob", "mallory")
        before = len(bob.history())
        rogue = Rogue(mallory)
        for number in range(FLOOD):
            kind = EntryKind.APPLICATION if number % 3 else EntryKind.COMMIT
            rogue.append("#lobby", kind, world.random.randbytes(200))
            world.run_for(20)
        world.settle()
        lines = bob.history()[before:]
        assert 1 <= len(lines) <= 4
        assert all(line.kind is MessageKind.SECURITY and "mallory" in line.text for line in lines)
        assert any("times)" in line.text for line in lines)
        alice.do(Send("#lobby", "still here"))
        world.settle()
        assert "still here" in bob.texts()


def test_a_flood_of_chains_holds_up_nobodys_ticks_and_fills_no_store() -> None:
    """Mallory begins its numbers anew with every message, while alice writes, bob reads, and both tell of it."""
    with lying_relay(settings=OWN_RATES) as world:
        alice, bob, mallory = lobby(world, "alice", "bob", "mallory")
        rogue = Rogue(mallory)
        group = rogue.group("#lobby")
        for number in range(3 * FLOOD):
            payload = rogue.seal(group, Text("flood"), counter=1, chain=world.random.randbytes(8))
            rogue.append("#lobby", EntryKind.APPLICATION, payload)
            if number % 60 == 0:
                alice.do(Send("#lobby", f"message {number}"))
            world.run_for(10)
        world.settle(20_000)
        written = [line for line in alice.history() if line.text.startswith("message")]
        assert [line.state for line in written] == [DeliveryState.DELIVERED] * len(written)
        assert len(bob.engine._state.rows(CHAINS + room_of(bob, "#lobby").channel.hex())) <= 3 * MAX_CHAINS


def every_way(rogue: Rogue, group: Group, head: int) -> None:
    """Whatever a client can put into a room: messages, commits, changes of the list, requests, typing."""
    node, room, state = rogue.node, rogue.room("#lobby"), rogue.state
    own = ChannelChange(add=(MemberDevice(state.profile.device_id, state.own_account),))
    package = node.engine._keys.make(group.suite.number).key_package.message()
    request = make_request(node.engine._device.key, room.channel, room.generation, node.world.now, (package,))
    rogue.put(room, EntryKind.APPLICATION, rogue.seal(group, Text("still here"), counter=500), head=head)
    rogue.put(room, EntryKind.PROPOSAL, b"no proposal", head=head)
    rogue.put(room, EntryKind.COMMIT, group.commit().commit, head=head)
    group.discard_pending()
    rogue.put(room, EntryKind.COMMIT, b"external", head=head, change=own)
    rogue.put(room, EntryKind.FOUNDING, group.group_id, head=head, change=own)
    rogue.put(room, EntryKind.MEMBERS, b"", head=0, change=own)
    rogue.put(room, EntryKind.REQUEST, request, head=0)
    assert node.link is not None
    node.world.to_relay(node.link, encode_frame(Ephemeral(room.channel, b"typing")))


def test_who_is_banned_reaches_nobody_any_more() -> None:
    """With no device and in no way: the log stays as it is, and nobody is shown or told anything."""
    with lying_relay(settings=OWN_RATES) as world:
        alice, bob, mallory = lobby(world, "alice", "bob", "mallory")
        rogue = Rogue(mallory)
        group = rogue.group("#lobby")
        shout(rogue, Text("flood"))
        alice.do(Ban("#lobby", "mallory"))
        world.settle()
        room = room_of(bob, "#lobby")
        honest = (alice, bob)
        last, lines = bob.engine._state.position(room.channel), [node.history() for node in honest]
        events = [len(node.events) for node in honest]
        for _ in range(5):
            every_way(rogue, group, room.head)
            world.settle()
        second = world.join(
            "mallory", account=AccountKey(mallory.engine._state.profile.account_seed), profile="mallory's other device"
        )
        assert second.fails(JoinRoom("lobby")) is FailureCode.REFUSED
        assert mallory.fails(JoinRoom("lobby")) is FailureCode.REFUSED
        world.settle(60_000)
        assert bob.engine._state.position(room.channel) == last
        assert [node.history() for node in honest] == lines
        shown = (MessageAdded, MessageChanged, TypingSeen, SecurityNotice)
        for node, seen in zip(honest, events, strict=True):
            assert not [event for event in node.events[seen:] if isinstance(event, shown)]
        alice.do(Send("#lobby", "quiet again"))
        world.settle()
        assert "quiet again" in bob.texts()
        assert "quiet again" not in [*mallory.texts(), *second.texts()]
        check_all([alice, bob])


def test_what_a_banned_member_had_sent_before_and_comes_late_is_dropped() -> None:
    """A message encrypted before the ban that the relay takes after it shows nowhere."""
    with lying_relay(settings=OWN_RATES) as world:
        alice, bob, mallory = lobby(world, "alice", "bob", "mallory")
        rogue = Rogue(mallory)
        payload = rogue.seal(rogue.group("#lobby"), Text("too late"), counter=1)
        alice.do(Ban("#lobby", "mallory"))
        world.settle()
        channel, state = room_of(bob, "#lobby").channel, bob.engine._state
        late = world.entry(
            channel, state.position(channel) + 1, EntryKind.APPLICATION, device_of(mallory).device, payload
        )
        world.say(bob, late)
        world.settle()
        assert "too late" not in bob.texts()
        noticed(bob, SecurityKind.REMOVED_SENDER, "mallory")


def test_a_request_that_nobody_can_grant_keeps_nobody_else_out() -> None:
    """Mallory asks with a key package out of its time: dave is in at once, and alice's own changes go on."""
    with lying_relay(settings=OWN_RATES) as world:
        alice, bob, mallory = lobby(world, "alice", "bob", "mallory")
        world.settle(10_000)
        rogue = Rogue(mallory)
        room, group = rogue.room("#lobby"), rogue.group("#lobby")
        channel, generation = room.channel, room.generation
        mallory.do(LeaveRoom("#lobby"))
        world.settle()

        def ask() -> None:
            lifetime = Lifetime(0, 1)
            package = mallory.engine._keys.make(group.suite.number, lifetime=lifetime).key_package.message()
            request = make_request(mallory.engine._device.key, channel, generation, world.now, (package,))
            rogue.put(room, EntryKind.REQUEST, request, head=0)

        ask()
        start = world.now
        dave = world.add("dave")
        dave.connect_at = world.now
        dave.connect()
        world.run_until(lambda: dave.engine._state.profile.lobby_entered, 10_000, "dave is in")
        assert world.now - start < 2_000
        ask()
        world.run_for(2_000)
        start = world.now
        alice.do(RefreshKeys("#lobby"))
        assert world.now - start < 2_000
        assert mallory.engine._state.own_account not in alice.engine._state.accounts(room_of(alice, "#lobby"))
        check_all([alice, bob, dave])
