"""The command palette: everything that can be done here, rooms and people, by typing part of a name."""

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from textual.command import DiscoveryHit, Hit, Hits, Provider

from secure_chat.ui.presenter import room_title
from secure_chat.ui.tui import cells
from secure_chat.ui.tui.chat.commands import COMMANDS
from secure_chat.ui.tui.chat.writing import Outgoing

if TYPE_CHECKING:
    from secure_chat.ui.tui.chat.screen import ChatScreen

__all__ = ["ChatCommands"]

_DEEDS = {
    "Next unread room": ("next", "Alt-A"),
    "Search messages": ("search", "Ctrl-R"),
    "Go to a day": ("date", "Ctrl-G"),
    "Go to the first new message": ("unread", "Alt-U"),
    "Go to the oldest message": ("oldest", "Home"),
    "Verify somebody": ("verify", "F8"),
    "Invite somebody: link and QR code": ("invite_link", "Alt-I"),
    "Mute or unmute this room": ("mute", "Alt-M"),
    "Colours: night, day, high contrast": ("look", "/look"),
    "Compact lines": ("compact", "/compact"),
    "Bell and notifications on or off": ("sound", "/sound"),
    "Line mode, for screen readers": ("plain", "/plain"),
    "Help": ("help", "F1"),
    "Quit": ("quit", "Ctrl-Q"),
}


class ChatCommands(Provider):
    """Deeds, /commands and places to go."""

    def _all(self) -> Iterator[tuple[str, str, str, str]]:
        """(what is shown, its explanation, kind, argument)."""
        for words, (deed, key) in _DEEDS.items():
            yield words, key, "deed", deed
        model = self._chat.model
        for room in model.listed():
            yield f"Go to {cells.line(room_title(room))}", "", "room", room.id
        for name in sorted(model.people):
            if name != model.handle:
                yield f"Verify {name}", "compare safety numbers", "verify", name
        for slash in COMMANDS.values():
            yield slash.usage, slash.summary, "slash", slash.name

    @property
    def _chat(self) -> "ChatScreen":
        from secure_chat.ui.tui.chat.screen import ChatScreen

        assert isinstance(self.screen, ChatScreen)
        return self.screen

    def _run(self, kind: str, argument: str) -> None:
        chat = self._chat
        match kind:
            case "deed":
                chat.deeds.start(argument)
            case "room":
                chat.go(argument)
            case "verify":
                chat.deeds.start("verify", argument)
            case _:
                slash = COMMANDS[argument]
                if slash.parameters:
                    chat.composer.put(f"/{argument} ")
                    chat.composer.focus()
                else:
                    outgoing = Outgoing(f"/{argument}", chat.model.current, None)
                    chat.run_worker(chat.writing.send(outgoing), group="send")

    async def discover(self) -> Hits:
        """What is offered before anything is typed."""
        for words, note, kind, argument in self._all():
            if kind in ("deed", "room"):
                yield DiscoveryHit(words, partial(self._run, kind, argument), help=note or None)

    async def search(self, query: str) -> Hits:
        """What fits what was typed."""
        matcher = self.matcher(query)
        for words, note, kind, argument in self._all():
            score = matcher.match(f"{words} {note}")
            if score > 0:
                yield Hit(score, words, partial(self._run, kind, argument), help=note or None)
