"""Leaf nodes: signatures, sources, and one negative test for each rule of §7.3 that concerns a leaf alone."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_chat.mls.credential.credential import BasicCredential, X509Credential
from secure_chat.mls.credential.extensions import Capabilities, Extension, Lifetime
from secure_chat.mls.crypto.suite import CipherSuite, HPKEPrivateKey, SignaturePrivateKey
from secure_chat.mls.errors import CryptoError, DecodeError, MLSError, ValidationError
from secure_chat.mls.registry import ExtensionType
from secure_chat.mls.tree.leaf_node import CommitSource, LeafIdentity, LeafNode, LeafNodeSource, UpdateSource
from tests.mls.suites import ALL_SUITES, FAST
from tests.mls.tree.party import person

ALICE = person("alice")
KEY = ALICE.key.public
LIFETIME = Lifetime(5, 10)


def identity(**changes: object) -> LeafIdentity:
    return replace(ALICE.identity, **changes)  # type: ignore[arg-type]


def test_a_leaf_of_each_source_is_valid() -> None:
    """And says where it comes from."""
    package = ALICE.identity.key_package_leaf(KEY, LIFETIME)
    package.validate(FAST, LeafNodeSource.key_package, b"any group", 99)
    assert (package.leaf_node_source, package.lifetime, package.parent_hash) == (
        LeafNodeSource.key_package,
        LIFETIME,
        None,
    )
    update = ALICE.identity.update_leaf(KEY, b"group", 3)
    update.validate(FAST, LeafNodeSource.update, b"group", 3)
    assert (update.leaf_node_source, update.lifetime, update.parent_hash) == (LeafNodeSource.update, None, None)
    commit = ALICE.identity.commit_leaf(KEY, b"above", b"group", 3)
    commit.validate(FAST, LeafNodeSource.commit, b"group", 3)
    assert (commit.leaf_node_source, commit.lifetime, commit.parent_hash) == (LeafNodeSource.commit, None, b"above")
    for leaf in (package, update, commit):
        leaf.validate(FAST, None, b"group", 3)  # as in a tree, where all three occur


@pytest.mark.parametrize("suite", ALL_SUITES, ids=lambda suite: suite.name)
def test_leaves_survive_a_round_trip(suite: CipherSuite) -> None:
    """In every suite, with the same bytes and a valid signature."""
    alice = person("alice", suite)
    leaf = alice.identity.commit_leaf(alice.key.public, b"above", b"group", 3)
    again = LeafNode.decode(leaf.encode())
    assert again == leaf
    assert again.encode() == leaf.encode()
    again.validate(suite, LeafNodeSource.commit, b"group", 3)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_decoder(data: bytes) -> None:
    """Success or DecodeError, and a canonical form."""
    try:
        leaf = LeafNode.decode(data)
    except DecodeError:
        return
    assert leaf.encode() == data


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_flipped_bit_never_passes(at: int, mask: int) -> None:
    """Whatever is altered in a signed leaf, it is malformed or invalid."""
    data = bytearray(ALICE.identity.update_leaf(KEY, b"group", 3).encode())
    data[at % len(data)] ^= mask
    with pytest.raises(MLSError):
        LeafNode.decode(bytes(data)).validate(FAST, LeafNodeSource.update, b"group", 3)


@pytest.mark.parametrize("wanted", [LeafNodeSource.update, LeafNodeSource.commit])
def test_a_leaf_from_elsewhere_is_refused(wanted: LeafNodeSource) -> None:
    """§7.3: a key package's leaf in an Update or a commit, and the reverse."""
    with pytest.raises(ValidationError, match=f"not {wanted.name}"):
        ALICE.leaf.validate(FAST, wanted, b"group", 0)
    with pytest.raises(ValidationError, match="not key_package"):
        ALICE.identity.update_leaf(KEY, b"group", 0).validate(FAST, LeafNodeSource.key_package, b"group", 0)


@pytest.mark.parametrize(("group_id", "leaf_index"), [(b"other", 3), (b"group", 4)])
def test_a_leaf_belongs_to_its_group_and_place(group_id: bytes, leaf_index: int) -> None:
    """§7.2: leaves made inside a group are signed for it and for their index."""
    for leaf in (ALICE.identity.update_leaf(KEY, b"group", 3), ALICE.identity.commit_leaf(KEY, b"", b"group", 3)):
        with pytest.raises(CryptoError):
            leaf.validate(FAST, None, group_id, leaf_index)


