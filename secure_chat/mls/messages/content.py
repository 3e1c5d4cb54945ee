"""FramedContent and what authenticates it (RFC 9420 §6, §6.1)."""

from dataclasses import dataclass
from enum import IntEnum

from secure_chat.mls.codec import EnumCodec, Reader, Struct, encode_opaque
from secure_chat.mls.crypto.labels import ref_hash, sign_with_label, verify_with_label
from secure_chat.mls.crypto.suite import CipherSuite, SignaturePrivateKey
from secure_chat.mls.errors import DecodeError, ValidationError
from secure_chat.mls.messages.commit import Commit
from secure_chat.mls.messages.proposals import PROPOSAL, Proposal
from secure_chat.mls.registry import ProtocolVersion, WireFormat

__all__ = [
    "AuthenticatedContent",
    "ContentType",
    "FramedContent",
    "FramedContentAuthData",
    "Sender",
    "SenderType",
    "read_content",
    "signed_content",
    "write_content",
]

SIGNATURE_LABEL = "FramedContentTBS"


class ContentType(IntEnum):
    """§6."""

    application = 1
    proposal = 2
    commit = 3


class SenderType(IntEnum):
    """§6."""

    member = 1
    external = 2
    new_member_proposal = 3
    new_member_commit = 4


CONTENT_TYPE = EnumCodec(ContentType, 1)
_SENDER_TYPE = EnumCodec(SenderType, 1)
_WIRE_FORMAT = EnumCodec(WireFormat, 2)
_INDEXED = (SenderType.member, SenderType.external)


@dataclass(frozen=True, slots=True)
class Sender(Struct):
    """§6: `index` is the leaf index of a member, the place in external_senders of an external sender, else 0."""

    sender_type: SenderType
    index: int = 0

    def write(self, out: bytearray) -> None:
        _SENDER_TYPE.write(self.sender_type, out)
        if self.sender_type in _INDEXED:
            out += self.index.to_bytes(4, "big")

    @classmethod
    def read(cls, reader: Reader) -> "Sender":
        sender_type = _SENDER_TYPE.read(reader)
        return cls(sender_type, reader.uint(4) if sender_type in _INDEXED else 0)

    @property
    def in_group_context(self) -> bool:
        """§6.1: whether the GroupContext is part of what such a sender signs."""
        return self.sender_type in (SenderType.member, SenderType.new_member_commit)


def write_content(content: bytes | Proposal | Commit, out: bytearray) -> None:
    """The `select` by content type; application data are plain bytes."""
    if isinstance(content, bytes):
        out += encode_opaque(content)
    elif isinstance(content, Commit):
        content.write(out)
    else:
        PROPOSAL.write(content, out)


def read_content(content_type: ContentType, reader: Reader) -> bytes | Proposal | Commit:
    """The inverse of `write_content`."""
    if content_type is ContentType.application:
        return reader.opaque()
    if content_type is ContentType.commit:
        return Commit.read(reader)
    return PROPOSAL.read(reader)


@dataclass(frozen=True, slots=True)
class FramedContent(Struct):
    """§6: one message's content with its place in the group."""

    group_id: bytes
    epoch: int
    sender: Sender
    authenticated_data: bytes
    content: bytes | Proposal | Commit

    @property
    def content_type(self) -> ContentType:
        """Follows from the content."""
        if isinstance(self.content, bytes):
            return ContentType.application
        return ContentType.commit if isinstance(self.content, Commit) else ContentType.proposal

    def write(self, out: bytearray) -> None:
        out += encode_opaque(self.group_id)
        out += self.epoch.to_bytes(8, "big")
        self.sender.write(out)
        out += encode_opaque(self.authenticated_data)
        CONTENT_TYPE.write(self.content_type, out)
        write_content(self.content, out)

    @classmethod
    def read(cls, reader: Reader) -> "FramedContent":
        group_id = reader.opaque()
        epoch = reader.uint(8)
        sender = Sender.read(reader)
        authenticated_data = reader.opaque()
        content_type = CONTENT_TYPE.read(reader)
        return cls(group_id, epoch, sender, authenticated_data, read_content(content_type, reader))


