"""What Tab offers."""

import pytest

from secure_chat.ui.tui import cells
from secure_chat.ui.tui.chat.commands import COMMANDS
from secure_chat.ui.tui.composer.completion import complete
from secure_chat.ui.tui.composer.emoji import EMOJI, find_emoji, replace_names
from tests.ui.tui.lines import BEN, line
from tests.ui.tui.views import member, model


def offered(before: str, *, forced: bool = True) -> list[str]:
    made = model()
    made.members[made.current] = tuple(member(name) for name in ("anna", "ben", "bert", "carl"))
    made.heard([line(1, room=made.current, sender="bert", account=BEN)])
    length, found = complete(before, made, COMMANDS, forced=forced)
    return [before[: len(before) - length] + each.insert for each in found]


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ("b", ["bert: ", "ben: "]),
        ("hello b", ["hello bert ", "hello ben "]),
        ("@b", ["@bert ", "@ben "]),
        ("see #pl", ["see #plans "]),
        ("/verif", ["/verify "]),
        ("/verify b", ["/verify bert ", "/verify ben "]),
        ("/room pl", ["/room plans "]),
        ("/receipts o", ["/receipts on", "/receipts off"]),
        ("/help verif", ["/help verify"]),
        ("nothing here ", []),
        ("zzz", []),
    ],
)
def test_the_word_before_the_cursor_is_completed(before: str, expected: list[str]) -> None:
    """People by who spoke last, with ": " at the line's start; rooms, commands and their arguments."""
    assert offered(before) == expected


def test_an_empty_line_offers_everybody() -> None:
    """Whoever spoke last first."""
    assert offered("") == ["bert: ", "ben: ", "carl: "]


def test_while_typing_only_signs_are_completed() -> None:
    """Ordinary words are left alone until Tab is pressed."""
    assert offered("b", forced=False) == []
    assert offered("", forced=False) == []
    assert offered("@b", forced=False)
    assert offered("/ver", forced=False)
    assert offered("hi :smil", forced=False)[0] == "hi 😄"


def test_emoji_have_names_and_two_cells() -> None:
    """What is offered looks the same everywhere."""
    assert all(cells.cell_len(cells.line(emoji)) == 2 for emoji in EMOJI.values())
    assert all(cells.line(emoji) == emoji for emoji in EMOJI.values())
    assert find_emoji("tad")[0] == ("tada", "🎉")
    assert replace_names("well done :tada::+1: at 10:30:00 :nosuch:") == "well done 🎉👍 at 10:30:00 :nosuch:"
