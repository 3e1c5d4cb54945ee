"""Labelled signing, encryption, hashing and key derivation: RFC 9420 §5.1.2, §5.1.3, §5.2, §8 and §9.

Labels are constants of the protocol, so their encoding is computed once.
"""

import hmac
from functools import lru_cache

from secure_chat.mls.codec import encode_opaque
from secure_chat.mls.crypto.hpke import HPKECiphertext, Sealer
from secure_chat.mls.crypto.kem import HPKEPrivateKey
from secure_chat.mls.crypto.secret import Secret
from secure_chat.mls.crypto.signature import SignaturePrivateKey
from secure_chat.mls.crypto.suite import CipherSuite
from secure_chat.mls.errors import UsageError

__all__ = [
    "decrypt_with_label",
    "derive_secret",
    "derive_tree_secret",
    "encrypt_with_label",
    "expand_with_label",
    "extract",
    "ref_hash",
    "sealer_with_label",
    "sign_with_label",
    "verify_with_label",
]

CACHED_LABELS = 1024
"""The protocol has about thirty labels; applications export under labels of their own."""

CONSTANT_CONTEXT = 5
"""Bytes of the longest context that is a constant: empty, "left" and "right"."""


@lru_cache(CACHED_LABELS)
def _label(label: str) -> bytes:
    return encode_opaque(b"MLS 1.0 " + label.encode())


@lru_cache(CACHED_LABELS)
def _kdf_prefix(label: str, length: int) -> bytes:
    """KDFLabel (§8) up to its context."""
    return length.to_bytes(2, "big") + _label(label)


@lru_cache(CACHED_LABELS)
def _kdf_label(label: str, context: bytes, length: int) -> bytes:
    """KDFLabel (§8) with a context that is a constant of the protocol."""
    return _kdf_prefix(label, length) + encode_opaque(context)


def sign_with_label(key: SignaturePrivateKey, label: str, content: bytes) -> bytes:
    """`SignWithLabel` (§5.1.2)."""
    return key.sign(_label(label) + encode_opaque(content))


def verify_with_label(suite: CipherSuite, public_key: bytes, label: str, content: bytes, signature: bytes) -> None:
    """`VerifyWithLabel` (§5.1.2): returns if valid, CryptoError otherwise."""
    suite.signature.public_key(public_key).verify(signature, _label(label) + encode_opaque(content))


def extract(suite: CipherSuite, salt: bytes, ikm: bytes) -> Secret:
    """`KDF.Extract` (§5.1)."""
    return Secret(hmac.digest(salt, ikm, suite.hash_name))


def expand_with_label(suite: CipherSuite, secret: bytes, label: str, context: bytes, length: int) -> Secret:
    """`ExpandWithLabel` (§8); UsageError for more than 255 hash lengths."""
    hash_length = suite.hash_length
    if length > 255 * hash_length:
        raise UsageError(f"at most {255 * hash_length} bytes can be derived from one secret")
    if len(context) <= CONSTANT_CONTEXT:
        info = _kdf_label(label, context, length)
    else:
        info = _kdf_prefix(label, length) + encode_opaque(context)
    block = hmac.digest(secret, info + b"\x01", suite.hash_name)
    if length == hash_length:
        return Secret(block)
    blocks = [block]
    for counter in range(2, -(-length // hash_length) + 1):
        block = hmac.digest(secret, block + info + bytes([counter]), suite.hash_name)
        blocks.append(block)
    return Secret(b"".join(blocks)[:length])


def derive_secret(suite: CipherSuite, secret: bytes, label: str) -> Secret:
    """`DeriveSecret` (§8)."""
    length = suite.hash_length
    return Secret(hmac.digest(secret, _kdf_prefix(label, length) + b"\0\x01", suite.hash_name))


def derive_tree_secret(suite: CipherSuite, secret: bytes, label: str, generation: int, length: int) -> Secret:
    """`DeriveTreeSecret` (§9)."""
    if length > suite.hash_length:
        return expand_with_label(suite, secret, label, generation.to_bytes(4, "big"), length)
    info = _kdf_prefix(label, length) + b"\x04" + generation.to_bytes(4, "big") + b"\x01"
    return Secret(hmac.digest(secret, info, suite.hash_name)[:length])


def encrypt_with_label(
    suite: CipherSuite, public_key: bytes, label: str, context: bytes, plaintext: bytes
) -> HPKECiphertext:
    """`EncryptWithLabel` (§5.1.3); CryptoError for an unusable public key."""
    return suite.hpke.seal(public_key, _label(label) + encode_opaque(context), plaintext)


def sealer_with_label(suite: CipherSuite, label: str, context: bytes) -> Sealer:
    """`EncryptWithLabel` (§5.1.3) to any number of receivers under one label and context."""
    return suite.hpke.sealer(_label(label) + encode_opaque(context))


def decrypt_with_label(
    suite: CipherSuite, private_key: HPKEPrivateKey, label: str, context: bytes, ciphertext: HPKECiphertext
) -> Secret:
    """`DecryptWithLabel` (§5.1.3); CryptoError if it cannot be opened."""
    return suite.hpke.open(private_key, _label(label) + encode_opaque(context), ciphertext)


def ref_hash(suite: CipherSuite, label: str, value: bytes) -> bytes:
    """`RefHash` (§5.2); `label` is whole, as in "MLS 1.0 KeyPackage Reference"."""
    return suite.hash(encode_opaque(label.encode()) + encode_opaque(value))
