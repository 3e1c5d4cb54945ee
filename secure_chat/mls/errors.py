"""The error tree of the MLS core, split by blame.

::

    MLSError
        DecodeError             the bytes are not what RFC 9420 §2.1 and the structures allow
        ValidationError         well-formed, but a rule of the RFC forbids it (message cites the section)
            UnsupportedError    allowed by the RFC, but not by this group's or our own capabilities
            WrongGroupError     for another group
            WrongEpochError     for an epoch this member does not hold (too old, or not reached yet)
        CryptoError             a signature, MAC, AEAD or HPKE check failed
        SecretConsumedError     the key for this generation is already used or out of the window (§9.2)
        UsageError              the caller asked for something that this state does not allow
        StorageError            stored rows are missing, damaged or of an unknown format version

No message ever contains secret bytes.
"""

from secure_chat.errors import SecureChatError

__all__ = [
    "CryptoError",
    "DecodeError",
    "MLSError",
    "SecretConsumedError",
    "StorageError",
    "UnsupportedError",
    "UsageError",
    "ValidationError",
    "WrongEpochError",
    "WrongGroupError",
]


class MLSError(SecureChatError):
    """Root of everything the MLS core raises."""


class DecodeError(MLSError):
    """Malformed bytes: the sender's or the store's fault."""


class ValidationError(MLSError):
    """A rule of RFC 9420 forbids this; the message names the section."""


class UnsupportedError(ValidationError):
    """A suite, version, credential, extension or proposal type that is not supported here."""


class WrongGroupError(ValidationError):
    """A message for another group; nothing proves that it is one."""


class WrongEpochError(ValidationError):
    """A message for an epoch that this member does not hold."""

    def __init__(self, message: str, *, ahead: bool = False) -> None:
        super().__init__(message)
        self.ahead = ahead
        """It claims an epoch that this member has not reached; nothing proves the claim."""


class CryptoError(MLSError):
    """A signature, MAC, AEAD tag or HPKE opening failed."""


class SecretConsumedError(MLSError):
    """The message key was consumed before, or its generation lies outside the window (§9.2)."""


class UsageError(MLSError):
    """The caller's mistake: this state does not allow the operation."""


class StorageError(MLSError):
    """Stored rows are missing, damaged or of an unknown format version."""
