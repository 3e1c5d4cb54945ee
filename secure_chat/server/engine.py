"""The relay core on its database: what the writer thread runs, and what operator's commands use while it is stopped."""

import secrets
import time
from collections.abc import Sequence
from pathlib import Path

from secure_chat.identity.keys import DirectoryKey
from secure_chat.server.core.admin import AdminCommand, AdminError, AdminResult
from secure_chat.server.core.effects import AdminReply, AdminRequest, Effects, Input, Tick
from secure_chat.server.core.relay import Relay
from secure_chat.server.core.settings import Settings
from secure_chat.server.storage.database import Database

__all__ = ["RelayEngine", "milliseconds"]

_LAST_TICKS = 60
"""Each stores a part of what may be stored late; so many store all but a rest of thousands."""


def milliseconds() -> int:
    """The clock of the relay, since the POSIX epoch."""
    return time.time_ns() // 1_000_000


class RelayEngine:
    """One core and one database; used by one thread at a time."""

    def __init__(self, database: Path, settings: Settings, directory: DirectoryKey, ca_der: bytes) -> None:
        """Opens the database and brings it up to date; raises StorageError."""
        self._settings = settings
        self._directory = directory
        self._ca_der = ca_der
        self._database = Database(database)
        self._relay = self._new_relay()

    def run(self, batch: Sequence[Input], now: int) -> Effects:
        """Handles the batch in one transaction; its effects, once they are on disk."""
        with self._database.transaction() as transaction:
            return self._relay.handle(batch, transaction, now)

    def rebuild(self) -> None:
        """Drops the core's memory, which may be ahead of the database, and starts anew from there."""
        self._relay = self._new_relay()

    def configure(self, settings: Settings, ca_der: bytes) -> None:
        """New settings from the next batch on."""
        self._settings = settings
        self._ca_der = ca_der
        self._relay.reconfigure(settings, ca_der)

    def ask(self, command: AdminCommand) -> AdminResult:
        """One operator's command in a transaction of its own."""
        for output in self.run([AdminRequest(0, command)], milliseconds()).outputs:
            if isinstance(output, AdminReply):
                return output.result
        return AdminError("the relay gave no answer")

    def close(self) -> None:
        """Stores what may be stored late, such as cursors, and closes the database."""
        for _ in range(_LAST_TICKS):
            self.run([Tick()], milliseconds())
        self._database.close()

    def _new_relay(self) -> Relay:
        return Relay(self._settings, self._directory, secrets.token_bytes, self._ca_der)
