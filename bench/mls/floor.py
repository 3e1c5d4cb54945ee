"""The primitives of `cryptography` alone, called as cheaply as Python allows: no MLS can be faster than these."""

import hashlib
import hmac
import time
from collections.abc import Callable

from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric import ed25519, mlkem, x25519
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from bench.mls.catalog import typical

__all__ = ["measure_primitives"]

LONG_COMMIT = 82_000
"""Bytes of a commit with a path secret for each of 999 members."""


def measure_primitives(runs: int = 25) -> dict[str, float]:
    """Seconds of each, from many short runs; key objects held, as the MLS core holds them."""
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
        "sign": _seconds(lambda: signer.sign(data), runs),
        "verify": _seconds(lambda: verifier.verify(signature, data), runs),
        "seal": _seconds(lambda: classical.encrypt(seed, public, data), runs),
        "open": _seconds(lambda: classical.decrypt(sealed, private, data), runs),
        "derive": _seconds(derive, runs),
        "xwing_seal": _seconds(lambda: hybrid.encrypt(seed, hybrid_public, data), runs),
        "xwing_derive": _seconds(derive_hybrid, runs),
        "aead": _seconds(lambda: cipher.encrypt(nonce, data, b""), runs),
        # What its length costs beyond that of a short message.
        "long_commit": _seconds(long_commit, runs) - _seconds(lambda: verifier.verify(signature, data), runs),
        "hmac": _seconds(lambda: hmac.digest(seed, data[:40], "sha256"), runs),
    }


def _seconds(work: Callable[[], object], runs: int, calls: int = 40) -> float:
    results = []
    for _ in range(runs):
        start = time.perf_counter()
        for _ in range(calls):
            work()
        results.append((time.perf_counter() - start) / calls)
    return typical(results)
