"""Pre-shared keys (RFC 9420 §8.4); the values themselves are checked by the official vectors."""

import pytest

from secure_chat.mls.crypto.labels import expand_with_label, extract
from secure_chat.mls.crypto.suite import SUITES
from secure_chat.mls.errors import DecodeError
from secure_chat.mls.schedule.psk import (
    ExternalPSK,
    PreSharedKeyID,
    PSKLabel,
    ResumptionPSK,
    ResumptionPSKUsage,
    psk_secret,
)

SUITE = SUITES[1]
EXTERNAL = PreSharedKeyID(ExternalPSK(b"name"), b"\x01" * 32)
RESUMPTION = PreSharedKeyID(ResumptionPSK(ResumptionPSKUsage.branch, b"group", 7), b"\x02" * 32)


@pytest.mark.parametrize("psk_id", [EXTERNAL, RESUMPTION])
def test_ids_round_trip(psk_id: PreSharedKeyID) -> None:
    """Both kinds of PreSharedKeyID survive encoding."""
    assert PreSharedKeyID.decode(psk_id.encode()) == psk_id


def test_ids_have_the_wire_form_of_the_rfc() -> None:
    """type, usage, group, epoch, nonce, in this order."""
    assert RESUMPTION.encode() == b"\x02\x03\x05group" + (7).to_bytes(8, "big") + b"\x20" + b"\x02" * 32


@pytest.mark.parametrize("data", [b"\x00\x01x\x00", b"\x03\x01x\x00", b"\x02\x04\x00" + bytes(8) + b"\x00"])
def test_unknown_types_and_usages_are_malformed(data: bytes) -> None:
    """Reserved and unknown numbers are refused."""
    with pytest.raises(DecodeError):
        PreSharedKeyID.decode(data)


def test_no_psk_is_all_zero() -> None:
    """Without PSKs the secret is the zero vector."""
    assert psk_secret(SUITE, []) == bytes(32)


def test_order_matters() -> None:
    """The same keys in another order give another secret."""
    one, two = (EXTERNAL, b"a" * 32), (RESUMPTION, b"b" * 32)
    assert psk_secret(SUITE, [one, two]) != psk_secret(SUITE, [two, one])


def test_chain_follows_the_rfc() -> None:
    """One key: extract, expand with its label, extract with the zero secret."""
    extracted = extract(SUITE, bytes(32), b"key")
    expected = extract(
        SUITE,
        expand_with_label(SUITE, extracted, "derived psk", PSKLabel(EXTERNAL, 0, 1).encode(), 32),
        bytes(32),
    )
    assert psk_secret(SUITE, [(EXTERNAL, b"key")]) == expected
