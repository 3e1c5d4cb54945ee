"""Benchmarks DoubleRatchet (two people, no signatures) as its authors recommend it; runs in the peers' environment."""

import asyncio
import json
import os
import time
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from doubleratchet import DoubleRatchet as DoubleRatchetBase
from doubleratchet import Header
from doubleratchet.recommended import (
    HashFunction,
    aead_aes_hmac,
    diffie_hellman_ratchet_curve25519,
    kdf_hkdf,
    kdf_separate_hmacs,
)

COUNT = 1000


class AEAD(aead_aes_hmac.AEAD):
    @staticmethod
    def _get_hash_function() -> HashFunction:
        return HashFunction.SHA_256

    @staticmethod
    def _get_info() -> bytes:
        return b"bench"


class RootKDF(kdf_hkdf.KDF):
    @staticmethod
    def _get_hash_function() -> HashFunction:
        return HashFunction.SHA_256

    @staticmethod
    def _get_info() -> bytes:
        return b"bench root"


class ChainKDF(kdf_separate_hmacs.KDF):
    @staticmethod
    def _get_hash_function() -> HashFunction:
        return HashFunction.SHA_256


class DoubleRatchet(DoubleRatchetBase):
    @staticmethod
    def _build_associated_data(associated_data: bytes, header: Header) -> bytes:
        return associated_data + header.ratchet_pub + bytes([header.sending_chain_length & 0xFF])


async def main() -> None:
    results: dict[str, list[float]] = {"protect": [], "open": []}
    shared = os.urandom(32)
    bob_key = X25519PrivateKey.generate()
    settings: dict[str, Any] = {
        "diffie_hellman_ratchet_class": diffie_hellman_ratchet_curve25519.DiffieHellmanRatchet,
        "root_chain_kdf": RootKDF,
        "message_chain_kdf": ChainKDF,
        "message_chain_constant": b"\x01\x02",
        "dos_protection_threshold": 1000,
        "max_num_skipped_message_keys": 1000,
        "aead": AEAD,
    }
    alice, first = await DoubleRatchet.encrypt_initial_message(
        shared_secret=shared,
        recipient_ratchet_pub=bob_key.public_key().public_bytes_raw(),
        message=b"first",
        associated_data=b"",
        **settings,
    )
    bob, _ = await DoubleRatchet.decrypt_initial_message(
        shared_secret=shared,
        own_ratchet_priv=bob_key.private_bytes_raw(),
        message=first,
        associated_data=b"",
        **settings,
    )
    messages = []
    for _ in range(COUNT):
        start = time.perf_counter()
        message = await alice.encrypt_message(bytes(100), b"")
        results["protect"].append(time.perf_counter() - start)
        messages.append(message)
    for message in messages:
        start = time.perf_counter()
        await bob.decrypt_message(message, b"")
        results["open"].append(time.perf_counter() - start)
    print(json.dumps(results))


asyncio.run(main())
