"""Words and columns for people."""

import pytest

from secure_chat.server.tables import age, day, duration, size, table


def test_columns_are_as_wide_as_their_content() -> None:
    """And control characters of names can't reach the terminal."""
    shown = table(("name", "n"), [("al\x1b[31mice", "1"), ("b", "22")])
    assert shown.splitlines() == ["NAME        N", "al?[31mice  1", "b           22"]


def test_sizes_and_times_are_words() -> None:
    """The largest unit that says it."""
    assert [size(count) for count in (0, 999, 1_500, 2_500_000, 7 * 10**12)] == [
        "0 B", "999 B", "1.5 kB", "2.5 MB", "7.0 TB",
    ]  # fmt: skip
    assert [age(seconds) for seconds in (5, 150, 3 * 3600, 3 * 86_400)] == [
        "5 seconds", "2 minutes", "3 hours", "3 days",
    ]  # fmt: skip
    assert len(day(1_700_000_000_000)) == len("2023-11-14 22:13")


@pytest.mark.parametrize(
    ("text", "milliseconds"), [("90s", 90_000), ("30m", 1_800_000), ("12h", 43_200_000), ("7d", 604_800_000)]
)
def test_durations_are_read(text: str, milliseconds: int) -> None:
    """A number and a unit."""
    assert duration(text) == milliseconds


@pytest.mark.parametrize("text", ["", "7", "d", "-1d", "0h", "1.5h", "7 d", "7y"])
def test_other_durations_are_refused(text: str) -> None:
    """With an example."""
    with pytest.raises(ValueError, match="such as 12h or 7d"):
        duration(text)
