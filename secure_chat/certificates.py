"""The relay's own certificate authority and server certificate: made, renewed, pinned, checked.

A folder holds four files. `ca-key.pem` and `server-key.pem` are secret (0600) and never leave the machine; clients pin
the SHA-256 of the CA's public key, so the server certificate may change while the CA stays. ECDSA P-256 throughout,
which every TLS 1.3 implementation has (RFC 8446 §9.1).

Times are POSIX seconds and are arguments. Errors::

    CertificateError
        HostError             a name or address that no certificate can carry
        FilesExistError       keys are there and would be overwritten
        FilesMissingError     a file that is needed is not there
        FilesDamagedError     a file can't be read, or the files don't belong together
"""

import base64
import contextlib
import hashlib
import ipaddress
import os
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from secure_chat.errors import SecureChatError

__all__ = [
    "CA_DAYS",
    "DEFAULT_HOSTS",
    "LEAF_DAYS",
    "MAX_LEAF_DAYS",
    "CertificateError",
    "CertificateFiles",
    "FilesDamagedError",
    "FilesExistError",
    "FilesMissingError",
    "HostError",
    "ServerCertificate",
    "ensure",
    "format_pin",
    "generate",
    "load",
    "pin",
    "renew",
    "renewal_reason",
]

LEAF_DAYS = 89
"""Lifetime of a server certificate: below the 90 days that scanners and policies ask for."""
MAX_LEAF_DAYS = 397
"""Longest lifetime on request; operating systems refuse longer ones."""
CA_DAYS = 3650
"""Ten years: the CA is pinned in every client, so replacing it means new invite links."""
DEFAULT_HOSTS = ("localhost", "127.0.0.1", "::1")

_DAY = 86_400
_BACKDATED = 3_600
"""A client's clock may be an hour behind."""
_HOST_NAME = re.compile(
    r"(?=.{1,253}\Z)(\*\.)?[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*"
)


class CertificateError(SecureChatError):
    """Something is wrong with the certificate files or what was asked of them."""


class HostError(CertificateError):
    """A name or address that no certificate can carry."""


class FilesExistError(CertificateError):
    """Keys are there and would be overwritten."""


class FilesMissingError(CertificateError):
    """A file that is needed is not there."""


class FilesDamagedError(CertificateError):
    """A file can't be read, or the files don't belong together."""


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """The four files of a folder."""

    folder: Path

    @property
    def ca(self) -> Path:
        """The CA certificate: public, for clients."""
        return self.folder / "ca.pem"

    @property
    def ca_key(self) -> Path:
        """The CA's private key: needed only to renew."""
        return self.folder / "ca-key.pem"

    @property
    def server(self) -> Path:
        """The server's certificate: public."""
        return self.folder / "server.pem"

    @property
    def server_key(self) -> Path:
        """The server's private key."""
        return self.folder / "server-key.pem"

    def all(self) -> tuple[Path, ...]:
        return (self.ca, self.ca_key, self.server, self.server_key)


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """A server certificate and its CA as loaded from a folder, checked to belong together."""

    files: CertificateFiles
    ca: x509.Certificate
    leaf: x509.Certificate

    @property
    def hosts(self) -> tuple[str, ...]:
        """Names and addresses the certificate is good for."""
        return _hosts_of(self.leaf)

    @property
    def pin(self) -> bytes:
        return pin(self.ca)

    @property
    def expires(self) -> int:
        """POSIX seconds."""
        return int(self.leaf.not_valid_after_utc.timestamp())

    @property
    def ca_expires(self) -> int:
        """POSIX seconds."""
        return int(self.ca.not_valid_after_utc.timestamp())


def pin(certificate: x509.Certificate) -> bytes:
    """The SHA-256 of the certificate's SubjectPublicKeyInfo, the form of RFC 7469 §2.4."""
    spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).digest()


