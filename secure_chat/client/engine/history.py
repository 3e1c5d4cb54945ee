"""The lines of conversations: messages, notices, gaps and security lines, and what is unread."""

import re

from msgspec.structs import replace

from secure_chat.client.engine import spaces
from secure_chat.client.engine.spaces import Room, is_undecided
from secure_chat.client.engine.state import State
from secure_chat.client.events import MessageAdded, MessageChanged, SecurityKind, SecurityNotice
from secure_chat.client.views import DeliveryState, MessageKind, MessageView, RoomKind

__all__ = ["History"]

REPEAT_WINDOW = 10 * 60_000
"""Milliseconds in which the same security finding in the same room counts up one line instead of adding lines."""


class History:
    """Writes lines and tells front ends about them."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._repeats: dict[tuple[bytes, SecurityKind, str], tuple[str, int, int]] = {}
        own = re.escape(state.profile.handle)
        self._mention = re.compile(rf"(?<![\w.-])@?{own}(?![\w-])", re.IGNORECASE)

    def add(
        self,
        room: Room,
        message_id: str,
        kind: MessageKind,
        text: str,
        *,
        sender: str = "",
        account: bytes = b"",
        time: int = 0,
        state: DeliveryState = DeliveryState.RECEIVED,
        detail: str = "",
        reply_to: str | None = None,
    ) -> MessageView:
        """A new line at the end of the room."""
        engine = self._state
        view = MessageView(
            id=message_id,
            room=room.channel.hex(),
            position=engine.next_position(),
            kind=kind,
            sender=sender,
            account=account.hex(),
            time=time or engine.now,
            text=text,
            state=state,
            detail=detail,
            reply_to=reply_to,
        )
        engine.put_line(view)
        room.last_time = max(room.last_time, view.time)
        engine.save(room)
        mention = self._count_unread(room, view)
        if not is_undecided(room):
            # Just written, connected or not; or nothing is being caught up with, even if the room itself is new here.
            live = state is DeliveryState.QUEUED or room.channel in engine.live or not engine.quiet
            engine.emit(MessageAdded(view, mention, live))
        engine.show(room)
        return view

    def change(self, view: MessageView) -> None:
        """A line has another state, text or reactions."""
        self._state.put_line(view)
        room = self._state.rooms.get(bytes.fromhex(view.room))
        if room is None or not is_undecided(room):
            self._state.emit(MessageChanged(view))

    def notice(self, room: Room, detail: str, text: str, account: bytes = b"", time: int = 0) -> None:
        """Joined, left, renamed and the like."""
        person = self._state.people.get(account)
        self.add(
            room,
            self._new_id(),
            MessageKind.NOTICE,
            text,
            sender="" if person is None else person.handle,
            account=account,
            time=time,
            detail=detail,
        )

    def security(self, room: Room, kind: SecurityKind, text: str, *, handle: str = "", time: int = 0) -> None:
        """Something noticed in a room: an event and a line; repetitions count up the line."""
        key = (room.channel, kind, handle)
        line_id, count, since = self._repeats.get(key, ("", 0, 0))
        view = self._state.line(line_id) if line_id and self._state.now - since < REPEAT_WINDOW else None
        if view is not None:
            count += 1
            base = view.text.rsplit(" (", 1)[0] if count > 2 else view.text
            self.change(_with_text(view, f"{base} ({count} times)"))
            self._repeats[key] = (line_id, count, since)
            return
        line_kind = MessageKind.GAP if kind is SecurityKind.GAP else MessageKind.SECURITY
        view = self.add(room, self._new_id(), line_kind, text, sender=handle, time=time, detail=kind.value)
        self._repeats[key] = (view.id, 1, self._state.now)
        self._state.emit(SecurityNotice(kind, room.channel.hex(), handle, text, view.id))

    def notice_security(self, kind: SecurityKind, text: str, *, handle: str = "") -> None:
        """Something noticed that concerns no single room."""
        self._state.emit(SecurityNotice(kind, "", handle, text))

    def gap(self, room: Room, handle: str, account: bytes, text: str, time: int) -> str:
        """Messages of somebody are missing: an event and a line, whose id is returned."""
        line_id = self._new_id()
        self.add(
            room,
            line_id,
            MessageKind.GAP,
            text,
            sender=handle,
            account=account,
            time=time,
            detail=SecurityKind.GAP.value,
        )
        self._state.emit(SecurityNotice(SecurityKind.GAP, room.channel.hex(), handle, text, line_id))
        return line_id

    def rewrite(self, line_id: str, text: str) -> None:
        """A line says something else now."""
        view = self._state.line(line_id)
        if view is not None:
            self.change(_with_text(view, text))

    def mentions(self, text: str) -> bool:
        """Whether a text names the user."""
        return self._mention.search(text) is not None

    def mark_read(self, room: Room, position: int | None) -> None:
        """Everything up to this position, or all, has been seen."""
        state = self._state
        space = spaces.UNREAD + room.channel.hex()
        if not room.unread:
            return
        if position is None:
            room.unread = room.mentions = 0
            state.delete(space, None)
        else:
            for key, flag in state.rows(space).items():
                if int.from_bytes(key, "big") <= position:
                    state.delete(space, key)
                    room.unread -= 1
                    room.mentions -= flag == b"\x01"
            room.unread, room.mentions = max(room.unread, 0), max(room.mentions, 0)
        state.show(room)

    def _count_unread(self, room: Room, view: MessageView) -> bool:
        others = view.kind in (MessageKind.TEXT, MessageKind.UNKNOWN) and view.state is DeliveryState.RECEIVED
        mention = others and (room.kind == RoomKind.DIRECT or self.mentions(view.text))
        if others:
            counted = mention and not room.muted
            room.unread += 1
            room.mentions += counted
            key = spaces.order_key(view.position)
            self._state.put(spaces.UNREAD + room.channel.hex(), key, b"\x01" if counted else b"\x00")
        return mention and not room.muted

    def _new_id(self) -> str:
        return self._state.random.randbytes(16).hex()


def _with_text(view: MessageView, text: str) -> MessageView:
    return replace(view, text=text)
