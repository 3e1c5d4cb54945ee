"""Inputs of one line whose keys show in the footer.

Their keys are bound here and not, with priority, at the screen: so Enter comes after what was typed before it, however
fast that was.
"""

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widgets import Input

__all__ = ["Field", "ListField"]


class Field(Input):
    """Enter hands it in, also one that was typed before the screen was there: the terminal made a line feed of it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,ctrl+j", "submit", "OK", key_display="⏎")]


class ListField(Field):
    """An input above a list: the arrows move in the list."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "screen.step(-1)", "Choose", key_display="↑↓"),
        Binding("down", "screen.step(1)", "Choose", show=False),
        Binding("pageup", "screen.step(-10)", "Page", show=False),
        Binding("pagedown", "screen.step(10)", "Page", show=False),
    ]
