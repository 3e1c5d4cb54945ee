"""The rules that every commit is held to: one test for each way to break one, beside what is allowed."""

import msgspec
import pytest

from secure_chat.client.engine.evidence import Evidence, make_note
from secure_chat.client.engine.occupants import Occupant
from secure_chat.client.engine.policy import (
    MAX_LEAVES_PER_ACCOUNT,
    ROLES_EXTENSION,
    Authority,
    Change,
    ChangeRefused,
    Roles,
    acts_as_admin,
    change_of,
    check_change,
    group_extensions,
    roles_of,
)
from secure_chat.identity import certificate as certificates
from secure_chat.identity.keys import DirectoryKey
from secure_chat.mls.credential.credential import BasicCredential, X509Credential
from secure_chat.mls.credential.extensions import Extension
from secure_chat.mls.crypto.suite import SignaturePrivateKey
from secure_chat.mls.errors import ValidationError
from secure_chat.mls.group.group import Group
from secure_chat.mls.group.results import StagedCommit
from secure_chat.mls.messages.proposals import GroupContextExtensions, ReInit
from tests.client.engine.people import (
    ALICE,
    AUTHORITY,
    BOB,
    CAROL,
    MALLORY,
    SUITE,
    Person,
    closed,
    direct,
    opened,
)

CHANNEL = b"channel" + bytes(9)
GROUP = CHANNEL + b"group"


def change(
    committer: Person,
    roles: Roles,
    *,
    adds: tuple[Person, ...] = (),
    removes: tuple[Occupant, ...] = (),
    external: bool = False,
    evidence: Evidence | None = None,
) -> Change:
    return Change(
        committer=committer.identity,
        external=external,
        adds=tuple(person.identity for person in adds),
        removes=removes,
        roles=roles,
        evidence=evidence or Evidence(),
    )


def allowed(made: Change, before: Roles, *members: Occupant, leaving: frozenset[int] = frozenset()) -> None:
    check_change(made, GROUP, before, members, leaving)


def refused(made: Change, before: Roles, *members: Occupant, why: str, leaving: frozenset[int] = frozenset()) -> None:
    with pytest.raises(ChangeRefused, match=why):
        check_change(made, GROUP, before, members, leaving)


MEMBERS = (ALICE.at(0), BOB.at(1))


def test_an_admin_adds_removes_and_changes_the_room() -> None:
    """What admins are for."""
    roles = closed(ALICE)
    allowed(change(ALICE, roles, adds=(CAROL,)), roles, *MEMBERS)
    allowed(change(ALICE, roles, removes=(BOB.at(1),)), roles, *MEMBERS)
    allowed(change(ALICE, closed(ALICE, BOB, name="crew", members_may_invite=True)), roles, *MEMBERS)


def test_anybody_may_commit_fresh_keys() -> None:
    """A commit without proposals needs no right."""
    roles = closed(ALICE)
    allowed(change(BOB, roles), roles, *MEMBERS)


def test_a_member_adds_only_where_members_may_invite() -> None:
    """Closed rooms by their policy, open rooms always."""
    strict, easy = closed(ALICE), closed(ALICE, members_may_invite=True)
    refused(change(BOB, strict, adds=(CAROL,)), strict, *MEMBERS, why="bob tried to add carol")
    allowed(change(BOB, easy, adds=(CAROL,)), easy, *MEMBERS)
    lobby = opened(ALICE)
    allowed(change(BOB, lobby, adds=(CAROL,)), lobby, *MEMBERS)


def test_a_member_removes_nobody_else() -> None:
    """Not even with the right to invite."""
    roles = closed(ALICE, members_may_invite=True)
    refused(change(BOB, roles, removes=(ALICE.at(0),)), roles, *MEMBERS, why="bob tried to remove alice")


def test_a_member_changes_no_rights() -> None:
    """Neither its own nor the room's name."""
    roles = closed(ALICE)
    refused(change(BOB, closed(ALICE, BOB)), roles, *MEMBERS, why="without the right")
    refused(change(BOB, closed(ALICE, name="mine")), roles, *MEMBERS, why="without the right")


