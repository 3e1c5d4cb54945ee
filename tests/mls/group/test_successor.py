"""Reinitialization and branching (RFC 9420 §11.2, §11.3), and resumption PSKs in general (§8.6)."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from secure_chat.mls.credential.credential import BasicCredential
from secure_chat.mls.credential.extensions import Extension
from secure_chat.mls.crypto.suite import SUITES, CipherSuite
from secure_chat.mls.errors import UsageError, ValidationError
from secure_chat.mls.group.create_commit import CommitOptions
from secure_chat.mls.group.group import Group
from secure_chat.mls.group.identity import LeafIdentity
from secure_chat.mls.group.limits import Limits
from secure_chat.mls.group.results import Application, Pending
from secure_chat.mls.group.state import EpochState
from secure_chat.mls.group.successor import check_successor_group
from secure_chat.mls.messages.key_package import KeyPackageBundle
from secure_chat.mls.messages.proposals import Add, PreSharedKey, Proposal, ReInit
from secure_chat.mls.schedule.psk import PreSharedKeyID, ResumptionPSK, ResumptionPSKUsage
from tests.mls.group.people import (
    GROUP_ID,
    LIFETIME,
    PRIVATE_TYPE,
    SUITE,
    Policy,
    apply_changes,
    bundle,
    create,
    found,
    out,
    person,
    same,
    spread,
    stage,
    state_of,
    stored,
)

NEXT = SUITES[1]
ASKED = ReInit(b"next", 1, NEXT.number, (Extension(PRIVATE_TYPE, b"new"),))


def fresh(names: Sequence[str], suite: CipherSuite = NEXT) -> tuple[list[LeafIdentity], list[KeyPackageBundle]]:
    people = [person(name, suite) for name in names]
    return people, [bundle(who, suite) for who in people]


def reinitialized(*names: str) -> list[Group]:
    groups = found(*names)
    pending = groups[0].commit(proposals=[ASKED])
    for group in groups[1:]:
        assert stage(group, pending.commit).reinit
    spread(pending, *groups)
    return groups


def test_a_group_moves_to_another_suite() -> None:
    """§11.2: ReInit, commit, and a new group with the same members, founded by any of them."""
    alice, bob, carol = reinitialized("alice", "bob", "carol")
    for group in (alice, bob, carol):
        assert group.reinit == ASKED
        assert not group.active
        with pytest.raises(UsageError, match="reinitialized"):
            group.protect(b"x")
        with pytest.raises(UsageError, match="reinitialized"):
            group.commit()
    people, packages = fresh(["alice", "carol"])
    add = [package.key_package for package in packages]
    founder, pending = bob.reinitialize(NEXT, person("bob", NEXT), LIFETIME, add, now=1_500)
    founder.merge_pending()
    assert (founder.group_id, founder.epoch, founder.suite) == (b"next", 1, NEXT)
    assert founder.extensions == ASKED.extensions
    joined = [
        Group.join(pending.welcome or b"", package, who, Policy(), parent=parent)
        for package, who, parent in zip(packages, people, (alice, carol), strict=True)
    ]
    same(founder, *joined)
    received = founder.receive(joined[0].protect(b"moved"))
    assert isinstance(received, Application)


def test_a_reinit_is_remembered() -> None:
    """The stored group knows what comes next."""
    alice, _ = found("alice", "bob")
    rows = stored(alice)
    alice.commit(proposals=[ASKED])
    alice.merge_pending()
    apply_changes(rows, alice)
    again = Group.load(rows, Policy())
    assert again.reinit == ASKED
    assert not again.active


def test_a_reinit_gives_way_to_other_proposals() -> None:
    """§12.2: it is committed when nothing else waits."""
    alice, bob = found("alice", "bob")
    alice.receive(bob.propose(ASKED))
    alice.receive(bob.propose_update())
    assert not stage(bob, alice.commit().commit).reinit
    alice.discard_pending()
    reference = next(kept.reference for kept in alice.proposals if kept.proposal != ASKED)
    alice.drop_proposal(reference)
    assert stage(bob, alice.commit().commit).reinit


def test_founding_needs_a_reinit() -> None:
    """§11.2: with the suite that was asked for, and everybody."""
    alice, _ = found("alice", "bob")
    with pytest.raises(UsageError, match="not been reinitialized"):
        alice.reinitialize(NEXT, person("alice", NEXT), LIFETIME, [])
    alice, _, _ = reinitialized("alice", "bob", "carol")
    with pytest.raises(UsageError, match="asked for cipher suite"):
        alice.reinitialize(SUITE, person("alice"), LIFETIME, [])
    _, packages = fresh(["bob"])
    with pytest.raises(ValidationError, match="missing in the new one"):
        alice.reinitialize(NEXT, person("alice", NEXT), LIFETIME, [packages[0].key_package])


def welcome_of(parent: Group, usage: ResumptionPSKUsage, who: LeafIdentity) -> tuple[Pending, KeyPackageBundle]:
    """A Welcome founded by `parent` for one member, without asking whether that is right."""
    suite = NEXT if usage is ResumptionPSKUsage.reinit else SUITE
    package = bundle(who, suite)
    identity = person("alice", suite)
    extensions = ASKED.extensions if usage is ResumptionPSKUsage.reinit else ()
    group = Group.create(suite, b"next", identity, LIFETIME, Policy(), extensions)
    psk = ResumptionPSK(usage, parent.group_id, parent.epoch)
    items: list[Proposal] = [PreSharedKey(PreSharedKeyID(psk, bytes(32))), Add(package.key_package)]
    return group._commit(items, parent._epochs.psks, CommitOptions(successor=usage)), package


def test_a_successor_of_a_group_that_was_not_reinitialized() -> None:
    """§12.4.3.1: the parent's last commit was the ReInit."""
    alice, bob = found("alice", "bob")
    who = person("bob", NEXT)
    pending, package = welcome_of(alice, ResumptionPSKUsage.reinit, who)
    assert pending.welcome is not None
    with pytest.raises(ValidationError, match=r"11\.2"):
        Group.join(pending.welcome, package, who, Policy(), parent=bob)
    with pytest.raises(ValidationError, match="not available"):
        Group.join(pending.welcome, package, who, Policy())
    with pytest.raises(ValidationError, match="not available"):
        Group.join(pending.welcome, package, who, Policy(), parent=create("x", policy=Policy()))


