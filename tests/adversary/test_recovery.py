"""The way back, without a person: backups, copies, snapshots, long absences, restored relays, both sides lost."""

from collections.abc import Iterable
from dataclasses import replace

from secure_chat.client.commands import CreateRoom, InvitePeople, JoinRoom, LeaveRoom, RefreshKeys, Send
from secure_chat.client.engine.recovery import mark_restored
from secure_chat.client.engine.spaces import Phase
from secure_chat.client.events import ConnectionChanged, Invited, SecurityKind
from secure_chat.client.views import ConnectionState, DeliveryState, MessageKind
from secure_chat.wire.messages import Entry, EntryKind, ServerMessage
from tests.adversary.audit import lying_relay
from tests.adversary.evidence import nothing_false, noticed
from tests.adversary.members import Rogue, poison, room_of
from tests.adversary.relay import Branch, changed
from tests.adversary.rooms import closed_room, kinds
from tests.scenarios.harness import GENEROUS, Node
from tests.scenarios.invariants import check_all

SOON = 120_000
"""Milliseconds in which a device is back where somebody is online."""
RETENTION = 3_600_000
"""Of the relay in these tests: an hour."""
FORGETFUL = replace(GENEROUS, retention=RETENTION)


def says(author: Node, text: str, *readers: Node, room: str = "#plans") -> None:
    """Somebody writes and everybody named reads it."""
    author.do(Send(room, text))
    author.world.settle()
    for reader in readers:
        assert text in reader.texts(), f"{reader.name} does not have {text!r}"


def test_a_snapshot_that_is_used_again_sends_nothing_with_its_old_keys() -> None:
    """A virtual machine is set back: the relay's counter tells, the device starts over, and is back by itself."""
    with lying_relay() as world:
        alice, bob, carol = closed_room(world, "bob", "carol")
        copy = bob.snapshot()
        says(bob, "will be forgotten here", alice, carol)
        old_leaf = leaf_key(bob)
        bob.restore(copy)
        world.settle(SOON)
        noticed(bob, SecurityKind.ROLLED_BACK)
        noticed(bob, SecurityKind.REJOINED)
        assert leaf_key(bob) != old_leaf
        says(bob, "here again", alice, carol)
        says(alice, "welcome back", bob, carol)
        check_all([alice, bob, carol])
        nothing_false([alice, carol])


def leaf_key(node: Node) -> bytes:
    """The device key in a client's leaf of #plans."""
    state = node.engine._state
    roster = state.roster(room_of(node, "#plans"))
    assert roster is not None
    return next(e.key for e in roster.entries if e.device == state.profile.device_id)


def test_a_snapshot_from_before_a_send_never_uses_a_key_twice() -> None:
    """What was queued in the snapshot goes out under new keys, once: the harness checks every key's use."""
    with lying_relay() as world:
        alice, bob = closed_room(world, "bob")
        bob.go_offline()
        bob.ask(Send("#plans", "queued before the snapshot"))
        copy = bob.snapshot()
        bob.go_online()
        world.settle()
        assert "queued before the snapshot" in alice.texts()
        bob.restore(copy)
        world.settle(SOON)
        assert alice.texts().count("queued before the snapshot") == 1
        line = next(line for line in bob.history() if line.text == "queued before the snapshot")
        assert line.state in (DeliveryState.SENT, DeliveryState.DELIVERED)
        check_all([alice, bob])


def test_two_copies_of_a_profile_do_not_fight() -> None:
    """Both run at once: the copy notices and takes fresh keys, the original waits outside and says why."""
    with lying_relay() as world:
        alice, bob = closed_room(world, "bob")
        copy = bob.snapshot()
        says(bob, "from the original", alice)
        twin = world.clone(bob, copy, "twin")
        twin.go_online()
        world.settle(SOON)
        noticed(twin, SecurityKind.ROLLED_BACK)
        says(twin, "from the copy", alice)
        assert bob.link is None
        told = bob.told(ConnectionChanged)
        assert "another copy of this profile" in told[-1].reason
        count = len(told)
        world.run_for(3_600_000)
        assert len(bob.told(ConnectionChanged)) - count <= 3 * 65
        check_all([alice, twin])
        nothing_false([alice])


