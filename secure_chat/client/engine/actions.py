"""What a user asks for, carried out: one method a command.

A method returns its result, or a task where the relay has a say. CommandFailed is the refusal that the user reads.
"""

from collections.abc import Generator

from msgspec.structs import replace

from secure_chat.client.commands import (
    AcceptInvitation,
    AcceptKey,
    Action,
    Ban,
    Block,
    CancelMessage,
    CreateRoom,
    DeclineInvitation,
    Delete,
    Demote,
    Edit,
    InvitePeople,
    JoinRoom,
    Kick,
    LeaveRoom,
    MarkRead,
    MarkVerified,
    Mute,
    Promote,
    React,
    RefreshKeys,
    RenameRoom,
    RestartRoom,
    RetryMessage,
    Send,
    SetInvitePolicy,
    StartDirect,
    Typing,
    Unban,
    Unblock,
    Unmute,
    Unverify,
)
from secure_chat.client.engine.changes import Wish
from secure_chat.client.engine.commits import Commits
from secure_chat.client.engine.content import MAX_EMOJI, Body, Reaction, Text, fits
from secure_chat.client.engine.content import Delete as DeleteBody
from secure_chat.client.engine.content import Edit as EditBody
from secure_chat.client.engine.device import DEFAULT_SUITE
from secure_chat.client.engine.directory import Directory
from secure_chat.client.engine.governing import Governing
from secure_chat.client.engine.history import History
from secure_chat.client.engine.joining import Joining
from secure_chat.client.engine.leaving import Leaving
from secure_chat.client.engine.messages import react
from secure_chat.client.engine.names import Names, handle_of, require_suite, room_name
from secure_chat.client.engine.outbox import Outbox
from secure_chat.client.engine.own import Own
from secure_chat.client.engine.presence import Presences
from secure_chat.client.engine.receipts import Receipts
from secure_chat.client.engine.session import Session
from secure_chat.client.engine.spaces import Phase, Room, is_undecided
from secure_chat.client.engine.state import State
from secure_chat.client.engine.tasks import Task
from secure_chat.client.errors import CommandFailed
from secure_chat.client.events import FailureCode, Result
from secure_chat.client.views import DeliveryState, MessageKind, MessageView

__all__ = ["Actions"]


