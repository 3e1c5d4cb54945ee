"""Days as people type them: for jumping to a date."""

import re
from datetime import date, datetime, timedelta

from secure_chat.ui.arguments import InputError

__all__ = ["parse_day"]

_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_AGO = re.compile(r"(\d{1,4})\s*(d|day|days|w|week|weeks|m|month|months|y|year|years)(\s+ago)?")
_DAYS = {"d": 1, "w": 7, "m": 30, "y": 365}
_FORMATS = ("%Y-%m-%d", "%d.%m.%Y", "%d %B %Y", "%d %b %Y", "%Y-%m")
_HELP = "a day: 2026-03-01, today, yesterday, monday, 3 days ago, 2w"


def parse_day(text: str, today: date) -> int:
    """The first millisecond (POSIX time, this machine's time zone) of the day that `text` names.

    Raises InputError with what can be typed.
    """
    try:
        day = _day(" ".join(text.lower().split()), today)
        return int(datetime(day.year, day.month, day.day).timestamp() * 1000)
    except (OverflowError, ValueError, OSError):
        raise InputError(_HELP) from None


def _day(text: str, today: date) -> date:
    if text == "today":
        return today
    if text == "yesterday":
        return today - timedelta(days=1)
    for number, name in enumerate(_WEEKDAYS):
        if len(text) >= 3 and name.startswith(text):
            return today - timedelta(days=(today.weekday() - number) % 7 or 7)
    if ago := _AGO.fullmatch(text):
        return today - timedelta(days=int(ago[1]) * _DAYS[ago[2][0]])
    for form in _FORMATS:
        try:
            return datetime.strptime(text.title(), form).date()
        except ValueError:
            continue
    if re.fullmatch(r"\d{1,2}-\d{1,2}", text):
        month, day = map(int, text.split("-"))
        this_year = date(today.year, month, day)
        return this_year if this_year <= today else date(today.year - 1, month, day)
    raise InputError(_HELP)