def test_the_other_copy_takes_over_when_the_first_is_gone() -> None:
    """Only one of two copies has the place at a time; whoever comes later takes it with fresh keys."""
    with lying_relay() as world:
        alice, bob = closed_room(world, "bob")
        copy = bob.snapshot()
        says(bob, "from the original", alice)
        twin = world.clone(bob, copy, "twin")
        twin.go_online()
        world.settle(SOON)
        says(twin, "from the copy", alice)
        twin.go_offline()
        world.settle(3 * SOON)
        noticed(bob, SecurityKind.REJOINED)
        says(bob, "the original again", alice)
        bob.go_offline()
        twin.go_online()
        world.settle(3 * SOON)
        says(twin, "and the copy again", alice)
        check_all([alice, twin])
        nothing_false([alice])


def test_a_restored_backup_rejoins_before_it_sends() -> None:
    """A backup says of itself that it was restored: every room is entered anew, even if the relay noticed nothing."""
    with lying_relay() as world:
        alice, bob, carol = closed_room(world, "bob", "carol")
        old_leaf = leaf_key(bob)
        copy = bob.snapshot()
        bob.restore(copy)
        row = bob.store.get("profile", b"profile")
        assert row is not None
        bob.store.apply(mark_restored(row))
        bob.store.commit()
        bob.crash()
        world.settle(SOON)
        assert leaf_key(bob) != old_leaf
        says(bob, "from the backup", alice, carol)
        check_all([alice, bob, carol])


def test_away_beyond_the_retention_shows_a_gap_and_comes_back() -> None:
    """Entries have expired at the relay, commits among them: the device asks, is added, and shows what it missed."""
    with lying_relay(settings=FORGETFUL) as world:
        alice, bob, carol = closed_room(world, "bob", "carol")
        bob.go_offline()
        says(alice, "bob will never see this", carol)
        alice.do(RefreshKeys("#plans"))
        world.settle()
        world.run_for(3 * RETENTION)
        alice.do(RefreshKeys("#plans"))
        world.run_for(3 * RETENTION)
        bob.go_online()
        world.settle(SOON)
        assert kinds(bob) & {SecurityKind.GAP, SecurityKind.REJOINED}
        assert any(line.kind is MessageKind.GAP for line in bob.history())
        assert "bob will never see this" not in bob.texts()
        says(alice, "there you are", bob, carol)
        says(bob, "here I am", alice, carol)
        check_all([alice, bob, carol])


def test_away_beyond_the_retention_with_nobody_online() -> None:
    """Everybody sleeps for long: whoever wakes first founds the room anew, the others follow."""
    with lying_relay(settings=FORGETFUL) as world:
        alice, bob, carol = closed_room(world, "bob", "carol")
        carol.go_offline()
        alice.do(RefreshKeys("#plans"))
        world.settle()
        alice.go_offline()
        bob.go_offline()
        world.run_for(10 * RETENTION)
        carol.go_online()
        world.run_for(10 * 60_000)
        alice.go_online()
        bob.go_online()
        world.settle(15 * 60_000)
        says(carol, "anybody?", alice, bob)
        check_all([alice, bob, carol])


def test_a_restored_relay_is_told_and_everybody_goes_on() -> None:
    """The operator restores a backup: a new incarnation, told to all; rooms, conversations and messages go on."""
    with lying_relay() as world:
        alice, bob = closed_room(world, "bob")
        alice.do(Send("bob", "just you"))
        world.settle()
        world.back_up_relay()
        says(alice, "after the backup", bob)
        alice.do(RefreshKeys("#plans"))
        world.settle()
        world.restore_relay()
        world.settle(SOON)
        for node in (alice, bob):
            noticed(node, SecurityKind.NEW_INCARNATION, "backup")
        says(bob, "life goes on", alice)
        says(alice, "so it does", bob)
        alice.do(Send("bob", "and here, too"))
        world.settle()
        assert "and here, too" in bob.texts()
        check_all([alice, bob])
        nothing_false([alice, bob])


def test_a_relay_restored_twice_may_count_from_further_back() -> None:
    """A Welcome with a lower number than the last head known here is none of the past."""
    with lying_relay() as world:
        alice, bob = closed_room(world, "bob")
        world.back_up_relay()
        world.restore_relay(jumps=1_000)
        world.settle(SOON)
        alice.do(RefreshKeys("#plans"))
        bob.do(RefreshKeys("#plans"))
        world.settle()
        world.restore_relay(jumps=1)
        world.settle(2 * SOON)
        says(alice, "back again", bob)
        says(bob, "so am I", alice)
        check_all([alice, bob])
        nothing_false([alice, bob])


