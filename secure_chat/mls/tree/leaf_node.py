"""Leaf nodes (RFC 9420 §7.2): one client's appearance in a group or a key package, signed by that client."""

from dataclasses import dataclass, field, replace
from enum import IntEnum
from functools import lru_cache
from typing import Annotated, Self

from secure_chat.mls.codec import OPAQUE, Codec, EnumCodec, Reader, Struct, StructCodec, Variant, encode_opaque
from secure_chat.mls.credential.credential import CREDENTIAL, Credential, check_certificate_key
from secure_chat.mls.credential.extensions import (
    EXTENSIONS,
    Capabilities,
    Extension,
    Lifetime,
    check_extension_list,
)
from secure_chat.mls.crypto.labels import sign_with_label, verify_with_label
from secure_chat.mls.crypto.suite import CipherSuite, SignaturePrivateKey
from secure_chat.mls.errors import CryptoError, ValidationError
from secure_chat.mls.registry import ProtocolVersion

__all__ = [
    "CommitSource",
    "KeyPackageSource",
    "LeafIdentity",
    "LeafNode",
    "LeafNodeSource",
    "UpdateSource",
]


class LeafNodeSource(IntEnum):
    """How a leaf node came into the tree."""

    key_package = 1
    update = 2
    commit = 3


@dataclass(frozen=True, slots=True)
class KeyPackageSource(Struct):
    """From a key package, made before the group was known."""

    lifetime: Annotated[Lifetime, StructCodec(Lifetime)]


@dataclass(frozen=True, slots=True)
class UpdateSource(Struct):
    """From an Update proposal."""


@dataclass(frozen=True, slots=True)
class CommitSource(Struct):
    """From the path of a commit; binds the leaf to the keys above it (§7.9)."""

    parent_hash: Annotated[bytes, OPAQUE]


LeafSource = KeyPackageSource | UpdateSource | CommitSource

_SOURCE: Codec[LeafSource] = Variant(
    EnumCodec(LeafNodeSource, 1),
    {
        LeafNodeSource.key_package: KeyPackageSource,
        LeafNodeSource.update: UpdateSource,
        LeafNodeSource.commit: CommitSource,
    },
)
_SOURCE_NUMBERS: dict[type[LeafSource], LeafNodeSource] = {
    KeyPackageSource: LeafNodeSource.key_package,
    UpdateSource: LeafNodeSource.update,
    CommitSource: LeafNodeSource.commit,
}

SHARED_CAPABILITIES = 1024
"""Decoded capabilities kept for reuse: most members of a group run the same few programs."""


class _CapabilitiesCodec:
    """`Capabilities`, decoded once per distinct encoding and shared by all leaves that carry it."""

    def write(self, value: Capabilities, out: bytearray) -> None:
        value.write(out)

    def read(self, reader: Reader) -> Capabilities:
        start = reader.position
        for _ in range(5):
            reader.opaque()
        return _shared_capabilities(reader.data[start : reader.position])


@lru_cache(SHARED_CAPABILITIES)
def _shared_capabilities(data: bytes) -> Capabilities:
    return Capabilities.decode(data)


