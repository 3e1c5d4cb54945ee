"""From messages to rows of cells: grouped runs, quotes, reactions, delivery states, day lines, notices.

A row is a `Strip` of exactly the given width. All text of peers goes through `cells` before it is measured.
"""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from secure_chat.client.views import DeliveryState, MessageId, MessageKind, MessageView, Trust
from secure_chat.ui.presenter import clock, day
from secure_chat.ui.tui import cells
from secure_chat.ui.tui.looks import Look

__all__ = ["MAX_ROWS", "Layout", "Surroundings", "same_day"]

MAX_ROWS = 24
"""Rows of one message in the room; the rest is read by opening it."""
RUN_MS = 5 * 60_000
"""Messages of one person within five minutes stand under one name."""
OUTER = 1
"""Column of names, quotes, reactions and notices: what this program says."""
INNER = 3
"""Column of what people wrote: further in, so that no text can pass itself off as a name or a notice."""
MARGIN = 7
"""Cells at the right for the delivery state."""
PASSING = frozenset({"joined", "accepted", "left"})
"""Notices that are folded together."""

_STATE_MARKS = {
    DeliveryState.QUEUED: ("…", "dim"),
    DeliveryState.SENT: ("✓", "dim"),
    DeliveryState.DELIVERED: ("✓✓", "dim"),
    DeliveryState.READ: ("read", "good"),
    DeliveryState.FAILED: ("✗", "bad-strong"),
    DeliveryState.RECEIVED: ("", "dim"),
}
_LINK = re.compile(r"(?:https?|secure-chat)://[^\s<>\"']+")
_Piece = tuple[str, Style]


@dataclass(slots=True)
class Surroundings:
    """What the look of a message depends on besides itself."""

    own_handle: str
    """Empty until it is known."""
    trust: Callable[[str, str], Trust]
    """(account, handle) → what is known of the key."""
    quoted: Callable[[MessageId], MessageView | None]
    spoke: Callable[[str], bool]
    """Whether somebody of this name has said something: then comings and goings are not folded."""
    unread_at: MessageId = ""
    """The first message that is new since the user left; a line stands before it."""
    unread: int = 0
    hits: tuple[str, ...] = ()
    """Beginnings of words to be marked, lower case."""
    _hit: re.Pattern[str] | None = field(default=None, init=False)
    _own: re.Pattern[str] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.mark(self.hits)
        own = re.escape(self.own_handle)
        self._own = re.compile(rf"(?<![\w.-])@?{own}(?![\w-])", re.IGNORECASE) if own else None

    def mark(self, hits: tuple[str, ...]) -> None:
        """Other words to be marked."""
        self.hits = hits
        self._hit = re.compile(rf"\b(?:{'|'.join(map(re.escape, hits))})\w*", re.IGNORECASE) if hits else None

    def names_user(self, text: str) -> bool:
        """Whether a text names the user."""
        return self._own is not None and self._own.search(text) is not None

    def spans(self, text: str) -> Iterator[tuple[int, int, str]]:
        """Parts of a row that look different: (start, end, style), in order, without overlap."""
        found = [(match.start(), match.end(), "link") for match in _LINK.finditer(text)]
        if self._own is not None:
            found += [(match.start(), match.end(), "named") for match in self._own.finditer(text)]
        if self._hit is not None:
            found = [(match.start(), match.end(), "hit") for match in self._hit.finditer(text)] + found
        end = 0
        taken: list[tuple[int, int, str]] = []
        for span in found:
            if all(span[1] <= other[0] or span[0] >= other[1] for other in taken):
                taken.append(span)
        for span in sorted(taken):
            if span[0] >= end:
                yield span
                end = span[1]


def same_day(one: int, other: int) -> bool:
    """Whether two moments (milliseconds) fall on one day here."""
    return time.localtime(one / 1000)[:3] == time.localtime(other / 1000)[:3]


