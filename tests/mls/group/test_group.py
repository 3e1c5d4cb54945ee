"""The life of a group: what members do together, in every suite."""

from dataclasses import replace

import pytest

from secure_chat.mls.credential.extensions import Extension, RequiredCapabilities
from secure_chat.mls.crypto.suite import CipherSuite
from secure_chat.mls.errors import SecretConsumedError, UsageError, ValidationError, WrongEpochError
from secure_chat.mls.group.group import Group
from secure_chat.mls.group.limits import Limits
from secure_chat.mls.group.results import (
    Application,
    Out,
    ReceivedProposal,
    SenderKind,
    Skipped,
    StagedCommit,
)
from secure_chat.mls.messages.key_package import KeyPackage
from secure_chat.mls.messages.proposals import Add, GroupContextExtensions, Remove, Update
from tests.mls.group.people import (
    LIFETIME,
    PRIVATE_TYPE,
    Policy,
    bundle,
    create,
    found,
    join,
    person,
    same,
    skipped,
    spread,
    stage,
    stored,
)
from tests.mls.suites import ALL_SUITES


def text(group: Group, message: bytes) -> Application:
    received = group.receive(message)
    assert isinstance(received, Application), received
    return received


@pytest.mark.parametrize("suite", ALL_SUITES, ids=lambda suite: suite.name)
def test_three_people_talk_in_every_suite(suite: CipherSuite) -> None:
    """Create, join by Welcome, update, talk and remove, all ending in the same epoch."""
    alice, bob, carol = found("alice", "bob", "carol", suite=suite)
    same(alice, bob, carol)
    spread(bob.commit(), bob, alice, carol)
    sent = carol.protect(b"hello", b"header")
    for group in (alice, bob):
        received = text(group, sent)
        assert (received.data, received.authenticated_data) == (b"hello", b"header")
        assert received.sender.leaf_index == carol.own_leaf_index
        assert received.current
    pending = alice.commit(remove=[bob.own_leaf_index], public=True)
    staged = stage(bob, pending.commit)
    assert staged.removes_self
    bob.merge(staged)
    assert not bob.active
    spread(pending, alice, carol)
    assert [member.leaf_index for member in alice.members()] == [0, 2]


def test_a_creator_is_alone() -> None:
    """§11: epoch 0, one member, nothing pending."""
    alice = create()
    assert alice.epoch == 0
    assert [member.leaf_index for member in alice.members()] == [0]
    assert alice.pending is None
    assert alice.member(1) is None
    assert alice.active


def test_a_message_opens_once() -> None:
    """§9.2: its key is consumed."""
    alice, bob = found("alice", "bob")
    sent = alice.protect(b"once")
    assert text(bob, sent).generation == 0
    again = bob.receive(sent)
    assert isinstance(again, Skipped)
    assert isinstance(again.reason, SecretConsumedError)


def test_messages_open_in_any_order() -> None:
    """§15.3: reordered messages of one sender all open."""
    alice, bob = found("alice", "bob")
    sent = [alice.protect(bytes([number])) for number in range(10)]
    for number in (9, 3, 0, 8, 1, 2, 7, 4, 6, 5):
        assert text(bob, sent[number]).data == bytes([number])


def test_a_message_too_far_ahead_is_skipped() -> None:
    """§15.3: the forward distance is bounded."""
    alice, bob = found("alice", "bob", limits=Limits(window=5))
    sent = [alice.protect(b"x") for _ in range(8)]
    skipped(bob, sent[6], "too far ahead")
    assert text(bob, sent[5]).generation == 5


def test_late_messages_of_past_epochs_open() -> None:
    """§15.3: with the sender as its epoch's tree names it, even if it is gone or renewed since."""
    alice, bob, carol = found("alice", "bob", "carol")
    from_bob, from_carol = bob.protect(b"bob"), carol.protect(b"carol")
    old_key = carol.identity.signature_key.public
    spread(carol.commit(identity=person("carol.2")), carol, alice, bob)
    spread(alice.commit(remove=[1]), alice, carol)
    received = text(alice, from_bob)
    assert (received.data, received.epoch, received.current) == (b"bob", 1, False)
    assert received.sender.leaf_index == 1
    assert alice.member(1) is None
    assert text(alice, from_carol).sender.signature_key == old_key


