"""PrivateMessage: authenticated and encrypted, the sender included (RFC 9420 §6.3).

Plaintexts are padded with zeros to size buckets (§15.1): the next power of two from 256 bytes to 4 KiB, above that the
next multiple of 4 KiB. An outsider thus sees at most one of a handful of lengths for ordinary chat messages.
"""

import os
from dataclasses import dataclass
from typing import Annotated, NamedTuple

from secure_chat.mls.codec import OPAQUE, UINT64, EnumCodec, Reader, Struct, encode_opaque, encode_varint
from secure_chat.mls.crypto.labels import sign_with_label
from secure_chat.mls.crypto.suite import CipherSuite, SignaturePrivateKey
from secure_chat.mls.errors import DecodeError
from secure_chat.mls.messages.content import (
    SIGNATURE_LABEL,
    AuthenticatedContent,
    ContentType,
    FramedContent,
    FramedContentAuthData,
    Sender,
    SenderType,
    read_content,
    write_content,
)
from secure_chat.mls.registry import ProtocolVersion, WireFormat
from secure_chat.mls.schedule.group_context import GroupContext
from secure_chat.mls.schedule.secret_tree import APPLICATION, HANDSHAKE, MessageKey, SecretTree

__all__ = ["PrivateChannel", "PrivateMessage", "Unsealed", "padded_length"]

SMALLEST_BUCKET = 256
"""Holds a signed chat message of some 180 bytes."""
LARGEST_STEP = 4096
"""Above this, doubling would waste more than it hides."""

_FRONT = ProtocolVersion.mls10.to_bytes(2, "big") + WireFormat.mls_private_message.to_bytes(2, "big")


@dataclass(frozen=True, slots=True)
class PrivateMessage(Struct):
    """§6.3."""

    group_id: Annotated[bytes, OPAQUE]
    epoch: Annotated[int, UINT64]
    content_type: Annotated[ContentType, EnumCodec(ContentType, 1)]
    authenticated_data: Annotated[bytes, OPAQUE]
    encrypted_sender_data: Annotated[bytes, OPAQUE]
    ciphertext: Annotated[bytes, OPAQUE]


class Unsealed(NamedTuple):
    """What a PrivateMessage held. Its signature is not verified yet, its key not consumed."""

    leaf_index: int
    key: MessageKey
    content_type: ContentType
    authenticated_data: bytes
    plaintext: bytes