def format_pin(value: bytes) -> str:
    """A pin as it stands in invite links: base64url without padding."""
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def generate(
    folder: Path, hosts: Iterable[str], now: int, *, days: int = LEAF_DAYS, force: bool = False
) -> ServerCertificate:
    """A new CA and a server certificate for `hosts`; the folder is made private (0700) if it is not there.

    Raises FilesExistError where keys exist and `force` is False.
    """
    files = CertificateFiles(folder)
    names = _require_hosts(hosts)
    _require_days(days)
    if not force:
        for path in files.all():
            if path.exists():
                raise FilesExistError(f"{path} exists: --renew keeps the CA, --force replaces it and all invite links")
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca = _make_ca(ca_key, now)
    key, leaf = _make_leaf(ca, ca_key, names, now, days)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(files.ca_key, _key_pem(ca_key), secret=True)
    _write(files.ca, ca.public_bytes(Encoding.PEM), secret=False)
    return _write_leaf(files, ca, key, leaf)


def renew(folder: Path, now: int, *, hosts: Iterable[str] | None = None, days: int = LEAF_DAYS) -> ServerCertificate:
    """A new server key and certificate under the same CA, for `hosts` or those of the old certificate."""
    files = CertificateFiles(folder)
    _require_days(days)
    ca = _read_certificate(files.ca)
    ca_key = _read_key(files.ca_key)
    if ca_key.public_key() != ca.public_key():
        raise FilesDamagedError(f"{files.ca_key} is not the key of {files.ca}")
    if now >= ca.not_valid_after_utc.timestamp() - _DAY:
        raise CertificateError(f"the CA in {files.ca} has expired: make a new one with --force and invite anew")
    if now < ca.not_valid_before_utc.timestamp():  # made while the clock was ahead; clients pin its key, which stays
        ca = _make_ca(ca_key, now)
        _write(files.ca, ca.public_bytes(Encoding.PEM), secret=False)
    names = _hosts_of(_read_certificate(files.server)) if hosts is None else _require_hosts(hosts)
    return _write_leaf(files, ca, *_make_leaf(ca, ca_key, names, now, days))


def load(folder: Path) -> ServerCertificate:
    """The certificate in a folder; raises FilesMissingError, or FilesDamagedError where they don't fit together."""
    files = CertificateFiles(folder)
    ca = _read_certificate(files.ca)
    leaf = _read_certificate(files.server)
    key = _read_key(files.server_key)
    if key.public_key() != leaf.public_key():
        raise FilesDamagedError(f"{files.server_key} is not the key of {files.server}")
    try:
        leaf.verify_directly_issued_by(ca)
    except (ValueError, TypeError, InvalidSignature):
        raise FilesDamagedError(f"{files.server} was not issued by {files.ca}") from None
    return ServerCertificate(files, ca, leaf)


def renewal_reason(certificate: ServerCertificate, hosts: Iterable[str], now: int) -> str | None:
    """Why the certificate should be renewed, in words for a log; None while it need not be."""
    missing = [host for host in _require_hosts(hosts) if host not in certificate.hosts]
    if missing:
        return f"the certificate lacks {', '.join(missing)}"
    issued = certificate.leaf.not_valid_before_utc.timestamp()
    if now < max(issued, certificate.ca.not_valid_before_utc.timestamp()):
        return "it is not valid yet: the clock was ahead when it was made"
    if certificate.expires - now < (certificate.expires - issued) / 3:
        return "less than a third of the certificate's lifetime is left"
    return None


def ensure(folder: Path, hosts: Iterable[str], now: int) -> tuple[ServerCertificate, str | None]:
    """The folder's certificate, made or renewed where needed, and what was done about it (None: nothing).

    A crash between writing key and certificate leaves a pair that does not fit: it is reissued here. A CA key alone is
    what a crash in the first run leaves: nobody has seen it, so it is replaced.
    """
    files = CertificateFiles(folder)
    names = _require_hosts(hosts)
    if not any(path.exists() for path in (files.ca, files.server, files.server_key)):
        return generate(folder, names, now, force=True), "made a certificate authority and a server certificate"
    try:
        certificate = load(folder)
        reason = renewal_reason(certificate, names, now)
        if reason is None:
            return certificate, None
        if not files.ca_key.exists():
            return certificate, f"{reason}, but {files.ca_key} is not here: renew with --renew where it is kept"
    except (FilesDamagedError, FilesMissingError) as error:
        reason = str(error)
    return renew(folder, now, hosts=names), f"renewed the server certificate: {reason}"


