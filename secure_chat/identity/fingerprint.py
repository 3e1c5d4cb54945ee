"""What two people compare: the safety number of a pair, its QR code, and the code of a room.

Each side's 30 digits come from SHA-512 iterated 5,200 times over account key and handle, as Signal's numeric
fingerprints do; the two halves are sorted, so both people see the same 60 digits. The iteration makes
searching for a second key with the same digits 5,200 times dearer: 30 digits (99 bits) act like 112.
"""

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass

from secure_chat.identity.errors import MalformedError, MismatchError
from secure_chat.identity.keys import KEY_BYTES

__all__ = ["ITERATIONS", "SafetyNumber", "room_code", "safety_number"]

ITERATIONS = 5200
"""Rounds of SHA-512, Signal's count; about 3 ms."""

_LABEL = b"secure-chat 1 safety number\x00"
_ROOM_LABEL = b"secure-chat 1 room code\x00"
_GROUP_DIGITS = 5
_HALF_GROUPS = 6
_ROOM_GROUPS = 4
_QR_PREFIX = "SECURE-CHAT:V1"
"""Upper case and base 32 throughout: QR's alphanumeric mode, a third smaller than bytes."""
_QR_BYTES = 32


@dataclass(frozen=True, slots=True)
class SafetyNumber:
    """The fingerprints of oneself and one other person; equal on both sides but for the order."""

    own: bytes
    other: bytes

    @property
    def digits(self) -> str:
        """The 60 digits, without spaces."""
        return "".join(sorted((_digits(self.own, _HALF_GROUPS), _digits(self.other, _HALF_GROUPS))))

    def __str__(self) -> str:
        """Twelve groups of five, to be read aloud."""
        return _grouped(self.digits)

    @property
    def qr(self) -> str:
        """What this side shows as a QR code: version, own fingerprint, the other's as this side knows it."""
        return f"{_QR_PREFIX}:{_base32(self.own)}:{_base32(self.other)}"

    def compare_qr(self, scanned: str) -> None:
        """Compares what was scanned from the other person's screen.

        Raises MalformedError for a code that is no safety number of this version, MismatchError for another
        one.
        """
        parts = scanned.strip().upper().rsplit(":", 2)
        if len(parts) != 3 or parts[0] != _QR_PREFIX:
            raise MalformedError("this QR code is no safety number of secure-chat")
        theirs, ours = _from_base32(parts[1]), _from_base32(parts[2])
        own, other = self.own[:_QR_BYTES], self.other[:_QR_BYTES]
        # Both comparisons always run; which of the two fails tells people what happened.
        knows_us, is_them = hmac.compare_digest(ours, own), hmac.compare_digest(theirs, other)
        if not is_them:
            raise MismatchError("the code shows another key than the one you have for this person; do not send")
        if not knows_us:
            raise MismatchError("the other side has another key for you; somebody may sit between you")

    def compare_digits(self, typed: str) -> None:
        """Compares 60 digits that were typed or pasted, in any grouping; raises MismatchError."""
        digits = "".join(typed.split()).replace("-", "")
        if not hmac.compare_digest(digits.encode(), self.digits.encode()):
            raise MismatchError("the safety numbers differ; check the digits, then suspect somebody between you")


def safety_number(own_handle: str, own_key: bytes, other_handle: str, other_key: bytes) -> SafetyNumber:
    """The safety number of two accounts, from their handles and 32-byte account keys."""
    return SafetyNumber(_fingerprint(own_handle, own_key), _fingerprint(other_handle, other_key))


def room_code(epoch_authenticator: bytes) -> str:
    """Twenty digits in four groups that all members of an MLS group see in the same epoch (RFC 9420 §8.7)."""
    digest = _iterate(_ROOM_LABEL, epoch_authenticator)
    return _grouped(_digits(digest, _ROOM_GROUPS))


def _fingerprint(handle: str, key: bytes) -> bytes:
    if len(key) != KEY_BYTES:
        raise ValueError("an account key has 32 bytes")
    return _iterate(_LABEL + key + handle.encode(), key)


def _iterate(start: bytes, key: bytes) -> bytes:
    digest = start
    for _ in range(ITERATIONS):
        digest = hashlib.sha512(digest + key).digest()
    return digest


def _digits(digest: bytes, groups: int) -> str:
    """Five bytes make five digits: the bias of 2⁴⁰ mod 10⁵ is below one in ten million."""
    chunks = (digest[5 * i : 5 * i + 5] for i in range(groups))
    return "".join(f"{int.from_bytes(chunk, 'big') % 10**_GROUP_DIGITS:05}" for chunk in chunks)


def _grouped(digits: str) -> str:
    return " ".join(digits[i : i + _GROUP_DIGITS] for i in range(0, len(digits), _GROUP_DIGITS))


def _base32(digest: bytes) -> str:
    return base64.b32encode(digest[:_QR_BYTES]).decode().rstrip("=")


def _from_base32(text: str) -> bytes:
    try:
        data = base64.b32decode(text + "=" * (-len(text) % 8))
    except (binascii.Error, ValueError):
        data = b""
    if len(data) != _QR_BYTES:
        raise MalformedError("this QR code is no safety number of secure-chat")
    return data
