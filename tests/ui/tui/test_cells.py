"""Text on a grid of cells: any text, however strange, keeps to its cells."""

import unicodedata

import wcwidth
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import get_character_cell_size

from secure_chat.ui.tui import cells

nasty = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from("\u200d\ufe0f\u202e\u2066\u200b\u0301\u20e3\x1b\x07\x9b\r\n\t👨👩👧🏽🇩🇪❤☃é한ﷺ[]"),
    ),
    max_size=300,
)


@given(nasty, st.integers(2, 90))
@settings(max_examples=400, deadline=None)
def test_no_row_is_wider_than_asked(text: str, width: int) -> None:
    """Whatever is wrapped, every row fits, and nothing but spaces is lost."""
    stable = cells.paragraphs(text)
    rows = cells.wrap(stable, width)
    assert all(cells.cell_len(row) <= width for row in rows)
    assert "".join("".join(rows).split()) == "".join(stable.split())


@given(nasty)
@settings(max_examples=400, deadline=None)
def test_nothing_that_moves_the_cursor_is_left(text: str) -> None:
    """No control character, no direction override, no joiner reaches a row."""
    for character in cells.line(text):
        assert unicodedata.category(character) != "Cc"
        assert character not in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200d\ufe0f"


@given(st.text(st.sampled_from("ab 👍🏽👨‍👩‍👧❤️☺️🇩🇪é漢字"), max_size=80))
@settings(max_examples=300, deadline=None)
def test_terminals_that_know_nothing_of_joined_emoji_measure_the_same(text: str) -> None:
    """Adding up the characters, as simple terminals do, gives the width that is laid out."""
    stable = cells.line(text)
    assert sum(max(wcwidth.wcwidth(character), 0) for character in stable) == cells.cell_len(stable)


@given(nasty, st.integers(1, 40))
def test_padding_fills_exactly(text: str, width: int) -> None:
    """Cut or filled up, the result has the width."""
    assert cells.cell_len(cells.pad(cells.line(text), width)) == width


def test_words_stay_whole_where_they_fit() -> None:
    """Rows break at spaces; a word longer than a row is cut; line ends stay; the first row may be shorter."""
    assert cells.wrap("one two three four", 9) == ["one two", "three", "four"]
    assert cells.wrap("abcdefghij", 4) == ["abcd", "efgh", "ij"]
    assert cells.wrap("a\n\nb", 5) == ["a", "", "b"]
    assert cells.wrap("one two", 7, 3) == ["one", "two"]
    assert cells.wrap("漢字漢字", 5) == ["漢字", "漢字"]


def test_a_limit_stops_early_and_shows_that_there_is_more() -> None:
    """A huge message costs no more than its first rows."""
    assert len(cells.wrap("x " * 100_000, 10, limit=5)) < 100
    assert len(cells.wrap("line\n" * 10_000, 10, limit=5)) == 6


def test_pictures_that_terminals_disagree_on_become_simple() -> None:
    """A family is its members, a coloured heart a plain one, a hand has no skin tone."""
    assert cells.line("👨‍👩‍👧") == "👨👩👧"
    assert cells.line("❤️") == "❤"
    assert cells.line("👍🏽") == "👍"
    assert cells.cut("a longer text", 8) == "a longe…"
    assert cells.cut("abc", 0) == ""


def test_the_width_tables_agree_on_what_is_left() -> None:
    """For every character that may stand on the screen the table that draws and the terminals' one say the same."""
    for code in (*range(0x20, 0xD800), *range(0xE000, 0x20000)):
        for character in cells.line(chr(code)):
            assert wcwidth.wcwidth(character) == get_character_cell_size(character), hex(ord(character))
