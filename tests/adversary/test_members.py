"""Members that break the rules: poison, floods, false names, old keys; alone or with the relay's help."""

from collections.abc import Iterable

import pytest
from msgspec.structs import replace

from secure_chat.client.commands import JoinRoom, Kick, LeaveRoom, RefreshKeys, RestartRoom, Send
from secure_chat.client.engine.content import Delete, Edit, Text
from secure_chat.client.engine.device import certify, leaf_identity
from secure_chat.client.engine.policy import group_extensions
from secure_chat.client.engine.requests import make_request
from secure_chat.client.engine.spaces import Phase
from secure_chat.client.events import RoomRemoved, SecurityKind
from secure_chat.identity import binding as bindings
from secure_chat.identity.credential import encode_credential
from secure_chat.identity.keys import DeviceKey
from secure_chat.mls.credential.credential import BasicCredential
from secure_chat.mls.crypto.suite import SUITES
from secure_chat.mls.group.results import Application, StagedCommit
from secure_chat.mls.messages.proposals import GroupContextExtensions
from secure_chat.server.core.settings import Settings
from secure_chat.wire.messages import ChannelChange, Entry, EntryKind, ServerMessage
from secure_chat.wire.messages import Welcome as WireWelcome
from tests.adversary.audit import lying_relay
from tests.adversary.evidence import nobody_noticed, nothing_false, nothing_leaked, noticed
from tests.adversary.forgery import deliver_welcome
from tests.adversary.members import Rogue, poison, room_of
from tests.adversary.relay import LyingRelay, device_of
from tests.adversary.rooms import CLASSICAL, closed_room, kinds
from tests.policies import AcceptAll
from tests.scenarios.flooder import Flood, remove
from tests.scenarios.harness import Node
from tests.scenarios.invariants import check_all

RETENTION = 3_600_000
"""Milliseconds for which the relay keeps entries in one of these tests."""
BACK = 180_000
"""Milliseconds in which everybody is back: a few steps of the ladder."""


def talk(*nodes: Node) -> None:
    """Everybody says something in #plans and everybody reads it."""
    world = nodes[0].world
    began = world.now
    for node in nodes:
        node.do(Send("#plans", f"{node.name} at {began}"))
    world.settle()
    said = {f"{node.name} at {began}" for node in nodes}
    for node in nodes:
        assert said <= set(node.texts()), node.name


def test_a_commit_that_is_poison_for_all_only_costs_time() -> None:
    """Mallory's commit locks out everybody: each is told by whom, and an admin founds the room anew without him."""
    with lying_relay() as world:
        alice, bob, mallory = closed_room(world, "bob", "mallory")
        rogue = Rogue(mallory)
        group = rogue.group("#plans")
        rogue.append("#plans", EntryKind.COMMIT, poison(group, {rogue.leaf("#plans", n) for n in ("alice", "bob")}))
        world.settle(BACK)
        for node in (alice, bob):
            noticed(node, SecurityKind.POISONED, "mallory")
        check_all([alice, bob])
        talk(alice, bob)
        people = alice.engine._state.people
        assert "mallory" not in {people[a].handle for a in alice.engine._state.accounts(room_of(alice, "#plans"))}
        nothing_false([alice, bob, mallory])
        nothing_leaked(world, "alice is in")


def test_a_commit_that_is_poison_for_half_brings_the_others_back() -> None:
    """Who can't follow asks; who can adds them again."""
    with lying_relay() as world:
        nodes = closed_room(world, "bob", "carol", "mallory")
        alice, bob, carol, mallory = nodes
        rogue = Rogue(mallory)
        rogue.append("#plans", EntryKind.COMMIT, poison(rogue.group("#plans"), {rogue.leaf("#plans", "carol")}))
        world.settle(BACK)
        noticed(carol, SecurityKind.POISONED, "mallory")
        noticed(carol, SecurityKind.REJOINED)
        talk(alice, bob, carol)
        check_all([alice, bob, carol])
        nothing_false(nodes)


