"""The help: keys by place, signs, commands."""

from rich.text import Text

from secure_chat.ui.slash import UNLISTED
from secure_chat.ui.tui.chat.commands import COMMANDS
from secure_chat.ui.tui.looks import Look

__all__ = ["KEYS", "help_text"]

KEYS: dict[str, tuple[tuple[str, str], ...]] = {
    "Anywhere": (
        ("F1", "this help"),
        ("Ctrl-P", "all commands, by name"),
        ("F6", "to the next pane: input, messages, rooms, people"),
        ("Alt-A", "to the next unread room; mentions first"),
        ("Alt-1 … Alt-9", "to a room of the list"),
        ("Alt-↑ Alt-↓", "to the room above or below"),
        ("Alt-← Alt-→", "back and forward through the rooms visited"),
        ("Ctrl-R", "search; Tab: in this room or everywhere"),
        ("Ctrl-G", "to a day"),
        ("Alt-U", "to the first message that is new since you left"),
        ("F8", "compare safety numbers"),
        ("Alt-I", "an invite link with its QR code"),
        ("Alt-M", "mute the room; again: not"),
        ("F2 F3", "show or hide rooms, people"),
        ("Ctrl-Q", "leave the chat"),
    ),
    "Writing": (
        ("Enter", "send"),
        ("Alt-Enter, Ctrl-J", "a new line"),
        ("Tab", "complete a command, name, #room or :emoji:"),
        ("Ctrl-C Ctrl-Z", "drop what is written, bring it back"),
        ("↑ in an empty input", "correct your last message"),
        ("Esc, Ctrl-↑", "choose a message; or drop the answer you had begun"),
        ("PgUp PgDn", "scroll"),
        ("Ctrl-Home Ctrl-End", "to the oldest, to the newest message"),
    ),
    "On a chosen message": (
        ("↑ ↓", "choose; below the last one you write again"),
        ("r", "answer"),
        ("e", "correct your own"),
        ("+", "react, or take it back"),
        ("c", "copy"),
        ("d", "delete for everybody"),
        ("Enter", "read all of it, or go where it answers to"),
        ("i", "details: time, delivery, id"),
        ("v", "verify who wrote it"),
        ("t x", "send again, or drop, what could not be sent"),
        ("Home End", "the oldest, the newest"),
    ),
}
"""Keys by place; the palette and the user guide say the same."""

_SIGNS = (
    ("…", "waits here to be sent"),
    ("✓", "on the relay's disk"),
    ("✓✓", "decrypted and on disk with everybody"),
    ("read", "seen by everybody who tells"),
    ("✗", "not sent; it says why"),
    ("name ✓", "you have compared safety numbers"),
    ("● ○", "online, offline"),
    ("▐", "a message that names you"),
)


def help_text(look: Look) -> Text:
    """All of it."""
    text = Text()
    for place, keys in KEYS.items():
        text.append(f"{place}\n", look.styles["accent-strong"])
        for key, meaning in keys:
            text.append(f"  {key:<21}", look.styles["strong"])
            text.append(f"{meaning}\n")
        text.append("\n")
    text.append("Signs\n", look.styles["accent-strong"])
    for sign, meaning in _SIGNS:
        text.append(f"  {sign:<21}", look.styles["strong"])
        text.append(f"{meaning}\n")
    text.append("\nCommands\n", look.styles["accent-strong"])
    for slash in (each for name, each in COMMANDS.items() if name not in UNLISTED):
        text.append(f"  {slash.usage}\n", look.styles["strong"])
        text.append(f"      {slash.summary}\n", look.styles["dim"])
    text.append("\nFor screen readers: /plain, or start with --plain.")
    return text
