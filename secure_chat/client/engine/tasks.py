"""Work that takes several exchanges with the relay, written as one function: a generator that yields promises.

A task runs until it yields a promise that is still open, and goes on when somebody keeps or breaks it. Nothing here
waits by itself: the engine keeps promises when answers arrive, breaks them when the connection ends, and runs what
became ready before `handle` returns. Tasks live in memory; what must survive a crash is in rows.
"""

from collections import deque
from collections.abc import Callable, Generator
from typing import Any, Generic, TypeAlias, TypeVar

from secure_chat.errors import SecureChatError

__all__ = ["Promise", "Task", "Tasks", "wait"]

T = TypeVar("T")


class Promise(Generic[T]):
    """A value that will be there later, or an error."""

    __slots__ = ("_error", "_value", "_waiting", "open")

    def __init__(self) -> None:
        self.open = True
        self._value: list[T] = []
        self._error: SecureChatError | None = None
        self._waiting: list[Callable[[], None]] = []

    def keep(self, value: T) -> None:
        """The value is there; later calls change nothing."""
        if self.open:
            self._value.append(value)
            self._settle()

    def fail(self, error: SecureChatError) -> None:
        """There will be no value; later calls change nothing."""
        if self.open:
            self._error = error
            self._settle()

    def result(self) -> T:
        """The value, or the error raised; only once it is settled."""
        if self._error is not None:
            raise self._error
        return self._value[0]

    def when_settled(self, action: Callable[[], None]) -> None:
        """Calls `action` once the promise is kept or broken."""
        if self.open:
            self._waiting.append(action)
        else:
            action()

    def _settle(self) -> None:
        self.open = False
        for action in self._waiting:
            action()
        self._waiting.clear()


Task: TypeAlias = Generator[Promise[Any], None, T]


def wait(promise: Promise[T]) -> Task[T]:
    """`value = yield from wait(promise)`."""
    if promise.open:
        yield promise
    return promise.result()


class Tasks:
    """Runs tasks whenever what they wait for is settled."""

    def __init__(self) -> None:
        self._ready: deque[Callable[[], None]] = deque()

    def start(self, task: Task[T], done: Callable[[Promise[T]], None] | None = None) -> Promise[T]:
        """Runs the task as far as it goes; `done` gets its settled promise, an unhandled error otherwise passes by."""
        promise: Promise[T] = Promise()
        if done is not None:
            promise.when_settled(lambda: done(promise))
        self._ready.append(lambda: self._step(task, promise))
        return promise

    def run(self) -> None:
        """Everything that can go on now."""
        while self._ready:
            self._ready.popleft()()

    def _step(self, task: Task[T], promise: Promise[T]) -> None:
        try:
            awaited = next(task)
        except StopIteration as stop:
            promise.keep(stop.value)
        except SecureChatError as error:
            promise.fail(error)
        else:
            awaited.when_settled(lambda: self._ready.append(lambda: self._step(task, promise)))
