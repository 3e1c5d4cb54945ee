"""Key encapsulation of RFC 9180 §4.1 and §7.1, and X-Wing, over the primitives of `cryptography`.

The library's own HPKE serves seal and open where it knows the KEM (`library`). What it lacks is here: key
pairs derived from a secret (RFC 9180 §7.1.3), the bare shared secret (needed by the exporter), and X448.
"""

import hashlib
import hmac
from collections.abc import Callable
from functools import lru_cache
from typing import Protocol

from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric import ec, mlkem, x448, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from secure_chat.mls.crypto.secret import Secret
from secure_chat.mls.errors import CryptoError

__all__ = [
    "DHKEMP256",
    "DHKEMP384",
    "DHKEMP521",
    "DHKEMX448",
    "DHKEMX25519",
    "KEM",
    "XWING",
    "HPKEPrivateKey",
    "labeled_expand",
    "labeled_extract",
    "shake256_seed",
]

NativePublicKey = x25519.X25519PublicKey | x448.X448PublicKey | ec.EllipticCurvePublicKey | hpke.MLKEM768X25519PublicKey
NativePrivateKey = (
    x25519.X25519PrivateKey | x448.X448PrivateKey | ec.EllipticCurvePrivateKey | hpke.MLKEM768X25519PrivateKey
)

CACHED_PUBLIC_KEYS = 4096
"""Parsed keys kept per classical KEM: the nodes of a tree of 2,000 members, about 1 kB each."""
CACHED_XWING_KEYS = 512
"""Parsed X-Wing keys kept: the nodes of a tree of 256 members; each holds an expanded matrix, about 20 kB."""


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


class _DHKEM:
    """DHKEM of RFC 9180 §4.1; subclasses know one group each."""

    def __init__(
        self, kem_id: int, library: hpke.KEM | None, hash_name: str, enc_length: int, private_length: int
    ) -> None:
        self.kem_id = kem_id
        self.library = library
        self.enc_length = enc_length
        self.private_length = private_length
        self._hash_name = hash_name
        self._secret_length = hashlib.new(hash_name).digest_size
        self._suite_id = b"KEM" + kem_id.to_bytes(2, "big")
        self.public_key = lru_cache(CACHED_PUBLIC_KEYS)(self._parse_public)

    def _parse_public(self, data: bytes) -> NativePublicKey:
        raise AssertionError("each group parses its own keys")

    def _shared(self, dh: bytes, context: bytes) -> Secret:
        prk = labeled_extract(self._hash_name, self._suite_id, b"", b"eae_prk", dh)
        return Secret(
            labeled_expand(self._hash_name, self._suite_id, prk, b"shared_secret", context, self._secret_length)
        )


class _Montgomery(_DHKEM):
    """X25519 and X448."""

    def __init__(
        self,
        kem_id: int,
        library: hpke.KEM | None,
        hash_name: str,
        length: int,
        small_order: frozenset[bytes],
        public_type: type[x25519.X25519PublicKey] | type[x448.X448PublicKey],
        private_type: type[x25519.X25519PrivateKey] | type[x448.X448PrivateKey],
    ) -> None:
        super().__init__(kem_id, library, hash_name, length, length)
        self._small_order = small_order
        self._public_type = public_type
        self._private_type = private_type

    def _parse_public(self, data: bytes) -> NativePublicKey:
        # Sealing to a point of small order fails (RFC 9180 §7.1.4): refused before it can enter a tree.
        if data in self._small_order:
            raise CryptoError("HPKE public key of small order")
        try:
            return self._public_type.from_public_bytes(data)
        except ValueError:
            raise CryptoError("malformed HPKE public key") from None

    def generate(self) -> HPKEPrivateKey:
        native = self._private_type.generate()
        return HPKEPrivateKey(Secret(native.private_bytes_raw()), native.public_key().public_bytes_raw(), native)

    def private_key(self, data: bytes) -> HPKEPrivateKey:
        try:
            native = self._private_type.from_private_bytes(data)
        except ValueError:
            raise CryptoError("malformed HPKE private key") from None
        return HPKEPrivateKey(Secret(data), native.public_key().public_bytes_raw(), native)

    def derive_key_pair(self, ikm: bytes) -> HPKEPrivateKey:
        prk = labeled_extract(self._hash_name, self._suite_id, b"", b"dkp_prk", ikm)
        return self.private_key(labeled_expand(self._hash_name, self._suite_id, prk, b"sk", b"", self.private_length))

    def encap(self, public_key: bytes) -> tuple[Secret, bytes]:
        ephemeral = self._private_type.generate()
        enc = ephemeral.public_key().public_bytes_raw()
        dh = _exchange(ephemeral, self.public_key(public_key))
        return self._shared(dh, enc + public_key), enc

    def decap(self, private_key: HPKEPrivateKey, enc: bytes) -> Secret:
        # Not through the cache: an encapsulated key is used once.
        dh = _exchange(private_key.native, self._parse_public(enc))
        return self._shared(dh, enc + private_key.public)


