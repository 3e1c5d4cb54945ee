"""One test for each rule that messages to a group must keep, and a commit that keeps them all for comparison.

Forged commits have everything right but the confirmation tag: a member whose public checks pass ends with `Out`.
"""

import os
import re
from dataclasses import replace

import pytest

from secure_chat.mls.credential.credential import BasicCredential, UnknownCredential, X509Credential
from secure_chat.mls.credential.extensions import (
    Capabilities,
    Extension,
    ExternalSender,
    ExternalSenders,
    RequiredCapabilities,
)
from secure_chat.mls.crypto.labels import sign_with_label
from secure_chat.mls.crypto.suite import SUITES, HPKEPrivateKey, SignaturePrivateKey
from secure_chat.mls.errors import ValidationError
from secure_chat.mls.group.group import Group
from secure_chat.mls.group.limits import Limits
from secure_chat.mls.group.outside import propose_external, propose_self
from secure_chat.mls.group.proposal_list import check_extensions, check_proposal
from secure_chat.mls.group.results import Application, Out, ReceivedProposal, SenderKind
from secure_chat.mls.messages.commit import Commit, ProposalRef
from secure_chat.mls.messages.content import ContentType, Sender, SenderType
from secure_chat.mls.messages.envelope import MLSMessage
from secure_chat.mls.messages.key_package import KeyPackage, KeyPackageBundle
from secure_chat.mls.messages.proposals import (
    Add,
    ExternalInit,
    GroupContextExtensions,
    PreSharedKey,
    Proposal,
    ReInit,
    Remove,
    Update,
)
from secure_chat.mls.messages.public import PublicMessage
from secure_chat.mls.registry import ExtensionType, ProtocolVersion
from secure_chat.mls.schedule.psk import ExternalPSK, PreSharedKeyID, ResumptionPSK, ResumptionPSKUsage
from tests.mls.group.people import (
    GROUP_ID,
    LIFETIME,
    PRIVATE_TYPE,
    SUITE,
    Policy,
    bundle,
    create,
    forge,
    forge_commit,
    found,
    out,
    own_path,
    person,
    skipped,
    stage,
    state_of,
    stored,
)


@pytest.fixture
def people() -> tuple[Group, Group, Group]:
    alice, bob, carol = found("alice", "bob", "carol")
    return alice, bob, carol


def package(name: str = "dave", **changes: object) -> KeyPackage:
    """A key package with fields changed after signing."""
    return replace(bundle(person(name)).key_package, _encoded=b"", **changes)  # type: ignore[arg-type]


def psk(nonce: int = 32) -> PreSharedKey:
    return PreSharedKey(PreSharedKeyID(ExternalPSK(b"psk"), os.urandom(nonce)))


def resumption(usage: ResumptionPSKUsage) -> PreSharedKey:
    return PreSharedKey(PreSharedKeyID(ResumptionPSK(usage, GROUP_ID, 1), os.urandom(32)))


def reinit(version: int = 1) -> ReInit:
    return ReInit(b"next", version, 3, ())


def update_of(group: Group, **changes: object) -> Update:
    """An Update for the member's leaf, with fields changed before signing."""
    identity = replace(group.identity, **changes)  # type: ignore[arg-type]
    key = HPKEPrivateKey.generate(SUITE).public
    return Update(identity.update_leaf(key, group.group_id, group.own_leaf_index))


# ---- The commit that keeps all rules ------------------------------------------------------------------------------


def test_a_forged_commit_passes_all_public_checks(people: tuple[Group, Group, Group]) -> None:
    """§12.4.2: only the confirmation tag is wrong, which this member alone decides."""
    alice, bob, _ = people
    result = out(bob, forge_commit(alice), "cannot be opened")
    assert result.author is not None
    assert result.author.leaf_index == alice.own_leaf_index
    out(bob, forge_commit(alice, Add(package()), with_path=False), "confirmation tag")


# ---- Framing: §6 ---------------------------------------------------------------------------------------------------


def test_another_group(people: tuple[Group, Group, Group]) -> None:
    """§6: the group id is this group's."""
    alice, bob, _ = people
    skipped(bob, forge(alice, Remove(2), group_id=b"other"), "another group")


