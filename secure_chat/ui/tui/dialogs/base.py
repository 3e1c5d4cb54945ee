"""What all small windows share: a box in the middle with a title, text and keys."""

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Static

from secure_chat.ui.tui.status.keys import KeyLine

__all__ = ["Dialog"]

T = TypeVar("T")


class Dialog(ModalScreen[T | None], Generic[T]):
    """Escape closes it without a result."""

    CSS_PATH = Path(__file__).with_name("dialogs.tcss")
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close", "Close", key_display="Esc")]

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = title

    def compose(self) -> ComposeResult:
        """Title, what the dialog holds, keys."""
        with Vertical(classes="box"):
            yield Static(Text(self._title, no_wrap=True, overflow="ellipsis"), classes="title")
            yield from self.content()
            yield KeyLine()

    def content(self) -> Iterable[Widget]:
        """What stands between title and keys."""
        return ()

    def action_close(self) -> None:
        """No result."""
        self.dismiss(None)
