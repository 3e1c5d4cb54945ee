"""What can go wrong below the wire protocol.

::

    TransportError
        ListenError          the address can't be listened on, or descriptors ran out: the operator mends it
        ConnectionLost       the peer or the network ended the connection
        HandshakeFailed      TLS found no common ground with the peer, or its certificate is not accepted
"""

from secure_chat.errors import SecureChatError

__all__ = ["ConnectionLost", "HandshakeFailed", "ListenError", "TransportError"]


class TransportError(SecureChatError):
    """Root of the errors of sockets and TLS."""


class ListenError(TransportError):
    """The address can't be listened on, or descriptors ran out."""


class ConnectionLost(TransportError):
    """The peer or the network ended the connection."""


class HandshakeFailed(TransportError):
    """TLS found no common ground with the peer, or a certificate is not accepted."""