@pytest.mark.parametrize("epoch", [0, 2, 2**64 - 1])
def test_another_epoch(people: tuple[Group, Group, Group], epoch: int) -> None:
    """§12.1, §12.4.2: handshake messages are of the current epoch."""
    alice, bob, _ = people
    skipped(bob, forge(alice, Remove(2), epoch=epoch), "epoch")


def test_application_data_in_the_clear(people: tuple[Group, Group, Group]) -> None:
    """§6: application data are always encrypted."""
    alice, bob, _ = people
    skipped(bob, forge(alice, b"data"), "application data in a PublicMessage")


def test_a_wrong_membership_tag(people: tuple[Group, Group, Group]) -> None:
    """§6.2: the tag proves membership."""
    alice, bob, _ = people
    skipped(bob, forge(alice, Remove(2), membership_key=bytes(32)), "MAC is not valid")


def test_a_wrong_signature(people: tuple[Group, Group, Group]) -> None:
    """§6.1: members sign with their leaf's key."""
    alice, bob, carol = people
    skipped(bob, forge(alice, Remove(2), key=carol.identity.signature_key), "signature is not valid")


def test_a_blank_sender(people: tuple[Group, Group, Group]) -> None:
    """§6.3.2: the sender's leaf is taken."""
    alice, bob, _ = people
    for index in (3, 100):
        skipped(bob, forge(alice, Remove(2), sender=Sender(SenderType.member, index)), "blank leaf")


def test_a_blank_sender_of_an_encrypted_message(people: tuple[Group, Group, Group]) -> None:
    """§6.3.2: the leaf index in the sender data names a member."""
    alice, bob, _ = people
    channel = state_of(alice).channel
    skipped(bob, channel.seal(ContentType.application, 3, b"", b"\x00\x00"), "blank leaf")
    skipped(bob, channel.seal(ContentType.proposal, 3, b"", b"\x00\x03\x00\x00\x00\x02\x00"), "blank leaf")


def test_a_wrong_signature_in_an_encrypted_message(people: tuple[Group, Group, Group]) -> None:
    """§6.1, §9.2: it is skipped and its key stays, so that the true message of that generation still opens."""
    alice, bob, carol = people
    rows = stored(alice)
    forged = state_of(alice).channel.protect_application(0, carol.identity.signature_key, b"forged", b"")
    skipped(bob, forged, "signature is not valid")
    result = bob.receive(Group.load(rows, Policy()).protect(b"true"))
    assert isinstance(result, Application)
    assert (result.generation, result.data) == (0, b"true")


def test_padding_that_is_not_zero(people: tuple[Group, Group, Group]) -> None:
    """§6.3.1: nothing hides in the padding."""
    alice, bob, _ = people
    channel = state_of(alice).channel
    for content_type, content in ((ContentType.application, b"\x00\x00"), (ContentType.proposal, b"\0\3\0\0\0\2\0")):
        skipped(bob, channel.seal(content_type, 0, b"", content + b"\x01"), "padding")


def test_tampered_ciphertexts(people: tuple[Group, Group, Group]) -> None:
    """§6.3: every bit of an encrypted message is authenticated, and the message opens afterwards."""
    alice, bob, _ = people
    message = alice.protect(b"data", b"header")
    for position in range(0, len(message), 5):
        changed = message[:position] + bytes([message[position] ^ 1]) + message[position + 1 :]
        skipped(bob, changed, "")
    assert bob.receive(message)


# ---- Senders: §6.1, §12.1.8 ---------------------------------------------------------------------------------------


def senders(*keys: SignaturePrivateKey) -> Extension:
    return ExternalSenders(tuple(ExternalSender(key.public, BasicCredential(b"service")) for key in keys)).extension()


def external(sender_index: int = 0) -> Sender:
    return Sender(SenderType.external, sender_index)


@pytest.fixture
def service() -> tuple[SignaturePrivateKey, Group, Group]:
    key = SignaturePrivateKey.generate(SUITE)
    alice, bob = found("alice", "bob", extensions=(senders(key),))
    return key, alice, bob


