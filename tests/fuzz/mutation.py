"""Structure-aware mutation: change one part of a decoded structure and encode it again.

A byte mutator mostly breaks lengths and signatures; this one keeps the rest of the message well-formed, so that the
checks behind the decoder are reached.
"""

import dataclasses
import random
from collections.abc import Iterable
from enum import IntEnum

from secure_chat.mls.codec import Struct

__all__ = ["Pool", "mutate_bytes", "mutate_struct"]

EDGES = (0, 1, 2, 3, 0x0A0A, 0x7F, 0x80, 0xFF, 0x100, 0xFFFF, 1 << 24, (1 << 31) - 1, (1 << 32) - 1, (1 << 64) - 1)
MAX_REPEAT = 40
_DERIVED = ("_encoded", "encoded")
"""Fields that hold the encoding of the others."""


class Pool:
    """Parts of valid messages by type, to be put where another part of that type stood."""

    def __init__(self, roots: Iterable[object]) -> None:
        self._parts: dict[type, list[object]] = {}
        for value in roots:
            self._collect(value)

    def _collect(self, value: object) -> None:
        if isinstance(value, tuple):
            for item in value:
                self._collect(item)
        elif dataclasses.is_dataclass(value) and not isinstance(value, type):
            self._parts.setdefault(type(value), []).append(value)
            for field in dataclasses.fields(value):
                if field.name not in _DERIVED:
                    self._collect(getattr(value, field.name))

    def another(self, value: object, rng: random.Random) -> object:
        """Another part of the same type, or `value` itself."""
        return rng.choice(self._parts.get(type(value), [value]))

    def any(self, rng: random.Random) -> object:
        """Any part at all."""
        return rng.choice(rng.choice(list(self._parts.values())))


def mutate_bytes(data: bytes, rng: random.Random) -> bytes:
    """One small change to bytes: flip, cut, grow, repeat or blank."""
    choice = rng.randrange(7)
    if choice == 0 or not data:
        return rng.randbytes(rng.choice((0, 1, 12, 16, 32, 33, 64, 300)))
    at = rng.randrange(len(data))
    if choice == 1:
        return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]
    if choice == 2:
        return data[:at]
    if choice == 3:
        return data + rng.randbytes(rng.choice((1, 4, 32)))
    if choice == 4:
        return bytes(len(data))
    if choice == 5:
        return data[:at] + rng.randbytes(min(4, len(data) - at)) + data[at + 4 :]
    return data[:at] + data[at:] * 2


def mutate_struct(value: object, pool: Pool, rng: random.Random) -> object:
    """`value` with one part changed; the result may not be encodable."""
    if isinstance(value, IntEnum):
        return rng.choice(list(type(value)))
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return rng.choice((value ^ 1 << rng.randrange(16), value + 1, max(0, value - 1), rng.choice(EDGES)))
    if isinstance(value, bytes):
        return mutate_bytes(value, rng)
    if isinstance(value, tuple):
        return _mutate_tuple(value, pool, rng)
    if isinstance(value, Struct) or dataclasses.is_dataclass(value):
        return _mutate_fields(value, pool, rng)
    return value


def _mutate_tuple(items: tuple[object, ...], pool: Pool, rng: random.Random) -> tuple[object, ...]:
    if not items:
        return items
    at = rng.randrange(len(items))
    choice = rng.randrange(6)
    if choice == 0:
        return items[:at] + items[at + 1 :]
    if choice == 1:
        return items[: at + 1] * 2 + items[at + 1 :]
    if choice == 2:
        return tuple(rng.sample(items, len(items)))
    if choice == 3:
        return items * rng.randrange(2, MAX_REPEAT)
    changed = pool.another(items[at], rng) if choice == 4 else mutate_struct(items[at], pool, rng)
    return (*items[:at], changed, *items[at + 1 :])


def _mutate_fields(value: object, pool: Pool, rng: random.Random) -> object:
    assert dataclasses.is_dataclass(value)
    assert not isinstance(value, type)
    fields = [field for field in dataclasses.fields(value) if field.init]
    plain = [field for field in fields if field.name not in _DERIVED]
    if not plain or rng.random() < 0.1:
        return pool.another(value, rng)
    name = rng.choice(plain).name
    old = getattr(value, name)
    changes: dict[str, object] = {name: mutate_struct(old, pool, rng)}
    if old is not None and rng.random() < 0.05:
        changes[name] = None
    elif rng.random() < 0.05:
        changes[name] = pool.any(rng)
    for field in fields:
        if field.name == "_encoded":
            changes["_encoded"] = b""
    if any(field.name == "encoded" for field in fields):
        content = changes.get("content", getattr(value, "content", None))
        changes["encoded"] = content.encode() if isinstance(content, Struct) else b""
    return dataclasses.replace(value, **changes)
