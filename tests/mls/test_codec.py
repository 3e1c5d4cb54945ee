"""The presentation language: round trips, canonical forms, refusals."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_chat.mls.codec import (
    MAX_VECTOR_LENGTH,
    OPAQUE,
    UINT8,
    UINT16,
    UINT32,
    UINT64,
    EnumCodec,
    Fixed,
    Numbers,
    Optional,
    Reader,
    Struct,
    StructCodec,
    Variant,
    Vector,
    encode_opaque,
    encode_varint,
)
from secure_chat.mls.errors import DecodeError


class Colour(IntEnum):
    red = 1
    blue = 2


@dataclass(frozen=True, slots=True)
class Point(Struct):
    x: Annotated[int, UINT8]
    y: Annotated[int, UINT64]
    note: str = "not on the wire"


@dataclass(frozen=True, slots=True)
class Text(Struct):
    text: Annotated[bytes, OPAQUE]


@dataclass(frozen=True, slots=True)
class Raw(Struct):
    tag: int
    data: Annotated[bytes, OPAQUE]


def tag_of_raw(value: Struct) -> int:
    assert isinstance(value, Raw)
    return value.tag


SHAPE: Variant[Point | Text | Raw] = Variant(
    UINT16, {1: Point, 2: Text}, unknown=lambda tag, reader: Raw(tag, reader.opaque()), unknown_tag=tag_of_raw
)
CLOSED: Variant[Point | Text] = Variant(UINT8, {1: Point, 2: Text})


@dataclass(frozen=True, slots=True)
class Everything(Struct):
    colour: Annotated[Colour, EnumCodec(Colour, 1)]
    key: Annotated[bytes, Fixed(4)]
    numbers: Annotated[tuple[int, ...], Numbers(UINT32)]
    points: Annotated[tuple[Point, ...], Vector(StructCodec(Point))]
    maybe: Annotated[Text | None, Optional(StructCodec(Text))]
    shape: Annotated[Point | Text | Raw, SHAPE]
    rest: Annotated[bytes, OPAQUE]


points = st.builds(Point, st.integers(0, 255), st.integers(0, 2**64 - 1))
texts = st.builds(Text, st.binary(max_size=100))
everything = st.builds(
    Everything,
    st.sampled_from(Colour),
    st.binary(min_size=4, max_size=4),
    st.lists(st.integers(0, 2**32 - 1)).map(tuple),
    st.lists(points).map(tuple),
    st.none() | texts,
    points | texts | st.builds(Raw, st.integers(3, 0xFFFF), st.binary(max_size=70)),
    st.binary(max_size=300),
)


@given(everything)
def test_structures_survive_a_round_trip(value: Everything) -> None:
    """What was encoded decodes to the same value."""
    assert Everything.decode(value.encode()) == value


@given(st.binary(max_size=60))
def test_what_decodes_encodes_to_the_same_bytes(data: bytes) -> None:
    """Every encoding is canonical, and everything else is a DecodeError."""
    try:
        value = Everything.decode(data)
    except DecodeError:
        return
    assert value.encode() == data


@given(everything, st.data())
def test_truncated_and_overlong_data_is_refused(value: Everything, data: st.DataObject) -> None:
    """Any prefix, and any trailing byte, is a DecodeError."""
    encoded = value.encode()
    cut = data.draw(st.integers(0, len(encoded) - 1))
    with pytest.raises(DecodeError):
        Everything.decode(encoded[:cut])
    with pytest.raises(DecodeError, match="trailing"):
        Everything.decode(encoded + b"\0")


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (0, "00"),
        (37, "25"),
        (63, "3f"),
        (64, "4040"),
        (15293, "7bbd"),
        (16383, "7fff"),
        (16384, "80004000"),
        (494878333, "9d7f3e7d"),
        (MAX_VECTOR_LENGTH, "bfffffff"),
    ],
)
def test_vector_lengths_take_their_shortest_form(value: int, encoded: str) -> None:
    """§2.1.2, with the RFC's own examples."""
    assert encode_varint(value).hex() == encoded
    assert Reader(bytes.fromhex(encoded)).varint() == value


