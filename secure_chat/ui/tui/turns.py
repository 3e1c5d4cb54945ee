"""Keys take turns: the next one is handed on when everything that the last one set off has been done.

Textual offers a key to the widget that has the focus, and what that doesn't want goes back to the app's queue, behind
keys that came later. Typed fast, pasted by a script, or sent over a slow line all at once, Backspace would then delete
a letter typed after it, and an Enter would go to the question before the one it was meant for.
"""

import asyncio
from collections import deque

from textual.app import App
from textual.events import Key, Paste
from textual.message_pump import MessagePump

__all__ = ["Turns"]

PATIENCE = 1.0
"""Seconds after which the next key is handed on, whatever still goes on."""
HOLD = 5.0
"""Seconds for a command: something said in the wrong room would be worse than letters that show late, once."""
PAUSE = 0.002
PASSES = 50
"""Rounds of the event loop before waiting with pauses: a key takes about ten."""


class Turns:
    """Which key comes next; belongs to the event loop."""

    def __init__(self, app: "App[str]") -> None:
        self.held = False
        """Whether something is under way that decides where keys go: a command, a new screen."""
        self._app = app
        self._waiting: deque[Key | Paste] = deque()
        self._current: Key | Paste | None = None
        self._task: asyncio.Task[None] | None = None

    def has_turn(self, event: Key | Paste) -> bool:
        """Whether this one is to be dealt with now; otherwise it comes again when it is its turn."""
        if event is self._current:
            return True
        self._waiting.append(event)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._hand_on())
        return False

    async def _hand_on(self) -> None:
        while self._waiting and self._app.screen_stack:
            await self._until_quiet()
            self._current = self._waiting.popleft()
            self._app.post_message(self._current)

    async def _until_quiet(self) -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        passes = 0
        while self.held or any(pump.message_queue_size for pump in self._pumps()):
            if loop.time() > begun + (HOLD if self.held else PATIENCE):
                self.held = False
                return
            passes += 1
            await asyncio.sleep(0 if passes < PASSES else PAUSE)

    def _pumps(self) -> list[MessagePump]:
        """Who a key passes by."""
        if not self._app.screen_stack:
            return []  # the app is ending
        return [*(self._app.focused or self._app.screen).ancestors_with_self]
