"""The key schedule: from one epoch's init secret to the next epoch's secrets (RFC 9420 §8).

::

    init_secret[n-1], commit_secret, GroupContext[n]  →  joiner_secret
    joiner_secret, psk_secret                         →  member_secret  →  welcome_secret
    member_secret, GroupContext[n]                    →  epoch_secret   →  EpochSecrets
"""

from dataclasses import dataclass, replace

from secure_chat.mls.crypto.labels import derive_secret, expand_with_label, extract
from secure_chat.mls.crypto.secret import Secret
from secure_chat.mls.crypto.suite import CipherSuite, HPKEPrivateKey

__all__ = [
    "EpochSecrets",
    "joiner_secret",
    "member_secret",
    "open_external_init",
    "seal_external_init",
    "welcome_key_and_nonce",
    "welcome_secret",
]

_EXTERNAL_INIT_LABEL = b"MLS 1.0 external init secret"


def joiner_secret(suite: CipherSuite, init_secret: bytes, commit_secret: bytes, group_context: bytes) -> Secret:
    """What a joiner gets in its Welcome; `group_context` is the new epoch's, encoded."""
    return expand_with_label(
        suite, extract(suite, init_secret, commit_secret), "joiner", group_context, suite.hash_length
    )


def member_secret(suite: CipherSuite, joiner: bytes, psk: bytes) -> Secret:
    """The unnamed intermediate secret of §8's diagram, from which welcome and epoch secrets come."""
    return extract(suite, joiner, psk)


def welcome_secret(suite: CipherSuite, member: bytes) -> Secret:
    """The secret that protects the GroupInfo in a Welcome."""
    return derive_secret(suite, member, "welcome")


def welcome_key_and_nonce(suite: CipherSuite, welcome: bytes) -> tuple[Secret, Secret]:
    """§12.4.3.1: AEAD key and nonce for the GroupInfo in a Welcome."""
    return (
        expand_with_label(suite, welcome, "key", b"", suite.key_length),
        expand_with_label(suite, welcome, "nonce", b"", suite.nonce_length),
    )


def seal_external_init(suite: CipherSuite, external_pub: bytes) -> tuple[bytes, Secret]:
    """§8.3, the joiner's side: the `kem_output` to send and the init secret."""
    return suite.hpke.setup_export_sender(external_pub, _EXTERNAL_INIT_LABEL, suite.hash_length)


def open_external_init(suite: CipherSuite, external_secret: bytes, kem_output: bytes) -> Secret:
    """§8.3, the members' side: the init secret; CryptoError if `kem_output` is none."""
    private_key = HPKEPrivateKey.derive_key_pair(suite, external_secret)
    return suite.hpke.setup_export_receiver(private_key, kem_output, _EXTERNAL_INIT_LABEL, suite.hash_length)


@dataclass(frozen=True, slots=True)
class EpochSecrets:
    """§8, Table 4: everything derived from one epoch secret, which is not kept."""

    sender_data_secret: Secret
    encryption_secret: Secret
    exporter_secret: Secret
    external_secret: Secret
    confirmation_key: Secret
    membership_key: Secret
    resumption_psk: Secret
    epoch_authenticator: Secret
    init_secret: Secret

    @classmethod
    def of_member_secret(cls, suite: CipherSuite, member: bytes, group_context: bytes) -> "EpochSecrets":
        """The secrets of the epoch that `group_context` (encoded) describes."""
        return cls.of_epoch_secret(suite, expand_with_label(suite, member, "epoch", group_context, suite.hash_length))

    @classmethod
    def of_epoch_secret(cls, suite: CipherSuite, epoch_secret: bytes) -> "EpochSecrets":
        """The secrets derived from an epoch secret; a group's creator draws that at random (§11)."""
        return cls(
            sender_data_secret=derive_secret(suite, epoch_secret, "sender data"),
            encryption_secret=derive_secret(suite, epoch_secret, "encryption"),
            exporter_secret=derive_secret(suite, epoch_secret, "exporter"),
            external_secret=derive_secret(suite, epoch_secret, "external"),
            confirmation_key=derive_secret(suite, epoch_secret, "confirm"),
            membership_key=derive_secret(suite, epoch_secret, "membership"),
            resumption_psk=derive_secret(suite, epoch_secret, "resumption"),
            epoch_authenticator=derive_secret(suite, epoch_secret, "authentication"),
            init_secret=derive_secret(suite, epoch_secret, "init"),
        )

    def without_encryption_secret(self) -> "EpochSecrets":
        """For keeping: the secret tree owns that secret and deletes it once consumed (§9.2)."""
        return replace(self, encryption_secret=Secret(b""))

    def external_key(self, suite: CipherSuite) -> HPKEPrivateKey:
        """§8: the key pair that the whole group holds; its public half is the `external_pub`."""
        return HPKEPrivateKey.derive_key_pair(suite, self.external_secret)

    def confirmation_tag(self, suite: CipherSuite, confirmed_transcript_hash: bytes) -> bytes:
        """§6.1."""
        return suite.mac(self.confirmation_key, confirmed_transcript_hash)

    def export(self, suite: CipherSuite, label: str, context: bytes, length: int) -> Secret:
        """§8.5 MLS-Exporter."""
        derived = derive_secret(suite, self.exporter_secret, label)
        return expand_with_label(suite, derived, "exported", suite.hash(context), length)
