"""One strict encoding for the signed structures: a MessagePack array in its only canonical form."""

from typing import Annotated, TypeVar

import msgspec

from secure_chat.identity.errors import MalformedError
from secure_chat.identity.handle import HANDLE_PATTERN
from secure_chat.identity.keys import KEY_BYTES, SIGNATURE_BYTES

__all__ = ["DeviceId", "Handle", "PublicKey", "Signature", "Uint63", "decode_exact", "encode"]

Handle = Annotated[str, msgspec.Meta(pattern=f"^{HANDLE_PATTERN}\\Z")]
PublicKey = Annotated[bytes, msgspec.Meta(min_length=KEY_BYTES, max_length=KEY_BYTES)]
Signature = Annotated[bytes, msgspec.Meta(min_length=SIGNATURE_BYTES, max_length=SIGNATURE_BYTES)]
DeviceId = Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
Uint63 = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""Fits the signed 64-bit integers of databases and other languages."""

S = TypeVar("S", bound=msgspec.Struct)


def encode(value: msgspec.Struct) -> bytes:
    """The canonical bytes of a structure."""
    return msgspec.msgpack.encode(value)


def decode_exact(kind: type[S], data: bytes, name: str) -> S:
    """The structure in `data`; raises MalformedError for anything but its one canonical encoding."""
    try:
        value = msgspec.msgpack.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise MalformedError(f"not a {name} of this version") from None
    if msgspec.msgpack.encode(value) != data:
        raise MalformedError(f"not the canonical encoding of a {name}")
    return value
