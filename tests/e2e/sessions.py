"""What somebody might send on one connection: messages in any order, damaged frames, noise."""

import msgspec
from hypothesis import strategies as st

from secure_chat.wire.framing import encode_frame
from tests.wire.strategies import client_messages

__all__ = ["broken_frames", "sessions"]

_frames = client_messages.map(encode_frame)
_noise = st.binary(max_size=100)
_values = st.recursive(
    st.none() | st.integers(-(2**63), 2**64 - 1) | st.binary(max_size=9) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=5),
)


def _flip(frame: bytes, position: int, change: int) -> bytes:
    place = position % len(frame)
    return frame[:place] + bytes([frame[place] ^ change]) + frame[place + 1 :]


def _cut(frame: bytes, position: int) -> bytes:
    return frame[: position % (len(frame) + 1)]


def _framed(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body


broken_frames: st.SearchStrategy[bytes] = st.one_of(
    _noise,
    _noise.map(_framed),
    _values.map(msgspec.msgpack.encode).map(_framed),
    st.builds(_flip, _frames, st.integers(0, 2**32), st.integers(1, 255)),
    st.builds(_cut, _frames, st.integers(0, 2**16)),
    st.builds(bytes.__add__, _frames, _noise),
)
"""Damaged, cut, glued, of another protocol, or plain noise."""

sessions: st.SearchStrategy[list[bytes]] = st.lists(st.one_of(_frames, _frames, broken_frames), min_size=1, max_size=12)
"""Mostly valid messages, now and then something else."""
