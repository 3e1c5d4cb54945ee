"""What a fuzz target is."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from struct import error as struct_error

from secure_chat.mls.codec import Struct
from secure_chat.mls.errors import MLSError
from tests.fuzz.mutation import Pool, mutate_bytes, mutate_struct

__all__ = ["Target", "changed_struct", "struct_mutator"]

Mutator = Callable[[bytes, random.Random], bytes]


@dataclass(frozen=True)
class Target:
    """A campaign: where it starts, what it runs, how it changes an input."""

    seeds: Sequence[bytes]
    run: Callable[[bytes], None]
    mutate: Mutator


def changed_struct(value: Struct, pool: Pool, rng: random.Random) -> Struct:
    """`value` with one part changed, or a few; it can still be encoded."""
    for _ in range(rng.choice([1, 1, 2, 4])):
        try:
            changed = mutate_struct(value, pool, rng)
            assert isinstance(changed, Struct)
            changed.encode()
        except (ValueError, TypeError, AttributeError, OverflowError, AssertionError, struct_error):
            continue  # a part in the wrong place, which cannot be written
        value = changed
    return value


def struct_mutator(struct: type[Struct], seeds: Sequence[bytes]) -> Mutator:
    """Mutation of the structure that the bytes encode; of the bytes where they encode none."""
    pool = Pool([struct.decode(seed) for seed in seeds])

    def mutate(data: bytes, rng: random.Random) -> bytes:
        try:
            value = struct.decode(data)
        except MLSError:
            return mutate_bytes(data, rng)
        return changed_struct(value, pool, rng).encode()

    return mutate
