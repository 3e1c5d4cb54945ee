"""Something to choose from a list that narrows while one types."""

from collections.abc import Iterable, Sequence

from rich.text import Text
from textual import on
from textual.widget import Widget
from textual.widgets import Input, Static

from secure_chat.ui.tui.dialogs.base import Dialog
from secure_chat.ui.tui.fields import ListField
from secure_chat.ui.tui.lists import Item, LineList

__all__ = ["Choose"]


class Choose(Dialog[str]):
    """Ends with the key of an item, or, where `free`, with what was typed."""

    def __init__(self, title: str, items: Sequence[Item], *, hint: str = "", free: bool = False) -> None:
        super().__init__(title)
        self._items = items
        self._hint = hint
        self._free = free

    def content(self) -> Iterable[Widget]:
        """Input, list, hint."""
        yield ListField(placeholder="type to narrow", compact=True)
        yield LineList(classes="choices", surface="raised", cursor_always=True)
        if self._hint:
            yield Static(Text(self._hint), classes="hint")

    def on_mount(self) -> None:
        """Everything at first."""
        choices = self.query_one(LineList)
        choices.can_focus = False
        choices.show(self._items)

    @on(Input.Changed)
    def narrow(self, event: Input.Changed) -> None:
        """Only items that contain what was typed."""
        wanted = event.value.strip().lower()
        found = [item for item in self._items if wanted in "".join(text for text, _ in item.left).lower()]
        self.query_one(LineList).show(found)

    def action_step(self, by: int) -> None:
        """Moves the cursor of the list."""
        self.query_one(LineList).action_step(by)

    @on(Input.Submitted)
    def _take(self) -> None:
        """Ends with what is under the cursor."""
        typed = self.query_one(Input).value.strip()
        chosen = self.query_one(LineList).cursor
        if chosen and not (self._free and typed and typed.isascii() is False):
            self.dismiss(chosen)
        elif self._free and typed:
            self.dismiss(typed)

    @on(LineList.Picked)
    def picked(self, event: LineList.Picked) -> None:
        """A click."""
        self.dismiss(event.key)
