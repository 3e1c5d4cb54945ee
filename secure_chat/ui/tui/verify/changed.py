"""A changed account key: a screen that can't be overlooked, and that no key pressed by accident closes."""

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import Input, Static

from secure_chat.client.events import KeyChanged
from secure_chat.ui.tui import cells
from secure_chat.ui.tui.fields import Field
from secure_chat.ui.tui.status.keys import KeyLine

__all__ = ["KeyChangedScreen"]


class KeyChangedScreen(Screen[str]):
    """Ends with "compare", "later" or "accept", and only when that word was typed out.

    Somebody who is in the middle of a message goes on typing for a moment: a sentence is no answer here.
    """

    AUTO_FOCUS = "Input"
    CSS_PATH = Path(__file__).with_name("verify.tcss")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "explain", show=False),
    ]

    def __init__(self, event: KeyChanged) -> None:
        super().__init__()
        self._event = event

    def compose(self) -> ComposeResult:
        """What has happened, what it may mean, what can be done."""
        event = self._event
        with VerticalScroll(classes="alarm"):
            yield Static(Text(f"!  {event.handle}'s account key has CHANGED  !"), classes="title")
            if event.was_verified:
                yield Static(Text(f"You had verified {event.handle}. That no longer holds."), classes="words strong")
            yield Static(Text(cells.line(event.explanation)), classes="words")
            yield Static(Text(f"Nothing is sent to {event.handle} until you decide."), classes="words")
            yield Static(_choices(event.handle), classes="words")
            yield Field(placeholder="compare, later, or accept …", compact=True)
            yield Static(Text("Type one of these words and press Enter."), classes="hint")
        yield KeyLine()

    @on(Input.Submitted)
    def _decide(self) -> None:
        """Only a word of the list ends this."""
        typed = " ".join(self.query_one(Input).value.lower().split())
        answers: dict[str, Callable[[], object]] = {
            "compare": lambda: self.dismiss("compare"),
            "later": lambda: self.dismiss("later"),
            f"accept {self._event.handle}": lambda: self.dismiss("accept"),
        }
        answers.get(typed, self.action_explain)()

    def action_explain(self) -> None:
        """What was typed is none of the words."""
        self.query_one(Input).value = ""
        hint = self.query_one(".hint", Static)
        hint.add_class("wrong")
        hint.update(Text(f"This needs a decision: type compare, later, or accept {self._event.handle}."))


def _choices(handle: str) -> Text:
    return Text.assemble(
        ("compare", "bold"),
        f"   compare safety numbers with {handle} now (best)\n",
        ("later", "bold"),
        "     decide later: messages to them stay unsent\n",
        (f"accept {handle}", "bold"),
        "   use the new key without comparing",
    )
