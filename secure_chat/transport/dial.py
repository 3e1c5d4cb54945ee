"""Finds a way to a host without blocking: resolves its name, races its addresses (RFC 8305 in its simplest form)."""

import errno
import ipaddress
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Collection

from secure_chat.transport.errors import ConnectError, NameNotFound, Refused, Unreachable
from secure_chat.transport.mailbox import Wakeup
from secure_chat.transport.poller import WRITE, Poller

__all__ = ["Dialer"]

HEAD_START = 0.25
"""Seconds until the next address is tried beside those that have not answered (RFC 8305 §5)."""
MAX_ADDRESSES = 16
"""More addresses than that no honest name has."""

_IN_PROGRESS = {0, errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EINTR}
_UNREACHABLE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.ENETDOWN, errno.EAFNOSUPPORT}

Address = tuple[socket.AddressFamily, tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]]


class Dialer:
    """One attempt to connect: wait on the poller for at most `timeout` seconds and `step` until a socket comes."""

    def __init__(self, host: str, port: int, poller: Poller) -> None:
        self._host = host
        self._port = port
        self._poller = poller
        self._waiting: deque[Address] = deque()
        self._trying: dict[int, socket.socket] = {}
        self._next_start = 0.0
        self._last_error = 0
        self._resolver: _Resolver | None = None
        try:
            ipaddress.ip_address(host)
        except ValueError:
            self._resolver = _Resolver(host, port)
            poller.register(self._resolver.fileno(), 1)
        else:
            self._waiting.extend(_resolve(host, port))

    @property
    def timeout(self) -> float | None:
        """When `step` has something to do though no descriptor is ready."""
        if not self._waiting:
            return None
        return max(0.0, self._next_start - time.monotonic())

    def step(self, ready: Collection[int]) -> socket.socket | None:
        """Goes on with what is ready; the connected socket, no longer in the poller, or None for not yet.

        Raises NameNotFound, Refused or Unreachable once every address has failed.
        """
        resolver = self._resolver
        if resolver is not None:
            if resolver.fileno() not in ready:
                return None
            self._poller.unregister(resolver.fileno())
            self._resolver = None
            self._waiting.extend(resolver.take())
        for descriptor in [each for each in ready if each in self._trying]:
            attempt = self._trying.pop(descriptor)
            self._poller.unregister(descriptor)
            error = attempt.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error == 0:
                self.close()
                return attempt
            attempt.close()
            self._last_error = error
            self._next_start = 0.0
        while self._waiting and (not self._trying or time.monotonic() >= self._next_start):
            self._start(*self._waiting.popleft())
        if not self._trying and not self._waiting:
            raise self._failure()
        return None

    def close(self) -> None:
        """Gives up what is still being tried."""
        if self._resolver is not None:
            self._poller.unregister(self._resolver.fileno())
            self._resolver.abandon()
            self._resolver = None
        for descriptor, attempt in self._trying.items():
            self._poller.unregister(descriptor)
            attempt.close()
        self._trying.clear()
        self._waiting.clear()

    def _start(self, family: socket.AddressFamily, address: tuple[str | int | bytes, ...]) -> None:
        try:
            attempt = socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:
            self._last_error = error.errno or 0
            return
        attempt.setblocking(False)
        code = attempt.connect_ex(address)
        if code not in _IN_PROGRESS:
            attempt.close()
            self._last_error = code
            return
        self._trying[attempt.fileno()] = attempt
        self._poller.register(attempt.fileno(), WRITE)
        self._next_start = time.monotonic() + HEAD_START

    def _failure(self) -> ConnectError:
        peer = f"{self._host}:{self._port}" if ":" not in self._host else f"[{self._host}]:{self._port}"
        if self._last_error == errno.ECONNREFUSED:
            return Refused(f"nothing listens on {peer}; is the server running, and the port right?")
        if self._last_error in _UNREACHABLE:
            return Unreachable(f"there is no way to {peer}; is this computer on the network?")
        if self._last_error == errno.ETIMEDOUT:
            return Unreachable(f"{peer} does not answer; is it switched on, and does its firewall let you in?")
        return ConnectError(f"can't connect to {peer}: {_describe(self._last_error)}")


class _Resolver:
    """One name lookup in a thread of its own: the system's resolver blocks and cannot be hurried."""

    def __init__(self, host: str, port: int) -> None:
        self._wakeup = Wakeup()
        self._lock = threading.Lock()
        self._abandoned = False
        self._finished = False
        self._result: list[Address] | ConnectError = []
        threading.Thread(target=self._run, args=(host, port), name="resolver", daemon=True).start()

    def fileno(self) -> int:
        """Readable when the answer is there."""
        return self._wakeup.fileno()

    def take(self) -> list[Address]:
        """The addresses; raises NameNotFound."""
        with self._lock:
            self._wakeup.close()
        if isinstance(self._result, ConnectError):
            raise self._result
        return self._result

    def abandon(self) -> None:
        """Nobody waits any more; the thread ends when the system's resolver does."""
        with self._lock:
            self._abandoned = True
            if self._finished:
                self._wakeup.close()

    def _run(self, host: str, port: int) -> None:
        try:
            self._result = _resolve(host, port)
        except ConnectError as error:
            self._result = error
        with self._lock:
            self._finished = True
            if self._abandoned:
                self._wakeup.close()
            else:
                self._wakeup.set()


def _resolve(host: str, port: int) -> list[Address]:
    """The addresses of a host, families in turn, the system's preferred one first."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    except (OSError, UnicodeError):
        raise NameNotFound(f"{host} is unknown here; check the spelling, or use its IP address") from None
    by_family: dict[socket.AddressFamily, list[Address]] = {}
    for family, _, _, _, address in found[:MAX_ADDRESSES]:
        by_family.setdefault(family, []).append((family, address))
    lists = list(by_family.values())
    longest = max(len(each) for each in lists)
    return [each[i] for i in range(longest) for each in lists if i < len(each)]


def _describe(code: int) -> str:
    return os.strerror(code).lower() if code else "no address could be tried"
