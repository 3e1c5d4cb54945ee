"""Joining by external commit (RFC 9420 §12.4.3.2), and what members check of it."""

from dataclasses import replace

import pytest

from secure_chat.mls.credential.extensions import Extension
from secure_chat.mls.errors import CryptoError, DecodeError, UsageError, ValidationError
from secure_chat.mls.group.group import Group
from secure_chat.mls.group.identity import LeafIdentity
from secure_chat.mls.group.limits import Limits
from secure_chat.mls.group.results import Application, Pending
from secure_chat.mls.messages.commit import Commit, ProposalRef
from secure_chat.mls.messages.content import Sender, SenderType
from secure_chat.mls.messages.envelope import MLSMessage
from secure_chat.mls.messages.proposals import Add, ExternalInit, GroupContextExtensions, Proposal, ReInit, Remove
from secure_chat.mls.messages.public import PublicMessage
from secure_chat.mls.messages.welcome import GroupInfo
from secure_chat.mls.registry import ExtensionType
from secure_chat.mls.tree.treekem import create_path
from secure_chat.mls.tree.update_path import UpdatePath
from tests.mls.group.people import (
    GROUP_ID,
    PRIVATE_TYPE,
    Policy,
    apply_changes,
    bundle,
    forge,
    found,
    out,
    own_path,
    person,
    same,
    skipped,
    spread,
    stage,
    state_of,
    stored,
)

NEWCOMER = Sender(SenderType.new_member_commit)


def enter(group: Group, name: str = "zoe", **options: object) -> tuple[Group, Pending]:
    return Group.join_external(group.group_info(), person(name), Policy(), **options)  # type: ignore[arg-type]


def test_a_newcomer_enters_alone() -> None:
    """Everybody follows, the newcomer talks, and gets messages from then on."""
    alice, bob = found("alice", "bob")
    before = alice.protect(b"before")
    zoe, pending = enter(alice, authenticated_data=b"knock")
    staged = stage(bob, pending.commit)
    assert (staged.external, staged.committer.leaf_index, staged.adds, staged.removes) == (True, 2, (), ())
    assert staged.committer.credential == zoe.identity.credential
    assert staged.authenticated_data == b"knock"
    spread(pending, zoe, alice, bob)
    assert zoe.active
    received = alice.receive(zoe.protect(b"hi"))
    assert isinstance(received, Application)
    assert received.sender.leaf_index == 2
    skipped(zoe, before, "epoch")
    spread(zoe.commit(), zoe, alice, bob)


def test_the_new_group_info_comes_with_it() -> None:
    """The next newcomer can enter by what the first one publishes."""
    (alice,) = found("alice")
    zoe, pending = enter(alice)
    spread(pending, zoe, alice)
    assert pending.group_info is not None
    yan, second = Group.join_external(pending.group_info, person("yan"), Policy())
    spread(second, yan, alice, zoe)


def test_a_blank_leaf_is_taken_first() -> None:
    """§12.4.3.2: the leftmost free leaf."""
    alice, bob, carol = found("alice", "bob", "carol")
    spread(alice.commit(remove=[1]), alice, carol)
    zoe, pending = enter(alice)
    spread(pending, zoe, alice, carol)
    assert zoe.own_leaf_index == 1
    assert bob.epoch == 1


def test_a_lost_race_ends_the_attempt() -> None:
    """Discarding leaves a group that can do nothing."""
    alice, bob = found("alice", "bob")
    zoe, pending = enter(alice)
    assert not zoe.active
    for action in (zoe.commit, zoe.group_info, lambda: zoe.protect(b"x"), zoe.propose_update):
        with pytest.raises(UsageError, match="joining"):
            action()
    spread(alice.commit(), alice, bob)
    skipped(bob, pending.commit, "epoch")
    zoe.discard_pending()
    with pytest.raises(UsageError, match="abandoned"):
        zoe.protect(b"x")
    with pytest.raises(UsageError, match="no commit is pending"):
        zoe.merge_pending()


def test_an_attempt_survives_a_crash() -> None:
    """Rows hold it, and merging after loading enters the group."""
    alice, bob = found("alice", "bob")
    zoe, pending = enter(alice)
    rows = stored(zoe)
    again = Group.load(rows, Policy())
    assert again.pending == pending
    spread(pending, again, alice, bob)
    assert again.active
    apply_changes(rows, again)
    loaded = Group.load(rows, Policy())
    same(loaded, alice)
    assert loaded.active
    assert loaded.pending is None


