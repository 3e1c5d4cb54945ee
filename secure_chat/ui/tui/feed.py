"""From the client's thread to the event loop: events gather and are handed over together.

Under load (fifty messages a second, or catching up) the screen is drawn a limited number of times a second whatever
comes in; a single event after a quiet moment is handed over at once.
"""

import asyncio
import contextvars
import threading
from collections.abc import Callable

from secure_chat.client.events import Event

__all__ = ["Feed"]

PAUSE = 0.04
"""Seconds between two hand-overs: 25 pictures a second."""


class Feed:
    """A listener for `Client.subscribe`; `handle` is called in the event loop that made the feed."""

    def __init__(self, handle: Callable[[list[Event]], None]) -> None:
        self._handle = handle
        self._loop = asyncio.get_running_loop()
        self._context = contextvars.copy_context()
        self._lock = threading.Lock()
        self._waiting: list[Event] = []
        self._scheduled = False
        self._next = 0.0

    def __call__(self, event: Event) -> None:
        """Called from the client's thread: returns at once."""
        with self._lock:
            self._waiting.append(event)
            if self._scheduled:
                return
            self._scheduled = True
        try:
            self._loop.call_soon_threadsafe(self._plan, context=self._context)
        except RuntimeError:  # the loop has ended: nobody looks any more
            self._waiting.clear()

    def _plan(self) -> None:
        delay = self._next - self._loop.time()
        if delay <= 0:
            self._hand_over()
        else:
            self._loop.call_later(delay, self._hand_over, context=self._context)

    def _hand_over(self) -> None:
        with self._lock:
            events, self._waiting = self._waiting, []
            self._scheduled = False
        self._next = self._loop.time() + PAUSE
        if events:
            self._handle(events)
