"""An invite link: as text to copy, and as a QR code where there is room."""

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from secure_chat.ui.tui.dialogs.base import Dialog
from secure_chat.ui.tui.qr import CodeView

__all__ = ["CodeScreen", "InviteDialog"]

AROUND = 8
"""Rows of the dialog besides the code."""


class CodeScreen(Screen[None]):
    """A code on a white screen: its margin is the whole rest, so that it fits where it just fits."""

    CSS_PATH = Path(__file__).with_name("dialogs.tcss")
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,enter,space", "dismiss", "Back")]

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def compose(self) -> ComposeResult:
        """The code, or how many rows it would need."""
        code = CodeView(self._text, quiet=0)
        rows, columns = len(code.rows), len(code.rows[0])
        width, height = self.app.size
        if height >= rows and width >= columns:
            yield code
        else:
            yield Static(Text(f"The QR code needs {columns} columns and {rows} rows: make the window larger."))


class InviteDialog(Dialog[None]):
    """Copies by OSC 52: into the clipboard of the terminal's machine, also over ssh."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "copy", "Copy link"),
        Binding("q", "code", "QR code"),
        Binding("enter", "close", show=False),
    ]

    def __init__(self, link: str, notes: str) -> None:
        super().__init__("Invite somebody")
        self._link = link
        self._notes = notes

    def content(self) -> Iterable[Widget]:
        """The code if it fits, the link always."""
        code = CodeView(self._link)
        width, height = self.app.size
        if height >= len(code.rows) + AROUND and width >= len(code.rows[0]) + 4:
            yield code
        else:
            yield Static(Text("q shows the QR code alone, on the whole screen"), classes="hint")
        yield Static(Text(self._link), classes="words link")
        yield Static(Text(self._notes), classes="hint said")

    def action_code(self) -> None:
        """Only the code, as large as the screen allows."""
        self.app.push_screen(CodeScreen(self._link))

    def action_copy(self) -> None:
        """The link into the clipboard."""
        self.app.copy_to_clipboard(self._link)
        self.query_one(".said", Static).update(Text("Copied (if your terminal allows it; otherwise select it)."))
