"""The owner's local socket: other processes of the same user hand their commands to the one that owns the profile."""

import threading
from pathlib import Path

from secure_chat.client.backend import Backend
from secure_chat.client.rpc import Session
from secure_chat.transport.local import LocalConnection, LocalServer

__all__ = ["LocalService"]


class LocalService:
    """Serves JSON-RPC sessions on a 0600 socket until it is closed."""

    def __init__(self, path: Path, backend: Backend) -> None:
        """Listens; raises `transport.errors.ListenError`."""
        self._backend = backend
        self._lock = threading.Lock()
        self._sessions: set[Session] = set()
        self._closing = False
        self._server = LocalServer(path, self._serve)

    def close(self) -> None:
        """Answers what was started, tells every caller that nothing else was, and stops listening."""
        with self._lock:
            self._closing = True
            sessions = list(self._sessions)
        for session in sessions:
            session.close()
        self._server.close()

    def _serve(self, connection: LocalConnection) -> None:
        session = Session(self._backend, connection.send_line)
        with self._lock:
            closing = self._closing
            if not closing:
                self._sessions.add(session)
        if closing:
            session.close()
            return
        try:
            while (line := connection.receive_line()) is not None and session.handle_line(line):
                pass
        finally:
            session.close()
            with self._lock:
                self._sessions.discard(session)
