"""Suite 3 with every random number from one seed, so that an input means the same in every process.

Only making the group to be fuzzed is derandomised; what is fuzzed runs on the package's own suite.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from cryptography.hazmat.primitives import hpke

from secure_chat.mls.crypto.dhkem import DHKEMX25519
from secure_chat.mls.crypto.kem import HPKEPrivateKey, NativePublicKey, exchange
from secure_chat.mls.crypto.secret import Secret
from secure_chat.mls.crypto.signature import ED25519
from secure_chat.mls.crypto.suite import SUITES, CipherSuite
from tests.vectors.xwing.derandomised import Randomness

__all__ = ["NUMBER", "derandomised"]

NUMBER = 3


class _X25519:
    """DHKEM(X25519) whose key pairs and encapsulations come from a seed."""

    kem_id = DHKEMX25519.kem_id
    library: hpke.KEM | None = None
    enc_length = DHKEMX25519.enc_length

    def __init__(self, randomness: Randomness) -> None:
        self._randomness = randomness

    def generate(self) -> HPKEPrivateKey:
        return DHKEMX25519.private_key(self._randomness.take(32))

    def derive_key_pair(self, ikm: bytes) -> HPKEPrivateKey:
        return DHKEMX25519.derive_key_pair(ikm)

    def private_key(self, data: bytes) -> HPKEPrivateKey:
        return DHKEMX25519.private_key(data)

    def public_key(self, data: bytes) -> NativePublicKey:
        return DHKEMX25519.public_key(data)

    def check_public_key(self, data: bytes) -> None:
        DHKEMX25519.check_public_key(data)

    def encap(self, public_key: bytes) -> tuple[Secret, bytes]:
        ephemeral = self.generate()
        shared = exchange(ephemeral.native, self.public_key(public_key))
        return DHKEMX25519._shared(shared, ephemeral.public + public_key), ephemeral.public

    def decap(self, private_key: HPKEPrivateKey, enc: bytes) -> Secret:
        return DHKEMX25519.decap(private_key, enc)


@contextmanager
def derandomised(seed: bytes) -> Iterator[Randomness]:
    """Within the block, suite 3 and `os.urandom` draw from the seed. Not for processes with other threads."""
    randomness = Randomness(seed)
    own, urandom = SUITES[NUMBER], os.urandom
    suite = CipherSuite(NUMBER, own.name, _X25519(randomness), "sha256", "CHACHA20POLY1305", ED25519)
    SUITES[NUMBER], os.urandom = suite, randomness.take
    try:
        yield randomness
    finally:
        SUITES[NUMBER], os.urandom = own, urandom
