"""Alt with a digit or with Enter, as most terminals send them.

A terminal sends Escape and the key. Textual takes Escape and a digit for the character that Option and the digit make
on a Mac (¡ for Alt-1), and Escape and Enter for Enter; on terminals with the kitty protocol it reads both rightly.
"""

from enum import Enum

from textual._ansi_sequences import ANSI_SEQUENCES_KEYS

__all__ = ["AltKey", "teach"]


class AltKey(Enum):
    """Names of keys, as bindings use them."""

    ENTER = "alt+enter"
    ONE = "alt+1"
    TWO = "alt+2"
    THREE = "alt+3"
    FOUR = "alt+4"
    FIVE = "alt+5"
    SIX = "alt+6"
    SEVEN = "alt+7"
    EIGHT = "alt+8"
    NINE = "alt+9"


def teach() -> None:
    """Has Textual read these keys as what they are."""
    for key in AltKey:
        last = key.value.removeprefix("alt+")
        sequence = "\x1b" + ("\r" if key is AltKey.ENTER else last)
        ANSI_SEQUENCES_KEYS[sequence] = (key,)  # type: ignore[index] # a Mapping for readers, a dict in fact
