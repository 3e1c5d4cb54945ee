"""Joining by Welcome: what a newcomer verifies (RFC 9420 §12.4.3.1), a negative test for each step."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from secure_chat.mls.credential.extensions import Extension, RequiredCapabilities
from secure_chat.mls.crypto.hpke import HPKECiphertext
from secure_chat.mls.crypto.suite import SUITES
from secure_chat.mls.errors import CryptoError, DecodeError, MLSError, UsageError, ValidationError
from secure_chat.mls.group.group import Group
from secure_chat.mls.group.identity import LeafIdentity
from secure_chat.mls.messages.envelope import MLSMessage
from secure_chat.mls.messages.key_package import KeyPackageBundle
from secure_chat.mls.messages.welcome import (
    EncryptedGroupSecrets,
    GroupInfo,
    GroupSecrets,
    PathSecret,
    Welcome,
    open_group_info,
    open_group_secrets,
    seal_group_info,
    seal_group_secrets,
)
from secure_chat.mls.registry import ExtensionType
from secure_chat.mls.schedule.epoch import EpochSecrets, member_secret, welcome_secret
from secure_chat.mls.schedule.psk import (
    ExternalPSK,
    PreSharedKeyID,
    ResumptionPSK,
    ResumptionPSKUsage,
    psk_secret,
)
from secure_chat.mls.tree.ratchet_tree import RatchetTree
from tests.mls.group.people import GROUP_ID, PRIVATE_TYPE, SUITE, Policy, bundle, create, person, state_of

RESUMPTION = PreSharedKeyID(ResumptionPSK(ResumptionPSKUsage.reinit, b"old", 1), bytes(32))


@dataclass
class Invitation:
    """A Welcome taken apart, with what is needed to put it together again."""

    inviter: Group
    who: LeafIdentity
    package: KeyPackageBundle
    secrets: GroupSecrets
    info: GroupInfo

    @property
    def member(self) -> bytes:
        zero = psk_secret(SUITE, [])
        return member_secret(SUITE, self.secrets.joiner_secret, zero)

    def sign(self, **changes: object) -> GroupInfo:
        """The GroupInfo with changes, signed by the inviter."""
        changed = replace(self.info, **changes)  # type: ignore[arg-type]
        return GroupInfo.sign(
            changed.group_context,
            changed.extensions,
            changed.confirmation_tag,
            changed.signer,
            self.inviter.identity.signature_key,
        )

    def welcome(self, info: GroupInfo | None = None, secrets: GroupSecrets | None = None, suite: int = 3) -> bytes:
        sealed_info = seal_group_info(SUITE, welcome_secret(SUITE, self.member), info or self.info)
        encoded = (secrets or self.secrets).encode()
        sealed = seal_group_secrets(SUITE, self.package.key_package.init_key, sealed_info, encoded)
        entry = EncryptedGroupSecrets(self.package.reference, sealed)
        return MLSMessage.of(Welcome(suite, (entry,), sealed_info)).encode()

    def join(self, welcome: bytes, **options: object) -> Group:
        return Group.join(welcome, self.package, self.who, Policy(), **options)  # type: ignore[arg-type]

    def refuse(self, welcome: bytes, reason: str, error: type[MLSError] = ValidationError, **options: object) -> None:
        with pytest.raises(error, match=reason):
            self.join(welcome, **options)


def invite(*others: str, path: bool = True) -> Invitation:
    """The last newcomer's Welcome to a group of alice and others, the inviter being alice."""
    alice = create("alice")
    packages = [bundle(person(other)).key_package for other in others]
    if packages:
        alice.commit(add=packages, force_path=path)
        alice.merge_pending()
    who = person("zoe")
    package = bundle(who)
    pending = alice.commit(add=[package.key_package], force_path=path)
    alice.merge_pending()
    assert pending.welcome is not None
    body = MLSMessage.decode(pending.welcome).body
    assert isinstance(body, Welcome)
    sealed = body.secrets_for([package.reference]).encrypted_group_secrets
    secrets = open_group_secrets(SUITE, package.init_key, body.encrypted_group_info, sealed)
    member = member_secret(SUITE, secrets.joiner_secret, psk_secret(SUITE, []))
    info = open_group_info(SUITE, welcome_secret(SUITE, member), body.encrypted_group_info)
    return Invitation(alice, who, package, secrets, info)


@pytest.fixture
def invitation() -> Invitation:
    return invite("bob", "carol")


def test_a_welcome_put_together_again_is_accepted(invitation: Invitation) -> None:
    """The comparison for all that follows."""
    group = invitation.join(invitation.welcome(invitation.sign()))
    assert group.epoch_authenticator == invitation.inviter.epoch_authenticator


def test_something_else_than_a_welcome(invitation: Invitation) -> None:
    """§6: the message is a Welcome."""
    invitation.refuse(invitation.package.key_package.message(), "not a Welcome", DecodeError)
    invitation.refuse(b"", "truncated", DecodeError)
    invitation.refuse(bytes((16 << 20) + 1), "more than", DecodeError)