def test_what_was_written_under_lower_numbers_before_one_came_back_is_read() -> None:
    """Bob's position is above everything that the relay, restored for the second time, has since given out."""
    with lying_relay() as world:
        alice, bob = closed_room(world, "bob")
        world.back_up_relay()
        world.restore_relay(jumps=1_000)
        world.settle(SOON)
        says(alice, "restored once", bob)
        bob.go_offline()
        world.restore_relay(jumps=1)
        world.settle(SOON)
        says(alice, "restored twice")
        bob.go_online()
        world.settle(SOON)
        assert bob.texts()[-2:] == ["restored once", "restored twice"]
        check_all([alice, bob])
        nothing_false([alice, bob])


def test_a_welcome_whose_entry_the_relay_has_lost_is_asked_for_anew() -> None:
    """Bob had been let in again under a number that the relay, restored once more, will not reach for long."""
    with lying_relay() as world:
        alice, bob, mallory = closed_room(world, "bob", "mallory")
        world.back_up_relay()
        world.restore_relay(jumps=1_000)
        world.settle(SOON)
        rogue = Rogue(mallory)
        rogue.append("#plans", EntryKind.COMMIT, poison(rogue.group("#plans"), {rogue.leaf("#plans", "bob")}))
        world.run_until(lambda: room_of(bob, "#plans").phase == Phase.OUT)
        world.outgoing.append(Withheld(bob, room_of(bob, "#plans").channel))
        world.run_until(lambda: room_of(bob, "#plans").next > 0, 300_000)
        world.outgoing.clear()
        world.rogues.clear()
        logins = len(bob.told(ConnectionChanged))
        world.restore_relay(jumps=1)
        world.run_until(
            lambda: any(e.state is ConnectionState.CATCHING_UP for e in bob.told(ConnectionChanged)[logins:]), SOON
        )
        assert not room_of(bob, "#plans").next, "it would wait for the old number"
        world.settle(3 * SOON)
        says(alice, "back again", bob)
        says(bob, "so am I", alice)
        check_all([alice, bob, mallory])


def test_a_room_that_a_restored_relay_did_not_list_counts_anew() -> None:
    """Bob entered after the backup and is let in again under lower numbers: these are no repetition."""
    with lying_relay() as world:
        alice, bob = world.join("alice"), world.join("bob")
        alice.do(JoinRoom("talk"))
        world.settle()
        world.back_up_relay()
        world.restore_relay(jumps=1_000)
        world.settle(SOON)
        bob.do(JoinRoom("talk"))
        says(alice, "welcome", bob, room="#talk")
        world.restore_relay(jumps=1)
        world.settle(2 * SOON)
        says(alice, "back again", bob, room="#talk")
        says(bob, "so am I", alice, room="#talk")
        assert SecurityKind.REPLAY not in kinds(bob)
        check_all([alice, bob])
        nothing_false([alice, bob])


def test_who_was_leaving_when_the_relay_lost_changes_leaves_all_the_same() -> None:
    """The leaf that others find again is an older one than his present one: bob's notes name both."""
    with lying_relay() as world:
        alice, bob, carol = world.join("alice"), world.join("bob"), world.join("carol")
        world.settle()
        world.back_up_relay()
        bob.do(RefreshKeys("#lobby"))
        world.settle()
        bob.ask(LeaveRoom("#lobby"))
        bob.lose_connection()
        world.restore_relay()
        world.settle(300_000)
        assert room_of(bob, "#lobby").phase == Phase.LEFT
        inside = {alice.engine._state.own_account, carol.engine._state.own_account}
        assert set(alice.engine._state.accounts(room_of(alice, "#lobby"))) == inside
        check_all([alice, bob, carol])


def test_a_removal_that_the_relay_lost_is_made_again() -> None:
    """It has the wish to leave, but no longer the commit that followed; the others still have bob's note."""
    with lying_relay() as world:
        alice, bob, carol = world.join("alice"), world.join("bob"), world.join("carol")
        world.settle()
        bob.do(LeaveRoom("#lobby"))
        world.back_up_relay()
        world.settle()
        inside = {alice.engine._state.own_account, carol.engine._state.own_account}
        assert set(alice.engine._state.accounts(room_of(alice, "#lobby"))) == inside
        world.restore_relay()
        world.settle(SOON)
        for node in (alice, carol):
            assert set(node.engine._state.accounts(room_of(node, "#lobby"))) == inside
            assert [line.text for line in node.history() if line.text == "bob left"] == ["bob left"]
        check_all([alice, bob, carol])


