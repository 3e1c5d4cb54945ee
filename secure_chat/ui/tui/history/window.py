"""The part of a room's history that is in memory: bounded, contiguous, in the order of positions."""

from bisect import bisect_left
from collections.abc import Sequence

from secure_chat.client.views import MessageId, MessageView

__all__ = ["MAX_LINES", "PAGE", "Window"]

PAGE = 100
"""Lines read at a time: several screens, read from the store in about a millisecond."""
MAX_LINES = 600
"""Lines kept: what scrolls far away is read again when it comes back."""


class Window:
    """Lines between two positions of one room; nothing is missing between the first and the last."""

    def __init__(self) -> None:
        self.lines: list[MessageView] = []
        self.at_start = True
        """There is nothing older in the store."""
        self.at_end = True
        """There is nothing newer in the store."""
        self._index: dict[MessageId, int] = {}

    def __len__(self) -> int:
        return len(self.lines)

    def find(self, message: MessageId) -> int | None:
        """Where a message stands."""
        return self._index.get(message)

    def at(self, message: MessageId) -> MessageView | None:
        """A message, if it is here."""
        index = self._index.get(message)
        return None if index is None else self.lines[index]

    def load(self, lines: Sequence[MessageView], *, at_start: bool, at_end: bool) -> None:
        """Another part of the history instead of this one."""
        self.lines = list(lines)
        self.at_start, self.at_end = at_start, at_end
        self._number()

    def put_older(self, lines: Sequence[MessageView], *, at_start: bool) -> int:
        """Lines before the first one; returns how many are new. Lines at the end give way."""
        known = self.lines[0].position if self.lines else 1 << 62
        fresh = [line for line in lines if line.position < known]
        self.lines[:0] = fresh
        self.at_start = at_start
        if len(self.lines) > MAX_LINES:
            del self.lines[MAX_LINES:]
            self.at_end = False
        self._number()
        return len(fresh)

    def put_newer(self, lines: Sequence[MessageView], *, at_end: bool) -> int:
        """Lines after the last one; returns how many at the beginning gave way."""
        known = self.lines[-1].position if self.lines else -1
        self.lines += [line for line in lines if line.position > known]
        self.at_end = at_end
        surplus = max(0, len(self.lines) - MAX_LINES)
        if surplus:
            del self.lines[:surplus]
            self.at_start = False
        self._number()
        return surplus

    def add(self, line: MessageView) -> bool:
        """A line that has just come; False if it belongs after the end of this window, or is known."""
        if line.id in self._index:
            return False
        if not self.lines or line.position > self.lines[-1].position:
            if not self.at_end:
                return False
            self._index[line.id] = len(self.lines)
            self.lines.append(line)
            return True
        if line.position < self.lines[0].position and not self.at_start:
            return False
        self.lines.insert(bisect_left(self.lines, line.position, key=lambda each: each.position), line)
        self._number()
        return True

    def change(self, line: MessageView) -> int | None:
        """A line has changed; returns where it stands now, None if it isn't here."""
        index = self._index.get(line.id)
        if index is None:
            return None
        if self.lines[index].position == line.position:
            self.lines[index] = line
            return index
        del self.lines[index]
        self._number()
        self.add(line)
        return self._index.get(line.id)

    def trim(self) -> int:
        """Lets the oldest lines go once there are far too many; returns how many went."""
        if len(self.lines) <= MAX_LINES + PAGE:
            return 0
        surplus = len(self.lines) - MAX_LINES
        del self.lines[:surplus]
        self.at_start = False
        self._number()
        return surplus

    def _number(self) -> None:
        self._index = {line.id: index for index, line in enumerate(self.lines)}
