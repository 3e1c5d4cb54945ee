"""Each structure survives encoding, and malformed ones are refused (RFC 9420 §6, §12)."""

import pytest

from secure_chat.mls.codec import Reader, Struct
from secure_chat.mls.credential.extensions import Extension
from secure_chat.mls.crypto.hpke import HPKECiphertext
from secure_chat.mls.crypto.suite import HPKEPrivateKey, SignaturePrivateKey
from secure_chat.mls.errors import CryptoError, DecodeError, UnsupportedError, ValidationError
from secure_chat.mls.messages.commit import Commit, ProposalRef
from secure_chat.mls.messages.content import (
    AuthenticatedContent,
    FramedContent,
    FramedContentAuthData,
    Sender,
    SenderType,
)
from secure_chat.mls.messages.envelope import MLSMessage
from secure_chat.mls.messages.key_package import KeyPackage, KeyPackageBundle
from secure_chat.mls.messages.proposals import (
    PROPOSAL,
    Add,
    ExternalInit,
    GroupContextExtensions,
    PreSharedKey,
    Proposal,
    ReInit,
    Remove,
    Update,
    proposal_type,
)
from secure_chat.mls.messages.public import PublicMessage
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
from secure_chat.mls.registry import ProposalType, ProtocolVersion, WireFormat
from secure_chat.mls.schedule.group_context import GroupContext
from secure_chat.mls.schedule.psk import ExternalPSK, PreSharedKeyID
from secure_chat.mls.tree.update_path import UpdatePath, UpdatePathNode
from tests.mls.group.people import LIFETIME, SUITE, bundle, person

WHO = person("somebody")
BUNDLE = bundle(WHO)
PACKAGE = BUNDLE.key_package
LEAF = PACKAGE.leaf_node
PSK = PreSharedKeyID(ExternalPSK(b"id"), bytes(32))
EXTENSIONS = (Extension(0x0A0A, b"x"), Extension(5, b""))
CONTEXT = GroupContext(ProtocolVersion.mls10, 3, b"group", 9, b"tree", b"transcript", EXTENSIONS)
CIPHERTEXT = HPKECiphertext(b"kem", b"ciphertext")
PATH = UpdatePath(LEAF, (UpdatePathNode(b"key", (CIPHERTEXT, CIPHERTEXT)), UpdatePathNode(b"key", ())))
PROPOSALS: list[Proposal] = [
    Add(PACKAGE),
    Update(LEAF),
    Remove(7),
    PreSharedKey(PSK),
    ReInit(b"next", 2, 99, EXTENSIONS),
    ExternalInit(b"kem"),
    GroupContextExtensions(EXTENSIONS),
]
COMMIT = Commit((*PROPOSALS, ProposalRef(b"reference")), PATH)
INFO = GroupInfo.sign(CONTEXT, EXTENSIONS, b"tag", 4, WHO.signature_key)


@pytest.mark.parametrize(
    "value",
    [
        PACKAGE,
        *PROPOSALS,
        COMMIT,
        Commit((), None),
        CONTEXT,
        INFO,
        GroupSecrets(b"joiner", PathSecret(b"path"), (PSK,)),
        GroupSecrets(b"joiner", None, ()),
        Welcome(3, (EncryptedGroupSecrets(b"ref", CIPHERTEXT),), b"info"),
        Sender(SenderType.member, 5),
        Sender(SenderType.external, 1),
        Sender(SenderType.new_member_commit),
        Sender(SenderType.new_member_proposal),
        MLSMessage.of(PACKAGE),
        MLSMessage.of(INFO),
    ],
    ids=lambda value: type(value).__name__,
)
def test_structures_round_trip(value: Struct) -> None:
    """Decoding gives the value again; one byte more or less is malformed."""
    data = value.encode()
    assert type(value).decode(data) == value
    for damaged in (data + b"\0", data[:-1]):
        with pytest.raises(DecodeError):
            type(value).decode(damaged)


@pytest.mark.parametrize("content", [b"data", Remove(1), COMMIT], ids=["application", "proposal", "commit"])
@pytest.mark.parametrize("wire_format", [WireFormat.mls_public_message, WireFormat.mls_private_message])
def test_authenticated_content_round_trips(content: bytes | Proposal | Commit, wire_format: WireFormat) -> None:
    """§6: content, auth data and wire format; the bytes that were signed are kept."""
    framed = FramedContent(b"group", 1, Sender(SenderType.member, 3), b"aad", content)
    auth = FramedContentAuthData(b"signature", b"tag" if isinstance(content, Commit) else None)
    value = AuthenticatedContent(wire_format, framed, auth, framed.encode())
    assert AuthenticatedContent.decode(value.encode()) == value


