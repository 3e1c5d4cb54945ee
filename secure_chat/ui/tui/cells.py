"""Text on a grid of terminal cells: made stable, cut and wrapped.

Terminals disagree on the width of joined emoji, variation selectors and skin tones, and a disagreement moves everything
to the right of it. What they disagree on is left out here: a family becomes its members, a coloured heart a plain one.
All widths are those of `rich.cells`, which Textual uses as well.
"""

import re
import unicodedata
from functools import lru_cache

from rich.cells import cell_len, get_character_cell_size

from secure_chat.ui.text import MAX_MARKS, clean, clean_line

__all__ = ["cell_len", "cut", "line", "pad", "paragraphs", "wrap"]

# Soft hyphen, joiners and direction marks, Hangul fillers, variation selectors; skin tones.
_UNSTABLE = re.compile(
    "[\u00ad\u200d-\u200f\u034f\u115f-\u1160\u17b4\u17b5\u3164\uffa0\ufe00-\ufe0f\U0001f3fb-\U0001f3ff]"
)
_EMOJI = range(0x1F000, 0x1FB00)
_REMEMBERED = 10_000
"""Code points whose fate is remembered: those of a chat, not all of Unicode."""


class _Settled(dict[int, str]):
    """For `str.translate`: what each code point becomes."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        is_emoji = code in _EMOJI and get_character_cell_size(character) == 2
        if unicodedata.category(character) == "Cn" and not is_emoji:  # emoji may be newer than this Python
            character = "\ufffd"  # unassigned: one cell for some, two for others
        if len(self) < _REMEMBERED:
            self[code] = character
        return character


_SETTLED = _Settled({0x1F1E6 + number: chr(ord("A") + number) for number in range(26)})
"""Flags are two letters of a country, in terminals of one to four cells."""
_NON_JOINERS = re.compile("\u200c+")
_WORDS = re.compile(r"\S+[ ]*|[ ]+|\s")


def paragraphs(text: str) -> str:
    """Text from a peer with its line ends, fit for cells."""
    return _stable(clean(text))


def line(text: str) -> str:
    """Text from a peer on one line, fit for cells."""
    return _stable(clean_line(text))


def cut(text: str, cells: int) -> str:
    """The beginning of `text` in at most `cells`, with an ellipsis where something is missing."""
    if cell_len(text) <= cells:
        return text
    if cells <= 0:
        return ""
    kept, used = 0, 0
    for character in text:
        used += _size(character)
        if used > cells - 1:
            break
        kept += 1
    return text[:kept].rstrip() + "…"


def pad(text: str, cells: int) -> str:
    """`cut`, then filled up with spaces to exactly `cells`."""
    short = cut(text, cells)
    return short + " " * (cells - cell_len(short))


def wrap(text: str, cells: int, first: int | None = None, limit: int | None = None) -> list[str]:
    """Rows of at most `cells` (the first one `first`) cells each; breaks at spaces, else within a word.

    With `limit` no more than so many rows and one are made: the extra one says that there is more.
    """
    cells = max(cells, 2)
    room = cells if first is None else max(first, 2)
    if limit is not None:  # a cell holds a letter and no more marks than `clean` leaves
        text = text[: (limit + 2) * cells * (1 + MAX_MARKS)]
    rows: list[str] = []
    for paragraph in text.split("\n"):
        for row in _wrap(paragraph, cells, room):
            rows.append(row)
            room = cells
            if limit is not None and len(rows) > limit:
                return rows
    return rows


def _wrap(text: str, cells: int, first: int) -> list[str]:
    if cell_len(text) <= first:
        return [text]
    rows: list[str] = []
    current, used, room = "", 0, first
    for word in _WORDS.findall(text):
        size = cell_len(word)
        bare = cell_len(word.rstrip(" "))
        if used + bare <= room:
            current, used = current + word, used + size
            continue
        if current.strip():
            rows.append(current.rstrip(" "))
            current, used, room = "", 0, cells
        if bare <= room:
            current, used = word, size
            continue
        for piece in _pieces(word, room, cells):
            if current:
                rows.append(current.rstrip(" "))
                room = cells
            current = piece
        used = cell_len(current)
    rows.append(current.rstrip(" "))
    return rows


def _pieces(word: str, first: int, cells: int) -> list[str]:
    """A word that is too long for a row; marks stay with their letter."""
    pieces: list[str] = []
    start, used, room = 0, 0, first
    for index, character in enumerate(word):
        size = _size(character)
        if used + size > room:
            pieces.append(word[start:index])
            start, used, room = index, 0, cells
        used += size
    pieces.append(word[start:])
    return pieces


def _stable(text: str) -> str:
    if text.isascii():
        return text
    return _NON_JOINERS.sub("\u200c", _UNSTABLE.sub("", text.translate(_SETTLED)))


@lru_cache(maxsize=4096)
def _size(character: str) -> int:
    return 1 if " " <= character <= "~" else get_character_cell_size(character)