@dataclass(frozen=True, slots=True)
class LeafNode(Struct):
    """A client's keys, credential and capabilities (§7.2)."""

    encryption_key: Annotated[bytes, OPAQUE]
    signature_key: Annotated[bytes, OPAQUE]
    credential: Annotated[Credential, CREDENTIAL]
    capabilities: Annotated[Capabilities, _CapabilitiesCodec()]
    source: Annotated[LeafSource, _SOURCE]
    extensions: Annotated[tuple[Extension, ...], EXTENSIONS]
    signature: Annotated[bytes, OPAQUE]
    _encoded: bytes = field(default=b"", compare=False, repr=False)
    """The wire form as it was read or first written: it is hashed and signed again and again."""

    @classmethod
    def read(cls, reader: Reader) -> Self:
        start = reader.position
        leaf = super(LeafNode, cls).read(reader)
        object.__setattr__(leaf, "_encoded", reader.data[start : reader.position])
        return leaf

    def write(self, out: bytearray) -> None:
        out += self.encode()

    def encode(self) -> bytes:
        if not self._encoded:
            out = bytearray()
            super(LeafNode, self).write(out)
            object.__setattr__(self, "_encoded", bytes(out))
        return self._encoded

    @property
    def leaf_node_source(self) -> LeafNodeSource:
        """The tag of `source`."""
        return _SOURCE_NUMBERS[type(self.source)]

    @property
    def lifetime(self) -> Lifetime | None:
        """Only for leaves from key packages."""
        return self.source.lifetime if isinstance(self.source, KeyPackageSource) else None

    @property
    def parent_hash(self) -> bytes | None:
        """Only for leaves from commits."""
        return self.source.parent_hash if isinstance(self.source, CommitSource) else None

    def to_be_signed(self, group_id: bytes, leaf_index: int) -> bytes:
        """`LeafNodeTBS`; group and place count only for leaves that were made inside a group."""
        content = self.encode()[: -len(encode_opaque(self.signature))]
        if isinstance(self.source, KeyPackageSource):
            return content
        return content + encode_opaque(group_id) + leaf_index.to_bytes(4, "big")

    def verify_signature(self, suite: CipherSuite, group_id: bytes = b"", leaf_index: int = 0) -> None:
        """§7.3: CryptoError unless the leaf's own key signed it, for this group and place."""
        verify_with_label(
            suite, self.signature_key, "LeafNodeTBS", self.to_be_signed(group_id, leaf_index), self.signature
        )

    def validate(self, suite: CipherSuite, source: LeafNodeSource | None, group_id: bytes, leaf_index: int) -> None:
        """All rules of §7.3 that concern this leaf alone; ValidationError or CryptoError if one is broken.

        `source` is the one that the place demands, None in a tree, where all three occur. What concerns the group
        (required capabilities, other members' credential types, unique keys) is `RatchetTree`'s and the caller's.
        """
        # §7.3: the source belongs to where the leaf appears.
        if source is not None and self.leaf_node_source is not source:
            raise ValidationError(f"leaf_node_source is not {source.name} (RFC 9420 §7.3)")
        capabilities = self.capabilities
        # §11.1: all members support the version in use; §7.2: what is supported is listed. The suite is not looked
        # for: §7.3 does not name it, and leaves in the official vectors (treekem, suite 7) do not list theirs.
        if ProtocolVersion.mls10 not in capabilities.versions:
            raise ValidationError("the leaf's capabilities do not list the protocol version (RFC 9420 §7.2, §11.1)")
        # §7.2: the credential type in use is listed.
        if self.credential.credential_type not in capabilities.credentials:
            raise ValidationError("the leaf's capabilities do not list its credential type (RFC 9420 §7.2)")
        # §13.4: no extension type twice.
        check_extension_list(self.extensions)
        # §7.3: each extension's type is listed.
        for extension in self.extensions:
            if not capabilities.supports_extension(extension.extension_type):
                raise ValidationError("the leaf's capabilities do not list one of its extensions (RFC 9420 §7.3)")
        # §5.3: the certificate's key is the signature key.
        check_certificate_key(self.credential, self.signature_key)
        # §5.1.1: the encryption key is one of the suite's KEM.
        try:
            suite.kem.check_public_key(self.encryption_key)
        except CryptoError as error:
            raise ValidationError(f"encryption_key: {error} (RFC 9420 §5.1.1)") from None
        # §7.3: the signature is the leaf's own.
        self.verify_signature(suite, group_id, leaf_index)


@dataclass(frozen=True, slots=True)
class LeafIdentity:
    """What a client puts into its leaves, apart from the encryption key."""

    credential: Credential
    signature_key: SignaturePrivateKey
    capabilities: Capabilities
    extensions: tuple[Extension, ...] = ()

    def key_package_leaf(self, encryption_key: bytes, lifetime: Lifetime) -> LeafNode:
        """The signed leaf of a key package."""
        return self._sign(encryption_key, KeyPackageSource(lifetime), b"", 0)

    def update_leaf(self, encryption_key: bytes, group_id: bytes, leaf_index: int) -> LeafNode:
        """The signed leaf of an Update proposal."""
        return self._sign(encryption_key, UpdateSource(), group_id, leaf_index)

    def commit_leaf(self, encryption_key: bytes, parent_hash: bytes, group_id: bytes, leaf_index: int) -> LeafNode:
        """The signed leaf of a commit's path."""
        return self._sign(encryption_key, CommitSource(parent_hash), group_id, leaf_index)

    def _sign(self, encryption_key: bytes, source: LeafSource, group_id: bytes, leaf_index: int) -> LeafNode:
        unsigned = LeafNode(
            encryption_key, self.signature_key.public, self.credential, self.capabilities, source, self.extensions, b""
        )
        signature = sign_with_label(self.signature_key, "LeafNodeTBS", unsigned.to_be_signed(group_id, leaf_index))
        return replace(unsigned, signature=signature, _encoded=b"")
