"""DHKEM: Diffie-Hellman as key encapsulation (RFC 9180 §4.1, §7.1), for the five groups of RFC 9420's suites."""

import hashlib
from collections.abc import Callable
from functools import lru_cache

from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric import ec, x448, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from secure_chat.mls.crypto.kem import (
    HPKEPrivateKey,
    NativePublicKey,
    exchange,
    labeled_expand,
    labeled_extract,
)
from secure_chat.mls.crypto.secret import Secret
from secure_chat.mls.errors import CryptoError

__all__ = ["DHKEMP256", "DHKEMP384", "DHKEMP521", "DHKEMX448", "DHKEMX25519", "SMALL_ORDER_X25519"]

CACHED_PUBLIC_KEYS = 4096
"""Parsed keys kept per KEM: the nodes of a tree of 2,000 members, about 1 kB each."""


class _DHKEM:
    """DHKEM of RFC 9180 §4.1; subclasses know one group each."""

    def __init__(
        self,
        kem_id: int,
        library: hpke.KEM | None,
        hash_name: str,
        enc_length: int,
        private_length: int,
        parse_public: Callable[[bytes], NativePublicKey],
    ) -> None:
        self.kem_id = kem_id
        self.library = library
        self.enc_length = enc_length
        self.private_length = private_length
        self._hash_name = hash_name
        self._secret_length = hashlib.new(hash_name).digest_size
        self._suite_id = b"KEM" + kem_id.to_bytes(2, "big")
        self.public_key = lru_cache(CACHED_PUBLIC_KEYS)(parse_public)

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
        super().__init__(kem_id, library, hash_name, length, length, self._parse_public)
        self._small_order = small_order
        self._public_type = public_type
        self._private_type = private_type

    def _parse_public(self, data: bytes) -> NativePublicKey:
        self.check_public_key(data)
        return self._public_type.from_public_bytes(data)

    def check_public_key(self, data: bytes) -> None:
        # Sealing to a point of small order fails (RFC 9180 §7.1.4): refused before it can enter a tree. Any other
        # string of the right length is a public key.
        if data in self._small_order:
            raise CryptoError("HPKE public key of small order")
        if len(data) != self.enc_length:
            raise CryptoError("malformed HPKE public key")

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
        dh = exchange(ephemeral, self.public_key(public_key))
        return self._shared(dh, enc + public_key), enc

    def decap(self, private_key: HPKEPrivateKey, enc: bytes) -> Secret:
        # Not through the cache: an encapsulated key is used once.
        dh = exchange(private_key.native, self._parse_public(enc))
        return self._shared(dh, enc + private_key.public)


class _Nist(_DHKEM):
    """P-256, P-384 and P-521; public keys are uncompressed points (RFC 9420 §5.1.1)."""

    def __init__(
        self,
        kem_id: int,
        library: hpke.KEM,
        hash_name: str,
        curve: ec.EllipticCurve,
    ) -> None:
        length = (curve.key_size + 7) // 8
        super().__init__(kem_id, library, hash_name, 1 + 2 * length, length, self._parse_public)
        self._curve = curve
        self._bitmask = 0xFF >> (8 * length - curve.key_size)

    def _parse_public(self, data: bytes) -> NativePublicKey:
        if len(data) != self.enc_length or data[0] != 4:
            raise CryptoError("malformed HPKE public key")
        try:
            return ec.EllipticCurvePublicKey.from_encoded_point(self._curve, data)
        except ValueError:
            raise CryptoError("HPKE public key not on its curve") from None

    def check_public_key(self, data: bytes) -> None:
        self.public_key(data)

    def generate(self) -> HPKEPrivateKey:
        return self._pair(ec.generate_private_key(self._curve))

    def private_key(self, data: bytes) -> HPKEPrivateKey:
        scalar = int.from_bytes(data, "big")
        # Shorter is accepted: some implementations strip the leading zero of P-521 keys.
        if len(data) > self.private_length or not 0 < scalar < self._curve.group_order:
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
            if 0 < int.from_bytes(candidate, "big") < self._curve.group_order:
                return self.private_key(bytes(candidate))
        raise CryptoError("no key pair can be derived from this secret")  # probability below 2^-256

    def encap(self, public_key: bytes) -> tuple[Secret, bytes]:
        ephemeral = ec.generate_private_key(self._curve)
        enc = _point(ephemeral.public_key())
        dh = exchange(ephemeral, self.public_key(public_key))
        return self._shared(dh, enc + public_key), enc

    def decap(self, private_key: HPKEPrivateKey, enc: bytes) -> Secret:
        dh = exchange(private_key.native, self._parse_public(enc))
        return self._shared(dh, enc + private_key.public)


def _point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


_P25519 = 2**255 - 19
_P448 = 2**448 - 2**224 - 1
# u-coordinates of order 1, 2, 4 and 8, with those that are written unreduced or with the ignored top bit set.
SMALL_ORDER_X25519 = frozenset(
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
SMALL_ORDER_X448 = frozenset(u.to_bytes(56, "little") for u in (0, 1, _P448 - 1, _P448, _P448 + 1))

DHKEMX25519 = _Montgomery(
    0x0020, hpke.KEM.X25519, "sha256", 32, SMALL_ORDER_X25519, x25519.X25519PublicKey, x25519.X25519PrivateKey
)
DHKEMX448 = _Montgomery(0x0021, None, "sha512", 56, SMALL_ORDER_X448, x448.X448PublicKey, x448.X448PrivateKey)
DHKEMP256 = _Nist(0x0010, hpke.KEM.P256, "sha256", ec.SECP256R1())
DHKEMP384 = _Nist(0x0011, hpke.KEM.P384, "sha384", ec.SECP384R1())
DHKEMP521 = _Nist(0x0012, hpke.KEM.P521, "sha512", ec.SECP521R1())