@pytest.mark.parametrize(
    "changed",
    [
        replace(ASKED, group_id=b"other"),
        replace(ASKED, version=2),
        replace(ASKED, cipher_suite=3),
        replace(ASKED, extensions=()),
    ],
    ids=["group", "version", "suite", "extensions"],
)
def test_a_successor_that_differs_from_the_reinit(changed: ReInit) -> None:
    """§11.2: group id, version, suite and extensions are those asked for."""
    alice, bob = reinitialized("alice", "bob")
    who = person("bob", NEXT)
    pending, package = welcome_of(alice, ResumptionPSKUsage.reinit, who)
    assert pending.welcome is not None
    bob._reinit = changed
    with pytest.raises(ValidationError, match="not the one that ReInit asked for"):
        Group.join(pending.welcome, package, who, Policy(), parent=bob)


def test_a_successor_without_everybody() -> None:
    """§12.4.3.1: nobody is left behind, as joiners check too."""
    alice, bob, _ = reinitialized("alice", "bob", "carol")
    who = person("bob", NEXT)
    pending, package = welcome_of(alice, ResumptionPSKUsage.reinit, who)
    assert pending.welcome is not None
    with pytest.raises(ValidationError, match="missing in the new one"):
        Group.join(pending.welcome, package, who, Policy(), parent=bob)


def test_a_successor_of_an_older_epoch() -> None:
    """§11.2: the PSK is of the epoch after the commit of the ReInit."""
    alice, bob = reinitialized("alice", "bob")
    psk = ResumptionPSK(ResumptionPSKUsage.reinit, GROUP_ID, alice.epoch - 1)
    with pytest.raises(ValidationError, match=r"11\.2"):
        check_successor_group(_first_epoch(), psk, state_of(bob), bob.reinit, Policy())
    with pytest.raises(ValidationError, match="another group"):
        check_successor_group(_first_epoch(), replace(psk, psk_group_id=b"x"), state_of(bob), bob.reinit, Policy())
    with pytest.raises(ValidationError, match="epoch 1"):
        check_successor_group(state_of(bob), psk, state_of(bob), bob.reinit, Policy())


def _first_epoch() -> EpochState:
    return state_of(found("alice", "bob")[0])


