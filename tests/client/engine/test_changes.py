"""Wishes put into a commit: worked out against a state, merged, refused one by one."""

import pytest

from secure_chat.client.engine.changes import Draft, Newcomer, Wish
from secure_chat.client.engine.evidence import LeaveNote, make_note
from secure_chat.client.engine.policy import ChangeRefused, Roles
from secure_chat.identity import certificate as certificates
from secure_chat.mls.crypto.suite import SignaturePrivateKey
from tests.client.engine.people import ALICE, BOB, CAROL, MALLORY, SUITE, Person, closed, opened

CHANNEL = b"channel" + bytes(9)
GROUP = CHANNEL + b"group"


def draft(
    roles: Roles,
    *members: Person,
    by: int = 0,
    proposed: frozenset[int] = frozenset(),
    notes: tuple[LeaveNote, ...] = (),
) -> Draft:
    occupants = [person.at(index) for index, person in enumerate(members)]
    return Draft.start(GROUP, occupants[by], occupants, roles, proposed, notes)


def newcomer(person: Person) -> Newcomer:
    return Newcomer(person.package(), person.identity)


def test_nothing_wanted_is_nothing_to_commit() -> None:
    """Fresh keys are something."""
    start = draft(closed(ALICE), ALICE, BOB)
    assert start.empty
    assert not start.with_wish(Wish(refresh=True)).empty


def test_several_wishes_go_into_one_commit() -> None:
    """Those of the same person, and requests of others."""
    made = draft(closed(ALICE), ALICE, BOB)
    for wish in (Wish(add=(newcomer(CAROL),)), Wish(remove=frozenset([BOB.public])), Wish(name="crew")):
        made = made.with_wish(wish)
    assert [n.identity for n in made.adds] == [CAROL.identity]
    assert made.removes == {1}
    assert made.roles.name == "crew"
    assert made.gone_devices == {BOB.device_id}


def test_what_is_so_already_changes_nothing() -> None:
    """The wish is granted without a commit."""
    start = draft(closed(ALICE, BOB), ALICE, BOB)
    for wish in (
        Wish(),
        Wish(promote=frozenset([BOB.public])),
        Wish(add=(newcomer(BOB),)),
        Wish(remove=frozenset([CAROL.public])),
    ):
        assert start.with_wish(wish) == start


def test_somebody_who_asked_to_leave_is_removed_by_whatever_commit_comes_next() -> None:
    """By proposal or by note; never the committer itself."""
    key = SignaturePrivateKey.from_bytes(SUITE, BOB.device.seed)
    note = make_note(key, CHANNEL, BOB.at(1).leaf_key)
    stale = make_note(key, CHANNEL, b"an earlier stay")
    assert draft(closed(ALICE), ALICE, BOB, proposed=frozenset({1})).removes == {1}
    noted = draft(closed(ALICE), ALICE, BOB, notes=(note, stale))
    assert noted.removes == {1}
    assert noted.evidence.notes == (note,)
    noted.check()
    assert draft(closed(ALICE), ALICE, BOB, by=1, notes=(note,)).removes == set()


def test_a_device_that_comes_back_takes_its_old_leafs_place() -> None:
    """With a higher serial; the relay's list need not change."""
    back = Person.named("bob", serial=2)
    made = draft(closed(ALICE), ALICE, BOB).with_wish(Wish(add=(newcomer(back),), request=back.device_id))
    assert made.removes == {1}
    assert made.gone_devices == set()


def test_a_request_that_was_answered_is_refused() -> None:
    """It may be a replay."""
    with pytest.raises(ChangeRefused, match="answered before"):
        draft(closed(ALICE), ALICE, BOB).with_wish(Wish(add=(newcomer(BOB),), request=BOB.device_id))


def test_one_device_is_added_once() -> None:
    """Whoever else wishes it."""
    made = draft(closed(ALICE), ALICE, BOB).with_wish(Wish(add=(newcomer(CAROL),)))
    assert made.with_wish(Wish(add=(newcomer(CAROL),))).adds == made.adds


@pytest.mark.parametrize(
    ("wish", "why"),
    [
        (Wish(demote=frozenset([ALICE.public])), "last admin"),
        (Wish(remove=frozenset([ALICE.public])), "leave the room"),
        (Wish(promote=frozenset([MALLORY.public])), "not in the room"),
    ],
)
def test_an_admin_cannot_do_everything(wish: Wish, why: str) -> None:
    """The room stays governed."""
    with pytest.raises(ChangeRefused, match=why):
        draft(closed(ALICE), ALICE, BOB).with_wish(wish)


def test_a_member_is_refused_before_anything_is_sent() -> None:
    """By the same rules as everybody will apply."""
    with pytest.raises(ChangeRefused, match="without the right"):
        draft(closed(ALICE), ALICE, BOB, by=1).with_wish(Wish(name="mine"))


def test_a_ban_removes_and_an_unban_lets_in_again() -> None:
    """In open rooms."""
    banned = draft(opened(ALICE), ALICE, BOB).with_wish(Wish(ban=frozenset([BOB.public])))
    assert banned.removes == {1}
    assert banned.roles.banned == (BOB.public,)
    after = draft(banned.roles, ALICE).with_wish(Wish(unban=frozenset([BOB.public])))
    assert after.roles.banned == ()


def test_a_revocation_removes_older_devices_and_is_carried_along() -> None:
    """The committer's own leaf excepted, which its commit renews."""
    start = draft(closed(ALICE), ALICE, BOB, by=1)
    made = start.with_revocation(certificates.revoke(ALICE.account, 5))
    assert made.removes == {0}
    assert len(made.evidence.revocations) == 1
    assert start.with_revocation(certificates.revoke(BOB.account, 5)).removes == set()
