"""Errors of identity, split by who has to act.

::

    IdentityError
        HandleError               the person: a name that no account may have
        RecoveryCodeError         the person: a recovery code with a typing error
        InviteLinkError           the person: a link that was cut, mistyped or is for another version
        MalformedError            the peer: bytes that are no certificate, binding or credential
        VerificationError         the peer: well-formed, but not true
            SignatureError        the key did not sign this
            ExpiredError          the certificate's time has not come or is over
            RevokedError          the account has withdrawn this device
            SuccessorError        a leaf may not become somebody else
        MismatchError             nobody may be who they seem: a comparison of fingerprints failed
"""

from secure_chat.errors import SecureChatError

__all__ = [
    "ExpiredError",
    "HandleError",
    "IdentityError",
    "InviteLinkError",
    "MalformedError",
    "MismatchError",
    "RecoveryCodeError",
    "RevokedError",
    "SignatureError",
    "SuccessorError",
    "VerificationError",
]


class IdentityError(SecureChatError):
    """Something about who somebody is cannot be accepted."""


class HandleError(IdentityError):
    """The name does not fit the pattern of handles."""


class RecoveryCodeError(IdentityError):
    """The recovery code is not one that secure-chat printed."""


class InviteLinkError(IdentityError):
    """The text is no complete invite link of this version."""


class MalformedError(IdentityError):
    """The bytes are no canonical encoding of the structure expected."""


class VerificationError(IdentityError):
    """A structure decodes, but what it claims does not hold."""


class SignatureError(VerificationError):
    """The signature was not made by this key for this purpose over these fields."""


class ExpiredError(VerificationError):
    """The time given lies outside the validity of the certificate."""


class RevokedError(VerificationError):
    """The certificate's serial lies below the account's minimum."""


class SuccessorError(VerificationError):
    """A credential would replace one of another person, or an older one a newer one."""


class MismatchError(IdentityError):
    """What two people compared is not the same: somebody may sit between them."""
