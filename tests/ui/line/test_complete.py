"""Completion in the line mode."""

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from secure_chat.ui.line.complete import ChatCompleter
from secure_chat.ui.line.state import ChatState


@pytest.mark.parametrize(
    ("typed", "candidates"),
    [
        ("/mu", ["/mute "]),
        ("/kick a", ["alice"]),
        ("/room #d", ["#dev"]),
        ("/room d", ["dev"]),
        ("/receipts o", ["on", "off"]),
        ("/help unm", ["unmute"]),
        ("al", ["alice: "]),
        ("hello al", ["alice"]),
        ("hello @b", ["@bob"]),
        ("see #lo", ["#lobby"]),
        ("//al", []),
    ],
)
def test_candidates_fit_the_place(state: ChatState, typed: str, candidates: list[str]) -> None:
    """Commands after the slash, then what the command takes; names with a colon at the start of a line."""
    completer = ChatCompleter(state)
    found = [each.text for each in completer.get_completions(Document(typed), CompleteEvent())]
    assert found == candidates