def test_only_some_past_epochs_are_kept() -> None:
    """Messages older than `past_epochs` commits cannot be opened any more."""
    alice, bob = found("alice", "bob", limits=Limits(past_epochs=2))
    sent = alice.protect(b"old")
    other = alice.protect(b"older")
    for _ in range(2):
        spread(alice.commit(), alice, bob)
    assert text(bob, sent).data == b"old"
    spread(alice.commit(), alice, bob)
    result = bob.receive(other)
    assert isinstance(result, Skipped)
    assert isinstance(result.reason, WrongEpochError)


def test_no_past_epoch_can_be_kept_at_all() -> None:
    """`past_epochs=0` deletes an epoch's message keys as it ends."""
    alice, bob = found("alice", "bob", limits=Limits(past_epochs=0))
    sent = alice.protect(b"old")
    spread(bob.commit(), bob, alice)
    skipped(bob, sent, "epoch")


def test_a_newcomer_opens_nothing_older() -> None:
    """What was sent before a member joined stays closed to it."""
    alice, bob = found("alice", "bob")
    sent = alice.protect(b"before")
    who = person("carol")
    package = bundle(who)
    pending = alice.commit(add=[package.key_package])
    spread(pending, alice, bob)
    skipped(join(pending, package, who), sent, "epoch")
    assert text(bob, sent).data == b"before"


def test_a_removed_member_opens_nothing_newer() -> None:
    """After its removal a member gets neither messages nor commits of the group."""
    alice, bob, carol = found("alice", "bob", "carol")
    pending = alice.commit(remove=[1])
    bob.merge(stage(bob, pending.commit))
    spread(pending, alice, carol)
    skipped(bob, alice.protect(b"secret"), "epoch")
    skipped(bob, carol.commit().commit, "epoch")
    with pytest.raises(UsageError, match="removed"):
        bob.protect(b"still here")
    with pytest.raises(UsageError, match="removed"):
        bob.commit()


def test_a_removed_member_still_opens_late_messages() -> None:
    """§12.4.2: what was sent in its last epoch."""
    alice, bob, carol = found("alice", "bob", "carol")
    sent = carol.protect(b"late")
    pending = alice.commit(remove=[1])
    bob.merge(stage(bob, pending.commit))
    assert text(bob, sent).data == b"late"
    skipped(bob, carol.commit().commit, "closed")


def test_staged_commits_say_what_they_do() -> None:
    """Adds, removes, updates, extensions, PSKs and the author are there before merging."""
    alice, bob, carol, dave = found("alice", "bob", "carol", "dave")
    for group in (alice, bob, carol, dave):
        group.add_psk(b"psk", b"secret")
    erin = person("erin")
    update = carol.propose_update()
    for group in (alice, bob, dave):
        group.receive(update)
    extension = Extension(PRIVATE_TYPE, b"x")
    pending = alice.commit(
        add=[bundle(erin).key_package],
        remove=[3],
        proposals=[GroupContextExtensions((extension,))],
        psks={b"psk": b"secret"},
        authenticated_data=b"why",
    )
    staged = stage(bob, pending.commit)
    assert (staged.committer.leaf_index, staged.external, staged.epoch) == (0, False, 2)
    assert [(member.leaf_index, member.credential) for member in staged.adds] == [(3, erin.credential)]
    assert [member.leaf_index for member in staged.removes] == [3]
    assert [update.before.leaf_index for update in staged.updates] == [2, 0]
    assert staged.updates[0].before.signature_key == staged.updates[0].after.signature_key
    assert staged.extensions == (extension,)
    assert staged.psk_ids == (b"psk",)
    assert staged.has_path
    assert not staged.reinit
    assert not staged.removes_self
    assert len(staged.proposals) == 5
    assert staged.authenticated_data == b"why"
    assert stage(dave, pending.commit).removes_self
    spread(pending, alice, bob, carol)
    assert bob.extensions == (extension,)