class Layout:
    """Makes rows of one width in one look."""

    def __init__(self, look: Look, width: int, around: Surroundings, *, compact: bool) -> None:
        self.look = look
        self.width = max(width, 12)
        self.compact = compact
        self._around = around
        self._styles = look.styles

    def block(self, lines: Sequence[MessageView], index: int) -> tuple[list[Strip], int]:
        """The rows of one line of history with what stands before it, and how many those are."""
        message = lines[index]
        before = lines[index - 1] if index else None
        rows: list[Strip] = []
        if before is None or not same_day(before.time, message.time):
            rows.append(self._rule(day(message.time), "dim"))
        if message.id == self._around.unread_at:
            count = self._around.unread
            rows.append(self._rule(f"{count} new since you left" if count else "new since you left", "accent-strong"))
        if message.kind is MessageKind.NOTICE:
            return rows + self._notices(lines, index), len(rows)
        if message.kind in (MessageKind.GAP, MessageKind.SECURITY):
            return rows + self._warning(message), len(rows)
        starts = bool(rows) or before is None or not _continues(before, message)
        mention = self._mentions(message)
        body = self._body(message, starts)
        if starts and not self.compact and before is not None and not rows:
            rows.append(self._strip([]))
        lead = len(rows)
        background = Style(bgcolor=self.look.mention) if mention else None
        rows += [self._strip(pieces, right, background, gutter="▐" if mention else " ") for pieces, right in body]
        return rows, lead

    # --- one message

    def _mentions(self, message: MessageView) -> bool:
        others = message.state is DeliveryState.RECEIVED and not message.deleted
        return others and self._around.names_user(message.text)

    def _body(self, message: MessageView, starts: bool) -> list[tuple[list[_Piece], list[_Piece]]]:
        style = self._styles
        rows: list[tuple[list[_Piece], list[_Piece]]] = []
        head = self._head(message) if starts else []
        if head and not self.compact:
            rows.append((head, []))
            head = []
        if message.reply_to is not None:
            rows.append((self._quote(message.reply_to), []))
        space = self.width - INNER - MARGIN
        text_rows, more = self._text_rows(message, space, head)
        base = style["dim"] if message.deleted or message.kind is MessageKind.UNKNOWN else style["text"]
        for number, row in enumerate(text_rows):
            pieces = [*head, (" ", base)] if head and number == 0 else [(" " * (INNER - OUTER), base)]
            rows.append((pieces + self._marked(row, base), []))
        if more:
            rows.append(([(f"… {more}: press Enter on it to read all", style["accent"])], []))
        if message.reactions:
            rows += [(pieces, []) for pieces in self._reactions(message, space)]
        right = self._state(message)
        if right:
            rows[-1] = (rows[-1][0], right)
        if message.state is DeliveryState.FAILED:
            reason = cells.cut(cells.line(message.detail or "no reason is known"), max(space - 12, 8))
            rows.append(([("not sent: ", style["bad-strong"]), (reason, style["bad"])], []))
        return rows

    def _head(self, message: MessageView) -> list[_Piece]:
        style = self._styles
        own = message.state is not DeliveryState.RECEIVED
        name = message.sender or "?"
        pieces: list[_Piece] = [(cells.cut(name, self.width - 14), self.look.sender(message.account))]
        trust = Trust.SELF if own else self._around.trust(message.account, message.sender)
        if trust is Trust.VERIFIED:
            pieces.append((" ✓", style["good"]))
        elif trust is Trust.CHANGED:
            pieces += [(" ", style["text"]), (" KEY CHANGED ", style["bad-label"])]
        elif own:
            pieces.append((" (you)", style["dim"]))
        when = (clock(message.time), style["dim"])
        return [when, (" ", style["dim"]), *pieces] if self.compact else [*pieces, ("  ", style["dim"]), when]

    def _text_rows(self, message: MessageView, space: int, head: list[_Piece]) -> tuple[list[str], str]:
        if message.deleted:
            text = "(deleted)"
        elif message.kind is MessageKind.UNKNOWN:
            text = f"(something that this version can't show) {cells.paragraphs(message.text)}"
        else:
            text = cells.paragraphs(message.text)
        if message.edited and not message.deleted:
            text += " (edited)"
        first = space + INNER - OUTER - sum(cells.cell_len(piece) for piece, _ in head) - 1 if head else space
        rows = cells.wrap(text, space, first, limit=MAX_ROWS)
        if len(rows) <= MAX_ROWS:
            return rows, ""
        return rows[: MAX_ROWS - 1], f"{len(text):,} characters in all"

    def _marked(self, row: str, base: Style) -> list[_Piece]:
        pieces: list[_Piece] = []
        end = 0
        for start, stop, name in self._around.spans(row):
            pieces += [(row[end:start], base), (row[start:stop], self._styles[name])]
            end = stop
        tail = row[end:]
        if tail.endswith("(edited)"):
            return [*pieces, (tail[:-8], base), ("(edited)", self._styles["dim"])]
        return [*pieces, (tail, base)]

    def _quote(self, reply_to: MessageId) -> list[_Piece]:
        style = self._styles
        quoted = self._around.quoted(reply_to)
        if quoted is None:
            return [("│ ", style["dim"]), ("a message that is not here", style["quote"])]
        said = "(deleted)" if quoted.deleted else cells.line(quoted.text)
        left = self.width - OUTER - MARGIN - 4 - cells.cell_len(quoted.sender)
        return [
            ("│ ", self.look.sender(quoted.account)),
            (cells.cut(f"{quoted.sender}: ", self.width // 2), self.look.sender(quoted.account)),
            (cells.cut(said, max(left, 8)), style["quote"]),
        ]

    def _reactions(self, message: MessageView, space: int) -> list[list[_Piece]]:
        rows: list[list[_Piece]] = [[]]
        used = 0
        for reaction in message.reactions:
            emoji = cells.cut(cells.line(reaction.emoji), 8) or "?"
            names = ", ".join(reaction.handles) if len(reaction.handles) <= 3 else str(len(reaction.handles))
            chip = cells.cut(f" {emoji} {names} ", max(space - 1, 4))
            size = cells.cell_len(chip) + 1
            if used + size > space and rows[-1]:
                rows.append([])
                used = 0
            rows[-1] += [(chip, self._styles["chip"]), (" ", self._styles["text"])]
            used += size
        return rows

    def _state(self, message: MessageView) -> list[_Piece]:
        mark, style = _STATE_MARKS[message.state]
        return [(mark, self._styles[style])] if mark else []

    # --- what is no message of a person

    def _notices(self, lines: Sequence[MessageView], index: int) -> list[Strip]:
        """Comings and goings of people who never spoke are one line, drawn with the first of them."""
        if not self._folds(lines[index]):
            return self._notice(cells.line(lines[index].text), lines[index].time)
        if index and self._folds(lines[index - 1]) and same_day(lines[index - 1].time, lines[index].time):
            return []
        went: dict[str, list[str]] = {}
        for message in lines[index:]:
            if not self._folds(message) or not same_day(message.time, lines[index].time):
                break
            name = message.sender or cells.line(message.text).split(" ")[0]
            for names in went.values():
                if name in names:
                    names.remove(name)
            went.setdefault("left" if message.detail == "left" else "joined", []).append(name)
        parts = [f"{_some(names)} {verb}" for verb, names in went.items() if names]
        return self._notice(" · ".join(parts), lines[index].time)

    def _folds(self, message: MessageView) -> bool:
        return (
            message.kind is MessageKind.NOTICE
            and message.detail in PASSING
            and not self._around.spoke(message.sender)
            and message.sender != self._around.own_handle
            and message.id != self._around.unread_at
        )

    def _notice(self, text: str, moment: int) -> list[Strip]:
        style = self._styles["dim"]
        rows = cells.wrap(text, self.width - OUTER - 10, limit=3)[:3]
        first, *rest = rows
        return [
            self._strip([("· ", style), (first, style), (f"  {clock(moment)}", style)]),
            *(self._strip([("  ", style), (row, style)]) for row in rest),
        ]

    def _warning(self, message: MessageView) -> list[Strip]:
        gap = message.kind is MessageKind.GAP
        label, style = (" gap ", "warning") if gap else (" security ", "bad")
        who = f"{message.sender}: " if message.sender and not message.text.startswith(message.sender) else ""
        space = self.width - OUTER - len(label) - 8
        rows = cells.wrap(who + cells.line(message.text), max(space, 8), limit=MAX_ROWS)[:MAX_ROWS]
        strips = []
        for number, row in enumerate(rows):
            head = (label, self._styles[f"{style}-label"]) if number == 0 else (" " * len(label), self._styles["text"])
            tail = [(f"  {clock(message.time)}", self._styles["dim"])] if number == 0 else []
            strips.append(self._strip([head, (" ", self._styles["text"]), (row, self._styles[style]), *tail]))
        return strips

    # --- rows

    def _rule(self, words: str, style: str) -> Strip:
        words = f" {cells.cut(words, self.width - 8)} "
        left = max((self.width - cells.cell_len(words)) // 2, 0)
        right = max(self.width - left - cells.cell_len(words), 0)
        line = "━" if style != "dim" else "─"
        ink = self.look.plain + self._styles[style]
        return Strip([Segment(line * left + words + line * right, ink)], self.width)

    def _strip(
        self,
        pieces: Sequence[_Piece],
        right: Sequence[_Piece] = (),
        background: Style | None = None,
        gutter: str = " ",
    ) -> Strip:
        base = self.look.plain if background is None else self.look.plain + background
        segments = [Segment(gutter, base + self._styles["named"])]
        segments += [Segment(text, base + style) for text, style in pieces if text]
        strip = Strip(segments)
        if right:
            marks = [Segment(text, base + style) for text, style in right]
            room = self.width - sum(segment.cell_length for segment in marks) - 1
            strip = Strip([*strip.adjust_cell_length(room, base), *marks])
        return strip.adjust_cell_length(self.width, base)


def _continues(before: MessageView, message: MessageView) -> bool:
    return (
        before.kind in (MessageKind.TEXT, MessageKind.UNKNOWN)
        and before.account == message.account
        and before.sender == message.sender
        and 0 <= message.time - before.time < RUN_MS
    )


def _some(names: Sequence[str]) -> str:
    shown = [cells.cut(name, 24) for name in names[:3]]
    if len(names) > 3:
        shown.append(f"{len(names) - 3} more")
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
