"""Withdrawn devices: everybody who shares a room learns of it, and a relay that keeps it back is got round."""

from collections.abc import Iterable

from secure_chat.client.commands import AcceptInvitation, CreateRoom, InvitePeople, LeaveRoom, RevokeDevice, Send
from secure_chat.client.events import Invited, SecurityKind
from secure_chat.identity.keys import AccountKey
from secure_chat.wire.messages import AccountInfo, Accounts, Append, ClientMessage, Entry, EntryKind, ServerMessage
from tests.adversary.audit import lying_relay
from tests.adversary.evidence import nobody_noticed, nothing_false, noticed
from tests.adversary.members import room_of
from tests.adversary.relay import LyingRelay, changed
from tests.adversary.rooms import CLASSICAL, closed_room, kinds
from tests.scenarios.harness import Node

OWNER = AccountKey(bytes(range(32)))


def stolen_device(world: LyingRelay, *rooms: str) -> tuple[Node, Node, Node, Node]:
    """alice, carol and bob's stolen device in closed rooms; bob's new device is in none of them."""
    alice, carol = world.join("alice"), world.join("carol")
    stolen = world.join("bob", account=OWNER, profile="stolen")
    for room in rooms:
        alice.do(CreateRoom(room, CLASSICAL, False))
        alice.do(InvitePeople(f"#{room}", ("bob", "carol")))
        world.settle()
        for node in (stolen, carol):
            node.do(AcceptInvitation(node.told(Invited)[-1].invitation.room))
        world.settle()
    return alice, carol, stolen, world.join("bob", account=OWNER, profile="bob")


def devices(node: Node, room: str) -> set[bytes]:
    """Who has a leaf, as a client knows it."""
    state = node.engine._state
    return {o.device for o in state.occupants(state.group(room_of(node, room)))}


def withdraw(world: LyingRelay, bob: Node, stolen: Node) -> bytes:
    """bob withdraws the stolen device from his new one."""
    device = stolen.engine._state.profile.device_id
    bob.do(RevokeDevice(device.hex()))
    world.settle()
    return device


def test_members_learn_of_it_without_asking() -> None:
    """Nobody looks bob up: the relay's entry carries his word, and those who were away read it later."""
    with lying_relay() as world:
        alice, carol, stolen, bob = stolen_device(world, "plans")
        carol.go_offline()
        device = withdraw(world, bob, stolen)
        assert device not in devices(alice, "#plans")
        carol.go_online()
        world.settle()
        assert device not in devices(carol, "#plans")
        assert carol.engine._state.people[OWNER.public].minimum_serial > 0
        nobody_noticed([alice, carol, bob])


def kept_back(world: LyingRelay, *victims: Node) -> None:
    """The relay tells these clients nothing of revocations."""

    def tell(node: Node, message: ServerMessage) -> Iterable[ServerMessage]:
        if node in victims and isinstance(message, Entry) and message.sender == bytes(16):
            return ()
        if node in victims and isinstance(message, Accounts):
            return (changed(message, accounts=tuple(map(without, message.accounts))),)
        return (message,)

    world.outgoing.append(tell)


def without(info: AccountInfo) -> AccountInfo:
    """What the relay says of an account, but for its revocation."""
    return changed(info, revocation=b"")


def test_a_relay_that_keeps_it_back_is_got_round_by_a_direct_message() -> None:
    """Bob writes to alice: the message carries his word, and the stolen device is out of every room."""
    with lying_relay() as world:
        alice, carol, stolen, bob = stolen_device(world, "plans")
        for node in (alice, carol):
            node.do(LeaveRoom("#lobby"))  # where bob's new device is, and would remove the stolen one itself
        world.settle()
        kept_back(world, alice, carol)
        device = withdraw(world, bob, stolen)
        assert device in devices(alice, "#plans")
        bob.do(Send("alice", "my laptop was stolen"))
        world.settle(10_000)
        assert "my laptop was stolen" in alice.texts()
        assert device not in devices(alice, "#plans")
        assert device not in devices(carol, "#plans")
        nothing_false([alice, carol, bob])


def test_what_a_commit_says_of_one_room_holds_in_all() -> None:
    """Carol is told nothing: the commit that removes the device from #plans has her remove it from #secrets."""
    with lying_relay() as world:
        alice, carol, stolen, bob = stolen_device(world, "plans", "secrets")
        channel = room_of(alice, "#secrets").channel
        kept_back(world, carol)

        def cut_off(node: Node, message: ClientMessage) -> Iterable[ClientMessage]:
            return () if node is alice and isinstance(message, Append) and message.channel == channel else (message,)

        world.incoming.append(cut_off)  # in #secrets it has to be carol
        device = withdraw(world, bob, stolen)
        world.settle(10_000)
        assert device not in devices(carol, "#plans")
        assert device not in devices(carol, "#secrets")


def test_a_forged_withdrawal_removes_nobody() -> None:
    """The relay makes one up: told, and carol stays."""
    with lying_relay() as world:
        alice, bob, carol = closed_room(world, "bob", "carol")
        room = room_of(alice, "#plans")
        before = devices(alice, "#plans")
        forged = b"\x93" + bytes(100)
        world.say(
            alice, world.entry(room.channel, world.last(alice, room.channel) + 1, EntryKind.MEMBERS, bytes(16), forged)
        )
        world.settle()
        noticed(alice, SecurityKind.BAD_ENTRY, "nobody has signed")
        assert devices(alice, "#plans") == before
        assert SecurityKind.BAD_ENTRY not in kinds(bob) | kinds(carol)
