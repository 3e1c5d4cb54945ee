"""Colours: three looks, and the styles that the drawn widgets take from them.

Nothing is said by colour alone: every state also has a word or a sign. Every text colour has at least 4.5 : 1 against
its background (the high-contrast look 7 : 1), which a test computes.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

from rich.style import Style
from textual.theme import Theme
from textual.widget import Widget

__all__ = ["CONTRAST", "DAY", "LOOKS", "NIGHT", "Look", "look_of"]


@dataclass(frozen=True)
class Look:
    """One set of colours."""

    name: str
    dark: bool
    background: str
    surface: str
    """Side panels, status line."""
    raised: str
    """What is chosen, dialogs."""
    text: str
    dim: str
    accent: str
    good: str
    warning: str
    bad: str
    mark: str
    """Background of search hits."""
    mention: str
    """Background of lines that name the user."""
    senders: tuple[str, ...]
    """By account."""

    @cached_property
    def theme(self) -> Theme:
        """For Textual."""
        return Theme(
            name=self.name,
            primary=self.accent,
            secondary=self.good,
            accent=self.accent,
            success=self.good,
            warning=self.warning,
            error=self.bad,
            foreground=self.text,
            background=self.background,
            surface=self.surface,
            panel=self.raised,
            boost=self.raised,
            dark=self.dark,
            luminosity_spread=0.1,
            variables={
                "dim": self.dim,
                "raised": self.raised,
                "on-accent": self.background,
                "block-cursor-background": self.accent,
                "block-cursor-foreground": self.background,
                "block-cursor-text-style": "bold",
                "block-cursor-blurred-background": self.raised,
                "block-cursor-blurred-foreground": self.text,
                "block-hover-background": self.raised,
                "input-cursor-background": self.text,
                "input-cursor-foreground": self.background,
                "input-selection-background": f"{self.accent} 35%",
                "border": self.accent,
                "border-blurred": self.dim,
                "scrollbar": self.dim,
                "scrollbar-background": self.background,
                "scrollbar-hover": self.accent,
                "scrollbar-active": self.accent,
                "scrollbar-corner-color": self.background,
                "scrollbar-background-hover": self.background,
                "scrollbar-background-active": self.background,
                "footer-background": self.surface,
            },
        )

    @cached_property
    def plain(self) -> Style:
        """Ordinary text."""
        return Style(color=self.text, bgcolor=self.background)

    @cached_property
    def styles(self) -> dict[str, Style]:
        """Foreground styles by name; backgrounds come from where they are drawn."""
        return {
            "text": Style(color=self.text),
            "strong": Style(color=self.text, bold=True),
            "dim": Style(color=self.dim),
            "accent": Style(color=self.accent),
            "accent-strong": Style(color=self.accent, bold=True),
            "good": Style(color=self.good),
            "warning": Style(color=self.warning),
            "warning-label": Style(color=self.background, bgcolor=self.warning, bold=True),
            "bad": Style(color=self.bad),
            "bad-strong": Style(color=self.bad, bold=True),
            "bad-label": Style(color=self.background, bgcolor=self.bad, bold=True),
            "accent-label": Style(color=self.background, bgcolor=self.accent, bold=True),
            "quote": Style(color=self.dim, italic=True),
            "link": Style(color=self.accent, underline=True),
            "hit": Style(color=self.text, bgcolor=self.mark, bold=True, underline=True),
            "named": Style(color=self.warning, bold=True),
            "chip": Style(color=self.text, bgcolor=self.raised),
            "key": Style(color=self.accent, bold=True),
        }

    def sender(self, account: str) -> Style:
        """The colour of an account, always the same one."""
        try:
            number = int(account[:8], 16)
        except ValueError:
            number = 0
        return Style(color=self.senders[number % len(self.senders)], bold=True)


NIGHT: Final = Look(
    name="night",
    dark=True,
    background="#10141a",
    surface="#1a1d22",
    raised="#282d35",
    text="#e0e3e7",
    dim="#8c98a9",
    accent="#6cb6ff",
    good="#6fdc9a",
    warning="#f0c052",
    bad="#ff8a80",
    mark="#5b4a12",
    mention="#2a2718",
    senders=(
        "#6cb6ff", "#f69d50", "#8ddb8c", "#dcbdfb", "#ff938a", "#5fd7d7", "#f0c052", "#ff9ed2", "#a5b4fc", "#c3d66b",
    ),
)  # fmt: skip
DAY: Final = Look(
    name="day",
    dark=False,
    background="#fbfbfa",
    surface="#f0f1f3",
    raised="#dde3ea",
    text="#1c2733",
    dim="#566270",
    accent="#0a5bb5",
    good="#10683a",
    warning="#7d4e00",
    bad="#b3261e",
    mark="#ffe08a",
    mention="#fff6d8",
    senders=(
        "#0a5bb5", "#8f4000", "#1f6e2c", "#6a3fb5", "#b3261e", "#006a70", "#7d5200", "#a62a75", "#3f51b5", "#4f6310",
    ),
)  # fmt: skip
CONTRAST: Final = Look(
    name="contrast",
    dark=True,
    background="#000000",
    surface="#000000",
    raised="#3a3a3a",
    text="#ffffff",
    dim="#d0d0d0",
    accent="#ffff5f",
    good="#7dff7d",
    warning="#ffd75f",
    bad="#ffb0b0",
    mark="#4f4f00",
    mention="#2e2e00",
    senders=("#87d7ff", "#ffd787", "#87ff87", "#ffafff", "#ffff87", "#87ffff"),
)

LOOKS: Final[dict[str, Look]] = {look.name: look for look in (NIGHT, DAY, CONTRAST)}
"""By name."""


def look_of(widget: Widget) -> Look:
    """The look that the widget's app shows now."""
    looks: dict[str, Look] = getattr(widget.app, "looks", LOOKS)
    return looks.get(widget.app.theme, NIGHT)
