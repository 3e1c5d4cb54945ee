"""MLSMessage: the envelope of everything that travels (RFC 9420 §6)."""

from dataclasses import dataclass
from typing import Annotated, TypeAlias

from secure_chat.mls.codec import EnumCodec, Struct, Variant
from secure_chat.mls.messages.key_package import KeyPackage
from secure_chat.mls.messages.private import PrivateMessage
from secure_chat.mls.messages.public import PublicMessage
from secure_chat.mls.messages.welcome import GroupInfo, Welcome
from secure_chat.mls.registry import ProtocolVersion, WireFormat

__all__ = ["MLSMessage", "MLSMessageBody"]

MLSMessageBody: TypeAlias = PublicMessage | PrivateMessage | Welcome | GroupInfo | KeyPackage


@dataclass(frozen=True, slots=True)
class MLSMessage(Struct):
    """§6: version and wire format follow from, and select, the body."""

    version: Annotated[ProtocolVersion, EnumCodec(ProtocolVersion, 2)]
    body: Annotated[
        MLSMessageBody,
        Variant[MLSMessageBody](
            EnumCodec(WireFormat, 2),
            {
                WireFormat.mls_public_message: PublicMessage,
                WireFormat.mls_private_message: PrivateMessage,
                WireFormat.mls_welcome: Welcome,
                WireFormat.mls_group_info: GroupInfo,
                WireFormat.mls_key_package: KeyPackage,
            },
        ),
    ]

    @classmethod
    def of(cls, body: MLSMessageBody) -> "MLSMessage":
        """The envelope around a body, for this protocol version."""
        return cls(ProtocolVersion.mls10, body)
