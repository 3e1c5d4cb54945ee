"""A room that is started anew: who did it, and who is no longer in it, says the founder's signature, not the relay."""

from collections.abc import Iterable
from dataclasses import replace

from secure_chat.client.commands import CreateRoom, InvitePeople, RestartRoom, Send
from secure_chat.client.engine.entrances import MAX_FOUNDED
from secure_chat.client.engine.founding import make_claim
from secure_chat.client.engine.spaces import Phase
from secure_chat.client.events import RoomRemoved, SecurityKind
from secure_chat.identity.keys import AccountKey
from secure_chat.wire.framing import HEADER_LENGTH, decode_client_message
from secure_chat.wire.limits import MAX_ADDS_PER_COMMIT
from secure_chat.wire.messages import Append, Appended, Entry, EntryKind, KeyPackages, ServerMessage
from tests.adversary.audit import lying_relay
from tests.adversary.evidence import nothing_false, noticed
from tests.adversary.members import room_of
from tests.adversary.relay import LyingRelay, changed, device_of, key_of
from tests.adversary.rooms import CLASSICAL, closed_room, kinds
from tests.fast_suite import fast_suites
from tests.scenarios.harness import GENEROUS, Node
from tests.scenarios.invariants import check_all

BACK = 180_000
HOUR = 3_600_000


def begin_anew(world: LyingRelay, victim: Node, author: Node, payload: bytes) -> None:
    """The relay shows a founding in which the victim is taken off the list."""
    room = room_of(victim, "#plans")
    entry = world.entry(
        room.channel,
        world.last(victim, room.channel) + 1,
        EntryKind.FOUNDING,
        device_of(author).device,
        payload,
        head=room.head,
        removed=(device_of(victim).device,),
    )
    world.say(victim, entry)
    world.settle(15_000)


def claim_of(author: Node, victim: Node) -> bytes:
    """A claim of somebody's that leaves the victim out."""
    state, room = author.engine._state, room_of(author, "#plans")
    credential = author.engine._device.credential().identity
    left_out = [victim.engine._state.own_account]
    return make_claim(key_of(author), credential, room.channel, 2, b"group", [state.own_account], left_out)


def test_a_relay_can_not_remove_anybody_by_a_founding_of_its_own() -> None:
    """It says that alice began anew without bob: bob's device asks, and is back; nothing is said of alice."""
    with lying_relay() as world:
        alice, bob, carol = closed_room(world, "bob", "carol")
        begin_anew(world, bob, alice, b"a founding")
        assert not bob.told(RoomRemoved)
        notice = noticed(bob, SecurityKind.RESTARTED, "without this device")
        assert "alice" not in notice.text
        world.honest()
        world.settle(BACK)
        assert room_of(bob, "#plans").phase == Phase.JOINED
        alice.do(Send("#plans", "still here?"))
        world.settle()
        assert "still here?" in bob.texts()
        check_all([alice, bob, carol])


def test_a_founding_by_somebody_without_the_right_removes_nobody() -> None:
    """Carol, who is no admin, signs that bob is out: the same."""
    with lying_relay() as world:
        alice, bob, carol = closed_room(world, "bob", "carol")
        begin_anew(world, bob, carol, claim_of(carol, bob))
        assert not bob.told(RoomRemoved)
        world.honest()
        world.settle(BACK)
        assert room_of(bob, "#plans").phase == Phase.JOINED
        check_all([alice, bob, carol])


def test_a_claim_that_was_changed_removes_nobody() -> None:
    """A genuine one of an admin's with another account in it."""
    with lying_relay() as world:
        alice, bob, carol = closed_room(world, "bob", "carol")
        genuine = claim_of(alice, carol)
        left_out, victim = (node.engine._state.own_account for node in (carol, bob))
        begin_anew(world, bob, alice, genuine.replace(left_out, victim))
        assert not bob.told(RoomRemoved)
        assert SecurityKind.RESTARTED in kinds(bob)