def _exchange(private: NativePrivateKey, public: NativePublicKey) -> bytes:
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


class _Nist(_DHKEM):
    """P-256, P-384 and P-521; public keys are uncompressed points (RFC 9420 §5.1.1)."""

    def __init__(
        self,
        kem_id: int,
        library: hpke.KEM,
        hash_name: str,
        curve: ec.EllipticCurve,
        order: int,
    ) -> None:
        length = (curve.key_size + 7) // 8
        super().__init__(kem_id, library, hash_name, 1 + 2 * length, length)
        self._curve = curve
        self._order = order
        self._bitmask = 0xFF >> (8 * length - curve.key_size)

    def _parse_public(self, data: bytes) -> NativePublicKey:
        if len(data) != self.enc_length or data[0] != 4:
            raise CryptoError("malformed HPKE public key")
        try:
            return ec.EllipticCurvePublicKey.from_encoded_point(self._curve, data)
        except ValueError:
            raise CryptoError("HPKE public key not on its curve") from None

    def generate(self) -> HPKEPrivateKey:
        return self._pair(ec.generate_private_key(self._curve))

    def private_key(self, data: bytes) -> HPKEPrivateKey:
        scalar = int.from_bytes(data, "big")
        # Shorter is accepted: some implementations strip the leading zero of P-521 keys.
        if len(data) > self.private_length or not 0 < scalar < self._order:
            raise CryptoError("malformed HPKE private key")
        return self._pair(ec.derive_private_key(scalar, self._curve))

    def _pair(self, native: ec.EllipticCurvePrivateKey) -> HPKEPrivateKey:
        scalar = native.private_numbers().private_value
        return HPKEPrivateKey(Secret(scalar.to_bytes(self.private_length, "big")), _point(native.public_key()), native)

    def derive_key_pair(self, ikm: bytes) -> HPKEPrivateKey:
        prk = labeled_extract(self._hash_name, self._suite_id, b"", b"dkp_prk", ikm)
        for counter in range(256):
            candidate = bytearray(
                labeled_expand(
                    self._hash_name,
                    self._suite_id,
                    prk,
                    b"candidate",
                    bytes([counter]),
                    self.private_length,
                )
            )
            candidate[0] &= self._bitmask
            if 0 < int.from_bytes(candidate, "big") < self._order:
                return self.private_key(bytes(candidate))
        raise CryptoError("no key pair can be derived from this secret")  # probability below 2^-256

    def encap(self, public_key: bytes) -> tuple[Secret, bytes]:
        ephemeral = ec.generate_private_key(self._curve)
        enc = _point(ephemeral.public_key())
        dh = _exchange(ephemeral, self.public_key(public_key))
        return self._shared(dh, enc + public_key), enc

    def decap(self, private_key: HPKEPrivateKey, enc: bytes) -> Secret:
        dh = _exchange(private_key.native, self._parse_public(enc))
        return self._shared(dh, enc + private_key.public)


def _point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def shake256_seed(ikm: bytes) -> bytes:
    """X-Wing's DeriveKeyPair as deployed: the 32-byte seed is SHAKE256 of the secret."""
    return hashlib.shake_256(ikm).digest(32)


