"""Pre-shared keys and how they enter the key schedule (RFC 9420 §8.4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated

from secure_chat.mls.codec import OPAQUE, UINT16, UINT64, EnumCodec, Struct, StructCodec, Variant
from secure_chat.mls.crypto.labels import expand_with_label, extract
from secure_chat.mls.crypto.secret import Secret
from secure_chat.mls.crypto.suite import CipherSuite

__all__ = ["ExternalPSK", "PSKType", "PreSharedKeyID", "ResumptionPSK", "ResumptionPSKUsage", "psk_secret"]


class PSKType(IntEnum):
    """§8.4."""

    external = 1
    resumption = 2


class ResumptionPSKUsage(IntEnum):
    """§8.4: what a resumption PSK proves membership for."""

    application = 1
    reinit = 2
    branch = 3


@dataclass(frozen=True, slots=True)
class ExternalPSK(Struct):
    """A key that the application provides under a name."""

    psk_id: Annotated[bytes, OPAQUE]


@dataclass(frozen=True, slots=True)
class ResumptionPSK(Struct):
    """The `resumption_psk` of an epoch of this or another group (§8.6)."""

    usage: Annotated[ResumptionPSKUsage, EnumCodec(ResumptionPSKUsage, 1)]
    psk_group_id: Annotated[bytes, OPAQUE]
    psk_epoch: Annotated[int, UINT64]


@dataclass(frozen=True, slots=True)
class PreSharedKeyID(Struct):
    """§8.4: which key, and a nonce that makes each use of it different."""

    psk: Annotated[
        ExternalPSK | ResumptionPSK,
        Variant[ExternalPSK | ResumptionPSK](
            EnumCodec(PSKType, 1), {PSKType.external: ExternalPSK, PSKType.resumption: ResumptionPSK}
        ),
    ]
    psk_nonce: Annotated[bytes, OPAQUE]


@dataclass(frozen=True, slots=True)
class PSKLabel(Struct):
    """§8.4: the context that binds a key to its place in the list."""

    id: Annotated[PreSharedKeyID, StructCodec(PreSharedKeyID)]
    index: Annotated[int, UINT16]
    count: Annotated[int, UINT16]


def psk_secret(suite: CipherSuite, psks: Sequence[tuple[PreSharedKeyID, bytes]]) -> Secret:
    """The keys chained in their order; all-zero when there are none."""
    zero = Secret(bytes(suite.hash_length))
    secret = zero
    for index, (psk_id, psk) in enumerate(psks):
        extracted = extract(suite, zero, psk)
        label = PSKLabel(psk_id, index, len(psks)).encode()
        secret = extract(suite, expand_with_label(suite, extracted, "derived psk", label, suite.hash_length), secret)
    return secret