@pytest.mark.parametrize(
    "proposal", [Remove(0), reinit(), psk(), GroupContextExtensions(()), None], ids=lambda item: type(item).__name__
)
def test_external_senders_may_propose(
    service: tuple[SignaturePrivateKey, Group, Group], proposal: Proposal | None
) -> None:
    """§12.1.8: add, remove, psk, reinit and group_context_extensions."""
    key, _, bob = service
    message = propose_external(SUITE, GROUP_ID, 1, 0, key, proposal or Add(package()), b"aad")
    received = bob.receive(message)
    assert isinstance(received, ReceivedProposal)
    assert (received.sender, received.sender_kind) == (None, SenderKind.EXTERNAL)
    assert received.authenticated_data == b"aad"


def test_external_senders_may_not_propose_the_rest(service: tuple[SignaturePrivateKey, Group, Group]) -> None:
    """§12.1.8: neither update nor external_init, and no commit."""
    key, alice, bob = service
    skipped(bob, forge(alice, update_of(alice), sender=external(), key=key), "12.1.8")
    skipped(bob, forge(alice, ExternalInit(b"x"), sender=external(), key=key), "12.1.8")
    skipped(bob, forge(alice, Commit((), own_path(alice)), sender=external(), key=key), "must not send")


def test_an_unknown_external_sender(service: tuple[SignaturePrivateKey, Group, Group]) -> None:
    """§12.1.8: senders are provisioned in the group's extension, and sign with the key there."""
    key, alice, bob = service
    skipped(bob, propose_external(SUITE, GROUP_ID, 1, 1, key, Remove(0)), "no such external sender")
    other = SignaturePrivateKey.generate(SUITE)
    skipped(bob, propose_external(SUITE, GROUP_ID, 1, 0, other, Remove(0)), "signature is not valid")
    lonely = create()
    skipped(lonely, propose_external(SUITE, GROUP_ID, 0, 0, key, Remove(0)), "no such external sender")
    assert alice.proposals == ()


def test_an_external_senders_certificate_is_for_its_key() -> None:
    """§5.3: one for another key, or none at all, is refused before the policy is asked."""
    for chain in ((), (b"no certificate",)):
        senders = ExternalSenders((ExternalSender(b"key", X509Credential(chain)),)).extension()
        with pytest.raises(ValidationError, match=r"§5\.3"):
            check_extensions((senders,), Policy())


def test_malformed_external_senders_are_refused() -> None:
    """§12.1.8.1: the extension decodes, and the policy knows its senders."""
    alice, bob = found("alice", "bob")
    broken = GroupContextExtensions((Extension(ExtensionType.external_senders, b"\x05"),))
    skipped(bob, forge(alice, broken), "12.1.8.1")
    key = SignaturePrivateKey.generate(SUITE)
    bob._policy.refused.add(b"service")  # type: ignore[attr-defined]
    skipped(bob, forge(alice, GroupContextExtensions((senders(key),))), "refused by the policy")


def test_newcomers_propose_themselves(people: tuple[Group, Group, Group]) -> None:
    """§12.1.8: with the key of their key package, and nothing but their Add."""
    alice, bob, _ = people
    who = person("dave")
    mine = bundle(who)
    received = bob.receive(propose_self(SUITE, GROUP_ID, 1, mine.key_package, who.signature_key))
    assert isinstance(received, ReceivedProposal)
    assert received.sender_kind is SenderKind.NEW_MEMBER_PROPOSAL
    newcomer = Sender(SenderType.new_member_proposal)
    other = person("eve").signature_key
    skipped(bob, forge(alice, Add(package("eve")), sender=newcomer, key=other), "signature is not valid")
    skipped(bob, forge(alice, Remove(0), sender=newcomer, key=other), "6.1")
    skipped(bob, forge(alice, Commit((), None), sender=newcomer, key=other), "6.1")


# ---- Single proposals: §12.1 --------------------------------------------------------------------------------------


def both_ways(people: tuple[Group, Group, Group], proposal: Proposal, reason: str) -> None:
    """The proposal is refused by reference, by value and when this member commits it itself."""
    alice, bob, _ = people
    skipped(bob, forge(alice, proposal), reason)
    skipped(bob, forge(alice, Commit((proposal,), own_path(alice))), reason)
    if not isinstance(proposal, Update):
        with pytest.raises(Exception, match=re.escape(reason)):
            alice.commit(proposals=[proposal])
        assert alice.pending is None


