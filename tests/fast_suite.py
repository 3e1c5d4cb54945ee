"""Cipher suites without secrets, for bulk runs: the product's numbers with a KEM of hashes alone.

Whoever wants to break them can. What they keep is what scenarios depend on: another key, another message or another
ciphertext fails exactly where the real ones do. The AEAD, the KDF and everything above are the real ones.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import cast

from cryptography.hazmat.primitives import hpke

from secure_chat.mls.crypto.kem import HPKEPrivateKey, NativePrivateKey, NativePublicKey
from secure_chat.mls.crypto.secret import Secret
from secure_chat.mls.crypto.signature import ED25519, SignaturePrivateKey, SignaturePublicKey
from secure_chat.mls.crypto.suite import SUITES, CipherSuite
from secure_chat.mls.errors import CryptoError

__all__ = ["fast_suites"]

KEY = 32
CACHED = 4_096


class _HashKEM:
    """A public key is the hash of the private one; the shared secret the hash of public key and encapsulation.

    Both are padded to the lengths of a real KEM where a run measures traffic.
    """

    kem_id = 0xFFFF
    library: hpke.KEM | None = None

    def __init__(self, public_length: int, enc_length: int) -> None:
        self.enc_length = enc_length
        self._public_length = public_length

    def generate(self) -> HPKEPrivateKey:
        return self.private_key(os.urandom(KEY))

    def derive_key_pair(self, ikm: bytes) -> HPKEPrivateKey:
        return self.private_key(hashlib.sha256(b"derive" + ikm).digest())

    def private_key(self, data: bytes) -> HPKEPrivateKey:
        if len(data) != KEY:
            raise CryptoError("malformed private key")
        public = hashlib.sha256(b"public" + data).digest().ljust(self._public_length, b"=")
        return HPKEPrivateKey(Secret(data), public, cast(NativePrivateKey, None))

    def public_key(self, data: bytes) -> NativePublicKey:
        self.check_public_key(data)
        return cast(NativePublicKey, None)

    def check_public_key(self, data: bytes) -> None:
        if len(data) != self._public_length:
            raise CryptoError("malformed public key")

    def encap(self, public_key: bytes) -> tuple[Secret, bytes]:
        self.check_public_key(public_key)
        enc = os.urandom(KEY).ljust(self.enc_length, b"=")
        return _shared(public_key, enc), enc

    def decap(self, private_key: HPKEPrivateKey, enc: bytes) -> Secret:
        return _shared(private_key.public, enc)


def _shared(public: bytes, enc: bytes) -> Secret:
    return Secret(hashlib.sha256(b"shared" + public + enc).digest())


class _SharedSignature:
    """Ed25519, but what one member has verified the others need not: they are all in this process."""

    def generate(self) -> SignaturePrivateKey:
        return ED25519.generate()

    def private_key(self, data: bytes) -> SignaturePrivateKey:
        return _private_key(bytes(data))

    def public_key(self, data: bytes) -> SignaturePublicKey:
        return _PublicKey(data)


class _PublicKey:
    __slots__ = ("_data",)

    def __init__(self, data: bytes) -> None:
        self._data = data

    def verify(self, signature: bytes, data: bytes) -> None:
        _verify(self._data, signature, data)


@lru_cache(CACHED)
def _private_key(seed: bytes) -> SignaturePrivateKey:
    return ED25519.private_key(seed)


@lru_cache(CACHED)
def _verify(public: bytes, signature: bytes, data: bytes) -> None:
    ED25519.public_key(public).verify(signature, data)


@contextmanager
def fast_suites(*, real_sizes: bool = False) -> Iterator[None]:
    """Within the block, the product's suites in the table of this process are the fast ones."""
    real = {number: SUITES[number] for number in (3, 0xF00E)}
    for number, suite in real.items():
        lengths = (len(suite.kem.generate().public), suite.kem.enc_length) if real_sizes else (KEY, KEY)
        SUITES[number] = CipherSuite(
            number, "fast, for tests", _HashKEM(*lengths), suite.hash_name, "CHACHA20POLY1305", _SharedSignature()
        )
    try:
        yield
    finally:
        SUITES.update(real)
