"""Everything a key, a command or the palette starts on the main screen; each deed runs beside the event loop's work."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text

from secure_chat.errors import SecureChatError
from secure_chat.ui.tui.chat.message_deeds import MessageDeeds
from secure_chat.ui.tui.chat.people_deeds import PeopleDeeds
from secure_chat.ui.tui.chat.room_deeds import RoomDeeds

if TYPE_CHECKING:
    from secure_chat.ui.tui.chat.screen import ChatScreen

__all__ = ["Deeds"]

Deed = Callable[[str], Awaitable[None]]


class Deeds:
    """Deeds by name."""

    BY_COMMAND: ClassVar[dict[str, str]] = {
        "next": "next",
        "search": "search",
        "verify": "verify",
        "invite-link": "invite_link",
        "date": "date",
        "look": "look",
        "compact": "compact",
        "sound": "sound",
        "export": "export",
        "backup": "backup",
        "history": "oldest",
        "plain": "plain",
        "quit": "quit",
    }
    """Names of deeds by /command."""

    def __init__(self, screen: "ChatScreen") -> None:
        self._screen = screen
        self.messages = MessageDeeds(screen)
        self.rooms = RoomDeeds(screen)
        self.people = PeopleDeeds(screen)
        self._deeds: dict[str, Deed] = {
            **self.messages.table(),
            **self.rooms.table(),
            **self.people.table(),
            "help": self._help,
            "plain": self._plain,
            "quit": self._quit,
        }

    def start(self, name: str, argument: str = "") -> None:
        """Starts a deed; what goes wrong is told on the screen."""
        self._screen.run_worker(self._run(self._deeds[name], argument), group=f"deed {name}", exclusive=True)

    async def by_command(self, command: str, argument: str) -> None:
        """The deed of a /command; it runs on its own, since it may open a window."""
        self.start(self.BY_COMMAND[command], argument)

    async def _run(self, deed: Deed, argument: str) -> None:
        try:
            await deed(argument)
        except SecureChatError as error:
            self._screen.fail(error)

    # --- the screen itself

    def toggle(self, name: str) -> None:
        """Shows or hides a side panel; over a narrow screen it is called up."""
        screen = self._screen
        panel = screen.rooms if name == "rooms" else screen.members
        over = screen.app.has_class("-narrow") or screen.has_class("-narrow")
        over = over or (name == "members" and (screen.has_class("-medium") or screen.app.has_class("-medium")))
        panel.toggle_class("shown" if over else "hidden")
        if not over:
            shown = not panel.has_class("hidden")
            if name == "rooms":
                screen.app.settings.rooms = shown
            else:
                screen.app.settings.members = shown
            screen.app.save_settings()
        if over and panel.has_class("shown"):
            panel.focus()
        elif screen.focused is panel:
            screen.composer.focus()

    def unmark(self) -> None:
        """No marked words any more."""
        self._screen.talk.around.mark(())
        self._screen.talk.view.refreshed()

    def read(self, title: str, text: str | Text) -> None:
        """Shows something to read."""
        from secure_chat.ui.tui.dialogs.read import Reader

        self._screen.app.push_screen(Reader(title, text))

    async def _help(self, _: str) -> None:
        from secure_chat.ui.tui.help.words import help_text
        from secure_chat.ui.tui.looks import look_of

        self.read("Help", help_text(look_of(self._screen.composer)))

    async def _plain(self, _: str) -> None:
        self._screen.app.exit("plain")

    async def _quit(self, _: str) -> None:
        self._screen.app.exit()
