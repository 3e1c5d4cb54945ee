"""Listening sockets of the relay."""

import errno
import socket
import sys
from typing import Any

from secure_chat.transport.connection import tune
from secure_chat.transport.errors import ListenError

__all__ = ["BACKLOG", "Listener"]

BACKLOG = 1024
"""Connections the kernel keeps while we are busy: a burst of reconnecting clients after a restart."""

_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class Listener:
    """One listening, non-blocking TCP socket."""

    def __init__(self, host: str, port: int) -> None:
        """`host` is a name or an address; "" listens on all addresses, IPv6 and IPv4. Raises ListenError."""
        try:
            if not host:
                self._socket = _listen_everywhere(port)
            else:
                family, _, _, _, address = socket.getaddrinfo(
                    host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
                )[0]
                self._socket = _listen(family, address)
        except OSError as error:
            reason = error.strerror or str(error)
            if error.errno == errno.EADDRINUSE:
                reason = "another program has this port; is a relay running already? otherwise choose another port"
            raise ListenError(f"can't listen on {host or '*'}:{port}: {reason}") from None
        self._socket.setblocking(False)
        if sys.platform == "linux":
            tune(self._socket)  # connections inherit it there, which saves six system calls for each

    @property
    def address(self) -> tuple[str, int]:
        """Host and port; the real port where 0 was asked for."""
        name = self._socket.getsockname()
        return str(name[0]), int(name[1])

    def fileno(self) -> int:
        """Readable when connections are waiting."""
        return self._socket.fileno()

    def accept(self) -> tuple[socket.socket, str] | None:
        """The next connection and its peer's address, or None; raises ListenError where descriptors ran out."""
        while True:
            try:
                connected, address = self._socket.accept()
            except BlockingIOError:
                return None
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    raise ListenError(
                        f"can't accept connections: {error.strerror}; raise the limit of open files"
                    ) from None
                continue  # this one connection broke before we took it
            if sys.platform != "linux":
                tune(connected)
            host = str(address[0])
            return connected, host.removeprefix("::ffff:")

    def close(self) -> None:
        """Stops listening."""
        self._socket.close()


def _listen(family: int, address: Any) -> socket.socket:
    created = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform != "win32":  # there the option would let another program take the port away
            created.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        created.bind(address)
        created.listen(BACKLOG)
    except BaseException:
        created.close()
        raise
    return created


def _listen_everywhere(port: int) -> socket.socket:
    if socket.has_dualstack_ipv6():
        try:
            return socket.create_server(("", port), family=socket.AF_INET6, backlog=BACKLOG, dualstack_ipv6=True)
        except OSError as error:
            if error.errno != errno.EAFNOSUPPORT and error.errno != errno.EADDRNOTAVAIL:
                raise
    return socket.create_server(("", port), backlog=BACKLOG)
