"""Rooms, people and invitations as lines of the list."""

from secure_chat.client.views import RoomKind, RoomView, Trust
from secure_chat.ui.presenter import room_title
from secure_chat.ui.tui import cells
from secure_chat.ui.tui.lists import Item, Piece
from secure_chat.ui.tui.model import Model

__all__ = ["INVITATION", "room_items"]

INVITATION = "invitation:"
"""Before the room id in the keys of invitations."""
NUMBERED = 9
"""Rooms that Alt-1 … Alt-9 reach."""


def room_items(model: Model) -> list[Item]:
    """The whole list: invitations, rooms, people; numbers are those of Alt-1 … Alt-9."""
    items: list[Item] = []
    if model.invitations:
        items.append(Item("", (("Invitations", "dim"),)))
        for invitation in model.invitations.values():
            name = cells.line(invitation.name)
            items.append(Item(INVITATION + invitation.room, ((f"+ #{name}", "accent-strong"),), (("new", "warning"),)))
    listed = model.listed()
    numbers = {room.id: number for number, room in enumerate(listed[:NUMBERED], 1)}
    for heading, direct in (("Rooms", False), ("People", True)):
        rooms = [room for room in listed if (room.kind is RoomKind.DIRECT) == direct]
        if rooms:
            items.append(Item("", ((heading, "dim"),)))
            items += [_room(model, room, numbers.get(room.id)) for room in rooms]
    return items


def _room(model: Model, room: RoomView, number: int | None) -> Item:
    waiting = bool(room.unread) and not room.muted
    style = "dim" if room.muted or not room.joined else "strong" if waiting or room.id == model.current else "text"
    left: list[Piece] = [(f"{number} " if number else "  ", "dim")]
    if room.kind is RoomKind.DIRECT:
        online = model.online(room.name)
        left.append(("● " if online else "○ ", "good" if online else "dim"))
    left.append((cells.line(room_title(room)), style))
    left += _trust(model, room)
    if not room.joined:
        left.append((" (left)" if room.last_time else " (entering)", "dim"))
    return Item(room.id, tuple(left), tuple(_counts(room)))


def _trust(model: Model, room: RoomView) -> list[Piece]:
    if room.kind is RoomKind.DIRECT:
        person = model.people.get(room.name)
        if person is not None and person.trust is Trust.VERIFIED:
            return [(" ✓", "good")]
        if person is not None and person.trust is Trust.CHANGED:
            return [(" !", "bad-strong")]
        return []
    if not room.writable and room.joined:
        return [(" !", "bad-strong")]
    return [(" ✓", "good")] if room.members > 1 and room.verified >= room.members - 1 else []


def _counts(room: RoomView) -> list[Piece]:
    if room.muted:
        return [("muted", "dim")] if not room.unread else [(f"{_short(room.unread)} muted", "dim")]
    pieces: list[Piece] = []
    if room.mentions and room.kind is not RoomKind.DIRECT:
        pieces.append((f" @{_short(room.mentions)} ", "accent-label"))
    if room.unread:
        style = "accent-label" if room.kind is RoomKind.DIRECT else "accent-strong"
        text = _short(room.unread)
        pieces.append((f" {text} " if room.kind is RoomKind.DIRECT else f" {text}", style))
    return pieces


def _short(number: int) -> str:
    return str(number) if number < 1000 else f"{number // 1000}k"
