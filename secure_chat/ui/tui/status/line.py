"""A widget of one row, drawn from pieces of text."""

from collections.abc import Sequence

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from secure_chat.ui.tui import cells
from secure_chat.ui.tui.lists import Piece
from secure_chat.ui.tui.looks import Look, look_of

__all__ = ["OneLine"]


class OneLine(Widget):
    """Text at the left, text at the right; pieces at the right give way, unless they are what matters."""

    def __init__(self, *, id: str | None = None, surface: str = "surface", right_first: bool = False) -> None:
        super().__init__(id=id)
        self._surface = surface
        self._right_first = right_first
        self._left: Sequence[Piece] = ()
        self._right: Sequence[Piece] = ()

    def show(self, left: Sequence[Piece], right: Sequence[Piece] = ()) -> None:
        """Other text; drawn only if it differs."""
        if (left, right) != (self._left, self._right):
            self._left, self._right = left, right
            self.refresh()

    @property
    def words(self) -> str:
        """What it says, in full."""
        return "".join(text for text, _ in [*self._left, *self._right])

    @property
    def look(self) -> Look:
        """The app's look."""
        return look_of(self)

    def render_line(self, y: int) -> Strip:
        """The row."""
        width = self.size.width
        base = Style(color=self.look.text, bgcolor=getattr(self.look, self._surface))
        if y:
            return Strip.blank(width, base)
        right = list(self._right)
        left_size = 3 + sum(cells.cell_len(text) for text, _ in self._left)
        while right and not self._right_first and left_size + sum(cells.cell_len(text) for text, _ in right) > width:
            right.pop(0)
        left = [Segment(" ", base), *(self._segment(piece, base) for piece in self._left)]
        tail = [*(self._segment(piece, base) for piece in right), Segment(" ", base)]
        room = width - sum(segment.cell_length for segment in tail)
        strip = Strip(left)
        if strip.cell_length > room:
            strip = Strip([*strip.crop(0, max(room - 1, 0)), Segment("…", base)])
        return Strip([*strip.adjust_cell_length(max(room, 0), base), *tail]).adjust_cell_length(width, base)

    def _segment(self, piece: Piece, base: Style) -> Segment:
        text, style = piece
        return Segment(text, base + (self.look.sender(style[1:]) if style.startswith("@") else self.look.styles[style]))
