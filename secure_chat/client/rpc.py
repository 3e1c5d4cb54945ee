"""JSON-RPC 2.0, a message a line: one peer's session with a backend (docs/json.md).

Serves the owner's local socket and `secure-chat client rpc` alike. Calls may overlap and are answered as they finish;
events come as notifications once `subscribe` was called. A `closing` notification says that no call read after it was
started: a caller may safely repeat what was not answered.
"""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

import msgspec

from secure_chat import __version__
from secure_chat.client.backend import Backend
from secure_chat.client.encoding import VERSION, JsonObject, decode_command, encode_event, encode_result
from secure_chat.client.errors import ClientClosed, CommandFailed
from secure_chat.client.events import Event, FailureCode, Result
from secure_chat.client.vault import Lock
from secure_chat.errors import SecureChatError

__all__ = ["COMMAND_FAILED", "EXTRA_METHODS", "Session"]

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
"""JSON-RPC 2.0 §5.1."""
COMMAND_FAILED = -32000
"""Everything else; `data.code` tells programs why, with the values of `FailureCode`."""

EXTRA_METHODS = ("hello", "subscribe", "unsubscribe", "backup", "change_lock")
"""Methods that are no commands of the engine."""

MAX_WAITING = 20_000
"""Lines that a peer has not read; one that is slower than that is cut off rather than filling memory."""
MAX_BATCH = 1_000
"""Calls in one JSON-RPC batch."""

T = TypeVar("T")

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()


