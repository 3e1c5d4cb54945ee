"""Days as people type them."""

from datetime import date, datetime

import pytest

from secure_chat.ui.arguments import InputError
from secure_chat.ui.tui.search.dates import parse_day

TODAY = date(2026, 3, 4)  # a Wednesday


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("today", date(2026, 3, 4)),
        ("Yesterday", date(2026, 3, 3)),
        ("monday", date(2026, 3, 2)),
        ("wed", date(2026, 2, 25)),
        ("2026-01-31", date(2026, 1, 31)),
        ("31.01.2026", date(2026, 1, 31)),
        ("2025-12", date(2025, 12, 1)),
        ("1 march 2026", date(2026, 3, 1)),
        ("03-01", date(2026, 3, 1)),
        ("12-24", date(2025, 12, 24)),
        ("3d", date(2026, 3, 1)),
        ("2 weeks ago", date(2026, 2, 18)),
        ("1y", date(2025, 3, 4)),
    ],
)
def test_days_are_understood(text: str, expected: date) -> None:
    """The first millisecond of that day."""
    assert datetime.fromtimestamp(parse_day(text, TODAY) / 1000) == datetime(
        expected.year, expected.month, expected.day
    )


@pytest.mark.parametrize("text", ["", "someday", "2026-13-45", "13-45", "9999 years", "mo", "1e9"])
def test_what_is_no_day_is_told_with_examples(text: str) -> None:
    """The message says what can be typed."""
    with pytest.raises(InputError, match="yesterday"):
        parse_day(text, TODAY)