@dataclass(frozen=True, slots=True)
class FramedContentAuthData(Struct):
    """§6.1: the signature and, for commits, the confirmation tag."""

    signature: bytes
    confirmation_tag: bytes | None

    def write(self, out: bytearray) -> None:
        out += encode_opaque(self.signature)
        if self.confirmation_tag is not None:
            out += encode_opaque(self.confirmation_tag)

    @classmethod
    def read_for(cls, content_type: ContentType, reader: Reader) -> "FramedContentAuthData":
        """What follows content of this type."""
        signature = reader.opaque()
        return cls(signature, reader.opaque() if content_type is ContentType.commit else None)


@dataclass(frozen=True, slots=True)
class AuthenticatedContent:
    """§6: content, its signature, and the wire format that the signature covers.

    `encoded` is the FramedContent as it was sent or will be sent: hashes, MACs and signatures are over these bytes.
    """

    wire_format: WireFormat
    content: FramedContent
    auth: FramedContentAuthData
    encoded: bytes

    @classmethod
    def sign(
        cls,
        wire_format: WireFormat,
        content: FramedContent,
        group_context: bytes,
        key: SignaturePrivateKey,
    ) -> "AuthenticatedContent":
        """Sign content; a commit's confirmation tag comes later, see `with_confirmation_tag`.

        `group_context` is the encoded GroupContext of the epoch the content is sent in; from senders outside the
        group it is not signed.
        """
        encoded = content.encode()
        context = group_context if content.sender.in_group_context else b""
        signature = sign_with_label(key, SIGNATURE_LABEL, signed_content(wire_format, encoded, context))
        signed = cls(wire_format, content, FramedContentAuthData(signature, None), encoded)
        signed._check_sender()
        return signed

    def verify_signature(self, suite: CipherSuite, public_key: bytes, group_context: bytes) -> None:
        """Return if such a sender may send this and the signature is this key's; ValidationError or CryptoError."""
        self._check_sender()
        context = group_context if self.content.sender.in_group_context else b""
        verify_with_label(
            suite,
            public_key,
            SIGNATURE_LABEL,
            signed_content(self.wire_format, self.encoded, context),
            self.auth.signature,
        )

    def _check_sender(self) -> None:
        """§6, §6.1: which content may come from whom, and how."""
        sender, content = self.content.sender.sender_type, self.content.content
        if isinstance(content, bytes):
            if self.wire_format is not WireFormat.mls_private_message:
                raise ValidationError("application data in a PublicMessage (RFC 9420 §6)")
            allowed = sender is SenderType.member
        elif isinstance(content, Commit):
            allowed = sender in (SenderType.member, SenderType.new_member_commit)
        else:
            allowed = sender is not SenderType.new_member_commit
        if not allowed:
            raise ValidationError(f"a {sender.name} sender must not send this content (RFC 9420 §6.1)")

    def with_confirmation_tag(self, confirmation_tag: bytes) -> "AuthenticatedContent":
        """A commit with its tag."""
        auth = FramedContentAuthData(self.auth.signature, confirmation_tag)
        return AuthenticatedContent(self.wire_format, self.content, auth, self.encoded)

    def encode(self) -> bytes:
        """§6 AuthenticatedContent."""
        return self.wire_format.to_bytes(2, "big") + self.encoded + self.auth.encode()

    @classmethod
    def decode(cls, data: bytes) -> "AuthenticatedContent":
        """The inverse of `encode`; DecodeError or ValidationError."""
        reader = Reader(data)
        wire_format = _WIRE_FORMAT.read(reader)
        if wire_format not in (WireFormat.mls_public_message, WireFormat.mls_private_message):
            raise DecodeError(f"{wire_format.name} carries no FramedContent (§6)")
        start = reader.position
        content = FramedContent.read(reader)
        encoded = data[start : reader.position]
        auth = FramedContentAuthData.read_for(content.content_type, reader)
        reader.finish()
        return cls(wire_format, content, auth, encoded)

    def proposal_reference(self, suite: CipherSuite) -> bytes:
        """§5.2 MakeProposalRef."""
        return ref_hash(suite, "MLS 1.0 Proposal Reference", self.encode())


def signed_content(wire_format: WireFormat, encoded_content: bytes, group_context: bytes) -> bytes:
    """§6.1 FramedContentTBS; `group_context` empty for senders outside the group."""
    front = ProtocolVersion.mls10.to_bytes(2, "big") + wire_format.to_bytes(2, "big")
    return front + encoded_content + group_context
