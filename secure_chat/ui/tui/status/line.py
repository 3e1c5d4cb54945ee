"""A widget of one row, drawn from pieces of text; where it may, it grows for what would not fit."""

from collections.abc import Sequence

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.strip import Strip
from textual.widget import Widget

from secure_chat.ui.tui import cells
from secure_chat.ui.tui.lists import Piece
from secure_chat.ui.tui.looks import Look, look_of

__all__ = ["OneLine"]


class OneLine(Widget):
    """Text at the left, text at the right; pieces at the right give way, unless they are what matters.

    With more than one of `rows` the last piece at the left is wrapped: what went wrong is read to its end.
    """

    def __init__(
        self, *, id: str | None = None, surface: str = "surface", right_first: bool = False, rows: int = 1
    ) -> None:
        super().__init__(id=id)
        self._rows = rows
        self._surface = surface
        self._right_first = right_first
        self._left: Sequence[Piece] = ()
        self._right: Sequence[Piece] = ()

    def show(self, left: Sequence[Piece], right: Sequence[Piece] = ()) -> None:
        """Other text; drawn only if it differs."""
        if (left, right) != (self._left, self._right):
            self._left, self._right = left, right
            self.refresh(layout=self._rows > 1 and len(self._wrapped(self.size.width)) != self.size.height)

    @property
    def words(self) -> str:
        """What it says, in full."""
        return "".join(text for text, _ in [*self._left, *self._right])

    @property
    def look(self) -> Look:
        """The app's look."""
        return look_of(self)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many rows as what it says takes."""
        return len(self._wrapped(width))

    def _wrapped(self, width: int) -> list[Sequence[Piece]]:
        """The pieces at the left, row by row."""
        if self._rows == 1 or not self._left:
            return [self._left]
        *lead, (text, style) = self._left
        indent = sum(cells.cell_len(each) for each, _ in lead)
        first = width - 3 - indent - sum(cells.cell_len(each) for each, _ in self._right)
        if cells.cell_len(text) <= first:
            return [self._left]
        rows = cells.wrap(text, width - 2 - indent, first, limit=self._rows)
        rest: list[Sequence[Piece]] = [[(" " * indent + row, style)] for row in rows[1 : self._rows]]
        return [[*lead, (rows[0], style)], *rest]

    def render_line(self, y: int) -> Strip:
        """The row."""
        width = self.size.width
        base = Style(color=self.look.text, bgcolor=getattr(self.look, self._surface))
        rows = self._wrapped(width)
        if y >= len(rows):
            return Strip.blank(width, base)
        if y:
            said = [Segment(" ", base), *(self._segment(piece, base) for piece in rows[y])]
            return Strip(said).adjust_cell_length(width, base)
        return self._first_row(rows[0], width, base)

    def _first_row(self, pieces: Sequence[Piece], width: int, base: Style) -> Strip:
        right = list(self._right)
        left_size = 3 + sum(cells.cell_len(text) for text, _ in pieces)
        while right and not self._right_first and left_size + sum(cells.cell_len(text) for text, _ in right) > width:
            right.pop(0)
        left = [Segment(" ", base), *(self._segment(piece, base) for piece in pieces)]
        tail = [*(self._segment(piece, base) for piece in right), Segment(" ", base)]
        room = width - sum(segment.cell_length for segment in tail)
        strip = Strip(left)
        if strip.cell_length > room:
            strip = Strip([*strip.crop(0, max(room - 1, 0)), Segment("…", base)])
        return Strip([*strip.adjust_cell_length(max(room, 0), base), *tail]).adjust_cell_length(width, base)

    def _segment(self, piece: Piece, base: Style) -> Segment:
        text, style = piece
        return Segment(text, base + (self.look.sender(style[1:]) if style.startswith("@") else self.look.styles[style]))