def test_poison_in_the_lobby_is_left_behind_by_all() -> None:
    """An open room without an admin online: everybody enters again by themselves."""
    with lying_relay() as world:
        founder = world.join("founder")
        nodes = [world.join(name) for name in ("bob", "carol", "mallory")]
        world.settle()
        founder.go_offline()
        rogue = Rogue(nodes[2])
        group = rogue.group("#lobby")
        everybody = {o.leaf_index for o in rogue.occupants("#lobby")} - {group.own_leaf_index}
        rogue.append("#lobby", EntryKind.COMMIT, poison(group, everybody), group_info=b"no help")
        world.settle(BACK)
        founder.go_online()
        world.settle(BACK)
        honest = [founder, *nodes[:2]]
        for node in honest:
            node.do(Send("#lobby", f"{node.name} is back"))
        world.settle()
        for node in honest:
            assert {"founder is back", "bob is back", "carol is back"} <= set(node.texts())
        noticed(nodes[0], SecurityKind.POISONED, "mallory")
        nothing_false([*honest, nodes[2]])


@pytest.mark.parametrize("away", [0, 2 * RETENTION], ids=["at once", "when the relay has forgotten it"])
def test_an_admin_who_leaves_while_everybody_is_out_holds_up_nobody(away: int) -> None:
    """The next in line founds the room anew: who has said to leave is not waited for, with or without a leaf."""
    with lying_relay(settings=Settings(open_registration=True, retention=RETENTION)) as world:
        founder, bob, carol, mallory = (world.join(name) for name in ("founder", "bob", "carol", "mallory"))
        world.settle()
        rogue = Rogue(mallory)
        everybody = {o.leaf_index for o in rogue.occupants("#lobby")}
        rogue.append("#lobby", EntryKind.COMMIT, poison(rogue.group("#lobby"), everybody), group_info=b"no help")
        world.settle(500)
        founder.do(LeaveRoom("#lobby"))
        mallory.do(LeaveRoom("#lobby"))
        world.settle(1_000)
        if away:
            world.sleep(away)
        world.settle(2 * BACK)
        for node in (bob, carol):
            node.do(Send("#lobby", f"{node.name} is back"))
        world.settle()
        for node in (bob, carol):
            assert {"bob is back", "carol is back"} <= set(node.texts())
        assert "founder" not in {
            bob.engine._state.people[a].handle for a in bob.engine._state.accounts(room_of(bob, "#lobby"))
        }
        check_all([bob, carol])
        nothing_false([founder, bob, carol])


def test_garbage_as_a_commit_moves_nobody() -> None:
    """Bytes that are no commit take the head and nothing else; the room goes on."""
    with lying_relay() as world:
        alice, bob, mallory = closed_room(world, "bob", "mallory")
        Rogue(mallory).append("#plans", EntryKind.COMMIT, b"no commit at all")
        world.settle()
        noticed(alice, SecurityKind.BAD_ENTRY, "mallory")
        talk(alice, bob)
        alice.do(RefreshKeys("#plans"))
        world.settle()
        check_all([alice, bob])


def test_garbage_from_a_later_epoch_knocks_out_nobody_for_long() -> None:
    """Mallory claims epochs that do not exist: whoever falls for it is back soon, and it works once in ten minutes."""
    with lying_relay() as world:
        alice, bob, carol, mallory = closed_room(world, "bob", "carol", "mallory")
        rogue = Rogue(mallory)
        ahead = rogue.group("#plans")
        ahead.commit()
        ahead.merge_pending()
        for number in range(20):
            rogue.append("#plans", EntryKind.APPLICATION, rogue.seal(ahead, Text("x"), counter=number + 1))
            world.run_for(3_000)
        world.settle(BACK)
        talk(alice, bob, carol)
        check_all([alice, bob, carol])
        lost = [
            n for n in (alice, bob, carol) if SecurityKind.REJOINED in kinds(n) or SecurityKind.RESTARTED in kinds(n)
        ]
        assert len(lost) <= 1
        nothing_false([alice, bob, carol, mallory])


