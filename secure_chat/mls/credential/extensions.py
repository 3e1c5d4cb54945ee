"""Extensions and capabilities: RFC 9420 §7.2, §11.1, §12.1.8.1 and §13.4."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated

from secure_chat.mls.codec import OPAQUE, UINT16, UINT64, Numbers, Struct, StructCodec, Vector
from secure_chat.mls.credential.credential import CREDENTIAL, Credential
from secure_chat.mls.errors import DecodeError, ValidationError
from secure_chat.mls.registry import CredentialType, ExtensionType, ProposalType, ProtocolVersion, grease_value

__all__ = [
    "DEFAULT_EXTENSION_TYPES",
    "DEFAULT_PROPOSAL_TYPES",
    "EXTENSIONS",
    "MAX_LIFETIME",
    "Capabilities",
    "Extension",
    "ExternalPub",
    "ExternalSender",
    "ExternalSenders",
    "Lifetime",
    "RequiredCapabilities",
    "check_extension_list",
    "external_senders_of",
    "find_extension",
    "required_capabilities_of",
]

_TYPES = Numbers(UINT16)
MAX_LIFETIME = 400 * 24 * 3600
"""Seconds; §7.2 demands a maximum. A year and a month, so that yearly renewal fits."""
DEFAULT_EXTENSION_TYPES = frozenset(int(kind) for kind in ExtensionType)
"""§7.2: supported by every member without being listed."""
DEFAULT_PROPOSAL_TYPES = frozenset(int(kind) for kind in ProposalType)
"""§7.2: supported by every member without being listed."""


@dataclass(frozen=True, slots=True)
class Extension(Struct):
    """§7.2: a type from an open registry, and data in that type's form."""

    extension_type: Annotated[int, UINT16]
    extension_data: Annotated[bytes, OPAQUE]


EXTENSIONS = Vector(StructCodec(Extension))
"""`Extension extensions<V>`."""


def find_extension(extensions: Iterable[Extension], extension_type: int) -> bytes | None:
    """The data of the extension of this type, None if there is none."""
    for extension in extensions:
        if extension.extension_type == extension_type:
            return extension.extension_data
    return None


def check_extension_list(extensions: tuple[Extension, ...]) -> None:
    """§13.4: no type twice in one list; ValidationError otherwise."""
    if len(extensions) > 1 and len({extension.extension_type for extension in extensions}) != len(extensions):
        raise ValidationError("an extension type appears twice in one list (RFC 9420 §13.4)")


@dataclass(frozen=True, slots=True)
class Lifetime(Struct):
    """§7.2: when a key package's leaf is valid, in POSIX seconds, both ends included."""

    not_before: Annotated[int, UINT64]
    not_after: Annotated[int, UINT64]

    def check(self, now: int, maximum: int = MAX_LIFETIME) -> None:
        """§7.3, §7.2: ValidationError unless `now` lies within and the whole is at most `maximum` seconds."""
        if not self.not_before <= now <= self.not_after:
            raise ValidationError("the leaf's lifetime does not include the present time (RFC 9420 §7.3)")
        if self.not_after - self.not_before > maximum:
            raise ValidationError(f"the leaf's lifetime exceeds {maximum} seconds (RFC 9420 §7.2)")


