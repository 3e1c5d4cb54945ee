"""Waiting for many descriptors at once: `epoll` where the system has it, else the best of `selectors`.

`selectors` alone would do; calling `epoll` directly saves one Python object per event, a tenth of the relay's work
when each of many connections has one message.
"""

import select
import selectors
import sys

__all__ = ["READ", "WRITE", "Poller", "SelectorPoller"]

READ = 1
"""Bytes, a new connection or an end of file are waiting."""
WRITE = 4
"""There is room to send."""


class SelectorPoller:
    """Descriptors and what to wait for; level-triggered. For systems without `epoll`."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()

    def register(self, descriptor: int, events: int) -> None:
        """Starts waiting; `events` is READ, WRITE, both, or 0 for nothing."""
        if events:
            self._selector.register(descriptor, _to_selectors(events))

    def modify(self, descriptor: int, events: int) -> None:
        """Changes what to wait for."""
        known = descriptor in self._selector.get_map()
        if not events:
            if known:
                self._selector.unregister(descriptor)
        elif known:
            self._selector.modify(descriptor, _to_selectors(events))
        else:
            self._selector.register(descriptor, _to_selectors(events))

    def unregister(self, descriptor: int) -> None:
        """Stops waiting."""
        if descriptor in self._selector.get_map():
            self._selector.unregister(descriptor)

    def poll(self, timeout: float | None) -> list[tuple[int, int]]:
        """(descriptor, READ | WRITE) of all that are ready; waits at most `timeout` seconds, None: without end."""
        return [
            (key.fd, (READ if mask & selectors.EVENT_READ else 0) | (WRITE if mask & selectors.EVENT_WRITE else 0))
            for key, mask in self._selector.select(timeout)
        ]

    def close(self) -> None:
        """Frees the poller; the descriptors stay open."""
        self._selector.close()


def _to_selectors(events: int) -> int:
    return (selectors.EVENT_READ if events & READ else 0) | (selectors.EVENT_WRITE if events & WRITE else 0)


if sys.platform == "linux":

    class Poller:
        """Descriptors and what to wait for; level-triggered. An error or hang-up shows as READ."""

        def __init__(self) -> None:
            self._epoll = select.epoll()

        def register(self, descriptor: int, events: int) -> None:
            """Starts waiting; `events` is READ, WRITE, both, or 0 for nothing but a hang-up."""
            self._epoll.register(descriptor, events)

        def modify(self, descriptor: int, events: int) -> None:
            """Changes what to wait for."""
            self._epoll.modify(descriptor, events)

        def unregister(self, descriptor: int) -> None:
            """Stops waiting."""
            self._epoll.unregister(descriptor)

        def poll(self, timeout: float | None) -> list[tuple[int, int]]:
            """(descriptor, READ | WRITE) of all that are ready; waits at most `timeout` seconds, None: without end.

            READ and WRITE have epoll's own values; other bits mean an error or a hang-up, found by reading.
            """
            return self._epoll.poll(timeout, _MAX_EVENTS)

        def close(self) -> None:
            """Frees the poller; the descriptors stay open."""
            self._epoll.close()

    _MAX_EVENTS = 4096
    """Per call; what is left over comes with the next one."""
else:
    Poller = SelectorPoller