def test_a_staged_commit_can_be_dropped() -> None:
    """Without `merge` nothing has happened, and another commit of the epoch can be merged instead."""
    alice, bob, carol = found("alice", "bob", "carol")
    one, two = bob.commit(), carol.commit()
    alice.changes()
    stage(alice, one.commit)
    assert alice.changes() == []
    assert alice.epoch == 1
    stage(alice, one.commit)
    spread(two, carol, alice, bob)


def test_a_staged_commit_belongs_to_its_group_and_epoch() -> None:
    """Only the group that staged it, and only in that epoch, can merge."""
    alice, bob, carol = found("alice", "bob", "carol")
    one, two = alice.commit(), carol.commit()
    staged, other = stage(bob, one.commit), stage(bob, two.commit)
    with pytest.raises(UsageError):
        carol.merge(staged)
    bob.merge(staged)
    for stale in (staged, other):
        with pytest.raises(UsageError):
            bob.merge(stale)


def test_losing_a_race_drops_the_own_commit() -> None:
    """§14: merging another's commit forgets the pending one."""
    alice, bob = found("alice", "bob")
    alice.commit()
    pending = bob.commit()
    spread(pending, bob, alice)
    assert alice.pending is None
    with pytest.raises(UsageError, match="no commit is pending"):
        alice.merge_pending()
    assert text(bob, alice.protect(b"fine")).data == b"fine"


def test_a_discarded_commit_leaves_no_trace() -> None:
    """The group goes on as if it had not been made, but never uses its message key again."""
    alice, bob = found("alice", "bob")
    first = alice.commit()
    alice.discard_pending()
    alice.discard_pending()
    assert alice.pending is None
    second = alice.commit()
    assert first.commit != second.commit
    staged = stage(bob, second.commit)
    assert staged.epoch == 2
    spread(second, alice, bob)
    skipped(bob, first.commit, "epoch")


def test_only_one_commit_is_pending() -> None:
    """A second one must wait."""
    alice, _ = found("alice", "bob")
    alice.commit()
    with pytest.raises(UsageError, match="pending"):
        alice.commit()


def test_the_own_pending_commit_is_not_received() -> None:
    """Its echo is skipped with a hint; so is a replay once it is merged."""
    alice, bob = found("alice", "bob")
    pending = alice.commit()
    skipped(alice, pending.commit, "merge_pending")
    spread(pending, alice, bob)
    skipped(alice, pending.commit, "epoch")


def test_proposals_are_committed_by_reference() -> None:
    """Anybody's valid proposals are covered by the next commit of anybody else."""
    alice, bob, carol, dave = found("alice", "bob", "carol", "dave")
    erin = person("erin")
    package = bundle(erin)
    messages = [
        (bob, bob.propose_update(public=True)),
        (carol, carol.propose(Add(package.key_package))),
        (bob, bob.propose(Remove(3))),
    ]
    for author, message in messages:
        for group in (alice, bob, carol, dave):
            if group is author:
                continue
            received = group.receive(message)
            assert isinstance(received, ReceivedProposal)
            assert received.sender_kind is SenderKind.MEMBER
            assert received.sender is not None
            assert received.sender.leaf_index == author.own_leaf_index
    for group in (bob, carol):
        assert {kept.reference for kept in group.proposals} == {kept.reference for kept in alice.proposals}
    old_leaf = bob.identity.signature_key.public
    pending = alice.commit()
    staged = stage(bob, pending.commit)
    assert [update.after.leaf_index for update in staged.updates] == [1, 0]
    spread(pending, alice, bob, carol)
    newcomer = join(pending, package, erin)
    same(alice, newcomer)
    assert bob.identity.signature_key.public == old_leaf
    assert alice.proposals == bob.proposals == ()
    assert text(newcomer, bob.protect(b"hi")).data == b"hi"


def test_an_update_can_bring_a_new_identity() -> None:
    """§12.1.2: new credential and signature key, in use from the next epoch on."""
    alice, bob = found("alice", "bob")
    who = person("bob.2")
    alice.receive(bob.propose_update(who))
    spread(alice.commit(), alice, bob)
    assert bob.identity.signature_key is who.signature_key
    received = text(alice, bob.protect(b"new"))
    assert received.sender.credential == who.credential
    spread(bob.commit(identity=person("bob.3")), bob, alice)
    assert text(alice, bob.protect(b"newer")).sender.credential == person("bob.3").credential


