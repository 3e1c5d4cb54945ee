"""Parent nodes (RFC 9420 §7.1): a public key for everybody below."""

from bisect import bisect_left
from dataclasses import dataclass, field, replace
from typing import Annotated, Self

from secure_chat.mls.codec import OPAQUE, UINT32, Numbers, Reader, Struct

__all__ = ["ParentNode"]


@dataclass(frozen=True, slots=True)
class ParentNode(Struct):
    """A key pair shared by the members below, except those whose leaves are unmerged."""

    encryption_key: Annotated[bytes, OPAQUE]
    parent_hash: Annotated[bytes, OPAQUE]
    unmerged_leaves: Annotated[tuple[int, ...], Numbers(UINT32)] = ()
    _encoded: bytes = field(default=b"", compare=False, repr=False)
    """The wire form as it was read or first written."""

    @classmethod
    def read(cls, reader: Reader) -> Self:
        start = reader.position
        node = super(ParentNode, cls).read(reader)
        object.__setattr__(node, "_encoded", reader.data[start : reader.position])
        return node

    def write(self, out: bytearray) -> None:
        out += self.encode()

    def encode(self) -> bytes:
        if not self._encoded:
            out = bytearray()
            super(ParentNode, self).write(out)
            object.__setattr__(self, "_encoded", bytes(out))
        return self._encoded

    def with_unmerged(self, leaf_index: int) -> "ParentNode":
        """With one more unmerged leaf, at its place in the order of §7.1."""
        leaves = self.unmerged_leaves
        at = bisect_left(leaves, leaf_index)
        return ParentNode(self.encryption_key, self.parent_hash, (*leaves[:at], leaf_index, *leaves[at:]))

    def without_unmerged(self, leaves: frozenset[int]) -> "ParentNode":
        """Without these unmerged leaves, as the original tree hash wants it (§7.9)."""
        kept = tuple(leaf for leaf in self.unmerged_leaves if leaf not in leaves)
        return replace(self, unmerged_leaves=kept, _encoded=b"")
