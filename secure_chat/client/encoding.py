"""Commands, results and events as JSON: what `--json`, `rpc` and the owner's local socket speak (docs/json.md).

Names are those of the contract: a command is a method (`Send` is ``send``) whose parameters are its
fields; an event is an object with ``v`` (the version of this encoding), ``event`` and the event's fields. `Done` and
`Failed` are the answer to a call, its result or error. Fields may be added within a version; a reader ignores those
it doesn't know.
"""

import re
from typing import Any, TypeAlias, cast

import msgspec

from secure_chat.client.commands import COMMANDS, Command
from secure_chat.client.errors import CommandFailed
from secure_chat.client.events import EVENTS, Done, Event, Failed, FailureCode, Result
from secure_chat.client.queries import (
    GetDevices,
    GetHistory,
    GetInvitations,
    GetMembers,
    GetMessage,
    GetOpenRooms,
    GetPeople,
    GetRecoveryCode,
    GetRoomCode,
    GetRooms,
    GetSafetyNumber,
    GetStatus,
    Search,
)
from secure_chat.client.views import (
    DeviceView,
    Hit,
    InvitationView,
    MemberView,
    MessageView,
    OpenRoomView,
    PersonView,
    RoomCodeView,
    RoomView,
    SafetyNumberView,
    StatusView,
)

__all__ = [
    "EVENT_NAMES",
    "METHODS",
    "VERSION",
    "JsonObject",
    "decode_command",
    "decode_event",
    "decode_result",
    "encode_command",
    "encode_event",
    "encode_result",
    "name_of",
]

VERSION = 1
"""Of this encoding; counts up when a field changes its meaning or goes."""

JsonObject: TypeAlias = dict[str, object]


def name_of(kind: type[Command] | type[Event]) -> str:
    """``get_room_code`` for GetRoomCode."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()


METHODS: dict[str, type[Command]] = {name_of(kind): kind for kind in COMMANDS}
"""Every command by its method name."""
EVENT_NAMES: dict[str, type[Event]] = {name_of(kind): kind for kind in EVENTS if kind not in (Done, Failed)}
"""Every event by its name, but those two that are answers: they travel as result and error of their command."""

# What each query returns; actions return an id, a link or nothing.
_RESULTS: dict[type[Command], Any] = {
    GetStatus: StatusView,
    GetRooms: tuple[RoomView, ...],
    GetMembers: tuple[MemberView, ...],
    GetPeople: tuple[PersonView, ...],
    GetInvitations: tuple[InvitationView, ...],
    GetOpenRooms: tuple[OpenRoomView, ...],
    GetDevices: tuple[DeviceView, ...],
    GetHistory: tuple[MessageView, ...],
    GetMessage: MessageView,
    Search: tuple[Hit, ...],
    GetSafetyNumber: SafetyNumberView,
    GetRoomCode: RoomCodeView,
    GetRecoveryCode: str,
}


def encode_command(command: Command) -> tuple[str, JsonObject]:
    """Method and parameters."""
    return name_of(type(command)), _fields(command)


def decode_command(method: str, params: object) -> Command:
    """The command of a method call; raises CommandFailed for an unknown method or parameters that don't fit."""
    kind = METHODS.get(method)
    if kind is None:
        raise CommandFailed(FailureCode.NOT_FOUND, f"there is no method {method[:40]!r}")
    if not isinstance(params, dict):
        raise CommandFailed(FailureCode.INVALID, f"{method}: parameters go by name, as an object")
    known = set(kind.__struct_fields__)
    unknown = sorted(str(name)[:40] for name in params if name not in known)
    if unknown:
        raise CommandFailed(FailureCode.INVALID, f"{method}: no parameter {unknown[0]!r}; it has {_listing(known)}")
    try:
        return msgspec.convert(params, type=kind)
    except msgspec.ValidationError as error:
        raise CommandFailed(FailureCode.INVALID, f"{method}: {error}") from None


def encode_result(result: Result) -> object:
    """What `json.dumps` takes."""
    return msgspec.to_builtins(result)


def decode_result(command: Command, value: object) -> Result:
    """The result of this command; raises msgspec.ValidationError for another type."""
    return cast(Result, msgspec.convert(value, type=_RESULTS.get(type(command), str | None)))


def encode_event(event: Event) -> JsonObject:
    """An object with `v`, `event` and the fields."""
    return {"v": VERSION, "event": name_of(type(event)), **_fields(event)}


def decode_event(value: JsonObject) -> Event | None:
    """The event, None for one that this version doesn't know; raises msgspec.ValidationError."""
    kind = EVENT_NAMES.get(str(value.get("event")))
    if kind is None:
        return None
    return msgspec.convert(value, type=kind)


def _fields(value: Command | Event) -> JsonObject:
    return cast(JsonObject, msgspec.to_builtins(value))


def _listing(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "none"
