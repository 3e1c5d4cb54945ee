"""PublicMessage: authenticated, not encrypted (RFC 9420 §6.2)."""

from dataclasses import dataclass

from secure_chat.mls.codec import Reader, Struct, encode_opaque
from secure_chat.mls.crypto.suite import CipherSuite
from secure_chat.mls.messages.content import (
    AuthenticatedContent,
    FramedContent,
    FramedContentAuthData,
    SenderType,
    signed_content,
)
from secure_chat.mls.registry import WireFormat

__all__ = ["PublicMessage"]


@dataclass(frozen=True, slots=True)
class PublicMessage(Struct):
    """§6.2; nothing in it is verified until `verify_membership` and the signature have been checked."""

    authenticated: AuthenticatedContent
    membership_tag: bytes | None

    @classmethod
    def protect(
        cls, suite: CipherSuite, content: AuthenticatedContent, membership_key: bytes, group_context: bytes
    ) -> "PublicMessage":
        """Content of a member, tagged as such; content from outside the group gets no tag."""
        if content.content.sender.sender_type is not SenderType.member:
            return cls(content, None)
        return cls(content, suite.mac(membership_key, _tagged(content, group_context)))

    def verify_membership(self, suite: CipherSuite, membership_key: bytes, group_context: bytes) -> None:
        """Return if the tag is right, or none is due; CryptoError otherwise."""
        if self.membership_tag is not None:
            suite.verify_mac(membership_key, _tagged(self.authenticated, group_context), self.membership_tag)

    def write(self, out: bytearray) -> None:
        out += self.authenticated.encoded
        self.authenticated.auth.write(out)
        if self.membership_tag is not None:
            out += encode_opaque(self.membership_tag)

    @classmethod
    def read(cls, reader: Reader) -> "PublicMessage":
        start = reader.position
        content = FramedContent.read(reader)
        encoded = reader.data[start : reader.position]
        auth = FramedContentAuthData.read_for(content.content_type, reader)
        tag = reader.opaque() if content.sender.sender_type is SenderType.member else None
        return cls(AuthenticatedContent(WireFormat.mls_public_message, content, auth, encoded), tag)


def _tagged(content: AuthenticatedContent, group_context: bytes) -> bytes:
    """§6.2 AuthenticatedContentTBM."""
    return signed_content(content.wire_format, content.encoded, group_context) + content.auth.encode()
