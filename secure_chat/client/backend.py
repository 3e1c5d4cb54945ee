"""What stands behind a `Client`: the runner that owns the profile, or a hand on the runner of another process."""

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Protocol, TypeAlias

from secure_chat.client.commands import Command
from secure_chat.client.events import Event, Result
from secure_chat.client.vault import Lock

__all__ = ["Backend", "Listener"]

Listener: TypeAlias = Callable[[Event], None]
"""Called for each event, in order, from the backend's own thread: it must return at once."""


class Backend(Protocol):
    """Everything a front end needs; `runner.Runner` and `hand.Hand` have it."""

    def submit(self, command: Command) -> "Future[Result]":
        """Starts a command. The future fails with CommandFailed, or with ClientClosed if the client ends first."""

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Has every event from now on delivered; the function returned ends that."""

    def backup(self, path: Path, passphrase: str) -> "Future[None]":
        """Writes an encrypted backup; fails with BackupError."""

    def change_lock(self, lock: Lock, passphrase: str | None) -> "Future[None]":
        """Locks the store's key another way; fails with VaultError."""

    def close(self) -> None:
        """Ends this front end's use; harmless when repeated."""
