"""The primitives of `cryptography` alone, called as cheaply as Python allows: no MLS can be faster than these."""

import hashlib
import hmac
import statistics
import time
from collections.abc import Callable

from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric import ed25519, mlkem, x25519
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

__all__ = ["measure_primitives"]

LONG_COMMIT = 82_000
"""Bytes of a commit with a path secret for each of 999 members."""


def measure_primitives(runs: int = 25) -> dict[str, float]:
    """Seconds of each, the median of many short runs; key objects held, as the MLS core holds them."""
    signer = ed25519.Ed25519PrivateKey.generate()
    verifier = signer.public_key()
    data = bytes(300)
    signature = signer.sign(data)
    private = x25519.X25519PrivateKey.generate()
    public = private.public_key()
    seed = bytes(range(32))
    classical = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)
    hybrid = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA512, hpke.AEAD.CHACHA20_POLY1305)
    lattice = mlkem.MLKEM768PrivateKey.generate()
    hybrid_public = hpke.MLKEM768X25519PublicKey(lattice.public_key(), public)
    sealed = classical.encrypt(seed, public, data)
    cipher = ChaCha20Poly1305(seed)
    nonce = bytes(12)

    long = bytes(LONG_COMMIT)
    long_signature = signer.sign(long)
    long_sealed = cipher.encrypt(nonce, long, b"")

    def long_commit() -> None:
        cipher.decrypt(nonce, long_sealed, b"")
        verifier.verify(long_signature, long)
        hashlib.sha256(long).digest()

    def derive() -> None:
        x25519.X25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()

    def derive_hybrid() -> None:
        derive()
        mlkem.MLKEM768PrivateKey.from_seed_bytes(seed * 2).public_key().public_bytes_raw()

    return {
        "sign": _median(lambda: signer.sign(data), runs),
        "verify": _median(lambda: verifier.verify(signature, data), runs),
        "seal": _median(lambda: classical.encrypt(seed, public, data), runs),
        "open": _median(lambda: classical.decrypt(sealed, private, data), runs),
        "derive": _median(derive, runs),
        "xwing_seal": _median(lambda: hybrid.encrypt(seed, hybrid_public, data), runs),
        "xwing_derive": _median(derive_hybrid, runs),
        "aead": _median(lambda: cipher.encrypt(nonce, data, b""), runs),
        # What its length costs beyond that of a short message.
        "long_commit": _median(long_commit, runs) - _median(lambda: verifier.verify(signature, data), runs),
        "hmac": _median(lambda: hmac.digest(seed, data[:40], "sha256"), runs),
    }


def _median(work: Callable[[], object], runs: int, calls: int = 40) -> float:
    results = []
    for _ in range(runs):
        start = time.perf_counter()
        for _ in range(calls):
            work()
        results.append((time.perf_counter() - start) / calls)
    return statistics.median(results)
