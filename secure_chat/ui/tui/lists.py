"""A list of lines to choose from, drawn row by row: rooms, members, completions, hits."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from secure_chat.ui.tui import cells
from secure_chat.ui.tui.looks import Look, look_of

__all__ = ["Item", "LineList", "Piece"]

Piece = tuple[str, str]
"""Text and the name of its style."""


@dataclass(frozen=True, slots=True)
class Item:
    """One line; `left` is cut where it would meet `right`, and `right` where it would take more than a third."""

    key: str
    """What it stands for; empty for headings, which can't be chosen."""
    left: tuple[Piece, ...]
    right: tuple[Piece, ...] = ()


class LineList(Widget, can_focus=True):
    """Items with a cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "step(-1)", "Choose", key_display="↑↓"),
        Binding("down,j", "step(1)", "Choose", show=False),
        Binding("pageup", "step(-10)", "Page", show=False),
        Binding("pagedown", "step(10)", "Page", show=False),
        Binding("home", "step(-10000)", "First", show=False),
        Binding("end", "step(10000)", "Last", show=False),
        Binding("enter,space,ctrl+j", "pick", "Open", key_display="Enter"),
    ]

    @dataclass
    class Picked(Message):
        """An item was chosen."""

        list: "LineList"
        key: str

        @property
        def control(self) -> "LineList":
            """For selecting handlers by the list's id."""
            return self.list

    @dataclass
    class Moved(Message):
        """The cursor stands on another item."""

        list: "LineList"
        key: str

        @property
        def control(self) -> "LineList":
            """For selecting handlers by the list's id."""
            return self.list

    def __init__(
        self,
        *,
        id: str | None = None,
        classes: str | None = None,
        surface: str = "surface",
        cursor_always: bool = False,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._cursor_always = cursor_always
        self.marked = ""
        """The key of the item that is open, whatever the cursor does."""
        self._items: Sequence[Item] = ()
        self._cursor = ""
        self._first = 0
        self._surface = surface

    @property
    def items(self) -> Sequence[Item]:
        """What is listed."""
        return self._items

    @property
    def cursor(self) -> str:
        """The key under the cursor, "" if there is none."""
        return self._cursor

    def show(self, items: Sequence[Item], *, marked: str | None = None) -> None:
        """Lists other items; the cursor stays on its key if that is still there."""
        marked = self.marked if marked is None else marked
        if items == self._items and marked == self.marked:
            return
        self.marked = marked
        self._items = items
        if self._cursor not in (keys := self._keys()):
            self._cursor = self.marked if self.marked in keys else next(iter(keys), "")
        self._bring_in()
        self.refresh(layout=self.styles.is_auto_height)

    def put_cursor(self, key: str) -> None:
        """Moves the cursor."""
        if key in self._keys():
            self._cursor = key
            self._bring_in()
            self.refresh()

    @property
    def look(self) -> Look:
        """The app's look."""
        return look_of(self)

    def _keys(self) -> list[str]:
        return [item.key for item in self._items if item.key]

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many rows as items."""
        return len(self._items)

    def render_line(self, y: int) -> Strip:
        """One item."""
        background = getattr(self.look, self._surface)
        index = self._first + y
        width = self.size.width
        if index >= len(self._items):
            return Strip.blank(width, Style(bgcolor=background))
        item = self._items[index]
        under = bool(item.key) and item.key == self._cursor and (self.has_focus or self._cursor_always)
        marked = bool(item.key) and item.key == self.marked
        base = Style(color=self.look.text, bgcolor=self._over(background) if under or marked else background)
        gutter = Segment("▌" if under else "▎" if marked else " ", base + self.look.styles["accent"])
        for_right = max(width - 3 - sum(cells.cell_len(text) for text, _ in item.left), width // 3)
        right = [Segment(text, base + self._style(style)) for text, style in _cut(item.right, for_right) if text]
        room = width - 2 - sum(segment.cell_length for segment in right) - (1 if right else 0)
        left = _cut(item.left, room)
        strip = Strip([gutter, *(Segment(text, base + self._style(style)) for text, style in left)])
        strip = strip.adjust_cell_length(max(width - 1 - sum(segment.cell_length for segment in right), 1), base)
        return Strip([*strip, *right, Segment(" ", base)]).adjust_cell_length(width, base)

    def _over(self, background: str) -> str:
        """What is chosen stands out from its surface."""
        return self.look.raised if background != self.look.raised else self.look.background

    def _style(self, name: str) -> Style:
        return self.look.sender(name[1:]) if name.startswith("@") else self.look.styles[name]

    def _bring_in(self) -> None:
        height = self.size.height
        index = next((i for i, item in enumerate(self._items) if item.key == self._cursor), 0)
        if index < self._first:
            self._first = index if index > 1 else 0
        elif height and index >= self._first + height:
            self._first = index - height + 1
        self._first = max(min(self._first, len(self._items) - height), 0)

    def action_step(self, by: int) -> None:
        """Moves the cursor over what can be chosen."""
        keys = self._keys()
        if not keys:
            return
        index = keys.index(self._cursor) if self._cursor in keys else 0
        self._cursor = keys[min(max(index + by, 0), len(keys) - 1)]
        self._bring_in()
        self.refresh()
        self.post_message(self.Moved(self, self._cursor))

    def action_pick(self) -> None:
        """Chooses what is under the cursor."""
        if self._cursor:
            self.post_message(self.Picked(self, self._cursor))

    def on_click(self, event: events.Click) -> None:
        """Chooses what was clicked."""
        index = self._first + event.y
        if index < len(self._items) and self._items[index].key:
            self._cursor = self._items[index].key
            self.refresh()
            self.post_message(self.Picked(self, self._cursor))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel."""
        self._scroll_by(-2, event)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel."""
        self._scroll_by(2, event)

    def _scroll_by(self, rows: int, event: events.MouseEvent) -> None:
        event.stop()
        self._first = max(min(self._first + rows, len(self._items) - self.size.height), 0)
        self.refresh()

    def on_focus(self) -> None:
        """The cursor shows."""
        self.refresh()

    def on_blur(self) -> None:
        """The cursor hides."""
        self.refresh()

    def on_resize(self) -> None:
        """The cursor stays in sight."""
        self._bring_in()


def _cut(pieces: Sequence[Piece], room: int) -> list[Piece]:
    kept: list[Piece] = []
    for text, style in pieces:
        size = cells.cell_len(text)
        if size > room:
            kept.append((cells.cut(text, room), style))
            break
        kept.append((text, style))
        room -= size
    return kept
