"""The wording that all skins share: events, views and failures as lines for people.

A skin decides where a line goes and how it looks; what it says is decided here, once. All text from others passes
through `text.clean`.
"""

import time
from collections.abc import Sequence

from secure_chat.client.events import (
    CaughtUp,
    ConnectionChanged,
    Event,
    Invited,
    KeyChanged,
    MessageAdded,
    MessageChanged,
    NewDevice,
    PresenceChanged,
    Progress,
    Result,
    RoomRemoved,
    SecurityNotice,
    ShuttingDown,
)
from secure_chat.client.views import (
    ConnectionState,
    DeliveryState,
    DeviceView,
    Hit,
    InvitationView,
    MemberView,
    MessageKind,
    MessageView,
    OpenRoomView,
    PersonView,
    RoomCodeView,
    RoomKind,
    RoomView,
    SafetyNumberView,
    StatusView,
    Trust,
)
from secure_chat.identity.credential import short_fingerprint
from secure_chat.ui.text import clean, clean_line, fit, width

__all__ = [
    "clock",
    "day",
    "describe_event",
    "describe_failure",
    "describe_result",
    "message_lines",
    "room_title",
    "state_words",
    "table",
    "trust_words",
    "verified_words",
]

_TRUST = {
    Trust.CHANGED: "KEY CHANGED",
    Trust.FIRST_USE: "not verified",
    Trust.FROM_LINK: "from your invite link",
    Trust.VERIFIED: "verified",
    Trust.SELF: "you",
}
_STATES = {
    DeliveryState.QUEUED: "waiting to be sent",
    DeliveryState.SENT: "sent",
    DeliveryState.DELIVERED: "delivered",
    DeliveryState.READ: "read",
    DeliveryState.FAILED: "NOT SENT",
    DeliveryState.RECEIVED: "",
}
_CONNECTION = {
    ConnectionState.OFFLINE: "offline",
    ConnectionState.CONNECTING: "connecting",
    ConnectionState.CATCHING_UP: "catching up",
    ConnectionState.ONLINE: "online",
}
_WARNING = {MessageKind.SECURITY: "!! ", MessageKind.GAP: "?? ", MessageKind.NOTICE: "-- "}


def clock(moment: int) -> str:
    """Hours and minutes of a time in milliseconds, as this machine's clock shows them."""
    return time.strftime("%H:%M", time.localtime(moment / 1000))


def day(moment: int) -> str:
    """The day of a time in milliseconds."""
    return time.strftime("%A, %d %B %Y", time.localtime(moment / 1000))


def room_title(room: RoomView) -> str:
    """``#lobby`` for open rooms, ``dev`` with its mark for closed ones, the person's name for direct conversations."""
    return clean_line(room.name) if room.kind is RoomKind.DIRECT else f"#{clean_line(room.name)}"


def trust_words(trust: Trust) -> str:
    """What is known of the key behind a name."""
    return _TRUST[trust]


def verified_words(room: RoomView) -> str:
    """How many of the others are verified; empty while nobody else is there."""
    if room.kind is RoomKind.DIRECT:
        return "verified" if room.verified else "not verified"
    return f"{room.verified} of {room.members - 1} verified" if room.members > 1 else ""


def state_words(state: DeliveryState) -> str:
    """How far one's own message has come; empty for others' messages."""
    return _STATES[state]


def message_lines(message: MessageView, *, room: str = "", quoted: MessageView | None = None) -> list[str]:
    """One line of history as lines of text: time, author and what was said.

    `room` is named where it isn't clear; `quoted` is the message answered to.
    """
    return _cleaned(_message_lines(message, room, quoted))


def _message_lines(message: MessageView, room: str, quoted: MessageView | None) -> list[str]:
    where = f"[{room}] " if room else ""
    head = f"{clock(message.time)} {where}"
    if message.kind is not MessageKind.TEXT and message.kind is not MessageKind.UNKNOWN:
        return [f"{head}{_WARNING[message.kind]}{clean_line(message.text)}"]
    lines = []
    if quoted is not None:
        lines.append(f"{head}> {quoted.sender}: {fit(clean_line(quoted.text), 60).rstrip()}")
    text = "(deleted)" if message.deleted else clean(message.text)
    if message.kind is MessageKind.UNKNOWN:
        text = f"(something that this version can't show) {text}"
    first, *more = text.split("\n")
    lines.append(f"{head}{message.sender}: {first}")
    lines += [f"      {line}" for line in more]
    notes = []
    if message.edited and not message.deleted:
        notes.append("edited")
    if message.state in (DeliveryState.QUEUED, DeliveryState.FAILED):
        notes.append(state_words(message.state) + (f": {clean_line(message.detail)}" if message.detail else ""))
    if notes:
        lines[-1] += f" ({', '.join(notes)})"
    if message.reactions:
        lines.append(
            "      " + "  ".join(f"{clean_line(each.emoji)} {', '.join(each.handles)}" for each in message.reactions)
        )
    return lines


