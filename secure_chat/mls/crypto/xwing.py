"""X-Wing (draft-connolly-cfrg-xwing-kem): ML-KEM-768 and X25519 in one, secure while either is."""

import hashlib
from collections.abc import Callable
from functools import lru_cache

from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric import mlkem, x25519

from secure_chat.mls.crypto.dhkem import SMALL_ORDER_X25519
from secure_chat.mls.crypto.kem import HPKEPrivateKey, NativePublicKey, exchange
from secure_chat.mls.crypto.secret import Secret
from secure_chat.mls.errors import CryptoError

__all__ = ["XWING", "XWing", "shake256_seed"]

CACHED_PUBLIC_KEYS = 512
"""Parsed keys kept: the nodes of a tree of 256 members; each holds an expanded matrix, about 20 kB."""


def shake256_seed(ikm: bytes) -> bytes:
    """X-Wing's DeriveKeyPair as deployed: the 32-byte seed is SHAKE256 of the secret."""
    return hashlib.shake_256(ikm).digest(32)


class XWing:
    """The KEM; a private key is a 32-byte seed.

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
        self.public_key = lru_cache(CACHED_PUBLIC_KEYS)(self._parse_public)

    def _parts(self, data: bytes) -> tuple[mlkem.MLKEM768PublicKey, x25519.X25519PublicKey]:
        if len(data) != self._MLKEM_PUBLIC + 32 or data[self._MLKEM_PUBLIC :] in SMALL_ORDER_X25519:
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

    def check_public_key(self, data: bytes) -> None:
        self.public_key(data)

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
        shared_x25519 = exchange(ephemeral, x25519_key)
        combined = self._combine(shared_mlkem, shared_x25519, ephemeral_public, public_key[self._MLKEM_PUBLIC :])
        return combined, ciphertext + ephemeral_public

    def decap(self, private_key: HPKEPrivateKey, enc: bytes) -> Secret:
        if len(enc) != self.enc_length:
            raise CryptoError("malformed encapsulated key")
        mlkem_key, x25519_key = self._private_parts(private_key.private_bytes)
        ephemeral_public = enc[self._MLKEM_CIPHERTEXT :]
        shared_mlkem = mlkem_key.decapsulate(enc[: self._MLKEM_CIPHERTEXT])
        shared_x25519 = exchange(x25519_key, x25519.X25519PublicKey.from_public_bytes(ephemeral_public))
        own = private_key.public[self._MLKEM_PUBLIC :]
        return self._combine(shared_mlkem, shared_x25519, ephemeral_public, own)

    def _combine(self, shared_mlkem: bytes, shared_x25519: bytes, ephemeral: bytes, own: bytes) -> Secret:
        return Secret(hashlib.sha3_256(shared_mlkem + shared_x25519 + ephemeral + own + self._LABEL).digest())


XWING = XWing(shake256_seed)
