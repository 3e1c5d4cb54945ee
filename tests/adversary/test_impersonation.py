"""A relay that answers with other people's keys and data: swapped key packages, account keys, channels, senders."""

from collections.abc import Iterable

from secure_chat.client.commands import AcceptKey, CreateRoom, InvitePeople, MarkVerified, Send, StartDirect
from secure_chat.client.engine.occupants import Occupant
from secure_chat.client.events import FailureCode, Invited, KeyChanged, SecurityKind
from secure_chat.identity import binding as bindings
from secure_chat.identity.fingerprint import safety_number
from secure_chat.identity.keys import AccountKey
from secure_chat.wire.messages import (
    AccountInfo,
    Accounts,
    ChannelInfo,
    ChannelSummary,
    KeyPackages,
    LoggedIn,
    ServerMessage,
)
from tests.adversary.audit import lying_relay
from tests.adversary.evidence import nothing_false, nothing_leaked, noticed, travels_as_json
from tests.adversary.members import room_of
from tests.adversary.relay import Lie, LyingRelay, changed
from tests.scenarios.harness import Node


def account_of(node: Node) -> bytes:
    """A client's account key."""
    return node.engine._state.own_account


def test_a_key_package_of_somebody_else_is_refused() -> None:
    """Asked for bob's keys, the relay hands out mallory's under bob's name: nobody is added, and alice is told."""
    with lying_relay() as world:
        alice, bob, mallory = world.join("alice"), world.join("bob"), world.join("mallory")
        alice.do(CreateRoom("plans", None, False))
        spare: list[KeyPackages] = []

        def swap(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            if node is mallory and isinstance(message, KeyPackages):
                spare.append(message)
            if node is alice and isinstance(message, KeyPackages) and spare:
                own = [p for p in spare[0].packages if p.account == account_of(alice)]
                stolen = tuple(
                    changed(p, package=own[0].package) if p.account == account_of(bob) else p for p in message.packages
                )
                return (changed(message, packages=stolen),)
            return (message,)

        world.outgoing.append(swap)
        mallory.do(StartDirect("alice"))
        world.settle()
        assert alice.fails(InvitePeople("#plans", ("bob",))) is FailureCode.REFUSED
        noticed(alice, SecurityKind.KEY_PACKAGE, "bob", "not genuine")
        assert [o.identity.handle for o in occupants(alice, "#plans")] == ["alice"]
        nothing_false([alice, bob, mallory])


def test_an_old_key_package_leads_nowhere() -> None:
    """A key package handed out twice makes a Welcome that its owner can't open; the owner asks and gets in."""
    with lying_relay() as world:
        alice, bob, carol = world.join("alice"), world.join("bob"), world.join("carol")
        kept: list[KeyPackages] = []

        def again(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            if isinstance(message, KeyPackages) and any(p.account == account_of(bob) for p in message.packages):
                kept.append(message)
                return (changed(kept[0], id=message.id),)
            return (message,)

        alice.do(CreateRoom("one", None, True))
        alice.do(CreateRoom("two", None, True))
        world.outgoing.append(again)
        alice.do(InvitePeople("#one", ("bob",)))
        world.settle()
        alice.do(InvitePeople("#two", ("bob",)))
        world.settle(120_000)
        assert {i.invitation.name for i in bob.told(Invited)} == {"one", "two"}
        nothing_false([alice, bob, carol])


def test_a_false_key_at_first_contact_is_caught_by_comparing() -> None:
    """The relay passes off its own account as bob: nothing in the protocol helps, the safety number does."""
    with lying_relay() as world:
        alice = world.join("alice")
        real, false = AccountKey(bytes(range(1, 33))), AccountKey(bytes(range(32)))
        binding = bindings.bind(world.directory, "bob", false.public).encode()
        forged = AccountInfo("bob", false.public, binding, (), b"", False)

        def lie(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            return (changed(message, accounts=(forged,)) if isinstance(message, Accounts) else message,)

        world.outgoing.append(lie)
        alice.fails(StartDirect("bob"))
        number = str(safety_number("alice", account_of(alice), "bob", real.public))
        assert alice.fails(MarkVerified("bob", number)) is FailureCode.INVALID
        world.outgoing.clear()
        world.join("bob", account=real)
        assert [event.new for event in alice.told(KeyChanged)] == [real.public.hex()]
        alice.do(MarkVerified("bob", number))
        alice.do(StartDirect("bob"))


def test_another_key_for_a_known_name_blocks_sending_until_decided() -> None:
    """After first contact a different key is a loud notice with proof, and nothing is sent before the decision."""
    with lying_relay() as world:
        alice, bob = world.join("alice"), world.join("bob")
        alice.do(Send("bob", "hi bob"))
        world.settle()
        world.outgoing.append(changed_info(world, alice, bob, AccountKey(bytes(range(32))).public))
        assert alice.fails(StartDirect("bob")) in (FailureCode.BLOCKED, FailureCode.NOT_FOUND)
        changes = alice.told(KeyChanged)
        assert len(changes) == 1
        assert (changes[0].handle, changes[0].old) == ("bob", account_of(bob).hex())
        travels_as_json(changes[0])
        noticed(alice, SecurityKind.FOREIGN_BINDING, "bob", "two different keys")
        assert alice.fails(Send("bob", "the code is 4711")) is FailureCode.BLOCKED
        world.settle()
        assert bob.texts() == ["hi bob"]
        nothing_leaked(world, "the code is 4711")


def test_accepting_the_false_key_never_sends_what_was_meant_for_the_old_one() -> None:
    """A message queued for the old key stays with the old conversation."""
    with lying_relay() as world:
        alice, bob = world.join("alice"), world.join("bob")
        alice.do(Send("bob", "hi bob"))
        world.settle()
        false = AccountKey(bytes(range(32))).public
        world.outgoing.append(changed_info(world, alice, bob, false))
        alice.fails(StartDirect("bob"))
        alice.do(AcceptKey("bob", false.hex()))
        world.settle()
        room = next(r for r in alice.engine._state.rooms.values() if r.peer == account_of(bob))
        assert alice.fails(Send(room.channel.hex(), "still you?")) is FailureCode.BLOCKED
        nothing_false([alice, bob])


def test_an_unsigned_binding_proves_nothing() -> None:
    """A key without the directory's signature is not even looked at."""
    with lying_relay() as world:
        alice, bob = world.join("alice"), world.join("bob")
        false = AccountKey(bytes(range(32))).public

        def forge(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            if node is alice and isinstance(message, Accounts):
                infos = tuple(changed(i, account=false) if i.handle == "bob" else i for i in message.accounts)
                return (changed(message, accounts=infos),)
            return (message,)

        world.outgoing.append(forge)
        assert alice.fails(StartDirect("bob")) in (FailureCode.REFUSED, FailureCode.NOT_FOUND)
        noticed(alice, SecurityKind.FOREIGN_BINDING, "bob", "not genuine")
        nothing_false([alice, bob])


def test_an_answer_about_somebody_else_is_no_answer() -> None:
    """Asked about bob, the relay tells all about mallory: alice is told that there is no bob."""
    with lying_relay() as world:
        alice, bob, mallory = world.join("alice"), world.join("bob"), world.join("mallory")
        kept: list[Accounts] = []

        def other(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            if node is bob and isinstance(message, Accounts):
                kept.append(message)
            if node is alice and isinstance(message, Accounts):
                return (changed(kept[0], id=message.id),)
            return (message,)

        world.outgoing.append(other)
        bob.do(StartDirect("mallory"))
        world.settle()
        assert alice.fails(Send("bob", "only for bob")) is FailureCode.NOT_FOUND
        world.settle()
        assert "only for bob" not in mallory.texts()
        nothing_false([alice, bob, mallory])


def test_a_private_message_never_goes_into_another_channel() -> None:
    """Asked for the direct channel with bob, the relay names a room that others read: alice refuses it."""
    with lying_relay() as world:
        alice, bob, mallory = world.join("alice"), world.join("bob"), world.join("mallory")
        lobby = room_of(alice, "#lobby").channel

        def misdirect(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            if node is alice and isinstance(message, ChannelInfo) and message.summary.peer:
                return (changed(message, summary=changed(message.summary, channel=lobby)),)
            return (message,)

        world.outgoing.append(misdirect)
        assert alice.fails(Send("bob", "only for bob")) is FailureCode.REFUSED
        noticed(alice, SecurityKind.FALSE_ANSWER, "nothing was sent there")
        world.settle()
        assert "only for bob" not in mallory.texts()
        assert "only for bob" not in bob.texts()
        nothing_false([alice, bob, mallory])


def test_the_direct_channel_with_somebody_else_is_refused() -> None:
    """Asked for the channel with bob, the relay names the one with mallory."""
    with lying_relay() as world:
        alice, bob, mallory = world.join("alice"), world.join("bob"), world.join("mallory")
        alice.do(Send("mallory", "hello mallory"))
        world.settle()
        other = next(r for r in alice.engine._state.rooms.values() if r.peer == account_of(mallory)).channel

        def misdirect(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            if node is alice and isinstance(message, ChannelInfo) and message.summary.peer == account_of(bob):
                return (changed(message, summary=changed(message.summary, channel=other)),)
            return (message,)

        world.outgoing.append(misdirect)
        assert alice.fails(Send("bob", "only for bob")) is FailureCode.REFUSED
        noticed(alice, SecurityKind.FALSE_ANSWER, "nothing was sent there")
        world.settle()
        assert mallory.texts()[-1:] == ["hello mallory"]
        alice.do(Send("mallory", "still you"))
        world.settle()
        assert mallory.texts()[-1:] == ["still you"]
        nothing_false([alice, bob, mallory])


def test_a_new_closed_room_never_is_one_that_exists() -> None:
    """Asked for a new room, the relay names one that others are in: it is refused."""
    with lying_relay() as world:
        alice, bob = world.join("alice"), world.join("bob")
        lobby = room_of(alice, "#lobby").channel

        def misdirect(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            if node is alice and isinstance(message, ChannelInfo) and message.summary.kind == "room":
                return (changed(message, summary=changed(message.summary, channel=lobby)),)
            return (message,)

        world.outgoing.append(misdirect)
        assert alice.fails(CreateRoom("plans", None, False)) is FailureCode.REFUSED
        noticed(alice, SecurityKind.FALSE_ANSWER)
        assert room_of(alice, "#lobby").kind == "open"
        nothing_false([alice, bob])


def test_another_accounts_channels_at_login_give_nothing() -> None:
    """The relay lists bob's private conversation among mallory's: mallory is outside all the same."""
    with lying_relay() as world:
        alice, bob, mallory = world.join("alice"), world.join("bob"), world.join("mallory")
        alice.do(Send("bob", "between us"))
        world.settle()
        private = next(r for r in bob.engine._state.rooms.values() if r.peer)
        summaries: dict[bytes, ChannelSummary] = {}

        def lend(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
            if isinstance(message, LoggedIn):
                if node is bob:
                    summaries.update({s.channel: s for s in message.channels})
                if node is mallory and private.channel in summaries:
                    return (changed(message, channels=(*message.channels, summaries[private.channel])),)
            return (message,)

        world.outgoing.append(lend)
        bob.lose_connection()
        world.settle()
        mallory.lose_connection()
        world.settle(120_000)
        assert "between us" not in mallory.texts()
        assert [o.identity.handle for o in occupants(bob, "alice")] in (["alice", "bob"], ["bob", "alice"])
        nothing_false([alice, bob, mallory])
        nothing_leaked(world, "between us")


def occupants(node: Node, name: str) -> list[Occupant]:
    """Who has a leaf in a room of this client's."""
    state = node.engine._state
    return state.occupants(state.group(room_of(node, name)))


def changed_info(world: LyingRelay, victim: Node, target: Node, false: bytes) -> Lie:
    """A lie: the directory vouches for another key under somebody's handle."""
    handle = target.engine._state.profile.handle
    forged = bindings.bind(world.directory, handle, false).encode()

    def lie(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
        if node is victim and isinstance(message, Accounts):
            infos = tuple(
                changed(i, account=false, binding=forged, devices=()) if i.handle == handle else i
                for i in message.accounts
            )
            return (changed(message, accounts=infos),)
        return (message,)

    return lie
