"""Words and columns for people: tables, sizes, times."""

import time
from collections.abc import Sequence

__all__ = ["age", "day", "duration", "size", "table"]

_UNITS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 7 * 86_400_000}


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their content; control characters, which a name might hold, are shown as `?`."""
    lines = [[_printable(cell) for cell in row] for row in rows]
    if head:
        lines.insert(0, [name.upper() for name in head])
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def size(count: int) -> str:
    """Bytes in words."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def day(milliseconds: int) -> str:
    """A time, to the minute, in local time."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(milliseconds / 1000))


def age(seconds: int) -> str:
    """How long, in the largest unit that says it."""
    for unit, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} seconds"


def duration(text: str) -> int:
    """Milliseconds of 90s, 30m, 12h, 7d or 2w; raises ValueError."""
    number, unit = text[:-1], text[-1:]
    if unit not in _UNITS or not number.isascii() or not number.isdigit() or not int(number):
        raise ValueError("a number with s, m, h, d or w, such as 12h or 7d")
    return int(number) * _UNITS[unit]


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)