def test_other_wire_formats_carry_no_content() -> None:
    """§6: a Welcome is no AuthenticatedContent."""
    with pytest.raises(DecodeError, match="carries no FramedContent"):
        AuthenticatedContent.decode(b"\x00\x03")


@pytest.mark.parametrize("data", [b"\x00\x00", b"\x00\x08", b"\x0a\x0a", b"\xf0\x00\x00"])
def test_unknown_proposals_are_malformed(data: bytes) -> None:
    """§12.2: nobody here supports a type beyond the RFC's, GREASE included."""
    with pytest.raises(DecodeError):
        PROPOSAL.read(Reader(data))


def test_proposals_know_their_type() -> None:
    """§17.4."""
    assert [proposal_type(proposal) for proposal in PROPOSALS] == list(ProposalType)


@pytest.mark.parametrize("data", [b"\x02\x00\x01\x00", b"\x02\x03\x00\x00"])
def test_malformed_commits(data: bytes) -> None:
    """§12.4: a ProposalOrRef is one of two."""
    with pytest.raises(DecodeError):
        Commit.decode(data)


@pytest.mark.parametrize("sender", list(SenderType))
def test_public_messages_round_trip(sender: SenderType) -> None:
    """§6.2: only members' carry a membership tag, which covers everything."""
    commit = sender in (SenderType.member, SenderType.new_member_commit)
    content: Proposal | Commit = COMMIT if commit else Add(PACKAGE)
    framed = FramedContent(b"group", 9, Sender(sender), b"aad", content)
    signed = AuthenticatedContent.sign(WireFormat.mls_public_message, framed, CONTEXT.encode(), WHO.signature_key)
    if commit:
        signed = signed.with_confirmation_tag(b"tag")
    message = PublicMessage.protect(SUITE, signed, b"key", CONTEXT.encode())
    assert (message.membership_tag is not None) == (sender is SenderType.member)
    decoded = MLSMessage.decode(MLSMessage.of(message).encode()).body
    assert decoded == message
    assert isinstance(decoded, PublicMessage)
    decoded.verify_membership(SUITE, b"key", CONTEXT.encode())
    decoded.authenticated.verify_signature(SUITE, WHO.signature_key.public, CONTEXT.encode())
    if sender is SenderType.member:
        with pytest.raises(CryptoError):
            decoded.verify_membership(SUITE, b"other", CONTEXT.encode())
        with pytest.raises(CryptoError):
            decoded.verify_membership(SUITE, b"key", b"other context")


def test_the_context_is_signed_by_who_knows_it() -> None:
    """§6.1: members and external joiners sign the GroupContext, outsiders cannot."""
    for sender, content, bound in (
        (SenderType.member, Remove(1), True),
        (SenderType.new_member_commit, COMMIT, True),
        (SenderType.external, Remove(1), False),
        (SenderType.new_member_proposal, Add(PACKAGE), False),
    ):
        framed = FramedContent(b"group", 9, Sender(sender), b"", content)
        signed = AuthenticatedContent.sign(WireFormat.mls_public_message, framed, b"context", WHO.signature_key)
        signed.verify_signature(SUITE, WHO.signature_key.public, b"context")
        if bound:
            with pytest.raises(CryptoError):
                signed.verify_signature(SUITE, WHO.signature_key.public, b"other")
        else:
            signed.verify_signature(SUITE, WHO.signature_key.public, b"other")


def test_nobody_signs_what_it_must_not_send() -> None:
    """§6.1: the rules between sender and content hold for our own messages too."""
    for sender, content in (
        (SenderType.external, COMMIT),
        (SenderType.new_member_proposal, COMMIT),
        (SenderType.new_member_commit, Remove(1)),
        (SenderType.member, b"data"),
    ):
        framed = FramedContent(b"group", 9, Sender(sender), b"", content)
        with pytest.raises(ValidationError, match=r"RFC 9420 §6"):
            AuthenticatedContent.sign(WireFormat.mls_public_message, framed, b"", WHO.signature_key)


