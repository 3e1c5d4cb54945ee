"""TLS contexts: version 1.3 only (RFC 8446), no resumption, one certificate authority and no other.

Key agreement is X25519, and the post-quantum hybrid X25519MLKEM768 before it where OpenSSL has it (3.5 or newer): chat
content is protected by MLS anyway, this protects who talks to whom.
"""

import contextlib
import hashlib
import ssl
from dataclasses import dataclass
from pathlib import Path

from secure_chat.transport.errors import (
    ContextError,
    HandshakeFailed,
    NotInForce,
    ProtocolRefused,
    WrongAuthority,
    WrongHost,
)

__all__ = [
    "ContextHolder",
    "ServerContext",
    "client_context",
    "groups_offered",
    "handshake_error",
    "server_context",
    "unverified_context",
]

_HYBRID_SINCE = (3, 5)
"""The OpenSSL version that brings X25519MLKEM768 and puts it first by default."""

# OpenSSL's X509_V_ERR_… numbers, which `ssl` passes on without names.
_NOT_IN_FORCE = {9: "is not valid yet; is this computer's clock right?", 10: "has expired; the operator renews it"}
_WRONG_HOST = {62, 64}


@dataclass(frozen=True, slots=True)
class ServerContext:
    """A context and the certificate it presents: a login signs the hash of the very one its connection saw."""

    context: ssl.SSLContext
    certificate_hash: bytes
    """SHA-256 of the server certificate's DER."""


class ContextHolder:
    """The server context in force. `reload` swaps it; connections made before keep the one they began with."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Loads the files; raises ContextError."""
        self._certificate = certificate
        self._key = key
        self._seen = self._stamp()
        self.current = server_context(certificate, key)
        """Read once per connection: the attribute is replaced as a whole, from any thread."""

    def reload(self, *, force: bool = False) -> bool:
        """Takes the files up again where they have changed; True if a new context is in force.

        Raises ContextError for files that can't be used (half written, say) and keeps the old context; the next call
        tries again.
        """
        stamp = self._stamp()
        if stamp == self._seen and not force:
            return False
        self.current = server_context(self._certificate, self._key)
        self._seen = stamp
        return True

    def _stamp(self) -> tuple[tuple[int, int, int], ...]:
        try:
            found = [path.stat() for path in (self._certificate, self._key)]
        except OSError as error:
            raise ContextError(f"{error.filename}: {error.strerror}") from None
        return tuple((stat.st_mtime_ns, stat.st_size, stat.st_ino) for stat in found)


def server_context(certificate: Path, key: Path) -> ServerContext:
    """A server context for PEM files (the leaf first, then its chain); raises ContextError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _harden(context)
    context.num_tickets = 0  # resumption is not used, and a ticket costs 15 % of a handshake
    try:
        before = certificate.read_bytes()
        context.load_cert_chain(certificate, key, password=_no_password)
        if certificate.read_bytes() != before:
            raise ContextError(f"{certificate} changed while it was read; try again")
        der = ssl.PEM_cert_to_DER_cert(_first_certificate(before))
    except ssl.SSLError as error:
        reason = (error.reason or "not readable").lower().replace("_", " ")
        raise ContextError(f"{certificate} and {key} are no certificate and key that fit: {reason}") from None
    except OSError as error:
        raise ContextError(f"{error.filename or certificate}: {error.strerror}") from None
    except ValueError:
        raise ContextError(f"{certificate} contains no certificate in PEM form") from None
    return ServerContext(context, hashlib.sha256(der).digest())


def client_context(ca_pem: str | None) -> ssl.SSLContext:
    """A client context that accepts certificates of this one CA, or with None of the system's public CAs.

    The host is always checked. Raises ContextError for a CA that can't be read.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _harden(context)
    if ca_pem is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
        return context
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    try:
        context.load_verify_locations(cadata=ca_pem)
    except (ssl.SSLError, ValueError):
        raise ContextError("the stored CA certificate is damaged; join again with an invite link") from None
    return context


def unverified_context() -> ssl.SSLContext:
    """For first contact alone, where the CA is only being fetched and nothing else is said (`bootstrap`)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _harden(context)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def groups_offered() -> str:
    """The key agreement groups of this Python's TLS, in words for a report."""
    if ssl.OPENSSL_VERSION_INFO[:2] >= _HYBRID_SINCE:
        return "X25519MLKEM768, X25519"
    return f"X25519 ({ssl.OPENSSL_VERSION.rsplit(' ', 3)[0]} has no post-quantum group)"


def handshake_error(error: ssl.SSLError, peer: str) -> HandshakeFailed:
    """The typed error for a failed handshake with `peer` (host and port as the user knows them)."""
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in _NOT_IN_FORCE:
            return NotInForce(f"the certificate of {peer} {_NOT_IN_FORCE[error.verify_code]}")
        if error.verify_code in _WRONG_HOST:
            return WrongHost(
                f"the certificate of {peer} is for another name or address; "
                "use the address of the invite link, or let the operator add this one"
            )
        return WrongAuthority(
            f"{peer} shows a certificate of another authority than the one you joined with; "
            "somebody may sit in between: ask the operator, don't go on"
        )
    reason = (error.reason or "failed").lower().replace("_", " ")
    if any(word in reason for word in ("protocol version", "unsupported protocol", "wrong version number")):
        return ProtocolRefused(f"{peer} does not speak TLS 1.3; is it a secure-chat relay, and the right port?")
    return HandshakeFailed(f"TLS handshake with {peer}: {reason}")


def _harden(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.maximum_version = ssl.TLSVersion.TLSv1_3
    hybrid = ssl.OPENSSL_VERSION_INFO[:2] >= _HYBRID_SINCE
    set_groups = getattr(context, "set_groups", None)  # Python 3.15
    if set_groups is not None:
        set_groups("X25519MLKEM768:X25519" if hybrid else "X25519")
    elif not hybrid:
        with contextlib.suppress(ssl.SSLError):  # Python 3.11.2, as Debian 12 has it, can't name it on OpenSSL 3
            context.set_ecdh_curve("X25519")
    # Otherwise OpenSSL's default list stays, of which `ssl` could name only one group. It begins with X25519MLKEM768
    # where that exists, else with X25519: two of this program agree on the same one either way.


def _first_certificate(pem: bytes) -> str:
    end = "-----END CERTIFICATE-----"
    begin = "-----BEGIN CERTIFICATE-----"
    text = pem.decode("ascii")
    start = text.index(begin)
    return text[start : text.index(end, start) + len(end)]


def _no_password() -> str:
    return ""  # an encrypted key is an error to report, never a question on the server's terminal