def test_add_with_another_suite(people: tuple[Group, Group, Group]) -> None:
    """§10.1: the key package is for the group's suite."""
    both_ways(people, Add(package(cipher_suite=1)), "10.1")


def test_add_with_a_broken_signature(people: tuple[Group, Group, Group]) -> None:
    """§10.1: the key package is signed."""
    both_ways(people, Add(package(signature=bytes(64))), "signature is not valid")
    both_ways(people, Add(package(extensions=(Extension(1, b""),))), "signature is not valid")


def test_add_with_a_broken_leaf_signature(people: tuple[Group, Group, Group]) -> None:
    """§7.3: the leaf is signed."""
    who = person("dave")
    good = bundle(who).key_package
    leaf = replace(good.leaf_node, signature=bytes(64), _encoded=b"")
    both_ways(people, Add(replace(good, leaf_node=leaf, _encoded=b"")), "signature is not valid")


def test_add_with_one_key_for_two_purposes(people: tuple[Group, Group, Group]) -> None:
    """§10.1: init_key and encryption_key differ."""
    good = bundle(person("dave")).key_package
    both_ways(people, Add(replace(good, init_key=good.leaf_node.encryption_key, _encoded=b"")), "10.1")


def test_add_with_a_malformed_init_key(people: tuple[Group, Group, Group]) -> None:
    """§10: the init key is one of the suite's KEM."""
    both_ways(people, Add(package(init_key=b"short")), "RFC 9420 §10)")


def test_add_with_a_repeated_extension(people: tuple[Group, Group, Group]) -> None:
    """§13.4: no type twice in a key package's extensions."""
    double = (Extension(PRIVATE_TYPE, b""), Extension(PRIVATE_TYPE, b""))
    mine = KeyPackageBundle.generate(SUITE, person("dave"), LIFETIME, double)
    both_ways(people, Add(mine.key_package), "13.4")


def test_add_with_an_update_leaf(people: tuple[Group, Group, Group]) -> None:
    """§7.3, §10.1: the leaf comes from a key package."""
    who = person("dave")
    leaf = who.update_leaf(HPKEPrivateKey.generate(SUITE).public, GROUP_ID, 3)
    both_ways(people, Add(package(leaf_node=leaf)), "7.3")


def test_update_from_outside(people: tuple[Group, Group, Group]) -> None:
    """§12.1.2: only members update; by value an Update would be the committer's own (§12.2)."""
    alice, bob, _ = people
    skipped(bob, forge_commit(alice, update_of(alice)), "12.2")
    state = state_of(bob)
    with pytest.raises(ValidationError, match=r"12\.1\.2"):
        check_proposal(update_of(alice), external(), state.context, state.tree, Policy(), Limits())


def test_update_with_the_old_key(people: tuple[Group, Group, Group]) -> None:
    """§7.3: the encryption key is fresh."""
    alice, bob, _ = people
    old = state_of(alice).own_leaf.encryption_key
    leaf = alice.identity.update_leaf(old, GROUP_ID, 0)
    skipped(bob, forge(alice, Update(leaf)), "old encryption key")


def test_update_with_another_source(people: tuple[Group, Group, Group]) -> None:
    """§7.3: the leaf is made for an Update."""
    alice, bob, _ = people
    key = HPKEPrivateKey.generate(SUITE).public
    skipped(bob, forge(alice, Update(alice.identity.key_package_leaf(key, LIFETIME))), "7.3")
    skipped(bob, forge(alice, Update(alice.identity.commit_leaf(key, b"", GROUP_ID, 0))), "7.3")


def test_update_for_another_place(people: tuple[Group, Group, Group]) -> None:
    """§7.2: the leaf is signed for this group and leaf index."""
    alice, bob, _ = people
    key = HPKEPrivateKey.generate(SUITE).public
    skipped(bob, forge(alice, Update(alice.identity.update_leaf(key, GROUP_ID, 1))), "signature is not valid")
    skipped(bob, forge(alice, Update(alice.identity.update_leaf(key, b"other", 0))), "signature is not valid")