def test_a_lost_device_comes_back() -> None:
    """§12.4.3.2: a rejoin removes the old leaf in the same commit."""
    alice, bob, carol = found("alice", "bob", "carol")
    again, pending = enter(alice, "bob.2", remove=1)
    staged = stage(alice, pending.commit)
    assert [member.leaf_index for member in staged.removes] == [1]
    assert staged.committer.leaf_index == 1
    assert stage(bob, pending.commit).removes_self
    spread(pending, again, alice, carol)
    assert [member.leaf_index for member in alice.members()] == [0, 1, 2]


def test_nobody_else_comes_back() -> None:
    """§12.2: the policy compares the old and the new credential, here and at the members."""
    alice, bob, _ = found("alice", "bob", "carol")
    with pytest.raises(ValidationError, match="another person"):
        enter(alice, "eve", remove=1)
    with pytest.raises(ValidationError, match=r"12\.1\.3"):
        enter(alice, "bob.2", remove=3)
    lenient = Policy()
    lenient.validate_successor = lambda old, new: None  # type: ignore[method-assign]
    _, pending = Group.join_external(alice.group_info(), person("eve"), lenient, remove=1)
    skipped(alice, pending.commit, "another person")
    _, pending = Group.join_external(alice.group_info(), person("eve"), lenient)
    alice._policy.refused.add(b"eve")  # type: ignore[attr-defined]
    skipped(alice, pending.commit, "refused")
    assert stage(bob, pending.commit).external


def test_psks_can_be_mixed_in() -> None:
    """§12.2: an external commit may carry PSKs, which members need."""
    alice, bob = found("alice", "bob")
    alice.add_psk(b"psk", b"secret")
    zoe, pending = enter(alice, psks={b"psk": b"secret"})
    out(bob, pending.commit, "not available")
    bob.add_psk(b"psk", b"secret")
    spread(pending, zoe, alice, bob)


def test_the_tree_may_come_from_elsewhere() -> None:
    """§12.4.3.3."""
    alice, bob = found("alice", "bob")
    info = alice.group_info(ratchet_tree=False)
    with pytest.raises(ValidationError, match=r"12\.4\.3\.3"):
        Group.join_external(info, person("zoe"), Policy())
    zoe, pending = Group.join_external(info, person("zoe"), Policy(), ratchet_tree=alice.ratchet_tree())
    spread(pending, zoe, alice, bob)


def test_a_group_info_without_external_pub() -> None:
    """§12.4.3.2: the key is needed."""
    (alice,) = found("alice")
    with pytest.raises(ValidationError, match="external_pub"):
        Group.join_external(alice.group_info(external=False), person("zoe"), Policy())


def test_something_else_than_a_group_info() -> None:
    """§6: the message is a GroupInfo, rightly signed, of a group not yet known, with room."""
    (alice,) = found("alice")
    with pytest.raises(DecodeError, match="not a GroupInfo"):
        Group.join_external(bundle(person("x")).key_package.message(), person("zoe"), Policy())
    body = MLSMessage.decode(alice.group_info()).body
    assert isinstance(body, GroupInfo)
    broken = MLSMessage.of(replace(body, confirmation_tag=bytes(32))).encode()
    with pytest.raises(CryptoError, match="signature"):
        Group.join_external(broken, person("zoe"), Policy())
    with pytest.raises(ValidationError, match="already a member"):
        enter(alice, known_groups=[GROUP_ID])
    with pytest.raises(ValidationError, match="refused"):
        Group.join_external(alice.group_info(), person("zoe"), Policy({b"alice"}))


def test_a_malformed_external_pub() -> None:
    """§12.4.3.2: it is a key of the suite's KEM."""
    (alice,) = found("alice")
    body = MLSMessage.decode(alice.group_info()).body
    assert isinstance(body, GroupInfo)
    for data, error in ((b"\x05", DecodeError), (b"\x05short", CryptoError)):
        extensions = tuple(
            Extension(ExtensionType.external_pub, data) if item.extension_type == ExtensionType.external_pub else item
            for item in body.extensions
        )
        key = alice.identity.signature_key
        info = GroupInfo.sign(body.group_context, extensions, body.confirmation_tag, 0, key)
        with pytest.raises(error):
            Group.join_external(MLSMessage.of(info).encode(), person("zoe"), Policy())


def test_the_last_epoch_has_no_successor() -> None:
    """§8.1: a GroupInfo may claim the largest epoch, but no commit can follow it."""
    (alice,) = found("alice")
    body = MLSMessage.decode(alice.group_info()).body
    assert isinstance(body, GroupInfo)
    context = replace(body.group_context, epoch=2**64 - 1)
    info = GroupInfo.sign(context, body.extensions, body.confirmation_tag, 0, alice.identity.signature_key)
    with pytest.raises(ValidationError, match=r"8\.1"):
        Group.join_external(MLSMessage.of(info).encode(), person("zoe"), Policy())


