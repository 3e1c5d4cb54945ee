"""Proposals: requested changes to a group (RFC 9420 §12.1)."""

from dataclasses import dataclass
from typing import Annotated, TypeAlias

from secure_chat.mls.codec import OPAQUE, UINT16, UINT32, Struct, StructCodec, Variant, Vector
from secure_chat.mls.credential.extensions import Extension
from secure_chat.mls.messages.key_package import KeyPackage
from secure_chat.mls.registry import ProposalType
from secure_chat.mls.schedule.psk import PreSharedKeyID
from secure_chat.mls.tree.leaf_node import LeafNode

__all__ = [
    "PROPOSAL",
    "Add",
    "ExternalInit",
    "GroupContextExtensions",
    "PreSharedKey",
    "Proposal",
    "ReInit",
    "Remove",
    "Update",
    "proposal_type",
]


@dataclass(frozen=True, slots=True)
class Add(Struct):
    """§12.1.1."""

    key_package: Annotated[KeyPackage, StructCodec(KeyPackage)]


@dataclass(frozen=True, slots=True)
class Update(Struct):
    """§12.1.2."""

    leaf_node: Annotated[LeafNode, StructCodec(LeafNode)]


@dataclass(frozen=True, slots=True)
class Remove(Struct):
    """§12.1.3."""

    removed: Annotated[int, UINT32]


@dataclass(frozen=True, slots=True)
class PreSharedKey(Struct):
    """§12.1.4."""

    psk: Annotated[PreSharedKeyID, StructCodec(PreSharedKeyID)]


@dataclass(frozen=True, slots=True)
class ReInit(Struct):
    """§12.1.5; `version` is any number, since a later version of the protocol may be meant."""

    group_id: Annotated[bytes, OPAQUE]
    version: Annotated[int, UINT16]
    cipher_suite: Annotated[int, UINT16]
    extensions: Annotated[tuple[Extension, ...], Vector(StructCodec(Extension))]


@dataclass(frozen=True, slots=True)
class ExternalInit(Struct):
    """§12.1.6."""

    kem_output: Annotated[bytes, OPAQUE]


@dataclass(frozen=True, slots=True)
class GroupContextExtensions(Struct):
    """§12.1.7."""

    extensions: Annotated[tuple[Extension, ...], Vector(StructCodec(Extension))]


Proposal: TypeAlias = Add | Update | Remove | PreSharedKey | ReInit | ExternalInit | GroupContextExtensions

PROPOSAL: Variant[Proposal] = Variant(
    UINT16,
    {
        ProposalType.add: Add,
        ProposalType.update: Update,
        ProposalType.remove: Remove,
        ProposalType.psk: PreSharedKey,
        ProposalType.reinit: ReInit,
        ProposalType.external_init: ExternalInit,
        ProposalType.group_context_extensions: GroupContextExtensions,
    },
)
"""A Proposal with its type. Unknown types cannot be parsed, and no member here supports one (§12.2, §13.2)."""


def proposal_type(proposal: Proposal) -> ProposalType:
    """The registered number of a proposal's type."""
    return ProposalType(PROPOSAL.tag_of[type(proposal)])
