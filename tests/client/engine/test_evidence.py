"""Leave notes and revocations as a commit carries them."""

from dataclasses import replace

import pytest

from secure_chat.client.engine.evidence import (
    MAX_NOTES,
    NO_EVIDENCE,
    Evidence,
    EvidenceError,
    LeaveNote,
    encode_notes,
    make_note,
    noted_leaves,
    read_notes,
)
from secure_chat.identity import certificate as certificates
from secure_chat.mls.crypto.suite import SignaturePrivateKey
from tests.client.engine.people import ALICE, BOB, SUITE

CHANNEL = b"channel" + bytes(9)
GROUP = CHANNEL + b"group"


def note() -> LeaveNote:
    return make_note(SignaturePrivateKey.from_bytes(SUITE, ALICE.device.seed), CHANNEL, ALICE.at(0).leaf_key)


def test_evidence_comes_back_as_it_was() -> None:
    """Nothing stands for nothing."""
    evidence = Evidence(revocations=(certificates.revoke(BOB.account, 7).encode(),), notes=(note(),))
    assert Evidence.decode(evidence.encode()) == evidence
    assert NO_EVIDENCE.encode() == b""
    assert Evidence.decode(b"") == NO_EVIDENCE


@pytest.mark.parametrize("data", [b"\xc1", b"because", Evidence(version=2, notes=(note(),)).encode()])
def test_other_data_is_refused(data: bytes) -> None:
    """Malformed, or of a later version."""
    with pytest.raises(EvidenceError):
        Evidence.decode(data)


def test_the_highest_of_several_revocations_counts() -> None:
    """Each by its account."""
    revocations = [certificates.revoke(person.account, serial) for person, serial in ((BOB, 3), (BOB, 7), (ALICE, 1))]
    evidence = Evidence(revocations=tuple(revocation.encode() for revocation in revocations))
    assert evidence.withdrawn() == {BOB.public: 7, ALICE.public: 1}
    with pytest.raises(EvidenceError, match="nobody signed"):
        Evidence(revocations=(b"revoked",)).withdrawn()


def test_a_note_names_its_leaf_and_no_other() -> None:
    """Wherever in the tree, and in whichever of the room's groups: whoever holds that leaf now must have signed it."""
    written = read_notes(encode_notes([note()]))
    assert noted_leaves(written, GROUP, [ALICE.at(0), BOB.at(1)]) == {0}
    assert noted_leaves(written, CHANNEL + b"founded anew", [BOB.at(0), replace(ALICE.at(0), leaf_index=1)]) == {1}
    assert noted_leaves(written, GROUP, [replace(ALICE.at(0), leaf_key=b"of another stay")]) == frozenset()
    assert noted_leaves(written, GROUP, [replace(BOB.at(0), leaf_key=ALICE.at(0).leaf_key)]) == frozenset()
    assert noted_leaves(written, GROUP, [BOB.at(0)]) == frozenset()
    assert noted_leaves(written, b"another", [ALICE.at(0)]) == frozenset()
    assert noted_leaves(written, GROUP, []) == frozenset()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        b"\x90",
        b"\x91\x93\x02\xc4\x01x\xc4\x01x",
        encode_notes([LeaveNote(1, bytes(16), bytes(64))]),
        encode_notes([LeaveNote(2, bytes(15), bytes(64))]),
        encode_notes([LeaveNote(2, bytes(16), bytes(64))] * (MAX_NOTES + 1)),
    ],
)
def test_what_is_no_note_is_refused(data: bytes) -> None:
    """As an entry of the log could contain it."""
    with pytest.raises(EvidenceError):
        read_notes(data)