class XWing:
    """X-Wing (draft-connolly-cfrg-xwing-kem): ML-KEM-768 and X25519; a private key is a 32-byte seed.

    `derive_seed` is how DeriveKeyPair makes a seed from a secret; drafts differ, so it belongs to the suite.
    """

    kem_id = 0x647A
    library: hpke.KEM | None = hpke.KEM.MLKEM768_X25519
    enc_length = 1120
    private_length = 32
    _LABEL = rb"\.//^" + b"\\"
    _MLKEM_PUBLIC = 1184
    _MLKEM_CIPHERTEXT = 1088

    def __init__(self, derive_seed: Callable[[bytes], bytes]) -> None:
        self._derive_seed = derive_seed
        self.public_key = lru_cache(CACHED_XWING_KEYS)(self._parse_public)

    def _parts(self, data: bytes) -> tuple[mlkem.MLKEM768PublicKey, x25519.X25519PublicKey]:
        if len(data) != self._MLKEM_PUBLIC + 32 or data[self._MLKEM_PUBLIC :] in _SMALL_ORDER_X25519:
            raise CryptoError("malformed X-Wing public key")
        try:
            return (
                mlkem.MLKEM768PublicKey.from_public_bytes(data[: self._MLKEM_PUBLIC]),
                x25519.X25519PublicKey.from_public_bytes(data[self._MLKEM_PUBLIC :]),
            )
        except ValueError:
            raise CryptoError("malformed X-Wing public key") from None

    def _parse_public(self, data: bytes) -> NativePublicKey:
        return hpke.MLKEM768X25519PublicKey(*self._parts(data))

    def _private_parts(self, seed: bytes) -> tuple[mlkem.MLKEM768PrivateKey, x25519.X25519PrivateKey]:
        expanded = hashlib.shake_256(seed).digest(96)
        return (
            mlkem.MLKEM768PrivateKey.from_seed_bytes(expanded[:64]),
            x25519.X25519PrivateKey.from_private_bytes(expanded[64:]),
        )

    def generate(self) -> HPKEPrivateKey:
        return self.private_key(x25519.X25519PrivateKey.generate().private_bytes_raw())

    def private_key(self, data: bytes) -> HPKEPrivateKey:
        if len(data) != self.private_length:
            raise CryptoError("malformed HPKE private key")
        mlkem_key, x25519_key = self._private_parts(data)
        public = mlkem_key.public_key().public_bytes_raw() + x25519_key.public_key().public_bytes_raw()
        return HPKEPrivateKey(Secret(data), public, hpke.MLKEM768X25519PrivateKey(mlkem_key, x25519_key))

    def derive_key_pair(self, ikm: bytes) -> HPKEPrivateKey:
        return self.private_key(self._derive_seed(ikm))

    def encap(self, public_key: bytes) -> tuple[Secret, bytes]:
        mlkem_key, x25519_key = self._parts(public_key)
        shared_mlkem, ciphertext = mlkem_key.encapsulate()
        ephemeral = x25519.X25519PrivateKey.generate()
        ephemeral_public = ephemeral.public_key().public_bytes_raw()
        shared_x25519 = _exchange(ephemeral, x25519_key)
        combined = self._combine(shared_mlkem, shared_x25519, ephemeral_public, public_key[self._MLKEM_PUBLIC :])
        return combined, ciphertext + ephemeral_public

    def decap(self, private_key: HPKEPrivateKey, enc: bytes) -> Secret:
        if len(enc) != self.enc_length:
            raise CryptoError("malformed encapsulated key")
        mlkem_key, x25519_key = self._private_parts(private_key.private_bytes)
        ephemeral_public = enc[self._MLKEM_CIPHERTEXT :]
        shared_mlkem = mlkem_key.decapsulate(enc[: self._MLKEM_CIPHERTEXT])
        shared_x25519 = _exchange(x25519_key, x25519.X25519PublicKey.from_public_bytes(ephemeral_public))
        own = private_key.public[self._MLKEM_PUBLIC :]
        return self._combine(shared_mlkem, shared_x25519, ephemeral_public, own)

    def _combine(self, shared_mlkem: bytes, shared_x25519: bytes, ephemeral: bytes, own: bytes) -> Secret:
        return Secret(hashlib.sha3_256(shared_mlkem + shared_x25519 + ephemeral + own + self._LABEL).digest())


_P25519 = 2**255 - 19
_P448 = 2**448 - 2**224 - 1
# u-coordinates of order 1, 2, 4 and 8, with those that are written unreduced or with the ignored top bit set.
_SMALL_ORDER_X25519 = frozenset(
    (u + top).to_bytes(32, "little")
    for u in (
        0,
        1,
        325606250916557431795983626356110631294008115727848805560023387167927233504,
        39382357235489614581723060781553021112529911719440698176882885853963445705823,
        _P25519 - 1,
        _P25519,
        _P25519 + 1,
    )
    for top in (0, 1 << 255)
)
_SMALL_ORDER_X448 = frozenset(u.to_bytes(56, "little") for u in (0, 1, _P448 - 1, _P448, _P448 + 1))

DHKEMX25519 = _Montgomery(
    0x0020, hpke.KEM.X25519, "sha256", 32, _SMALL_ORDER_X25519, x25519.X25519PublicKey, x25519.X25519PrivateKey
)
DHKEMX448 = _Montgomery(0x0021, None, "sha512", 56, _SMALL_ORDER_X448, x448.X448PublicKey, x448.X448PrivateKey)
DHKEMP256 = _Nist(
    0x0010,
    hpke.KEM.P256,
    "sha256",
    ec.SECP256R1(),
    0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
)
DHKEMP384 = _Nist(
    0x0011,
    hpke.KEM.P384,
    "sha384",
    ec.SECP384R1(),
    0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
)
DHKEMP521 = _Nist(
    0x0012,
    hpke.KEM.P521,
    "sha512",
    ec.SECP521R1(),
    0x01FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFA51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409,
)
XWING = XWing(shake256_seed)
