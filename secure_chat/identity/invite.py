"""Invite links: all that somebody needs to join, in one line or QR code.

::

    secure-chat://host:port/#v1.<CA>.<token>[.<inviter>]

`CA` is the base64url SHA-256 of the SubjectPublicKeyInfo of the relay's CA (43 characters), or the word
``system`` for a public CA; `token` is a one-time secret of 16 bytes, likewise (22 characters); `inviter` is the
inviting account's fingerprint. All that is secret or trusted stands behind the ``#``, which nothing that follows
links sends on.
"""

import base64
import binascii
import ipaddress
import re
from dataclasses import dataclass

from secure_chat.identity.errors import InviteLinkError

__all__ = ["DEFAULT_PORT", "SCHEME", "TOKEN_BYTES", "InviteLink", "encode_token", "format_address", "parse_address"]

SCHEME = "secure-chat"
DEFAULT_PORT = 7443
"""TCP port of a relay when none is given; unassigned by IANA for anything widespread, no privilege needed."""
TOKEN_BYTES = 16
"""128 bits: a token cannot be guessed whatever the relay's rate limits."""

_HASH_BYTES = 32
_MAX_LINK = 1024
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.ASCII)


@dataclass(frozen=True, slots=True)
class InviteLink:
    """A parsed link. `ca_pin` is None for a public CA of the system's store; `inviter` None for the
    operator's own.
    """

    host: str
    port: int
    ca_pin: bytes | None
    token: str
    """As it stands in the link and goes to the relay."""
    inviter: bytes | None = None

    def __str__(self) -> str:
        """The link as people pass it on; it contains the token, so it is as secret as an invitation."""
        fields = ["v1", "system" if self.ca_pin is None else _text(self.ca_pin), self.token]
        if self.inviter is not None:
            fields.append(_text(self.inviter))
        return f"{SCHEME}://{format_address(self.host, self.port)}/#{'.'.join(fields)}"

    def __repr__(self) -> str:
        return f"<InviteLink {format_address(self.host, self.port)}>"

    @classmethod
    def parse(cls, text: str) -> "InviteLink":
        """The link in `text`; raises InviteLinkError, one line that never repeats the token."""
        text = text.strip()
        if len(text) > _MAX_LINK:
            raise InviteLinkError(f"invite link: longer than any real one ({_MAX_LINK} characters)")
        scheme, separator, rest = text.partition("://")
        if not separator or scheme.lower() != SCHEME:
            raise InviteLinkError(f"invite link: it starts with {SCHEME}://")
        authority, separator, fragment = rest.partition("#")
        if not separator or not fragment:
            raise InviteLinkError("invite link: the part after # is missing; put the link in quotes and copy all of it")
        authority = authority.removesuffix("/")
        if any(character in authority for character in "/?@"):
            raise InviteLinkError("invite link: between // and /# stands only host:port")
        host, port = parse_address(authority)
        version, *fields = fragment.split(".")
        if version != "v1":
            raise InviteLinkError("invite link: made for another version of secure-chat; update to use it")
        if len(fields) not in (2, 3):
            raise InviteLinkError("invite link: it was cut or has something added; copy all of it")
        ca_pin = None if fields[0] == "system" else _bytes(fields[0], _HASH_BYTES, "CA")
        _bytes(fields[1], TOKEN_BYTES, "token")
        inviter = _bytes(fields[2], _HASH_BYTES, "inviter") if len(fields) == 3 else None
        return cls(host, port, ca_pin, fields[1], inviter)


def encode_token(random: bytes) -> str:
    """The token made of `TOKEN_BYTES` random bytes."""
    if len(random) != TOKEN_BYTES:
        raise ValueError(f"a token has {TOKEN_BYTES} bytes")
    return _text(random)


def parse_address(text: str, default_port: int = DEFAULT_PORT) -> tuple[str, int]:
    """Host and port of ``host``, ``host:port``, ``[v6]`` or ``[v6]:port``; raises InviteLinkError."""
    if text.startswith("["):
        host, separator, rest = text[1:].partition("]")
        if not separator or (rest and not rest.startswith(":")):
            raise InviteLinkError("address: an IPv6 address stands in brackets, as in [fd00::1]:7443")
        port_text = rest[1:] if rest else None
        try:
            host = str(ipaddress.IPv6Address(host))
        except ValueError:
            raise InviteLinkError("address: between the brackets stands no IPv6 address") from None
    else:
        host, separator, rest = text.partition(":")
        port_text = rest if separator else None
        if ":" in rest:
            raise InviteLinkError("address: an IPv6 address stands in brackets, as in [fd00::1]:7443")
        host = _require_host(host)
    if port_text is None:
        return host, default_port
    if not (port_text.isascii() and port_text.isdigit() and len(port_text) <= 5 and 0 < int(port_text) < 65536):
        raise InviteLinkError("address: the port is a number from 1 to 65535")
    return host, int(port_text)


def format_address(host: str, port: int) -> str:
    """``host:port`` with brackets around IPv6, as `parse_address` reads it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _require_host(host: str) -> str:
    host = host.lower()
    labels = host.removesuffix(".").split(".")
    if labels[-1].isdigit():  # a name never ends in a number, so this is meant as IPv4
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError:
            raise InviteLinkError("address: this is neither a host name nor an IPv4 address") from None
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise InviteLinkError("address: this is no host name; other scripts go in their xn-- form")
    return host


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _bytes(text: str, length: int, name: str) -> bytes:
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if len(data) != length or _text(data) != text:  # one form only: no spare bits, no padding
        raise InviteLinkError(f"invite link: its {name} part is damaged; copy all of it again")
    return data