def test_everybody_removes_their_own_other_devices() -> None:
    """The same account."""
    roles = closed(ALICE)
    laptop = Person.named("bob", serial=2, device=1)
    allowed(change(BOB, roles, removes=(laptop.at(2),)), roles, *MEMBERS, laptop.at(2))


def test_a_leaf_whose_holder_proposed_to_leave_is_removed_by_anybody() -> None:
    """RFC 9420 §12.1.3: one's own Remove, committed by another."""
    roles = closed(ALICE)
    allowed(change(BOB, roles, removes=(ALICE.at(0),)), roles, *MEMBERS, leaving=frozenset({0}))


def test_a_leave_note_lets_anybody_remove_that_very_leaf() -> None:
    """And no other leaf, no other room, nobody else's signature."""
    roles = closed(ALICE)
    key = SignaturePrivateKey.from_bytes(SUITE, ALICE.device.seed)
    note = make_note(key, CHANNEL, ALICE.at(0).leaf_key)
    allowed(change(BOB, roles, removes=(ALICE.at(0),), evidence=Evidence(notes=(note,))), roles, *MEMBERS)
    for wrong in (
        make_note(key, b"another", ALICE.at(0).leaf_key),
        make_note(key, CHANNEL, b"an earlier stay"),
        make_note(SignaturePrivateKey.from_bytes(SUITE, BOB.device.seed), CHANNEL, ALICE.at(0).leaf_key),
    ):
        forged = change(BOB, roles, removes=(ALICE.at(0),), evidence=Evidence(notes=(wrong,)))
        refused(forged, roles, *MEMBERS, why="tried to remove alice")


def test_a_revocation_lets_anybody_remove_older_devices() -> None:
    """Signed by their account; newer devices stay."""
    roles = closed(ALICE)
    minimum = certificates.revoke(ALICE.account, 2)
    evidence = Evidence(revocations=(minimum.encode(),))
    allowed(change(BOB, roles, removes=(ALICE.at(0),), evidence=evidence), roles, *MEMBERS)
    newer = Person.named("alice", serial=2)
    refused(
        change(BOB, roles, removes=(newer.at(0),), evidence=evidence),
        roles,
        newer.at(0),
        BOB.at(1),
        why="tried to remove alice",
    )
    foreign = Evidence(revocations=(msgspec.structs.replace(minimum, signature=bytes(64)).encode(),))
    refused(change(BOB, roles, removes=(ALICE.at(0),), evidence=foreign), roles, *MEMBERS, why="nobody signed")


def test_a_device_comes_back_only_with_a_higher_serial() -> None:
    """A recorded request is worthless once it was answered."""
    roles = closed(ALICE)
    back = Person.named("alice", serial=2)
    allowed(change(BOB, roles, adds=(back,), removes=(ALICE.at(0),)), roles, *MEMBERS)
    refused(change(BOB, roles, adds=(ALICE,), removes=(ALICE.at(0),)), roles, *MEMBERS, why="tried to remove alice")
    refused(change(BOB, roles, adds=(back,)), roles, *MEMBERS, why="two leaves")


def test_a_new_device_of_a_member_may_be_added_by_anybody() -> None:
    """It is no new person."""
    roles = closed(ALICE)
    allowed(change(BOB, roles, adds=(Person.named("alice", serial=2, device=1),)), roles, *MEMBERS)


def test_no_account_has_too_many_leaves() -> None:
    """Ten computers."""
    roles = opened(ALICE)
    devices = [Person.named("bob", serial=n + 1, device=n) for n in range(MAX_LEAVES_PER_ACCOUNT + 1)]
    members = (ALICE.at(0), *(device.at(n + 1) for n, device in enumerate(devices[:-1])))
    refused(change(ALICE, roles, adds=(devices[-1],)), roles, *members, why="too many devices")