def test_who_was_led_astray_can_still_leave() -> None:
    """Bob's leaf is another one in the half that the relay made for him: he leaves with the notes of both."""
    with lying_relay() as world:
        alice, bob, carol = closed_room(world, "bob", "carol")
        room = room_of(bob, "#plans")
        branch = Branch(world, room.channel, (bob,), world.last(bob, room.channel), room.head)
        branch.install()
        bob.do(RefreshKeys("#plans"))
        branch.remove()
        bob.do(LeaveRoom("#plans"))
        world.settle(SOON)
        inside = {alice.engine._state.own_account, carol.engine._state.own_account}
        for node in (alice, carol):
            assert set(node.engine._state.accounts(room_of(node, "#plans"))) == inside
        check_all([alice, bob, carol])


def test_who_leaves_before_the_way_back_is_complete_is_gone() -> None:
    """Carol has the Welcome, and not yet the entry at which her new leaf begins: her notes name it all the same."""
    with lying_relay() as world:
        alice, bob, carol = closed_room(world, "bob", "carol")
        rogue = Rogue(bob)
        rogue.append("#plans", EntryKind.COMMIT, poison(rogue.group("#plans"), {rogue.leaf("#plans", "carol")}))
        channel = room_of(carol, "#plans").channel
        world.run_until(lambda: room_of(carol, "#plans").phase == Phase.OUT)
        world.outgoing.append(Withheld(carol, channel))
        world.run_until(lambda: room_of(carol, "#plans").next > 0, 300_000)
        carol.do(LeaveRoom("#plans"))
        world.outgoing.clear()
        world.settle(SOON)
        people = alice.engine._state.people
        assert "carol" not in {people[a].handle for a in alice.engine._state.accounts(room_of(alice, "#plans"))}


