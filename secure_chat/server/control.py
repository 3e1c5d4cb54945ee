"""The operator's way into a running relay: a local socket for the same user, one JSON request and answer per line.

Requests are the commands of `core.admin`, and `Backup`. The same functions work on the database directly when no
relay runs (`operate`), so a command never depends on it.
"""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import msgspec
from msgspec import Struct

from secure_chat.errors import SecureChatError
from secure_chat.server.backup import back_up
from secure_chat.server.core.admin import AdminCommand, AdminError, AdminResult, Done
from secure_chat.server.core.settings import Settings
from secure_chat.server.engine import RelayEngine
from secure_chat.server.errors import AdministrationError
from secure_chat.server.home import Home
from secure_chat.transport.errors import NobodyListens
from secure_chat.transport.local import LocalConnection, LocalServer, connect_local

__all__ = ["Answer", "Backup", "ControlSocket", "Describe", "Description", "describe", "operate"]

_ANSWER_TIME = 600.0
"""Seconds: a backup of many gigabytes takes minutes."""


class Backup(Struct, frozen=True, tag="backup"):
    """Writes a consistent copy of the database while the relay serves; answered by `Done`."""

    path: str


class Describe(Struct, frozen=True, tag="describe"):
    """Asks the running relay for its `Description`."""


class Description(Struct, frozen=True, tag="description"):
    """What a command beside the running relay needs to know; times in seconds."""

    version: str
    process: int
    uptime: int
    host: str
    port: int
    """For links."""
    ca_pin: bytes
    """Empty: a public CA."""
    certificate_begins: int
    certificate_expires: int
    certificate_hosts: tuple[str, ...]
    own_certificate: bool
    connections: int
    """Open, logged in or not."""


Request: TypeAlias = AdminCommand | Backup | Describe
Answer: TypeAlias = AdminResult | Description

_encode = msgspec.json.Encoder().encode
_requests: msgspec.json.Decoder[Request] = msgspec.json.Decoder(Request)
_answers: msgspec.json.Decoder[Answer] = msgspec.json.Decoder(Answer)


class ControlSocket:
    """Serves requests beside the relay's other threads."""

    def __init__(
        self, home: Home, ask: Callable[[AdminCommand], AdminResult], describe: Callable[[], Description]
    ) -> None:
        self._home = home
        self._ask = ask
        self._describe = describe
        self._backups = threading.Lock()
        self._server: LocalServer | None = None

    def start(self) -> None:
        """Starts listening."""
        self._server = LocalServer(self._home.control, self._serve)

    def stop(self) -> None:
        """Ends."""
        if self._server is not None:
            self._server.close()

    def _serve(self, connection: LocalConnection) -> None:
        while (line := connection.receive_line()) is not None:
            connection.send_line(_encode(self._answer(line)))

    def _answer(self, line: bytes) -> Answer:
        try:
            request = _requests.decode(line)
        except msgspec.DecodeError as error:
            return AdminError(f"not a request of this version: {error}")
        if isinstance(request, Backup):
            with self._backups:
                return _backed_up(self._home, request)
        if isinstance(request, Describe):
            return self._describe()
        return self._ask(request)


def describe(home: Home) -> Description | None:
    """What the running relay says of itself; None when none runs."""
    try:
        connection = connect_local(home.control)
    except NobodyListens:
        return None
    answer = _exchange(connection, Describe())
    assert isinstance(answer, Description)
    return answer


def operate(home: Home, request: AdminCommand | Backup) -> AdminResult:
    """Has the running relay do it, or does it on the database when none runs; raises SecureChatError.

    What can't be done raises AdministrationError.
    """
    try:
        connection = connect_local(home.control)
    except NobodyListens:
        answer = _directly(home, request)
    else:
        received = _exchange(connection, request)
        assert not isinstance(received, Description)
        answer = received
    if isinstance(answer, AdminError):
        raise AdministrationError(answer.message)
    return answer


def _exchange(connection: LocalConnection, request: Request) -> Answer:
    try:
        connection.send_line(_encode(request))
        line = connection.receive_line(_ANSWER_TIME)
    finally:
        connection.close()
    if line is None:
        raise AdministrationError("the relay ended before it answered; try again")
    return _answers.decode(line)


def _directly(home: Home, request: AdminCommand | Backup) -> AdminResult:
    if not home.database.exists():
        raise AdministrationError(f"no relay has been started in {home.root} yet: secure-chat server")
    home.acquire()
    try:
        if isinstance(request, Backup):
            return _backed_up(home, request)
        engine = RelayEngine(home.database, Settings(), home.directory_key(), b"")
        try:
            return engine.ask(request)
        finally:
            engine.close()
    finally:
        home.release()


def _backed_up(home: Home, request: Backup) -> AdminResult:
    try:
        size = back_up(home, Path(request.path))
    except SecureChatError as error:
        return AdminError(str(error))
    return Done(f"{size} bytes in {request.path}")