def describe_event(event: Event, *, room: str = "") -> list[str]:
    """An event as lines; none for those that change only what lists show. `room`: named with a message."""
    return _cleaned(_event_lines(event, room))


def _event_lines(event: Event, room: str) -> list[str]:
    match event:
        case MessageAdded(message):
            return message_lines(message, room=room)
        case MessageChanged(message):
            return _changed(message, room)
        case ConnectionChanged(ConnectionState.ONLINE):
            return ["-- connected"]
        case ConnectionChanged(ConnectionState.OFFLINE, reason, retry_at):
            how = "" if retry_at else "; /reconnect tries again"
            return [f"-- not connected: {clean_line(reason) or 'no connection yet'}{how}"]
        case CaughtUp(messages) if messages:
            return [f"-- {_count(messages, 'message')} came while you were away"]
        case RoomRemoved(_, name, reason):
            return [f"-- you are no longer in {clean_line(name)}: {clean_line(reason)}"]
        case Invited(invitation):
            return invitation_lines(invitation)
        case PresenceChanged(handle, _, online):
            return [f"-- {handle} is {'online' if online else 'offline'}"]
        case NewDevice(handle):
            return [f"-- {handle} uses a new device (certified by the same account key)"]
        case KeyChanged(handle, _, new, _, explanation):
            choices = f"/verify {handle}, or /accept-key {handle} {_short(new)}"
            return [
                f"!! {handle}'s account key has CHANGED. {clean_line(explanation)}",
                f"!! Nothing is sent to {handle} until you decide: {choices}",
            ]
        case SecurityNotice(_, _, _, text, message) if not message:
            return [f"!! {clean_line(text)}"]
        case Progress(task, done, total):
            return [f"-- {clean_line(task)}: {done}{f' of {total}' if total else ''}"]
        case ShuttingDown(reason):
            return [f"-- {clean_line(reason)}"]
        case _:  # changes of rooms and people, typing, and the answers to commands show elsewhere
            return []


def describe_failure(error: Exception) -> str:
    """One line that says what went wrong and what to do."""
    return clean_line(str(error)) or type(error).__name__


def invitation_lines(invitation: InvitationView) -> list[str]:
    """An invitation and how to answer it."""
    name = clean_line(invitation.name)
    others = ", ".join(invitation.members)
    return [
        f"-- {invitation.inviter} ({trust_words(invitation.trust)}) invites you to #{name}"
        + (f" with {others}" if others else ""),
        f"-- /accept {name}  or  /decline {name}",
    ]


def table(rows: Sequence[Sequence[str]], head: Sequence[str] = ()) -> list[str]:
    """Rows as aligned columns two spaces apart."""
    everything = [list(head), *map(list, rows)] if head else [list(row) for row in rows]
    if not everything:
        return []
    widths = [max(width(row[i]) for row in everything) for i in range(len(everything[0]))]
    return [
        "  ".join(fit(cell, columns) for cell, columns in zip(row, widths, strict=True)).rstrip() for row in everything
    ]


def describe_result(result: Result) -> list[str]:
    """What a command returned, as lines; none where there is nothing to say."""
    return _cleaned(_result_lines(result))


def _result_lines(result: Result) -> list[str]:
    match result:
        case None:
            return []
        case str():
            return [clean_line(result)]
        case StatusView():
            return _status(result)
        case MessageView():
            return message_lines(result)
        case SafetyNumberView():
            return safety_number_lines(result)
        case RoomCodeView(_, epoch, code):
            return [code, f"(epoch {epoch}; everybody who sees the same code is in the same room)"]
        case RoomView():
            return _rooms([result])
        case tuple():
            return _list(result)


def safety_number_lines(view: SafetyNumberView) -> list[str]:
    """Twelve groups of five digits in rows that are easily read aloud."""
    groups = view.number.split()
    return [
        f"Safety number with {view.handle} ({trust_words(view.trust)}):",
        *("    " + " ".join(groups[i : i + 4]) for i in range(0, len(groups), 4)),
    ]