@pytest.mark.parametrize("encoded", ["4025", "403f", "80000001", "80003fff", "bf"])
def test_longer_forms_are_refused(encoded: str) -> None:
    """§2.1.2: a length that fits a shorter form, or is cut off."""
    with pytest.raises(DecodeError):
        Reader(bytes.fromhex(encoded)).varint()


@pytest.mark.parametrize("encoded", ["c0", "ff", "c000000000000040"])
def test_the_reserved_prefix_is_refused(encoded: str) -> None:
    """§2.1.2: prefix 11."""
    with pytest.raises(DecodeError, match="reserved"):
        Reader(bytes.fromhex(encoded)).varint()


def test_too_long_vectors_cannot_be_written() -> None:
    """§2.1.2: the largest length has 30 bits."""
    with pytest.raises(ValueError, match="2\\^30"):
        encode_varint(MAX_VECTOR_LENGTH + 1)


@pytest.mark.parametrize("length", [0, 1, 62, 63, 64, 65, 16383, 16384])
def test_opaque_vectors_of_all_header_sizes_survive(length: int) -> None:
    """Headers of one, two and four bytes."""
    data = bytes(length)
    assert Reader(encode_opaque(data)).opaque() == data
    assert Text.decode(Text(data).encode()).text == data
    with pytest.raises(DecodeError):
        Text.decode(encode_opaque(data)[:-1])


@pytest.mark.parametrize("octet", [2, 0x80, 0xFF])
def test_presence_octets_are_zero_or_one(octet: int) -> None:
    """§2.1.1."""
    with pytest.raises(DecodeError, match="presence"):
        Optional(UINT8).read(Reader(bytes([octet, 1])))


def test_closed_enumerations_refuse_other_values() -> None:
    """A value without a name is malformed."""
    with pytest.raises(DecodeError, match="3 is no Colour"):
        EnumCodec(Colour, 1).read(Reader(b"\x03"))


def test_selectors_without_a_case_are_refused_where_the_select_is_closed() -> None:
    """A select without a rule for the unknown."""
    with pytest.raises(DecodeError, match="selector 9"):
        CLOSED.read(Reader(b"\x09"))


def test_a_value_cannot_be_written_under_a_select_without_its_case() -> None:
    """Encoder and decoder know the same cases."""
    with pytest.raises(ValueError, match="no case"):
        CLOSED.write(Raw(7, b""), bytearray())  # type: ignore[arg-type]


def test_number_vectors_hold_whole_numbers() -> None:
    """A vector whose length is no multiple of its numbers' size."""
    with pytest.raises(DecodeError, match="inside a number"):
        Numbers(UINT16).read(Reader(b"\x03\0\1\2"))


def test_fixed_fields_have_one_length() -> None:
    """Writing another is a programming error."""
    with pytest.raises(ValueError, match="expected 4"):
        Fixed(4).write(b"abc", bytearray())


def test_a_block_confines_its_reader() -> None:
    """Reading past a vector's end fails even if data follows."""
    reader = Reader(b"\x01\xaa\xbb")
    block = reader.block()
    assert not block.at_end()
    assert block.uint(1) == 0xAA
    assert block.at_end()
    with pytest.raises(DecodeError):
        block.uint(1)
    with pytest.raises(DecodeError):
        block.opaque()
    assert reader.uint(1) == 0xBB
    reader.finish()


def test_a_block_longer_than_its_data_is_refused() -> None:
    """The header promises more than there is."""
    with pytest.raises(DecodeError, match="inside a vector"):
        Reader(b"\x05\xaa").block()


def test_fields_without_a_codec_stay_off_the_wire() -> None:
    """Only annotated fields are encoded."""
    assert Point(1, 2, note="x").encode() == Point(1, 2).encode()
