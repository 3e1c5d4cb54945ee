"""Search while typing: hits with their words marked; Enter goes there."""

import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input, Static

from secure_chat.client.views import Hit, RoomId
from secure_chat.errors import SecureChatError
from secure_chat.ui.presenter import describe_failure
from secure_chat.ui.tui import cells
from secure_chat.ui.tui.dialogs.base import Dialog
from secure_chat.ui.tui.fields import ListField
from secure_chat.ui.tui.lists import Item, LineList, Piece

__all__ = ["Found", "SearchDialog", "hit_item", "marked_words"]

LIMIT = 200


@dataclass(frozen=True, slots=True)
class Found:
    """Where to go, and which words to mark there."""

    hit: Hit
    words: tuple[str, ...]


def marked_words(text: str) -> tuple[str, ...]:
    """The beginnings of words that a search finds."""
    return tuple(word for word in (part.strip('"').lower() for part in text.split()) if word)


def hit_item(hit: Hit, *, with_room: bool) -> Item:
    """A hit on one line."""
    message = hit.message
    stamp = time.strftime("%Y-%m-%d %H:%M", time.localtime(message.time / 1000))
    left: list[Piece] = [(f"{stamp} ", "dim")]
    if with_room:
        left.append((f"{cells.cut(cells.line(hit.room_name), 16)} ", "accent"))
    left.append((f"{message.sender}: ", f"@{message.account}"))
    for number, part in enumerate(hit.snippet.replace("\x03", "\x02").split("\x02")):
        left.append((cells.line(part), "hit" if number % 2 else "text"))
    return Item(message.id, tuple(left))


class SearchDialog(Dialog[Found]):
    """Searches everywhere, or in one room."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "scope", "This room / everywhere", key_display="Tab", priority=True),
    ]

    def __init__(
        self,
        search: Callable[[str, RoomId | None], Awaitable[Sequence[Hit]]],
        room: RoomId,
        room_name: str,
        words: str = "",
    ) -> None:
        super().__init__("Search")
        self._search = search
        self._room = room
        self._room_name = room_name
        self._here = False
        self._words = words
        self._hits: dict[str, Hit] = {}

    def content(self) -> Iterable[Widget]:
        """Input, hits, what they are."""
        yield ListField(self._words, placeholder='words, or "an exact phrase"', compact=True)
        yield Static(id="scope", classes="hint")
        yield LineList(id="hits", classes="choices", surface="surface", cursor_always=True)

    def on_mount(self) -> None:
        """The list never has the focus."""
        self.query_one(LineList).can_focus = False
        self._find()

    @on(Input.Changed)
    def _find(self) -> None:
        self.run_worker(self._show_hits(), exclusive=True)

    async def _show_hits(self) -> None:
        words = self.query_one(Input).value
        scope = f"in {self._room_name}" if self._here else "everywhere"
        try:
            hits = await self._search(words, self._room if self._here else None) if words.strip() else ()
        except SecureChatError as error:
            self.query_one("#scope", Static).update(Text(describe_failure(error)))
            return
        self._hits = {hit.message.id: hit for hit in hits}
        self.query_one("#hits", LineList).show([hit_item(hit, with_room=not self._here) for hit in hits])
        count = f"{len(hits)}{'+' if len(hits) >= LIMIT else ''} {'hit' if len(hits) == 1 else 'hits'}, newest first"
        said = count if hits else "nothing found" if words.strip() else "type to search"
        self.query_one("#scope", Static).update(Text(f"{scope}: {said}"))

    def action_scope(self) -> None:
        """This room or everywhere."""
        self._here = not self._here and bool(self._room)
        self._find()

    def action_step(self, by: int) -> None:
        """Moves the cursor over the hits."""
        self.query_one("#hits", LineList).action_step(by)

    @on(Input.Submitted)
    def _take(self) -> None:
        """Goes to the hit under the cursor."""
        self._go(self.query_one("#hits", LineList).cursor)

    @on(LineList.Picked)
    def _picked(self, event: LineList.Picked) -> None:
        self._go(event.key)

    def _go(self, key: str) -> None:
        if key in self._hits:
            self.dismiss(Found(self._hits[key], marked_words(self.query_one(Input).value)))
