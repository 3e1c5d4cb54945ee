"""Colours that can be read."""

import pytest

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
