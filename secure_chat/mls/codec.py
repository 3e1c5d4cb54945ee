"""The presentation language of TLS as RFC 9420 §2.1 uses it: one declaration per structure.

A structure is a frozen dataclass deriving from `Struct` whose fields, in wire order, are annotated with their
codec; encoder and decoder come from that one declaration and cannot drift apart::

    @dataclass(frozen=True, slots=True)
    class Lifetime(Struct):
        not_before: Annotated[int, UINT64]
        not_after: Annotated[int, UINT64]

    Lifetime(1, 2).encode()          # bytes
    Lifetime.decode(data)            # raises DecodeError, also for trailing bytes

Every encoding is canonical: what decodes also encodes to the same bytes. A field that is not `Annotated` is no
part of the wire form.

A `select` in the RFC is a `Variant`: a tag and, per tag, the structure that follows it.
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from typing import Annotated, Any, Generic, Protocol, Self, TypeVar, get_origin, get_type_hints

from secure_chat.mls.errors import DecodeError

__all__ = [
    "MAX_ITEMS",
    "MAX_VECTOR_LENGTH",
    "OPAQUE",
    "UINT8",
    "UINT16",
    "UINT32",
    "UINT64",
    "Codec",
    "EnumCodec",
    "Fixed",
    "Numbers",
    "Optional",
    "Reader",
    "Struct",
    "StructCodec",
    "Variant",
    "Vector",
    "encode_opaque",
    "encode_varint",
]

T = TypeVar("T")
E = TypeVar("E", bound=IntEnum)

MAX_VECTOR_LENGTH = (1 << 30) - 1
"""The largest length a variable-size vector header can state (§2.1.2)."""
MAX_ITEMS = 1 << 17
"""Items of all lists in one message: a dozen for each member of a group of 10,000. An item can be as short as two bytes
and costs a hundred in memory and some microseconds, before any signature can be checked."""


class Reader:
    """A position in immutable bytes; every read is bounds-checked and raises DecodeError."""

    __slots__ = ("_items_left", "data", "end", "position")

    def __init__(self, data: bytes, position: int = 0, end: int | None = None) -> None:
        self.data = data
        self.position = position
        self.end = len(data) if end is None else end
        self._items_left: list[int] | None = None  # shared with the readers of the vectors inside

    def take(self, length: int) -> bytes:
        """The next `length` bytes."""
        start = self.position
        stop = start + length
        if stop > self.end:
            raise DecodeError("truncated: the data ends inside a field")
        self.position = stop
        return self.data[start:stop]

    def uint(self, size: int) -> int:
        """A big-endian unsigned integer of `size` bytes."""
        return int.from_bytes(self.take(size), "big")

    def varint(self) -> int:
        """A vector length (§2.1.2): 1, 2 or 4 bytes, and always the shortest form."""
        start = self.position
        if start >= self.end:
            raise DecodeError("truncated: the data ends inside a field")
        first = self.data[start]
        prefix = first >> 6
        if prefix == 0:
            self.position = start + 1
            return first
        if prefix == 3:
            raise DecodeError("vector length with the reserved prefix 11 (RFC 9420 §2.1.2)")
        size = 1 << prefix
        value = self.uint(size) & ((1 << (8 * size - 2)) - 1)
        if value < (1 << (8 * (size >> 1) - 2)):
            raise DecodeError("vector length not in its shortest form (RFC 9420 §2.1.2)")
        return value

    def opaque(self) -> bytes:
        """The content of an `opaque<V>`."""
        start = self.position
        if start < self.end and (length := self.data[start]) < 64:  # the common case, without two calls
            start += 1
            stop = start + length
            if stop <= self.end:
                self.position = stop
                return self.data[start:stop]
        return self.take(self.varint())

    def block(self) -> "Reader":
        """A reader confined to the next variable-size vector."""
        length = self.varint()
        start = self.position
        stop = start + length
        if stop > self.end:
            raise DecodeError("truncated: the data ends inside a vector")
        self.position = stop
        inside = Reader(self.data, start, stop)
        if self._items_left is None:
            self._items_left = [MAX_ITEMS]
        inside._items_left = self._items_left
        return inside

    def count_item(self) -> None:
        """One more item of a vector is about to be read; DecodeError beyond MAX_ITEMS in the whole message."""
        left = self._items_left
        if left is not None:
            left[0] -= 1
            if left[0] < 0:
                raise DecodeError(f"more than {MAX_ITEMS} list items in one message")

    def at_end(self) -> bool:
        """Whether everything has been consumed."""
        return self.position == self.end

    def finish(self) -> None:
        """Raise unless everything has been consumed."""
        if self.position != self.end:
            raise DecodeError(f"{self.end - self.position} trailing bytes")


def encode_varint(value: int) -> bytes:
    """A vector length in its shortest form (§2.1.2)."""
    if value < 1 << 6:
        return value.to_bytes(1, "big")
    if value < 1 << 14:
        return (value | 0x4000).to_bytes(2, "big")
    if value <= MAX_VECTOR_LENGTH:
        return (value | 0x8000_0000).to_bytes(4, "big")
    raise ValueError("vector longer than 2^30 - 1 bytes")


def encode_opaque(data: bytes) -> bytes:
    """`opaque<V>`: the length, then the bytes."""
    return encode_varint(len(data)) + data


class Codec(Protocol[T]):
    """How one field is written and read."""

    def write(self, value: T, out: bytearray) -> None:
        """Append the encoding of `value`."""

    def read(self, reader: Reader) -> T:
        """Consume and return one value; DecodeError if the bytes are not one."""


class _UInt:
    def __init__(self, size: int) -> None:
        self.size = size

    def write(self, value: int, out: bytearray) -> None:
        out += value.to_bytes(self.size, "big")

    def read(self, reader: Reader) -> int:
        start = reader.position
        stop = start + self.size
        if stop > reader.end:
            raise DecodeError("truncated: the data ends inside a field")
        reader.position = stop
        return int.from_bytes(reader.data[start:stop], "big")


class _Opaque:
    def write(self, value: bytes, out: bytearray) -> None:
        length = len(value)
        if length < 64:
            out.append(length)
        else:
            out += encode_varint(length)
        out += value

    def read(self, reader: Reader) -> bytes:
        return reader.opaque()


UINT8 = _UInt(1)
UINT16 = _UInt(2)
UINT32 = _UInt(4)
UINT64 = _UInt(8)
OPAQUE = _Opaque()


class Fixed:
    """`opaque[size]`: exactly `size` bytes, no length."""

    def __init__(self, size: int) -> None:
        self.size = size

    def write(self, value: bytes, out: bytearray) -> None:
        if len(value) != self.size:
            raise ValueError(f"expected {self.size} bytes, got {len(value)}")
        out += value

    def read(self, reader: Reader) -> bytes:
        return reader.take(self.size)


class EnumCodec(Generic[E]):
    """A closed enumeration of `size` bytes: other values are malformed."""

    def __init__(self, enum: type[E], size: int) -> None:
        self.enum = enum
        self.size = size
        self._members: Mapping[int, E] = {int(member): member for member in enum}

    def write(self, value: E, out: bytearray) -> None:
        out += int(value).to_bytes(self.size, "big")

    def read(self, reader: Reader) -> E:
        number = reader.uint(self.size)
        member = self._members.get(number)
        if member is None:
            raise DecodeError(f"{number} is no {self.enum.__name__}")
        return member


class Vector(Generic[T]):
    """`T items<V>`: the length in bytes, then the items."""

    def __init__(self, item: Codec[T]) -> None:
        self.item = item

    def write(self, value: Sequence[T], out: bytearray) -> None:
        body = bytearray()
        write = self.item.write
        for element in value:
            write(element, body)
        out += encode_varint(len(body))
        out += body

    def read(self, reader: Reader) -> tuple[T, ...]:
        block = reader.block()
        read = self.item.read
        items = []
        while block.position < block.end:
            block.count_item()
            items.append(read(block))
        return tuple(items)


class Numbers:
    """`uint items<V>`: a vector of integers of 2 or 4 bytes, packed at once."""

    def __init__(self, item: _UInt) -> None:
        self.size = item.size
        self._code = {2: "H", 4: "I"}[item.size]

    def write(self, value: tuple[int, ...], out: bytearray) -> None:
        out += encode_varint(self.size * len(value))
        out += struct.pack(f">{len(value)}{self._code}", *value)

    def read(self, reader: Reader) -> tuple[int, ...]:
        data = reader.opaque()
        count, rest = divmod(len(data), self.size)
        if rest:
            raise DecodeError("truncated: the data ends inside a number")
        if count > MAX_ITEMS:
            raise DecodeError(f"more than {MAX_ITEMS} numbers in one list")
        return struct.unpack(f">{count}{self._code}", data)


class Optional(Generic[T]):
    """`optional<T>` (§2.1.1): one byte 0 or 1, then perhaps the value."""

    def __init__(self, item: Codec[T]) -> None:
        self.item = item

    def write(self, value: T | None, out: bytearray) -> None:
        if value is None:
            out.append(0)
        else:
            out.append(1)
            self.item.write(value, out)

    def read(self, reader: Reader) -> T | None:
        present = reader.uint(1)
        if present == 0:
            return None
        if present != 1:
            raise DecodeError(f"presence octet {present} (RFC 9420 §2.1.1)")
        return self.item.read(reader)


class Struct:
    """Base of structures: fields in wire order, each `Annotated[type, codec]`."""

    __slots__ = ()

    @classmethod
    def fields(cls) -> "_Fields":
        """Names and codecs in wire order, worked out once per class."""
        known = _FIELDS.get(cls)
        if known is None:
            known = _FIELDS[cls] = _Fields(cls)
        return known

    def write(self, out: bytearray) -> None:
        """Append this structure's encoding."""
        for name, write in self.fields().writes:
            write(getattr(self, name), out)

    def encode(self) -> bytes:
        """This structure's encoding."""
        out = bytearray()
        self.write(out)
        return bytes(out)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Consume one structure."""
        return cls(*[read(reader) for read in cls.fields().reads])

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The structure that `data` encodes exactly; DecodeError otherwise."""
        reader = Reader(data)
        value = cls.read(reader)
        reader.finish()
        return value


