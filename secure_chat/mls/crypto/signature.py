"""Signatures of RFC 9420 §5.1.2: Ed25519, Ed448 and ECDSA over the NIST curves."""

from functools import lru_cache
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from secure_chat.mls.crypto.secret import Secret
from secure_chat.mls.errors import CryptoError

__all__ = [
    "ECDSA_P256",
    "ECDSA_P384",
    "ECDSA_P521",
    "ED448",
    "ED25519",
    "SignaturePrivateKey",
    "SignaturePublicKey",
    "SignatureScheme",
]

CACHED_PUBLIC_KEYS = 4096
"""Parsed keys kept per scheme: the members of several large groups, well below 1 kB each."""

_EdPrivate = ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey
_EdPublic = ed25519.Ed25519PublicKey | ed448.Ed448PublicKey


class SignaturePublicKey(Protocol):
    """A parsed public key."""

    def verify(self, signature: bytes, data: bytes) -> None:
        """Return if the signature is valid; CryptoError otherwise."""


class _Signer(Protocol):
    def sign(self, data: bytes, /) -> bytes: ...


class SignatureScheme(Protocol):
    """One signature algorithm."""

    def generate(self) -> "SignaturePrivateKey":
        """A fresh key."""

    def private_key(self, data: bytes) -> "SignaturePrivateKey":
        """A key from its serialisation; CryptoError if it is none."""

    def public_key(self, data: bytes) -> SignaturePublicKey:
        """The parsed key, cached; CryptoError if it is none."""


class _HasSignature(Protocol):
    @property
    def signature(self) -> SignatureScheme: ...


class SignaturePrivateKey:
    """A private signature key with its public key; never printed."""

    __slots__ = ("_signer", "private_bytes", "public")

    def __init__(self, private_bytes: Secret, public: bytes, signer: _Signer) -> None:
        self.private_bytes = private_bytes
        self.public = public
        self._signer = signer

    @classmethod
    def generate(cls, suite: _HasSignature) -> "SignaturePrivateKey":
        """A fresh random key of the suite's scheme."""
        return suite.signature.generate()

    @classmethod
    def from_bytes(cls, suite: _HasSignature, data: bytes) -> "SignaturePrivateKey":
        """A key from its seed (EdDSA) or scalar (ECDSA); CryptoError if it is none."""
        return suite.signature.private_key(data)

    def sign(self, data: bytes) -> bytes:
        """A signature over exactly `data`; MLS content goes through `labels.sign_with_label`."""
        return self._signer.sign(data)

    def __repr__(self) -> str:
        return f"<SignaturePrivateKey for {self.public[:8].hex()}…>"


class _EdPublicKey:
    __slots__ = ("_key",)

    def __init__(self, key: _EdPublic) -> None:
        self._key = key

    def verify(self, signature: bytes, data: bytes) -> None:
        try:
            self._key.verify(signature, data)
        except InvalidSignature:
            raise CryptoError("the signature is not valid") from None


class _EdDSA:
    """Ed25519 and Ed448 (RFC 8032); a private key is its seed."""

    def __init__(
        self,
        private_type: type[ed25519.Ed25519PrivateKey] | type[ed448.Ed448PrivateKey],
        public_type: type[ed25519.Ed25519PublicKey] | type[ed448.Ed448PublicKey],
    ) -> None:
        self._private_type = private_type
        self._public_type = public_type
        self.public_key = lru_cache(CACHED_PUBLIC_KEYS)(self._parse_public)

    def generate(self) -> SignaturePrivateKey:
        return self._pair(self._private_type.generate())

    def private_key(self, data: bytes) -> SignaturePrivateKey:
        try:
            return self._pair(self._private_type.from_private_bytes(data))
        except ValueError:
            raise CryptoError("malformed signature private key") from None

    def _pair(self, key: _EdPrivate) -> SignaturePrivateKey:
        return SignaturePrivateKey(Secret(key.private_bytes_raw()), key.public_key().public_bytes_raw(), key)

    def _parse_public(self, data: bytes) -> SignaturePublicKey:
        try:
            return _EdPublicKey(self._public_type.from_public_bytes(data))
        except ValueError:
            raise CryptoError("malformed signature public key") from None


class _ECSigner:
    __slots__ = ("_algorithm", "_key")

    def __init__(self, key: ec.EllipticCurvePrivateKey, algorithm: ec.ECDSA) -> None:
        self._key = key
        self._algorithm = algorithm

    def sign(self, data: bytes, /) -> bytes:
        return self._key.sign(data, self._algorithm)


class _ECPublicKey:
    __slots__ = ("_algorithm", "_key")

    def __init__(self, key: ec.EllipticCurvePublicKey, algorithm: ec.ECDSA) -> None:
        self._key = key
        self._algorithm = algorithm

    def verify(self, signature: bytes, data: bytes) -> None:
        try:
            self._key.verify(signature, data, self._algorithm)
        except InvalidSignature:
            raise CryptoError("the signature is not valid") from None


class _ECDSA:
    """ECDSA; public keys are uncompressed points, signatures DER (RFC 9420 §5.1.1, §5.1.2)."""

    def __init__(self, curve: ec.EllipticCurve, algorithm: hashes.HashAlgorithm) -> None:
        self._curve = curve
        self._algorithm = ec.ECDSA(algorithm)
        self._length = (curve.key_size + 7) // 8
        self.public_key = lru_cache(CACHED_PUBLIC_KEYS)(self._parse_public)

    def generate(self) -> SignaturePrivateKey:
        return self._pair(ec.generate_private_key(self._curve))

    def private_key(self, data: bytes) -> SignaturePrivateKey:
        # Shorter is accepted: some implementations strip the leading zero of P-521 keys.
        if len(data) > self._length:
            raise CryptoError("malformed signature private key")
        try:
            return self._pair(ec.derive_private_key(int.from_bytes(data, "big"), self._curve))
        except ValueError:
            raise CryptoError("malformed signature private key") from None

    def _pair(self, key: ec.EllipticCurvePrivateKey) -> SignaturePrivateKey:
        scalar = key.private_numbers().private_value
        return SignaturePrivateKey(
            Secret(scalar.to_bytes(self._length, "big")),
            key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint),
            _ECSigner(key, self._algorithm),
        )

    def _parse_public(self, data: bytes) -> SignaturePublicKey:
        if len(data) != 1 + 2 * self._length or data[0] != 4:
            raise CryptoError("malformed signature public key")
        try:
            key = ec.EllipticCurvePublicKey.from_encoded_point(self._curve, data)
        except ValueError:
            raise CryptoError("signature public key not on its curve") from None
        return _ECPublicKey(key, self._algorithm)


ED25519 = _EdDSA(ed25519.Ed25519PrivateKey, ed25519.Ed25519PublicKey)
ED448 = _EdDSA(ed448.Ed448PrivateKey, ed448.Ed448PublicKey)
ECDSA_P256 = _ECDSA(ec.SECP256R1(), hashes.SHA256())
ECDSA_P384 = _ECDSA(ec.SECP384R1(), hashes.SHA384())
ECDSA_P521 = _ECDSA(ec.SECP521R1(), hashes.SHA512())
