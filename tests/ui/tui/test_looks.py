"""Colours that can be read."""

import pytest
from rich.color import Color, ColorSystem

from secure_chat.ui.tui.looks import CONTRAST, LOOKS, Look


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """From 1 to 21."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_every_text_stands_out_from_its_background(look: Look) -> None:
    """4.5 : 1 everywhere, 7 : 1 in the high-contrast look."""
    least = 7.0 if look is CONTRAST else 4.5
    inks = [look.text, look.dim, look.accent, look.good, look.warning, look.bad, *look.senders]
    for ink in inks:
        assert contrast(ink, look.background) >= least, (ink, contrast(ink, look.background))
        assert contrast(ink, look.surface) >= least, (ink, contrast(ink, look.surface))
    for ink in (look.text, look.accent, look.warning, look.dim):
        assert contrast(ink, look.raised) >= 3.0, (ink, contrast(ink, look.raised))
    assert contrast(look.text, look.raised) >= least
    assert contrast(look.text, look.mark) >= least
    assert contrast(look.text, look.mention) >= least
    for back in (look.accent, look.bad, look.warning):
        assert contrast(look.background, back) >= least


def test_an_account_keeps_its_colour() -> None:
    """The same in every room and run; junk has one, too."""
    for look in LOOKS.values():
        assert look.sender("0a" * 32) == look.sender("0a" * 32)
        colours = {look.sender(f"{number:08x}" + "0" * 56).color for number in range(200)}
        assert len(colours) == len(set(look.senders))
        assert look.sender("not hex").bold


def in_256(colour: str) -> str:
    """What a terminal with 256 colours shows."""
    red, green, blue = Color.parse(colour).downgrade(ColorSystem.EIGHT_BIT).get_truecolor()
    return f"#{red:02x}{green:02x}{blue:02x}"


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_256_colours_are_enough(look: Look) -> None:
    """Every text can still be read, surfaces stay without a hue, and people's colours stay apart."""
    surfaces = [in_256(each) for each in (look.background, look.surface, look.raised)]
    assert all(len({each[1:3], each[3:5], each[5:7]}) == 1 for each in surfaces), surfaces
    for ink in (look.text, look.dim, look.accent, look.good, look.warning, look.bad, *look.senders):
        for surface in surfaces[:2]:
            assert contrast(in_256(ink), surface) >= 4.4, (ink, in_256(ink), surface)
    assert contrast(in_256(look.text), surfaces[2]) >= 4.5
    assert len({in_256(each) for each in look.senders}) >= len(look.senders) - 2
