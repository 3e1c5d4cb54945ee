"""Benchmarks PyPI's rfc9420; runs in the peers' environment.

Argument: a JSON file with the members' key packages and private keys, as `bench.mls.peers` writes it.
"""

import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from rfc9420 import DefaultCryptoProvider, GroupConfig, MemoryStorageProvider
from rfc9420.api.session import MLSGroupSession
from rfc9420.messages.key_packages import KeyPackage

T = TypeVar("T")
MESSAGES = 300
people = json.loads(Path(sys.argv[1]).read_text())
results: dict[str, list[float]] = {}


def timed(operation: str, work: Callable[[], T]) -> T:
    start = time.perf_counter()
    value = work()
    results.setdefault(operation, []).append(time.perf_counter() - start)
    return value


def config() -> GroupConfig:
    return GroupConfig(crypto_provider=DefaultCryptoProvider(3), storage_provider=MemoryStorageProvider())


def key_package(number: int) -> KeyPackage:
    return KeyPackage.deserialize(bytes.fromhex(people[number]["key_package"]))


def secret(number: int, name: str) -> bytes:
    return bytes.fromhex(people[number][name])


def grown(size: int, name: bytes) -> tuple[MLSGroupSession, MLSGroupSession]:
    """A group of `size`, as its founder and its last member see it."""
    alice = MLSGroupSession.create_with_config(config(), name, key_package(0))
    for number in range(1, size):
        alice.process_proposal(alice.add_member(key_package(number), secret(0, "signature_key")), 0)
    _, welcomes = alice.commit(secret(0, "signature_key"))
    joining = lambda: MLSGroupSession.join_from_welcome_with_config(  # noqa: E731
        config(), welcomes[0], secret(size - 1, "init_key"), key_package(size - 1)
    )
    return alice, timed("join_small", joining) if size > 2 else joining()


alice, bob = grown(2, b"two")
sent = [
    timed("protect", lambda: alice.protect_application(bytes(100), secret(0, "signature_key"))) for _ in range(MESSAGES)
]
for message in sent:
    timed("open", partial(bob.unprotect_application, message))
alice, bob = grown(len(people), b"many")
for _ in range(5):
    timed("update_small", lambda: alice.commit(secret(0, "signature_key")))
print(json.dumps(results))
