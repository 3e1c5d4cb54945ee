"""Credentials (RFC 9420 §5.3): who a leaf claims to be; whether that is true is for the application's policy."""

from dataclasses import dataclass
from typing import Annotated

from secure_chat.mls.codec import OPAQUE, UINT16, Codec, Reader, Struct, Variant, Vector
from secure_chat.mls.errors import ValidationError
from secure_chat.mls.registry import CredentialType

__all__ = [
    "CREDENTIAL",
    "BasicCredential",
    "Credential",
    "UnknownCredential",
    "X509Credential",
    "check_certificate_key",
]


@dataclass(frozen=True, slots=True)
class BasicCredential(Struct):
    """A bare identity, in a format of the application's."""

    identity: Annotated[bytes, OPAQUE]

    @property
    def credential_type(self) -> int:
        """The number in the credential registry (§17.5)."""
        return CredentialType.basic


@dataclass(frozen=True, slots=True)
class X509Credential(Struct):
    """A chain of DER certificates, end entity first."""

    certificates: Annotated[tuple[bytes, ...], Vector(OPAQUE)]

    @property
    def credential_type(self) -> int:
        """The number in the credential registry (§17.5)."""
        return CredentialType.x509


@dataclass(frozen=True, slots=True)
class UnknownCredential(Struct):
    """A credential of a type without a row here, carried as the `opaque<V>` that all known extensions of §5.3 use."""

    credential_type: int
    data: Annotated[bytes, OPAQUE]


Credential = BasicCredential | X509Credential | UnknownCredential


def _read_unknown(credential_type: int, reader: Reader) -> UnknownCredential:
    return UnknownCredential(credential_type, reader.opaque())


def _unknown_type(credential: Struct) -> int:
    assert isinstance(credential, UnknownCredential)
    return credential.credential_type


CREDENTIAL: Codec[Credential] = Variant(
    UINT16,
    {CredentialType.basic: BasicCredential, CredentialType.x509: X509Credential},
    unknown=_read_unknown,
    unknown_tag=_unknown_type,
)
"""`Credential` on the wire."""


def check_certificate_key(credential: Credential, signature_key: bytes) -> None:
    """§5.3: an X.509 credential's end-entity key is the signature key; ValidationError otherwise.

    Other kinds pass: binding their identity to the key is the policy's part.
    """
    if not isinstance(credential, X509Credential):
        return
    if not credential.certificates:
        raise ValidationError("X.509 credential without a certificate (RFC 9420 §5.3)")
    if _public_key(credential.certificates[0]) != signature_key:
        raise ValidationError("the certificate's key is not the signature key (RFC 9420 §5.3)")


def _public_key(certificate: bytes) -> bytes:
    """The end-entity key in the form of §5.1.1."""
    # Loaded here: it takes a fifth of a client's start, and no client of this application has such a credential.
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    try:
        key = x509.load_der_x509_certificate(certificate).public_key()
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion):
        raise ValidationError("malformed certificate in an X.509 credential (RFC 9420 §5.3)") from None
    if isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        return key.public_bytes_raw()
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    raise ValidationError("certificate with a key that no cipher suite signs with (RFC 9420 §5.3)")