class Actions:
    """Everything that changes something."""

    def __init__(
        self,
        state: State,
        session: Session,
        directory: Directory,
        history: History,
        outbox: Outbox,
        commits: Commits,
        joining: Joining,
        leaving: Leaving,
        receipts: Receipts,
        presences: Presences,
        governing: Governing,
        names: Names,
        own: Own,
    ) -> None:
        self._state = state
        self._session = session
        self._directory = directory
        self._history = history
        self._outbox = outbox
        self._commits = commits
        self._joining = joining
        self._leaving = leaving
        self._receipts = receipts
        self._presences = presences
        self._governing = governing
        self._names = names
        self._own = own

    def perform(self, action: Action) -> Result | Generator[object, None, Result]:
        """The result, or a task that will have it."""
        match action:
            case Send():
                return self._send(action)
            case Edit():
                self._edit(action)
            case Delete():
                self._delete(action)
            case React():
                self._react(action)
            case RetryMessage(message=message):
                self._outbox.retry(message)
            case CancelMessage(message=message):
                self._outbox.cancel(message)
            case MarkRead():
                self._mark_read(action)
            case Typing(room=room):
                self._presences.tell_typing(self._names.room(room))
            case JoinRoom(name=name):
                return self._join(name)
            case CreateRoom():
                return self._create(action)
            case StartDirect(handle=handle):
                return self._start_direct(handle)
            case InvitePeople():
                return self._governing.invite(action)
            case AcceptInvitation(room=room):
                self._joining.accept(self._names.invitation(room))
            case DeclineInvitation(room=room):
                return self._decline(self._names.invitation(room))
            case LeaveRoom(room=room):
                return self._leave(self._names.room(room))
            case Mute(room=room):
                self._mute(self._names.room(room), True)
            case Unmute(room=room):
                self._mute(self._names.room(room), False)
            case MarkVerified(handle=handle, number=number):
                self._directory.verify(handle, number)
            case Unverify(handle=handle):
                self._directory.unverify(handle)
            case AcceptKey(handle=handle, key=key):
                self._directory.accept(handle, key)
            case Block(handle=handle):
                self._directory.block(handle, True)
            case Unblock(handle=handle):
                self._directory.block(handle, False)
            case RefreshKeys(room=room):
                return self._governing.change(self._names.joined(room), Wish(refresh=True))
            case RestartRoom():
                return self._governing.restart(action)
            case Kick() | Ban() | Unban() | Promote() | Demote() | RenameRoom() | SetInvitePolicy():
                return self._governing.govern(action)
            case _:
                return self._own.perform(action)
        return None

    # -- messages

    def _send(self, action: Send) -> Result | Task[Result]:
        room = self._names.find_room(action.room)
        if room is None and not action.room.startswith("#") and len(action.room) != 32:
            return self._send_to_person(action)
        return self._queue_text(self._names.room(action.room), action)

    def _send_to_person(self, action: Send) -> Task[Result]:
        room = yield from self._joining.start_direct(handle_of(action.room))
        return self._queue_text(room, action)

    def _queue_text(self, room: Room, action: Send) -> str:
        reply = None
        if action.reply_to is not None:
            reply = bytes.fromhex(self._message(action.reply_to, room).id)
        self._require_writable(room)
        body = Text(_require_text(action.text), reply)
        _require_fits(body)
        message_id = self._outbox.queue(room, body, line=True)
        self._history.add(
            room,
            message_id,
            MessageKind.TEXT,
            action.text,
            sender=self._state.profile.handle,
            account=self._state.own_account,
            state=DeliveryState.QUEUED,
            reply_to=action.reply_to,
        )
        if room.unread:
            self._history.mark_read(room, None)
        return message_id

    def _require_writable(self, room: Room) -> None:
        if room.phase not in (Phase.JOINED, Phase.OUT, Phase.ENTERING) or is_undecided(room):
            raise CommandFailed(FailureCode.NOT_ALLOWED, f"you are not in {self._names.title(room)}")
        blocked = self._directory.blocks(room)
        if blocked:
            raise CommandFailed(FailureCode.BLOCKED, blocked)

    def _edit(self, action: Edit) -> None:
        view = self._message(action.message)
        self._require_own(view)
        room = self._state.rooms[bytes.fromhex(view.room)]
        self._require_writable(room)
        body = EditBody(bytes.fromhex(view.id), _require_text(action.text))
        _require_fits(body)
        self._outbox.queue(room, body)
        self._history.change(replace(view, text=action.text, edited=True))

    def _delete(self, action: Delete) -> None:
        view = self._message(action.message)
        room = self._state.rooms[bytes.fromhex(view.room)]
        if view.account != self._state.own_account.hex():
            self._governing.require_admin(room)
        self._require_writable(room)
        if self._outbox.waits(view.id):
            self._outbox.cancel(view.id)  # the text does not leave; if it goes out again, some may have it from before
        else:
            self._history.change(replace(view, text="", deleted=True, reactions=()))
        self._outbox.queue(room, DeleteBody(bytes.fromhex(view.id)))

    def _react(self, action: React) -> None:
        view = self._message(action.message)
        room = self._state.rooms[bytes.fromhex(view.room)]
        self._require_writable(room)
        if not 1 <= len(action.emoji) <= MAX_EMOJI:
            raise CommandFailed(FailureCode.INVALID, "a reaction is one emoji")
        body = Reaction(bytes.fromhex(view.id), action.emoji, action.remove)
        changed = react(view, self._state.profile.handle, body)
        if changed != view:
            self._outbox.queue(room, body)
            self._history.change(changed)

    def _message(self, message_id: str, room: Room | None = None) -> MessageView:
        view = self._state.line(message_id)
        if view is None or (room is not None and view.room != room.channel.hex()):
            raise CommandFailed(FailureCode.NOT_FOUND, "there is no such message here")
        if view.deleted or view.kind not in (MessageKind.TEXT, MessageKind.UNKNOWN):
            raise CommandFailed(FailureCode.INVALID, "this can't be done to that line")
        return view

    def _require_own(self, view: MessageView) -> None:
        if view.account != self._state.own_account.hex():
            raise CommandFailed(FailureCode.NOT_ALLOWED, "only its author can change a message")

    def _mark_read(self, action: MarkRead) -> None:
        room = self._names.room(action.room)
        position = None
        if action.message is not None:
            view = self._state.line(action.message)
            if view is None or view.room != room.channel.hex():
                raise CommandFailed(FailureCode.NOT_FOUND, "there is no such message here")
            position = view.position
        had_unread = room.unread > 0
        self._history.mark_read(room, position)
        if had_unread and self._state.profile.read_receipts:
            self._receipts.owe(room)

    # -- coming and going

    def _join(self, name: str) -> Task[Result]:
        name = room_name(name)
        room = self._names.find_room(f"#{name}")
        if room is None or room.phase != Phase.JOINED:
            room = yield from self._joining.enter_open(name)
        return room.channel.hex()

    def _create(self, action: CreateRoom) -> Task[Result]:
        name = room_name(action.name)
        suite = DEFAULT_SUITE if action.suite is None else action.suite
        require_suite(suite)
        room = yield from self._joining.create_closed(name, suite, action.members_may_invite)
        return room.channel.hex()

    def _start_direct(self, handle: str) -> Task[Result]:
        room = yield from self._joining.start_direct(handle_of(handle))
        return room.channel.hex()

    def _decline(self, room: Room) -> Task[Result]:
        self._governing.require_online()
        yield from self._leaving.leave(room)
        return None

    def _leave(self, room: Room) -> Task[Result]:
        if room.phase == Phase.LEFT:
            raise CommandFailed(FailureCode.NOT_FOUND, f"you are not in {self._names.title(room)}")
        self._governing.require_online()
        yield from self._leaving.leave(room)
        return None

    def _mute(self, room: Room, muted: bool) -> None:
        room.muted = muted
        self._state.save(room)
        self._state.show(room)


def _require_text(text: str) -> str:
    if not text.strip():
        raise CommandFailed(FailureCode.INVALID, "the message is empty")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise CommandFailed(FailureCode.INVALID, "the message is not valid Unicode text") from None
    return text


def _require_fits(body: Body) -> None:
    if not fits(body):
        raise CommandFailed(FailureCode.TOO_LARGE, "the message is too long: send it in parts of up to 50,000 bytes")