def padded_length(length: int) -> int:
    """The bucket of a plaintext of `length` bytes."""
    if length <= SMALLEST_BUCKET:
        return SMALLEST_BUCKET
    if length <= LARGEST_STEP:
        return 1 << (length - 1).bit_length()
    return -(-length // LARGEST_STEP) * LARGEST_STEP


class PrivateChannel:
    """One epoch's PrivateMessages, both directions.

    All that is constant for the epoch is encoded once, since every message needs it. `context` is the epoch's
    GroupContext, `secret_tree` gives the keys.
    """

    __slots__ = (
        "_aads",
        "_key_label",
        "_nonce_label",
        "_sample",
        "_sender_data_secret",
        "_signed_front",
        "application_header",
        "context",
        "epoch",
        "secret_tree",
        "suite",
    )

    def __init__(
        self, suite: CipherSuite, context: GroupContext, sender_data_secret: bytes, secret_tree: SecretTree
    ) -> None:
        place = encode_opaque(context.group_id) + context.epoch.to_bytes(8, "big")
        self.suite = suite
        self.epoch = context.epoch
        self.context = context.encode()
        self.application_header = _FRONT + place + bytes([ContentType.application])
        self.secret_tree = secret_tree
        self._sender_data_secret = sender_data_secret
        self._sample = suite.hash_length
        self._aads = {number: place + bytes([number]) for number in ContentType}
        self._key_label = _label("key", suite.key_length)
        self._nonce_label = _label("nonce", suite.nonce_length)
        self._signed_front = _FRONT + place + bytes([SenderType.member])

    def seal(self, content_type: ContentType, leaf_index: int, authenticated_data: bytes, plaintext: bytes) -> bytes:
        """An MLSMessage with the encoded content and auth data `plaintext`, under the sender's next key."""
        suite = self.suite
        kind = APPLICATION if content_type == ContentType.application else HANDSHAKE
        key = self.secret_tree.next_key(leaf_index, kind)
        guard = os.urandom(4)
        aad = self._aads[content_type]
        opaque_data = encode_opaque(authenticated_data)
        ciphertext = suite.aead(key.key).encrypt(
            _guarded(key.nonce, guard),
            plaintext.ljust(padded_length(len(plaintext)), b"\0"),
            aad + opaque_data,
        )
        sender_key, sender_nonce = self.sender_data_keys(ciphertext)
        sender_data = leaf_index.to_bytes(4, "big") + key.generation.to_bytes(4, "big") + guard
        sealed = suite.aead(sender_key).encrypt(sender_nonce, sender_data, aad)
        return b"".join((_FRONT, aad, opaque_data, encode_opaque(sealed), encode_varint(len(ciphertext)), ciphertext))

    def unseal(
        self,
        content_type: ContentType,
        authenticated_data: bytes,
        encrypted_sender_data: bytes,
        ciphertext: bytes,
    ) -> Unsealed:
        """Decrypt; CryptoError, DecodeError or SecretConsumedError.

        The caller checks that the leaf is not blank (§6.3.2), verifies the signature, and only then consumes the key.
        """
        suite = self.suite
        aad = self._aads[content_type]
        sender_key, sender_nonce = self.sender_data_keys(ciphertext)
        sender_data = suite.aead(sender_key).decrypt(sender_nonce, encrypted_sender_data, aad)
        if len(sender_data) != 12:
            raise DecodeError("sender data of a wrong length (§6.3.2)")
        leaf_index = int.from_bytes(sender_data[:4], "big")
        kind = APPLICATION if content_type == ContentType.application else HANDSHAKE
        key = self.secret_tree.find(leaf_index, kind, int.from_bytes(sender_data[4:8], "big"))
        plaintext = suite.aead(key.key).decrypt(
            _guarded(key.nonce, sender_data[8:]), ciphertext, aad + encode_opaque(authenticated_data)
        )
        return Unsealed(leaf_index, key, content_type, authenticated_data, plaintext)

    # Handshake messages, through the structures of §6.

    def protect(self, content: AuthenticatedContent) -> bytes:
        """An MLSMessage with a member's signed content."""
        out = bytearray()
        write_content(content.content.content, out)
        content.auth.write(out)
        framed = content.content
        return self.seal(framed.content_type, framed.sender.index, framed.authenticated_data, bytes(out))

    def unprotect(self, message: PrivateMessage) -> tuple[AuthenticatedContent, MessageKey]:
        """The content, its signature not yet verified, and the key to consume once it is."""
        unsealed = self.unseal(
            message.content_type, message.authenticated_data, message.encrypted_sender_data, message.ciphertext
        )
        plaintext = unsealed.plaintext
        reader = Reader(plaintext)
        content = read_content(message.content_type, reader)
        encoded_content = plaintext[: reader.position]
        auth = FramedContentAuthData.read_for(message.content_type, reader)
        check_padding(plaintext, reader.position)
        sender = Sender(SenderType.member, unsealed.leaf_index)
        framed = FramedContent(message.group_id, message.epoch, sender, message.authenticated_data, content)
        encoded = (
            self._signed_front[4:]
            + unsealed.leaf_index.to_bytes(4, "big")
            + encode_opaque(message.authenticated_data)
            + bytes([message.content_type])
            + encoded_content
        )
        return AuthenticatedContent(WireFormat.mls_private_message, framed, auth, encoded), unsealed.key

    # Application messages: the same bytes without the intermediate structures, since these are the many.

    def protect_application(
        self, leaf_index: int, key: SignaturePrivateKey, data: bytes, authenticated_data: bytes
    ) -> bytes:
        """An MLSMessage with application data, signed by the member at `leaf_index`."""
        content = encode_opaque(data)
        signature = sign_with_label(
            key, SIGNATURE_LABEL, self._signed_application(leaf_index, authenticated_data, content)
        )
        return self.seal(ContentType.application, leaf_index, authenticated_data, content + encode_opaque(signature))

    def unseal_application(self, message: bytes) -> Unsealed:
        """Decrypt an MLSMessage that starts with `application_header`; errors as of `unseal`."""
        reader = Reader(message, len(self.application_header))
        authenticated_data, sender_data, ciphertext = reader.opaque(), reader.opaque(), reader.opaque()
        reader.finish()
        return self.unseal(ContentType.application, authenticated_data, sender_data, ciphertext)

    def split_application(self, unsealed: Unsealed) -> tuple[bytes, bytes, bytes]:
        """Application data, the bytes its signature covers (FramedContentTBS), and the signature."""
        plaintext = unsealed.plaintext
        reader = Reader(plaintext)
        data = reader.opaque()
        content = plaintext[: reader.position]
        signature = reader.opaque()
        check_padding(plaintext, reader.position)
        return data, self._signed_application(unsealed.leaf_index, unsealed.authenticated_data, content), signature

    # Private helpers.

    def _signed_application(self, leaf_index: int, authenticated_data: bytes, content: bytes) -> bytes:
        """§6.1 FramedContentTBS of application data; `content` is the encoded `application_data`."""
        return b"".join(
            (
                self._signed_front,
                leaf_index.to_bytes(4, "big"),
                encode_opaque(authenticated_data),
                b"\x01",
                content,
                self.context,
            )
        )

    def sender_data_keys(self, ciphertext: bytes) -> tuple[bytes, bytes]:
        """§6.3.2: key and nonce from a sample of the ciphertext."""
        suite = self.suite
        context = encode_opaque(ciphertext[: self._sample]) + b"\x01"
        mac, secret = suite.mac, self._sender_data_secret
        return (
            mac(secret, self._key_label + context)[: suite.key_length],
            mac(secret, self._nonce_label + context)[: suite.nonce_length],
        )


def check_padding(plaintext: bytes, start: int) -> None:
    """§6.3.1: padding is all zero, or the message is malformed."""
    if plaintext.count(b"\0", start) != len(plaintext) - start:
        raise DecodeError("padding that is not zero (§6.3.1)")


def _guarded(nonce: bytes, guard: bytes) -> bytes:
    """§6.3.1: the reuse guard, XORed into the first four bytes."""
    front = int.from_bytes(nonce[:4], "big") ^ int.from_bytes(guard, "big")
    return front.to_bytes(4, "big") + nonce[4:]


def _label(label: str, length: int) -> bytes:
    """KDFLabel (§8) up to its context; all lengths here are of one HKDF block."""
    return length.to_bytes(2, "big") + encode_opaque(b"MLS 1.0 " + label.encode())