def _make_ca(key: ec.EllipticCurvePrivateKey, now: int) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"secure-chat CA {secrets.token_hex(4)}")])
    public = key.public_key()
    usage = _key_usage(certificates=True)
    return (
        x509.CertificateBuilder(name, name, public, x509.random_serial_number())
        .not_valid_before(_time(now - _BACKDATED))
        .not_valid_after(_time(now - _BACKDATED + CA_DAYS * _DAY))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )


def _make_leaf(
    ca: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
    hosts: tuple[str, ...],
    now: int,
    days: int,
) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key()
    start = now - _BACKDATED
    end = min(start + days * _DAY, int(ca.not_valid_after_utc.timestamp()))
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "secure-chat server")])
    leaf = (
        x509.CertificateBuilder(ca.subject, subject, public, x509.random_serial_number())
        .not_valid_before(_time(start))
        .not_valid_after(_time(end))
        .add_extension(x509.SubjectAlternativeName([_general_name(host) for host in hosts]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    return key, leaf


def _write_leaf(
    files: CertificateFiles, ca: x509.Certificate, key: ec.EllipticCurvePrivateKey, leaf: x509.Certificate
) -> ServerCertificate:
    _write(files.server_key, _key_pem(key), secret=True)
    _write(files.server, leaf.public_bytes(Encoding.PEM), secret=False)
    return ServerCertificate(files, ca, leaf)


def _key_usage(*, certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certificates,
        crl_sign=certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _require_hosts(hosts: Iterable[str]) -> tuple[str, ...]:
    """Each host once, in its normal form and the order given."""
    found: dict[str, None] = {}
    for host in hosts:
        text = host.strip().lower().removeprefix("[").removesuffix("]").removesuffix(".")
        try:
            found[str(ipaddress.ip_address(text))] = None
            continue
        except ValueError:
            pass
        if not _HOST_NAME.fullmatch(text) or text.rsplit(".", 1)[-1].isdigit():
            raise HostError(f"{host!r} is neither a host name nor an IP address (give it without port or scheme)")
        found[text] = None
    if not found:
        raise HostError("a certificate needs at least one host")
    return tuple(found)


def _require_days(days: int) -> None:
    if not 1 <= days <= MAX_LEAF_DAYS:
        raise CertificateError(f"a server certificate lasts 1 to {MAX_LEAF_DAYS} days, not {days}")


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _hosts_of(leaf: x509.Certificate) -> tuple[str, ...]:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(str(name.value) for name in names if isinstance(name, x509.DNSName | x509.IPAddress))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise FilesMissingError(f"{path} is missing") from None
    except OSError as error:
        raise FilesDamagedError(f"{path} can't be read: {error.strerror}") from None


def _read_certificate(path: Path) -> x509.Certificate:
    data = _read(path)
    try:
        return x509.load_pem_x509_certificate(data)
    except ValueError:
        raise FilesDamagedError(f"{path} is no certificate in PEM form") from None


def _read_key(path: Path) -> ec.EllipticCurvePrivateKey:
    data = _read(path)
    try:
        key = load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise FilesDamagedError(f"{path} is no unencrypted private key in PEM form") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise FilesDamagedError(f"{path} is no ECDSA key; secure-chat's own certificates use P-256")
    return key


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _write(path: Path, data: bytes, *, secret: bool) -> None:
    """Replaces a file at once and durably; a secret one is never readable by others, not even for a moment."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if secret else 0o644)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
