"""The key schedule (RFC 9420 §8); the values themselves are checked by the official vectors."""

import pytest

from secure_chat.mls.crypto.suite import SUITES, CipherSuite
from secure_chat.mls.errors import CryptoError
from secure_chat.mls.schedule.epoch import (
    EpochSecrets,
    joiner_secret,
    member_secret,
    open_external_init,
    seal_external_init,
    welcome_key_and_nonce,
    welcome_secret,
)

ALL = pytest.mark.parametrize("suite", SUITES.values(), ids=lambda suite: suite.name)


def secrets(suite: CipherSuite, context: bytes = b"context") -> EpochSecrets:
    joiner = joiner_secret(suite, b"init", b"commit", context)
    return EpochSecrets.of_member_secret(suite, member_secret(suite, joiner, b"psk"), context)


@ALL
def test_secrets_depend_on_the_context(suite: CipherSuite) -> None:
    """Two contexts share no secret, and no two secrets of an epoch are equal."""
    one, two = secrets(suite, b"one"), secrets(suite, b"two")
    names = EpochSecrets.__dataclass_fields__
    values = {bytes(getattr(epoch, name)) for epoch in (one, two) for name in names}
    assert len(values) == 2 * len(names)


@ALL
def test_external_init_reaches_the_same_secret(suite: CipherSuite) -> None:
    """§8.3: the joiner's and the members' init secret agree."""
    epoch = secrets(suite)
    kem_output, sent = seal_external_init(suite, epoch.external_key(suite).public)
    assert open_external_init(suite, epoch.external_secret, kem_output) == sent


def test_a_malformed_kem_output_is_refused() -> None:
    """§8.3: a KEM output of the wrong size cannot be opened."""
    suite = SUITES[3]
    with pytest.raises(CryptoError):
        open_external_init(suite, secrets(suite).external_secret, b"short")


def test_welcome_keys_have_the_suites_sizes() -> None:
    """§12.4.3.1: key and nonce fit the AEAD."""
    suite = SUITES[5]
    key, nonce = welcome_key_and_nonce(suite, welcome_secret(suite, member_secret(suite, b"joiner", b"")))
    assert (len(key), len(nonce)) == (32, 12)


def test_exports_differ_by_label_context_and_length() -> None:
    """§8.5: each of the three separates exported secrets."""
    suite, epoch = SUITES[3], secrets(SUITES[3])
    exported = {
        bytes(epoch.export(suite, label, context, length))
        for label in ("a", "b")
        for context in (b"", b"x")
        for length in (16, 32, 100)
    }
    assert len(exported) == 12
    assert {len(value) for value in exported} == {16, 32, 100}


def test_the_encryption_secret_is_not_kept() -> None:
    """§9.2: the secret tree is its only holder."""
    epoch = secrets(SUITES[3])
    kept = epoch.without_encryption_secret()
    assert kept.encryption_secret == b""
    assert kept.exporter_secret == epoch.exporter_secret


def test_secrets_are_never_printed() -> None:
    """No secret byte shows in the repr."""
    epoch = secrets(SUITES[3])
    text = repr(epoch)
    for name in EpochSecrets.__dataclass_fields__:
        assert repr(bytes(getattr(epoch, name))) not in text
        assert getattr(epoch, name).hex() not in text