def test_nobody_who_is_banned_is_in_an_open_room() -> None:
    """Neither added nor left there by the ban."""
    banned = opened(ALICE, banned=(CAROL,))
    refused(change(ALICE, banned, adds=(CAROL,)), banned, *MEMBERS, why="banned")
    refused(change(ALICE, opened(ALICE, banned=(BOB,))), opened(ALICE), *MEMBERS, why="banned")
    allowed(change(ALICE, opened(ALICE, banned=(BOB,)), removes=(BOB.at(1),)), opened(ALICE), *MEMBERS)


def test_the_kind_generation_and_public_name_never_change() -> None:
    """They are what the room is."""
    lobby = opened(ALICE)
    for other, why in (
        (msgspec.structs.replace(lobby, kind="room"), "another kind"),
        (msgspec.structs.replace(lobby, generation=2), "another kind"),
        (msgspec.structs.replace(lobby, name="office"), "rename an open room"),
    ):
        refused(change(ALICE, other), lobby, *MEMBERS, why=why)


def test_only_members_become_admins() -> None:
    """An admin who is not there could come in with rights that nobody sees."""
    roles = closed(ALICE)
    refused(change(ALICE, closed(ALICE, MALLORY)), roles, *MEMBERS, why="not in the room")


def test_a_direct_conversation_stays_between_two() -> None:
    """Neither side governs it."""
    roles = direct(ALICE, BOB)
    refused(change(ALICE, roles, adds=(MALLORY,)), roles, *MEMBERS, why="add mallory")
    refused(change(ALICE, roles, removes=(BOB.at(1),)), roles, *MEMBERS, why="remove bob")
    refused(change(ALICE, msgspec.structs.replace(roles, name="x")), roles, *MEMBERS, why="without the right")
    allowed(change(ALICE, roles, adds=(BOB,)), roles, ALICE.at(0))


def test_strangers_enter_open_rooms_only() -> None:
    """By an external commit that does nothing else."""
    lobby, room = opened(ALICE), closed(ALICE)
    allowed(change(CAROL, lobby, external=True), lobby, *MEMBERS)
    refused(change(CAROL, room, external=True), room, *MEMBERS, why="without an invitation")
    refused(change(CAROL, lobby, adds=(MALLORY,), external=True), lobby, *MEMBERS, why="while entering")
    refused(change(CAROL, opened(CAROL), external=True), lobby, *MEMBERS, why="while entering")
    refused(change(CAROL, lobby, removes=(BOB.at(1),), external=True), lobby, *MEMBERS, why="remove bob")
    again = Person.named("bob", serial=2)
    allowed(change(again, lobby, removes=(BOB.at(1),), external=True), lobby, *MEMBERS)
    refused(change(BOB, lobby, removes=(BOB.at(1),), external=True), lobby, *MEMBERS, why="remove bob")
    refused(change(CAROL, opened(ALICE, banned=(CAROL,)), external=True), lobby, *MEMBERS, why="while entering")


def test_the_lowest_leaf_acts_where_no_admin_is_left() -> None:
    """A room is never without somebody who can mend it."""
    roles = closed(CAROL)
    assert acts_as_admin(roles, (BOB.at(1), ALICE.at(0)), ALICE.public)
    assert not acts_as_admin(roles, (BOB.at(1), ALICE.at(0)), BOB.public)
    assert not acts_as_admin(roles, (BOB.at(1), ALICE.at(0), CAROL.at(2)), ALICE.public)
    assert not acts_as_admin(roles, (), ALICE.public)


@pytest.mark.parametrize(
    "extensions",
    [
        (),
        group_extensions(closed(ALICE))[1:],
        (*group_extensions(closed(ALICE)), Extension(0xF123, b"")),
        (Extension(ROLES_EXTENSION, b"\xc1"), group_extensions(closed(ALICE))[0]),
        group_extensions(msgspec.structs.replace(closed(ALICE), version=2)),
        group_extensions(msgspec.structs.replace(closed(ALICE), kind="castle")),
        group_extensions(msgspec.structs.replace(closed(ALICE), admins=())),
    ],
)
def test_a_group_without_proper_roles_is_no_room(extensions: tuple[Extension, ...]) -> None:
    """Missing, malformed, of a later version, or with something beside them."""
    with pytest.raises(ChangeRefused):
        roles_of(extensions)


