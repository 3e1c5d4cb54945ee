"""Write the X-Wing vectors: python -m tests.vectors.xwing.generate [FOLDER]

Every random number comes from a seed, so the same code always writes the same files. There is one set for each number
under which implementations know the suite.
"""

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from secure_chat.mls.crypto.suite import SUITES, CipherSuite
from tests.vectors.families import Vector
from tests.vectors.xwing import basics, sessions, trees
from tests.vectors.xwing.derandomised import Randomness, derandomised_suite

__all__ = ["FAMILIES", "NUMBERS", "generate"]

NUMBERS = (0xF00E, 0x0054)
"""secure-chat and ts-mls 2.0; ts-mls 1.6."""

FAMILIES: Mapping[str, Callable[[CipherSuite, Randomness], list[Vector]]] = {
    "crypto-basics": basics.crypto_basics,
    "key-schedule": basics.key_schedule,
    "psk-secret": basics.psk_secrets,
    "secret-tree": basics.secret_tree,
    "message-protection": basics.message_protection,
    "transcript-hashes": basics.transcript_hashes,
    "tree-operations": trees.tree_operations,
    "tree-validation": trees.tree_validation,
    "treekem": trees.treekem,
    "welcome": sessions.welcome,
    "passive-client": sessions.passive_client,
}


def generate(number: int) -> dict[str, list[Vector]]:
    """All families for one suite number. Replaces the process's sources of randomness: not for a process that
    does anything else."""
    vectors = {}
    for name, make in FAMILIES.items():
        randomness = Randomness(f"secure-chat X-Wing vectors: {name}".encode())
        os.urandom = randomness.take
        SUITES[number] = derandomised_suite(number, randomness)
        vectors[name] = make(SUITES[number], randomness)
    return vectors


def main() -> None:
    """Write one file per number and family."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    for number in NUMBERS:
        folder = target / f"{number:#06x}"
        folder.mkdir(parents=True, exist_ok=True)
        for name, vectors in generate(number).items():
            (folder / f"{name}.json").write_text(json.dumps(vectors, indent=1) + "\n")


if __name__ == "__main__":
    main()
