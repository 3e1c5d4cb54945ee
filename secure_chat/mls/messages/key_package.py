"""Key packages: what a client publishes so that others can add it to groups (RFC 9420 §10)."""

from dataclasses import dataclass, field, replace
from typing import Annotated, Self

from secure_chat.mls.codec import OPAQUE, UINT16, EnumCodec, Reader, Struct, StructCodec, encode_opaque
from secure_chat.mls.credential.extensions import EXTENSIONS, Extension, Lifetime, check_extension_list
from secure_chat.mls.crypto.labels import ref_hash, sign_with_label, verify_with_label
from secure_chat.mls.crypto.secret import Secret
from secure_chat.mls.crypto.suite import CipherSuite, HPKEPrivateKey, suite_of
from secure_chat.mls.errors import CryptoError, DecodeError, ValidationError
from secure_chat.mls.registry import ProtocolVersion, WireFormat
from secure_chat.mls.tree.leaf_node import LeafIdentity, LeafNode, LeafNodeSource

__all__ = ["KeyPackage", "KeyPackageBundle"]

_SIGNATURE_LABEL = "KeyPackageTBS"
_REFERENCE_LABEL = "MLS 1.0 KeyPackage Reference"
_MESSAGE_FRONT = ProtocolVersion.mls10.to_bytes(2, "big") + WireFormat.mls_key_package.to_bytes(2, "big")


@dataclass(frozen=True, slots=True)
class KeyPackage(Struct):
    """§10: an init key for a Welcome and the leaf to add, signed with the leaf's key."""

    version: Annotated[ProtocolVersion, EnumCodec(ProtocolVersion, 2)]
    cipher_suite: Annotated[int, UINT16]
    init_key: Annotated[bytes, OPAQUE]
    leaf_node: Annotated[LeafNode, StructCodec(LeafNode)]
    extensions: Annotated[tuple[Extension, ...], EXTENSIONS]
    signature: Annotated[bytes, OPAQUE]
    _encoded: bytes = field(default=b"", compare=False, repr=False)
    """The wire form as it was read or first written: it is hashed, signed and stored."""

    @classmethod
    def read(cls, reader: Reader) -> Self:
        start = reader.position
        package = super(KeyPackage, cls).read(reader)
        object.__setattr__(package, "_encoded", reader.data[start : reader.position])
        return package

    def write(self, out: bytearray) -> None:
        out += self.encode()

    def encode(self) -> bytes:
        if not self._encoded:
            out = bytearray()
            super(KeyPackage, self).write(out)
            object.__setattr__(self, "_encoded", bytes(out))
        return self._encoded

    def message(self) -> bytes:
        """As an MLSMessage, the form in which key packages are published."""
        return _MESSAGE_FRONT + self.encode()

    @classmethod
    def from_message(cls, data: bytes) -> Self:
        """The key package in an MLSMessage; DecodeError for anything else. It is not validated yet."""
        if data[: len(_MESSAGE_FRONT)] != _MESSAGE_FRONT:
            raise DecodeError("not an MLSMessage with a key package of MLS 1.0 (RFC 9420 §6)")
        return cls.decode(data[len(_MESSAGE_FRONT) :])

    def reference(self, suite: CipherSuite) -> bytes:
        """§5.2 MakeKeyPackageRef."""
        return ref_hash(suite, _REFERENCE_LABEL, self.encode())

    def to_be_signed(self) -> bytes:
        """`KeyPackageTBS`: all but the signature."""
        return self.encode()[: -len(encode_opaque(self.signature))]

    def validate(self, suite: CipherSuite) -> None:
        """All rules of §10.1 that concern this key package alone; ValidationError or CryptoError if one is broken.

        Time is not among them: who adds a client checks the leaf's lifetime.
        """
        # §10.1: the group's suite; the version is already known to be mls10.
        if self.cipher_suite != suite.number:
            raise ValidationError("a key package for another cipher suite (RFC 9420 §10.1)")
        # §10.1: a valid leaf, for a key package.
        self.leaf_node.validate(suite, LeafNodeSource.key_package, b"", 0)
        # §10.1: the two keys differ.
        if self.init_key == self.leaf_node.encryption_key:
            raise ValidationError("init_key and encryption_key are the same (RFC 9420 §10.1)")
        # §10: the init key is one of the suite's KEM.
        try:
            suite.kem.check_public_key(self.init_key)
        except CryptoError as error:
            raise ValidationError(f"init_key: {error} (RFC 9420 §10)") from None
        # §13.4: no extension type twice.
        check_extension_list(self.extensions)
        # §10.1: signed with the leaf's key.
        verify_with_label(suite, self.leaf_node.signature_key, _SIGNATURE_LABEL, self.to_be_signed(), self.signature)


@dataclass(frozen=True, slots=True)
class _StoredBundle(Struct):
    key_package: Annotated[KeyPackage, StructCodec(KeyPackage)]
    init_key: Annotated[bytes, OPAQUE]
    encryption_key: Annotated[bytes, OPAQUE]


@dataclass(frozen=True, slots=True)
class KeyPackageBundle:
    """A key package of one's own with its private keys; the signature key stays with the LeafIdentity."""

    key_package: KeyPackage
    init_key: HPKEPrivateKey
    encryption_key: HPKEPrivateKey

    @classmethod
    def generate(
        cls,
        suite: CipherSuite,
        identity: LeafIdentity,
        lifetime: Lifetime,
        extensions: tuple[Extension, ...] = (),
    ) -> "KeyPackageBundle":
        """A fresh key package, signed by `identity`."""
        init_key, encryption_key = HPKEPrivateKey.generate(suite), HPKEPrivateKey.generate(suite)
        leaf = identity.key_package_leaf(encryption_key.public, lifetime)
        unsigned = KeyPackage(ProtocolVersion.mls10, suite.number, init_key.public, leaf, extensions, b"")
        signature = sign_with_label(identity.signature_key, _SIGNATURE_LABEL, unsigned.to_be_signed())
        return cls(replace(unsigned, signature=signature, _encoded=b""), init_key, encryption_key)

    @property
    def suite(self) -> CipherSuite:
        """The suite the keys are for; UnsupportedError if there is none such."""
        return suite_of(self.key_package.cipher_suite)

    @property
    def reference(self) -> bytes:
        """KeyPackageRef (§5.2): the name under which a Welcome addresses this package."""
        return self.key_package.reference(self.suite)

    def encode(self) -> bytes:
        """With the private keys, for an encrypted store."""
        stored = _StoredBundle(self.key_package, self.init_key.private_bytes, self.encryption_key.private_bytes)
        return Secret(stored.encode())

    @classmethod
    def decode(cls, data: bytes) -> "KeyPackageBundle":
        """The inverse of `encode`; DecodeError, CryptoError or UnsupportedError if `data` are damaged."""
        stored = _StoredBundle.decode(data)
        suite = suite_of(stored.key_package.cipher_suite)
        return cls(
            stored.key_package,
            HPKEPrivateKey.from_bytes(suite, stored.init_key),
            HPKEPrivateKey.from_bytes(suite, stored.encryption_key),
        )