def test_update_with_another_persons_credential(people: tuple[Group, Group, Group]) -> None:
    """§5.3.1, §7.3: the policy compares old and new credential."""
    alice, bob, _ = people
    skipped(bob, forge(alice, update_of(alice, credential=BasicCredential(b"eve"))), "another person")
    bob._policy.refused.add(b"alice.2")  # type: ignore[attr-defined]
    skipped(bob, forge(alice, update_of(alice, credential=BasicCredential(b"alice.2"))), "refused")


def test_remove_of_a_blank_leaf(people: tuple[Group, Group, Group]) -> None:
    """§12.1.3: somebody is there."""
    both_ways(people, Remove(3), "12.1.3")
    both_ways(people, Remove(2**32 - 1), "12.1.3")


@pytest.mark.parametrize("length", [0, 31, 33])
def test_psk_with_a_short_nonce(people: tuple[Group, Group, Group], length: int) -> None:
    """§12.1.4: KDF.Nh bytes."""
    both_ways(people, psk(length), "12.1.4")


@pytest.mark.parametrize("usage", [ResumptionPSKUsage.reinit, ResumptionPSKUsage.branch])
def test_psk_for_founding(people: tuple[Group, Group, Group], usage: ResumptionPSKUsage) -> None:
    """§12.1.4, §11.2, §11.3: these usages found groups and nothing else."""
    both_ways(people, resumption(usage), "12.1.4")


def test_reinit_to_an_older_version(people: tuple[Group, Group, Group]) -> None:
    """§12.1.5: no step back."""
    both_ways(people, reinit(0), "12.1.5")


def test_reinit_with_a_repeated_extension(people: tuple[Group, Group, Group]) -> None:
    """§13.4: no type twice."""
    double = (Extension(PRIVATE_TYPE, b""), Extension(PRIVATE_TYPE, b""))
    both_ways(people, replace(reinit(), extensions=double), "13.4")


def test_external_init_from_a_member(people: tuple[Group, Group, Group]) -> None:
    """§12.1.6: only in an external commit."""
    both_ways(people, ExternalInit(b"x"), "12.1.6")


def test_context_with_a_repeated_extension(people: tuple[Group, Group, Group]) -> None:
    """§13.4: no type twice."""
    double = (Extension(PRIVATE_TYPE, b""), Extension(PRIVATE_TYPE, b""))
    both_ways(people, GroupContextExtensions(double), "13.4")


def test_malformed_required_capabilities(people: tuple[Group, Group, Group]) -> None:
    """§11.1: the extension decodes."""
    broken = Extension(ExtensionType.required_capabilities, b"\x01")
    both_ways(people, GroupContextExtensions((broken,)), "11.1")


# ---- Lists of proposals: §12.2 ------------------------------------------------------------------------------------


def refused_list(people: tuple[Group, Group, Group], reason: str, *items: Proposal) -> None:
    """The list is refused when received, and when this member commits it itself."""
    alice, bob, _ = people
    skipped(bob, forge(alice, Commit(items, own_path(alice))), reason)
    with pytest.raises(Exception, match=re.escape(reason)):
        alice.commit(proposals=items)
    assert alice.pending is None


def test_own_update_by_reference(people: tuple[Group, Group, Group]) -> None:
    """§12.2: the committer's path replaces its leaf already."""
    alice, bob, _ = people
    bob.receive(alice.propose_update())
    reference = alice.proposals[0].reference
    skipped(bob, forge_commit(alice, ProposalRef(reference)), "Update of the committer")
    with pytest.raises(Exception, match="Update of the committer"):
        alice.commit(by_reference=[reference])


def test_removing_the_committer(people: tuple[Group, Group, Group]) -> None:
    """§12.2: nobody commits its own removal."""
    refused_list(people, "removes the committer", Remove(0))


def test_two_removes_of_one_leaf(people: tuple[Group, Group, Group]) -> None:
    """§12.2: one change to each leaf."""
    refused_list(people, "for one leaf", Remove(2), Remove(2))


def test_update_and_remove_of_one_leaf(people: tuple[Group, Group, Group]) -> None:
    """§12.2: one change to each leaf."""
    alice, bob, carol = people
    update = carol.propose_update()
    alice.receive(update)
    bob.receive(update)
    reference = alice.proposals[0].reference
    message = forge(alice, Commit((ProposalRef(reference), Remove(2)), own_path(alice)))
    skipped(bob, message, "for one leaf")
    with pytest.raises(Exception, match="for one leaf"):
        alice.commit(by_reference=[reference], remove=[2])


