"""What a stolen store opens: nothing from before it was read, nothing from after the next fresh keys."""

from collections.abc import Iterable

from secure_chat.client.commands import AcceptInvitation, CreateRoom, InvitePeople, RefreshKeys, Send
from secure_chat.client.engine.keys import LAST_RESORT_GRACE
from secure_chat.client.engine.spaces import StoredKeyPackage, decode, group_space
from secure_chat.client.events import Invited
from secure_chat.client.store.store import Store
from secure_chat.mls.crypto.suite import SUITES
from secure_chat.mls.errors import MLSError
from secure_chat.mls.group.group import Group
from secure_chat.mls.group.results import Application, StagedCommit
from secure_chat.mls.messages.key_package import KeyPackageBundle
from secure_chat.mls.tree.leaf_node import LeafIdentity
from secure_chat.wire.messages import Entry, EntryKind, ServerMessage
from tests.adversary.audit import lying_relay
from tests.adversary.forgery import package_of
from tests.adversary.members import room_of
from tests.adversary.relay import LyingRelay
from tests.adversary.rooms import CLASSICAL, closed_room
from tests.adversary.test_replayed_welcomes import added_by_last_resort
from tests.policies import AcceptAll
from tests.scenarios.harness import STORE_KEY, Node


class Tap:
    """Everything that the relay ever delivered of a room, in order: what somebody on the relay records."""

    def __init__(self, world: LyingRelay, channel: bytes) -> None:
        self.channel = channel
        self.entries: dict[int, Entry] = {}
        self.welcomes: list[bytes] = []
        world.outgoing.append(self)

    def __call__(self, node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
        if isinstance(message, Entry):
            if message.channel == self.channel:
                self.entries[message.seq] = message
            elif message.kind is EntryKind.WELCOME:
                self.welcomes.append(message.payload)
        return (message,)

    @property
    def log(self) -> list[Entry]:
        """By sequence number."""
        return [self.entries[seq] for seq in sorted(self.entries)]


class Thief:
    """Somebody with a copy of a client's whole store, its key, and the recorded traffic."""

    def __init__(self, victim: Node, room: str) -> None:
        store = Store.open(victim.snapshot(), STORE_KEY)
        record = room_of(victim, room)
        self.groups: list[Group] = []
        for number in range(1, record.group + 1):
            rows = dict(store.scan(group_space(record.channel, number)))
            if rows:
                self.groups.append(Group.load(rows, AcceptAll()))
        self.packages = [value for _, value in store.scan("key_packages")]
        store.close()

    def reads(self, log: list[Entry]) -> list[bytes]:
        """What opens, with everything that a member may do: merging commits included."""
        opened: list[bytes] = []
        for group in self.groups:
            for entry in log:
                result = group.receive(entry.payload)
                if isinstance(result, Application):
                    opened.append(result.data)
                elif isinstance(result, StagedCommit):
                    group.merge(result)
        return opened


def contains(opened: list[bytes], text: str) -> bool:
    """Whether a plaintext is among what was opened."""
    return any(text.encode() in data for data in opened)


def test_a_store_stolen_after_reading_opens_nothing_recorded_before() -> None:
    """Every key is gone once its message has been read: recorded ciphertext stays closed, in every epoch kept."""
    with lying_relay() as world:
        alice, bob = closed_room(world, "bob")
        tap = Tap(world, room_of(bob, "#plans").channel)
        alice.do(Send("#plans", "first secret"))
        world.settle()
        alice.do(RefreshKeys("#plans"))
        alice.do(Send("#plans", "second secret"))
        bob.do(Send("#plans", "my own secret"))
        world.settle()
        recorded = tap.log
        assert sum(entry.kind is EntryKind.APPLICATION for entry in recorded) >= 3
        for victim in (alice, bob):
            opened = Thief(victim, "#plans").reads(recorded)
            for text in ("first secret", "second secret", "my own secret"):
                assert not contains(opened, text), f"{victim.name}'s store opens {text!r} again"


def test_the_thief_of_that_test_could_read_what_was_not_read_yet() -> None:
    """The control: a store stolen before a message was read opens it, so that the search is proven."""
    with lying_relay() as world:
        alice, bob = closed_room(world, "bob")
        tap = Tap(world, room_of(bob, "#plans").channel)
        bob.go_offline()
        thief = Thief(bob, "#plans")
        alice.do(Send("#plans", "still unread"))
        world.settle()
        bob.go_online()
        world.settle()
        assert contains(thief.reads(tap.log), "still unread")


def test_a_used_welcome_stays_closed() -> None:
    """The private keys of a key package are gone once it was joined by: a recorded Welcome opens no more."""
    with lying_relay() as world:
        tap = Tap(world, b"")
        _, bob = closed_room(world, "bob")
        assert tap.welcomes
        thief = Thief(bob, "#plans")
        assert thief.packages
        for welcome in tap.welcomes:
            for value in thief.packages:
                stored = decode(StoredKeyPackage, value)
                bundle = KeyPackageBundle.decode(stored.bundle)
                try:
                    Group.join(welcome, bundle, bob.engine._device.leaf(SUITES[stored.suite]), AcceptAll())
                except MLSError:
                    continue
                raise AssertionError("a Welcome that was used can be opened again")


def test_a_thief_is_shut_out_by_the_victims_next_fresh_keys() -> None:
    """Bob's whole store is stolen; until his keys are fresh the thief reads along, from then on nothing."""
    with lying_relay() as world:
        alice, bob = closed_room(world, "bob")
        tap = Tap(world, room_of(bob, "#plans").channel)
        thief = Thief(bob, "#plans")
        alice.do(Send("#plans", "while the thief reads along"))
        world.settle()
        bob.do(RefreshKeys("#plans"))
        world.settle()
        alice.do(Send("#plans", "after the fresh keys"))
        bob.do(Send("#plans", "mine, too"))
        world.settle()
        opened = thief.reads(tap.log)
        assert contains(opened, "while the thief reads along")
        assert not contains(opened, "after the fresh keys")
        assert not contains(opened, "mine, too")


def test_fresh_keys_of_others_do_not_shut_out_the_thief_but_the_days_first_message_does() -> None:
    """Nobody has to do anything: the next day's first message brings fresh keys by itself."""
    with lying_relay() as world:
        alice, bob = closed_room(world, "bob")
        tap = Tap(world, room_of(bob, "#plans").channel)
        thief = Thief(bob, "#plans")
        world.run_for(86_400_000)
        bob.do(Send("#plans", "good morning"))
        world.settle()
        alice.do(Send("#plans", "morning, bob"))
        world.settle()
        opened = thief.reads(tap.log)
        assert not contains(opened, "good morning")
        assert not contains(opened, "morning, bob")


def test_a_thief_with_everything_is_shut_out_of_direct_conversations_too() -> None:
    """The same in a conversation of two, whose keys are refreshed by the same rule."""
    with lying_relay() as world:
        alice, bob = world.join("alice"), world.join("bob")
        alice.do(Send("bob", "hi"))
        world.settle()
        bob.do(Send("alice", "hello"))
        world.settle()
        tap = Tap(world, room_of(bob, "alice").channel)
        thief = Thief(bob, "alice")
        bob.do(RefreshKeys("alice"))
        world.settle()
        alice.do(Send("bob", "only for you"))
        world.settle()
        assert not contains(thief.reads(tap.log), "only for you")
        assert "only for you" in bob.texts()


def test_a_room_entered_by_a_stolen_key_package_heals_with_the_first_own_message() -> None:
    """The thief opens a Welcome for a key package that was stolen with the store, until bob has written there."""
    with lying_relay() as world:
        alice, bob = world.join("alice"), world.join("bob")
        welcomes = Tap(world, b"")
        packages = [
            decode(StoredKeyPackage, value) for _, value in Store.open(bob.snapshot(), STORE_KEY).scan("key_packages")
        ]
        identities = [(KeyPackageBundle.decode(p.bundle), bob.engine._device.leaf(SUITES[p.suite])) for p in packages]
        world.run_for(86_400_000)
        alice.do(CreateRoom("new", None, False))
        alice.do(InvitePeople("#new", ("bob",)))
        world.settle()
        bob.do(AcceptInvitation(bob.told(Invited)[-1].invitation.room))
        tap = Tap(world, room_of(bob, "#new").channel)
        thief = first_that_joins(welcomes.welcomes[-1], identities)
        bob.do(Send("#new", "my first words"))
        world.settle()
        alice.do(Send("#new", "welcome, bob"))
        world.settle()
        opened: list[bytes] = []
        for entry in tap.log:
            result = thief.receive(entry.payload)
            if isinstance(result, Application):
                opened.append(result.data)
            elif isinstance(result, StagedCommit):
                thief.merge(result)
        assert not contains(opened, "my first words")
        assert not contains(opened, "welcome, bob")


def first_that_joins(welcome: bytes, identities: list[tuple[KeyPackageBundle, LeafIdentity]]) -> Group:
    """The group of a Welcome, by whichever of these key packages it was made for."""
    for bundle, identity in identities:
        try:
            return Group.join(welcome, bundle, identity, AcceptAll())
        except MLSError:
            continue
    raise AssertionError("none of the key packages opens the Welcome")


def test_a_welcome_to_the_last_resort_stays_closed_too() -> None:
    """Its key package is replaced at the relay once it was used, and the private key goes ten minutes later."""
    with lying_relay() as world:
        _, bob, welcome = added_by_last_resort(world)
        leaves = {suite: bob.engine._device.leaf(SUITES[suite]) for suite in (CLASSICAL, 0xF00E)}
        assert opens(welcome, stored_packages(bob), leaves), "the control: for some minutes the key is still there"
        world.run_for(LAST_RESORT_GRACE)
        assert not opens(welcome, stored_packages(bob), leaves)
        assert sum(stored.last_resort and not stored.used for stored in stored_packages(bob)) >= 2
        mallory = world.nodes["mallory"]
        fresh = package_of(world, mallory, bob)
        assert fresh.reference(SUITES[CLASSICAL]) in {
            KeyPackageBundle.decode(stored.bundle).reference for stored in stored_packages(bob)
        }


def stored_packages(node: Node) -> list[StoredKeyPackage]:
    """The private keys that a client has for Welcomes to come."""
    return [decode(StoredKeyPackage, value) for _, value in node.store.scan("key_packages")]


def opens(welcome: bytes, packages: list[StoredKeyPackage], leaves: dict[int, LeafIdentity]) -> bool:
    """Whether any of these private keys opens the Welcome."""
    for stored in packages:
        try:
            Group.join(welcome, KeyPackageBundle.decode(stored.bundle), leaves[stored.suite], AcceptAll())
        except MLSError:
            continue
        return True
    return False


def test_two_who_use_one_last_resort_both_get_in() -> None:
    """For as long as a Welcome may be on its way the key stays; who comes later still is let in by asking."""
    with lying_relay() as world:
        alice, bob, _ = added_by_last_resort(world)
        for name in ("while-it-is-there", "when-it-is-gone"):
            alice.do(CreateRoom(name, CLASSICAL, False))
        alice.do(InvitePeople("#while-it-is-there", ("bob",)))
        world.settle()
        world.run_for(LAST_RESORT_GRACE)
        alice.do(InvitePeople("#when-it-is-gone", ("bob",)))
        world.settle(120_000)
        assert {i.invitation.name for i in bob.told(Invited)} >= {"while-it-is-there", "when-it-is-gone"}
