"""Pictures of the screen, compared with those that somebody looked at and found good.

What differs from run to run (times, codes, links, QR codes) is masked. `UPDATE_PICTURES=1` writes new pictures: look
at them before committing them.
"""

import os
import re
from pathlib import Path

from svg import tidy

__all__ = ["compare", "mask"]

FOLDER = Path(__file__).parent / "snapshots"

_TEXT = re.compile(r'<text class="[^"]*" x="([\d.]+)" y="([\d.]+)"[^>]*>(.*?)</text>')
_CODE_ROW = re.compile(r"<text [^>]*>(?:[▀▄█]|&#160;)+</text>\n?")
_LINK_ROW = re.compile(r"<text [^>]*>(?:[\w:/#-]+\.[\w.:/#-]*|[\w-]{14,})</text>\n?")
_MASKS = (
    (re.compile(r"\b\d{5}\b"), "00000"),
    (re.compile(r"^\d{1,4}(?=&#160;00000)"), "00000"),
    (re.compile(r"epoch&#160;\d+"), "epoch&#160;0"),
)


def mask(svg: str) -> str:
    """Without what differs from run to run."""
    svg = _LINK_ROW.sub("", _CODE_ROW.sub("", tidy(svg)))

    def text(match: re.Match[str]) -> str:
        words = match[3]
        for pattern, instead in _MASKS:
            words = pattern.sub(instead, words)
        return match[0].replace(f">{match[3]}<", f">{words}<")

    return re.sub(r' textLength="[\d.]+"', "", _TEXT.sub(text, svg))


def compare(name: str, svg: str, folder: Path) -> None:
    """Fails if the picture is another one than the stored; the new one then lies in `folder`."""
    picture = mask(svg)
    stored = FOLDER / f"{name}.svg"
    if os.environ.get("UPDATE_PICTURES"):
        stored.write_text(picture, encoding="utf-8")
        return
    assert stored.exists(), f"there is no picture {name}: make it with UPDATE_PICTURES=1 and look at it"
    expected = stored.read_text(encoding="utf-8")
    if picture != expected:
        found = folder / f"{name}.svg"
        found.write_text(picture, encoding="utf-8")
        raise AssertionError(f"{name} looks different, see {found}\n{_first_difference(expected, picture)}")


def _first_difference(expected: str, picture: str) -> str:
    for number, (old, new) in enumerate(zip(expected.splitlines(), picture.splitlines(), strict=False), 1):
        if old != new:
            return f"line {number}\n- {old}\n+ {new}"
    return "one is longer than the other"
