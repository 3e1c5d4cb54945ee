"""GroupContext: the summary of a group's state that every key depends on (RFC 9420 §8.1)."""

from dataclasses import dataclass
from typing import Annotated

from secure_chat.mls.codec import OPAQUE, UINT16, UINT64, EnumCodec, Struct, StructCodec, Vector
from secure_chat.mls.credential.extensions import Extension
from secure_chat.mls.registry import ProtocolVersion

__all__ = ["GroupContext"]


@dataclass(frozen=True, slots=True)
class GroupContext(Struct):
    """§8.1."""

    version: Annotated[ProtocolVersion, EnumCodec(ProtocolVersion, 2)]
    cipher_suite: Annotated[int, UINT16]
    group_id: Annotated[bytes, OPAQUE]
    epoch: Annotated[int, UINT64]
    tree_hash: Annotated[bytes, OPAQUE]
    confirmed_transcript_hash: Annotated[bytes, OPAQUE]
    extensions: Annotated[tuple[Extension, ...], Vector(StructCodec(Extension))]
