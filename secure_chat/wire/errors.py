"""Error codes that the relay answers with, and the errors of framing.

::

    WireError
        FrameError         the peer's bytes are no frame or no message of this protocol
        FrameTooLarge      a frame longer than the limit of its state
        RelayError         the relay refused a request; carries `ErrorCode`
"""

from enum import StrEnum

from secure_chat.errors import SecureChatError

__all__ = ["ErrorCode", "FrameError", "FrameTooLarge", "RelayError", "WireError"]


class ErrorCode(StrEnum):
    """Why a request was refused; the text beside it is for people, this is for programs."""

    MALFORMED = "malformed"
    """Not a message of this protocol, or a field out of range; the connection is closed."""
    UNSUPPORTED_VERSION = "unsupported_version"
    """No protocol version in common; the connection is closed."""
    UNEXPECTED = "unexpected"
    """A known message in the wrong state, such as a request before login."""
    UNAUTHENTICATED = "unauthenticated"
    """Certificate, signature or channel binding of a login or registration do not hold."""
    SUSPENDED = "suspended"
    """The operator has suspended this account."""
    REVOKED = "revoked"
    """The account has revoked this device."""
    FORBIDDEN = "forbidden"
    """Not a member, or an action that needs an admin."""
    NOT_FOUND = "not_found"
    """No such channel, account or GroupInfo, or none that this device may see."""
    HANDLE_TAKEN = "handle_taken"
    """Another account key holds this handle."""
    TOKEN_INVALID = "token_invalid"  # noqa: S105
    """The invite token is unknown, used up, expired or revoked."""
    CONFLICT = "conflict"
    """A commit lost the race: `head` is the current one."""
    RESERVED = "reserved"
    """The head is reserved for another device: try again after `retry_after`."""
    STALE = "stale"
    """The entry was encrypted too many commits ago: `head` is the current one; encrypt anew."""
    RATE_LIMITED = "rate_limited"
    """Too many requests: try again after `retry_after`."""
    QUOTA = "quota"
    """A quota of the account, channel or inbox is full."""
    TOO_LARGE = "too_large"
    """Larger than its limit."""
    DISK_FULL = "disk_full"
    """The relay keeps its disk reserve: nothing was written."""
    BUSY = "busy"
    """The relay is at its limit of connections or is shutting down: try again after `retry_after`."""
    INTERNAL = "internal"
    """A bug or a failing disk at the relay: nothing was written."""


class WireError(SecureChatError):
    """Root of what can go wrong between client and relay above TLS."""


class FrameError(WireError):
    """The peer's bytes are no frame or no message of this protocol."""


class FrameTooLarge(FrameError):
    """A frame longer than the limit of its state."""


class RelayError(WireError):
    """The relay refused a request."""

    def __init__(self, code: ErrorCode, message: str, *, retry_after: int = 0, head: int = 0) -> None:
        super().__init__(message)
        self.code = code
        self.retry_after = retry_after
        """Milliseconds; 0 where waiting doesn't help."""
        self.head = head
