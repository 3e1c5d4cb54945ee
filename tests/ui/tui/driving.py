"""The real app, driven without a terminal: a real client of a real relay behind it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from textual.pilot import Pilot

from secure_chat.client.api import Client
from secure_chat.client.engine.effects import PutMessage
from secure_chat.client.profile import Profile
from secure_chat.client.store import Store
from secure_chat.client.views import MessageView
from secure_chat.ui.tui.app import ChatApp
from secure_chat.ui.tui.chat.screen import ChatScreen
from secure_chat.ui.tui.looks import Look

__all__ = ["Chat", "fill", "open_chat", "read_screen", "run"]

PATIENCE = 40.0
"""Seconds until something must have happened; a busy machine is slow."""
_KEYS = {" ": "space", "/": "slash", ":": "colon", "#": "number_sign", "@": "at", "-": "minus", "\n": "ctrl+j"}


def read_screen(app: ChatApp) -> str:
    """What is on the screen, row by row."""
    rows = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in rows)


@dataclass
class Chat:
    """An app that runs."""

    app: ChatApp
    pilot: Pilot[str]

    @property
    def screen(self) -> ChatScreen:
        """The main screen, wherever the focus is."""
        return next(screen for screen in self.app.screen_stack if isinstance(screen, ChatScreen))

    @property
    def text(self) -> str:
        """What is on the screen."""
        return read_screen(self.app)

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        """Waits for a condition with a deadline."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, f"not within {PATIENCE} s: {what}\n{self.text}"
            await self.pilot.pause(0.02)

    async def shows(self, *texts: str) -> None:
        """Waits until all texts are on the screen."""
        await self.until(lambda: all(text in self.text for text in texts), f"{texts} on the screen")

    async def hides(self, text: str) -> None:
        """Waits until a text is not on the screen."""
        await self.until(lambda: text not in self.text, f"{text!r} gone")

    async def press(self, *keys: str) -> None:
        """Presses keys."""
        await self.pilot.press(*keys)

    async def type(self, text: str, *then: str) -> None:
        """Types text, then presses keys."""
        await self.pilot.press(*(_KEYS.get(character, character) for character in text), *then)

    async def on(self, screen: str) -> None:
        """Waits until a screen of this class is on top."""
        await self.until(lambda: type(self.app.screen).__name__ == screen, f"{screen} (now {self.app.screen})")


@asynccontextmanager
async def open_chat(
    client: Client | None,
    profile: str,
    *,
    size: tuple[int, int] = (100, 30),
    look: str = "night",
    looks: Sequence[Look] = (),
    link: str = "",
) -> AsyncIterator[Chat]:
    """Runs the app until the block ends; with a client it is usable at the beginning."""
    app = ChatApp(client, profile, link)
    for each in looks:
        app.looks[each.name] = each
        app.register_theme(each.theme)
    app.settings.look = look
    app.choose_look()
    async with app.run_test(size=size, notifications=False) as pilot:
        chat = Chat(app, pilot)
        if client is not None:
            await chat.until(lambda: app.is_usable, "usable")
        yield chat


def run(scenario: Callable[[], object]) -> None:
    """Runs an asynchronous test."""
    result = scenario()
    assert asyncio.iscoroutine(result)
    asyncio.run(result)


def fill(profile: str, lines: Sequence[MessageView]) -> None:
    """Puts lines into the store of a profile that nobody has open; positions and ids are theirs."""
    stored = Profile(profile)
    with stored.acquire(), Store.open(stored.store_path, stored.vault.unlock()) as store:
        store.apply([PutMessage(line) for line in lines])
        store.commit()
