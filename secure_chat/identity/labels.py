"""The one form of every signature outside MLS.

What is signed is ::

    "secure-chat 1 " purpose 0x00 (uint32 length, bytes)*

The purpose contains no zero byte and every field is length-prefixed, so different purposes or fields never
give the same bytes: nobody can make a key sign one thing as another. What a device key signs inside MLS
starts with the length of a label "MLS 1.0 …" (RFC 9420 §5.1.2), a byte below 64, and never with the "s" that
stands first here.
"""

from enum import StrEnum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from secure_chat.identity.errors import SignatureError
from secure_chat.identity.keys import SigningKey

__all__ = ["Field", "Purpose", "sign", "to_be_signed", "verify"]

Field = bytes | str | int
"""Bytes as they are, text as UTF-8, an integer as uint64, big endian; the purpose fixes which stands where.
"""

_PREFIX = "secure-chat 1 "


class Purpose(StrEnum):
    """Everything a key of ours ever signs outside MLS."""

    DEVICE_CERTIFICATE = "device certificate"
    REVOCATION = "revocation"
    DIRECTORY_BINDING = "directory binding"
    REGISTRATION = "registration"
    LOGIN = "login"
    ACCOUNT_DELETION = "account deletion"
    ROOM_REQUEST = "room request"
    ROOM_LEAVE = "room leave"
    ROOM_FOUNDING = "room founding"
    TYPING = "typing"


def to_be_signed(purpose: Purpose, *fields: Field) -> bytes:
    """The bytes under a signature (module docstring)."""
    parts = [_PREFIX.encode(), purpose.value.encode(), b"\x00"]
    for field in fields:
        if isinstance(field, int):
            data = field.to_bytes(8, "big")
        elif isinstance(field, str):
            data = field.encode()
        else:
            data = field
        parts += (len(data).to_bytes(4, "big"), data)
    return b"".join(parts)


def sign(key: SigningKey, purpose: Purpose, *fields: Field) -> bytes:
    """The 64-byte Ed25519 signature over the fields for this purpose."""
    return key.sign(to_be_signed(purpose, *fields))


def verify(public: bytes, purpose: Purpose, signature: bytes, *fields: Field) -> None:
    """Raises SignatureError unless `public` signed exactly these fields for exactly this purpose."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, to_be_signed(purpose, *fields))
    except (InvalidSignature, ValueError):
        raise SignatureError(f"the signature of this {purpose.value} is not valid") from None
