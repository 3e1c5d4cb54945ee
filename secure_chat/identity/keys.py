"""Signing keys (Ed25519, RFC 8032) and the recovery code that carries an account key on paper.

Three types for three roles, so that none stands where another belongs: `AccountKey` is a person, `DeviceKey`
one installation, `DirectoryKey` the relay's word about names. A key never shows its seed in its repr.
"""

import hashlib
import hmac
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from secure_chat.identity.errors import RecoveryCodeError

__all__ = [
    "KEY_BYTES",
    "SIGNATURE_BYTES",
    "AccountKey",
    "DeviceKey",
    "DirectoryKey",
    "SigningKey",
    "decode_recovery_code",
    "encode_recovery_code",
]

KEY_BYTES = 32
"""Length of a seed and of a public key (RFC 8032 §5.1)."""

SIGNATURE_BYTES = 64
"""Length of a signature (RFC 8032 §5.1)."""

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no I, L, O or U, so that nothing is misread."""
_LOOK_ALIKES = str.maketrans("ILO", "110")
_CHECK_BYTES = 3
"""32 + 3 bytes are exactly 56 characters; a random typing error passes once in 16 million."""
_GROUP = 4
_CODE_CHARACTERS = (KEY_BYTES + _CHECK_BYTES) * 8 // 5


class SigningKey:
    """An Ed25519 private key, from and to its 32-byte seed."""

    __slots__ = ("_private", "public", "seed")

    def __init__(self, seed: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.seed = seed
        self.public = self._private.public_key().public_bytes_raw()

    @classmethod
    def generate(cls) -> Self:
        """A new key from the operating system's randomness."""
        return cls(Ed25519PrivateKey.generate().private_bytes_raw())

    def sign(self, data: bytes) -> bytes:
        """The bare signature; outside MLS use `secure_chat.identity.labels.sign`."""
        return self._private.sign(data)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.public.hex()[:16]}…>"


class AccountKey(SigningKey):
    """A person: certifies and revokes devices, registers the handle."""

    __slots__ = ()


class DeviceKey(SigningKey):
    """One device: logs in, and signs in MLS as the key of its leaves."""

    __slots__ = ()


class DirectoryKey(SigningKey):
    """The relay's directory: signs which account key a handle belongs to."""

    __slots__ = ()


def encode_recovery_code(key: AccountKey) -> str:
    """The account's seed with a checksum, as 14 groups of 4 characters to write down. Secret."""
    number = int.from_bytes(key.seed + _checksum(key.seed), "big")
    text = "".join(_ALPHABET[(number >> 5 * i) & 31] for i in reversed(range(_CODE_CHARACTERS)))
    return "-".join(text[i : i + _GROUP] for i in range(0, _CODE_CHARACTERS, _GROUP))


def decode_recovery_code(text: str) -> AccountKey:
    """The account key of a recovery code; case, spaces and dashes don't matter, and I, L, O read as 1, 1, 0.

    Raises RecoveryCodeError saying what is wrong, without repeating the code.
    """
    characters = "".join(text.upper().replace("-", " ").split()).translate(_LOOK_ALIKES)
    number = 0
    for position, character in enumerate(characters):
        value = _ALPHABET.find(character)
        if value < 0:
            group = position // _GROUP + 1
            raise RecoveryCodeError(f"recovery code: group {group} has a character that no code contains")
        number = number << 5 | value
    if len(characters) != _CODE_CHARACTERS:
        raise RecoveryCodeError(
            f"recovery code: {len(characters)} characters instead of {_CODE_CHARACTERS}; "
            f"it has {_CODE_CHARACTERS // _GROUP} groups of {_GROUP}"
        )
    data = number.to_bytes(KEY_BYTES + _CHECK_BYTES, "big")
    seed, check = data[:KEY_BYTES], data[KEY_BYTES:]
    if not hmac.compare_digest(check, _checksum(seed)):
        raise RecoveryCodeError("recovery code: a character is wrong or two changed places; compare it again")
    return AccountKey(seed)


def _checksum(seed: bytes) -> bytes:
    return hashlib.sha256(b"secure-chat 1 recovery code" + seed).digest()[:_CHECK_BYTES]
