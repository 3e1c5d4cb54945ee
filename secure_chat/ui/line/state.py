"""What the line mode remembers between events: rooms, the current one, who spoke last, which message `^2` is."""

from collections import deque
from collections.abc import Iterable

from secure_chat.client.views import DeliveryState, MessageId, MessageKind, MessageView, RoomKind, RoomView
from secure_chat.ui.arguments import InputError
from secure_chat.ui.presenter import room_title

__all__ = ["ChatState"]

REMEMBERED = 200
"""Messages of the current room that `^1`, `^2`, … can name."""
SPEAKERS = 100
"""People remembered for completion."""


class ChatState:
    """Owned by the thread of the prompt."""

    def __init__(self, handle: str) -> None:
        self.handle = handle
        self.rooms: dict[str, RoomView] = {}
        self.current = ""
        """Room id; empty while there is none."""
        self.present: set[str] = set()
        """Handles of the members of the current room."""
        self._shown = 0
        """Position of the last line of the history shown."""
        self._recent: deque[MessageView] = deque(maxlen=REMEMBERED)
        self._speakers: dict[str, None] = {}
        """Most recent last."""

    @property
    def room(self) -> RoomView | None:
        """The current room."""
        return self.rooms.get(self.current)

    @property
    def prompt(self) -> str:
        """Room and, if there is any, what is unread elsewhere."""
        room = self.room
        unread = sum(each.unread for each in self.rooms.values() if each.id != self.current and not each.muted)
        waiting = f" ({unread} unread elsewhere)" if unread else ""
        return f"{room_title(room) if room else 'no room'}{waiting}> "

    def title(self, room_id: str) -> str:
        """A room's name."""
        room = self.rooms.get(room_id)
        return room_title(room) if room else ""

    def find(self, name: str) -> RoomView | None:
        """A room by `#name`, name or person; the wanted kind first, joined ones before those left."""
        plain = name.removeprefix("#").removeprefix("@")
        found = [room for room in self.rooms.values() if room.name == plain or room.id == name]
        found.sort(key=lambda room: ((room.kind is RoomKind.DIRECT) == name.startswith("#"), not room.joined))
        return found[0] if found else None

    def enter(self, room_id: str, lines: Iterable[MessageView], present: Iterable[str]) -> None:
        """Makes a room the current one; `lines` are the last of its history."""
        self.current = room_id
        self.present = set(present)
        self._recent.clear()
        self._shown = 0
        for line in lines:
            self.saw(line)
            self._shown = line.position

    def has_shown(self, message: MessageView) -> bool:
        """Whether it stood in the history that was shown on entering the current room."""
        return message.room == self.current and message.position <= self._shown

    def saw(self, message: MessageView) -> None:
        """A line was shown."""
        if message.kind is not MessageKind.TEXT:
            return
        if message.room == self.current:
            self._recent.append(message)
        if message.sender != self.handle:
            self._speakers.pop(message.sender, None)
            self._speakers[message.sender] = None
            while len(self._speakers) > SPEAKERS:
                del self._speakers[next(iter(self._speakers))]

    def changed(self, message: MessageView) -> None:
        """A line was changed."""
        for index, known in enumerate(self._recent):
            if known.id == message.id:
                self._recent[index] = message

    def known(self, message_id: MessageId) -> MessageView | None:
        """One of the remembered messages."""
        return next((message for message in self._recent if message.id == message_id), None)

    def names(self) -> list[str]:
        """People, whoever spoke last first, then the others in the room."""
        spoke = list(reversed(self._speakers))
        return [*spoke, *sorted(self.present - set(spoke) - {self.handle})]

    def message(self, reference: str, *, own: bool) -> MessageId:
        """The message that `^2` means (the last but one), or without a number the last own or other one."""
        if reference.startswith("^"):
            number = int(reference[1:])
            if not 0 < number <= len(self._recent):
                here = f"here they go from ^1 to ^{len(self._recent)}" if self._recent else "there is no message here"
                raise InputError(f"{reference}: {here}; /history shows more of them with their numbers")
            return self._recent[-number].id
        if reference:
            return reference
        for message in reversed(self._recent):
            if (message.sender == self.handle) == own and not message.deleted:
                return message.id
        raise InputError("there is no message of yours here" if own else "there is no message of others here")

    def waiting(self) -> MessageId:
        """The last own message that has not been sent."""
        for message in reversed(self._recent):
            if message.state in (DeliveryState.FAILED, DeliveryState.QUEUED):
                return message.id
        raise InputError("everything you wrote here has been sent")

    def next_unread(self) -> RoomView | None:
        """The room to look at next: with mentions first, then the most recently active."""
        unread = [room for room in self.rooms.values() if room.unread and room.id != self.current]
        unread.sort(key=lambda room: (-room.mentions, room.muted, -room.last_time))
        return unread[0] if unread else None
