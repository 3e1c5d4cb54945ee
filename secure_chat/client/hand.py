"""A hand on the profile's owner: the same methods, carried over its local socket to the process with the engine."""

import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import msgspec

from secure_chat.client.backend import Listener
from secure_chat.client.commands import Command
from secure_chat.client.encoding import decode_event, decode_result, encode_command
from secure_chat.client.errors import NOT_UNICODE, BackupError, ClientClosed, CommandFailed, VaultError
from secure_chat.client.events import FailureCode, Result, ShuttingDown
from secure_chat.client.vault import Lock
from secure_chat.errors import SecureChatError

if TYPE_CHECKING:
    from secure_chat.transport.local import LocalConnection

__all__ = ["Hand"]


class Hand:
    """One connection to the owner; a `backend.Backend`."""

    def __init__(self, path: Path) -> None:
        """Connects to the owner that listens at `path`; raises `transport.errors.NobodyListens`."""
        from secure_chat.transport.local import connect_local

        self._connection: LocalConnection = connect_local(path)
        self._lock = threading.Lock()
        self._calls: dict[int, _Call] = {}
        self._last = 0
        self._listeners: list[Listener] = []
        self._closing = False
        self._closed = False
        self._reader = threading.Thread(target=self._read, name="hand", daemon=True)
        self._reader.start()

    def submit(self, command: Command) -> "Future[Result]":
        """Starts a command at the owner."""
        method, params = encode_command(command)
        return cast("Future[Result]", self._call(method, params, lambda value: decode_result(command, value)))

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Has every event from now on delivered."""
        with self._lock:
            first = not self._listeners
            self._listeners.append(listener)
        if first:
            self._call("subscribe", {}, lambda _: None).result()

        def unsubscribe() -> None:
            with self._lock:
                if listener in self._listeners:
                    self._listeners.remove(listener)

        return unsubscribe

    def backup(self, path: Path, passphrase: str) -> "Future[None]":
        """Has the owner write a backup."""
        params: dict[str, object] = {"path": str(path.absolute()), "passphrase": passphrase}
        return cast("Future[None]", self._call("backup", params, lambda _: None, BackupError))

    def change_lock(self, lock: Lock, passphrase: str | None) -> "Future[None]":
        """Has the owner change the lock."""
        params: dict[str, object] = {"lock": lock.value, "passphrase": passphrase}
        return cast("Future[None]", self._call("change_lock", params, lambda _: None, VaultError))

    def close(self) -> None:
        """Lets go of the owner, which goes on."""
        self._connection.close()
        if threading.current_thread() is not self._reader:
            self._reader.join()

    def _call(
        self,
        method: str,
        params: dict[str, object],
        decode: Callable[[object], object],
        failure: type[SecureChatError] | None = None,
    ) -> "Future[object]":
        call = _Call(Future(), decode, failure)
        try:
            encoded = msgspec.json.encode(params)
        except UnicodeEncodeError:  # a lone surrogate, such as stands for bytes that are no UTF-8
            raise CommandFailed(FailureCode.INVALID, NOT_UNICODE) from None
        with self._lock:
            if self._closed:
                raise ClientClosed("the process that owned the profile has ended", safe=True)
            self._last += 1
            ref = self._last
            self._calls[ref] = call
        request = {"jsonrpc": "2.0", "id": ref, "method": method, "params": msgspec.Raw(encoded)}
        with contextlib.suppress(SecureChatError):  # the reader finds the end too, and what was still said before it
            self._connection.send_line(msgspec.json.encode(request))
        return call.future

    def _read(self) -> None:
        try:
            while (line := self._connection.receive_line()) is not None:
                self._take(msgspec.json.decode(line, type=dict[str, object]))
        except (SecureChatError, msgspec.MsgspecError):
            pass  # whatever the owner's end was: nothing more comes
        finally:
            self._end()

    def _take(self, message: dict[str, object]) -> None:
        match message.get("method"):
            case "event":
                event = decode_event(cast(dict[str, object], message.get("params")))
                with self._lock:
                    listeners = list(self._listeners) if event is not None else []
                for listener in listeners:
                    assert event is not None
                    listener(event)
                return
            case "closing":
                self._closing = True
                return
        ref = message.get("id")
        with self._lock:
            call = self._calls.pop(ref, None) if isinstance(ref, int) else None
        if call is None:
            return
        error = message.get("error")
        if isinstance(error, dict):
            call.future.set_exception(_failure(error, call.failure))
            return
        try:
            result = call.decode(message.get("result"))
        except msgspec.ValidationError as mismatch:
            call.future.set_exception(
                CommandFailed(FailureCode.INTERNAL, f"the owner is of another version: {mismatch}")
            )
        else:
            call.future.set_result(result)

    def _end(self) -> None:
        with self._lock:
            self._closed = True
            calls, self._calls = list(self._calls.values()), {}
            listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener(ShuttingDown("the process that owned the profile has ended"))
        for call in calls:
            if self._closing:
                error = ClientClosed("the process that owned the profile was just ending", safe=True)
            else:
                error = ClientClosed("the process that owned the profile ended before it answered; see the history")
            call.future.set_exception(error)


@dataclass(frozen=True, slots=True)
class _Call:
    future: "Future[object]"
    decode: Callable[[object], object]
    failure: type[SecureChatError] | None
    """What a refusal is raised as, where it isn't CommandFailed."""


def _failure(error: dict[str, object], kind: type[SecureChatError] | None) -> SecureChatError:
    if kind is not None:
        return kind(str(error.get("message")))
    data = error.get("data")
    try:
        code = FailureCode(str(data.get("code")) if isinstance(data, dict) else "")
    except ValueError:
        code = FailureCode.INTERNAL
    return CommandFailed(code, str(error.get("message")))
