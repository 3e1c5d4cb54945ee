"""Questions: yes or no, and one line of text that is checked where it is typed."""

from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar, TypeVar

from rich.text import Text
from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input, Static

from secure_chat.errors import SecureChatError
from secure_chat.ui.presenter import describe_failure
from secure_chat.ui.tui.dialogs.base import Dialog
from secure_chat.ui.tui.fields import Field

__all__ = ["Confirm", "TextDialog"]

T = TypeVar("T")


class Confirm(Dialog[bool]):
    """Yes or no; anything but a clear yes is no."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "Yes"),
        Binding("n", "answer(False)", "No"),
    ]

    def __init__(self, title: str, lines: Sequence[str] = ()) -> None:
        super().__init__(title)
        self._lines = lines

    def content(self) -> Iterable[Widget]:
        """What the question is about."""
        yield Static(Text("\n".join(self._lines)), classes="words")

    def action_answer(self, yes: bool) -> None:
        """Ends the dialog."""
        self.dismiss(yes)


class TextDialog(Dialog[T]):
    """One line; `check` makes the result of it or raises what is wrong, which is shown below."""

    def __init__(
        self,
        title: str,
        check: Callable[[str], T],
        *,
        hint: str = "",
        initial: str = "",
        password: bool = False,
    ) -> None:
        super().__init__(title)
        self._check = check
        self._hint = hint
        self._initial = initial
        self._password = password

    def content(self) -> Iterable[Widget]:
        """Input and hint."""
        yield Field(self._initial, password=self._password, compact=True)
        yield Static(Text(self._hint), classes="hint")

    @on(Input.Submitted)
    def _take(self) -> None:
        """Checks and ends, or says what is wrong."""
        try:
            result = self._check(self.query_one(Input).value)
        except SecureChatError as error:
            hint = self.query_one(".hint", Static)
            hint.add_class("wrong")
            hint.update(Text(describe_failure(error)))
        else:
            self.dismiss(result)
