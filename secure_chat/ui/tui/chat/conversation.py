"""The open room: which part of its history is in the window, and how it is moved there."""

import asyncio
from collections.abc import Sequence

from secure_chat.client.errors import CommandFailed
from secure_chat.client.events import FailureCode
from secure_chat.client.queries import GetHistory, GetMessage
from secure_chat.client.views import DeliveryState, MessageId, MessageKind, MessageView, RoomId, RoomView
from secure_chat.ui.tui.chat.desk import Changes, Desk
from secure_chat.ui.tui.history.layout import Surroundings
from secure_chat.ui.tui.history.view import HistoryView
from secure_chat.ui.tui.history.window import MAX_LINES, PAGE

__all__ = ["Conversation"]

AROUND = PAGE // 2
"""Lines before and after the one that is jumped to."""
QUOTES = 500
"""Quoted messages that are remembered although they are not in the window."""


class Conversation:
    """Pages through the history of one room at a time."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.room: RoomId = ""
        self.unread_at: MessageId = ""
        self._quotes: dict[MessageId, MessageView | None] = {}
        self._wanted: set[MessageId] = set()
        self._turn = 0
        model = desk.model
        self.around = Surroundings(
            own_handle=model.handle,
            trust=model.trust,
            quoted=self._quoted,
            spoke=lambda name: name in model.speakers(),
        )
        self.view = HistoryView(self.around, id="history")

    def named(self, handle: str) -> None:
        """Who the user is, once that is known."""
        self.around.own_handle = handle
        self.around.__post_init__()

    # --- opening and paging

    async def open(self, room: RoomView) -> None:
        """Shows a room from its end, with a line before the first message that is new."""
        self._turn += 1
        turn = self._turn
        self.room = room.id
        self._quotes.clear()
        self.around.mark(())
        limit = max(PAGE, min(room.unread + PAGE // 2, MAX_LINES))
        # Asked together they are answered together: the count fits the lines even while messages come in.
        _, lines = await asyncio.gather(self._desk.load_rooms(), self._page(limit))
        if turn != self._turn:
            return
        room = self._desk.model.rooms.get(room.id, room)
        self._desk.model.heard(lines)
        self._mark_unread(lines, room.unread)
        self._load(lines, at_start=len(lines) < limit, at_end=True)
        self.view.follow()
        await self._set_bounds()

    def close(self) -> None:
        """There is no room on screen."""
        self._turn += 1
        self.room = ""
        self._load((), at_start=True, at_end=True)

    async def older(self) -> None:
        """The page before the window."""
        window = self.view.window
        if not window.lines or window.at_start:
            return
        turn = self._turn
        lines = await self._page(PAGE, before=window.lines[0].position)
        if turn == self._turn:
            window.put_older(lines, at_start=len(lines) < PAGE)
            self.view.extended(older=True)

    async def newer(self) -> None:
        """The page after the window."""
        window = self.view.window
        if not window.lines or window.at_end:
            return
        turn = self._turn
        lines = await self._page(PAGE, after=window.lines[-1].position)
        if turn == self._turn:
            window.put_newer(lines, at_end=len(lines) < PAGE)
            self.view.extended(older=False)

    async def to_end(self) -> None:
        """The newest lines."""
        if not self.view.window.at_end:
            turn = self._turn
            lines = await self._page(PAGE)
            if turn != self._turn:
                return
            self._load(lines, at_start=len(lines) < PAGE, at_end=True)
        self.view.follow()
        await self._set_bounds()

    async def jump(self, message: MessageId) -> bool:
        """Goes to a message of this room and chooses it; False if it is not there."""
        if self.view.reveal(message):
            return True
        try:
            found = await self._desk.ask(GetMessage(message))
        except CommandFailed as error:
            if error.code is FailureCode.NOT_FOUND:
                return False
            raise
        assert isinstance(found, MessageView)
        if found.room != self.room:
            return False
        await self.jump_to_position(found.position)
        return self.view.reveal(message)

    async def jump_to_position(self, position: int) -> None:
        """Loads what lies around a position and shows the first line from it on."""
        turn = self._turn
        before = await self._page(AROUND, before=position)
        after = await self._page(PAGE, after=position - 1)
        if turn != self._turn:
            return
        self._load([*before, *after], at_start=len(before) < AROUND, at_end=len(after) < PAGE)
        if after:
            self.view.reveal(after[0].id, choose=False, at=0.0)
        else:
            self.view.follow()

    async def jump_to_fraction(self, fraction: float) -> None:
        """Goes to a part of the history between 0 (the oldest line) and 1 (the newest)."""
        if fraction >= 1:
            await self.to_end()
            return
        await self._set_bounds()
        first, last = self.view.bounds
        await self.jump_to_position(first + round((last - first) * max(fraction, 0)))

    async def jump_to_time(self, moment: int) -> bool:
        """Goes to the first line that is not older than this; False if all are older.

        Positions follow time closely enough for a search by halves: about seventeen reads in 100,000 lines.
        """
        await self._set_bounds()
        low, high = self.view.bounds
        newest = await self._page(1)
        if not newest or newest[0].time < moment:
            return False
        while low < high:
            middle = (low + high) // 2
            lines = await self._page(1, after=middle - 1)
            if lines and lines[0].time < moment:
                low = lines[0].position + 1
            else:
                high = middle
        await self.jump_to_position(low)
        return True

    async def jump_to_unread(self) -> bool:
        """Goes to the first message that is new since the user left; False if there is none."""
        return bool(self.unread_at) and await self.jump(self.unread_at)

    # --- events

    def apply(self, changes: Changes) -> None:
        """New and changed lines of the room."""
        view, window = self.view, self.view.window
        count = 0
        for message in changes.added:
            if message.room != self.room:
                continue
            first, last = view.bounds
            view.bounds = (first or message.position, max(last, message.position))
            at_end = not window.lines or message.position > window.lines[-1].position
            if window.add(message):
                if at_end:
                    count += 1
                else:
                    view.refreshed()
        if count:
            view.added(count)
        for message in changes.changed.values():
            if message.id in self._quotes:
                self._quotes[message.id] = message
            index = window.change(message)
            if index is not None:
                view.changed(index)

    def mark_new(self, message: MessageView) -> None:
        """What comes from here on came while nobody looked."""
        self.unread_at = message.id
        self.around.unread_at, self.around.unread = message.id, 0
        self.view.refreshed()

    # ---

    async def _page(self, limit: int, *, before: int | None = None, after: int | None = None) -> list[MessageView]:
        lines = await self._desk.ask(GetHistory(self.room, limit, before, after))
        assert isinstance(lines, tuple)
        return [line for line in lines if isinstance(line, MessageView)]

    def _load(self, lines: Sequence[MessageView], *, at_start: bool, at_end: bool) -> None:
        self.view.window.load(lines, at_start=at_start, at_end=at_end)
        self.view.replaced()

    async def _set_bounds(self) -> None:
        window = self.view.window
        turn = self._turn
        first = window.lines[:1] if window.at_start else await self._page(1, after=0)
        last = window.lines[-1:] if window.at_end else await self._page(1)
        if turn == self._turn:
            self.view.bounds = (first[0].position, last[0].position) if first and last else (0, 0)

    def _mark_unread(self, lines: Sequence[MessageView], unread: int) -> None:
        self.unread_at, self.around.unread_at, self.around.unread = "", "", unread
        if not unread:
            return
        left = unread
        for line in reversed(lines):
            if line.kind in (MessageKind.TEXT, MessageKind.UNKNOWN) and line.state is DeliveryState.RECEIVED:
                left -= 1
                self.unread_at = line.id
                if not left:
                    break
        self.around.unread_at = self.unread_at

    def _quoted(self, message: MessageId) -> MessageView | None:
        here = self.view.window.at(message)
        if here is not None:
            return here
        if message not in self._quotes:
            if not self._wanted:
                self.view.call_later(self._find_quotes)
            self._wanted.add(message)
        return self._quotes.get(message)

    async def _find_quotes(self) -> None:
        """Asks for what the layout missed; what is not in the store stays unknown."""
        wanted, self._wanted = self._wanted, set()
        if not wanted:
            return
        for message in list(wanted)[:PAGE]:
            try:
                found = await self._desk.ask(GetMessage(message))
            except CommandFailed:
                found = None
            self._quotes[message] = found if isinstance(found, MessageView) else None
        while len(self._quotes) > QUOTES:
            del self._quotes[next(iter(self._quotes))]
        self.view.refreshed()
