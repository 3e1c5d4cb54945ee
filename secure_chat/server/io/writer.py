"""The writer thread: owns the relay core and the database; one transaction for all that queued up meanwhile.

Effects leave only after their transaction is on disk. If handling or committing fails, nothing of the batch has
happened: its requests are answered with an error, every connection is closed with a hint to come back, and the core
starts anew from the database.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from secure_chat.server.core.admin import AdminCommand, AdminError, AdminResult
from secure_chat.server.core.effects import (
    AdminReply,
    AdminRequest,
    Close,
    Effects,
    Input,
    Received,
    Reply,
    Tick,
)
from secure_chat.server.errors import DiskFullError, StorageError
from secure_chat.server.io.mail import Batch, Durable
from secure_chat.server.io.shard import Shard
from secure_chat.wire.errors import ErrorCode
from secure_chat.wire.framing import encode_frame
from secure_chat.wire.messages import Error, Goodbye

__all__ = ["Engine", "WriterThread"]

logger = logging.getLogger(__name__)

TICK_INTERVAL = 0.025
"""Seconds between `Tick` inputs while there is something to do: the work of each stays short."""
IDLE_TICK_INTERVAL = 0.5
"""The same while nothing happens; cursors are on disk within a second."""
MAX_BATCH = 4096
"""Messages in one transaction: bounds its memory and how long the first one waits for the last."""
_RETRY_AFTER_MS = 1_000


class Engine(Protocol):
    """The relay core on its database; used by the writer thread alone."""

    def run(self, batch: Sequence[Input], now: int) -> Effects:
        """Handles the batch in one transaction and returns its effects once they are on disk."""

    def rebuild(self) -> None:
        """Drops the core's memory and starts anew from the database."""

    def close(self) -> None:
        """Writes what may be written late, such as cursors, and ends the database connection."""


@dataclass(slots=True)
class _Question:
    command: AdminCommand
    answered: threading.Event = field(default_factory=threading.Event)
    answer: AdminResult = field(default_factory=lambda: AdminError("the relay failed; its log says more"))


@dataclass(frozen=True, slots=True)
class _Configure:
    change: Callable[[], None]


@dataclass(frozen=True, slots=True)
class _Stop:
    done: Callable[[], None]


class WriterThread:
    """Runs `Engine` on what the shards submit."""

    def __init__(self, open_engine: Callable[[], Engine], clock: Callable[[], int]) -> None:
        self._open_engine = open_engine
        self._clock = clock
        """Milliseconds since the POSIX epoch."""
        self._queue: queue.SimpleQueue[Batch | _Question | _Configure | _Stop] = queue.SimpleQueue()
        self._shards: Sequence[Shard] = ()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self.transactions = 0
        self.messages = 0
        self.failures = 0
        """Transactions, messages in them and failed transactions so far."""
        self.busy = 0.0
        """Seconds spent in transactions so far."""

    def start(self, shards: Sequence[Shard]) -> None:
        """Starts the thread; effects go to all of `shards`, each takes what concerns its connections."""
        self._shards = shards
        self._thread.start()

    def submit(self, batch: Batch) -> None:
        """Queues what a shard has read."""
        self._queue.put(batch)

    def ask(self, command: AdminCommand, timeout: float) -> AdminResult:
        """Runs an operator's command and waits for its answer, at most `timeout` seconds; from any other thread."""
        question = _Question(command)
        self._queue.put(question)
        if not question.answered.wait(timeout):
            return AdminError("the relay did not answer in time")
        return question.answer

    def configure(self, change: Callable[[], None]) -> None:
        """Runs `change` between two transactions."""
        self._queue.put(_Configure(change))

    @property
    def alive(self) -> bool:
        """The thread runs."""
        return self._thread.is_alive()

    def stop(self, done: Callable[[], None]) -> None:
        """Ends the thread after everything queued so far is on disk and passed on; then calls `done` from it."""
        self._queue.put(_Stop(done))

    def join(self, timeout: float | None = None) -> None:
        """Waits for the thread's end."""
        self._thread.join(timeout)

    def _run(self) -> None:
        engine = self._open_engine()
        next_tick = time.monotonic()
        stop: _Stop | None = None
        while stop is None:
            batches: list[Batch] = []
            questions: list[_Question] = []
            inputs: list[Input] = []
            try:
                item = self._queue.get(timeout=max(0.0, next_tick - time.monotonic()))
                while True:
                    if isinstance(item, Batch):
                        batches.append(item)
                        inputs += item.inputs
                        if len(inputs) >= MAX_BATCH:
                            break
                    elif isinstance(item, _Question):
                        inputs.append(AdminRequest(len(questions), item.command))
                        questions.append(item)
                    elif isinstance(item, _Configure):
                        item.change()
                    else:
                        stop = item
                        break
                    item = self._queue.get_nowait()
            except queue.Empty:
                pass
            if time.monotonic() >= next_tick:
                next_tick = time.monotonic() + (TICK_INTERVAL if inputs else IDLE_TICK_INTERVAL)
                inputs.append(Tick())
            if inputs:
                self._transact(engine, batches, inputs, questions)
        try:
            engine.close()
        except Exception:
            logger.exception("what could be written late was not written; nothing acknowledged is lost")
        stop.done()

    def _transact(self, engine: Engine, batches: list[Batch], inputs: list[Input], questions: list[_Question]) -> None:
        started = time.perf_counter()
        try:
            effects = engine.run(inputs, self._clock())
        except Exception as error:
            if isinstance(error, StorageError):
                logger.error("a transaction failed, nothing of it was kept: %s", error)
            else:
                logger.exception("a transaction failed; nothing of it was kept")
            self.failures += 1
            effects = self._fail(engine, inputs, error)
        self.busy += time.perf_counter() - started
        self.transactions += 1
        self.messages += len(inputs)
        if questions:
            for output in effects.outputs:
                if isinstance(output, AdminReply):
                    questions[output.ticket].answer = output.result
            for question in questions:
                question.answered.set()
        for shard in self._shards:
            mine = [batch for batch in batches if batch.shard == shard.index]
            if mine or effects.outputs:
                shard.inbox.post(Durable(effects, mine))

    def _fail(self, engine: Engine, inputs: Sequence[Input], error: Exception) -> Effects:
        engine.rebuild()
        full = isinstance(error, DiskFullError)
        code = ErrorCode.DISK_FULL if full else ErrorCode.INTERNAL
        text = "the relay's disk is full: nothing was written" if full else "the relay failed: nothing was written"
        effects = Effects()
        for item in inputs:
            identity = getattr(item.message, "id", None) if isinstance(item, Received) else None
            if isinstance(item, Received) and identity is not None:
                frame = encode_frame(Error(identity, code, text, _RETRY_AFTER_MS))
                effects.outputs.append(Reply(item.connection, frame))
        reason = "the relay's disk is full" if full else "the relay has to start anew"
        goodbye = encode_frame(Goodbye(reason, _RETRY_AFTER_MS))
        for shard in self._shards:
            effects.outputs += [Close(connection, goodbye) for connection in shard.connection_ids()]
        return effects
