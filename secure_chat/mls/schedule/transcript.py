"""Transcript hashes: the running hash over all commits (RFC 9420 §8.2)."""

from secure_chat.mls.codec import encode_opaque
from secure_chat.mls.crypto.suite import CipherSuite

__all__ = ["confirmed_transcript_hash", "interim_transcript_hash"]


def confirmed_transcript_hash(
    suite: CipherSuite, interim: bytes, wire_format: int, content: bytes, signature: bytes
) -> bytes:
    """The transcript up to and including a commit's signature.

    `interim` is the interim hash of the epoch that the commit ends, `content` the encoded FramedContent.
    """
    confirmed_input = wire_format.to_bytes(2, "big") + content + encode_opaque(signature)
    return suite.hash(interim + confirmed_input)


def interim_transcript_hash(suite: CipherSuite, confirmed: bytes, confirmation_tag: bytes) -> bytes:
    """The confirmed hash, extended by the commit's confirmation tag."""
    return suite.hash(confirmed + encode_opaque(confirmation_tag))
