"""What a user decides is done to whom it was decided about, whatever the relay slips in between."""

from secure_chat.client.commands import (
    AcceptInvitation,
    AcceptKey,
    CreateRoom,
    DeclineInvitation,
    InvitePeople,
    Kick,
    MarkVerified,
    Promote,
    Send,
    StartDirect,
)
from secure_chat.client.engine.device import SUITE_CLASSICAL, certify, leaf_identity
from secure_chat.client.events import FailureCode, KeyChanged
from secure_chat.client.queries import GetPeople, GetSafetyNumber
from secure_chat.client.views import PersonView, SafetyNumberView, Trust
from secure_chat.identity import binding as bindings
from secure_chat.identity.credential import encode_credential, short_fingerprint
from secure_chat.identity.keys import AccountKey, DeviceKey
from secure_chat.mls.credential.credential import BasicCredential
from secure_chat.mls.credential.extensions import Lifetime
from secure_chat.mls.crypto.suite import SUITES
from secure_chat.mls.messages.key_package import KeyPackage, KeyPackageBundle
from secure_chat.wire.messages import EntryKind
from tests.adversary.audit import lying_relay
from tests.adversary.members import Rogue, room_of
from tests.adversary.relay import LyingRelay
from tests.adversary.rooms import closed_room
from tests.adversary.test_impersonation import changed_info
from tests.scenarios.harness import Node

FALSE = AccountKey(bytes(range(32)))


def number_of(node: Node, handle: str) -> str:
    """What the user sees now."""
    view = node.do(GetSafetyNumber(handle))
    assert isinstance(view, SafetyNumberView)
    return view.number


def trust_of(node: Node, account: bytes) -> Trust:
    """How far a key is trusted, as shown."""
    people = node.do(GetPeople())
    assert isinstance(people, tuple)
    return next(p.trust for p in people if isinstance(p, PersonView) and p.account == account.hex())


def test_a_key_that_changes_between_looking_and_confirming_is_not_verified() -> None:
    """The user compares bob's real number; just before "yes" the relay brings another key: nothing gets the mark."""
    with lying_relay() as world:
        alice, bob = world.join("alice"), world.join("bob")
        alice.do(Send("bob", "hi"))
        world.settle()
        compared = number_of(alice, "bob")
        world.outgoing.append(changed_info(world, alice, bob, FALSE.public))
        alice.fails(StartDirect("bob"))
        assert alice.fails(MarkVerified("bob", "")) is FailureCode.BLOCKED
        alice.do(MarkVerified("bob", compared))
        assert trust_of(alice, FALSE.public) is Trust.CHANGED
        assert trust_of(alice, bob.engine._state.own_account) is Trust.VERIFIED


def test_the_number_says_which_of_two_keys_is_theirs() -> None:
    """Bob reads out his real number: the false key is ruled out, and alice writes to bob again, who is verified."""
    with lying_relay() as world:
        alice, bob = world.join("alice"), world.join("bob")
        alice.do(Send("bob", "hi"))
        world.settle()
        lie = changed_info(world, alice, bob, FALSE.public)
        world.outgoing.append(lie)
        alice.fails(StartDirect("bob"))
        assert alice.fails(Send("bob", "blocked")) is FailureCode.BLOCKED
        alice.do(MarkVerified("bob", number_of(bob, "alice")))
        assert trust_of(alice, bob.engine._state.own_account) is Trust.VERIFIED
        assert trust_of(alice, FALSE.public) is Trust.CHANGED
        alice.do(Send("bob", "it is you"))
        world.settle()
        assert bob.texts() == ["hi", "it is you"]
        alice.do(StartDirect("bob"))
        assert trust_of(alice, bob.engine._state.own_account) is Trust.VERIFIED


