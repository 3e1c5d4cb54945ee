"""PrivateMessage: padding, framing and the two ways to the same bytes (RFC 9420 §6.3)."""

import os
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_chat.mls.crypto.suite import CipherSuite, SignaturePrivateKey
from secure_chat.mls.errors import CryptoError, DecodeError, SecretConsumedError
from secure_chat.mls.messages.content import AuthenticatedContent, ContentType, FramedContent, Sender, SenderType
from secure_chat.mls.messages.envelope import MLSMessage
from secure_chat.mls.messages.private import PrivateChannel, PrivateMessage, padded_length
from secure_chat.mls.messages.proposals import Remove
from secure_chat.mls.registry import ProtocolVersion, WireFormat
from secure_chat.mls.schedule.group_context import GroupContext
from secure_chat.mls.schedule.secret_tree import SecretTree
from tests.mls.suites import ALL_SUITES, FAST


def channel(suite: CipherSuite = FAST, epoch: int = 7) -> PrivateChannel:
    """One of two equal ends."""
    context = GroupContext(ProtocolVersion.mls10, suite.number, b"group", epoch, b"tree", b"transcript", ())
    secret = bytes(suite.hash_length)
    return PrivateChannel(suite, context, secret, SecretTree(suite, b"\x01" * suite.hash_length, 4, 100))


def message(data: bytes) -> PrivateMessage:
    body = MLSMessage.decode(data).body
    assert isinstance(body, PrivateMessage)
    return body


@pytest.mark.parametrize("suite", ALL_SUITES, ids=lambda suite: suite.name)
def test_the_short_way_equals_the_long_way(suite: CipherSuite) -> None:
    """Application data written without the intermediate structures decode to them, and the other way round."""
    key = SignaturePrivateKey.generate(suite)
    sender, receiver = channel(suite), channel(suite)
    quick = sender.protect_application(2, key, b"data", b"header")
    content, _ = receiver.unprotect(message(quick))
    assert content.content == FramedContent(b"group", 7, Sender(SenderType.member, 2), b"header", b"data")
    content.verify_signature(suite, key.public, sender.context)
    framed = FramedContent(b"group", 7, Sender(SenderType.member, 1), b"more", b"other data")
    signed = AuthenticatedContent.sign(WireFormat.mls_private_message, framed, sender.context, key)
    slow = sender.protect(signed)
    assert slow.startswith(receiver.application_header)
    unsealed = receiver.unseal_application(slow)
    data, to_be_signed, signature = receiver.split_application(unsealed)
    assert (data, unsealed.leaf_index, unsealed.authenticated_data) == (b"other data", 1, b"more")
    assert signature == signed.auth.signature
    suite.signature.public_key(key.public)
    again, _ = receiver.unprotect(message(slow))
    assert again.encoded == signed.encoded
    assert to_be_signed.endswith(signed.encoded[-12:] + sender.context)


def test_a_proposal_round_trips() -> None:
    """Handshake messages come back with the bytes that were signed."""
    key = SignaturePrivateKey.generate(FAST)
    sender = channel()
    framed = FramedContent(b"group", 7, Sender(SenderType.member, 3), b"", Remove(1))
    signed = AuthenticatedContent.sign(WireFormat.mls_private_message, framed, sender.context, key)
    content, found = channel().unprotect(message(sender.protect(signed)))
    assert content == signed
    assert found.generation == 0


@given(st.integers(0, 1 << 20))
def test_buckets_grow_slowly(length: int) -> None:
    """A bucket holds its content, wastes at most half below 4 KiB and 4 KiB above, and few lengths occur."""
    bucket = padded_length(length)
    assert bucket >= max(length, 256)
    assert bucket <= max(256, 2 * length)
    assert bucket - length < 4096
    assert padded_length(bucket) == bucket


def test_short_messages_look_alike() -> None:
    """Everything that fits the smallest bucket has one length on the wire."""
    key = SignaturePrivateKey.generate(FAST)
    sender = channel()
    assert len({len(sender.protect_application(0, key, bytes(size), b"")) for size in (0, 1, 50, 180)}) == 1


def test_the_reuse_guard_differs() -> None:
    """§6.3.1: the same message under the same key gives another ciphertext each time."""
    key = SignaturePrivateKey.generate(FAST)
    assert channel().protect_application(0, key, b"x", b"") != channel().protect_application(0, key, b"x", b"")


@pytest.mark.parametrize("field", ["authenticated_data", "encrypted_sender_data", "ciphertext"])
def test_every_field_is_authenticated(field: str) -> None:
    """§6.3: a changed field cannot be opened."""
    key = SignaturePrivateKey.generate(FAST)
    sent = message(channel().protect_application(0, key, b"x", b"header"))
    value = bytearray(getattr(sent, field))
    value[-1] ^= 1
    with pytest.raises(CryptoError):
        channel().unprotect(replace(sent, **{field: bytes(value)}))  # type: ignore[arg-type]


def test_another_epoch_has_other_keys() -> None:
    """§6.3: the epoch is authenticated."""
    key = SignaturePrivateKey.generate(FAST)
    sent = message(channel(epoch=7).protect_application(0, key, b"x", b""))
    with pytest.raises(CryptoError):
        channel(epoch=8).unprotect(sent)


def test_sender_data_of_a_wrong_length() -> None:
    """§6.3.2: leaf index, generation and reuse guard, nothing more."""
    sender = channel()
    ciphertext = os.urandom(64)
    key, nonce = sender.sender_data_keys(ciphertext)
    sealed = FAST.aead(key).encrypt(nonce, bytes(13), sender._aads[ContentType.application])
    with pytest.raises(DecodeError, match="sender data"):
        channel().unseal(ContentType.application, b"", sealed, ciphertext)


def test_a_short_ciphertext_is_its_own_sample() -> None:
    """§6.3.2: shorter than KDF.Nh, all of it is used; it just is no message."""
    sender = channel()
    ciphertext = b"short"
    key, nonce = sender.sender_data_keys(ciphertext)
    data = bytes(12)
    sealed = FAST.aead(key).encrypt(nonce, data, sender._aads[ContentType.application])
    with pytest.raises(CryptoError):
        channel().unseal(ContentType.application, b"", sealed, ciphertext)


def test_a_key_serves_once() -> None:
    """§9.2: after consuming, the same message cannot be opened."""
    key = SignaturePrivateKey.generate(FAST)
    receiver = channel()
    sent = message(channel().protect_application(0, key, b"x", b""))
    for _ in range(2):
        _, found = receiver.unprotect(sent)
    receiver.secret_tree.consume(found)
    with pytest.raises(SecretConsumedError):
        receiver.unprotect(sent)
