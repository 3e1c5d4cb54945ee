"""What an MLS basic credential (RFC 9420 §5.3) carries: a device certificate and the directory's word.

::

    [version, certificate (bytes), signature of the directory binding]

The binding's handle and account key are those of the certificate, so only its signature is carried.
"""

import hashlib
from dataclasses import dataclass

import msgspec

from secure_chat.identity import binding as bindings
from secure_chat.identity import certificate as certificates
from secure_chat.identity.binding import DirectoryBinding
from secure_chat.identity.certificate import DeviceCertificate
from secure_chat.identity.encoding import Signature, decode_exact, encode
from secure_chat.identity.errors import MalformedError, SuccessorError

__all__ = [
    "CREDENTIAL_VERSION",
    "MAX_CREDENTIAL",
    "Identity",
    "account_fingerprint",
    "encode_credential",
    "require_successor",
    "short_fingerprint",
    "verify_credential",
]

CREDENTIAL_VERSION = 1
MAX_CREDENTIAL = 384
"""No credential of this version is longer, in bytes."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who holds a leaf, checked: the account vouches for the device, the directory for the handle."""

    certificate: DeviceCertificate
    binding: DirectoryBinding

    @property
    def handle(self) -> str:
        return self.certificate.handle

    @property
    def account_key(self) -> bytes:
        return self.certificate.account_key

    @property
    def device_key(self) -> bytes:
        """The only signature key that a leaf with this identity may have."""
        return self.certificate.device_key

    @property
    def device_id(self) -> bytes:
        return self.certificate.device_id

    @property
    def serial(self) -> int:
        return self.certificate.serial

    @property
    def fingerprint(self) -> bytes:
        return account_fingerprint(self.account_key)


class _Credential(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    version: int
    certificate: bytes
    binding_signature: Signature


def encode_credential(certificate: DeviceCertificate, binding: DirectoryBinding) -> bytes:
    """The identity bytes for a leaf's basic credential; both must be of one handle and account."""
    if (certificate.handle, certificate.account_key) != (binding.handle, binding.account_key):
        raise SuccessorError("the directory binding is of another account than the device certificate")
    return encode(_Credential(CREDENTIAL_VERSION, certificate.encode(), binding.signature))


def verify_credential(data: bytes, directory_key: bytes, now: int | None = None) -> Identity:
    """Who a credential is, once both signatures hold under the pinned directory key.

    `now` as in `certificate.verify`. Raises MalformedError, SignatureError or ExpiredError.
    """
    if len(data) > MAX_CREDENTIAL:
        raise MalformedError("not a credential of this version")
    credential = decode_exact(_Credential, data, "credential")
    if credential.version != CREDENTIAL_VERSION:
        raise MalformedError(f"credential version {credential.version} is not known here")
    certificate = certificates.verify(credential.certificate, now)
    binding = DirectoryBinding(certificate.handle, certificate.account_key, credential.binding_signature)
    bindings.require_signed(binding, directory_key)
    return Identity(certificate, binding)


def require_successor(old: Identity, new: Identity) -> None:
    """Raises SuccessorError unless `new` may take the place of `old` in one leaf (RFC 9420 §5.3.1).

    Handle and account key never change. An update may keep the certificate; a new one has a higher serial, so
    a recorded older one is refused from the tree alone.
    """
    if (old.handle, old.account_key) != (new.handle, new.account_key):
        raise SuccessorError(f"a leaf of {old.handle} may not become another account")
    if new.certificate != old.certificate and new.serial <= old.serial:
        raise SuccessorError(f"a leaf of {old.handle} may not go back to an older device certificate")


def account_fingerprint(account_key: bytes) -> bytes:
    """32 bytes that stand for an account key in links and stores."""
    return hashlib.sha256(b"secure-chat 1 account fingerprint\x00" + account_key).digest()


def short_fingerprint(account_key: bytes) -> str:
    """The first 8 bytes of the fingerprint as four groups, to tell keys apart on a screen (never to verify
    by).
    """
    text = account_fingerprint(account_key)[:8].hex()
    return " ".join(text[i : i + 4] for i in range(0, len(text), 4))
