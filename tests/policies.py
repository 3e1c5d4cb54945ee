"""Credential policies that only tests have."""

from secure_chat.mls.credential.credential import Credential

__all__ = ["AcceptAll"]


class AcceptAll:
    """Believes every credential; the package itself offers no such policy."""

    def validate(self, credential: Credential, signature_key: bytes) -> None:
        """Accept."""

    def validate_successor(self, old: Credential, new: Credential) -> None:
        """Accept."""

    def validate_external_sender(self, credential: Credential, signature_key: bytes) -> None:
        """Accept."""
