"""The local command socket: other processes of the same user hand their lines to the one that owns a profile or relay.

A 0600 Unix socket where the system has them and the path is short enough; otherwise a loopback port whose number and
random token stand in a 0600 file at the same path. Either way the other end is the same user, and the protocol is lines
of bytes. The owner holds its exclusive lock *before* it listens here: what lies at the path then is stale.
"""

import contextlib
import hmac
import os
import secrets
import selectors
import socket
import stat
import struct
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from secure_chat.transport.deadline import Deadline
from secure_chat.transport.errors import ConnectionLost, ListenError, LocalRefused, NobodyListens, TimedOut
from secure_chat.transport.mailbox import Wakeup
from secure_chat.transport.poller import READ, Poller

__all__ = ["MAX_CONNECTIONS", "MAX_LINE", "LocalConnection", "LocalServer", "connect_local"]

MAX_LINE = 8 * 1024 * 1024
"""Longest line in bytes: a search result with its messages; whoever sends more is not one of ours."""
MAX_CONNECTIONS = 64
"""Simultaneous callers: a person's scripts and bots on one machine."""
GREETING_TIMEOUT = 5.0
"""Seconds to prove oneself with the token, where one is needed."""

_UNIX_PATH = 100
"""Longest path of a Unix socket in bytes; Linux allows 107, macOS 103."""


class LocalConnection:
    """Lines in both directions; one thread may receive while others send."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._buffer = bytearray()
        self._sending = threading.Lock()

    def send_line(self, line: bytes) -> None:
        """Sends a line, which contains no line end; blocks until the system has taken it. Raises ConnectionLost."""
        if b"\n" in line:
            raise ValueError("a line contains no line end")
        try:
            with self._sending:
                self._socket.sendall(line + b"\n")
        except OSError:
            raise ConnectionLost("the other process has closed the local connection") from None

    def receive_line(self, timeout: float | None = None) -> bytes | None:
        """The next line without its end, or None once the other side has finished.

        Raises TimedOut after `timeout` seconds, LocalRefused for a line above MAX_LINE, ConnectionLost.
        """
        deadline = Deadline(timeout)
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if searched > MAX_LINE:
                raise LocalRefused(f"a line of more than {MAX_LINE} bytes on the local connection")
            data = self._receive(deadline)
            if not data:
                return None  # a line without its end was cut off and doesn't count
            self._buffer += data
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line

    def finish(self) -> None:
        """Nothing more will be sent from here; receiving goes on."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Ends the connection and every call that waits on it; from any thread."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _receive(self, deadline: Deadline) -> bytes:
        remaining = deadline.remaining()
        try:
            if remaining is not None:  # not settimeout: that would hurry a sending thread, too
                with selectors.DefaultSelector() as selector:
                    selector.register(self._socket, selectors.EVENT_READ)
                    if not selector.select(remaining):
                        raise TimedOut("the process that owns the local socket does not answer")
            return self._socket.recv(65536)
        except (OSError, ValueError):  # ValueError: closed here by another thread
            raise ConnectionLost("the other process has closed the local connection") from None


class LocalServer:
    """Listens at a path and serves each caller in a thread of its own."""

    def __init__(self, path: Path, serve: Callable[[LocalConnection], None]) -> None:
        """`serve` is called once per caller; the connection is closed when it returns. Raises ListenError."""
        self._path = path
        self._serve = serve
        self._token: bytes | None = None
        self._lock = threading.Lock()
        self._connections: set[LocalConnection] = set()
        self._closed = False
        try:
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
            self._socket = self._listen()
        except OSError as error:
            raise ListenError(f"can't listen on {path}: {error.strerror}") from None
        self._socket.setblocking(False)
        self._stop = Wakeup()
        self._thread = threading.Thread(target=self._accept, name="local", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stops listening, removes the path and ends every connection; from any thread but a caller's."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            connections = list(self._connections)
        with contextlib.suppress(OSError):
            self._path.unlink()
        self._stop.set()
        for connection in connections:
            connection.close()
        self._thread.join()
        self._stop.close()

    def _listen(self) -> socket.socket:
        if _unix_fits(self._path):
            listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                listening.bind(os.fspath(self._path))
                self._path.chmod(0o600)  # before listen: until then nobody can connect
                listening.listen(MAX_CONNECTIONS)
            except BaseException:
                listening.close()
                raise
            return listening
        self._token = secrets.token_hex(32).encode()
        listening = socket.create_server(("127.0.0.1", 0), backlog=MAX_CONNECTIONS)
        port = listening.getsockname()[1]
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(b"%d %s\n" % (port, self._token))
        return listening

    def _accept(self) -> None:
        poller = Poller()
        poller.register(self._socket.fileno(), READ)
        poller.register(self._stop.fileno(), READ)
        while not self._closed:
            poller.poll(None)
            try:
                connected, _ = self._socket.accept()
            except OSError:
                continue  # woken to stop, or the caller has gone already
            connected.setblocking(True)
            connection = LocalConnection(connected)
            with self._lock:
                refused = self._closed or len(self._connections) >= MAX_CONNECTIONS
                if not refused:
                    self._connections.add(connection)
            if refused or not _same_user(connected):
                self._forget(connection)
                continue
            threading.Thread(target=self._run, args=(connection,), name="local caller", daemon=True).start()
        poller.close()
        self._socket.close()

    def _run(self, connection: LocalConnection) -> None:
        try:
            if self._token is not None:
                given = connection.receive_line(GREETING_TIMEOUT)
                if given is None or not hmac.compare_digest(given, self._token):
                    return
            self._serve(connection)
        except (ConnectionLost, LocalRefused, TimedOut):
            pass  # the caller's side is gone or misbehaves: its own affair
        finally:
            self._forget(connection)

    def _forget(self, connection: LocalConnection) -> None:
        connection.close()
        with self._lock:
            self._connections.discard(connection)


def connect_local(path: Path) -> LocalConnection:
    """A connection to the process that listens at `path`; raises NobodyListens."""
    nobody = NobodyListens(f"nothing listens at {path}")
    try:
        mode = path.stat().st_mode
        if stat.S_ISSOCK(mode):
            connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                connected.connect(os.fspath(path))
            except BaseException:
                connected.close()
                raise
            return LocalConnection(connected)
        port, _, token = path.read_bytes().strip().partition(b" ")
        connection = LocalConnection(socket.create_connection(("127.0.0.1", int(port)), GREETING_TIMEOUT))
        connection.send_line(token)
    except (OSError, ValueError, OverflowError):
        raise nobody from None
    return connection


def _unix_fits(path: Path) -> bool:
    return hasattr(socket, "AF_UNIX") and os.name == "posix" and len(os.fsencode(path)) <= _UNIX_PATH


def _same_user(connected: socket.socket) -> bool:
    """The caller's user is ours, where the system tells; the file mode says the same elsewhere."""
    if sys.platform == "linux" and connected.family == socket.AF_UNIX:
        _, user, _ = struct.unpack("3i", connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        return bool(user in (os.getuid(), 0))
    return True
