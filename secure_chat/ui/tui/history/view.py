"""The messages on screen: draws only the rows that are seen, whatever the length of the history.

Positions on screen hang on a message, not on a row number: lines can be added before and after without a jump. Either
the view follows the newest line, or its first row is row n of a certain message.
"""

from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.strip import Strip
from textual.widget import Widget

from secure_chat.client.views import MessageId, MessageView
from secure_chat.ui.tui.history.layout import Layout, Surroundings
from secure_chat.ui.tui.history.messages import Chosen, JumpAsked, LeftHistory, Needed, Opened, Reached
from secure_chat.ui.tui.history.window import Window
from secure_chat.ui.tui.looks import Look, look_of

__all__ = ["HistoryView"]

AHEAD = 40
"""Lines still in memory beyond the screen when more are asked for."""
WHEEL_ROWS = 3
BLOCKS = 240
"""Messages whose rows are kept: a few screens. More would only cost memory, and time of the garbage collector."""


class HistoryView(Widget, can_focus=True):
    """The history of the room that is open."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "choose(-1)", "Choose", key_display="↑↓"),
        Binding("down,j", "choose(1)", "Choose", show=False),
        Binding("pageup", "page(-1)", "Page", show=False),
        Binding("pagedown", "page(1)", "Page", show=False),
        Binding("home,g", "start", "Oldest", show=False),
        Binding("end,G", "end", "Newest", show=False),
        Binding("r", "screen.deed('reply')", "Answer"),
        Binding("plus,equals_sign", "screen.deed('react')", "React", key_display="+"),
        Binding("enter", "open", "Open", key_display="⏎"),
        Binding("escape", "leave", "Write", key_display="Esc"),
        Binding("e", "screen.deed('edit')", "Correct"),
        Binding("c", "screen.deed('copy')", "Copy"),
        Binding("d,delete", "screen.deed('delete')", "Delete"),
        Binding("q", "screen.deed('quoted')", "To quote", show=False),
        Binding("t", "screen.deed('retry')", "Try again", show=False),
        Binding("x", "screen.deed('cancel')", "Drop unsent", show=False),
        Binding("v", "screen.deed('verify_sender')", "Verify", show=False),
        Binding("i", "screen.deed('details')", "Details", show=False),
    ]

    def __init__(self, around: Surroundings, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.window = Window()
        self.around = around
        self.compact = False
        self.bounds = (0, 0)
        """Positions of the first and last line of the whole history, for the scroll bar."""
        self.chosen: MessageId = ""
        self._layout: Layout | None = None
        self._blocks: dict[MessageId, list[Strip]] = {}
        """In the order in which they were made."""
        self._leads: dict[MessageId, int] = {}
        """How many rows at the top of a block belong to no message: day lines and the like."""
        self._top: tuple[MessageId, int] | None = None
        self._drawn: list[tuple[Strip, int]] = []
        self._stale = True
        self._needed: set[bool] = set()
        self._at_end = True

    @property
    def look(self) -> Look:
        """The app's look."""
        return look_of(self)

    def on_mount(self) -> None:
        """Another look means other rows."""
        self.app.theme_changed_signal.subscribe(self, lambda _: self.refreshed())

    # --- what the screen changes

    def refreshed(self) -> None:
        """Everything is laid out anew: another room, look, name marks."""
        self._layout = None
        self._blocks.clear()
        self._redraw()

    def replaced(self) -> None:
        """The window holds another part of the history."""
        self._needed.clear()
        self._blocks.clear()
        self._top = None
        self.choose("")
        self._redraw()

    def extended(self, *, older: bool) -> None:
        """The window has grown at one end, and may have lost lines at the other."""
        self._needed.discard(older)
        self._blocks.clear() if older else self._forget_neighbours(len(self.window) - 1)
        self._redraw()

    def added(self, count: int) -> None:
        """So many lines were added at the end."""
        first = len(self.window) - count
        if first > 0:
            self._forget_run(first - 1)
        if self._top is None and self.window.trim():
            self._forget(0)
        self._redraw()

    def changed(self, index: int) -> None:
        """A line of the window changed."""
        self._forget_neighbours(index)
        self._redraw()

    def follow(self) -> None:
        """Shows the newest line of the window and stays with the newest."""
        self._top = None
        self._redraw()

    def reveal(self, message: MessageId, *, choose: bool = True, at: float = 0.35) -> bool:
        """Scrolls so that a message stands `at` this part of the height; False if it is not in the window."""
        index = self.window.find(message)
        if index is None:
            return False
        if choose:
            self.choose(message)
        self._top = (message, 0)
        self._move(-int(self.size.height * at))
        return True

    def choose(self, message: MessageId) -> None:
        """Marks a message; "" for none."""
        if message != self.chosen:
            self.chosen = message
            self.post_message(Chosen())
            self.refresh()

    @property
    def following(self) -> bool:
        """Whether the newest line is on screen and stays there."""
        return self._top is None and self.window.at_end

    @property
    def is_waiting(self) -> bool:
        """Whether lines were asked for that have not come yet."""
        return self._stale or bool(self._needed)

    # --- drawing

    def render_line(self, y: int) -> Strip:
        """One row, from what was laid out for the whole screen."""
        if self._stale:
            self._lay_out()
        base = self.look.plain
        strip, index = self._drawn[y] if y < len(self._drawn) else (Strip.blank(self.size.width, base), -1)
        if index >= 0 and self.chosen and self.window.lines[index].id == self.chosen:
            lead = self._blocks[self.chosen][: self._leads[self.chosen]]
            strip = strip if any(strip is each for each in lead) else self._highlighted(strip)
        return self._with_bar(strip, y)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """It takes what it is given."""
        return viewport.height

    def _highlighted(self, strip: Strip) -> Strip:
        raised = Style(bgcolor=self.look.raised)
        segments = list(Segment.apply_style(strip, post_style=raised))
        gutter = Segment("▌", raised + self.look.styles["accent"])
        return Strip([gutter, *Strip(segments).crop(1, strip.cell_length)], strip.cell_length)

    def _with_bar(self, strip: Strip, y: int) -> Strip:
        first, last = self.bounds
        if self._top is None or not self._drawn or last <= first:
            return strip
        height = self.size.height
        here = self.window.lines[max(self._drawn[0][1], 0)].position
        thumb = round((here - first) / (last - first) * (height - 1))
        if y != min(max(thumb, 0), height - 1):
            return strip
        width = strip.cell_length
        return Strip([*strip.crop(0, width - 1), Segment("█", self.look.plain + self.look.styles["dim"])], width)

    def _redraw(self) -> None:
        self._stale = True
        self.refresh()

    def _lay_out(self) -> None:
        self._stale = False
        height = self.size.height
        if self._top is not None:
            self._drawn = self._downward(height)
            short = len(self._drawn) < height
            if short and self.window.at_end:
                self._top = None
        if self._top is None:
            self._drawn = self._upward(height)
        self._ask_for_more()
        self._forget_oldest()

    def _upward(self, height: int) -> list[tuple[Strip, int]]:
        drawn: list[tuple[Strip, int]] = []
        for index in range(len(self.window) - 1, -1, -1):
            drawn += [(strip, index) for strip in reversed(self._block(index))]
            if len(drawn) >= height:
                break
        drawn = drawn[:height]
        blank = Strip.blank(self.size.width, self.look.plain)
        drawn += [(blank, -1)] * (height - len(drawn))
        drawn.reverse()
        return drawn

    def _downward(self, height: int) -> list[tuple[Strip, int]]:
        assert self._top is not None
        message, skip = self._top
        start = self.window.find(message)
        if start is None:
            start, skip = 0, 0
        drawn: list[tuple[Strip, int]] = []
        for index in range(start, len(self.window)):
            drawn += [(strip, index) for strip in self._block(index)]
            if len(drawn) - skip >= height:
                break
        return drawn[skip : skip + height]

    def _block(self, index: int) -> list[Strip]:
        message = self.window.lines[index]
        block = self._blocks.get(message.id)
        if block is None:
            if self._layout is None or self._layout.width != self.size.width:
                self._layout = Layout(self.look, self.size.width, self.around, compact=self.compact)
                self._blocks.clear()
            block, lead = self._layout.block(self.window.lines, index)
            self._blocks[message.id], self._leads[message.id] = block, lead
        return block

    def _forget(self, index: int) -> None:
        if 0 <= index < len(self.window):
            self._blocks.pop(self.window.lines[index].id, None)

    def _forget_oldest(self) -> None:
        """What is on screen stays, as the cursor looks into its block."""
        if len(self._blocks) <= BLOCKS:
            return
        shown = {self.window.lines[index].id for _, index in self._drawn if index >= 0}
        keep = dict(list(self._blocks.items())[-BLOCKS // 2 :])
        keep |= {message: block for message, block in self._blocks.items() if message in shown}
        self._blocks = keep
        self._leads = {message: self._leads[message] for message in keep}

    def _forget_neighbours(self, index: int) -> None:
        for each in (index, index + 1):
            self._forget(each)
        self._forget_run(index)

    def _forget_run(self, index: int) -> None:
        """Folded comings and goings are drawn with the first of them."""
        while index >= 0 and self.window.lines[index].kind == "notice":
            self._forget(index)
            index -= 1

    def _ask_for_more(self) -> None:
        indexes = [index for _, index in self._drawn if index >= 0]
        window = self.window
        first, last = (indexes[0], indexes[-1]) if indexes else (0, 0)
        if not window.at_start and first < AHEAD and True not in self._needed:
            self._needed.add(True)
            self.post_message(Needed(older=True))
        if not window.at_end and last > len(window) - AHEAD and False not in self._needed:
            self._needed.add(False)
            self.post_message(Needed(older=False))
        if self.following != self._at_end:
            self._at_end = self.following
            self.post_message(Reached(self._at_end))

    # --- moving

    def _move(self, rows: int) -> None:
        """Scrolls by so many rows; downward beyond the last row follows again."""
        if self._stale:
            self._lay_out()
        if not self._drawn or not len(self.window):
            return
        if self._top is None:
            if rows >= 0:
                return
            index = next((index for _, index in self._drawn if index >= 0), 0)
            at = sum(1 for _, each in self._drawn if each == index)
            if self._drawn[0][1] < 0:
                return  # everything is on screen
            skip = len(self._block(index)) - at
        else:
            message, skip = self._top
            found = self.window.find(message)
            index = 0 if found is None else found
        skip += rows
        while skip < 0 and index > 0:
            index -= 1
            skip += len(self._block(index))
        while index < len(self.window) - 1 and skip >= len(self._block(index)):
            skip -= len(self._block(index))
            index += 1
        self._top = (self.window.lines[index].id, max(skip, 0))
        self._redraw()

    def scroll_rows(self, rows: int) -> None:
        """Scrolls by so many rows, up if negative."""
        self._move(rows)

    def scroll_pages(self, pages: int) -> None:
        """Scrolls by screens, keeping two rows in sight."""
        self._move(pages * max(self.size.height - 2, 1))

    def action_page(self, pages: int) -> None:
        """Page up or down."""
        self.scroll_pages(pages)

    def action_start(self) -> None:
        """To the oldest line."""
        self.post_message(JumpAsked(0.0))

    def action_end(self) -> None:
        """To the newest line."""
        self.post_message(JumpAsked(1.0))

    def action_choose(self, step: int) -> None:
        """Chooses the message above or below; beyond the last one the user writes again."""
        lines = self.window.lines
        index = self.window.find(self.chosen) if self.chosen else None
        if index is None:
            shown = [each for _, each in self._drawn if each >= 0]
            index = (shown[-1] + 1) if shown else len(lines)
        index += step
        while 0 <= index < len(lines) and not self._block(index):
            index += step  # folded away
        if index >= len(lines):
            if self.window.at_end:
                self.action_leave()
            return
        if index < 0:
            return
        self.choose(lines[index].id)
        self._bring_in(index)

    def action_open(self) -> None:
        """Opens the chosen message."""
        message = self.window.at(self.chosen) if self.chosen else None
        if message is not None:
            self.post_message(Opened(message))

    def action_leave(self) -> None:
        """Back to writing."""
        self.choose("")
        self.post_message(LeftHistory())

    def _bring_in(self, index: int) -> None:
        if self._stale:
            self._lay_out()
        shown = [each for _, each in self._drawn]
        if shown.count(index) >= min(len(self._block(index)), self.size.height):
            self.refresh()
            return
        seen = [each for each in shown if each >= 0]
        if not seen or index <= seen[0]:
            self._top = (self.window.lines[index].id, 0)
        else:
            rows, first = len(self._block(index)), index
            while first > 0 and rows < self.size.height:
                first -= 1
                rows += len(self._block(first))
            self._top = (self.window.lines[first].id, max(rows - self.size.height, 0))
        self._redraw()

    # --- mouse, size

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel."""
        event.stop()
        self._move(-WHEEL_ROWS)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel."""
        event.stop()
        self._move(WHEEL_ROWS)

    def on_click(self, event: events.Click) -> None:
        """Chooses a message; twice opens it; at the right edge it jumps."""
        if event.x >= self.size.width - 1 and self._top is not None:
            self.post_message(JumpAsked(event.y / max(self.size.height - 1, 1)))
            return
        index = self._drawn[event.y][1] if event.y < len(self._drawn) else -1
        if index >= 0:
            self.choose(self.window.lines[index].id)
            if event.chain == 2:
                self.action_open()

    def on_resize(self) -> None:
        """Another width means other rows."""
        self._stale = True

    def on_blur(self) -> None:
        """Nothing is chosen while one writes."""
        self.refresh()

    def message_at(self, row: int) -> MessageView | None:
        """The message drawn in a row of the widget."""
        index = self._drawn[row][1] if row < len(self._drawn) else -1
        return self.window.lines[index] if index >= 0 else None