def test_two_adds_of_one_client(people: tuple[Group, Group, Group]) -> None:
    """§12.2, §7.3: signature keys are unique."""
    who = person("dave")
    one, two = bundle(who).key_package, bundle(who).key_package
    alice, bob, _ = people
    skipped(bob, forge_commit(alice, Add(one), Add(two)), "same signature key")
    with pytest.raises(Exception, match="same signature key"):
        alice.commit(add=[one, two])


def test_adding_a_member_again(people: tuple[Group, Group, Group]) -> None:
    """§12.2: unless its old leaf is removed in the same commit."""
    alice, bob, carol = people
    again = bundle(carol.identity).key_package
    skipped(bob, forge_commit(alice, Add(again)), "same signature key")
    with pytest.raises(Exception, match="same signature key"):
        alice.commit(add=[again])
    pending = alice.commit(add=[again], remove=[2])
    assert [member.leaf_index for member in stage(bob, pending.commit).adds] == [2]


def test_an_encryption_key_in_use(people: tuple[Group, Group, Group]) -> None:
    """§7.3: encryption keys are unique in the tree."""
    alice, bob, carol = people
    dave = person("dave")
    taken = state_of(carol).own_leaf.encryption_key
    leaf = dave.key_package_leaf(taken, LIFETIME)
    good = bundle(dave).key_package
    unsigned = replace(good, leaf_node=leaf, signature=b"", _encoded=b"")
    signed = replace(
        unsigned,
        signature=sign_with_label(dave.signature_key, "KeyPackageTBS", unsigned.to_be_signed()),
        _encoded=b"",
    )
    skipped(bob, forge_commit(alice, Add(signed)), "same encryption key")


def test_one_psk_twice(people: tuple[Group, Group, Group]) -> None:
    """§12.2: each PreSharedKeyID once."""
    same = psk()
    refused_list(people, "one PSK twice", same, same)


def test_too_many_psks(people: tuple[Group, Group, Group]) -> None:
    """The number of PSKs in a commit is bounded."""
    refused_list(people, "more than 64 PSKs", *(psk() for _ in range(65)))


def test_two_contexts(people: tuple[Group, Group, Group]) -> None:
    """§12.2: one GroupContextExtensions at most."""
    refused_list(people, "two GroupContextExtensions", GroupContextExtensions(()), GroupContextExtensions(()))


def test_reinit_with_company(people: tuple[Group, Group, Group]) -> None:
    """§12.2: a ReInit stands alone."""
    refused_list(people, "ReInit together", reinit(), Remove(2))


def test_a_credential_type_that_somebody_lacks(people: tuple[Group, Group, Group]) -> None:
    """§7.3: newcomers use what all members support, and support what all members use."""
    alice, bob, _ = people
    both = Capabilities.of([SUITE.number], extensions=[PRIVATE_TYPE], credentials=[1, 0xF001])
    strange = replace(person("dave"), credential=UnknownCredential(0xF001, b"x"), capabilities=both)
    skipped(bob, forge_commit(alice, Add(bundle(strange).key_package)), "7.3")
    only = Capabilities.of([SUITE.number], extensions=[PRIVATE_TYPE], credentials=[0xF001])
    other = replace(strange, capabilities=only)
    skipped(bob, forge_commit(alice, Add(bundle(other).key_package)), "7.3")


def test_a_missing_required_capability(people: tuple[Group, Group, Group]) -> None:
    """§7.3, §11.1, §12.3: the new required capabilities count for the same commit's newcomers."""
    alice, bob, _ = people
    context = GroupContextExtensions((RequiredCapabilities((PRIVATE_TYPE,)).extension(),))
    plain = bundle(person("dave", extensions=())).key_package
    skipped(bob, forge_commit(alice, context, Add(plain)), "11.1")
    out(bob, forge_commit(alice, context), "")


