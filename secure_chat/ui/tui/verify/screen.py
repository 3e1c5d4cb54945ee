"""Comparing safety numbers: digits in large groups, a QR code, and three answers."""

from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import Screen
from textual.widgets import Static

from secure_chat.client.views import SafetyNumberView
from secure_chat.ui.tui.qr import CodeView
from secure_chat.ui.tui.status.keys import KeyLine
from secure_chat.ui.tui.verify.words import different_lines, groups, intro_lines, question

__all__ = ["VerifyScreen"]

FULL_CODE = (82, 24)
"""Columns and rows from which the code with both keys fits beside the digits; below, a smaller one of the digits."""
SMALL_CODE = (60, 16)


class VerifyScreen(Screen[str]):
    """Ends with "same", "different", "later", or "theirs" to type what the other one reads out.

    "Same" takes two keys, of which no text holds the second: who types a message without looking verifies nobody.
    """

    CSS_PATH = Path(__file__).with_name("verify.tcss")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f8", "confirm", "They are the same", key_display="F8"),
        Binding("s", "agree", "Same"),
        Binding("d", "answer('different')", "Different"),
        Binding("l,escape", "answer('later')", "Later", key_display="L"),
        Binding("t", "answer('theirs')", "Type theirs"),
        Binding("c", "copy", "Copy digits"),
    ]

    def __init__(self, view: SafetyNumberView, own_handle: str) -> None:
        super().__init__()
        self._view = view
        self._own = own_handle
        self._agreed = False

    def compose(self) -> ComposeResult:
        """Digits at the left, the code at the right, keys below."""
        width, height = self.app.size
        view = self._view
        small = width < FULL_CODE[0] or height < FULL_CODE[1]
        with Horizontal(id="verify"):
            with Vertical(id="numbers"):
                yield Static(Text(f"Verify {view.handle}"), classes="title")
                roomy = height >= FULL_CODE[1]
                rows = groups(view.number, 4 if width >= FULL_CODE[0] + 8 else 3)
                yield Static(Text(("\n\n" if roomy else "\n").join(rows)), id="digits")
                yield Static(Text("\n".join(intro_lines(view, self._own))), classes="words")
                yield Static(Text(question(view.handle, agreed=False)), classes="question")
            if width >= SMALL_CODE[0] and height >= SMALL_CODE[1]:
                yield CodeView("".join(view.number.split()) if small else view.qr)
        yield KeyLine()

    def on_key(self, event: events.Key) -> None:
        """Any other key than the two takes a "same" back."""
        if event.key not in ("s", "f8"):
            self._agree(False)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool:
        """The second key counts after the first."""
        return action != "confirm" or self._agreed

    def action_agree(self) -> None:
        """The digits are the same, as far as one key says."""
        self._agree(True)

    def action_confirm(self) -> None:
        """They are."""
        self.dismiss("same")

    def action_answer(self, answer: str) -> None:
        """Ends the comparison."""
        self.dismiss(answer)

    def _agree(self, agreed: bool) -> None:
        if agreed != self._agreed:
            self._agreed = agreed
            self.query_one(".question", Static).update(Text(question(self._view.handle, agreed=agreed)))
            self.refresh_bindings()

    def action_copy(self) -> None:
        """The digits, to be pasted into a message of another kind."""
        self.app.copy_to_clipboard(self._view.number)


class DifferentScreen(Screen[bool]):
    """What to do when the numbers differ; ends with whether the person is to be blocked."""

    CSS_PATH = Path(__file__).with_name("verify.tcss")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("b", "answer(True)", "Block"),
        Binding("enter,escape", "answer(False)", "I have read this", key_display="Enter"),
    ]

    def __init__(self, handle: str) -> None:
        super().__init__()
        self._handle = handle

    def compose(self) -> ComposeResult:
        """Only words."""
        with VerticalScroll(classes="alarm"):
            yield Static(Text("The safety numbers differ"), classes="title")
            yield Static(Text("\n".join(different_lines(self._handle))), classes="words")
        yield KeyLine()

    def action_answer(self, block: bool) -> None:
        """Ends the screen."""
        self.dismiss(block)
