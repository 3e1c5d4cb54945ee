"""The application's say over identities: the Authentication Service of RFC 9420 §5.3.1."""

from typing import Protocol

from secure_chat.mls.credential.credential import Credential

__all__ = ["CredentialPolicy"]


class CredentialPolicy(Protocol):
    """Decides which credentials are believed; each method returns to accept and raises ValidationError to refuse.

    There is no default: a group without a policy would authenticate nobody. The MLS core itself checks that an
    X.509 credential's end-entity key is the leaf's signature key; chain, names and validity are the policy's part.
    The answers must depend on the arguments alone, or members that should agree on a commit would not.
    """

    def validate(self, credential: Credential, signature_key: bytes) -> None:
        """A new credential enters the group, or stands in a group that is being joined (§5.3.1)."""

    def validate_successor(self, old: Credential, new: Credential) -> None:
        """A member replaces `old` by `new`, which `validate` has accepted (§5.3.1)."""

    def validate_external_sender(self, credential: Credential, signature_key: bytes) -> None:
        """The group's `external_senders` extension names this sender (§5.3.1, §12.1.8.1)."""
