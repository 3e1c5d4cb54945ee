"""What a user asks to be shown: answered from what the engine knows, two questions by the relay."""

from collections.abc import Generator

from secure_chat.client.engine.arrivals import Arrivals
from secure_chat.client.engine.directory import Directory
from secure_chat.client.engine.integrity import Integrity
from secure_chat.client.engine.names import Names
from secure_chat.client.engine.own import Own
from secure_chat.client.engine.session import Session
from secure_chat.client.engine.show import Show
from secure_chat.client.engine.spaces import Phase
from secure_chat.client.engine.state import State
from secure_chat.client.engine.tasks import Task
from secure_chat.client.errors import CommandFailed
from secure_chat.client.events import FailureCode, Result
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
    Query,
    Search,
)
from secure_chat.client.views import OpenRoomView, RoomCodeView, SafetyNumberView
from secure_chat.identity.fingerprint import room_code
from secure_chat.identity.keys import encode_recovery_code
from secure_chat.wire.messages import ListRooms, OpenRooms

__all__ = ["Answers"]


class Answers:
    """Every query but those on the history, which the shell answers from the store."""

    def __init__(
        self,
        state: State,
        session: Session,
        directory: Directory,
        integrity: Integrity,
        arrivals: Arrivals,
        names: Names,
        own: Own,
        show: Show,
    ) -> None:
        self._state = state
        self._session = session
        self._directory = directory
        self._integrity = integrity
        self._arrivals = arrivals
        self._names = names
        self._own = own
        self._show = show

    def answer(self, query: Query) -> Result | Generator[object, None, Result]:
        """The result, or a task that will have it."""
        match query:
            case GetStatus():
                return self._show.status()
            case GetRooms():
                return self._show.rooms()
            case GetMembers(room=room):
                return self._show.members(self._names.room(room))
            case GetPeople():
                return self._show.people()
            case GetInvitations():
                return tuple(self._arrivals.invitation(room) for room in self._names.invitations())
            case GetOpenRooms():
                return self._open_rooms()
            case GetDevices():
                return self._own.devices()
            case GetMessage(message=message):
                view = self._state.line(message)
                if view is None:
                    raise CommandFailed(FailureCode.NOT_FOUND, "there is no such message here")
                return view
            case GetSafetyNumber(handle=handle):
                return self._safety_number(handle)
            case GetRoomCode():
                return self._room_code(query)
            case GetRecoveryCode():
                return encode_recovery_code(self._state.account_key)
            case GetHistory() | Search():
                raise CommandFailed(FailureCode.INTERNAL, "the history is read from the store")

    def _open_rooms(self) -> Task[Result]:
        answer = yield from self._session.ask(ListRooms(0), OpenRooms)
        views: list[OpenRoomView] = []
        for listed in answer.rooms:
            room = self._state.rooms.get(listed.channel)
            joined = room is not None and room.phase in (Phase.JOINED, Phase.OUT)
            views.append(OpenRoomView(listed.name, listed.devices, joined))
        return tuple(sorted(views, key=lambda view: view.name))

    def _safety_number(self, handle: str) -> Result | Task[Result]:
        handle = handle.removeprefix("@")
        if self._directory.facing(handle) is None:
            return self._meet(handle)
        return self._number(handle)

    def _meet(self, handle: str) -> Task[Result]:
        yield from self._directory.find(handle)
        return self._number(handle)

    def _number(self, handle: str) -> SafetyNumberView:
        person = self._directory.require(handle)
        number = self._directory.safety_number(person)
        trust = self._directory.trust(person.account)
        return SafetyNumberView(person.handle, person.account.hex(), trust, str(number), number.qr)

    def _room_code(self, query: GetRoomCode) -> RoomCodeView:
        room = self._names.joined(query.room)
        roster = self._state.roster(room)
        epoch = query.epoch if query.epoch is not None else 0 if roster is None else roster.epoch
        authenticator = self._integrity.code(room, epoch) if 0 <= epoch < 1 << 63 else None
        if authenticator is None:
            raise CommandFailed(FailureCode.NOT_FOUND, "the room's code of that epoch is not known here")
        return RoomCodeView(room.channel.hex(), epoch, room_code(authenticator))
