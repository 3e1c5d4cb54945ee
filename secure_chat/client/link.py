"""What holds a client together: one backend after another, asked and listened to as if it were one.

The process that opens a profile first owns it; any other is a hand on the owner. When the owner ends, the next command
or the wish to go on listening makes another process the owner.
"""

import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from secure_chat.client.backend import Backend, Listener
from secure_chat.client.commands import Command
from secure_chat.client.errors import ClientClosed, CommandFailed
from secure_chat.client.events import Event, FailureCode, Result, ShuttingDown
from secure_chat.client.opening import Opened
from secure_chat.client.vault import Lock
from secure_chat.errors import SecureChatError

__all__ = ["COMMAND_TIMEOUT", "EventStream", "Link"]

COMMAND_TIMEOUT = 30.0
"""Seconds for a command's answer; those that need the relay have ended with `offline` long before."""

T = TypeVar("T")


class EventStream:
    """Events in order, from the moment it was made; iterating waits for the next one and ends with the client."""

    def __init__(self, backend: Backend, timeout: float | None = None) -> None:
        """`timeout`: seconds without an event after which iteration ends."""
        self._timeout = timeout
        self._queue: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._unsubscribe = backend.subscribe(self._queue.put)

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        event = self.next(self._timeout)
        if event is None:
            raise StopIteration
        return event

    def next(self, timeout: float | None) -> Event | None:
        """The next event, None if there is none within so many seconds, or none any more."""
        try:
            event = self._queue.get(timeout=timeout)
        except queue.Empty:
            return None
        if event is None or isinstance(event, ShuttingDown):
            self._queue.put(None)
        return event

    def close(self) -> None:
        """No further events; ends a waiting iteration."""
        self._unsubscribe()
        self._queue.put(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Link:
    """One profile, opened; a `backend.Backend` that outlives the profile's owners."""

    def __init__(self, opened: Opened, reopen: Callable[[], Opened]) -> None:
        """Use `join` or `open`."""
        self._opened = opened
        self._reopen = reopen
        self._lock = threading.Lock()
        self._closed = False
        self._listeners: tuple[Listener, ...] = ()
        self._attached: Opened | None = None

    @property
    def is_owner(self) -> bool:
        """Whether this process runs the engine."""
        return self._opened.is_owner

    def close(self) -> None:
        """Ends the use of the profile; harmless when repeated."""
        self._closed = True
        with self._lock:
            self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- asking and listening

    def ask(self, command: Command, timeout: float | None = COMMAND_TIMEOUT) -> Result:
        """The command's result; raises CommandFailed, or ClientClosed if it is unknown whether it was done."""
        return _wait(self.submit(command), timeout)

    def submit(self, command: Command) -> "Future[Result]":
        """Starts a command without waiting."""
        return self._start(lambda backend: backend.submit(command))

    def events(self, timeout: float | None = None) -> EventStream:
        """Everything that happens from now on; with `timeout` until nothing has happened for so many seconds."""
        return EventStream(self, timeout)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Has every event from now on delivered, from the client's thread; the function returned ends that."""
        with self._lock:
            self._listeners = (*self._listeners, listener)
            self._attach()

        def unsubscribe() -> None:
            self._listeners = tuple(each for each in self._listeners if each is not listener)

        return unsubscribe

    def backup(self, path: Path, passphrase: str) -> "Future[None]":
        """Writes an encrypted backup while the chat goes on; the future fails with BackupError."""
        return self._start(lambda backend: backend.backup(path, passphrase))

    def change_lock(self, lock: Lock, passphrase: str | None = None) -> "Future[None]":
        """Locks the store by a (new) passphrase, the keyring or a key file; the future fails with VaultError."""
        return self._start(lambda backend: backend.change_lock(lock, passphrase))

    def _start(self, call: "Callable[[Backend], Future[T]]") -> "Future[T]":
        """Starts a call; where the owner ended without having begun it, it is started again at the next owner."""
        future: Future[T] = Future()

        def attempt(opened: Opened) -> None:
            try:
                call(opened.backend).add_done_callback(lambda done: finish(done, opened))
            except SecureChatError as error:
                settle(error, opened)

        def finish(done: "Future[T]", opened: Opened) -> None:
            error = done.exception()
            if error is None:
                future.set_result(done.result())
            else:
                settle(error, opened)

        def settle(error: BaseException, opened: Opened) -> None:
            if isinstance(error, ClientClosed) and error.safe and not self._closed:
                threading.Thread(target=again, args=(opened,), name="next owner", daemon=True).start()
            else:
                future.set_exception(error)

        def again(opened: Opened) -> None:
            try:
                self._succeed(opened)
            except SecureChatError as error:
                future.set_exception(error)
            else:
                attempt(self._opened)

        attempt(self._opened)
        return future

    def _succeed(self, ended: Opened) -> None:
        """After an owner has ended: become the owner, or a hand on the next one."""
        with self._lock:
            if self._opened is not ended:
                return  # somebody else has been here
            if self._closed:
                raise ClientClosed("the client was closed")
            ended.close()
            self._opened = self._reopen()
            if self._listeners:
                self._attach()

    def _attach(self) -> None:
        opened = self._opened
        if self._attached is opened:
            return
        self._attached = opened

        def hear(event: Event) -> None:
            if isinstance(event, ShuttingDown) and not opened.is_owner and not self._closed:
                threading.Thread(target=go_on, name="next owner", daemon=True).start()
                return
            for listener in self._listeners:
                listener(event)

        def go_on() -> None:
            try:
                self._succeed(opened)
            except SecureChatError as error:
                for listener in self._listeners:
                    listener(ShuttingDown(str(error)))

        opened.backend.subscribe(hear)


def _wait(future: "Future[T]", timeout: float | None) -> T:
    try:
        return future.result(timeout)
    except FutureTimeoutError:
        raise CommandFailed(FailureCode.OFFLINE, f"no answer within {timeout:g} seconds") from None
