"""What the verification screens say."""

from collections.abc import Sequence

from secure_chat.client.views import SafetyNumberView, Trust
from secure_chat.ui.presenter import trust_words

__all__ = ["different_lines", "groups", "intro_lines", "question"]


def groups(number: str, per_row: int) -> list[str]:
    """The safety number in rows of so many groups."""
    parts = number.split()
    return ["  ".join(parts[i : i + per_row]) for i in range(0, len(parts), per_row)]


def intro_lines(view: SafetyNumberView, own: str) -> list[str]:
    """What to do."""
    state = "" if view.trust is Trust.FIRST_USE else f"Now: {trust_words(view.trust)}."
    return [
        f"Ask {view.handle} to press F8 on your name ({own}), side by side or on the phone, and read the digits aloud.",
        *([state] if state else []),
    ]


def question(handle: str, *, agreed: bool) -> str:
    """What is asked, before and after "same"."""
    if agreed:
        return f"All twelve groups? Then F8 marks {handle} as verified; another key takes it back."
    return "Are all digits the same on both screens?"


def different_lines(handle: str) -> Sequence[str]:
    """What to do when the numbers differ."""
    return (
        f"Don't write anything secret to {handle} now.",
        "",
        f"1. Look again, both of you: is it {handle}'s name on this screen and your name on the other? All 60 digits?",
        f"2. Compare in another way: meet, or call on a number you have long known. Don't ask {handle} in this chat: "
        "whoever sits between you would answer.",
        "3. If they still differ, somebody may be reading along. Tell whoever runs the server, and use another way.",
        "",
        f"{handle} is marked as not verified.",
    )