def test_an_extension_that_somebody_lacks(people: tuple[Group, Group, Group]) -> None:
    """§13.4: GroupContext extensions are supported by all, GREASE included."""
    alice, bob, _ = people
    for kind in (0xF999, 0x0A0A):
        skipped(bob, forge_commit(alice, GroupContextExtensions((Extension(kind, b""),))), "13.4")


# ---- The commit itself: §12.4 -------------------------------------------------------------------------------------


def test_an_unknown_reference(people: tuple[Group, Group, Group]) -> None:
    """§12.4: references name proposals of this epoch."""
    alice, bob, _ = people
    skipped(bob, forge_commit(alice, ProposalRef(bytes(32))), "not known")
    with pytest.raises(Exception, match="not known"):
        alice.commit(by_reference=[bytes(32)])


@pytest.mark.parametrize("items", [(), (Remove(2),), (GroupContextExtensions(()),)], ids=["empty", "remove", "context"])
def test_a_missing_path(people: tuple[Group, Group, Group], items: tuple[Proposal, ...]) -> None:
    """§12.4: these commits need a path."""
    alice, bob, _ = people
    skipped(bob, forge_commit(alice, *items, with_path=False), "path that it needs")


def test_a_missing_path_for_an_update(people: tuple[Group, Group, Group]) -> None:
    """§12.4: so does the commit of an Update."""
    alice, bob, carol = people
    update = carol.propose_update()
    bob.receive(update)
    alice.receive(update)
    reference = alice.proposals[0].reference
    skipped(bob, forge_commit(alice, ProposalRef(reference), with_path=False), "path that it needs")


def test_a_path_with_the_old_leaf_key(people: tuple[Group, Group, Group]) -> None:
    """§12.4.2: the committer's encryption key is fresh."""
    alice, bob, _ = people
    path = own_path(alice)
    old = state_of(alice).own_leaf.encryption_key
    leaf = alice.identity.commit_leaf(old, path.leaf_node.parent_hash or b"", GROUP_ID, 0)
    skipped(bob, forge_commit(alice, path=replace(path, leaf_node=leaf)), "old encryption key")


def test_a_path_with_another_leaf_source(people: tuple[Group, Group, Group]) -> None:
    """§12.4.2: the leaf is made for a commit."""
    alice, bob, _ = people
    path = replace(own_path(alice), leaf_node=update_of(alice).leaf_node)
    skipped(bob, forge_commit(alice, path=path), "7.3")


def test_a_path_with_a_key_of_the_tree(people: tuple[Group, Group, Group]) -> None:
    """§12.4.2: no key of the path stands in the tree."""
    alice, bob, carol = people
    path = own_path(alice)
    taken = state_of(carol).own_leaf.encryption_key
    nodes = (replace(path.nodes[0], encryption_key=taken), *path.nodes[1:])
    skipped(bob, forge_commit(alice, path=replace(path, nodes=nodes)), "already in the tree")


def test_a_path_of_the_wrong_length(people: tuple[Group, Group, Group]) -> None:
    """§7.6: one node for each of the filtered direct path."""
    alice, bob, _ = people
    path = own_path(alice)
    skipped(bob, forge_commit(alice, path=replace(path, nodes=path.nodes[:1])), "filtered direct path")


def test_a_path_with_a_ciphertext_missing(people: tuple[Group, Group, Group]) -> None:
    """§7.6: one ciphertext for each node of the resolution."""
    alice, bob, _ = people
    path = own_path(alice)
    nodes = (replace(path.nodes[0], encrypted_path_secret=()), *path.nodes[1:])
    skipped(bob, forge_commit(alice, path=replace(path, nodes=nodes)), "ciphertexts")


def test_a_path_with_another_parent_hash(people: tuple[Group, Group, Group]) -> None:
    """§7.9.2: the leaf binds the path."""
    alice, bob, _ = people
    path = own_path(alice)
    leaf = alice.identity.commit_leaf(path.leaf_node.encryption_key, bytes(32), GROUP_ID, 0)
    skipped(bob, forge_commit(alice, path=replace(path, leaf_node=leaf)), "parent hash")


def test_a_path_with_another_persons_credential(people: tuple[Group, Group, Group]) -> None:
    """§5.3.1: the policy compares the committer's credentials too."""
    alice, bob, _ = people
    path = own_path(alice, identity=person("eve"))
    skipped(bob, forge_commit(alice, path=path), "another person")
    with pytest.raises(Exception, match="another person"):
        alice.commit(identity=person("eve"))


