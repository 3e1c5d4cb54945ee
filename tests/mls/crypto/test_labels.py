"""Labelled functions against definitions written out by hand; official vectors are in tests/vectors."""

import hashlib
import hmac

import pytest

from secure_chat.mls.codec import encode_opaque
from secure_chat.mls.crypto.labels import (
    decrypt_with_label,
    derive_secret,
    derive_tree_secret,
    encrypt_with_label,
    expand_with_label,
    extract,
    ref_hash,
    sealer_with_label,
    sign_with_label,
    verify_with_label,
)
from secure_chat.mls.crypto.secret import Secret
from secure_chat.mls.crypto.suite import CipherSuite, HPKEPrivateKey, SignaturePrivateKey
from secure_chat.mls.errors import CryptoError, UsageError
from tests.mls.suites import ALL_SUITES, FAST

SECRET = bytes(range(32))


@pytest.fixture(params=ALL_SUITES, ids=lambda suite: suite.name)
def suite(request: pytest.FixtureRequest) -> CipherSuite:
    found = request.param
    assert isinstance(found, CipherSuite)
    return found


def kdf_label(label: str, context: bytes, length: int) -> bytes:
    return length.to_bytes(2, "big") + encode_opaque(b"MLS 1.0 " + label.encode()) + encode_opaque(context)


def hkdf_expand(suite: CipherSuite, secret: bytes, info: bytes, length: int) -> bytes:
    """RFC 5869 §2.3."""
    output = block = b""
    for counter in range(1, 256):
        block = hmac.digest(secret, block + info + bytes([counter]), suite.hash_name)
        output += block
    return output[:length]


@pytest.mark.parametrize("length", [0, 1, 12, 32, 48, 64, 65, 200, 255 * 32])
@pytest.mark.parametrize("context", [b"", b"c", b"c" * 70])
def test_expand_with_label_is_hkdf_over_the_kdf_label(suite: CipherSuite, length: int, context: bytes) -> None:
    """§8, for lengths below, at and above one block."""
    result = expand_with_label(suite, SECRET, "label", context, length)
    assert result == hkdf_expand(suite, SECRET, kdf_label("label", context, length), length)
    assert isinstance(result, Secret)


def test_expansion_has_a_limit(suite: CipherSuite) -> None:
    """HKDF gives at most 255 blocks; more is the caller's mistake."""
    assert len(expand_with_label(suite, SECRET, "label", b"", 255 * suite.hash_length)) == 255 * suite.hash_length
    for length in (255 * suite.hash_length + 1, 1 << 20):
        with pytest.raises(UsageError):
            expand_with_label(suite, SECRET, "label", b"", length)


def test_derive_secret_is_expand_with_an_empty_context(suite: CipherSuite) -> None:
    """§8."""
    assert derive_secret(suite, SECRET, "x") == expand_with_label(suite, SECRET, "x", b"", suite.hash_length)


@pytest.mark.parametrize("length", [12, 32, 100])
def test_derive_tree_secret_is_expand_with_the_generation(suite: CipherSuite, length: int) -> None:
    """§9."""
    generation = 0xDEADBEEF
    assert derive_tree_secret(suite, SECRET, "key", generation, length) == expand_with_label(
        suite, SECRET, "key", generation.to_bytes(4, "big"), length
    )


def test_extract_is_hmac(suite: CipherSuite) -> None:
    """§5.1: HKDF-Extract."""
    assert extract(suite, b"salt", b"ikm") == hmac.digest(b"salt", b"ikm", suite.hash_name)


def test_ref_hash_covers_label_and_value() -> None:
    """§5.2."""
    expected = hashlib.sha256(b"\x05label" + b"\x05value").digest()
    assert ref_hash(FAST, "label", b"value") == expected


def test_a_labelled_signature_verifies_only_under_its_label(suite: CipherSuite) -> None:
    """§5.1.2: another label, content or key does not verify."""
    key = SignaturePrivateKey.generate(suite)
    signature = sign_with_label(key, "LeafNodeTBS", b"content")
    verify_with_label(suite, key.public, "LeafNodeTBS", b"content", signature)
    stranger = SignaturePrivateKey.generate(suite).public
    for public, label, content in (
        (key.public, "KeyPackageTBS", b"content"),
        (key.public, "LeafNodeTBS", b"Content"),
        (stranger, "LeafNodeTBS", b"content"),
    ):
        with pytest.raises(CryptoError):
            verify_with_label(suite, public, label, content, signature)
    with pytest.raises(CryptoError):
        verify_with_label(suite, key.public, "LeafNodeTBS", b"content", b"")


def test_labelled_encryption_opens_only_under_its_label_and_context(suite: CipherSuite) -> None:
    """§5.1.3."""
    key = HPKEPrivateKey.generate(suite)
    sealed = encrypt_with_label(suite, key.public, "Welcome", b"context", b"secret")
    opened = decrypt_with_label(suite, key, "Welcome", b"context", sealed)
    assert opened == b"secret"
    assert isinstance(opened, Secret)
    again = sealer_with_label(suite, "Welcome", b"context").seal(key.public, b"secret")
    assert decrypt_with_label(suite, key, "Welcome", b"context", again) == b"secret"
    for label, context in (("UpdatePathNode", b"context"), ("Welcome", b"Context")):
        with pytest.raises(CryptoError):
            decrypt_with_label(suite, key, label, context, sealed)