def _list(views: Sequence[object]) -> list[str]:
    if not views:
        return ["nothing"]
    match views[0]:
        case MessageView():
            return [line for view in views if isinstance(view, MessageView) for line in message_lines(view)]
        case Hit():
            return [line for view in views if isinstance(view, Hit) for line in _hit(view)]
        case RoomView():
            return _rooms([view for view in views if isinstance(view, RoomView)])
        case MemberView():
            return table([_member(view) for view in views if isinstance(view, MemberView)])
        case PersonView():
            return table([_person(view) for view in views if isinstance(view, PersonView)])
        case InvitationView():
            return [line for view in views if isinstance(view, InvitationView) for line in invitation_lines(view)]
        case OpenRoomView():
            return table(
                [
                    (f"#{clean_line(view.name)}", _count(view.devices, "device"), "joined" if view.joined else "")
                    for view in views
                    if isinstance(view, OpenRoomView)
                ]
            )
        case _:
            return table([_device(view) for view in views if isinstance(view, DeviceView)])


def _changed(message: MessageView, room: str) -> list[str]:
    where = f"[{room}] " if room else ""
    text = fit(clean_line(message.text), 40).rstrip()
    if message.state is DeliveryState.FAILED:
        return [f"!! {where}not sent: {text!r}: {clean_line(message.detail)}"]
    if message.deleted:
        return [f"-- {where}{message.sender} deleted a message"]
    if message.edited:
        return [f"-- {where}{message.sender} changed a message: {clean_line(message.text)}"]
    return []


def _hit(hit: Hit) -> list[str]:
    snippet = clean_line(hit.snippet.replace("\x02", "*").replace("\x03", "*"))
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(hit.message.time / 1000))
    return [f"{when} [{clean_line(hit.room_name)}] {hit.message.sender}: {snippet}"]


def _rooms(rooms: Sequence[RoomView]) -> list[str]:
    rows = []
    for room in rooms:
        direct = room.kind is RoomKind.DIRECT
        unread = f"{room.unread} unread" if room.unread else ""
        if room.mentions:
            unread += f", {_count(room.mentions, 'mention')}"
        notes = [
            "muted" if room.muted else "",
            "admin" if room.admin and not direct else "",
            "" if room.joined else "not in",
            clean_line(room.blocked) if not room.writable and room.joined else "",
        ]
        rows.append(
            (
                room_title(room),
                "direct" if direct else _count(room.members, "person", "people"),
                verified_words(room),
                unread,
                ", ".join(filter(None, notes)),
            )
        )
    return table(rows) or ["no rooms"]


def _member(member: MemberView) -> tuple[str, ...]:
    return (
        member.handle,
        "online" if member.online else "",
        trust_words(member.trust),
        "admin" if member.admin else "invited" if member.invited else "",
        _count(member.devices, "device"),
    )


def _person(person: PersonView) -> tuple[str, ...]:
    return (
        person.handle,
        "online" if person.online else "",
        trust_words(person.trust) + (", blocked" if person.blocked else ""),
        ", ".join(map(clean_line, person.rooms)),
    )


def _device(device: DeviceView) -> tuple[str, ...]:
    until = time.strftime("%Y-%m-%d", time.localtime(device.expires / 1000))
    return (device.id, f"serial {device.serial}", f"valid until {until}", "this device" if device.current else "")


def _status(status: StatusView) -> list[str]:
    waiting = f", {_count(status.queued, 'message')} waiting to be sent" if status.queued else ""
    why = f": {clean_line(status.reason)}" if status.reason else ""
    return table(
        [
            ("name", status.handle),
            ("fingerprint", status.fingerprint),
            ("relay", f"{status.address} ({_CONNECTION[status.connection]}{why}{waiting})"),
            ("TLS", status.tls or "not connected"),
            ("rooms", f"{status.rooms}, {status.unread} unread"),
            ("device", status.device),
            ("profile", status.profile),
            ("version", status.version),
        ]
    )


def _cleaned(lines: Sequence[str]) -> list[str]:
    """Whatever field was forgotten above, nothing harmful passes here."""
    return [clean_line(line) for line in lines]


def _count(number: int, singular: str, plural: str = "") -> str:
    return f"{number} {singular if number == 1 else plural or singular + 's'}"


def _short(key: str) -> str:
    """The digits by which `accept-key` knows an account key; nothing for what is none."""
    try:
        return short_fingerprint(bytes.fromhex(key)).replace(" ", "")
    except ValueError:
        return ""
