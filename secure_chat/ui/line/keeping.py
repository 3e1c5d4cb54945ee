"""What a person does with what is kept on this computer: export, backup, passphrase. The relay hears nothing of it."""

import asyncio
from collections.abc import Awaitable
from pathlib import Path
from typing import Protocol, TypeVar

from secure_chat.client.api import Client
from secure_chat.client.vault import Lock
from secure_chat.ui.arguments import InputError, Kind, Parameter
from secure_chat.ui.slash import SLASH, TOPICS, Slash

__all__ = ["KEEPING", "LINE_SLASH", "LINE_TOPICS", "Keeping"]

_FILE = Parameter(Kind.WORD, name="FILE")
KEEPING: dict[str, Slash] = {
    slash.name: slash
    for slash in (
        Slash(
            "export",
            "Write this room's history to a file, as JSON lines that anybody can read.",
            (_FILE,),
            "lobby.jsonl",
        ),
        Slash(
            "backup", "Write everything to an encrypted file with a passphrase of its own.", (_FILE,), "~/chat.backup"
        ),
        Slash("passphrase", "Set, change or remove the passphrase that this computer asks for."),
    )
}
LINE_SLASH: dict[str, Slash] = dict(sorted({**SLASH, **KEEPING}.items()))
"""Every /command of the line mode."""
LINE_TOPICS: dict[str, tuple[str, ...]] = {**TOPICS, "What is kept here": tuple(KEEPING)}
"""The order of its help."""

PROGRESS_SECONDS = 3.0
"""Between two words about how far long work has come."""
MIB = 1024 * 1024

T = TypeVar("T")


class Screen(Protocol):
    """What these commands need of the line mode."""

    client: Client

    def show(self, lines: list[str]) -> None:
        """Prints above the prompt."""

    async def ask_hidden(self, question: str) -> str | None:
        """What is typed, unseen; None where the question was left."""


class Keeping:
    """Runs them."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    async def export(self, rest: str, room: str) -> None:
        """The history of a room as JSON lines."""
        from secure_chat.ui.export import export_file  # only needed here

        path = _path(rest, "export")
        if not room:
            raise InputError("you are in no room: /rooms shows what there is")
        count = await self._watched(asyncio.to_thread(export_file, self._screen.client, (room,), path), path)
        self._screen.show([f"-- {count:,} {'line is' if count == 1 else 'lines are'} in {path}, unencrypted"])

    async def backup(self, rest: str) -> None:
        """Everything but the message keys, encrypted."""
        path = _path(rest, "backup")
        words = await self._twice("Passphrase of the backup: ")
        if not words:
            self._screen.show(["-- no backup was written: it holds your account key and needs a passphrase"])
            return
        await self._watched(asyncio.wrap_future(self._screen.client.backup(path, words)), path)
        self._screen.show([f"-- the backup is in {path}; secure-chat client restore makes a profile of it"])

    async def passphrase(self) -> None:
        """How the store's key is locked from now on."""
        words = await self._twice("New passphrase (Enter: none): ")
        if words is None:
            self._screen.show(["-- nothing was changed"])
            return
        lock = Lock.PASSPHRASE if words else Lock.KEY_FILE
        await asyncio.wrap_future(self._screen.client.change_lock(lock, words or None))
        self._screen.show(
            ["-- from now on the chat asks for this passphrase when it is opened"]
            if words
            else ["-- from now on there is no passphrase: the key lies in a file that only you can read"]
        )

    async def _twice(self, question: str) -> str | None:
        while True:
            words = await self._screen.ask_hidden(question)
            if not words:
                return words
            again = await self._screen.ask_hidden("The same again: ")
            if again is None or again == words:
                return again
            self._screen.show(["-- they differ; once more"])

    async def _watched(self, work: Awaitable[T], path: Path) -> T:
        """Its result; says now and then how much is written already."""
        task = asyncio.ensure_future(work)
        while True:
            done, _ = await asyncio.wait((task,), timeout=PROGRESS_SECONDS)
            if done:
                return task.result()
            size = path.stat().st_size / MIB if path.exists() else 0.0
            self._screen.show([f"-- {size:.1f} MiB are in {path} so far"])


def _path(rest: str, name: str) -> Path:
    if not rest:
        raise InputError(f"usage: {LINE_SLASH[name].how}")
    return Path(rest).expanduser()
