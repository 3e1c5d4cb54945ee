"""What the user is told unasked: notices, pointers to other rooms, calls for attention, changed keys."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from secure_chat.client.events import KeyChanged, MessageChanged
from secure_chat.ui.presenter import describe_event, room_title
from secure_chat.ui.tui import cells, notify
from secure_chat.ui.tui.chat.desk import Changes

if TYPE_CHECKING:
    from secure_chat.ui.tui.chat.screen import ChatScreen

__all__ = ["Teller"]


class Teller:
    """Turns changes into words on the main screen."""

    def __init__(self, screen: "ChatScreen") -> None:
        self._screen = screen
        self._keys: list[KeyChanged] = []

    def next_key(self) -> KeyChanged | None:
        """A changed key that waits for a decision."""
        return self._keys.pop(0) if self._keys else None

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
        self.ask_about(changes.keys)

    def ask_about(self, keys: Sequence[KeyChanged]) -> None:
        """Opens the screen about changed keys, if there are any and it is not open."""
        self._keys += keys
        if self._keys and not self._screen.app.busy_with_keys:
            self._screen.deeds.start("key_changed")

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
