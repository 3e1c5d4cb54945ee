"""A policy is any object with the three decisions."""

import pytest

from secure_chat.mls.credential.credential import BasicCredential, Credential
from secure_chat.mls.credential.policy import CredentialPolicy
from secure_chat.mls.errors import ValidationError


class Guests:
    """Lets in whoever is on the list."""

    def __init__(self, *names: bytes) -> None:
        self.names = names

    def validate(self, credential: Credential, signature_key: bytes) -> None:
        if not isinstance(credential, BasicCredential) or credential.identity not in self.names:
            raise ValidationError("not on the list")

    def validate_successor(self, old: Credential, new: Credential) -> None:
        if old != new:
            raise ValidationError("somebody else")

    def validate_external_sender(self, credential: Credential, signature_key: bytes) -> None:
        raise ValidationError("nobody from outside")


def test_a_plain_class_is_a_policy() -> None:
    """Accepting is returning, refusing is raising."""
    policy: CredentialPolicy = Guests(b"alice")
    policy.validate(BasicCredential(b"alice"), b"key")
    with pytest.raises(ValidationError):
        policy.validate(BasicCredential(b"mallory"), b"key")
