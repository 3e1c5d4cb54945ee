"""The line above the input: what was just told, what one is answering, who is typing, how far long work is."""

from dataclasses import dataclass

from secure_chat.client.events import Progress
from secure_chat.client.views import MessageId
from secure_chat.ui.tui import cells
from secure_chat.ui.tui.lists import Piece

__all__ = ["Context", "Notices", "progress_pieces"]

NOTICE_MS = 8_000
"""How long something stays that nobody dismissed."""
BAR = 20


@dataclass(frozen=True, slots=True)
class Context:
    """What the next message will be: an answer or a correction."""

    message: MessageId
    edit: bool
    words: str


class Notices:
    """Decides what the one line says; `now` in milliseconds."""

    def __init__(self) -> None:
        self.context: Context | None = None
        self.progress: Progress | None = None
        self.blocked: list[Piece] = []
        """Why nothing can be sent here now."""
        self._notice: list[Piece] = []
        self._until = 0

    def say(self, words: str, now: int, style: str = "text", *, label: str = "") -> None:
        """Tells something for a while."""
        self._notice = [(f" {label} ", f"{style}-label"), (" ", "text")] if label else []
        self._notice.append((cells.line(words), "text" if label else style))
        self._until = now + NOTICE_MS

    def drop(self) -> None:
        """What was told has been seen."""
        self._until = 0

    def pieces(self, now: int, typing: str, below: str) -> tuple[list[Piece], list[Piece]]:
        """What the line says now; `below` hints at what is out of sight."""
        right: list[Piece] = [(below, "accent-strong")] if below else []
        if now < self._until:
            return self._notice, right
        if self.context is not None:
            verb = "Correcting" if self.context.edit else "Answering"
            return [(f"{verb} ", "accent-strong"), (self.context.words, "text"), ("  Esc: no", "dim")], right
        if self.progress is not None:
            return progress_pieces(self.progress), right
        if self.blocked:
            return self.blocked, right
        if typing:
            return [(typing, "dim")], right
        return [], right


def progress_pieces(progress: Progress) -> list[Piece]:
    """A bar, as far as the end is known."""
    task = cells.line(progress.task)
    if not progress.total:
        return [(f"{task}: ", "accent"), (f"{progress.done:,}", "text")]
    part = min(progress.done / progress.total, 1.0)
    full = round(part * BAR)
    return [
        (f"{task} ", "accent"),
        ("█" * full, "accent"),
        ("░" * (BAR - full), "dim"),
        (f" {progress.done:,} of {progress.total:,}", "text"),
    ]