class _Fields:
    """A structure's fields in wire order, ready to call."""

    def __init__(self, struct: type[Struct]) -> None:
        hints = get_type_hints(struct, include_extras=True)
        codecs: dict[str, Codec[Any]] = {
            name: hint.__metadata__[0] for name, hint in hints.items() if get_origin(hint) is Annotated
        }
        self.reads = tuple(codec.read for codec in codecs.values())
        self.writes = tuple((name, codec.write) for name, codec in codecs.items())


_FIELDS: dict[type[Struct], _Fields] = {}

S = TypeVar("S", bound=Struct)


class StructCodec(Generic[S]):
    """A structure as a field of another."""

    def __init__(self, struct: type[S]) -> None:
        self.struct = struct

    def write(self, value: S, out: bytearray) -> None:
        value.write(out)

    def read(self, reader: Reader) -> S:
        return self.struct.read(reader)


class Variant(Generic[S]):
    """A `select`: a tag, then the structure that belongs to it.

    `tag_of` maps a value's class back to its tag, so a value cannot be written under another's tag.
    `unknown` (tag, reader) reads what has no row; without it, an unknown tag is malformed.
    """

    def __init__(
        self,
        tag: Codec[Any],
        cases: Mapping[int, type[S]],
        unknown: Callable[[int, Reader], S] | None = None,
        unknown_tag: Callable[[S], int] | None = None,
    ) -> None:
        self.tag = tag
        self.cases = dict(cases)
        self.unknown = unknown
        self.unknown_tag = unknown_tag
        self.tag_of: Mapping[type[S], int] = {struct: number for number, struct in cases.items()}

    def write(self, value: S, out: bytearray) -> None:
        number = self.tag_of.get(type(value))
        if number is None:
            if self.unknown_tag is None:
                raise ValueError(f"{type(value).__name__} is no case of this select")
            number = self.unknown_tag(value)
        self.tag.write(number, out)
        value.write(out)

    def read(self, reader: Reader) -> S:
        number = self.tag.read(reader)
        struct = self.cases.get(number)
        if struct is not None:
            return struct.read(reader)
        if self.unknown is None:
            raise DecodeError(f"unknown selector {number}")
        return self.unknown(number, reader)
