"""The X-Wing suite with every random number taken from one seed, for vectors that anybody can make again.

Only the generator uses it. `cryptography` draws the randomness of an encapsulation itself, so encapsulating is done
here step by step; opening, hashing and signing run through the package's own suite.
"""

import hashlib

from cryptography.hazmat.primitives.asymmetric import x25519

from secure_chat.mls.crypto.kem import HPKEPrivateKey
from secure_chat.mls.crypto.secret import Secret
from secure_chat.mls.crypto.signature import ED25519
from secure_chat.mls.crypto.suite import CipherSuite
from secure_chat.mls.crypto.xwing import XWing, shake256_seed
from tests.vectors.xwing.mlkem import encapsulate

__all__ = ["Randomness", "derandomised_suite"]

MLKEM_PUBLIC = 1184
LABEL = bytes.fromhex("5c2e2f2f5e5c")


class Randomness:
    """SHAKE256 of a seed and a counter: as many bytes as are asked for, always the same."""

    def __init__(self, seed: bytes) -> None:
        self._seed = seed
        self._count = 0

    def take(self, length: int) -> bytes:
        """The next `length` bytes; can stand in for `os.urandom`."""
        self._count += 1
        return hashlib.shake_256(self._seed + self._count.to_bytes(8, "big")).digest(length)


class DerandomisedXWing(XWing):
    """X-Wing (draft-connolly-cfrg-xwing-kem) with given randomness."""

    library = None
    """Sealing must come through `encap`, not through the library's HPKE."""

    def __init__(self, randomness: Randomness) -> None:
        super().__init__(shake256_seed)
        self._randomness = randomness

    def generate(self) -> HPKEPrivateKey:
        return self.private_key(self._randomness.take(32))

    def encap(self, public_key: bytes) -> tuple[Secret, bytes]:
        """EncapsulateDerand: 32 bytes for ML-KEM, 32 for the ephemeral X25519 key."""
        shared_mlkem, ciphertext = encapsulate(public_key[:MLKEM_PUBLIC], self._randomness.take(32))
        ephemeral = x25519.X25519PrivateKey.from_private_bytes(self._randomness.take(32))
        ephemeral_public = ephemeral.public_key().public_bytes_raw()
        own = public_key[MLKEM_PUBLIC:]
        shared_x25519 = ephemeral.exchange(x25519.X25519PublicKey.from_public_bytes(own))
        combined = hashlib.sha3_256(shared_mlkem + shared_x25519 + ephemeral_public + own + LABEL).digest()
        return Secret(combined), ciphertext + ephemeral_public


def derandomised_suite(number: int, randomness: Randomness) -> CipherSuite:
    """MLS_256_XWING_CHACHA20POLY1305_SHA512_Ed25519 under `number`."""
    name = "MLS_256_XWING_CHACHA20POLY1305_SHA512_Ed25519"
    return CipherSuite(number, name, DerandomisedXWing(randomness), "sha512", "CHACHA20POLY1305", ED25519)