def test_a_branch_of_some_members() -> None:
    """§11.3: a new group of a part of the old one, in the same suite."""
    alice, bob, carol = found("alice", "bob", "carol")
    people, packages = fresh(["bob.2"], SUITE)
    branch, pending = alice.branch(b"branch", person("alice.2"), LIFETIME, [packages[0].key_package])
    branch.merge_pending()
    other = Group.join(pending.welcome or b"", packages[0], people[0], Policy(), parent=bob)
    same(branch, other)
    assert alice.active
    spread(alice.commit(), alice, bob, carol)


def test_a_branch_with_a_stranger() -> None:
    """§11.3: every member of it matches one of the parent, as founder and joiners check."""
    alice, bob = found("alice", "bob")
    _, strangers = fresh(["eve"], SUITE)
    with pytest.raises(ValidationError, match="none of the parent group"):
        alice.branch(b"branch", person("alice"), LIFETIME, [strangers[0].key_package])
    who = person("eve")
    pending, package = welcome_of(alice, ResumptionPSKUsage.branch, who)
    assert pending.welcome is not None
    with pytest.raises(ValidationError, match="none of the parent group"):
        Group.join(pending.welcome, package, who, Policy(), parent=bob)


def test_a_branch_in_another_suite() -> None:
    """§11.3: version and suite stay."""
    alice, bob = found("alice", "bob")
    moved = found("alice", "bob", suite=NEXT)[0]
    psk = ResumptionPSK(ResumptionPSKUsage.branch, GROUP_ID, bob.epoch)
    with pytest.raises(ValidationError, match="another version or cipher suite"):
        check_successor_group(state_of(moved), psk, state_of(bob), None, Policy())
    assert alice.epoch == 1


def test_a_past_epochs_psk_proves_membership() -> None:
    """§8.4: a resumption PSK of usage application, which later members lack."""
    alice, bob = found("alice", "bob")
    past = alice.epoch
    spread(alice.commit(), alice, bob)
    who = person("carol")
    package = bundle(who)
    pending = alice.commit(add=[package.key_package])
    spread(pending, alice, bob)
    carol = Group.join(pending.welcome or b"", package, who, Policy())
    psk = ResumptionPSK(ResumptionPSKUsage.application, GROUP_ID, past)
    proposal = PreSharedKey(PreSharedKeyID(psk, bytes(32)))
    pending = alice.commit(proposals=[proposal])
    staged = stage(bob, pending.commit)
    assert staged.psk_ids == ()
    out(carol, pending.commit, "not available")
    secret = bob.resumption_psk(past)
    assert secret is not None
    carol.add_resumption_psk(GROUP_ID, past, secret)
    spread(pending, alice, bob, carol)


def test_a_newcomer_uses_a_psk_of_another_group() -> None:
    """§12.4.3.1: with the parent it is at hand."""
    alice, bob = found("alice", "bob")
    other = Group.create(SUITE, b"other", person("alice"), LIFETIME, Policy())
    secret = alice.resumption_psk()
    assert secret is not None
    other.add_resumption_psk(GROUP_ID, alice.epoch, secret)
    psk = ResumptionPSK(ResumptionPSKUsage.application, GROUP_ID, alice.epoch)
    who = person("bob")
    package = bundle(who)
    proposal = PreSharedKey(PreSharedKeyID(psk, bytes(32)))
    pending = other.commit(proposals=[proposal], add=[package.key_package])
    other.merge_pending()
    assert pending.welcome is not None
    with pytest.raises(ValidationError, match="not available"):
        Group.join(pending.welcome, package, who, Policy())
    same(Group.join(pending.welcome, package, who, Policy(), parent=bob), other)


def test_only_some_resumption_psks_are_kept() -> None:
    """§8.6: the oldest go."""
    alice, bob = found("alice", "bob", limits=Limits(resumption_psks=2))
    for _ in range(3):
        spread(alice.commit(), alice, bob)
    assert [alice.resumption_psk(epoch) is not None for epoch in range(5)] == [False, False, False, True, True]


def test_identities_are_compared_by_the_policy() -> None:
    """§11.3: credentials may differ if the application calls them one client's."""
    alice, bob = found("alice", "bob")
    renamed = replace(person("bob"), credential=BasicCredential(b"bob.phone"))
    package = bundle(renamed)
    branch, pending = alice.branch(b"branch", person("alice.desk"), LIFETIME, [package.key_package])
    branch.merge_pending()
    same(branch, Group.join(pending.welcome or b"", package, renamed, Policy(), parent=bob))
