"""The strict encoding of signed structures."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_chat.identity.encoding import Handle, Uint63, decode_exact, encode
from secure_chat.identity.errors import MalformedError


class Sample(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    number: Uint63
    handle: Handle
    data: bytes


@given(st.integers(0, 2**63 - 1), st.from_regex(r"\A[a-z0-9._-]{1,32}\Z"), st.binary(max_size=40))
def test_round_trip(number: int, handle: str, data: bytes) -> None:
    """What is encoded decodes to the same."""
    sample = Sample(number, handle, data)
    assert decode_exact(Sample, encode(sample), "sample") == sample


@given(st.binary(max_size=60))
def test_any_bytes_give_the_structure_or_the_typed_error(data: bytes) -> None:
    """No input raises anything else, and what is accepted is the canonical form."""
    try:
        sample = decode_exact(Sample, data, "sample")
    except MalformedError:
        return
    assert encode(sample) == data


@pytest.mark.parametrize(
    "data",
    [
        msgspec.msgpack.encode([1, "a"]),
        msgspec.msgpack.encode([1, "a", b"", 0]),
        msgspec.msgpack.encode([-1, "a", b""]),
        msgspec.msgpack.encode([2**63, "a", b""]),
        msgspec.msgpack.encode([1.0, "a", b""]),
        msgspec.msgpack.encode([True, "a", b""]),
        msgspec.msgpack.encode([1, "A", b""]),
        msgspec.msgpack.encode([1, "a\n", b""]),
        msgspec.msgpack.encode([1, "a", "text"]),
        msgspec.msgpack.encode({"number": 1, "handle": "a", "data": b""}),
        msgspec.msgpack.encode([1, "a", b""]) + b"\x00",
        b"\x93\xcc\x01\xa1a\xc4\x00",
        b"\x91" * 5_000,
        b"\x93\x01\xa1\xc4\xc4\x00",
    ],
    ids=[
        "short",
        "long",
        "negative",
        "beyond 63 bits",
        "float",
        "boolean",
        "upper case",
        "line end",
        "text for bytes",
        "map",
        "trailing byte",
        "longer integer form",
        "deep nesting",
        "text that is no UTF-8",
    ],
)
def test_other_forms_are_refused(data: bytes) -> None:
    """There is one encoding only."""
    with pytest.raises(MalformedError, match="sample"):
        decode_exact(Sample, data, "sample")
