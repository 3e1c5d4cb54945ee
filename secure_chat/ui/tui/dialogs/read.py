"""Something to read: a whole message, the answer of a command, help."""

from collections.abc import Iterable
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widget import Widget
from textual.widgets import Static

from secure_chat.ui.tui.dialogs.base import Dialog

__all__ = ["Reader"]


class Reader(Dialog[None]):
    """Text that scrolls; `c` copies it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "close", show=False),
        Binding("enter", "close", show=False),
        Binding("c", "copy", "Copy"),
    ]

    def __init__(self, title: str, text: Text | str) -> None:
        super().__init__(title)
        self._text = Text(text) if isinstance(text, str) else text

    def content(self) -> Iterable[Widget]:
        """The text."""
        with VerticalScroll(classes="reader"):
            yield Static(self._text)

    def action_copy(self) -> None:
        """Everything into the clipboard."""
        self.app.copy_to_clipboard(self._text.plain)
        self.dismiss(None)