def test_a_member_without_the_right_removes_nobody() -> None:
    """Mallory commits alice's removal: everybody skips it and is told; the relay's list is repaired."""
    with lying_relay() as world:
        alice, bob, mallory = closed_room(world, "bob", "mallory")
        rogue = Rogue(mallory)
        made = rogue.group("#plans").commit(remove=[rogue.leaf("#plans", "alice")])
        rogue.append("#plans", EntryKind.COMMIT, made.commit)
        world.settle()
        for node in (alice, bob):
            noticed(node, SecurityKind.COMMIT_REFUSED, "mallory", "alice")
        talk(alice, bob)
        check_all([alice, bob])


@pytest.mark.parametrize("colluding", [False, True])
def test_a_member_without_the_right_adds_nobody(colluding: bool) -> None:
    """Mallory brings eve into a room where only admins invite: refused by the relay, and skipped where it colludes."""
    with lying_relay() as world:
        alice, bob, mallory = closed_room(world, "bob", "mallory")
        eve = world.join("eve")
        rogue = Rogue(mallory)
        bundle = eve.engine._keys.make(CLASSICAL)
        eve.lose_connection()
        world.settle()
        made = rogue.group("#plans").commit(add=[bundle.key_package])
        assert made.welcome is not None
        device = device_of(eve)
        if colluding:
            channel = room_of(bob, "#plans").channel
            seq = world.last(bob, channel) + 1
            deliver_welcome(world, eve, made.welcome, channel, seq)
            rogue.append("#plans", EntryKind.COMMIT, made.commit)
        else:
            change = ChannelChange(add=(device,))
            welcome = WireWelcome(made.welcome, (device.device,))
            rogue.append("#plans", EntryKind.COMMIT, made.commit, change=change, welcomes=(welcome,))
        world.settle()
        alice.do(Send("#plans", "not for eve"))
        world.settle(BACK)
        assert "not for eve" not in eve.texts()
        people = bob.engine._state.people
        assert "eve" not in {people[a].handle for a in bob.engine._state.accounts(room_of(bob, "#plans"))}
        if colluding:
            noticed(bob, SecurityKind.COMMIT_REFUSED, "eve")
        else:
            nobody_noticed([alice, bob])
        talk(alice, bob)
        nothing_leaked(world, "not for eve")


def test_a_member_makes_himself_no_admin() -> None:
    """Mallory rewrites the room's roles: skipped, told, and without effect."""
    with lying_relay() as world:
        alice, bob, mallory = closed_room(world, "bob", "mallory")
        rogue = Rogue(mallory)
        roles = rogue.state.roles(rogue.room("#plans"))
        assert roles is not None
        usurped = replace(roles, admins=(rogue.state.own_account,))
        made = rogue.group("#plans").commit(proposals=[GroupContextExtensions(group_extensions(usurped))])
        rogue.append("#plans", EntryKind.COMMIT, made.commit)
        world.settle()
        noticed(bob, SecurityKind.COMMIT_REFUSED, "mallory", "without the right")
        assert bob.engine._state.roles(room_of(bob, "#plans")) == roles
        talk(alice, bob)


def test_an_admin_cant_break_the_rooms_form() -> None:
    """Even an admin's commit with roles that no room may have is skipped by all."""
    with lying_relay() as world:
        alice, bob, carol = closed_room(world, "bob", "carol")
        rogue = Rogue(alice)
        roles = rogue.state.roles(rogue.room("#plans"))
        assert roles is not None
        odd = group_extensions(replace(roles, name="x" * 100))
        made = rogue.group("#plans").commit(proposals=[GroupContextExtensions(odd)])
        rogue.append("#plans", EntryKind.COMMIT, made.commit)
        world.settle()
        assert noticed(bob, SecurityKind.COMMIT_REFUSED, "malformed").handle == "alice"
        talk(bob, carol)