def test_a_key_that_changes_between_looking_and_accepting_is_not_accepted() -> None:
    """Alice has seen one new key of bob's; just before she accepts it the relay brings another: that one is refused."""
    other = AccountKey(bytes(range(1, 33)))
    with lying_relay() as world:
        alice, bob = world.join("alice"), world.join("bob")
        alice.do(Send("bob", "hi"))
        world.settle()
        for key in (FALSE, other):
            world.outgoing.clear()
            world.outgoing.append(changed_info(world, alice, bob, key.public))
            alice.fails(StartDirect("bob"))
        seen, swapped = (event.new for event in alice.told(KeyChanged))
        assert (seen, swapped) == (FALSE.public.hex(), other.public.hex())
        assert alice.fails(AcceptKey("bob", seen)) is FailureCode.BLOCKED
        assert alice.fails(AcceptKey("bob", "")) is FailureCode.BLOCKED
        assert trust_of(alice, other.public) is Trust.CHANGED
        assert alice.fails(Send("bob", "the code is 4711")) is FailureCode.BLOCKED
        alice.do(AcceptKey("bob", short_fingerprint(other.public)))
        assert trust_of(alice, other.public) is Trust.FIRST_USE


def false_bob(world: LyingRelay) -> KeyPackage:
    """A key package under bob's name of an account that the relay has made."""
    key = DeviceKey(bytes(31) + b"\x01")
    certificate = certify(
        FALSE, handle="bob", device_key=key.public, device_id=bytes(15) + b"\x01", serial=world.now, now=world.now
    )
    credential = BasicCredential(encode_credential(certificate, bindings.bind(world.directory, "bob", FALSE.public)))
    seconds = world.now // 1000
    suite = SUITES[SUITE_CLASSICAL]
    identity = leaf_identity(suite, credential, key.seed)
    return KeyPackageBundle.generate(suite, identity, Lifetime(seconds - 60, seconds + 86_400)).key_package


def test_where_two_go_by_one_name_nobody_is_promoted_or_removed_by_it() -> None:
    """Mallory, an admin, brings in a false bob: alice's commands for bob say that there are two."""
    with lying_relay() as world:
        alice, bob, mallory = closed_room(world, "bob", "mallory")
        alice.do(Promote("#plans", "mallory"))
        world.settle()
        rogue = Rogue(mallory)
        made = rogue.group("#plans").commit(add=[false_bob(world)])
        rogue.append("#plans", EntryKind.COMMIT, made.commit)
        world.settle()
        room = room_of(alice, "#plans")
        assert FALSE.public in alice.engine._state.accounts(room)
        assert alice.fails(Promote("#plans", "bob")) is FailureCode.INVALID
        assert alice.fails(Kick("#plans", "bob")) is FailureCode.INVALID
        assert alice.fails(Promote("#plans", FALSE.public.hex())) is FailureCode.BLOCKED
        alice.do(Kick("#plans", FALSE.public.hex()))
        world.settle()
        assert FALSE.public not in alice.engine._state.accounts(room)
        assert alice.fails(Promote("#plans", "bob")) is FailureCode.BLOCKED
        bob.do(StartDirect("alice"))
        alice.do(MarkVerified("bob", number_of(bob, "alice")))
        alice.do(Promote("#plans", "bob"))
        world.settle()
        roles = bob.engine._state.roles(room_of(bob, "#plans"))
        assert roles is not None
        assert bob.engine._state.own_account in roles.admins


def test_an_invitation_takes_no_name_away_from_a_room_that_one_is_in() -> None:
    """Mallory invites alice into a closed room called like the lobby: #lobby stays what it was, and can be declined."""
    with lying_relay() as world:
        alice, bob, mallory = world.join("alice"), world.join("bob"), world.join("mallory")
        mallory.do(CreateRoom("lobby", SUITE_CLASSICAL, False))
        closed = next(r for r in mallory.engine._state.rooms.values() if r.kind == "room")
        mallory.do(InvitePeople(closed.channel.hex(), ("alice", "bob")))
        world.settle()
        alice.do(Send("#lobby", "hello all"))
        world.settle()
        assert bob.texts() == ["hello all"]
        alice.do(DeclineInvitation("#lobby"))
        bob.do(AcceptInvitation("#lobby"))
        world.settle()
        assert room_of(alice, "#lobby").kind == "open"
        assert bob.fails(Send("#lobby", "which one?")) is FailureCode.INVALID
