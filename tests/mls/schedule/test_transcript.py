"""Transcript hashes (RFC 9420 §8.2); the values themselves are checked by the official vectors."""

import hashlib

from secure_chat.mls.crypto.suite import SUITES
from secure_chat.mls.schedule.transcript import confirmed_transcript_hash, interim_transcript_hash

SUITE = SUITES[3]


def test_confirmed_hash_covers_format_content_and_signature() -> None:
    """Hash(interim || wire_format || content || signature<V>)."""
    expected = hashlib.sha256(b"interim" + b"\x00\x02" + b"content" + b"\x03sig").digest()
    assert confirmed_transcript_hash(SUITE, b"interim", 2, b"content", b"sig") == expected


def test_interim_hash_covers_the_tag() -> None:
    """Hash(confirmed || tag<V>)."""
    assert interim_transcript_hash(SUITE, b"conf", b"tag") == hashlib.sha256(b"conf\x03tag").digest()
