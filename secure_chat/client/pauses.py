"""How long to wait after a failure: longer each time, and short again once all went well for a while."""

__all__ = ["FIRST", "LONGEST", "WELL", "Pauses"]

FIRST = 1_000
LONGEST = 60_000
"""Milliseconds of the first pause, which is doubled each time, and of the longest."""
WELL = 10 * 60_000
"""Milliseconds without a failure after which the next one counts as the first: ten times the longest pause, so that
what goes wrong with every connection never looks like success."""


class Pauses:
    """Counts failures."""

    def __init__(self) -> None:
        self._failures = 0
        self._last = 0

    def next(self, now: int) -> int:
        """Milliseconds to wait after a failure now."""
        if now - self._last > WELL:
            self._failures = 0
        pause = min(FIRST << min(self._failures, 10), LONGEST)
        self._failures += 1
        self._last = now
        return pause