# ---- Key packages: §10 ---------------------------------------------------------------------------------------------


def test_a_fresh_key_package_is_valid() -> None:
    """§10.1, with and without the envelope."""
    PACKAGE.validate(SUITE)
    assert KeyPackage.from_message(PACKAGE.message()) == PACKAGE
    assert MLSMessage.decode(PACKAGE.message()).body == PACKAGE
    assert PACKAGE.leaf_node.lifetime == LIFETIME


def test_key_packages_are_unique() -> None:
    """§10: fresh keys each time, and another reference."""
    other = bundle(WHO)
    assert other.reference != BUNDLE.reference
    assert other.key_package.init_key != PACKAGE.init_key


def test_something_else_is_no_key_package() -> None:
    """§6: version and wire format are those of a key package."""
    for data in (b"", INFO.encode(), MLSMessage.of(INFO).encode(), b"\x00\x02" + PACKAGE.message()[2:]):
        with pytest.raises(DecodeError):
            KeyPackage.from_message(data)


def test_bundles_are_stored_with_their_keys() -> None:
    """The stored form restores both private keys, and never shows in a repr."""
    data = BUNDLE.encode()
    again = KeyPackageBundle.decode(data)
    assert again.key_package == PACKAGE
    assert again.init_key.private_bytes == BUNDLE.init_key.private_bytes
    assert again.encryption_key.public == LEAF.encryption_key
    assert again.reference == BUNDLE.reference
    assert BUNDLE.init_key.private_bytes.hex() not in repr(BUNDLE) + repr(data)


def test_damaged_bundles_are_refused() -> None:
    """Bytes of another length, or of an unknown suite."""
    data = bytes(BUNDLE.encode())
    for damaged in (b"", data[:-1], data + b"\0"):
        with pytest.raises(DecodeError):
            KeyPackageBundle.decode(damaged)
    with pytest.raises(UnsupportedError):
        KeyPackageBundle.decode(data[:2] + b"\x0a\x0a" + data[4:])


# ---- Welcome: §12.4.3.1 --------------------------------------------------------------------------------------------


def test_group_info_is_signed() -> None:
    """§12.4.3: with the signer's key, over everything before the signature."""
    INFO.verify_signature(SUITE, WHO.signature_key.public)
    with pytest.raises(CryptoError):
        INFO.verify_signature(SUITE, SignaturePrivateKey.generate(SUITE).public)
    with pytest.raises(CryptoError):
        GroupInfo(CONTEXT, EXTENSIONS, b"tag", 5, INFO.signature).verify_signature(SUITE, WHO.signature_key.public)


def test_group_info_opens_with_the_welcome_secret() -> None:
    """§12.4.3.1."""
    sealed = seal_group_info(SUITE, bytes(32), INFO)
    assert open_group_info(SUITE, bytes(32), sealed) == INFO
    with pytest.raises(CryptoError):
        open_group_info(SUITE, b"\x01" * 32, sealed)


def test_group_secrets_open_with_the_init_key() -> None:
    """§12.4.3.1: and only together with their GroupInfo."""
    key = HPKEPrivateKey.generate(SUITE)
    secrets = GroupSecrets(b"joiner", None, (PSK,))
    sealed = seal_group_secrets(SUITE, key.public, b"info", secrets.encode())
    assert open_group_secrets(SUITE, key, b"info", sealed) == secrets
    with pytest.raises(CryptoError):
        open_group_secrets(SUITE, key, b"other info", sealed)
    with pytest.raises(CryptoError):
        open_group_secrets(SUITE, HPKEPrivateKey.generate(SUITE), b"info", sealed)


def test_group_secrets_are_never_printed() -> None:
    """Nor their parts."""
    assert "joiner" not in repr(GroupSecrets(b"joiner", None, ()))


def test_a_welcome_names_its_newcomers() -> None:
    """§12.4.3.1: an entry for one of the client's key packages, or none."""
    entry = EncryptedGroupSecrets(BUNDLE.reference, CIPHERTEXT)
    welcome = Welcome(3, (EncryptedGroupSecrets(b"other", CIPHERTEXT), entry), b"info")
    assert welcome.secrets_for([b"mine", BUNDLE.reference]) == entry
    with pytest.raises(ValidationError, match="not for this key package"):
        welcome.secrets_for([b"mine"])
