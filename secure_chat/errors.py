"""The one root of every error that secure-chat raises on purpose.

::

    SecureChatError
        MLSError                 secure_chat.mls.errors: end-to-end encryption (RFC 9420)
        IdentityError            secure_chat.identity.errors: certificates, bindings, links
        WireError                secure_chat.wire.errors: what client and relay say to each other
        TransportError           secure_chat.transport.errors: TLS, sockets, deadlines
        CertificateError         secure_chat.certificates: files of the development CA
        ServerError              secure_chat.server.errors: configuration, storage, administration
        ClientError              secure_chat.client.errors: what a person using the client can mend

Each part splits its branch by blame: who has to act on it. A message is one line that says what to do;
secrets never stand in one.
"""

__all__ = ["SecureChatError", "describe_os_error"]


class SecureChatError(Exception):
    """Root of all errors raised on purpose; anything else that escapes is a bug."""


def describe_os_error(error: OSError) -> str:
    """One line: which file or address, and what the system says about it."""
    what = error.strerror or type(error).__name__
    return f"{error.filename}: {what}" if error.filename else what
