"""The structures of an update path: RFC 9420 §7.6."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, overload

from secure_chat.mls.codec import OPAQUE, Reader, Struct, StructCodec, Vector, encode_varint
from secure_chat.mls.crypto.hpke import HPKECiphertext
from secure_chat.mls.tree.leaf_node import LeafNode

__all__ = ["UpdatePath", "UpdatePathNode"]


class _CiphertextVector(Sequence[HPKECiphertext]):
    """The ciphertexts of one path node as they arrived, cut out one at a time.

    After a bulk add, a path carries one for every member, and a receiver opens a single one of them.
    """

    __slots__ = ("_count", "_data", "_stride")

    def __init__(self, data: bytes, stride: int) -> None:
        self._data = data
        self._stride = stride
        self._count = len(data) // stride

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> HPKECiphertext: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[HPKECiphertext, ...]: ...
    def __getitem__(self, index: int | slice) -> HPKECiphertext | tuple[HPKECiphertext, ...]:
        if isinstance(index, slice):
            return tuple(self[i] for i in range(*index.indices(self._count)))
        if not -self._count <= index < self._count:
            raise IndexError("no such ciphertext")
        start = index % self._count * self._stride
        return HPKECiphertext.decode(self._data[start : start + self._stride])

    def __eq__(self, other: object) -> bool:
        if isinstance(other, _CiphertextVector):
            return self._data == other._data
        return isinstance(other, tuple) and tuple(self) == other

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return f"<{self._count} HPKECiphertexts>"

    @property
    def data(self) -> bytes:
        """The items' encodings, one after the other."""
        return self._data


_ITEMS = Vector(StructCodec(HPKECiphertext))


class _Ciphertexts:
    """`HPKECiphertext items<V>`: kept undivided where all items have the form of the first."""

    def write(self, value: Sequence[HPKECiphertext], out: bytearray) -> None:
        if isinstance(value, _CiphertextVector):
            out += encode_varint(len(value.data))
            out += value.data
        else:
            _ITEMS.write(value, out)

    def read(self, reader: Reader) -> Sequence[HPKECiphertext]:
        start = reader.position
        data = reader.opaque()
        stride = _common_stride(data)
        if stride:
            return _CiphertextVector(data, stride)
        return _ITEMS.read(Reader(reader.data, start, reader.position))


def _common_stride(data: bytes) -> int:
    """The encoded size of each item if all have the lengths of the first, else 0.

    The two length headers stand in the same columns of every item, so comparing these columns decodes them all.
    """
    if not data:
        return 0
    reader = Reader(data)
    reader.opaque()
    second = reader.position
    reader.opaque()
    stride = reader.position
    if len(data) % stride:
        return 0
    count = len(data) // stride
    for start in (0, second):
        width = 1 << (data[start] >> 6)
        for column in range(start, start + width):
            if data[column::stride] != data[column : column + 1] * count:
                return 0
    return stride


@dataclass(frozen=True, slots=True)
class UpdatePathNode(Struct):
    """A new public key, and the path secret behind it for each node below the other child."""

    encryption_key: Annotated[bytes, OPAQUE]
    encrypted_path_secret: Annotated[Sequence[HPKECiphertext], _Ciphertexts()]


@dataclass(frozen=True, slots=True)
class UpdatePath(Struct):
    """A committer's new leaf and the nodes of its filtered direct path, from the lowest to the root."""

    leaf_node: Annotated[LeafNode, StructCodec(LeafNode)]
    nodes: Annotated[tuple[UpdatePathNode, ...], Vector(StructCodec(UpdatePathNode))]