def test_an_extension_that_the_newcomer_lacks() -> None:
    """§13.4: the newcomer's own leaf must support the context's extensions."""
    (alice,) = found("alice", extensions=(Extension(PRIVATE_TYPE, b""),))
    with pytest.raises(ValidationError, match=r"13\.4"):
        Group.join_external(alice.group_info(), person("zoe", extensions=()), Policy())


def test_the_number_of_members_is_bounded() -> None:
    """`members` holds for external commits too."""
    alice, bob = found("alice", "bob", limits=Limits(members=2))
    _, pending = enter(alice)
    skipped(bob, pending.commit, "more than 2 members")


# ---- What members refuse -------------------------------------------------------------------------------------------


def forged(group: Group, *items: Proposal | ProposalRef, with_path: bool = True) -> bytes:
    """An external commit with any list of proposals, rightly signed by the leaf in its path."""
    who = person("zoe")
    path = own_path(group, identity=who) if with_path else None
    return forge(group, Commit(items, path), sender=NEWCOMER, key=who.signature_key)


def kem_output(group: Group) -> ExternalInit:
    """A true ExternalInit for the group."""
    _, pending = enter(group)
    body = MLSMessage.decode(pending.commit).body
    assert isinstance(body, PublicMessage)
    commit = body.authenticated.content.content
    assert isinstance(commit, Commit)
    return next(item for item in commit.proposals if isinstance(item, ExternalInit))


@pytest.mark.parametrize(
    "extra",
    [
        Add(bundle(person("dave")).key_package),
        GroupContextExtensions(()),
        ReInit(b"next", 1, 3, ()),
    ],
    ids=lambda item: type(item).__name__,
)
def test_a_proposal_of_another_kind(extra: Proposal) -> None:
    """§12.2: ExternalInit, Remove and PSKs only."""
    alice, bob = found("alice", "bob")
    skipped(bob, forged(alice, kem_output(alice), extra), "must not cover")


def test_no_or_two_external_inits() -> None:
    """§12.2: exactly one."""
    alice, bob = found("alice", "bob")
    init = kem_output(alice)
    skipped(bob, forged(alice), "exactly one ExternalInit")
    skipped(bob, forged(alice, init, init), "exactly one ExternalInit")


def test_two_removes() -> None:
    """§12.2: one old self at most."""
    alice, bob, _ = found("alice", "bob", "carol")
    skipped(bob, forged(alice, kem_output(alice), Remove(0), Remove(2)), "two Removes")


def test_a_proposal_by_reference() -> None:
    """§12.4.3.2: an outsider cannot refer to the group's proposals."""
    alice, bob = found("alice", "bob")
    bob.receive(alice.propose(Remove(1)))
    reference = alice.proposals[0].reference
    skipped(bob, forged(alice, kem_output(alice), ProposalRef(reference)), "refers to a proposal")


def test_no_path() -> None:
    """§12.4.3.2: the path adds the newcomer, and names the key that signs."""
    alice, bob = found("alice", "bob")
    skipped(bob, forged(alice, kem_output(alice), with_path=False), "without a path")


def test_a_signature_of_another_key() -> None:
    """§12.4.3.2: the commit is signed with the key of its own leaf."""
    alice, bob = found("alice", "bob")
    path = own_path(alice, identity=person("zoe"))
    commit = Commit((kem_output(alice),), path)
    skipped(bob, forge(alice, commit, sender=NEWCOMER, key=person("eve").signature_key), "signature is not valid")


def test_a_malformed_kem_output() -> None:
    """§8.3: all members fail alike, and skip."""
    alice, bob = found("alice", "bob")
    who = person("zoe")
    broken = Commit((ExternalInit(b"short"),), own_path_of_newcomer(alice, who))
    skipped(bob, forge(alice, broken, sender=NEWCOMER, key=who.signature_key), "")


def own_path_of_newcomer(group: Group, who: LeafIdentity) -> UpdatePath:
    """A path from the leftmost blank leaf, as a newcomer makes it."""
    tree = state_of(group).tree.copy()
    index = tree.blank_leaf()
    return create_path(tree, index, who, group.group_id).encrypt(tree, b"context")


def test_a_proposal_from_a_new_member_sender() -> None:
    """§6.1: new_member_commit senders only commit."""
    alice, bob = found("alice", "bob")
    skipped(bob, forge(alice, Remove(0), sender=NEWCOMER), "without a path")
