"""Everything a key, a command or the palette starts on the main screen; each deed runs beside the event loop's work."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text

from secure_chat.client.events import KeyChanged, MessageChanged
from secure_chat.client.queries import GetStatus
from secure_chat.client.views import StatusView
from secure_chat.errors import SecureChatError
from secure_chat.ui.presenter import describe_event, room_title
from secure_chat.ui.tui import cells, notify
from secure_chat.ui.tui.chat.desk import Changes
from secure_chat.ui.tui.chat.message_deeds import MessageDeeds
from secure_chat.ui.tui.chat.people_deeds import PeopleDeeds
from secure_chat.ui.tui.chat.room_deeds import RoomDeeds

if TYPE_CHECKING:
    from secure_chat.ui.tui.chat.screen import ChatScreen

__all__ = ["Deeds"]

Deed = Callable[[str], Awaitable[None]]


class Deeds:
    """Deeds by name, and what is told to the user unasked."""

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
        self._keys: list[KeyChanged] = []

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

    # --- told unasked

    def tell(self, changes: Changes) -> None:
        """Notices, pointers to other rooms, calls for attention, changed keys."""
        screen = self._screen
        for event in changes.tell:
            if isinstance(event, MessageChanged):
                room = screen.model.rooms.get(event.message.room)
                if room is not None and room.id != screen.model.current:
                    screen.say(f"a message to {room_title(room)} was not sent", "bad", label="!")
                continue
            lines = describe_event(event)
            if lines:
                alarming = lines[0].startswith("!!")
                style = "bad" if alarming else "text"
                screen.say(lines[0].lstrip("!- "), style, label="!" if alarming else "")
        self._point_elsewhere(changes)
        self._call(changes)
        if changes.removed is not None and changes.removed.room == screen.model.current:
            screen.draw_lists()
        self._keys += changes.keys
        if self._keys and not screen.app.busy_with_keys:
            self.start("key_changed")

    def _point_elsewhere(self, changes: Changes) -> None:
        screen = self._screen
        shown = [each.message for each in changes.elsewhere if not self._muted(each.message.room)]
        if not shown:
            return
        message = shown[-1]
        room = screen.model.rooms.get(message.room)
        where = room_title(room) if room is not None else "a new room"
        said = cells.cut(cells.line(message.text), 60)
        screen.say(f"→ {where} · {message.sender}: {said}   Alt-A goes there", "accent")

    def _call(self, changes: Changes) -> None:
        screen = self._screen
        if not screen.app.settings.sound:
            return
        for each in changes.alerts:
            message = each.message
            seen = message.room == screen.model.current and screen.app.app_focus
            if not seen and not self._muted(message.room):
                room = screen.model.rooms.get(message.room)
                title = room_title(room) if room is not None else ""
                where = f" in {title}" if title.startswith("#") else ""
                notify.call(screen.app, f"{message.sender} wrote to you{where}")
                return

    def _muted(self, room_id: str) -> bool:
        room = self._screen.model.rooms.get(room_id)
        return room is not None and room.muted

    def next_key(self) -> KeyChanged | None:
        """A changed key that waits for a decision."""
        return self._keys.pop(0) if self._keys else None

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

    async def count_queued(self) -> None:
        """How many messages wait to go out."""
        status = await self._screen.desk.ask(GetStatus())
        if isinstance(status, StatusView):
            self._screen.model.queued = status.queued
            self._screen.draw_status()

    async def _help(self, _: str) -> None:
        from secure_chat.ui.tui.help.words import help_text
        from secure_chat.ui.tui.looks import look_of

        self.read("Help", help_text(look_of(self._screen.composer)))

    async def _plain(self, _: str) -> None:
        self._screen.app.exit("plain")

    async def _quit(self, _: str) -> None:
        self._screen.app.exit()
