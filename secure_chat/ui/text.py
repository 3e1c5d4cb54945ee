"""Text from others made fit for a terminal, and its width there.

Nothing that somebody else sent may move the cursor, change colours, reverse the reading order of a line or pile marks
over its neighbours. What is removed leaves the rest as it was.
"""

import re
import unicodedata

__all__ = ["clean", "clean_line", "fit", "width"]

MAX_MARKS = 4
"""Combining marks kept on one letter: no living script needs more; piles of them cover other lines."""

# Everything that can't be part of harmless text: C0 and C1 controls but tab and line feed; embeddings, overrides and
# isolates of the bidirectional algorithm; invisible operators, interlinear annotations, tags; what is no character.
_HARMFUL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u180e\u200b\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufdd0-\ufdef"
    "\ufffe\uffff\ud800-\udfff\U000e0000-\U000e0fff]"
)
_LINE_ENDS = re.compile("\r\n|[\r\x85\u2028\u2029]")
_PLAIN = re.compile("[\n -~]*")
_TAB = "    "
_JOINER = "\u200d"
_EMOJI_STYLE = "\ufe0f"


def clean(text: str) -> str:
    """The text with its line feeds kept, tabs as spaces, and everything harmful to a terminal removed."""
    if _PLAIN.fullmatch(text):
        return text
    text = _LINE_ENDS.sub("\n", text).replace("\t", _TAB)
    return _without_piles(_HARMFUL.sub("", text))


def clean_line(text: str) -> str:
    """`clean`, on one line."""
    return " ".join(clean(text).split("\n"))


def width(text: str) -> int:
    """Columns that cleaned text takes in a terminal."""
    if text.isascii():
        return len(text)
    columns = 0
    last = 0
    joined = False
    for character in text:
        if character == _JOINER:
            joined = True
            continue
        if character == _EMOJI_STYLE and last == 1:
            columns, last = columns + 1, 2
            continue
        if unicodedata.category(character) in ("Mn", "Me", "Cf"):
            continue
        own = 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1
        if joined and last == 2:
            joined = False  # one picture made of several
            continue
        joined = False
        columns += own
        last = own
    return columns


def fit(text: str, columns: int) -> str:
    """Cleaned text cut to a number of columns, with an ellipsis where something is missing, and padded to them."""
    if width(text) > columns:
        while text and width(text) > columns - 1:
            text = text[:-1]
        text += "…"
    return text + " " * (columns - width(text))


def _without_piles(text: str) -> str:
    """Few marks on a letter, and none without one: a terminal puts those on what stands before the text."""
    marks = MAX_MARKS
    kept = []
    for character in text:
        category = unicodedata.category(character)
        if character == "\n":
            marks = MAX_MARKS
        elif category in ("Mn", "Me"):
            marks += 1
        elif category != "Cf":  # a joiner is no letter
            marks = 0
        if marks <= MAX_MARKS or category == "Cf":
            kept.append(character)
    return "".join(kept)
