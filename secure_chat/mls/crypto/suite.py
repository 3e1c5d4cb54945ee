"""Cipher suites (RFC 9420 §5.1, §17.1): rows of one table, naming KEM, hash, AEAD and signature scheme."""

import hashlib
import hmac
from collections.abc import Callable
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from secure_chat.mls.crypto.dhkem import DHKEMP256, DHKEMP384, DHKEMP521, DHKEMX448, DHKEMX25519
from secure_chat.mls.crypto.hpke import AEADS, HPKE
from secure_chat.mls.crypto.kem import KEM, HPKEPrivateKey
from secure_chat.mls.crypto.signature import (
    ECDSA_P256,
    ECDSA_P384,
    ECDSA_P521,
    ED448,
    ED25519,
    SignaturePrivateKey,
    SignaturePublicKey,
    SignatureScheme,
)
from secure_chat.mls.crypto.xwing import XWING
from secure_chat.mls.errors import CryptoError, UnsupportedError

__all__ = [
    "AEAD",
    "SUITES",
    "CipherSuite",
    "HPKEPrivateKey",
    "SignaturePrivateKey",
    "SignaturePublicKey",
    "suite_of",
]


class AEAD:
    """An AEAD under one key."""

    __slots__ = ("_cipher", "encrypt")

    encrypt: Callable[[bytes, bytes, bytes | None], bytes]
    """(nonce, plaintext, associated data) → ciphertext with tag; the library's own function, for speed."""

    def __init__(self, cipher: AESGCM | ChaCha20Poly1305) -> None:
        self._cipher = cipher
        self.encrypt = cipher.encrypt

    def decrypt(self, nonce: bytes, ciphertext: bytes, associated_data: bytes | None) -> bytes:
        """The plaintext; CryptoError unless nonce, ciphertext and associated data belong together."""
        try:
            return self._cipher.decrypt(nonce, ciphertext, associated_data)
        except InvalidTag:
            raise CryptoError("AEAD tag is not valid") from None


class _Hash(Protocol):
    def digest(self) -> bytes: ...


_HASHES: dict[str, Callable[[bytes], _Hash]] = {
    "sha256": hashlib.sha256,
    "sha384": hashlib.sha384,
    "sha512": hashlib.sha512,
}


class CipherSuite:
    """A row of the cipher suite table; all lengths in bytes."""

    def __init__(self, number: int, name: str, kem: KEM, hash_name: str, aead: str, signature: SignatureScheme) -> None:
        self.number = number
        self.name = name
        self.kem = kem
        self.hash_name = hash_name
        self.aead_name = aead
        self.signature = signature
        algorithm = AEADS[aead]
        self._cipher = algorithm.cipher
        self._hash = _HASHES[hash_name]
        self.hash_length = len(self.hash(b""))
        self.key_length = algorithm.key_length
        self.nonce_length = algorithm.nonce_length
        self.hpke = HPKE(kem, hash_name, self.hash_length, algorithm)

    def with_number(self, number: int) -> "CipherSuite":
        """The same algorithms under another number, as private-use and draft suites need."""
        return CipherSuite(number, self.name, self.kem, self.hash_name, self.aead_name, self.signature)

    def hash(self, data: bytes) -> bytes:
        """The suite's hash."""
        return self._hash(data).digest()

    def mac(self, key: bytes, data: bytes) -> bytes:
        """HMAC with the suite's hash (§5.1)."""
        return hmac.digest(key, data, self.hash_name)

    def verify_mac(self, key: bytes, data: bytes, tag: bytes) -> None:
        """Return if `tag` is the MAC of `data`, compared in constant time; CryptoError otherwise."""
        if not hmac.compare_digest(hmac.digest(key, data, self.hash_name), tag):
            raise CryptoError("MAC is not valid")

    def aead(self, key: bytes) -> AEAD:
        """The suite's AEAD under `key`, which is `key_length` bytes."""
        return AEAD(self._cipher(key))

    def __repr__(self) -> str:
        return f"<CipherSuite {self.number:#06x} {self.name}>"


SUITES: dict[int, CipherSuite] = {
    number: CipherSuite(number, name, kem, hash_name, aead, signature)
    for number, name, kem, hash_name, aead, signature in (
        (1, "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519", DHKEMX25519, "sha256", "AES128GCM", ED25519),
        (2, "MLS_128_DHKEMP256_AES128GCM_SHA256_P256", DHKEMP256, "sha256", "AES128GCM", ECDSA_P256),
        (
            3,
            "MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519",
            DHKEMX25519,
            "sha256",
            "CHACHA20POLY1305",
            ED25519,
        ),
        (4, "MLS_256_DHKEMX448_AES256GCM_SHA512_Ed448", DHKEMX448, "sha512", "AES256GCM", ED448),
        (5, "MLS_256_DHKEMP521_AES256GCM_SHA512_P521", DHKEMP521, "sha512", "AES256GCM", ECDSA_P521),
        (
            6,
            "MLS_256_DHKEMX448_CHACHA20POLY1305_SHA512_Ed448",
            DHKEMX448,
            "sha512",
            "CHACHA20POLY1305",
            ED448,
        ),
        (7, "MLS_256_DHKEMP384_AES256GCM_SHA384_P384", DHKEMP384, "sha384", "AES256GCM", ECDSA_P384),
        # Private use until the IETF's hybrid suites have numbers: X-Wing as other implementations deploy it.
        (
            0xF00E,
            "MLS_256_XWING_CHACHA20POLY1305_SHA512_Ed25519",
            XWING,
            "sha512",
            "CHACHA20POLY1305",
            ED25519,
        ),
    )
}
"""Suites by number; a further suite is one more row."""


def suite_of(number: int) -> CipherSuite:
    """The suite with this number; UnsupportedError if there is none."""
    suite = SUITES.get(number)
    if suite is None:
        raise UnsupportedError(f"cipher suite {number:#06x} is not supported")
    return suite
