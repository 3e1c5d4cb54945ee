"""The certificate that a relay shows: its own or one that the operator gives, and what is wrong with it."""

from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding

from secure_chat import certificates
from secure_chat.certificates import ServerCertificate
from secure_chat.server.config import Configuration
from secure_chat.server.errors import ConfigurationError

__all__ = ["EXPIRES_SOON", "RelayCertificate", "given_certificate", "own_certificate", "validity_problem"]

EXPIRES_SOON = 30 * 86_400
"""Seconds before its end from which on an operator is told to renew a given certificate."""


@dataclass(frozen=True, slots=True)
class RelayCertificate:
    """Which files TLS uses and what clients pin."""

    certificate: Path
    key: Path
    ca_der: bytes
    """Empty: a public CA."""
    pin: bytes | None
    begins: int
    expires: int
    """POSIX seconds."""
    hosts: tuple[str, ...]
    """Names and addresses that it is good for."""
    own: bool
    """The relay made it and renews it."""


def own_certificate(loaded: ServerCertificate) -> RelayCertificate:
    """One that the relay or `generate_certs.py` made."""
    files = loaded.files
    times = _times(loaded.leaf)
    return RelayCertificate(files.server, files.server_key, _der(loaded.ca), loaded.pin, *times, loaded.hosts, own=True)


def given_certificate(configuration: Configuration) -> RelayCertificate:
    """The operator's files; raises ConfigurationError where they can't be read or don't belong together."""
    files = (Path(configuration.certificate).expanduser(), Path(configuration.key).expanduser())
    leaf, *chain = _read("certificate", configuration.certificate)
    times, hosts = _times(leaf), _names(leaf)
    if not configuration.ca:
        return RelayCertificate(*files, b"", None, *times, hosts, own=False)
    ca = _read("ca", configuration.ca)[0]
    if not _leads_to(leaf, chain, ca):
        raise ConfigurationError(f"certificate: {configuration.certificate} was not issued by ca: {configuration.ca}")
    return RelayCertificate(*files, _der(ca), certificates.pin(ca), *times, hosts, own=False)


def validity_problem(begins: int, expires: int, now: int, *, own: bool) -> tuple[bool, str] | None:
    """Whether clients refuse the certificate already, and why they do or soon will; None while all is well."""
    if now < begins:
        return True, "is not valid yet: a clock is or was wrong"
    if now >= expires:
        return True, f"has expired {_days(now - expires)} ago"
    if not own and expires - now < EXPIRES_SOON:
        return False, f"expires in {_days(expires - now)}"
    return None


def _days(seconds: int) -> str:
    days = seconds // 86_400
    return "less than a day" if days < 1 else "1 day" if days == 1 else f"{days} days"


def _read(name: str, text: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(Path(text).expanduser().read_bytes())
    except OSError as error:
        raise ConfigurationError(f"{name}: {text}: {error.strerror}") from None
    except ValueError:
        raise ConfigurationError(f"{name}: {text} is no certificate in PEM form") from None


def _leads_to(leaf: x509.Certificate, chain: list[x509.Certificate], ca: x509.Certificate) -> bool:
    """Whether each certificate of the file is issued by the next that fits, and the last one by the CA."""
    current, left = leaf, list(chain)
    while not _issued(current, ca):
        issuer = next((candidate for candidate in left if _issued(current, candidate)), None)
        if issuer is None:
            return False
        left.remove(issuer)
        current = issuer
    return True


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _times(leaf: x509.Certificate) -> tuple[int, int]:
    return int(leaf.not_valid_before_utc.timestamp()), int(leaf.not_valid_after_utc.timestamp())


def _names(leaf: x509.Certificate) -> tuple[str, ...]:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return (*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress)))


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)
