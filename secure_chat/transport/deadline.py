"""One point in monotonic time, handed along the steps that share it."""

import time

__all__ = ["Deadline"]


class Deadline:
    """`seconds` from now; None never comes."""

    __slots__ = ("_at",)

    def __init__(self, seconds: float | None) -> None:
        self._at = None if seconds is None else time.monotonic() + seconds

    def remaining(self, at_most: float | None = None) -> float | None:
        """Seconds left, never negative and never above `at_most`; None where neither ends the wait."""
        left = None if self._at is None else max(0.0, self._at - time.monotonic())
        if left is None or (at_most is not None and at_most < left):
            return at_most
        return left

    @property
    def expired(self) -> bool:
        """The point has come."""
        return self._at is not None and time.monotonic() >= self._at
