"""What a key encapsulation mechanism is (RFC 9180 §4), apart from any one of them.

The library's own HPKE serves seal and open where it knows the KEM (`library`). What it lacks is here and in
`dhkem` and `xwing`: key pairs derived from a secret (RFC 9180 §7.1.3), the bare shared secret (needed by the
exporter), and X448.
"""

import hmac
from typing import Protocol

from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric import ec, x448, x25519

from secure_chat.mls.crypto.secret import Secret
from secure_chat.mls.errors import CryptoError

__all__ = [
    "KEM",
    "HPKEPrivateKey",
    "NativePrivateKey",
    "NativePublicKey",
    "exchange",
    "labeled_expand",
    "labeled_extract",
]

NativePublicKey = x25519.X25519PublicKey | x448.X448PublicKey | ec.EllipticCurvePublicKey | hpke.MLKEM768X25519PublicKey
NativePrivateKey = (
    x25519.X25519PrivateKey | x448.X448PrivateKey | ec.EllipticCurvePrivateKey | hpke.MLKEM768X25519PrivateKey
)


class KEM(Protocol):
    """One key encapsulation mechanism."""

    @property
    def kem_id(self) -> int:
        """Its number in the HPKE KEM registry."""

    @property
    def library(self) -> hpke.KEM | None:
        """The library's name for it, None where the library has no HPKE for it."""

    @property
    def enc_length(self) -> int:
        """Bytes of an encapsulated key."""

    def generate(self) -> "HPKEPrivateKey":
        """A fresh random key pair."""

    def derive_key_pair(self, ikm: bytes) -> "HPKEPrivateKey":
        """The key pair that belongs to a secret (RFC 9180 §7.1.3)."""

    def private_key(self, data: bytes) -> "HPKEPrivateKey":
        """A private key from its serialisation; CryptoError if it is none."""

    def public_key(self, data: bytes) -> NativePublicKey:
        """The parsed public key, cached; CryptoError if it is none."""

    def check_public_key(self, data: bytes) -> None:
        """Return if one can encapsulate to this key; CryptoError otherwise. Cheaper than parsing where it can be."""

    def encap(self, public_key: bytes) -> tuple[Secret, bytes]:
        """A fresh shared secret and its encapsulation; CryptoError for a useless public key."""

    def decap(self, private_key: "HPKEPrivateKey", enc: bytes) -> Secret:
        """The shared secret in `enc`; CryptoError if it is malformed."""


class _HasKEM(Protocol):
    @property
    def kem(self) -> KEM: ...


class HPKEPrivateKey:
    """A private key for HPKE with its public key; parsed once, never printed."""

    __slots__ = ("native", "private_bytes", "public")

    def __init__(self, private_bytes: Secret, public: bytes, native: NativePrivateKey) -> None:
        self.private_bytes = private_bytes
        self.public = public
        self.native = native

    @classmethod
    def generate(cls, suite: _HasKEM) -> "HPKEPrivateKey":
        """A fresh random key."""
        return suite.kem.generate()

    @classmethod
    def derive_key_pair(cls, suite: _HasKEM, ikm: bytes) -> "HPKEPrivateKey":
        """The key that a secret determines (`KEM.DeriveKeyPair`, RFC 9420 §7.4)."""
        return suite.kem.derive_key_pair(ikm)

    @classmethod
    def from_bytes(cls, suite: _HasKEM, data: bytes) -> "HPKEPrivateKey":
        """A key from its serialisation; CryptoError if it is none."""
        return suite.kem.private_key(data)

    def __repr__(self) -> str:
        return f"<HPKEPrivateKey for {self.public[:8].hex()}…>"


def labeled_extract(hash_name: str, suite_id: bytes, salt: bytes, label: bytes, ikm: bytes) -> bytes:
    """`LabeledExtract` of RFC 9180 §4."""
    return hmac.digest(salt, b"HPKE-v1" + suite_id + label + ikm, hash_name)


def labeled_expand(hash_name: str, suite_id: bytes, prk: bytes, label: bytes, info: bytes, length: int) -> bytes:
    """`LabeledExpand` of RFC 9180 §4."""
    labeled = length.to_bytes(2, "big") + b"HPKE-v1" + suite_id + label + info
    block = output = b""
    counter = 1
    while len(output) < length:
        block = hmac.digest(prk, block + labeled + bytes([counter]), hash_name)
        output += block
        counter += 1
    return output[:length]


def exchange(private: NativePrivateKey, public: NativePublicKey) -> bytes:
    """Diffie-Hellman; CryptoError for a public key of small order or of another group."""
    try:
        if isinstance(private, x448.X448PrivateKey) and isinstance(public, x448.X448PublicKey):
            return private.exchange(public)
        if isinstance(private, x25519.X25519PrivateKey) and isinstance(public, x25519.X25519PublicKey):
            return private.exchange(public)
        if isinstance(private, ec.EllipticCurvePrivateKey) and isinstance(public, ec.EllipticCurvePublicKey):
            return private.exchange(ec.ECDH(), public)
    except ValueError:
        # RFC 9180 §7.1.4: an all-zero result is an error.
        raise CryptoError("unusable HPKE public key") from None
    raise CryptoError("HPKE keys of different kinds")
