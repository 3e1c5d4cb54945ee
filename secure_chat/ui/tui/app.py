"""The terminal UI: colours, settings, and which screen comes first."""

import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from textual import events
from textual.app import App
from textual.binding import Binding, BindingType
from textual.screen import Screen

from secure_chat.client.api import Client
from secure_chat.client.profile import DEFAULT_PROFILE, Profile
from secure_chat.ui.tui import alt_keys, notify
from secure_chat.ui.tui.chat.desk import Desk
from secure_chat.ui.tui.chat.screen import ChatScreen
from secure_chat.ui.tui.looks import LOOKS, Look
from secure_chat.ui.tui.settings import Settings
from secure_chat.ui.tui.status.words import title_words
from secure_chat.ui.tui.turns import Turns

__all__ = ["PLAIN", "ChatApp", "run_tui"]

PLAIN = "plain"
"""What the app ends with when the user wants the line mode."""
SWITCH_INTERVAL = 0.001
"""Seconds after which the client's thread, at work on a message, lets a key through; Python's default is 0.005."""


class ChatApp(App[str]):
    """Shows the chat of an opened client, or first lets somebody join."""

    CSS_PATH = "styles.tcss"
    TITLE = "secure-chat"
    ENABLE_COMMAND_PALETTE = True
    COMMANDS: ClassVar = set()
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (80, "-medium"), (116, "-wide")]  # noqa: RUF012 - as Textual declares it
    VERTICAL_BREAKPOINTS = [(0, "-short"), (22, "-tall")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "quit_hint", show=False, system=True),
    ]

    def __init__(self, client: Client | None, profile: str = DEFAULT_PROFILE, link: str = "") -> None:
        super().__init__()
        self.client = client
        self.profile = profile
        self.looks: dict[str, Look] = dict(LOOKS)
        self.settings = Settings.load(self._directory)
        self.away_mark = False
        """Whether the line "new since you left" was drawn while nobody looked."""
        self.busy_with_keys = False
        """Whether a screen about a changed key is up."""
        self._link = link
        self._title = ""
        self._chat: ChatScreen | None = None
        self.is_usable = False
        """Whether rooms and history are on screen."""
        self.turns = Turns(self)
        for look in self.looks.values():
            self.register_theme(look.theme)
        self.set_reactive(App.theme, self._wanted_look())
        self.stylesheet.set_variables(self.get_css_variables())

    @property
    def _directory(self) -> Path:
        return Profile(self.profile).directory

    def get_default_screen(self) -> Screen[None]:
        """The chat at once, if somebody has joined."""
        return super().get_default_screen() if self.client is None else self._new_chat(self.client)

    async def on_event(self, event: events.Event) -> None:
        """Keys and pastes one after the other."""
        if isinstance(event, events.Key | events.Paste) and not event.is_forwarded:
            is_over = not self.screen_stack
            if is_over or not self.turns.has_turn(event):
                return
            if isinstance(event, events.Key) and event.key.startswith("alt+"):
                event.character = None  # otherwise inputs take Alt-A for an a
        await super().on_event(event)

    def on_unmount(self) -> None:
        """The terminal has its own title again."""
        notify.restore_title(self)

    def on_mount(self) -> None:
        """Joining, if nobody has."""
        notify.keep_title(self)
        if self.client is None:
            from secure_chat.ui.tui.first_run.screen import FirstRun

            self.push_screen(FirstRun(self.profile, self._link))

    def _new_chat(self, client: Client) -> ChatScreen:
        self._chat = ChatScreen(Desk(client))
        return self._chat

    def joined(self, client: Client) -> None:
        """The first run is over: the chat."""
        if self._chat is not None:
            return  # Enter was pressed twice
        self.client = client
        self.settings = Settings.load(self._directory)
        self.turns.held = True
        self.switch_screen(self._new_chat(client))

    def choose_look(self) -> None:
        """The look that was chosen, or what fits the terminal."""
        self.theme = self._wanted_look()

    def _wanted_look(self) -> str:
        wanted = self.settings.look
        return wanted if wanted in self.looks else "day" if _terminal_is_light() else "night"

    def save_settings(self) -> None:
        """For the next run."""
        if self._directory.is_dir():
            self.settings.save(self._directory)

    def usable(self) -> None:
        """The chat is on screen."""
        self.is_usable = True
        self.turns.held = False
        gc.freeze()  # what starting made stays: no collection looks at it again
        gc.enable()  # `run_chat` turns it off for the time of starting
        self.show_title()

    def show_title(self) -> None:
        """Room and what is unread, in the title of the terminal."""
        title = title_words(self._chat.model) if self._chat is not None else self.TITLE
        if title != self._title:
            self._title = title
            notify.set_title(self, title)

    def action_command_palette(self) -> None:
        """All commands; over a window they would have nothing to work on."""
        if isinstance(self.screen, ChatScreen):
            super().action_command_palette()

    def action_quit_hint(self) -> None:
        """Ctrl-C ends nothing by accident: it drops what was written, as in a shell."""
        if self._chat is None or self.screen is not self._chat:
            return
        if self._chat.composer.text:
            self._chat.composer.clear()
            self._chat.say("dropped; Ctrl-Z brings it back", "dim")
        else:
            self._chat.say("Ctrl-Q leaves the chat", "dim")


def _terminal_is_light() -> bool:
    """What COLORFGBG says: the last number is the background, 7 and 15 are light."""
    return os.environ.get("COLORFGBG", "").rpartition(";")[2] in ("7", "15")


def run_tui(client: Client | None, profile: str, adopt: Callable[[Client], object], *, link: str = "") -> Client | None:
    """Runs until the user leaves; the client if the line mode is wanted now.

    Without a `client` somebody joins first, and `adopt` gets the client that comes of it, to be closed at the end.
    """
    app = ChatApp(client, profile, link)
    alt_keys.teach()
    sys.setswitchinterval(SWITCH_INTERVAL)
    try:
        result = app.run()
    finally:
        gc.enable()
    if app.client is not None and app.client is not client:
        adopt(app.client)
    return app.client if result == PLAIN else None
