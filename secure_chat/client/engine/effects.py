"""What goes into the engine and what comes out: the contract between engine, store and I/O shell.

`Engine.handle(input, now) -> Effects`. The shell applies `writes` inside an open store transaction at once (so that
the engine's next reads see them), may handle further inputs in the same transaction, commits, and only then sends
frames and emits events. If anything fails before the commit, the transaction is rolled back, the engine is thrown
away and loaded anew: nothing was sent that is not on disk.
"""

from collections.abc import Iterator
from typing import Protocol, TypeAlias

from msgspec import Struct

from secure_chat.client.commands import Command
from secure_chat.client.events import Event
from secure_chat.client.views import MessageView
from secure_chat.wire.messages import ServerMessage

__all__ = [
    "Ask",
    "Connected",
    "DeleteRow",
    "Disconnect",
    "Disconnected",
    "Effects",
    "Input",
    "PutMessage",
    "PutRow",
    "Received",
    "StoreReader",
    "Tick",
    "Write",
]


class Ask(Struct, frozen=True):
    """A command of a front end; answered by one `Done` or `Failed` with the same reference."""

    ref: int
    command: Command


class Connected(Struct, frozen=True):
    """TLS to the pinned relay is up; the engine says hello."""

    certificate_hash: bytes
    """SHA-256 of the server certificate of this very connection."""
    tls: str
    """Version, group and cipher, for people."""


class Received(Struct, frozen=True):
    """One message of the relay."""

    message: ServerMessage


class Disconnected(Struct, frozen=True):
    """The connection is gone or could not be made."""

    reason: str
    permanent: bool = False
    """Only a person can help, as with a wrong certificate: no further attempts."""


class Tick(Struct, frozen=True):
    """Time has passed; the shell calls no later than `Effects.wake_at`."""


Input: TypeAlias = Ask | Connected | Received | Disconnected | Tick


class PutRow(Struct, frozen=True):
    """Sets a row of the key-value table."""

    space: str
    key: bytes
    value: bytes

    def __repr__(self) -> str:
        return f"<PutRow {self.space} {self.key.hex()}>"


class DeleteRow(Struct, frozen=True):
    """Deletes a row of the key-value table; `key` None: the whole space."""

    space: str
    key: bytes | None


class PutMessage(Struct, frozen=True):
    """Inserts a line of history or replaces the one with the same id; keeps the full-text index in step.

    A view with `position` 0 gets the next position.
    """

    message: MessageView


Write: TypeAlias = PutRow | DeleteRow | PutMessage


class StoreReader(Protocol):
    """The engine's only side door: reads that see all writes made so far."""

    def get(self, space: str, key: bytes) -> bytes | None:
        """One row's value."""

    def scan(self, space: str) -> Iterator[tuple[bytes, bytes]]:
        """All rows of a space in key order."""

    def message(self, message_id: str) -> MessageView | None:
        """One line of history."""

    def next_position(self) -> int:
        """The position that the next new line will get."""


class Disconnect(Struct, frozen=True):
    """Close the connection; connect again not before `retry_at` (0: not by itself)."""

    retry_at: int


class Effects(Struct):
    """What one input led to."""

    writes: list[Write] = []
    frames: list[bytes] = []
    """To be sent in this order on the current connection, after the commit."""
    events: list[Event] = []
    disconnect: Disconnect | None = None
    wake_at: int = 0
    """The latest time for the next `Tick`; 0: none needed."""
