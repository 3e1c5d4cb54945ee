"""Keys with Alt, as most terminals send them: Escape, and the key.

Textual takes Escape and a digit for the character that Option and the digit make on a Mac (¡ for Alt-1), Escape and
Enter for Enter, and Escape and a letter for ^ and the letter if another sequence follows at once. On terminals with
the kitty protocol it reads all of them rightly.
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
    A = "alt+a"
    I = "alt+i"  # noqa: E741 - the letter is the name
    M = "alt+m"
    U = "alt+u"


def teach() -> None:
    """Has Textual read these keys as what they are."""
    for key in AltKey:
        last = key.value.removeprefix("alt+")
        sequence = "\x1b" + ("\r" if key is AltKey.ENTER else last)
        ANSI_SEQUENCES_KEYS[sequence] = (key,)  # type: ignore[index] # a Mapping for readers, a dict in fact
