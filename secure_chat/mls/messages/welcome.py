"""GroupInfo and Welcome: what newcomers need (RFC 9420 §12.4.3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from secure_chat.mls.codec import OPAQUE, UINT16, UINT32, Optional, Reader, Struct, StructCodec, Vector, encode_opaque
from secure_chat.mls.credential.extensions import Extension
from secure_chat.mls.crypto.hpke import HPKECiphertext, Sealer
from secure_chat.mls.crypto.labels import (
    decrypt_with_label,
    sealer_with_label,
    sign_with_label,
    verify_with_label,
)
from secure_chat.mls.crypto.secret import Secret
from secure_chat.mls.crypto.suite import CipherSuite, HPKEPrivateKey, SignaturePrivateKey
from secure_chat.mls.errors import ValidationError
from secure_chat.mls.schedule.epoch import welcome_key_and_nonce
from secure_chat.mls.schedule.group_context import GroupContext
from secure_chat.mls.schedule.psk import PreSharedKeyID

__all__ = [
    "EncryptedGroupSecrets",
    "GroupInfo",
    "GroupSecrets",
    "PathSecret",
    "Welcome",
    "group_secrets_sealer",
    "open_group_info",
    "open_group_secrets",
    "seal_group_info",
    "seal_group_secrets",
]

_SIGNATURE_LABEL = "GroupInfoTBS"


@dataclass(frozen=True, slots=True)
class GroupInfo(Struct):
    """§12.4.3: the public state of a group, signed by a member."""

    group_context: Annotated[GroupContext, StructCodec(GroupContext)]
    extensions: Annotated[tuple[Extension, ...], Vector(StructCodec(Extension))]
    confirmation_tag: Annotated[bytes, OPAQUE]
    signer: Annotated[int, UINT32]
    signature: Annotated[bytes, OPAQUE]

    @classmethod
    def sign(
        cls,
        context: GroupContext,
        extensions: tuple[Extension, ...],
        confirmation_tag: bytes,
        signer: int,
        key: SignaturePrivateKey,
    ) -> "GroupInfo":
        """Signed by the member at leaf `signer`."""
        unsigned = cls(context, extensions, confirmation_tag, signer, b"")
        signature = sign_with_label(key, _SIGNATURE_LABEL, unsigned.signed())
        return cls(context, extensions, confirmation_tag, signer, signature)

    def signed(self) -> bytes:
        """§12.4.3 GroupInfoTBS: all but the signature."""
        return self.encode()[: -len(encode_opaque(self.signature))]

    def verify_signature(self, suite: CipherSuite, public_key: bytes) -> None:
        """Return if the signature is this key's; CryptoError otherwise."""
        verify_with_label(suite, public_key, _SIGNATURE_LABEL, self.signed(), self.signature)


@dataclass(frozen=True, slots=True, repr=False)
class PathSecret(Struct):
    """§12.4.3.1; never printed."""

    path_secret: Annotated[bytes, OPAQUE]


@dataclass(frozen=True, slots=True, repr=False)
class GroupSecrets(Struct):
    """§12.4.3.1: the secrets for one newcomer; never printed."""

    joiner_secret: Annotated[bytes, OPAQUE]
    path_secret: Annotated[PathSecret | None, Optional(StructCodec(PathSecret))]
    psks: Annotated[tuple[PreSharedKeyID, ...], Vector(StructCodec(PreSharedKeyID))]


@dataclass(frozen=True, slots=True)
class EncryptedGroupSecrets(Struct):
    """§12.4.3.1: secrets encrypted to one KeyPackage."""

    new_member: Annotated[bytes, OPAQUE]
    encrypted_group_secrets: Annotated[HPKECiphertext, StructCodec(HPKECiphertext)]

    @classmethod
    def read(cls, reader: Reader) -> "EncryptedGroupSecrets":
        return cls(reader.opaque(), HPKECiphertext(reader.opaque(), reader.opaque()))


@dataclass(frozen=True, slots=True)
class Welcome(Struct):
    """§12.4.3.1."""

    cipher_suite: Annotated[int, UINT16]
    secrets: Annotated[tuple[EncryptedGroupSecrets, ...], Vector(StructCodec(EncryptedGroupSecrets))]
    encrypted_group_info: Annotated[bytes, OPAQUE]

    def secrets_for(self, references: Sequence[bytes]) -> EncryptedGroupSecrets:
        """The entry for one of these KeyPackageRefs; ValidationError if there is none."""
        for entry in self.secrets:
            if entry.new_member in references:
                return entry
        raise ValidationError("the Welcome is not for this key package (§12.4.3.1)")


def seal_group_info(suite: CipherSuite, welcome_secret: bytes, group_info: GroupInfo) -> bytes:
    """The `encrypted_group_info` of a Welcome."""
    key, nonce = welcome_key_and_nonce(suite, welcome_secret)
    return suite.aead(key).encrypt(nonce, group_info.encode(), b"")


def open_group_info(suite: CipherSuite, welcome_secret: bytes, encrypted: bytes) -> GroupInfo:
    """The GroupInfo of a Welcome; CryptoError or DecodeError. Its signature is not verified yet."""
    key, nonce = welcome_key_and_nonce(suite, welcome_secret)
    return GroupInfo.decode(suite.aead(key).decrypt(nonce, encrypted, b""))


def group_secrets_sealer(suite: CipherSuite, encrypted_group_info: bytes) -> Sealer:
    """Encrypts encoded GroupSecrets to the init keys of all newcomers; CryptoError for an unusable key."""
    return sealer_with_label(suite, "Welcome", encrypted_group_info)


def seal_group_secrets(
    suite: CipherSuite, init_key: bytes, encrypted_group_info: bytes, encoded_secrets: bytes
) -> HPKECiphertext:
    """The same to a single newcomer."""
    return group_secrets_sealer(suite, encrypted_group_info).seal(init_key, encoded_secrets)


def open_group_secrets(
    suite: CipherSuite, init_key: HPKEPrivateKey, encrypted_group_info: bytes, sealed: HPKECiphertext
) -> GroupSecrets:
    """CryptoError or DecodeError unless it was encrypted to this key with this GroupInfo."""
    secrets = GroupSecrets.decode(decrypt_with_label(suite, init_key, "Welcome", encrypted_group_info, sealed))
    return GroupSecrets(Secret(secrets.joiner_secret), secrets.path_secret, secrets.psks)