def test_a_removed_member_who_still_talks_is_dropped_and_told() -> None:
    """With the relay's help mallory writes with the keys of the epoch before his removal."""
    with lying_relay() as world:
        alice, bob, mallory = closed_room(world, "bob", "mallory")
        rogue = Rogue(mallory)
        old = rogue.group("#plans")
        sender = mallory.engine._state.profile.device_id
        channel = room_of(bob, "#plans").channel
        alice.do(Kick("#plans", "mallory"))
        world.settle()
        assert mallory.told(RoomRemoved)
        payload = rogue.seal(old, Text("you can't get rid of me"), counter=9)
        entry = world.entry(channel, world.last(bob, channel) + 1, EntryKind.APPLICATION, sender, payload)
        world.say(bob, entry)
        world.settle()
        noticed(bob, SecurityKind.REMOVED_SENDER, "mallory")
        assert "you can't get rid of me" not in bob.texts()
        nothing_false([alice, bob, mallory])


def test_a_removed_member_reads_nothing_new() -> None:
    """Mallory keeps his keys and gets every entry from the relay: nothing after his removal opens."""
    with lying_relay() as world:
        alice, bob, mallory = closed_room(world, "bob", "mallory")
        spy = Rogue(mallory).group("#plans")
        tapped: list[bytes] = []
        channel = room_of(bob, "#plans").channel

        def tap(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            if node is bob and isinstance(message, Entry) and message.channel == channel:
                tapped.append(message.payload)
            return (message,)

        world.outgoing.append(tap)
        alice.do(Kick("#plans", "mallory"))
        world.settle()
        alice.do(Send("#plans", "now we can talk"))
        world.settle()
        opened = [spy.receive(payload) for payload in tapped]
        assert any(isinstance(result, StagedCommit) and result.removes_self for result in opened)
        assert not any(isinstance(result, Application) for result in opened)
        assert "now we can talk" in bob.texts()
        assert "now we can talk" not in mallory.texts()


def test_a_replayed_request_is_refused_from_the_tree_alone() -> None:
    """Bob's own request to come back, posted again by mallory, changes nothing."""
    with lying_relay() as world:
        alice, bob, mallory = closed_room(world, "bob", "mallory")
        requests: list[bytes] = []

        def tap(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            if isinstance(message, Entry) and message.kind is EntryKind.REQUEST:
                requests.append(message.payload)
            return (message,)

        world.outgoing.append(tap)
        copy = bob.snapshot()
        bob.do(Send("#plans", "before"))
        world.settle()
        bob.restore(copy)
        world.settle(60_000)
        assert requests
        check_all([alice, bob, mallory])
        before = alice.engine._state.group(room_of(alice, "#plans")).epoch
        device = bob.engine._state.profile.device_id
        channel = room_of(alice, "#plans").channel
        Rogue(mallory).append("#plans", EntryKind.REQUEST, requests[0], head=0)
        for node in (alice, mallory):
            seq = world.last(node, channel) + 1
            world.say(node, world.entry(channel, seq, EntryKind.REQUEST, device, requests[0]))
        world.settle(60_000)
        assert alice.engine._state.group(room_of(alice, "#plans")).epoch == before
        noticed(alice, SecurityKind.REPLAY, "request to be added")
        talk(alice, bob, mallory)


def test_a_stranger_who_asks_is_not_let_into_a_closed_room() -> None:
    """Eve's genuine request, delivered by the relay: an admin's client does not answer for its user."""
    with lying_relay() as world:
        alice, bob = closed_room(world, "bob")
        eve = world.join("eve")
        room = room_of(alice, "#plans")
        package = eve.engine._keys.make(CLASSICAL).key_package.message()
        key = DeviceKey(eve.engine._state.profile.device_seed)
        request = make_request(key, room.channel, room.generation, world.now, (package,))
        device = eve.engine._state.profile.device_id
        for node in (alice, bob):
            seq = world.last(node, room.channel) + 1
            world.say(node, world.entry(room.channel, seq, EntryKind.REQUEST, device, request))
        world.settle(60_000)
        assert {o.identity.handle for o in Rogue(alice).occupants("#plans")} == {"alice", "bob"}


def test_a_removed_member_who_asks_is_not_let_back_in() -> None:
    """After a kick, mallory's request is not answered, whoever is online."""
    with lying_relay() as world:
        alice, bob, mallory = closed_room(world, "bob", "mallory", members_may_invite=True)
        room = room_of(alice, "#plans")
        alice.do(Kick("#plans", "mallory"))
        world.settle()
        mallory.engine._device.renew(fresh_key=True)
        package = mallory.engine._keys.make(CLASSICAL).key_package.message()
        key = DeviceKey(mallory.engine._state.profile.device_seed)
        request = make_request(key, room.channel, room.generation, world.now, (package,))
        device = mallory.engine._state.profile.device_id
        for node in (alice, bob):
            seq = world.last(node, room.channel) + 1
            world.say(node, world.entry(room.channel, seq, EntryKind.REQUEST, device, request))
        world.settle(60_000)
        assert {o.identity.handle for o in Rogue(alice).occupants("#plans")} == {"alice", "bob"}


def test_a_handle_that_is_anothers_is_refused() -> None:
    """Mallory's leaf names itself alice without the directory's word: nobody lets it in."""
    with lying_relay() as world:
        alice, bob, mallory = closed_room(world, "bob", "mallory")
        rogue = Rogue(mallory)
        made = renamed(world, mallory, "alice", honest_directory=True)
        rogue.append("#plans", EntryKind.COMMIT, made)
        world.settle()
        noticed(bob, SecurityKind.BAD_ENTRY, "mallory")
        talk(alice, bob)
        nothing_false([alice, bob, mallory])


def test_a_leaf_never_changes_its_handle_even_with_the_directorys_help() -> None:
    """The relay binds alice's name to mallory's key: the commit is refused all the same."""
    with lying_relay() as world:
        alice, bob, mallory = closed_room(world, "bob", "mallory")
        rogue = Rogue(mallory)
        rogue.append("#plans", EntryKind.COMMIT, renamed(world, mallory, "alice", honest_directory=False))
        world.settle()
        noticed(bob, SecurityKind.BAD_ENTRY, "mallory")
        assert sorted(o.identity.handle for o in Rogue(bob).occupants("#plans")) == ["alice", "bob", "mallory"]
        talk(alice, bob)
        nothing_false([alice, bob, mallory])


def renamed(world: LyingRelay, mallory: Node, handle: str, *, honest_directory: bool) -> bytes:
    """A commit in which mallory's leaf takes another name."""
    state = mallory.engine._state
    profile = state.profile
    certificate = certify(
        state.account_key,
        handle=handle,
        device_key=DeviceKey(profile.device_seed).public,
        device_id=profile.device_id,
        serial=world.now + 1_000_000,
        now=world.now,
    )
    directory = DeviceKey(bytes(range(32)))  # somebody, but not the directory
    signer = world.directory
    binding = bindings.bind(signer, handle, state.own_account)
    if honest_directory:
        binding = replace(binding, signature=directory.sign(b"the directory never said so"))
    credential = BasicCredential(encode_credential(certificate, binding))
    group = Rogue(mallory).group("#plans")
    group._policy = AcceptAll()
    return group.commit(identity=leaf_identity(SUITES[CLASSICAL], credential, profile.device_seed)).commit


def test_nobody_edits_or_deletes_what_another_wrote() -> None:
    """Mallory's edit and deletion of alice's message have no effect anywhere."""
    with lying_relay() as world:
        alice, bob, mallory = closed_room(world, "bob", "mallory")
        alice.do(Send("#plans", "I owe you 5"))
        world.settle()
        target = bytes.fromhex(next(line.id for line in alice.history() if line.text == "I owe you 5"))
        rogue = Rogue(mallory)
        group = rogue.group("#plans")
        rogue.append("#plans", EntryKind.APPLICATION, rogue.seal(group, Edit(target, "I owe you 500"), counter=50))
        rogue.append("#plans", EntryKind.APPLICATION, rogue.seal(group, Delete(target), counter=51))
        world.settle()
        assert "I owe you 5" in bob.texts()
        assert "I owe you 500" not in bob.texts()
        noticed(bob, SecurityKind.BAD_ENTRY, "mallory", "message of alice", "without the right")
        nothing_false([alice, bob])


def test_a_message_under_anothers_id_replaces_nothing() -> None:
    """Mallory writes under the id of alice's message: dropped and told; and he can't take it in advance."""
    with lying_relay() as world:
        alice, bob, mallory = closed_room(world, "bob", "mallory")
        alice.do(Send("#plans", "the original"))
        world.settle()
        target = bytes.fromhex(next(line.id for line in alice.history() if line.text == "the original"))
        rogue = Rogue(mallory)
        payload = rogue.seal(rogue.group("#plans"), Text("a forgery"), counter=50, message_id=target)
        rogue.append("#plans", EntryKind.APPLICATION, payload)
        world.settle()
        noticed(bob, SecurityKind.BAD_ENTRY, "mallory", "id")
        assert "the original" in bob.texts()
        assert "a forgery" not in bob.texts()
        nothing_false([alice, bob])


def test_a_fork_of_a_device_is_noticed() -> None:
    """Mallory shows bob and carol different messages under one counter: the chain of hashes breaks."""
    with lying_relay() as world:
        alice, bob, mallory = closed_room(world, "bob", "mallory")
        rogue = Rogue(mallory)
        group = rogue.group("#plans")
        rogue.append("#plans", EntryKind.APPLICATION, rogue.seal(group, Text("one"), counter=70))
        rogue.append("#plans", EntryKind.APPLICATION, rogue.seal(group, Text("two"), counter=71, previous=b"x" * 16))
        world.settle()
        noticed(bob, SecurityKind.CHAIN_BROKEN, "mallory")
        nothing_false([alice, bob])


def test_a_flood_of_commits_does_not_keep_an_admin_from_removing_its_author() -> None:
    """With the relay's default rates mallory's commits are limited and the removal lands within ten seconds."""
    with lying_relay(settings=Settings(open_registration=True, registrations_burst=100_000)) as world:
        alice, bob, mallory = closed_room(world, "bob", "mallory")
        removal = remove(world, "#plans", alice, mallory, [alice, bob], Flood.COMMITS, 2_000, 60_000)
        assert removal.until_known <= 10_000
        assert removal.entries > 5
        world.settle(60_000)
        talk(alice, bob)
        check_all([alice, bob])


def test_a_room_whose_admin_misbehaves_can_be_left() -> None:
    """The only admin restarts without bob: bob is told that he was removed, keeps his history, and others go on."""
    with lying_relay() as world:
        alice, bob, carol = closed_room(world, "bob", "carol")
        alice.do(RestartRoom("#plans", ("bob",)))
        world.settle(30_000)
        assert room_of(bob, "#plans").phase == Phase.LEFT
        assert bob.told(RoomRemoved)[-1].by == "alice"
        talk(alice, carol)
        assert "alice is in" in bob.texts()


def test_who_left_can_come_back_to_an_open_room() -> None:
    """A wish to leave that mallory keeps and plays again does not remove who has come back."""
    with lying_relay() as world:
        alice, bob, mallory = world.join("alice"), world.join("bob"), world.join("mallory")
        notes: list[bytes] = []

        def tap(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            if isinstance(message, Entry) and message.kind is EntryKind.MEMBERS and message.payload:
                notes.append(message.payload)
            return (message,)

        world.outgoing.append(tap)
        bob.do(LeaveRoom("#lobby"))
        world.settle()
        bob.do(JoinRoom("lobby"))
        world.settle()
        assert notes
        Rogue(mallory).append("#lobby", EntryKind.MEMBERS, notes[0], head=0, change=ChannelChange())
        world.settle()
        bob.do(Send("#lobby", "still here"))
        world.settle()
        assert "still here" in alice.texts()
        check_all([alice, bob, mallory])
