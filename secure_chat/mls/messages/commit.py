"""Commit: the proposals that end an epoch, and the committer's new path (RFC 9420 §12.4)."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated

from secure_chat.mls.codec import OPAQUE, EnumCodec, Optional, Reader, Struct, StructCodec, Vector
from secure_chat.mls.messages.proposals import PROPOSAL, Proposal
from secure_chat.mls.tree.update_path import UpdatePath

__all__ = ["Commit", "ProposalRef"]


class ProposalOrRefType(IntEnum):
    """§12.4."""

    proposal = 1
    reference = 2


@dataclass(frozen=True, slots=True)
class ProposalRef(Struct):
    """The hash of the AuthenticatedContent that carried a proposal (§5.2)."""

    reference: Annotated[bytes, OPAQUE]


class _ProposalOrRef:
    """§12.4 ProposalOrRef; a proposal by value stands for itself."""

    _type = EnumCodec(ProposalOrRefType, 1)

    def write(self, value: Proposal | ProposalRef, out: bytearray) -> None:
        if isinstance(value, ProposalRef):
            self._type.write(ProposalOrRefType.reference, out)
            value.write(out)
        else:
            self._type.write(ProposalOrRefType.proposal, out)
            PROPOSAL.write(value, out)

    def read(self, reader: Reader) -> Proposal | ProposalRef:
        if self._type.read(reader) is ProposalOrRefType.reference:
            return ProposalRef.read(reader)
        return PROPOSAL.read(reader)


@dataclass(frozen=True, slots=True)
class Commit(Struct):
    """§12.4."""

    proposals: Annotated[tuple[Proposal | ProposalRef, ...], Vector(_ProposalOrRef())]
    path: Annotated[UpdatePath | None, Optional(StructCodec(UpdatePath))]