@pytest.mark.parametrize("signature", [b"", b"\0" * 64, b"\0" * 63])
def test_a_forged_signature_is_refused(signature: bytes) -> None:
    """§7.3: the signature is checked, an empty one too."""
    with pytest.raises(CryptoError):
        replace(ALICE.leaf, signature=signature, _encoded=b"").validate(FAST, None, b"", 0)


def test_a_leaf_signed_by_another_key_is_refused() -> None:
    """§7.3: the signature is the leaf's own."""
    with pytest.raises(CryptoError):
        replace(ALICE.leaf, signature_key=person().leaf.signature_key, _encoded=b"").validate(FAST, None, b"", 0)


def test_the_protocol_version_is_listed() -> None:
    """§7.2, §11.1."""
    capabilities = replace(ALICE.identity.capabilities, versions=(2,))
    with pytest.raises(ValidationError, match="protocol version"):
        identity(capabilities=capabilities).key_package_leaf(KEY, LIFETIME).validate(FAST, None, b"", 0)


def test_the_credential_type_is_listed() -> None:
    """§7.2."""
    capabilities = Capabilities.of([FAST.number], credentials=[2])
    with pytest.raises(ValidationError, match="credential type"):
        identity(capabilities=capabilities).key_package_leaf(KEY, LIFETIME).validate(FAST, None, b"", 0)


def test_extensions_are_listed() -> None:
    """§7.3: non-default ones; default ones need not be."""
    private = (Extension(0xF001, b""),)
    with pytest.raises(ValidationError, match="one of its extensions"):
        identity(extensions=private).key_package_leaf(KEY, LIFETIME).validate(FAST, None, b"", 0)
    listed = Capabilities.of([FAST.number], extensions=[0xF001])
    default = Extension(ExtensionType.application_id, b"id")
    leaf = identity(extensions=(*private, default), capabilities=listed).key_package_leaf(KEY, LIFETIME)
    leaf.validate(FAST, None, b"", 0)


def test_no_extension_type_stands_twice() -> None:
    """§13.4."""
    twice = (Extension(1, b"a"), Extension(1, b"b"))
    with pytest.raises(ValidationError, match="twice"):
        identity(extensions=twice).key_package_leaf(KEY, LIFETIME).validate(FAST, None, b"", 0)


def test_a_certificate_must_be_for_the_signature_key() -> None:
    """§5.3."""
    capabilities = Capabilities.of([FAST.number], credentials=[2])
    leaf = identity(credential=X509Credential((b"no certificate",)), capabilities=capabilities)
    with pytest.raises(ValidationError, match="certificate"):
        leaf.key_package_leaf(KEY, LIFETIME).validate(FAST, None, b"", 0)


@pytest.mark.parametrize("key", [b"", b"\0" * 32, b"\1" * 31])
def test_the_encryption_key_must_be_usable(key: bytes) -> None:
    """§5.1.1: a key that nobody can encrypt to would block every later commit."""
    with pytest.raises(ValidationError, match="encryption_key"):
        ALICE.identity.key_package_leaf(key, LIFETIME).validate(FAST, None, b"", 0)


def test_grease_and_unknown_values_are_ignored() -> None:
    """§13.5: unknown capabilities, and an unknown listed extension."""
    capabilities = Capabilities.of([FAST.number], extensions=[0x1A1A, 0xF123]).with_grease(77)
    leaf = identity(capabilities=capabilities, extensions=(Extension(0x1A1A, b"grease"),))
    LeafNode.decode(leaf.key_package_leaf(KEY, LIFETIME).encode()).validate(FAST, None, b"", 0)


def test_equal_capabilities_are_shared() -> None:
    """A thousand members of one program hold one object."""
    first, second = (LeafNode.decode(person(name).leaf.encode()) for name in ("alice", "bob"))
    assert first.capabilities is second.capabilities


def test_a_replaced_field_changes_the_encoding() -> None:
    """The kept wire form never outlives its content."""
    signer = SignaturePrivateKey.generate(FAST)
    key = HPKEPrivateKey.generate(FAST).public
    first = LeafIdentity(BasicCredential(b"a"), signer, Capabilities.of([3])).update_leaf(key, b"g", 0)
    second = LeafIdentity(BasicCredential(b"b"), signer, Capabilities.of([3])).update_leaf(key, b"g", 0)
    assert LeafNode.decode(second.encode()).credential == BasicCredential(b"b")
    assert first.encode() != second.encode()
    assert isinstance(first.source, UpdateSource)
    assert not isinstance(first.source, CommitSource)
