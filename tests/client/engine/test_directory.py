"""Who is who: pins, trust, devices, and what the user decides."""

from secure_chat.client.commands import (
    AcceptKey,
    Block,
    CreateRoom,
    InvitePeople,
    MarkVerified,
    Send,
    StartDirect,
    Unverify,
)
from secure_chat.client.engine.create import new_profile
from secure_chat.client.events import FailureCode, Invited, KeyChanged, NewDevice, SecurityKind, SecurityNotice
from secure_chat.client.queries import GetInvitations, GetPeople, GetSafetyNumber
from secure_chat.client.store.store import Store
from secure_chat.client.views import PersonView, SafetyNumberView, Trust
from secure_chat.identity.credential import account_fingerprint
from secure_chat.identity.keys import AccountKey
from tests.scenarios.harness import STORE_KEY, Node, World, world


def person(node: Node, handle: str) -> PersonView:
    views = node.do(GetPeople())
    assert isinstance(views, tuple)
    return next(view for view in views if isinstance(view, PersonView) and view.handle == handle)


def number(node: Node, handle: str) -> SafetyNumberView:
    view = node.do(GetSafetyNumber(handle))
    assert isinstance(view, SafetyNumberView)
    return view


def test_the_first_key_seen_is_pinned() -> None:
    """First use, until somebody compares."""
    with world() as w:
        alice, _ = w.join("alice"), w.join("bob")
        assert person(alice, "bob").trust is Trust.FIRST_USE


def test_the_key_that_the_invite_link_named_counts_more() -> None:
    """Whoever made the link is known by it."""
    with world() as w:
        alice = w.join("alice")
        path = w.path / "bob.db"
        with Store.create(path, STORE_KEY) as store:
            inviter = account_fingerprint(alice.engine._state.own_account)
            store.apply(
                new_profile(
                    w.random, w.now, handle="bob", address="relay:7443", ca_pin=None, token=None, inviter=inviter
                )
            )
            store.commit()
        bob = w.nodes["bob"] = Node(w, "bob", path)
        bob.connect()
        w.settle()
        assert person(bob, "alice").trust is Trust.FROM_LINK


def test_both_see_the_same_safety_number_and_verify_with_it() -> None:
    """Typed in any grouping, or scanned."""
    with world() as w:
        alice, bob = w.join("alice"), w.join("bob")
        assert number(alice, "bob").number == number(bob, "alice").number
        alice.do(MarkVerified("bob", number(bob, "alice").number.replace(" ", "-")))
        bob.do(MarkVerified("alice", number(alice, "bob").qr))
        assert person(alice, "bob").trust is Trust.VERIFIED
        assert alice.rooms()["#lobby"].verified == 1
        alice.do(Unverify("bob"))
        assert alice.rooms()["#lobby"].verified == 0


def test_another_number_verifies_nobody() -> None:
    """The refusal says what it may mean."""
    with world() as w:
        alice, _, carol = w.join("alice"), w.join("bob"), w.join("carol")
        for wrong in (number(carol, "alice").number, number(carol, "alice").qr, "12345"):
            assert alice.fails(MarkVerified("bob", wrong)) is FailureCode.INVALID
        assert person(alice, "bob").trust is Trust.FIRST_USE
        assert alice.fails(MarkVerified("alice")) is FailureCode.INVALID
        assert alice.fails(MarkVerified("nobody")) is FailureCode.NOT_FOUND


def test_somebody_never_met_has_a_safety_number_too() -> None:
    """The relay is asked for the key."""
    with world() as w:
        alice, bob = w.join("alice"), w.join("bob")
        alice.go_offline()
        carol = w.join("carol")
        alice.go_online()
        assert number(carol, "alice").number
        assert carol.fails(GetSafetyNumber("dave")) is FailureCode.NOT_FOUND
        assert number(bob, "@carol").handle == "carol"


def test_a_new_device_is_only_a_note() -> None:
    """It is certified by the account key."""
    with world() as w:
        alice, bob = w.join("alice"), w.join("bob")
        account = AccountKey(bob.engine._state.profile.account_seed)
        w.join("bob", account=account, profile="laptop")
        assert [note.handle for note in alice.told(NewDevice)] == ["bob"]
        assert person(alice, "bob").devices == 2
        assert not alice.told(KeyChanged)


def impostor_of_bob(w: World) -> tuple[Node, Node, Node]:
    alice, bob = w.join("alice"), w.join("bob")
    alice.do(Send("bob", "for your eyes"))
    w.settle()
    impostor = w.impersonate("bob", "mallory")
    w.settle(20_000)
    return alice, bob, impostor


def test_another_account_key_is_told_loudly_and_blocks_the_person() -> None:
    """The two bindings prove that the relay has lied."""
    with world() as w:
        alice, _, impostor = impostor_of_bob(w)
        (change,) = alice.told(KeyChanged)
        assert (change.handle, change.was_verified) == ("bob", False)
        assert "Ask bob by another way" in change.explanation
        kinds = {notice.kind for notice in alice.told(SecurityNotice)}
        assert SecurityKind.FOREIGN_BINDING in kinds
        assert person(alice, "bob").trust is Trust.CHANGED
        assert alice.fails(Send("bob", "who are you?")) is FailureCode.BLOCKED
        assert not alice.rooms()["bob"].writable
        # Not verified before: the lobby, where both are, stays open.
        alice.do(Send("#lobby", "hello all"))
        w.settle()
        assert impostor.texts() == ["hello all"]


def test_what_was_queued_for_the_old_key_never_goes_to_the_new_one() -> None:
    """The new key gets a conversation of its own."""
    with world() as w:
        alice, _, impostor = impostor_of_bob(w)
        (change,) = alice.told(KeyChanged)
        alice.do(AcceptKey("bob", change.new))
        assert person(alice, "bob").trust is Trust.FIRST_USE
        alice.do(Send("bob", "to whoever has this key"))
        w.settle(20_000)
        assert "to whoever has this key" in impostor.texts()
        assert "for your eyes" not in impostor.texts()
        assert alice.fails(AcceptKey("bob", change.new)) is FailureCode.INVALID


def test_verifying_decides_as_well() -> None:
    """The number shown is that of the new key."""
    with world() as w:
        alice, _, impostor = impostor_of_bob(w)
        assert number(alice, "bob").number == number(impostor, "alice").number
        alice.do(MarkVerified("bob", number(impostor, "alice").number))
        assert person(alice, "bob").trust is Trust.VERIFIED


def test_a_blocked_person_is_neither_heard_nor_accepted() -> None:
    """Invitations are declined by themselves."""
    with world() as w:
        alice, bob = w.join("alice"), w.join("bob")
        alice.do(Block("bob"))
        bob.do(Send("#lobby", "psst"))
        bob.do(StartDirect("alice"))
        bob.do(Send("alice", "psst"))
        bob.do(CreateRoom("trap"))
        bob.do(InvitePeople("#trap", ("alice",)))
        w.settle(20_000)
        assert alice.texts() == []
        assert not alice.told(Invited)
        assert alice.do(GetInvitations()) == ()
        assert bob.rooms()["#trap"].members == 1
        assert alice.fails(Block("alice")) is FailureCode.INVALID