@dataclass(frozen=True, slots=True)
class Capabilities(Struct):
    """§7.2: what a client supports, without the default extension and proposal types; unknown values are ignored."""

    versions: Annotated[tuple[int, ...], _TYPES]
    cipher_suites: Annotated[tuple[int, ...], _TYPES]
    extensions: Annotated[tuple[int, ...], _TYPES] = ()
    proposals: Annotated[tuple[int, ...], _TYPES] = ()
    credentials: Annotated[tuple[int, ...], _TYPES] = (CredentialType.basic,)

    @classmethod
    def of(
        cls,
        cipher_suites: Iterable[int],
        *,
        extensions: Iterable[int] = (),
        proposals: Iterable[int] = (),
        credentials: Iterable[int] = (CredentialType.basic,),
    ) -> "Capabilities":
        """Capabilities of a client of MLS 1.0; default types are left out, since §7.2 forbids to list them."""
        return cls(
            (ProtocolVersion.mls10,),
            tuple(cipher_suites),
            tuple(kind for kind in extensions if kind not in DEFAULT_EXTENSION_TYPES),
            tuple(kind for kind in proposals if kind not in DEFAULT_PROPOSAL_TYPES),
            tuple(credentials),
        )

    def with_grease(self, choice: int) -> "Capabilities":
        """With a GREASE value in each list that takes one (§13.5), picked by the random number `choice`."""
        return replace(
            self,
            cipher_suites=(*self.cipher_suites, grease_value(choice)),
            extensions=(*self.extensions, grease_value(choice >> 4)),
            proposals=(*self.proposals, grease_value(choice >> 8)),
            credentials=(*self.credentials, grease_value(choice >> 12)),
        )

    def supports_extension(self, extension_type: int) -> bool:
        """Whether the type is a default one or listed."""
        return extension_type in DEFAULT_EXTENSION_TYPES or extension_type in self.extensions

    def supports_proposal(self, proposal_type: int) -> bool:
        """Whether the type is a default one or listed."""
        return proposal_type in DEFAULT_PROPOSAL_TYPES or proposal_type in self.proposals


@dataclass(frozen=True, slots=True)
class RequiredCapabilities(Struct):
    """§11.1: what every member must support; default types need not be listed, credential types must."""

    extension_types: Annotated[tuple[int, ...], _TYPES] = ()
    proposal_types: Annotated[tuple[int, ...], _TYPES] = ()
    credential_types: Annotated[tuple[int, ...], _TYPES] = ()

    def extension(self) -> Extension:
        """As the GroupContext carries it."""
        return Extension(ExtensionType.required_capabilities, self.encode())

    def check(self, capabilities: Capabilities) -> None:
        """§7.3, §11.1: ValidationError unless all is supported."""
        for kind in self.extension_types:
            if not capabilities.supports_extension(kind):
                raise ValidationError(f"required extension type {kind:#06x} is not supported (RFC 9420 §11.1)")
        for kind in self.proposal_types:
            if not capabilities.supports_proposal(kind):
                raise ValidationError(f"required proposal type {kind:#06x} is not supported (RFC 9420 §11.1)")
        for kind in self.credential_types:
            if kind not in capabilities.credentials:
                raise ValidationError(f"required credential type {kind:#06x} is not supported (RFC 9420 §11.1)")


def required_capabilities_of(extensions: Iterable[Extension]) -> RequiredCapabilities | None:
    """The GroupContext's required capabilities; ValidationError if they are malformed."""
    data = find_extension(extensions, ExtensionType.required_capabilities)
    if data is None:
        return None
    try:
        return RequiredCapabilities.decode(data)
    except DecodeError as error:
        raise ValidationError(f"required_capabilities: {error} (RFC 9420 §11.1)") from None


@dataclass(frozen=True, slots=True)
class ExternalSender(Struct):
    """§12.1.8.1: somebody outside the group who may propose."""

    signature_key: Annotated[bytes, OPAQUE]
    credential: Annotated[Credential, CREDENTIAL]


@dataclass(frozen=True, slots=True)
class ExternalSenders(Struct):
    """§12.1.8.1: the `external_senders` extension; a sender is named by its place in this list."""

    senders: Annotated[tuple[ExternalSender, ...], Vector(StructCodec(ExternalSender))]

    def extension(self) -> Extension:
        """As the GroupContext carries it."""
        return Extension(ExtensionType.external_senders, self.encode())


def external_senders_of(extensions: Iterable[Extension]) -> tuple[ExternalSender, ...]:
    """The GroupContext's external senders; ValidationError if they are malformed."""
    data = find_extension(extensions, ExtensionType.external_senders)
    if data is None:
        return ()
    try:
        return ExternalSenders.decode(data).senders
    except DecodeError as error:
        raise ValidationError(f"external_senders: {error} (RFC 9420 §12.1.8.1)") from None


@dataclass(frozen=True, slots=True)
class ExternalPub(Struct):
    """§12.4.3.2: the `external_pub` extension of a GroupInfo."""

    external_pub: Annotated[bytes, OPAQUE]

    def extension(self) -> Extension:
        """As the GroupInfo carries it."""
        return Extension(ExtensionType.external_pub, self.encode())
