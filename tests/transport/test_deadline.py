"""Deadlines."""

from secure_chat.transport.deadline import Deadline


def test_remaining_is_bounded_on_both_sides() -> None:
    """Never negative, never above what is asked for."""
    assert Deadline(0).remaining() == 0.0
    assert Deadline(-5).remaining() == 0.0
    assert Deadline(1000).remaining(3.0) == 3.0
    left = Deadline(1000).remaining()
    assert left is not None
    assert 0 < left <= 1000


def test_no_deadline_never_comes() -> None:
    """None waits as long as the caller says, or without end."""
    assert Deadline(None).remaining() is None
    assert Deadline(None).remaining(2.0) == 2.0
    assert not Deadline(None).expired
    assert Deadline(0).expired
    assert not Deadline(1000).expired
