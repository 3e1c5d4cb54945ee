"""A relay that plays with rooms: ghosts, forged and stripped Welcomes, split rooms, rollbacks, false refusals."""

from collections.abc import Iterable
from pathlib import Path

from msgspec.structs import replace

from secure_chat.client.commands import AcceptInvitation, CreateRoom, InvitePeople, Kick, LeaveRoom, RefreshKeys, Send
from secure_chat.client.engine.evidence import encode_notes, make_note
from secure_chat.client.engine.policy import Roles
from secure_chat.client.engine.spaces import Phase
from secure_chat.client.events import Invited, SecurityKind
from secure_chat.client.views import RoomKind
from secure_chat.wire.errors import ErrorCode
from secure_chat.wire.messages import (
    Append,
    Appended,
    ChannelAdded,
    ChannelClosed,
    ChannelKind,
    ChannelSummary,
    ClientMessage,
    Entry,
    EntryKind,
    Error,
    ServerMessage,
)
from tests.adversary.audit import lying_relay
from tests.adversary.evidence import nobody_noticed, nothing_false, nothing_leaked, noticed
from tests.adversary.forgery import deliver_welcome, forged_group, package_of
from tests.adversary.members import room_of
from tests.adversary.relay import Branch, changed, device_of
from tests.adversary.rooms import CLASSICAL, closed_room, kinds
from tests.scenarios.harness import Node
from tests.scenarios.invariants import check_all


def test_a_ghost_in_the_delivery_list_is_shown_and_reads_nothing() -> None:
    """The relay adds a device of mallory's to the list of a closed room: both members are told."""
    with lying_relay() as world:
        alice, bob = closed_room(world, "bob")
        mallory = world.join("mallory")
        room = room_of(bob, "#plans")
        ghost = device_of(mallory)
        for node in (alice, bob):
            entry = world.entry(
                room.channel, world.last(node, room.channel) + 1, EntryKind.MEMBERS, bytes(16), b"", added=(ghost,)
            )
            world.say(node, entry)
        world.settle()
        noticed(alice, SecurityKind.GHOST, "not a member", "can read nothing")
        noticed(bob, SecurityKind.GHOST, "not a member")
        nothing_false([alice, bob, mallory])
        nothing_leaked(world, "alice is in", "plans")