def test_a_welcome_for_somebody_else(invitation: Invitation) -> None:
    """An entry names this key package."""
    other = bundle(invitation.who)
    with pytest.raises(ValidationError, match="not for this key package"):
        Group.join(invitation.welcome(), other, invitation.who, Policy())


def test_another_suite_in_the_welcome(invitation: Invitation) -> None:
    """The Welcome's suite is the key package's."""
    invitation.refuse(invitation.welcome(suite=1), "another cipher suite")


def test_another_suite_in_the_group_info(invitation: Invitation) -> None:
    """The GroupInfo's suite is the key package's."""
    context = replace(invitation.info.group_context, cipher_suite=1)
    invitation.refuse(invitation.welcome(invitation.sign(group_context=context)), "another cipher suite")


def test_group_secrets_for_another_group_info(invitation: Invitation) -> None:
    """The encrypted secrets are bound to the encrypted GroupInfo."""
    body = MLSMessage.decode(invitation.welcome()).body
    assert isinstance(body, Welcome)
    changed = replace(body, encrypted_group_info=body.encrypted_group_info + b"x")
    invitation.refuse(MLSMessage.of(changed).encode(), "cannot be opened", CryptoError)
    entry = replace(body.secrets[0], encrypted_group_secrets=HPKECiphertext(bytes(32), bytes(50)))
    invitation.refuse(MLSMessage.of(replace(body, secrets=(entry,))).encode(), "HPKE", CryptoError)


def test_another_joiner_secret(invitation: Invitation) -> None:
    """The GroupInfo opens with the joiner secret only."""
    secrets = replace(invitation.secrets, joiner_secret=bytes(32))
    invitation.refuse(invitation.welcome(secrets=secrets), "AEAD", CryptoError)


def test_a_psk_that_is_not_here(invitation: Invitation) -> None:
    """All PSKs are in the client's possession."""
    psk = PreSharedKeyID(ExternalPSK(b"psk"), bytes(32))
    invitation.refuse(invitation.welcome(secrets=replace(invitation.secrets, psks=(psk,))), "not available")


def test_a_psk_with_a_short_nonce(invitation: Invitation) -> None:
    """§8.4: KDF.Nh bytes."""
    psk = PreSharedKeyID(ExternalPSK(b"psk"), bytes(31))
    invitation.refuse(invitation.welcome(secrets=replace(invitation.secrets, psks=(psk,))), "psk_nonce")


def test_too_many_psks(invitation: Invitation) -> None:
    """Their number is bounded."""
    psk = PreSharedKeyID(ExternalPSK(b"psk"), bytes(32))
    invitation.refuse(invitation.welcome(secrets=replace(invitation.secrets, psks=(psk,) * 65)), "more than 64")


def test_two_psks_for_founding(invitation: Invitation) -> None:
    """A PSK of usage reinit or branch is the only such."""
    secrets = replace(invitation.secrets, psks=(RESUMPTION, RESUMPTION))
    invitation.refuse(invitation.welcome(secrets=secrets), "two PSKs for founding")


def test_a_group_that_is_known_already(invitation: Invitation) -> None:
    """The group id is unique among the client's groups."""
    invitation.refuse(invitation.welcome(), "already a member", known_groups={GROUP_ID})
    assert invitation.join(invitation.welcome(), known_groups={b"other"}).epoch == 2


def test_no_tree_at_all(invitation: Invitation) -> None:
    """§12.4.3.3: the tree comes in the GroupInfo or from elsewhere."""
    info = invitation.sign(extensions=())
    invitation.refuse(invitation.welcome(info), r"12\.4\.3\.3")
    group = invitation.join(invitation.welcome(info), ratchet_tree=invitation.inviter.ratchet_tree())
    assert group.epoch == 2


def test_another_tree(invitation: Invitation) -> None:
    """The tree has the context's tree hash."""
    other = create("alice").ratchet_tree()
    invitation.refuse(invitation.welcome(), "signature is not valid", CryptoError, ratchet_tree=other)
    tree = state_of(invitation.inviter).tree.copy()
    tree.remove(1)
    invitation.refuse(invitation.welcome(), "tree hash", ratchet_tree=tree.encode())


def test_a_malformed_tree(invitation: Invitation) -> None:
    """§12.4.3.3: it decodes."""
    invitation.refuse(invitation.welcome(), "truncated", DecodeError, ratchet_tree=b"\x05\x01")


def test_a_blank_signer(invitation: Invitation) -> None:
    """The GroupInfo's signer is a member."""
    for signer in (7, 100):
        invitation.refuse(invitation.welcome(invitation.sign(signer=signer)), "blank leaf")


def test_an_unsigned_group_info(invitation: Invitation) -> None:
    """The GroupInfo is signed by the member it names."""
    info = replace(invitation.info, signature=bytes(64))
    invitation.refuse(invitation.welcome(info), "signature is not valid", CryptoError)
    invitation.refuse(invitation.welcome(invitation.sign(signer=1)), "signature is not valid", CryptoError)