def test_leaving_is_committed_by_another() -> None:
    """§12.1.3: a member proposes its own removal, which others commit before they send anything."""
    alice, bob = found("alice", "bob")
    message = bob.propose(Remove(1))
    alice.receive(message)
    with pytest.raises(UsageError, match="commit them"):
        alice.protect(b"x")
    pending = alice.commit()
    staged = stage(bob, pending.commit)
    assert staged.removes_self
    bob.merge(staged)
    alice.merge_pending()
    assert [member.leaf_index for member in alice.members()] == [0]
    alice.protect(b"alone")


def test_a_proposal_can_be_dropped() -> None:
    """The application need not commit what it does not want; another member still may."""
    alice, bob, carol = found("alice", "bob", "carol")
    message = bob.propose(Add(bundle(person("dave")).key_package))
    for group in (alice, carol):
        group.receive(message)
    [kept] = alice.proposals
    alice.drop_proposal(kept.reference)
    alice.drop_proposal(kept.reference)
    alice.drop_proposal(b"unknown")
    assert alice.proposals == ()
    assert text(bob, alice.protect(b"x")).data == b"x"
    assert stage(bob, alice.commit().commit).adds == ()
    alice.discard_pending()
    spread(carol.commit(), carol, alice, bob)
    assert len(alice.members()) == 4


def test_chosen_proposals_are_committed() -> None:
    """`by_reference` names what a commit covers; the rest ends with the epoch."""
    alice, bob, carol = found("alice", "bob", "carol")
    one, two = bob.propose_update(), carol.propose_update()
    for group, message in ((alice, one), (alice, two), (carol, one), (bob, two)):
        group.receive(message)
    reference = alice.proposals[1].reference
    pending = alice.commit(by_reference=[reference])
    staged = stage(bob, pending.commit)
    assert [update.after.leaf_index for update in staged.updates] == [2, 0]
    spread(pending, alice, bob, carol)
    assert bob.proposals == ()


def test_conflicting_proposals_are_sorted_out() -> None:
    """§12.2: removes win over updates, the last update over earlier ones, everything over a double."""
    alice, bob, carol, dave = found("alice", "bob", "carol", "dave")
    erin = bundle(person("erin")).key_package
    for message in (
        bob.propose_update(),
        bob.propose_update(),
        carol.propose_update(),
        bob.propose(Remove(2)),
        dave.propose(Remove(2)),
        dave.propose(Remove(0)),
        bob.propose(Add(erin)),
        dave.propose(Add(erin)),
    ):
        for group in (alice, bob, carol, dave):
            group.receive(message)
    pending = alice.commit()
    staged = stage(bob, pending.commit)
    assert [member.leaf_index for member in staged.removes] == [2]
    assert [update.after.leaf_index for update in staged.updates] == [1, 0]
    assert staged.updates[0].after.leaf.encryption_key == _last_update(alice, 1)
    assert len(staged.adds) == 1
    spread(pending, alice, bob, dave)


def test_proposals_that_fit_nowhere_do_not_block_commits() -> None:
    """§12.2: a proposal that no valid list can cover is left out, whatever it breaks."""
    alice, bob, carol = found("alice", "bob", "carol")
    thief = replace(person("carol.2"), signature_key=bob.identity.signature_key)
    old, twin = bundle(carol.identity).key_package, bundle(person("dave")).key_package
    context = GroupContextExtensions((Extension(PRIVATE_TYPE, b""),))
    for message in (
        carol.propose_update(thief),
        carol.propose(Add(old)),
        carol.propose(Add(twin)),
        carol.propose(Add(twin)),
        carol.propose(GroupContextExtensions((Extension(0xF999, b""),))),
        carol.propose(context),
        carol.propose(context),
    ):
        for group in (alice, bob):
            assert isinstance(group.receive(message), ReceivedProposal)
    staged = stage(bob, alice.commit().commit)
    assert [type(proposal).__name__ for proposal in staged.proposals] == ["Add", "GroupContextExtensions"]
    alice.discard_pending()
    staged = stage(bob, alice.commit(remove=[2]).commit)
    assert [type(proposal).__name__ for proposal in staged.proposals] == [
        "Add",
        "Add",
        "GroupContextExtensions",
        "Remove",
    ]


