"""The one threaded I/O shell: profile lock, store, engine and connection, in a single thread.

Everything that is waiting when the thread comes round is one batch: each input goes through the engine, its writes
into the open transaction; one commit makes them durable, and only then do frames leave and events show. If anything
fails before the commit, the batch is rolled back, the engine is thrown away and loaded anew from the store.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import msgspec
from msgspec.structs import replace

from secure_chat.client.backend import Listener
from secure_chat.client.commands import Command
from secure_chat.client.crash import record_crash
from secure_chat.client.engine.effects import (
    Ask,
    Connected,
    Disconnected,
    Effects,
    Input,
    Received,
    Tick,
)
from secure_chat.client.engine.engine import Engine
from secure_chat.client.errors import NOT_UNICODE, ClientClosed, CommandFailed, StoreDamagedError, StoreError
from secure_chat.client.events import Done, Event, Failed, FailureCode, Result, ShuttingDown
from secure_chat.client.pauses import Pauses
from secure_chat.client.profile import CA_KEY, SHELL_SPACE, Profile, ProfileLock
from secure_chat.client.queries import GetHistory, Search
from secure_chat.client.store import Store
from secure_chat.client.vault import Lock
from secure_chat.client.views import StatusView
from secure_chat.errors import SecureChatError
from secure_chat.identity.invite import parse_address
from secure_chat.transport.errors import CertificateRefused, ContextError, NotInForce, TransportError
from secure_chat.transport.mailbox import Mailbox
from secure_chat.transport.poller import READ, Poller
from secure_chat.transport.stream import Stream
from secure_chat.transport.tls import client_context
from secure_chat.wire.errors import WireError

__all__ = ["Runner"]

MAX_BATCH = 2_000
"""Inputs in one transaction: bounds how long a command can wait behind others."""
MAX_LINES = 10_000
"""Lines or hits in one answer."""
POSITIONS = 2**63 - 1
"""The database has no larger one."""
IDLE_SECONDS = 5.0
"""Quiet time after which the write-ahead log is emptied."""
LONGEST_LOG_SECONDS = 15.0
"""The same where it never gets quiet: used keys and deleted text are gone from the disk after this time."""

_STARTED_OVER = "an internal error: the client started over, look whether it was done"


@dataclass(frozen=True, slots=True)
class _Call:
    command: Command
    future: "Future[Result]"


@dataclass(frozen=True, slots=True)
class _Work:
    """Something long that runs in steps between batches."""

    steps: Iterator[None]
    future: "Future[None]"


class _Stop:
    """The last item of the mailbox."""


_Item: TypeAlias = _Call | _Work | _Stop


class Runner:
    """Owner of a profile; a `backend.Backend`."""

    def __init__(self, profile: Profile, lock: ProfileLock, store: Store, *listeners: Listener) -> None:
        """Takes over lock and store and starts to connect; `listeners` miss nothing."""
        self._profile = profile
        self._lock = lock
        self._store = store
        self._random = random.SystemRandom()
        self._engine = Engine(store, self._random)
        ca = store.get(SHELL_SPACE, CA_KEY)
        if ca is None:
            raise StoreDamagedError("the store does not say which authority the relay has: restore it from a backup")
        self._context = client_context(ca.decode() or None)
        self._mailbox: Mailbox[_Item] = Mailbox()
        self._stream: Stream | None = None
        self._greeted = False
        self._connect_at: int | None = 0
        self._wake_at = 1
        self._pauses = Pauses()
        self._calls: dict[int, Future[Result]] = {}
        self._last_ref = 0
        self._work: list[_Work] = []
        self._backlog: list[_Item] = []
        self._checkpoint_at: int | None = None
        self._checkpoint_latest = 0
        self._listeners: tuple[Listener, ...] = listeners
        self._listening = threading.Lock()
        self._closed = threading.Event()
        self._ended = threading.Event()
        self._reason = "the client was closed"
        self._thread = threading.Thread(target=self._run, name="client", daemon=True)
        self._thread.start()

    # --- for other threads

    def submit(self, command: Command) -> "Future[Result]":
        """Starts a command; the future fails with CommandFailed or ClientClosed."""
        future: Future[Result] = Future()
        try:
            msgspec.json.encode(command)
        except UnicodeEncodeError:  # a lone surrogate, such as stands for bytes that are no UTF-8
            future.set_exception(CommandFailed(FailureCode.INVALID, NOT_UNICODE))
        else:
            self._post(_Call(command, future))
        return future

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Has every event from now on delivered, from the runner's thread; the function returned ends that."""
        with self._listening:
            self._listeners = (*self._listeners, listener)

        def unsubscribe() -> None:
            with self._listening:
                self._listeners = tuple(each for each in self._listeners if each is not listener)

        return unsubscribe

    def backup(self, path: Path, passphrase: str) -> "Future[None]":
        """Writes an encrypted backup while the chat goes on."""
        from secure_chat.client.backup import write_backup  # only needed here

        future: Future[None] = Future()
        self._post(_Work(write_backup(self._store, path, passphrase), future))
        return future

    def change_lock(self, lock: Lock, passphrase: str | None) -> "Future[None]":
        """Locks the store's key another way."""

        def change() -> Iterator[None]:
            self._profile.vault.change(self._store.key, lock, passphrase)
            yield

        future: Future[None] = Future()
        self._post(_Work(change(), future))
        return future

    def close(self) -> None:
        """Ends the thread after what it is doing, closes the store and gives the profile up; harmless when repeated."""
        self._mailbox.post(_Stop())
        if threading.current_thread() is not self._thread:
            self._ended.wait()

    def _post(self, item: _Call | _Work) -> None:
        self._mailbox.post(item)
        if self._closed.is_set():  # it will not look again
            self._refuse_rest()

    # --- the thread

    def _run(self) -> None:
        try:
            while self._turn():
                pass
        except SecureChatError as error:
            self._reason = str(error)
        except Exception as error:
            where = record_crash(error, self._profile.directory)
            self._reason = f"an internal error ended the client; start it again; {where} says where it happened"
        finally:
            self._end()

    def _turn(self) -> bool:
        """Waits for something to do and does it; False at the end."""
        messages: list[Input] = []
        try:
            messages = self._receive()
        except (TransportError, WireError) as error:
            self._drop_stream()
            permanent = isinstance(error, CertificateRefused | ContextError) and not isinstance(error, NotInForce)
            messages = [Disconnected(str(error), permanent)]
        now = _now()
        inputs = messages
        if self._wake_at and now >= self._wake_at:
            inputs.append(Tick())
        items = self._backlog + self._mailbox.take()
        items, self._backlog = items[:MAX_BATCH], items[MAX_BATCH:]
        queries = []
        running = True
        for item in items:
            match item:
                case _Call(GetHistory() | Search(), _):
                    queries.append(item)
                case _Call(command, future):
                    self._last_ref += 1
                    self._calls[self._last_ref] = future
                    inputs.append(Ask(self._last_ref, command))
                case _Work():
                    self._work.append(item)
                case _:
                    running = False
        if inputs:
            self._process(inputs, now)
        for query in queries:
            self._answer(query)
        if self._work:
            self._step(self._work[0])
        if self._checkpoint_at is not None and now >= self._checkpoint_at:
            self._store.checkpoint()
            self._checkpoint_at = None
        return running

    def _receive(self) -> list[Input]:
        """Connects when it is time, waits, and returns what the relay said."""
        now = _now()
        if self._stream is None and self._connect_at is not None and now >= self._connect_at:
            self._connect_at = None
            host, port = parse_address(self._engine.address)
            self._stream = Stream(host, port, self._context, wakeup=self._mailbox)
            self._greeted = False
        timeout = self._timeout(now)
        stream = self._stream
        if stream is None:
            self._wait(timeout)
            return []
        received = stream.poll(timeout)
        inputs: list[Input] = []
        if stream.established and not self._greeted:
            self._greeted = True
            inputs.append(Connected(stream.certificate_hash, stream.description))
        inputs.extend(map(Received, received))
        return inputs

    def _timeout(self, now: int) -> float | None:
        if self._backlog or self._work:
            return 0.0
        moments = [self._wake_at or None, self._checkpoint_at, None if self._stream else self._connect_at]
        known = [moment for moment in moments if moment is not None]
        return max(0, min(known) - now) / 1000 if known else None

    def _wait(self, timeout: float | None) -> None:
        poller = Poller()
        try:
            poller.register(self._mailbox.fileno(), READ)
            poller.poll(timeout)
        finally:
            poller.close()

    def _process(self, inputs: list[Input], now: int) -> None:
        """One batch: engine, store, commit; then frames and events."""
        batch: list[Effects] = []
        hung_up = False
        try:
            for each in inputs:
                if hung_up and isinstance(each, Received):
                    continue  # came before the connection was given up, but is of no concern any more
                effects = self._engine.handle(each, now)
                self._store.apply(effects.writes)
                batch.append(effects)
                hung_up = hung_up or effects.disconnect is not None
            changed = self._store.commit()
        except Exception as error:
            self._start_over(error, now)
            return
        if changed:
            if self._checkpoint_at is None:
                self._checkpoint_latest = now + int(LONGEST_LOG_SECONDS * 1000)
            self._checkpoint_at = min(now + int(IDLE_SECONDS * 1000), self._checkpoint_latest)
        self._wake_at = batch[-1].wake_at
        for effects in batch:
            if self._stream is not None:
                for frame in effects.frames:
                    self._stream.send(frame)
            if effects.disconnect is not None:
                self._drop_stream()
                self._connect_at = effects.disconnect.retry_at or None
        if self._stream is not None:
            self._stream.flush()  # not only at the next poll: showing the events may take a moment
        for effects in batch:
            for event in effects.events:
                self._emit(event)
        if changed:
            self._prepare(now)

    def _prepare(self, now: int) -> None:
        try:
            self._store.prepare()
        except StoreError as error:
            self._start_over(error, now)

    def _emit(self, event: Event) -> None:
        match event:
            case Done(ref, result):
                if isinstance(result, StatusView):
                    result = replace(result, profile=self._profile.name)
                self._calls.pop(ref).set_result(result)
            case Failed(ref, code, message):
                self._calls.pop(ref).set_exception(CommandFailed(code, message))
            case _:
                for listener in self._listeners:
                    listener(event)

    def _answer(self, call: _Call) -> None:
        """History and search: read from the store, beside the engine."""
        try:
            call.future.set_result(self._query(call.command))
        except SecureChatError as error:
            call.future.set_exception(error)
        except Exception as error:  # nothing was changed: only this call has failed
            where = record_crash(error, self._profile.directory)
            message = f"an internal error ({type(error).__name__}); {where} says where it happened"
            call.future.set_exception(CommandFailed(FailureCode.INTERNAL, message))

    def _query(self, command: Command) -> Result:
        match command:
            case GetHistory(room, limit, before, after):
                bounds = (None if bound is None else _within(bound, POSITIONS) for bound in (before, after))
                return self._store.history(self._engine.room_id(room), _within(limit, MAX_LINES), *bounds)
            case Search(text, where, limit):
                room_id = None if where is None else self._engine.room_id(where)
                return self._store.search(text, room_id, _within(limit, MAX_LINES), self._engine.room_names())
            case _:
                raise AssertionError(command)

    def _step(self, work: _Work) -> None:
        try:
            next(work.steps)
        except StopIteration:
            self._work.remove(work)
            work.future.set_result(None)
        except (SecureChatError, OSError) as error:
            self._work.remove(work)
            work.future.set_exception(error)

    def _start_over(self, error: Exception, now: int) -> None:
        """Nothing of the batch is on disk or has left: back to what the store says."""
        self._store.rollback()
        self._drop_stream()
        refused, self._calls = self._calls, {}
        if isinstance(error, StoreError):
            message = str(error)
        else:
            where = record_crash(error, self._profile.directory)
            message = f"{_STARTED_OVER}; {where} says where it happened"
        self._engine = Engine(self._store, self._random)
        effects = self._engine.handle(Disconnected(message), now)
        self._store.apply(effects.writes)
        self._store.commit()
        self._wake_at = effects.wake_at
        self._connect_at = now + self._pauses.next(now)
        for future in refused.values():
            future.set_exception(CommandFailed(FailureCode.INTERNAL, message))
        for event in effects.events:
            self._emit(event)

    def _drop_stream(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _end(self) -> None:
        self._drop_stream()
        self._store.close()
        self._lock.release()
        self._closed.set()
        self._refuse_rest()
        closed = ClientClosed(self._reason)
        for call in self._calls.values():
            call.set_exception(closed)
        for work in self._work:
            work.future.set_exception(closed)
        for listener in self._listeners:
            listener(ShuttingDown(self._reason))
        self._ended.set()

    def _refuse_rest(self) -> None:
        """What arrived too late: nothing of it was done."""
        for item in self._backlog + self._mailbox.take():
            if isinstance(item, _Call | _Work) and not item.future.done():
                item.future.set_exception(ClientClosed(self._reason, safe=True))


def _now() -> int:
    return time.time_ns() // 1_000_000


def _within(number: int, most: int) -> int:
    """The number, or the nearest one from 0 to `most`."""
    return max(0, min(number, most))