def test_repeated_extensions(invitation: Invitation) -> None:
    """§13.4: no type twice, neither in the GroupInfo nor in its context."""
    double = (Extension(PRIVATE_TYPE, b""), Extension(PRIVATE_TYPE, b""))
    info = invitation.sign(extensions=(*invitation.info.extensions, *double))
    invitation.refuse(invitation.welcome(info), r"13\.4")
    context = replace(invitation.info.group_context, extensions=double)
    invitation.refuse(invitation.welcome(invitation.sign(group_context=context)), r"13\.4")


def test_an_extension_that_the_newcomer_lacks(invitation: Invitation) -> None:
    """§13.4: GroupContext extensions are supported by the joiner."""
    context = replace(invitation.info.group_context, extensions=(Extension(0xF999, b""),))
    invitation.refuse(invitation.welcome(invitation.sign(group_context=context)), r"13\.4")
    required = RequiredCapabilities((0xF999,)).extension()
    context = replace(invitation.info.group_context, extensions=(required,))
    invitation.refuse(invitation.welcome(invitation.sign(group_context=context)), r"11\.1")


def test_unknown_group_info_extensions_are_ignored(invitation: Invitation) -> None:
    """§13.4: outside of the context they may be anything."""
    info = invitation.sign(extensions=(*invitation.info.extensions, Extension(0xF999, b"?")))
    assert invitation.join(invitation.welcome(info)).epoch == 2


def with_tree(invitation: Invitation, change: Callable[[RatchetTree], None]) -> bytes:
    """A Welcome whose tree is changed, with the tree hash to match."""
    tree = state_of(invitation.inviter).tree.copy()
    change(tree)
    context = replace(invitation.info.group_context, tree_hash=tree.tree_hash())
    extension = Extension(ExtensionType.ratchet_tree, tree.encode())
    return invitation.welcome(invitation.sign(group_context=context, extensions=(extension,)))


def test_a_tree_without_the_newcomer(invitation: Invitation) -> None:
    """A leaf is identical to the key package's."""
    invitation.refuse(with_tree(invitation, lambda tree: tree.remove(3)), "12.4.3.1")


def with_broken_leaf(invitation: Invitation) -> bytes:
    """A Welcome whose tree has a leaf that nobody signed."""
    leaf = state_of(invitation.inviter).tree.leaf(1)
    assert leaf is not None
    broken = replace(leaf, signature=bytes(64), _encoded=b"")
    return with_tree(invitation, lambda tree: tree.set_leaf(1, broken))


def test_a_tree_with_an_invalid_leaf() -> None:
    """§7.3: every leaf is validated."""
    invitation = invite("bob", "carol", path=False)
    invitation.refuse(with_broken_leaf(invitation), "signature is not valid", CryptoError)


def test_a_tree_without_parent_hashes(invitation: Invitation) -> None:
    """§7.9.2: every parent node is chained to a leaf below it."""
    invitation.refuse(with_broken_leaf(invitation), r"7\.9\.2")


def test_a_wrong_path_secret(invitation: Invitation) -> None:
    """The path secret leads to the keys in the tree."""
    secrets = replace(invitation.secrets, path_secret=PathSecret(bytes(32)))
    invitation.refuse(invitation.welcome(secrets=secrets), "path secret")


def test_a_wrong_confirmation_tag(invitation: Invitation) -> None:
    """The tag is the epoch's."""
    invitation.refuse(invitation.welcome(invitation.sign(confirmation_tag=bytes(32))), "confirmation tag", CryptoError)


def test_a_successor_with_a_later_epoch(invitation: Invitation) -> None:
    """§11.2, §11.3: a successor group's first Welcome is for epoch 1."""
    psk = bytes(32)
    secrets = replace(invitation.secrets, psks=(RESUMPTION,))
    member = member_secret(SUITE, secrets.joiner_secret, psk_secret(SUITE, [(RESUMPTION, psk)]))
    context = invitation.info.group_context
    epoch = EpochSecrets.of_member_secret(SUITE, member, context.encode())
    info = invitation.sign(confirmation_tag=epoch.confirmation_tag(SUITE, context.confirmed_transcript_hash))
    sealed_info = seal_group_info(SUITE, welcome_secret(SUITE, member), info)
    sealed = seal_group_secrets(SUITE, invitation.package.key_package.init_key, sealed_info, secrets.encode())
    entry = EncryptedGroupSecrets(invitation.package.reference, sealed)
    welcome = MLSMessage.of(Welcome(3, (entry,), sealed_info)).encode()
    parent = create("old")
    parent.add_resumption_psk(b"old", 1, psk)
    invitation.refuse(welcome, "epoch 1", parent=parent)


def test_another_signature_key(invitation: Invitation) -> None:
    """The caller passes the identity that made the key package."""
    with pytest.raises(UsageError, match="signature key"):
        Group.join(invitation.welcome(), invitation.package, person("zoe"), Policy())


def test_an_unsupported_suite_of_ones_own(invitation: Invitation) -> None:
    """A key package for a suite that is not in the table cannot be used."""
    package = replace(invitation.package.key_package, cipher_suite=0x0A0A, _encoded=b"")
    broken = replace(invitation.package, key_package=package)
    with pytest.raises(ValidationError, match="not supported"):
        Group.join(invitation.welcome(), broken, invitation.who, Policy())
    assert 0x0A0A not in SUITES