class Withheld:
    """A room's commits and foundings do not reach a client."""

    def __init__(self, victim: Node, channel: bytes) -> None:
        self.victim = victim
        self.channel = channel

    def __call__(self, node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
        if node is not self.victim or not isinstance(message, Entry) or message.channel != self.channel:
            return (message,)
        return () if message.kind in (EntryKind.COMMIT, EntryKind.FOUNDING) else (message,)


def test_who_is_told_that_an_accepted_change_was_not_can_still_leave() -> None:
    """The others have bob's leaf as his own commit made it, and he was shown another head: his notes name that leaf."""
    with lying_relay() as world:
        alice, bob, carol = closed_room(world, "bob", "carol")

        def lie(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            shown = node is bob and isinstance(message, Entry) and message.kind is EntryKind.COMMIT
            return (changed(message, head=message.head + 1),) if shown and isinstance(message, Entry) else (message,)

        world.outgoing.append(lie)
        bob.ask(RefreshKeys("#plans"))
        world.run_until(lambda: room_of(bob, "#plans").phase == Phase.OUT)
        world.outgoing.remove(lie)
        bob.do(LeaveRoom("#plans"))
        world.settle(SOON)
        inside = {alice.engine._state.own_account, carol.engine._state.own_account}
        for node in (alice, carol):
            assert set(node.engine._state.accounts(room_of(node, "#plans"))) == inside


def test_who_had_left_before_the_relay_lost_it_is_not_asked_again() -> None:
    """A restored relay lists bob once more: his client tells it, and the others, that he has left."""
    with lying_relay() as world:
        alice, bob, carol = closed_room(world, "bob", "carol")
        world.back_up_relay()
        for node in (alice, carol):
            node.go_offline()
        bob.do(LeaveRoom("#plans"))
        world.settle()
        invitations = len(bob.told(Invited))
        world.restore_relay()
        for node in (alice, carol):
            node.go_online()
        world.settle(5 * SOON)
        assert len(bob.told(Invited)) == invitations
        assert not [room for room in bob.engine._state.rooms.values() if room.name == "plans" and room.group]
        inside = {alice.engine._state.own_account, carol.engine._state.own_account}
        assert set(alice.engine._state.accounts(room_of(alice, "#plans"))) == inside
        check_all([alice, bob, carol])


def test_an_admin_who_had_left_before_the_relay_lost_it_locks_nobody_out() -> None:
    """The restored relay takes a founding from alice alone, who is gone: her client lets go, and bob founds."""
    with lying_relay() as world:
        alice, bob = closed_room(world, "bob")
        world.back_up_relay()
        alice.do(LeaveRoom("#plans"))
        world.settle()
        world.restore_relay()
        world.settle(7 * SOON)
        says(bob, "alone, but in")
        check_all([alice, bob])


def test_both_sides_of_a_conversation_restored_find_each_other_again() -> None:
    """alice and bob both go back to their backups: either side founds the conversation anew."""
    with lying_relay() as world:
        alice, bob = world.join("alice"), world.join("bob")
        alice.do(Send("bob", "remember me"))
        world.settle()
        bob.do(Send("alice", "always"))
        world.settle()
        copies = [(node, node.snapshot()) for node in (alice, bob)]
        alice.do(Send("bob", "lost in time"))
        bob.do(Send("alice", "like tears in rain"))
        world.settle()
        for node, copy in copies:
            node.restore(copy)
        world.settle(5 * 60_000)
        alice.do(Send("bob", "are you there?"))
        world.settle(SOON)
        bob.do(Send("alice", "I am"))
        world.settle(SOON)
        assert "are you there?" in bob.texts()
        assert "I am" in alice.texts()
        for node in (alice, bob):
            noticed(node, SecurityKind.ROLLED_BACK)
            assert {SecurityKind.REJOINED, SecurityKind.RESTARTED} & kinds(node)
        check_all([alice, bob])


def test_both_sides_with_nothing_but_their_recovery_codes_talk_again() -> None:
    """Both have lost everything but the account key: a new device each, and the conversation is founded anew."""
    with lying_relay() as world:
        alice, bob = world.join("alice"), world.join("bob")
        alice.do(Send("bob", "before the fire"))
        world.settle()
        keys = [node.engine._state.account_key for node in (alice, bob)]
        alice.go_offline()
        bob.go_offline()
        world.settle()
        new_alice = world.join("alice", account=keys[0], profile="alice-again")
        new_bob = world.join("bob", account=keys[1], profile="bob-again")
        world.settle(5 * 60_000)
        new_alice.do(Send("bob", "after the fire"))
        world.settle(SOON)
        assert "after the fire" in new_bob.texts()
        new_bob.do(Send("alice", "rebuilt"))
        world.settle(SOON)
        assert "rebuilt" in new_alice.texts()


def test_an_admin_who_is_out_alone_comes_back() -> None:
    """The only admin is restored while nobody else is online: the room is founded anew and the rest follow."""
    with lying_relay() as world:
        alice, bob, carol = closed_room(world, "bob", "carol")
        copy = alice.snapshot()
        says(alice, "soon forgotten", bob, carol)
        bob.go_offline()
        carol.go_offline()
        alice.restore(copy)
        world.settle(3 * 60_000)
        assert room_of(alice, "#plans").phase == Phase.JOINED
        bob.go_online()
        carol.go_online()
        world.settle(5 * 60_000)
        says(alice, "back in charge", bob, carol)
        check_all([alice, bob, carol])


def test_a_member_who_is_out_alone_waits_quietly_and_is_let_in() -> None:
    """Nobody who may help is online: the device asks ever more slowly, and is in as soon as somebody is."""
    with lying_relay() as world:
        alice, bob = closed_room(world, "bob")
        copy = bob.snapshot()
        says(bob, "soon forgotten", alice)
        alice.go_offline()
        bob.restore(copy)
        world.run_for(4 * 3_600_000)
        assert room_of(bob, "#plans").phase == Phase.OUT
        asked = len(world.heard)
        world.run_for(3_600_000)
        assert len(world.heard) - asked < 400
        bob.ask(Send("#plans", "waiting at the door"))
        alice.go_online()
        world.settle(SOON)
        assert "waiting at the door" in alice.texts()
        check_all([alice, bob])


def test_everybody_restored_at_once() -> None:
    """The whole office goes back to yesterday's snapshots: all rooms come back by themselves."""
    with lying_relay() as world:
        nodes = closed_room(world, "bob", "carol")
        copies = [(node, node.snapshot()) for node in nodes]
        for node in nodes:
            says(node, f"{node.name} will forget", *nodes)
        for node, copy in copies:
            node.restore(copy)
        world.settle(10 * 60_000)
        for node in nodes:
            says(node, f"{node.name} starts over", *nodes)
        for node in nodes:
            node.do(Send("#lobby", f"{node.name} in the lobby"))
        world.settle()
        for node in nodes:
            assert {f"{other.name} in the lobby" for other in nodes} <= set(node.texts())
        check_all(nodes)


def test_a_deleted_profile_comes_back_by_its_recovery_code() -> None:
    """A new device of the same account is let into open rooms and reads what is new; the rest is shown as gone."""
    with lying_relay() as world:
        alice, bob = world.join("alice"), world.join("bob")
        key = bob.engine._state.account_key
        bob.go_offline()
        again = world.join("bob", account=key, profile="bob-again")
        world.settle(SOON)
        alice.do(Send("#lobby", "hello new machine"))
        world.settle()
        assert "hello new machine" in again.texts()
        alice.do(CreateRoom("later", None, False))
        alice.do(InvitePeople("#later", ("bob",)))
        world.settle()
        nothing_false([alice, again])
