"""What is measured, against which target, and what the primitives alone would cost."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["LARGE", "OPERATIONS", "REFERENCE", "SMALL", "Operation", "typical"]

SMALL, LARGE = 100, 1000

REFERENCE = {
    "sign": 20e-6,
    "verify": 63e-6,
    "seal": 63e-6,
    "open": 36e-6,
    "derive": 27e-6,
    "xwing_seal": 127e-6,
    "xwing_derive": 150e-6,
    "aead": 1.7e-6,
    "hmac": 1.3e-6,
    "long_commit": 160e-6,
}
"""Seconds of each primitive on the machine that the targets were set for."""


def typical(seconds: Sequence[float]) -> float:
    """The lower quartile: what an operation takes when no other process wants the machine."""
    return statistics.quantiles(seconds, n=4, method="inclusive")[0] if len(seconds) > 1 else seconds[0]


@dataclass(frozen=True)
class Operation:
    """One row of the table."""

    key: str
    title: str
    target: float
    """Seconds, on the reference machine."""
    primitives: Mapping[str, int]
    """How many of which primitive the protocol needs at least."""
    as_rate: bool = False
    """Shown as operations a second rather than as milliseconds."""

    def floor(self, seconds: Mapping[str, float]) -> float:
        """Seconds that the primitives take alone."""
        return sum(count * seconds[name] for name, count in self.primitives.items())


OPERATIONS = [
    # A message needs keys and nonces for content and sender data, and the ratchet's next secret.
    Operation("protect", "protect 100 B", 1 / 26_000, {"sign": 1, "aead": 2, "hmac": 5}, as_rate=True),
    Operation("open", "open 100 B, signature checked", 1 / 12_000, {"verify": 1, "aead": 2, "hmac": 5}, as_rate=True),
    # Seven levels above a leaf of 100, each with one ciphertext; leaf and commit are signed.
    Operation(
        "update_filled", f"own update, {SMALL} members, tree filled", 1.3e-3, {"seal": 7, "derive": 8, "sign": 2}
    ),
    Operation("process_filled", f"process that commit, {SMALL} members", 0.8e-3, {"open": 1, "derive": 7, "verify": 2}),
    Operation(
        "update_small",
        f"own update after bulk add, {SMALL} members",
        8.5e-3,
        {"seal": SMALL - 1, "derive": 8, "sign": 2},
    ),
    Operation(
        "update_large",
        f"own update after bulk add, {LARGE} members",
        75e-3,
        {"seal": LARGE - 1, "derive": 11, "sign": 2},
    ),
    # Such a commit has 80 kB: to be decrypted, hashed for its signature and hashed into the transcript.
    Operation(
        "process_large",
        f"process that commit, {LARGE} members",
        1e-3,
        {"open": 1, "derive": 1, "verify": 2, "long_commit": 1},
    ),
    # Each newcomer's key package and leaf are verified, and its secrets sealed in the Welcome.
    Operation(
        "add_large",
        f"add {LARGE} members in one commit",
        260e-3,
        {"verify": 2 * (LARGE - 1), "seal": LARGE - 1, "derive": 11, "sign": 3},
    ),
    Operation(
        "join_small", f"join from Welcome, {SMALL} members", 10e-3, {"verify": SMALL + 1, "open": 1, "derive": 1}
    ),
    Operation(
        "join_large", f"join from Welcome, {LARGE} members", 100e-3, {"verify": LARGE + 1, "open": 1, "derive": 1}
    ),
    Operation(
        "update_xwing",
        f"X-Wing: own update after bulk add, {SMALL} members",
        18e-3,
        {"xwing_seal": SMALL - 1, "xwing_derive": 8, "sign": 2},
    ),
]