def test_a_ghost_that_comes_with_an_honest_commit_is_shown() -> None:
    """A list change hidden in somebody's commit is compared with what the commit really adds."""
    with lying_relay() as world:
        alice, bob = closed_room(world, "bob")
        mallory = world.join("mallory")
        ghost = device_of(mallory)

        def smuggle(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            if isinstance(message, Entry) and message.kind is EntryKind.COMMIT:
                return (changed(message, added=(*message.added, ghost)),)
            return (message,)

        world.outgoing.append(smuggle)
        alice.do(RefreshKeys("#plans"))
        world.settle()
        noticed(bob, SecurityKind.GHOST, "mallory" if "mallory" in str(bob.engine._state.people) else "")
        noticed(alice, SecurityKind.GHOST)


def test_a_forged_welcome_does_not_replace_a_room() -> None:
    """Mallory and the relay offer alice's own room in a group of mallory's: alice stays where she is."""
    with lying_relay() as world:
        alice, bob = closed_room(world, "bob")
        mallory = world.join("mallory")
        room = room_of(alice, "#plans")
        roles = alice.engine._state.roles(room)
        assert roles is not None
        before = alice.engine._state.group(room).epoch_authenticator
        packages = [package_of(world, mallory, node) for node in (alice, bob)]
        _, welcome = forged_group(mallory, room.channel, roles, packages)
        seq = world.last(alice, room.channel) + 1
        deliver_welcome(world, alice, welcome, room.channel, seq)
        commit = world.entry(
            room.channel, seq, EntryKind.COMMIT, mallory.engine._state.profile.device_id, b"forged", head=room.head
        )
        world.say(alice, commit)
        world.run_for(100)
        assert "mallory" not in {
            o.identity.handle for o in alice.engine._state.occupants(alice.engine._state.group(room))
        }
        assert alice.engine._state.group(room).epoch_authenticator == before
        noticed(alice, SecurityKind.BAD_ENTRY)
        heard = len(world.heard)
        alice.do(Send("#plans", "the safe code"))
        world.settle()
        for frame in world.heard[heard:]:
            assert b"the safe code" not in frame
        nothing_false([alice, bob, mallory])


def test_a_forged_founding_is_ignored_and_told() -> None:
    """The same as a re-founding: only an admin may start a room anew, and mallory is none."""
    with lying_relay() as world:
        alice, bob = closed_room(world, "bob")
        mallory = world.join("mallory")
        room = room_of(bob, "#plans")
        roles = bob.engine._state.roles(room)
        assert roles is not None
        before = bob.engine._state.group(room).epoch_authenticator
        roles = replace(roles, generation=roles.generation + 1, admins=(mallory.engine._state.own_account,))
        packages = [package_of(world, mallory, node) for node in (alice, bob)]
        group, welcome = forged_group(mallory, room.channel, roles, packages)
        seq = world.last(bob, room.channel) + 1
        deliver_welcome(world, bob, welcome, room.channel, seq)
        founding = world.entry(
            room.channel,
            seq,
            EntryKind.FOUNDING,
            mallory.engine._state.profile.device_id,
            group.group_id,
            head=room.head,
        )
        world.say(bob, founding)
        world.run_for(100)
        assert bob.engine._state.group(room).epoch_authenticator == before
        noticed(bob, SecurityKind.COMMIT_REFUSED, "without the right")
        nothing_false([alice, bob, mallory])


def test_an_invitation_names_who_really_invites() -> None:
    """The relay labels mallory's invitation as alice's: bob reads mallory's name."""
    with lying_relay() as world:
        alice, bob, mallory = world.join("alice"), world.join("bob"), world.join("mallory")
        channel = bytes(range(16))
        roles = Roles(1, RoomKind.ROOM, 1, "board meeting", (mallory.engine._state.own_account,))
        packages = [package_of(world, mallory, node) for node in (alice, bob)]
        _, welcome = forged_group(mallory, channel, roles, packages)
        summary = ChannelSummary(channel, ChannelKind.ROOM, "", b"", 1, 1, 1, 1, 0, 1)
        world.say(bob, ChannelAdded(summary))
        deliver_welcome(world, bob, welcome, channel, 1)
        alice_device = alice.engine._state.profile.device_id
        world.say(bob, world.entry(channel, 1, EntryKind.FOUNDING, alice_device, b"", added=(device_of(bob),)))
        world.settle()
        invitations = bob.told(Invited)
        assert [i.invitation.inviter for i in invitations] == ["mallory"]


def test_a_direct_conversation_has_two_people_only() -> None:
    """A Welcome into 'a conversation with alice' that lets mallory in, too, is not one."""
    with lying_relay() as world:
        alice, bob, mallory = world.join("alice"), world.join("bob"), world.join("mallory")
        channel = bytes(range(16))
        accounts = [node.engine._state.own_account for node in (alice, bob, mallory)]
        roles = Roles(1, RoomKind.DIRECT, 1, "", tuple(sorted(accounts)))
        packages = [package_of(world, mallory, node) for node in (alice, bob)]
        _, welcome = forged_group(mallory, channel, roles, packages)
        summary = ChannelSummary(channel, ChannelKind.DIRECT, "", accounts[0], 1, 1, 1, 1, 0, 1)
        world.say(bob, ChannelAdded(summary))
        deliver_welcome(world, bob, welcome, channel, 1)
        founder = mallory.engine._state.profile.device_id
        world.say(bob, world.entry(channel, 1, EntryKind.FOUNDING, founder, b"", added=(device_of(bob),)))
        world.run_for(1_000)
        room = bob.engine._state.rooms.get(channel)
        assert room is None or room.phase != Phase.JOINED
        noticed(bob, SecurityKind.BAD_ENTRY, "not genuine")


def test_stripped_welcomes_only_delay() -> None:
    """Without its Welcomes bob's device asks by itself; once one comes through he is invited."""
    with lying_relay() as world:
        alice, bob = world.join("alice"), world.join("bob")

        def strip(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            if isinstance(message, Entry) and message.kind is EntryKind.WELCOME:
                return ()
            return (message,)

        world.outgoing.append(strip)
        alice.do(CreateRoom("plans", CLASSICAL, False))
        alice.do(InvitePeople("#plans", ("bob",)))
        world.settle(60_000)
        assert not bob.told(Invited)
        assert [room.blocked for room in bob.rooms().values() if not room.joined] == ["waiting to be let in"]
        world.honest()
        world.settle(300_000)
        assert [i.invitation.inviter for i in bob.told(Invited)] == ["alice"]
        bob.do(AcceptInvitation(bob.told(Invited)[-1].invitation.room))
        world.settle()
        check_all([alice, bob])
        nothing_leaked(world, "plans")


def test_a_damaged_welcome_is_told_and_mended() -> None:
    """A Welcome whose bytes were changed is not genuine; the device asks and gets another."""
    with lying_relay() as world:
        alice, bob = world.join("alice"), world.join("bob")

        def damage(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            if isinstance(message, Entry) and message.kind is EntryKind.WELCOME:
                broken = message.payload[:-40] + bytes(40)
                return (changed(message, payload=broken),)
            return (message,)

        world.outgoing.append(damage)
        alice.do(CreateRoom("plans", CLASSICAL, False))
        alice.do(InvitePeople("#plans", ("bob",)))
        world.settle(2_000)
        noticed(bob, SecurityKind.BAD_ENTRY, "not genuine")
        world.honest()
        world.settle(300_000)
        assert bob.told(Invited)


def test_a_split_room_is_noticed_by_chatting_directly() -> None:
    """Two halves see different commits; the first direct message between them tells both."""
    with lying_relay() as world:
        alice, bob, carol, dave = closed_room(world, "bob", "carol", "dave")
        room = room_of(alice, "#plans")
        branch = Branch(world, room.channel, (carol, dave), world.last(carol, room.channel), room.head)
        branch.install()
        alice.do(RefreshKeys("#plans"))
        carol.do(RefreshKeys("#plans"))
        world.settle()
        alice.do(Send("#plans", "are we all here?"))
        carol.do(Send("#plans", "it is so quiet"))
        world.settle()
        assert "are we all here?" not in carol.texts()
        assert "it is so quiet" in dave.texts()
        assert "it is so quiet" not in bob.texts()
        alice.do(Send("carol", "have you read the plans?"))
        world.settle()
        noticed(carol, SecurityKind.ROOM_SPLIT, "alice", "split")
        carol.do(Send("alice", "yes"))
        world.settle()
        noticed(alice, SecurityKind.ROOM_SPLIT, "carol")
        nothing_false([alice, bob, carol, dave])
        nothing_leaked(world, "are we all here?", "it is so quiet", "have you read the plans?")


def test_a_split_room_heals_when_the_relay_is_honest_again() -> None:
    """One half, whichever is heard first, lets the other in, and what was said in the other shows as a gap."""
    with lying_relay() as world:
        alice, bob, carol, dave = closed_room(world, "bob", "carol", "dave")
        room = room_of(alice, "#plans")
        branch = Branch(world, room.channel, (carol, dave), world.last(carol, room.channel), room.head)
        branch.install()
        alice.do(RefreshKeys("#plans"))
        carol.do(RefreshKeys("#plans"))
        world.settle()
        carol.do(Send("#plans", "into the void"))
        alice.do(Send("#plans", "unheard by half"))
        world.settle()
        world.honest()
        world.settle()
        carol.do(Send("#plans", "hello?"))
        alice.do(Send("#plans", "can you hear me?"))
        world.settle(600_000)
        check_all([alice, bob, carol, dave])
        carol.do(Send("#plans", "together again"))
        world.settle()
        for node in (alice, bob, dave):
            assert "together again" in node.texts()
        back = [bool({SecurityKind.REJOINED, SecurityKind.RESTARTED} & kinds(n)) for n in (alice, bob, carol, dave)]
        assert all(back[:2]) or all(back[2:])
        for node in (alice, bob, carol, dave):
            assert SecurityKind.GAP in kinds(node)
        nothing_false([alice, bob, carol, dave])


def test_a_rolled_back_relay_is_noticed_and_everybody_goes_on() -> None:
    """The relay's database is set back without a word: all are told, and nothing written later is lost."""
    with lying_relay() as world:
        alice, bob = closed_room(world, "bob")
        copy = world.copy_database()
        alice.do(Send("#plans", "remember this"))
        alice.do(RefreshKeys("#plans"))
        bob.do(Send("#plans", "noted"))
        world.settle()
        world.set_back(copy)
        world.settle(600_000)
        alice.do(Send("#plans", "after the fall"))
        world.settle()
        bob.do(Send("#plans", "still here"))
        world.settle()
        assert {SecurityKind.SET_BACK, SecurityKind.GAP} & kinds(alice)
        assert {SecurityKind.SET_BACK, SecurityKind.GAP} & kinds(bob)
        assert "after the fall" in bob.texts()
        assert "still here" in alice.texts()
        check_all([alice, bob])
        nothing_false([alice, bob])


def test_a_founding_under_a_number_that_was_used_before_is_noticed() -> None:
    """The relay forgets that bob was invited; alice founds anew, with the very number that his invitation had."""
    with lying_relay() as world:
        alice, bob = world.join("alice"), world.join("bob")
        alice.do(CreateRoom("plans", CLASSICAL))
        world.settle()
        copy = world.copy_database()
        alice.do(InvitePeople("#plans", ("bob",)))
        world.settle()
        head = room_of(bob, "#plans").head
        bob.go_offline()
        world.set_back(copy)
        world.settle(120_000)
        assert room_of(alice, "#plans").head == head == world.last(bob, room_of(bob, "#plans").channel)
        bob.go_online()
        world.settle(120_000)
        bob.do(AcceptInvitation("#plans"))
        world.settle()
        alice.do(Send("#plans", "are you here?"))
        world.settle()
        assert "are you here?" in bob.texts()
        check_all([alice, bob])


def test_a_conversation_founded_twice_under_one_number_comes_together_again() -> None:
    """The relay forgets the first group; alice founds another, with the number that bob knows the first one by."""
    with lying_relay() as world:
        alice, bob = world.join("alice"), world.join("bob")
        copies: list[Path] = []

        def copy(node: Node, message: ClientMessage) -> Iterable[ClientMessage]:
            if isinstance(message, Append) and message.kind is EntryKind.FOUNDING and not copies:
                copies.append(world.copy_database())
            return (message,)

        world.incoming.append(copy)
        alice.do(Send("bob", "hello"))
        world.settle()
        bob.do(Send("alice", "hello yourself"))
        world.settle()
        world.set_back(copies[0])
        bob.go_offline()
        world.settle(60_000)
        bob.go_online()
        world.settle(10_000)
        for number in range(2):
            alice.do(Send("bob", f"can you read me? {number}"))
            bob.do(Send("alice", f"can you? {number}"))
            world.settle(900_000)
        assert "can you read me? 1" in bob.texts()
        assert "can you? 1" in alice.texts()
        check_all([alice, bob])


def test_a_rollback_that_only_loses_messages_loses_nothing_later() -> None:
    """No commit among what was lost: numbers are used twice, but the new messages are read."""
    with lying_relay() as world:
        alice, bob = closed_room(world, "bob")
        copy = world.copy_database()
        for number in range(3):
            alice.do(Send("#plans", f"lost at the relay {number}"))
        world.settle()
        world.set_back(copy)
        world.settle(60_000)
        bob.do(Send("#plans", "fresh"))
        alice.do(Send("#plans", "and new"))
        world.settle()
        assert "fresh" in alice.texts()
        assert "and new" in bob.texts()
        noticed(bob, SecurityKind.SET_BACK)
        check_all([alice, bob])
        nothing_false([alice, bob])


def test_a_conflict_that_was_delivered_all_the_same_decides_nothing() -> None:
    """The relay refuses alice's commit and lets everybody else have it: the log counts, not the answer."""
    with lying_relay() as world:
        alice, bob, carol = closed_room(world, "bob", "carol")
        asked: list[int] = []

        def listen(node: Node, message: ClientMessage) -> Iterable[ClientMessage]:
            if node is alice and isinstance(message, Append) and message.kind is EntryKind.COMMIT:
                asked.append(message.id)
            return (message,)

        def refuse(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            if node is alice and isinstance(message, Appended) and message.id in asked:
                return (Error(message.id, ErrorCode.CONFLICT, "another was first", head=message.head),)
            return (message,)

        world.incoming.append(listen)
        world.outgoing.append(refuse)
        alice.do(Kick("#plans", "carol"))
        world.settle()
        assert asked
        check_all([alice, bob])
        assert room_of(carol, "#plans").phase == Phase.LEFT
        alice.do(Send("#plans", "just us"))
        world.settle()
        assert bob.texts()[-1] == "just us"
        assert "just us" not in carol.texts()
        nobody_noticed([alice, bob])


def test_a_refused_message_that_was_delivered_all_the_same_stands_once() -> None:
    """The relay calls a message stale and delivers it: it is sent again, and shows once."""
    with lying_relay() as world:
        alice, bob = closed_room(world, "bob")
        asked: list[int] = []

        def listen(node: Node, message: ClientMessage) -> Iterable[ClientMessage]:
            if node is alice and isinstance(message, Append) and message.kind is EntryKind.APPLICATION and not asked:
                asked.append(message.id)
            return (message,)

        def refuse(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            if node is alice and isinstance(message, Appended) and message.id in asked:
                return (Error(message.id, ErrorCode.STALE, "too old", head=message.head),)
            return (message,)

        world.incoming.append(listen)
        world.outgoing.append(refuse)
        alice.do(Send("#plans", "only once"))
        world.settle()
        assert bob.texts().count("only once") == 1
        assert alice.texts().count("only once") == 1
        check_all([alice, bob])
        nothing_false([alice, bob])


def test_a_sent_tick_for_what_was_thrown_away_never_becomes_delivered() -> None:
    """The relay confirms and drops: the author sees 'sent', never 'delivered'; the others see the gap."""
    with lying_relay() as world:
        alice, bob = closed_room(world, "bob")

        def swallow(node: Node, message: ClientMessage) -> Iterable[ClientMessage]:
            if node is alice and isinstance(message, Append) and message.kind is EntryKind.APPLICATION:
                world.say(node, Appended(message.id, 10_000, message.head, world.now))
                return ()
            return (message,)

        world.incoming.append(swallow)
        alice.do(Send("#plans", "swallowed"))
        world.settle(60_000)
        line = next(line for line in alice.history() if line.text == "swallowed")
        assert line.state == "sent"
        world.honest()
        world.settle()
        alice.do(Send("#plans", "next"))
        world.settle()
        noticed(bob, SecurityKind.GAP, "alice")
        nothing_false([alice, bob])


def test_being_struck_off_the_list_is_noticed_and_mended() -> None:
    """The relay drops bob from a room's delivery: his device asks to be added, and is back without a person."""
    with lying_relay() as world:
        alice, bob = closed_room(world, "bob")
        channel = room_of(bob, "#plans").channel
        world.say(bob, ChannelClosed(channel, 0))
        world.settle(120_000)
        check_all([alice, bob])
        noticed(bob, SecurityKind.REJOINED)
        alice.do(Send("#plans", "welcome back"))
        world.settle()
        assert "welcome back" in bob.texts()


def test_a_withheld_commit_is_noticed_and_mended() -> None:
    """One member is not shown a change of the room: the next one shows it, and the device comes back."""
    with lying_relay() as world:
        alice, bob, carol = closed_room(world, "bob", "carol")

        def withhold(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            if node is bob and isinstance(message, Entry) and message.kind is EntryKind.COMMIT:
                return ()
            return (message,)

        world.outgoing.append(withhold)
        alice.do(RefreshKeys("#plans"))
        world.settle()
        world.outgoing.clear()
        carol.do(RefreshKeys("#plans"))
        world.settle(120_000)
        assert {SecurityKind.GAP, SecurityKind.UNDECRYPTABLE} & kinds(bob)
        check_all([alice, bob, carol])
        alice.do(Send("#plans", "all here"))
        world.settle()
        assert "all here" in bob.texts()
        nothing_false([alice, bob, carol])


def test_a_commit_passed_off_as_a_message_is_noticed_and_mended() -> None:
    """The relay changes an entry's kind for one member: told, and the device comes back by itself."""
    with lying_relay() as world:
        alice, bob, carol = closed_room(world, "bob", "carol")

        def relabel(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            if node is bob and isinstance(message, Entry) and message.kind is EntryKind.COMMIT:
                return (changed(message, kind=EntryKind.APPLICATION),)
            return (message,)

        world.outgoing.append(relabel)
        alice.do(RefreshKeys("#plans"))
        world.settle()
        world.outgoing.clear()
        noticed(bob, SecurityKind.BAD_ENTRY)
        carol.do(Send("#plans", "bob?"))
        world.settle(180_000)
        check_all([alice, bob, carol])


def test_a_withheld_commit_with_forged_heads_is_noticed_by_the_epoch() -> None:
    """The relay hides a commit and renames the heads so that the log looks whole: the epochs give it away."""
    with lying_relay() as world:
        alice, bob, carol = closed_room(world, "bob", "carol")
        hidden: list[int] = []

        def hide(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            if node is bob and isinstance(message, Entry) and message.kind is EntryKind.COMMIT:
                if not hidden:
                    hidden.append(message.seq)
                    hidden.append(message.head)
                    return ()
                if message.head == hidden[0]:
                    return (changed(message, head=hidden[1]),)
            return (message,)

        world.outgoing.append(hide)
        alice.do(RefreshKeys("#plans"))
        world.settle()
        carol.do(RefreshKeys("#plans"))
        world.settle(180_000)
        check_all([alice, bob, carol])
        alice.do(Send("#plans", "all here"))
        world.settle()
        assert "all here" in bob.texts()


def test_a_withheld_wish_to_leave_does_not_leave_anybody_behind() -> None:
    """Carol leaves; bob is not shown that, and so cannot follow the commit that removes her: he comes back."""
    with lying_relay() as world:
        alice, bob, carol = closed_room(world, "bob", "carol")

        def withhold(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            if node is bob and isinstance(message, Entry) and message.kind in (EntryKind.PROPOSAL, EntryKind.MEMBERS):
                return ()
            return (message,)

        world.outgoing.append(withhold)
        carol.do(LeaveRoom("#plans"))
        world.settle()
        alice.do(Send("#plans", "carol is gone"))
        world.settle(180_000)
        check_all([alice, bob])
        alice.do(Send("#plans", "just us now"))
        world.settle()
        assert "just us now" in bob.texts()


def test_the_room_name_of_a_closed_room_stays_inside() -> None:
    """Nothing that the relay hears or stores holds a closed room's name or what is said there."""
    with lying_relay() as world:
        alice, bob = closed_room(world, "bob")
        alice.do(CreateRoom("operation-walnut", None, False))
        alice.do(InvitePeople("#operation-walnut", ("bob",)))
        world.settle()
        bob.do(AcceptInvitation(bob.told(Invited)[-1].invitation.room))
        bob.do(Send("#operation-walnut", "the nutcracker is ready"))
        world.settle()
        assert "the nutcracker is ready" in alice.texts()
        nothing_leaked(world, "operation-walnut", "the nutcracker is ready")


def test_a_leave_note_that_is_repeated_is_told_and_kept_once() -> None:
    """The relay delivers somebody's wish to leave again and again: no lines, no growing list, no second farewell."""
    with lying_relay() as world:
        alice, bob = closed_room(world, "bob")
        room = room_of(alice, "#plans")
        group = bob.engine._state.group(room_of(bob, "#plans"))
        own = group.member(group.own_leaf_index)
        assert own is not None
        note = make_note(group.identity.signature_key, room.channel, own.leaf.encryption_key)
        sender = bob.engine._state.profile.device_id
        last = world.last(alice, room.channel)
        for seq in range(last + 1, last + 21):
            world.say(alice, world.entry(room.channel, seq, EntryKind.MEMBERS, sender, encode_notes([note])))
        world.run_until(lambda: world.last(alice, room.channel) == last + 20)
        assert len(room_of(alice, "#plans").notes) == 1
        assert sum(line.text == "bob left" for line in alice.history()) == 1