def test_a_member_that_is_replaced_is_added_again() -> None:
    """§12.2: an Add for a client in the group goes with the Remove of its old leaf."""
    alice, bob, carol = found("alice", "bob", "carol")
    again = bundle(carol.identity)
    for message in (bob.propose(Add(again.key_package)), bob.propose(Remove(2))):
        alice.receive(message)
    staged = stage(bob, alice.commit().commit)
    assert [member.leaf_index for member in staged.removes] == [2]
    assert [member.leaf_index for member in staged.adds] == [2]


def test_who_is_removed_can_tell_a_commits_welcome_from_another_groups() -> None:
    """§8.1: a staged commit names the context that its newcomers start from, even for the member it removes."""
    alice, bob, carol = found("alice", "bob", "carol")
    again = bundle(carol.identity)
    pending = alice.commit(add=[again.key_package], remove=[2])
    staged = stage(carol, pending.commit)
    assert staged.removes_self
    returned = join(pending, again, carol.identity)
    assert staged.context == returned.context == stage(bob, pending.commit).context
    assert staged.context != carol.context
    spread(pending, alice, bob)
    assert alice.context == returned.context


def test_a_newcomer_knows_who_let_it_in() -> None:
    """§12.4.3.1: the Welcome's GroupInfo is signed by the committer, whoever delivers it."""
    alice, bob = found("alice", "bob")
    carol = person("carol")
    package = bundle(carol)
    pending = bob.commit(add=[package.key_package])
    spread(pending, bob, alice)
    group = join(pending, package, carol)
    assert group.introducer == bob.member(bob.own_leaf_index)
    assert bob.introducer is not None
    assert bob.introducer.leaf_index == 0
    assert alice.introducer is None


def test_a_message_of_an_epoch_not_reached_says_so() -> None:
    """A member that has missed a commit can tell its messages from those that are too old."""
    alice, bob = found("alice", "bob", limits=Limits(past_epochs=0))
    old = alice.protect(b"old")
    pending = alice.commit()
    alice.merge_pending()
    new = bob.receive(alice.protect(b"new"))
    assert isinstance(new, Skipped)
    assert isinstance(new.reason, WrongEpochError)
    assert new.reason.ahead
    bob.merge(stage(bob, pending.commit))
    late = bob.receive(old)
    assert isinstance(late, Skipped)
    assert isinstance(late.reason, WrongEpochError)
    assert not late.reason.ahead


def test_own_updates_go_by_their_own_method() -> None:
    """`propose` has no private key for an Update."""
    alice, _ = found("alice", "bob")
    leaf = alice.identity.update_leaf(bytes(32), b"", 0)
    with pytest.raises(UsageError, match="propose_update"):
        alice.propose(Update(leaf))


def test_the_last_message_key_is_never_used() -> None:
    """§9.1: generations end; the group asks for a commit and keeps nothing."""
    alice, _ = found("alice", "bob")
    alice.propose(Remove(1))
    alice.drop_proposal(alice.proposals[0].reference)
    alice.protect(b"x")
    rows = stored(alice)
    for row in [row for row in rows if row.startswith(b"keys/") and row[13:14] in (b"h", b"a")]:
        rows[row] = b"\xff" * 4 + rows[row][4:]
    worn = Group.load(rows, Policy())
    for action in (worn.propose_update, worn.commit, lambda: worn.protect(b"x")):
        with pytest.raises(UsageError, match="used up"):
            action()
    assert worn.proposals == ()
    assert worn.pending is None


def test_the_tree_hash_can_be_asked() -> None:
    """§7.8: alike at all members."""
    alice, bob = found("alice", "bob")
    assert alice.tree_hash == bob.tree_hash


def _last_update(group: Group, leaf_index: int) -> bytes:
    proposals = [kept.proposal for kept in group.proposals if kept.sender and kept.sender.leaf_index == leaf_index]
    return [proposal.leaf_node.encryption_key for proposal in proposals if isinstance(proposal, Update)][-1]


