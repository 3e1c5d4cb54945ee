"""What header, status line and notices say about a room and the connection."""

from secure_chat.client.views import ConnectionState, RoomCodeView, RoomKind, RoomView, Trust
from secure_chat.ui.presenter import room_title
from secure_chat.ui.tui import cells
from secure_chat.ui.tui.lists import Piece
from secure_chat.ui.tui.model import Connection, Model

__all__ = [
    "blocked_pieces",
    "connection_pieces",
    "encryption",
    "header_pieces",
    "status_pieces",
    "title_words",
    "typing_words",
]

CLASSICAL_SUITE = 3


def encryption(room: RoomView) -> str:
    """The room's encryption in a few words."""
    if room.post_quantum:
        return "encrypted, post-quantum"
    if room.suite:
        return "encrypted, classical" if room.suite == CLASSICAL_SUITE else f"encrypted (suite {room.suite:#06x})"
    return "keys are being set up"


def header_pieces(model: Model) -> tuple[list[Piece], list[Piece]]:
    """Room, people, verification and encryption; at the right what waits elsewhere."""
    room = model.room
    if room is None:
        return [("secure-chat", "strong")], []
    left: list[Piece] = [(cells.line(room_title(room)), "strong")]
    if room.kind is RoomKind.DIRECT:
        left += _person(model, room.name)
    else:
        left.append((f"  {room.members} {'person' if room.members == 1 else 'people'}", "dim"))
        left += _verified(room)
    left.append((" · ", "dim"))
    left.append((encryption(room), "dim"))
    if room.muted:
        left.append((" · muted", "dim"))
    unread, mentions = model.unread_elsewhere()
    right: list[Piece] = []
    if unread:
        count = f" {unread} unread" + (f", {mentions} for you" if mentions else "") + " "
        right.append((count, "accent-label" if mentions else "chip"))
    return left, right


def _verified(room: RoomView) -> list[Piece]:
    others = max(room.members - 1, 0)
    if not others:
        return []
    words = f"{room.verified} of {others} verified"
    return [(" · ", "dim"), (f"✓ {words}", "good") if room.verified == others else (words, "dim")]


def _person(model: Model, handle: str) -> list[Piece]:
    person = model.people.get(handle)
    pieces: list[Piece] = []
    if person is not None:
        pieces.append(("  ● online" if person.online else "  ○ offline", "good" if person.online else "dim"))
        pieces.append((" · ", "dim"))
        if person.trust is Trust.VERIFIED:
            pieces.append(("✓ verified", "good"))
        elif person.trust is Trust.CHANGED:
            pieces.append((" KEY CHANGED ", "bad-label"))
        else:
            pieces.append(("not verified: F8", "warning"))
    return pieces


def blocked_pieces(model: Model) -> list[Piece]:
    """Why nothing can be sent in the room, and what helps; stays as long as that is so."""
    room = model.room
    if room is None or not room.blocked:
        return []
    reason = cells.line(room.blocked)
    if room.writable or not room.joined:
        return [(reason, "dim")]
    person = model.people.get(room.name) if room.kind is RoomKind.DIRECT else None
    changed = person is not None and person.trust is Trust.CHANGED
    return [(" ! ", "bad-label"), (" ", "text"), (f"{reason} (F8 compares)" if changed else reason, "text")]


def connection_pieces(connection: Connection, now: int) -> list[Piece]:
    """The connection, with a countdown while it waits to try again; `now` in milliseconds."""
    match connection.state:
        case ConnectionState.ONLINE:
            return [("● connected", "good")]
        case ConnectionState.CATCHING_UP:
            return [("◐ catching up", "accent")]
        case ConnectionState.CONNECTING:
            return [("◐ connecting", "accent")]
        case _:
            reason = cells.line(connection.reason) or "no connection"
            if not connection.retry_at:
                return [("○ offline: ", "bad-strong"), (reason, "bad"), (" · /reconnect tries again", "dim")]
            seconds = max(0, -(-(connection.retry_at - now) // 1000))
            return [("○ offline, ", "bad-strong"), (f"again in {seconds} s: ", "warning"), (reason, "dim")]


def status_pieces(model: Model, code: RoomCodeView | None, now: int) -> tuple[list[Piece], list[Piece]]:
    """Who one is and the connection; at the right the room's code."""
    left: list[Piece] = [(model.handle, f"@{model.account}"), ("  ", "dim")]
    if model.queued:
        left += [(f"{model.queued} waiting to be sent", "warning"), (" · ", "dim")]
    left += connection_pieces(model.connection, now)
    if code is None or code.room != model.current:
        return left, []
    return left, [("room code ", "dim"), (code.code, "text"), (f" (epoch {code.epoch})", "dim")]


def typing_words(names: list[str]) -> str:
    """Who is typing."""
    match names:
        case []:
            return ""
        case [one]:
            return f"{one} is typing…"
        case [one, other]:
            return f"{one} and {other} are typing…"
        case _:
            return f"{len(names)} people are typing…"


def title_words(model: Model) -> str:
    """For the title of the terminal: what waits elsewhere, the room, who one is."""
    unread, mentions = model.unread_elsewhere()
    waiting = f"({mentions or unread}{'!' if mentions else ''}) " if unread else ""
    return f"{waiting}{cells.line(room_title(model.room)) if model.room else 'secure-chat'} · {model.handle}"
