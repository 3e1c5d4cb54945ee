"""What can go wrong below the wire protocol; every message is one line that says what to do.

::

    TransportError
        ListenError              the address can't be listened on, or descriptors ran out: the operator mends it
        ContextError             certificate or key files that TLS can't use: the operator mends them
        ConnectError             no connection came about: the address, the network or the relay is to be looked at
            NameNotFound
            Refused
            Unreachable
            TimedOut
        ConnectionLost           the peer or the network ended the connection
        HandshakeFailed          TLS found no common ground with the peer
            ProtocolRefused      no TLS 1.3, or no TLS at all
            CertificateRefused   the relay's certificate is not accepted
                WrongAuthority       of another CA than the pinned one
                WrongHost            of the right CA, for another name or address
                NotInForce           expired, or not valid yet
        PinMismatch              the CA that the relay hands out is not the one of the invite link
        LocalError               the local command socket
            NobodyListens        no process owns it
            LocalRefused         the owner does not accept this caller, or broke off
"""

from secure_chat.errors import SecureChatError

__all__ = [
    "CertificateRefused",
    "ConnectError",
    "ConnectionLost",
    "ContextError",
    "HandshakeFailed",
    "ListenError",
    "LocalError",
    "LocalRefused",
    "NameNotFound",
    "NobodyListens",
    "NotInForce",
    "PinMismatch",
    "ProtocolRefused",
    "Refused",
    "TimedOut",
    "TransportError",
    "Unreachable",
    "WrongAuthority",
    "WrongHost",
]


class TransportError(SecureChatError):
    """Root of the errors of sockets and TLS."""


class ListenError(TransportError):
    """The address can't be listened on, or descriptors ran out."""


class ContextError(TransportError):
    """Certificate or key files that TLS can't use."""


class ConnectError(TransportError):
    """No connection came about."""


class NameNotFound(ConnectError):
    """The host name has no address here."""


class Refused(ConnectError):
    """The host answers, but nothing listens on the port."""


class Unreachable(ConnectError):
    """The network has no way to the host."""


class TimedOut(ConnectError):
    """Nothing happened within the deadline."""


class ConnectionLost(TransportError):
    """The peer or the network ended the connection."""


class HandshakeFailed(TransportError):
    """TLS found no common ground with the peer, or a certificate is not accepted."""


class ProtocolRefused(HandshakeFailed):
    """The peer has no TLS 1.3, or speaks something else altogether."""


class CertificateRefused(HandshakeFailed):
    """The relay's certificate is not accepted."""


class WrongAuthority(CertificateRefused):
    """The certificate is of another CA than the pinned one."""


class WrongHost(CertificateRefused):
    """The certificate is of the right CA, but for another name or address."""


class NotInForce(CertificateRefused):
    """The certificate has expired or is not valid yet."""


class PinMismatch(TransportError):
    """The CA that the relay hands out is not the one of the invite link."""


class LocalError(TransportError):
    """The local command socket can't be used."""


class NobodyListens(LocalError):
    """No process owns the local command socket."""


class LocalRefused(LocalError):
    """The owner of the local command socket does not accept this caller, or broke off."""