def test_a_commit_can_go_without_a_path() -> None:
    """§12.4: adds alone do not need one; an empty commit and removals do."""
    alice, bob = found("alice", "bob")
    carol = person("carol")
    package = bundle(carol)
    pending = alice.commit(add=[package.key_package], force_path=False)
    assert not stage(bob, pending.commit).has_path
    spread(pending, alice, bob)
    newcomer = join(pending, package, carol)
    same(alice, newcomer)
    empty = newcomer.commit(force_path=False)
    assert stage(alice, empty.commit).has_path
    spread(empty, newcomer, alice, bob)


def test_the_tree_may_travel_apart() -> None:
    """§12.4.3.3: a Welcome without the tree needs it from elsewhere."""
    alice = create()
    who = person("bob")
    package = bundle(who)
    pending = alice.commit(add=[package.key_package], ratchet_tree=False)
    alice.merge_pending()
    assert pending.welcome is not None
    with pytest.raises(ValidationError, match=r"12\.4\.3\.3"):
        Group.join(pending.welcome, package, who, Policy())
    bob = Group.join(pending.welcome, package, who, Policy(), ratchet_tree=alice.ratchet_tree())
    same(alice, bob)


def test_lifetimes_are_checked_by_who_adds() -> None:
    """§7.3: with `now`, only key packages valid then are added or proposed."""
    alice = create()
    package = bundle(person("bob")).key_package
    for now in (LIFETIME.not_before - 1, LIFETIME.not_after + 1):
        with pytest.raises(ValidationError, match=r"7\.3"):
            alice.commit(add=[package], now=now)
        with pytest.raises(ValidationError, match=r"7\.3"):
            alice.propose(Add(package), now=now)
    assert alice.proposals == ()
    alice.commit(add=[package], now=LIFETIME.not_after)


def test_exported_secrets_agree() -> None:
    """§8.5: all members export the same, another epoch gives another secret."""
    alice, bob = found("alice", "bob")
    secret = alice.export("label", b"context", 40)
    assert secret == bob.export("label", b"context", 40)
    spread(alice.commit(), alice, bob)
    assert alice.export("label", b"context", 40) != secret


def test_unknown_extensions_are_carried() -> None:
    """§13.4: a GroupContext extension that all support is kept as it is; one that somebody lacks is refused."""
    extension = Extension(PRIVATE_TYPE, b"anything")
    alice, bob = found("alice", "bob", extensions=(extension,))
    assert bob.extensions == (extension,)
    with pytest.raises(ValidationError, match=r"13\.4"):
        alice.commit(add=[bundle(person("carol", extensions=())).key_package])
    with pytest.raises(ValidationError, match=r"13\.4"):
        alice.commit(proposals=[GroupContextExtensions((Extension(0xF999, b""),))])
    assert alice.pending is None


def test_required_capabilities_bind_newcomers() -> None:
    """§11.1: who lacks a required capability cannot be added, nor be required of those who lack it."""
    required = RequiredCapabilities((PRIVATE_TYPE,)).extension()
    alice, bob = found("alice", "bob", extensions=(required,))
    with pytest.raises(ValidationError, match=r"11\.1"):
        alice.commit(add=[bundle(person("carol", extensions=())).key_package])
    more = RequiredCapabilities((0xF124,)).extension()
    with pytest.raises(ValidationError, match=r"11\.1"):
        alice.commit(proposals=[GroupContextExtensions((more,))])
    spread(alice.commit(proposals=[GroupContextExtensions(())]), alice, bob)
    alice.commit(add=[bundle(person("carol", extensions=())).key_package])


def test_the_policy_decides_about_newcomers() -> None:
    """§5.3.1: a refused credential is neither added, nor accepted from others, nor joined with."""
    alice, bob = found("alice", "bob")
    eve = person("eve")
    package = bundle(eve)
    pending = alice.commit(add=[package.key_package])
    bob._policy.refused.add(b"eve")  # type: ignore[attr-defined]
    skipped(bob, pending.commit, "refused by the policy")
    assert pending.welcome is not None
    policy = Policy({b"alice"})
    with pytest.raises(ValidationError, match="refused"):
        Group.join(pending.welcome, package, eve, policy)
    with pytest.raises(ValidationError, match="refused"):
        create(policy=policy)


