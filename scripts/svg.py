"""Terminal pictures made small, self-contained and the same everywhere.

Textual's pictures name fonts by address and begin texts with spaces that not every viewer keeps.
"""

import re

__all__ = ["tidy"]

CELL = 12.2
"""Width of a cell in Rich's pictures, in SVG units."""
SPACE = "&#160;"

_FONT_FACES = re.compile(r"\s*@font-face \{.*?\}\n", re.DOTALL)
_TEXT = re.compile(r'<text class="([^"]*)" x="([\d.]+)" y="([\d.]+)" textLength="([\d.]+)"[^>]*>(.*?)</text>\n?')
_NAME = re.compile(r"terminal-\d+-")
_FAMILY = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"


def tidy(svg: str, cell: float = CELL) -> str:
    """The picture with local fonts only, fixed names, and no text that begins or ends with a space."""

    def text(match: re.Match[str]) -> str:
        style, x, y, all_of_it, bare = match.groups()
        at, length = float(x), float(all_of_it)
        while bare.startswith(SPACE):
            bare, at = bare.removeprefix(SPACE), at + cell
        while bare.endswith(SPACE):
            bare, length = bare.removesuffix(SPACE), length - cell
        length -= at - float(x)
        return f'<text class="{style}" x="{at:.1f}" y="{y}" textLength="{length:.1f}">{bare}</text>\n' if bare else ""

    svg = _FONT_FACES.sub("\n", svg)
    svg = svg.replace("Fira Code, monospace", _FAMILY).replace("font-family: arial", f"font-family: {_FAMILY}")
    svg = svg.replace("<!-- Generated with Rich https://www.textualize.io -->\n", "")
    svg = _NAME.sub("terminal-", svg)
    return _TEXT.sub(text, svg)