def test_roles_survive_their_encoding() -> None:
    """The inverse."""
    roles = opened(ALICE, BOB, banned=(CAROL,))
    assert roles_of(group_extensions(roles)) == roles


def test_the_authority_accepts_certified_devices_only() -> None:
    """RFC 9420 §5.3.1."""
    AUTHORITY.validate(ALICE.credential, ALICE.device.public)
    with pytest.raises(ValidationError, match="certified device key"):
        AUTHORITY.validate(ALICE.credential, BOB.device.public)
    with pytest.raises(ValidationError):
        AUTHORITY.validate(BasicCredential(b"somebody"), ALICE.device.public)
    with pytest.raises(ValidationError, match="basic"):
        AUTHORITY.validate(X509Credential((b"certificate",)), ALICE.device.public)
    with pytest.raises(ValidationError):
        Authority(DirectoryKey(bytes(32)).public).validate(ALICE.credential, ALICE.device.public)
    with pytest.raises(ValidationError, match="external senders"):
        AUTHORITY.validate_external_sender(ALICE.credential, ALICE.device.public)


def test_a_leaf_never_becomes_somebody_else() -> None:
    """Nor goes back to an older certificate."""
    AUTHORITY.validate_successor(ALICE.credential, Person.named("alice", serial=2).credential)
    for old, new in ((ALICE, BOB), (Person.named("alice", serial=2), ALICE)):
        with pytest.raises(ValidationError):
            AUTHORITY.validate_successor(old.credential, new.credential)


def staged(group: Group, other: Group, commit: bytes) -> StagedCommit:
    result = other.receive(commit)
    assert isinstance(result, StagedCommit)
    return result


def test_a_commit_is_read_as_the_change_it_makes() -> None:
    """From a real group."""
    roles = closed(ALICE)
    group = ALICE.found(roles)
    bundle = BOB.bundle()
    first = group.commit(add=[bundle.key_package])
    group.merge_pending()
    assert first.welcome is not None
    other = Group.join(first.welcome, bundle, BOB.leaf, AUTHORITY)
    changed = closed(ALICE, name="crew")
    pending = group.commit(add=[CAROL.package()], proposals=[GroupContextExtensions(group_extensions(changed))])
    made = change_of(AUTHORITY, staged(group, other, pending.commit), roles)
    assert (made.committer, made.adds, made.removes, made.roles) == (ALICE.identity, (CAROL.identity,), (), changed)


def test_kinds_of_proposals_that_rooms_do_not_use_are_refused() -> None:
    """A reinitialization would end the room."""
    roles = closed(ALICE)
    group = ALICE.found(roles)
    bundle = BOB.bundle()
    first = group.commit(add=[bundle.key_package])
    group.merge_pending()
    assert first.welcome is not None
    other = Group.join(first.welcome, bundle, BOB.leaf, AUTHORITY)
    pending = group.commit(proposals=[ReInit(b"next", 1, 3, ())])
    with pytest.raises(ChangeRefused, match="don't use"):
        change_of(AUTHORITY, staged(group, other, pending.commit), roles)


def test_malformed_evidence_refuses_the_commit() -> None:
    """What a commit carries along is checked by everybody alike."""
    roles = closed(ALICE)
    group = ALICE.found(roles)
    bundle = BOB.bundle()
    first = group.commit(add=[bundle.key_package])
    group.merge_pending()
    assert first.welcome is not None
    other = Group.join(first.welcome, bundle, BOB.leaf, AUTHORITY)
    pending = group.commit(authenticated_data=b"because")
    with pytest.raises(ChangeRefused, match="malformed"):
        change_of(AUTHORITY, staged(group, other, pending.commit), roles)