class Session:
    """One peer. `handle_line` is called by one thread; answers leave through a thread of the session's own."""

    def __init__(self, backend: Backend, send_line: Callable[[bytes], None]) -> None:
        """`send_line` may block and may raise a SecureChatError or OSError when the peer is gone."""
        self._backend = backend
        self._send_line = send_line
        self._condition = threading.Condition()
        self._waiting: deque[bytes] = deque()
        self._under_way = 0
        self._refusing = False
        self._gone = False
        self._unsubscribe: Callable[[], None] | None = None
        self._writer = threading.Thread(target=self._write, name="rpc writer", daemon=True)
        self._writer.start()

    def handle_line(self, line: bytes) -> bool:
        """Takes one line; False when the session takes no more."""
        with self._condition:
            if self._refusing or self._gone:
                return False
            self._under_way += 1  # so that closing waits for all of this line's answers
        try:
            self._handle(line)
        finally:
            self._finished()
        return True

    def settle(self, timeout: float = 5.0) -> None:
        """Waits (seconds) until every call so far is answered."""
        with self._condition:
            self._condition.wait_for(lambda: self._under_way == 0 or self._gone, timeout)

    def close(self, timeout: float = 5.0) -> None:
        """Starts no further call, waits for those under way (seconds), says `closing`, and has everything written."""
        with self._condition:
            self._refusing = True
        self.settle(timeout)
        if self._unsubscribe is not None:
            self._unsubscribe()
        self._put({"jsonrpc": "2.0", "method": "closing"})
        with self._condition:
            self._gone = True
            self._condition.notify_all()
        if threading.current_thread() is not self._writer:
            self._writer.join(timeout)

    # --- incoming

    def _handle(self, line: bytes) -> None:
        try:
            request: object = _decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self._put(_failure(None, PARSE_ERROR, "not JSON"))
            return
        if not isinstance(request, list):
            self._call(request, self._put)
            return
        if not 0 < len(request) <= MAX_BATCH:
            self._put(_failure(None, INVALID_REQUEST, f"a batch has 1 to {MAX_BATCH} calls"))
            return
        batch = _Batch(len(request), self._put_all)
        for each in request:
            self._call(each, batch.add)

    def _call(self, request: object, answer: Callable[[JsonObject | None], None]) -> None:
        """Starts one call; `answer` gets the response when it is there, None where none is wanted."""
        if not isinstance(request, dict) or request.get("jsonrpc") != "2.0":
            answer(_failure(None, INVALID_REQUEST, 'a request is an object with "jsonrpc": "2.0"'))
            return
        ref, method, params = request.get("id"), request.get("method"), request.get("params", {})
        if not isinstance(method, str) or not (ref is None or isinstance(ref, str | int | float)):
            answer(_failure(None, INVALID_REQUEST, "a request has a method and at most a number or text as its id"))
            return
        silent = "id" not in request  # a notification, in JSON-RPC's words
        try:
            future = self._start(method, params)
        except CommandFailed as error:
            code = METHOD_NOT_FOUND if error.code is FailureCode.NOT_FOUND else INVALID_PARAMS
            answer(None if silent else _failure(ref, code, str(error), error.code))
            return
        with self._condition:
            self._under_way += 1

        def finished(done: "Future[Result] | Future[None]") -> None:
            try:
                response = {"jsonrpc": "2.0", "id": ref, "result": encode_result(done.result())}
            except CommandFailed as error:
                response = _failure(ref, COMMAND_FAILED, str(error), error.code)
            except ClientClosed as error:
                response = _failure(ref, COMMAND_FAILED, str(error), FailureCode.INTERNAL)
            except SecureChatError as error:
                response = _failure(ref, COMMAND_FAILED, str(error), FailureCode.INVALID)
            answer(None if silent else response)
            self._finished()

        future.add_done_callback(finished)

    def _start(self, method: str, params: object) -> "Future[Result] | Future[None]":
        if method not in EXTRA_METHODS:
            return self._backend.submit(decode_command(method, params))
        given = params if isinstance(params, dict) else {}
        done: Future[Result] = Future()
        match method:
            case "hello":
                done.set_result(f"secure-chat {__version__} json {VERSION}")
            case "subscribe":
                if self._unsubscribe is None:
                    self._unsubscribe = self._backend.subscribe(self._notify)
                done.set_result(None)
            case "unsubscribe":
                if self._unsubscribe is not None:
                    self._unsubscribe()
                    self._unsubscribe = None
                done.set_result(None)
            case "backup":
                arguments = _arguments(method, given, _Backup)
                return self._backend.backup(Path(arguments.path), arguments.passphrase)
            case _:
                change = _arguments(method, given, _ChangeLock)
                return self._backend.change_lock(change.lock, change.passphrase)
        return done

    # --- outgoing

    def _notify(self, event: Event) -> None:
        self._put({"jsonrpc": "2.0", "method": "event", "params": encode_event(event)})

    def _put(self, message: JsonObject | None) -> None:
        if message is not None:
            self._put_all(message)

    def _put_all(self, message: JsonObject | list[JsonObject]) -> None:
        line = _encoder.encode(message)
        with self._condition:
            if len(self._waiting) >= MAX_WAITING:
                self._gone = True
                self._waiting.clear()
            if not self._gone:
                self._waiting.append(line)
            self._condition.notify_all()

    def _finished(self) -> None:
        with self._condition:
            self._under_way -= 1
            self._condition.notify_all()

    def _write(self) -> None:
        try:
            while True:
                with self._condition:
                    self._condition.wait_for(lambda: self._waiting or self._gone)
                    if not self._waiting:
                        return
                    line = self._waiting.popleft()
                self._send_line(line)
        except (SecureChatError, OSError, ValueError):  # the peer is gone
            with self._condition:
                self._gone = True
                self._waiting.clear()
                self._condition.notify_all()
        finally:
            if self._unsubscribe is not None:
                self._unsubscribe()


class _Batch:
    """Gathers the responses of a batch and gives them on together; nothing if all were notifications."""

    def __init__(self, calls: int, put: Callable[[JsonObject | list[JsonObject]], None]) -> None:
        self._missing = calls
        self._put = put
        self._responses: list[JsonObject] = []
        self._lock = threading.Lock()

    def add(self, response: JsonObject | None) -> None:
        """One call has finished."""
        with self._lock:
            self._missing -= 1
            if response is not None:
                self._responses.append(response)
            complete = self._missing == 0 and self._responses
        if complete:
            self._put(self._responses)


class _Backup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    path: str
    passphrase: str


class _ChangeLock(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    lock: Lock
    passphrase: str | None = None


def _arguments(method: str, params: dict[str, object], kind: type[T]) -> T:
    try:
        return msgspec.convert(params, type=kind)
    except msgspec.ValidationError as error:
        raise CommandFailed(FailureCode.INVALID, f"{method}: {error}") from None


def _failure(ref: object, code: int, message: str, why: FailureCode = FailureCode.INVALID) -> JsonObject:
    return {"jsonrpc": "2.0", "id": ref, "error": {"code": code, "message": message, "data": {"code": why.value}}}
