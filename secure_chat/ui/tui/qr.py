"""QR codes on screen: black on white whatever the look, two modules a cell."""

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.strip import Strip
from textual.widget import Widget

__all__ = ["QUIET", "CodeView", "code_rows"]

QUIET = 2
"""Light modules around the code: half of what the standard asks for, which scanners take on a screen."""
_INK = Style(color="#000000", bgcolor="#ffffff")
_BLOCKS = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}


def code_rows(text: str, quiet: int = QUIET) -> list[str]:
    """The code as rows of half blocks, dark where a block is; fewest rows come of digits, then of upper case."""
    import segno  # 36 ms: only where a code is shown

    code = segno.make(text, error="l", boost_error=False, micro=False)
    modules = [[bool(module) for module in row] for row in code.matrix_iter(border=quiet)]
    if len(modules) % 2:
        modules.append([False] * len(modules[0]))
    return [
        "".join(_BLOCKS[pair] for pair in zip(upper, lower, strict=True))
        for upper, lower in zip(modules[::2], modules[1::2], strict=True)
    ]


class CodeView(Widget):
    """One code, as large as it is."""

    def __init__(self, text: str, *, quiet: int = QUIET) -> None:
        super().__init__()
        self.rows = code_rows(text, quiet)

    def get_content_width(self, container: Size, viewport: Size) -> int:
        """A cell a module."""
        return len(self.rows[0])

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Half a cell a module."""
        return len(self.rows)

    def render_line(self, y: int) -> Strip:
        """A row of blocks."""
        if y >= len(self.rows):
            return Strip.blank(self.size.width, _INK)
        return Strip([Segment(self.rows[y], _INK)], len(self.rows[y])).crop(0, self.size.width)