def test_the_number_of_members_is_bounded() -> None:
    """`members` bounds adding, following and joining."""
    limits = Limits(members=2)
    alice, bob = found("alice", "bob", limits=limits)
    package = bundle(person("carol")).key_package
    with pytest.raises(ValidationError, match="more than 2 members"):
        alice.commit(add=[package])
    dave, who = create("dave"), person("erin")
    mine = bundle(who)
    pending = dave.commit(add=[package, mine.key_package])
    with pytest.raises(ValidationError, match="more than 2 members"):
        join(pending, mine, who, limits)
    spread(bob.commit(), bob, alice)


def test_sizes_are_bounded() -> None:
    """Neither too long a message is sent nor one read."""
    alice, bob = found("alice", "bob", limits=Limits(application_bytes=100, message_bytes=3_000))
    with pytest.raises(UsageError, match="100 bytes"):
        alice.protect(bytes(101))
    skipped(bob, bytes(3_001), "more than 3000 bytes")
    assert text(bob, alice.protect(bytes(100))).data == bytes(100)


def test_the_number_of_proposals_is_bounded() -> None:
    """`proposals` bounds what is kept in an epoch."""
    alice, bob = found("alice", "bob", limits=Limits(proposals=2))
    messages = [bob.propose(Remove(0)), bob.propose(Remove(1))]
    with pytest.raises(ValidationError, match="more than 2 proposals"):
        bob.propose_update()
    for message in messages:
        assert isinstance(alice.receive(message), ReceivedProposal)
    carol = Group.load(stored(bob), Policy(), Limits(proposals=3))
    skipped(alice, carol.propose_update(), "more than 2 proposals")


def test_the_size_of_proposals_is_bounded() -> None:
    """`proposal_bytes` bounds them together, before and after loading."""
    limits = Limits(proposal_bytes=2_500)
    alice, bob = found("alice", "bob", limits=limits)
    large = [Extension(PRIVATE_TYPE, bytes(2_000)), Extension(PRIVATE_TYPE, bytes(1_000))]
    small = bob.propose(GroupContextExtensions((large[1],)))
    first = bob.propose(GroupContextExtensions(()))
    with pytest.raises(ValidationError, match="more than 2500 bytes"):
        bob.propose(GroupContextExtensions((large[0],)))
    assert isinstance(alice.receive(small), ReceivedProposal)
    assert isinstance(alice.receive(first), ReceivedProposal)
    again = Group.load(stored(alice), Policy(), limits)
    with pytest.raises(ValidationError, match="more than 2500 bytes"):
        again.propose(GroupContextExtensions((large[0],)))


def test_leaves_may_not_live_too_long() -> None:
    """§7.2: with a longest lifetime set, key packages beyond it are refused, in adds and on joining."""
    short = Limits(leaf_lifetime=999)
    alice = create()
    who = person("bob")
    package = bundle(who)
    pending = alice.commit(add=[package.key_package])
    with pytest.raises(ValidationError, match=r"7\.2"):
        join(pending, package, who, short)
    join(pending, package, who, Limits(leaf_lifetime=1_000))
    with pytest.raises(ValidationError, match=r"7\.2"):
        create("carol", limits=short).commit(add=[package.key_package])


def test_garbage_is_skipped() -> None:
    """§6: whatever the bytes, `receive` gives a result."""
    _, bob = found("alice", "bob")
    package = bundle(person("carol")).key_package
    for message in (b"", b"\x00", bytes(100), b"\x00\x01\x00\x09", package.message(), b"\x00\x02" + bytes(30)):
        assert isinstance(bob.receive(message), Skipped)
    assert isinstance(KeyPackage.from_message(package.message()), KeyPackage)


def test_results_are_of_different_types() -> None:
    """Only a StagedCommit can be merged, whatever the type checker says."""
    alice, bob = found("alice", "bob")
    result = bob.receive(alice.protect(b"x"))
    assert not isinstance(result, StagedCommit | Out)
