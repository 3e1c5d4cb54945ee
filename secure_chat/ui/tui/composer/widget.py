"""The input line: grows with its text, sends with Enter, never sends what was only pasted."""

from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import TextArea

from secure_chat.ui.text import clean

__all__ = ["Composer"]

PASTE_LINES = 3
"""A paste of more lines is asked about first."""
PASTE_CHARACTERS = 2_000
LEADING_KEYS = frozenset({"escape", "pageup", "pagedown", "ctrl+up", "ctrl+home", "ctrl+end"})
"""What leads to the messages."""
NEW_LINE_KEYS = frozenset({"shift+enter", "alt+enter", "ctrl+j", "ctrl+enter", "shift+\r", "alt+\r", "ctrl+\r"})
"""The last three are how Textual names them where xterm's modifyOtherKeys is on."""


class Composer(TextArea):
    """Where one writes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "send", "Send", key_display="⏎"),
        Binding("alt+enter", "new_line", "New line", show=False),
        Binding("tab", "complete", "Complete", show=False),
    ]

    @dataclass
    class Sent(Message):
        """Enter was pressed on something."""

        text: str

    @dataclass
    class Typed(Message):
        """The text before the cursor changed."""

        before: str
        forced: bool = False

    @dataclass
    class Picking(Message):
        """A key for the list of completions: up, down, take, enter or drop."""

        what: str

    @dataclass
    class Pasted(Message):
        """Several lines were pasted: to be asked about."""

        text: str

    @dataclass
    class Left(Message):
        """A key that leads to the messages; arrows, Home and End only in an empty input."""

        key: str

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(
            id=id,
            soft_wrap=True,
            tab_behavior="focus",
            compact=True,
            highlight_cursor_line=False,
            placeholder="Message",
            max_checkpoints=50,
        )
        self.completing = False
        """Whether a list of completions is shown: then it gets the arrows, Tab, Enter and Escape."""

    @property
    def before(self) -> str:
        """The text before the cursor."""
        row, column = self.cursor_location
        return "\n".join([*(self.document[line] for line in range(row)), self.document[row][:column]])

    def take(self, length: int, insert: str) -> None:
        """Replaces so many characters before the cursor."""
        row, column = self.cursor_location
        self.replace(insert, (row, column - length), (row, column), maintain_selection_offset=False)

    def put(self, text: str) -> None:
        """Another text, with the cursor at its end."""
        self.text = text
        self.move_cursor(self.document.end)

    async def _on_key(self, event: events.Key) -> None:
        key = event.key
        if self.completing and key in ("up", "down", "tab", "enter", "escape"):
            what = {"tab": "take", "escape": "drop"}.get(key, key)
            self._stop(event)
            self.post_message(self.Picking(what))
        elif key == "enter":
            self._stop(event)
            self.action_send()
        elif key in NEW_LINE_KEYS:
            self._stop(event)
            self.action_new_line()
        elif key == "tab":
            self._stop(event)
            self.action_complete()
        elif key in LEADING_KEYS or (not self.text and key in ("up", "home", "end")):
            self._stop(event)
            self.post_message(self.Left(key))
        else:
            await super()._on_key(event)

    def _stop(self, event: events.Key) -> None:
        event.stop()
        event.prevent_default()

    async def _on_paste(self, event: events.Paste) -> None:
        event.prevent_default()
        event.stop()
        text = clean(event.text)
        if text.count("\n") >= PASTE_LINES or len(text) > PASTE_CHARACTERS:
            self.post_message(self.Pasted(text))
        else:
            self.insert(text.rstrip("\n") if not self.text else text)

    def on_text_area_changed(self) -> None:
        """Tells what stands before the cursor, for completion and typing notices."""
        self.post_message(self.Typed(self.before))

    def action_send(self) -> None:
        """Sends the text, with ``:smile:`` as 😄."""
        if self.text.strip():
            from secure_chat.ui.tui.composer.emoji import replace_names  # with the first message

            self.post_message(self.Sent(self.text if self.text.startswith("/") else replace_names(self.text)))

    def action_new_line(self) -> None:
        """Begins a new line."""
        self.insert("\n")

    def action_complete(self) -> None:
        """Offers what the word before the cursor could become."""
        self.post_message(self.Typed(self.before, forced=True))
