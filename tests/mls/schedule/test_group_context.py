"""GroupContext (RFC 9420 §8.1)."""

import pytest

from secure_chat.mls.credential.extensions import Extension
from secure_chat.mls.errors import DecodeError
from secure_chat.mls.registry import ProtocolVersion
from secure_chat.mls.schedule.group_context import GroupContext

CONTEXT = GroupContext(ProtocolVersion.mls10, 3, b"id", 5, b"tree", b"hash", (Extension(0xF123, b"data"),))


def test_fields_are_in_the_rfcs_order() -> None:
    """version, suite, group id, epoch, tree hash, transcript hash, extensions."""
    assert CONTEXT.encode() == (
        b"\x00\x01\x00\x03\x02id" + (5).to_bytes(8, "big") + b"\x04tree\x04hash\x07\xf1\x23\x04data"
    )


def test_it_round_trips() -> None:
    """Unknown extensions are carried."""
    assert GroupContext.decode(CONTEXT.encode()) == CONTEXT


def test_another_version_is_malformed() -> None:
    """Only mls10 is known."""
    with pytest.raises(DecodeError):
        GroupContext.decode(b"\x00\x02" + CONTEXT.encode()[2:])