def test_who_was_left_out_is_told_by_whom_whatever_the_relay_says() -> None:
    """Alice starts anew without bob; the relay labels the entry as carol's."""
    with lying_relay() as world:
        alice, bob, carol = closed_room(world, "bob", "carol")
        device = device_of(carol).device

        def relabel(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            if node is bob and isinstance(message, Entry) and message.kind is EntryKind.FOUNDING:
                return (changed(message, sender=device),)
            return (message,)

        world.outgoing.append(relabel)
        alice.do(RestartRoom("#plans", without=("bob",)))
        world.settle(30_000)
        assert [event.by for event in bob.told(RoomRemoved)] == ["alice"]
        nothing_false([alice, bob, carol])


def test_who_could_not_be_added_belongs_to_the_room_all_the_same() -> None:
    """The relay had no key package of carol's: her device asks, and the founder lets it in."""
    with lying_relay() as world:
        alice, bob, carol = closed_room(world, "bob", "carol")
        account = carol.engine._state.own_account

        def without_carol(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            if isinstance(message, KeyPackages):
                return (changed(message, packages=tuple(p for p in message.packages if p.account != account)),)
            return (message,)

        world.outgoing.append(without_carol)
        alice.do(RestartRoom("#plans"))
        world.settle(BACK)
        assert not carol.told(RoomRemoved)
        assert room_of(carol, "#plans").phase == Phase.JOINED
        carol.do(Send("#plans", "here I am"))
        world.settle()
        assert "here I am" in bob.texts()
        check_all([alice, bob, carol])


def test_a_founding_takes_as_many_as_an_append_may_add_and_the_rest_follows() -> None:
    """One device more than fit beside the founder's own: all are in, by one more commit."""
    people = MAX_FOUNDED // 9 + 1
    assert MAX_FOUNDED + 1 == MAX_ADDS_PER_COMMIT
    with fast_suites(), lying_relay(settings=replace(GENEROUS, lobby=False)) as world:
        alice = world.join("alice")
        names = [f"user{number}" for number in range(people)]
        devices = 0
        for number, name in enumerate(names):
            account = AccountKey(bytes([number + 1]) * 32)
            for machine in range(9):
                if devices < MAX_FOUNDED + 1:
                    world.join(name, account=account, profile=f"{name}-{machine}").go_offline()
                    devices += 1
        alice.do(CreateRoom("plans", CLASSICAL, False))
        alice.do(InvitePeople("#plans", tuple(names)))
        world.settle()
        assert leaves(alice) == devices + 1
        alice.do(RestartRoom("#plans"))
        world.settle()
        assert room_of(alice, "#plans").generation == 2
        assert leaves(alice) == devices + 1


def leaves(node: Node) -> int:
    """Devices in #plans."""
    return len(node.engine._state.group(room_of(node, "#plans")).members())


def test_a_room_whose_founding_was_forgotten_before_anybody_saw_it_is_founded_again() -> None:
    """alice's two devices are away from the moment of founding until the relay has deleted entry and Welcome."""
    with lying_relay(settings=replace(GENEROUS, retention=HOUR)) as world:
        alice = world.join("alice")
        other = world.add("alice", account=alice.engine._state.account_key, profile="alice.two")
        other.connect()
        world.settle()
        world.outgoing.append(lambda node, message: () if isinstance(message, Entry | Appended) else (message,))
        alice.ask(CreateRoom("plans", CLASSICAL, False))
        world.run_for(5_000)
        alice.go_offline()
        other.go_offline()
        world.honest()
        world.run_for(6 * HOUR)
        alice.go_online()
        other.go_online()
        world.settle(6 * BACK)
        assert [room_of(node, "#plans").phase for node in (alice, other)] == [Phase.JOINED, Phase.INVITED]
        check_all([alice, other])


def test_what_is_refused_as_stale_waits_for_the_change_that_made_it_so() -> None:
    """Bob is kept from the Welcome into a room founded anew, and what he writes meanwhile is not tried without end."""
    with lying_relay() as world:
        alice, bob = closed_room(world, "bob")

        def strip(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            return (
                () if node is bob and isinstance(message, Entry) and message.kind is EntryKind.WELCOME else (message,)
            )

        world.outgoing.append(strip)
        alice.do(RestartRoom("#plans"))
        world.settle(100)
        room = room_of(bob, "#plans")
        assert room.phase is Phase.JOINED
        since = len(world.heard)
        bob.ask(Send("#plans", "in between"))
        world.settle(5_000)
        heard = [decode_client_message(frame[HEADER_LENGTH:]) for frame in world.heard[since:]]
        tries = [m for m in heard if isinstance(m, Append) and m.kind is EntryKind.APPLICATION]
        assert 1 <= len(tries) <= 2
        world.outgoing.clear()
        world.settle(60_000)
        assert "in between" in alice.texts()
        check_all([alice, bob])


def test_who_has_not_decided_yet_and_gets_no_welcome_is_not_left_behind() -> None:
    """bob's invitation is open when alice starts the room anew, and the relay strips his Welcome."""
    with lying_relay() as world:
        alice, carol = closed_room(world, "carol")
        bob = world.join("bob")
        alice.do(InvitePeople("#plans", ("bob",)))
        world.settle()

        def strip(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            welcome = isinstance(message, Entry) and message.kind is EntryKind.WELCOME
            return () if welcome and node is bob else (message,)

        world.outgoing.append(strip)
        alice.do(RestartRoom("#plans"))
        world.settle(30_000)
        world.outgoing.clear()
        world.settle(BACK)
        assert room_of(bob, "#plans").phase == Phase.INVITED
        check_all([alice, bob, carol])


def test_who_knows_a_higher_number_than_a_restored_relay_counts_comes_back() -> None:
    """The relay forgets two foundings; alice founds the room again, with a number that bob has passed."""
    with lying_relay() as world:
        alice, bob = closed_room(world, "bob")
        world.back_up_relay()
        for _ in range(2):
            alice.do(RestartRoom("#plans"))
            world.settle()
        assert room_of(bob, "#plans").generation == 3
        bob.go_offline()
        world.restore_relay()
        world.settle(BACK)
        assert room_of(alice, "#plans").generation == 2
        bob.go_online()
        world.settle(BACK)
        assert room_of(bob, "#plans").phase == Phase.JOINED
        alice.do(Send("#plans", "here we are"))
        world.settle()
        assert "here we are" in bob.texts()
        check_all([alice, bob])
