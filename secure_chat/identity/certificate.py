"""Device certificates and their revocation: which device keys belong to an account.

The account key signs ``{version, handle, account key, device key, device id, serial, issued, expires}``. Any
member of a room checks it alone, so the relay cannot add a device to somebody. The encoding is canonical: one
certificate has one form of bytes.
"""

from collections.abc import Callable

import msgspec

from secure_chat.identity import labels
from secure_chat.identity.encoding import DeviceId, Handle, PublicKey, Signature, Uint63, decode_exact, encode
from secure_chat.identity.errors import ExpiredError, MalformedError, RevokedError
from secure_chat.identity.handle import require_handle
from secure_chat.identity.keys import AccountKey
from secure_chat.identity.labels import Purpose

__all__ = [
    "CERTIFICATE_VERSION",
    "DEVICE_ID_BYTES",
    "MAX_CERTIFICATE",
    "DeviceCertificate",
    "Revocation",
    "issue",
    "require_not_revoked",
    "revoke",
    "verify",
    "verify_revocation",
]

CERTIFICATE_VERSION = 1
DEVICE_ID_BYTES = 16
MAX_CERTIFICATE = 256
"""No certificate of this version is longer, in bytes: version, 32-character handle, two keys, id, times,
signature.
"""


class DeviceCertificate(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A device key the account vouches for; made by `issue`, read by `verify`. Times are POSIX seconds."""

    version: int
    handle: Handle
    account_key: PublicKey
    device_key: PublicKey
    device_id: DeviceId
    serial: Uint63
    """Grows with every certificate of the account; a rejoin needs a higher one than the leaf it replaces."""
    issued: Uint63
    expires: Uint63
    signature: Signature

    def encode(self) -> bytes:
        """The canonical bytes, as `verify` takes them."""
        return encode(self)


class Revocation(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """All certificates of the account with a serial below `minimum_serial` are withdrawn."""

    account_key: PublicKey
    minimum_serial: Uint63
    signature: Signature

    def encode(self) -> bytes:
        """The canonical bytes, as `verify_revocation` takes them."""
        return encode(self)


def issue(
    account: AccountKey,
    *,
    handle: str,
    device_key: bytes,
    device_id: bytes,
    serial: int,
    issued: int,
    expires: int,
) -> DeviceCertificate:
    """A certificate for a device's public key; `serial` must be above every earlier one of this account."""
    fields = (
        CERTIFICATE_VERSION,
        require_handle(handle),
        account.public,
        device_key,
        device_id,
        serial,
        issued,
        expires,
    )
    certificate = DeviceCertificate(*fields, labels.sign(account, Purpose.DEVICE_CERTIFICATE, *fields))
    return verify(certificate.encode())  # what others would refuse is never handed out


def verify(
    data: bytes, now: int | None = None, *, recorded: Callable[[bytes], bytes | None] | None = None
) -> DeviceCertificate:
    """The certificate in `data` if its account signed it and, where `now` is given, it is in force.

    Raises MalformedError, SignatureError or ExpiredError. MLS validity never depends on a clock (RFC 9420
    leaves lifetimes to whoever adds), so `now` is given only when adding a device or logging in.
    `recorded` returns the certificate that was verified for a device earlier: the signature of the very same bytes
    is not verified again, which is a third of a relay's work at each login.
    """
    if len(data) > MAX_CERTIFICATE:
        raise MalformedError("not a device certificate of this version")
    certificate = decode_exact(DeviceCertificate, data, "device certificate")
    if certificate.version != CERTIFICATE_VERSION:
        raise MalformedError(f"device certificate version {certificate.version} is not known here")
    if certificate.expires <= certificate.issued:
        raise MalformedError("a device certificate that expires before it is issued")
    if recorded is None or recorded(certificate.device_id) != data:
        *fields, signature = msgspec.structs.astuple(certificate)
        labels.verify(certificate.account_key, Purpose.DEVICE_CERTIFICATE, signature, *fields)
    if now is not None and not certificate.issued <= now < certificate.expires:
        state = "not valid yet" if now < certificate.issued else "expired"
        raise ExpiredError(f"the device certificate of {certificate.handle} is {state}; is the clock right?")
    return certificate


def revoke(account: AccountKey, minimum_serial: int) -> Revocation:
    """Withdraws every certificate of the account with a lower serial."""
    fields = (account.public, minimum_serial)
    return Revocation(*fields, labels.sign(account, Purpose.REVOCATION, *fields))


def verify_revocation(data: bytes) -> Revocation:
    """The revocation in `data` if its account signed it; raises MalformedError or SignatureError."""
    revocation = decode_exact(Revocation, data, "revocation")
    labels.verify(
        revocation.account_key,
        Purpose.REVOCATION,
        revocation.signature,
        revocation.account_key,
        revocation.minimum_serial,
    )
    return revocation


def require_not_revoked(certificate: DeviceCertificate, revocation: Revocation) -> None:
    """Raises RevokedError if this revocation is of the same account and covers the certificate."""
    if certificate.account_key == revocation.account_key and certificate.serial < revocation.minimum_serial:
        raise RevokedError(f"{certificate.handle} has withdrawn this device")