def test_a_path_with_a_signature_key_in_use(people: tuple[Group, Group, Group]) -> None:
    """§7.3: signature keys are unique."""
    alice, bob, carol = people
    thief = replace(person("alice.2"), signature_key=carol.identity.signature_key)
    skipped(bob, forge_commit(alice, path=own_path(alice, identity=thief)), "same signature key")
    with pytest.raises(Exception, match="same signature key"):
        alice.commit(identity=thief)


def test_an_own_identity_with_an_unlisted_extension() -> None:
    """§7.3: `commit` refuses a leaf that others would."""
    alice = create()
    other = replace(person("alice.2"), extensions=(Extension(0xF999, b""),))
    with pytest.raises(Exception, match=r"7\.3"):
        alice.commit(identity=other)


def test_a_commit_from_the_own_leaf(people: tuple[Group, Group, Group]) -> None:
    """A valid commit of one's own that is not pending means that the state was rolled back: out."""
    alice, bob, _ = people
    pending = alice.commit(public=True)
    alice.discard_pending()
    result = out(alice, pending.commit, "own leaf")
    assert result.author is not None
    assert result.author.leaf_index == 0
    stage(bob, pending.commit)


def test_a_wrong_path_secret(people: tuple[Group, Group, Group]) -> None:
    """§7.5: a secret that this member cannot open puts it out, and nobody else."""
    alice, bob, carol = people
    assert isinstance(bob.receive(forge_commit(alice)), Out)
    assert isinstance(carol.receive(forge_commit(alice)), Out)


def test_a_psk_that_is_not_here(people: tuple[Group, Group, Group]) -> None:
    """§12.4.2: who lacks a PSK cannot follow."""
    alice, bob, carol = people
    bob.add_psk(b"psk", b"secret")
    pending = alice.commit(psks={b"psk": b"secret"})
    out(carol, pending.commit, "not available")
    stage(bob, pending.commit)
    bob.remove_psk(b"psk")
    out(bob, pending.commit, "not available")


def test_another_psk(people: tuple[Group, Group, Group]) -> None:
    """§12.4.2: another value gives another confirmation tag."""
    alice, bob, _ = people
    bob.add_psk(b"psk", b"another")
    out(bob, alice.commit(psks={b"psk": b"secret"}).commit, "confirmation tag")


def test_a_replaced_confirmation_tag(people: tuple[Group, Group, Group]) -> None:
    """§12.4.2: the tag is the new epoch's."""
    alice, bob, _ = people
    body = MLSMessage.decode(alice.commit(public=True).commit).body
    assert isinstance(body, PublicMessage)
    content = body.authenticated.with_confirmation_tag(bytes(32))
    state = state_of(alice)
    forged = PublicMessage.protect(SUITE, content, state.secrets.membership_key, state.channel.context)
    out(bob, MLSMessage.of(forged).encode(), "confirmation tag")


def test_public_failures_come_first(people: tuple[Group, Group, Group]) -> None:
    """What all can see decides before what one alone sees: both are wrong here, and everybody skips."""
    alice, bob, _ = people
    skipped(bob, forge_commit(alice, psk(31), with_path=True), "12.1.4")
    path = own_path(alice)
    broken = replace(path, leaf_node=replace(path.leaf_node, signature=bytes(64), _encoded=b""))
    skipped(bob, forge_commit(alice, psk(), path=broken), "signature is not valid")


def test_another_version_of_the_protocol(people: tuple[Group, Group, Group]) -> None:
    """§6: only mls10 is spoken."""
    alice, bob, _ = people
    message = alice.protect(b"x")
    assert int.from_bytes(message[:2], "big") == ProtocolVersion.mls10
    skipped(bob, b"\x00\x02" + message[2:], "ProtocolVersion")


def test_suites_are_told_apart() -> None:
    """§5.1: a group of one suite skips what another sends."""
    one, _ = found("alice", "bob")
    other, _ = found("alice", "bob", suite=SUITES[1])
    skipped(one, other.protect(b"x"), "AEAD")
