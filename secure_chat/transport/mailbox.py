"""How threads talk to a thread that waits on descriptors: a queue and something to wake it with."""

import os
import socket
import sys
from collections import deque
from typing import Generic, TypeVar

__all__ = ["Mailbox", "Wakeup"]

T = TypeVar("T")


if sys.platform == "linux":

    class Wakeup:
        """A descriptor that becomes readable when another thread calls `set`."""

        def __init__(self) -> None:
            self._descriptor = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

        def fileno(self) -> int:
            """What to wait on."""
            return self._descriptor

        def set(self) -> None:
            """Makes the descriptor readable; from any thread, any number of times."""
            os.eventfd_write(self._descriptor, 1)

        def clear(self) -> None:
            """Makes it unreadable until the next `set`."""
            try:
                os.eventfd_read(self._descriptor)
            except BlockingIOError:
                return

        def close(self) -> None:
            """Frees the descriptor; nobody may use it any more."""
            os.close(self._descriptor)
else:

    class Wakeup:
        """A socket that becomes readable when another thread calls `set`; works on every system."""

        def __init__(self) -> None:
            self._reader, self._writer = socket.socketpair()
            self._reader.setblocking(False)
            self._writer.setblocking(False)

        def fileno(self) -> int:
            """What to wait on."""
            return self._reader.fileno()

        def set(self) -> None:
            """Makes the descriptor readable; from any thread, any number of times."""
            try:
                self._writer.send(b"\0")
            except BlockingIOError:
                return  # full of wake-ups already

        def clear(self) -> None:
            """Makes it unreadable until the next `set`."""
            try:
                while self._reader.recv(4096):
                    pass
            except BlockingIOError:
                return

        def close(self) -> None:
            """Frees the descriptors; nobody may use them any more."""
            self._reader.close()
            self._writer.close()


class Mailbox(Generic[T]):
    """A queue from any thread to one thread that waits on `fileno`; wakes it once for many items."""

    def __init__(self) -> None:
        self._items: deque[T] = deque()
        self._wakeup = Wakeup()
        self._awake = False

    def fileno(self) -> int:
        """Readable when items may be waiting."""
        return self._wakeup.fileno()

    def post(self, item: T) -> None:
        """Adds an item; never blocks."""
        self._items.append(item)
        if not self._awake:
            self._awake = True
            self._wakeup.set()

    def take(self) -> list[T]:
        """All items so far; only for the thread that owns the mailbox.

        The order matters: descriptor, flag, queue. Clearing the flag first would let a `post` between the two
        set a wake-up that is then read away, and its item would wait for the next one.
        """
        self._wakeup.clear()
        self._awake = False
        items: list[T] = []
        pop = self._items.popleft
        try:
            while True:
                items.append(pop())
        except IndexError:
            return items

    def close(self) -> None:
        """Frees the descriptor, after every thread that posts has ended."""
        self._wakeup.close()
