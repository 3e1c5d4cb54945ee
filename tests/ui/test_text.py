"""Text from others in a terminal."""

import unicodedata

import pyte
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from secure_chat.ui.text import MAX_MARKS, clean, clean_line, fit, width

anything = st.text(st.characters(exclude_categories=()))


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("plain", "plain"),
        ("two\nlines", "two\nlines"),
        ("a\r\nb\rc\u2028d\u2029e\x85f", "a\nb\nc\nd\ne\nf"),
        ("tab\there", "tab    here"),
        ("\x1b[2J\x1b[31mred\x1b[0m", "[2J[31mred[0m"),
        ("\x1b]0;title\x07", "]0;title"),
        ("\x9b31m\x90q\x9c", "31mq"),
        ("over\x08\x08\x7f", "over"),
        ("\u202egnirts\u202c\u2066x\u2069", "gnirtsx"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("\U000e0041\U000e007f", ""),
        ("nul\x00", "nul"),
        ("lone \ud800 half", "lone  half"),
    ],
)
def test_what_could_move_the_cursor_or_hide_is_removed(text: str, cleaned: str) -> None:
    """Escapes, controls, overrides and invisible characters go, the rest stays."""
    assert clean(text) == cleaned


@pytest.mark.parametrize(
    "text",
    ["Grüße", "日本語", "שלום עולם", "مرحبا", "नमस्ते", "👩‍👩‍👧", "e\u0301", "می‌خواهم", "👍🏽", "🇩🇪", "ก็"],
)
def test_every_script_and_emoji_stays(text: str) -> None:
    """Joiners, marks and right-to-left letters belong to honest text."""
    assert clean(text) == text


def test_piles_of_marks_are_cut() -> None:
    """A letter with fifty accents would cover the lines above and below."""
    assert clean("a" + "\u0301" * 50 + "b") == "a" + "\u0301" * MAX_MARKS + "b"


def test_marks_without_a_letter_are_cut() -> None:
    """At the beginning of a line they would stand on what is written before the text."""
    assert clean("\ua674a\n\u0301b") == "a\nb"
    assert clean("\u200d\u0301a") == "\u200da"


@given(anything)
def test_nothing_harmful_is_left_of_anything(text: str) -> None:
    """No control but the line feed, no bidirectional override, and cleaning again changes nothing."""
    cleaned = clean(text)
    for character in cleaned:
        assert character == "\n" or unicodedata.category(character) not in ("Cc", "Cs", "Zl", "Zp"), ascii(character)
        assert unicodedata.bidirectional(character) not in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI")
    assert clean(cleaned) == cleaned
    assert "\n" not in clean_line(text)


@given(anything)
@example("\ua674")
@example("\u200d\u0301")
def test_a_terminal_shows_cleaned_text_and_nothing_else(text: str) -> None:
    """Whatever was sent, the cursor stays on its line and the line above is untouched."""
    screen = pyte.Screen(400, 3)
    stream = pyte.Stream(screen)
    stream.feed("first\r\n")
    stream.feed(clean_line(text)[:100])
    assert screen.display[0].rstrip() == "first"
    assert screen.cursor.y == 1
    assert screen.title == ""


@pytest.mark.parametrize(
    ("text", "columns"),
    [("abc", 3), ("日本", 4), ("e\u0301", 1), ("👍", 2), ("👩‍👩‍👧", 2), ("❤️", 2), ("", 0), ("שלום", 4)],
)
def test_width_is_that_of_a_terminal(text: str, columns: int) -> None:
    """Wide characters count two, marks none, joined emoji once."""
    assert width(text) == columns


@given(st.text(max_size=30).map(clean_line), st.integers(1, 20))
def test_fitted_text_has_exactly_the_columns(text: str, columns: int) -> None:
    """Cut or padded, never wider nor narrower."""
    assert width(fit(text, columns)) == columns
