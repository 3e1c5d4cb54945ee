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
from secure_chat.client.engine.content import MAX_EMOJI, Accepted, Body, Reaction, Text, fits
from secure_chat.client.engine.content import Delete as DeleteBody
from secure_chat.client.engine.content import Edit as EditBody
from secure_chat.client.engine.device import DEFAULT_SUITE, SUITE_CLASSICAL, SUITE_HYBRID
from secure_chat.client.engine.directory import Directory
from secure_chat.client.engine.history import History
from secure_chat.client.engine.joining import Joining
from secure_chat.client.engine.leaving import Leaving
from secure_chat.client.engine.messages import react
from secure_chat.client.engine.outbox import Outbox
from secure_chat.client.engine.own import Own
from secure_chat.client.engine.policy import MAX_ROOM_NAME, acts_as_admin
from secure_chat.client.engine.presence import Presences
from secure_chat.client.engine.receipts import Receipts
from secure_chat.client.engine.session import OFFLINE_TEXT, Session
from secure_chat.client.engine.spaces import Phase, Room
from secure_chat.client.engine.state import State
from secure_chat.client.engine.tasks import Task, wait
from secure_chat.client.errors import CommandFailed
from secure_chat.client.events import FailureCode, Result
from secure_chat.client.views import DeliveryState, MessageKind, MessageView, RoomKind, Trust
from secure_chat.identity.errors import HandleError
from secure_chat.identity.handle import require_handle

__all__ = ["Actions"]


RESTART_TRIES = 3
"""Other changes of this device's may come first."""


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
                self._presences.tell_typing(self.room(room))
            case JoinRoom(name=name):
                return self._join(name)
            case CreateRoom():
                return self._create(action)
            case StartDirect(handle=handle):
                return self._start_direct(handle)
            case InvitePeople():
                return self._invite(action)
            case AcceptInvitation(room=room):
                self._accept(self.invitation(room))
            case DeclineInvitation(room=room):
                return self._decline(self.invitation(room))
            case LeaveRoom(room=room):
                return self._leave(self.room(room))
            case Mute(room=room):
                self._mute(self.room(room), True)
            case Unmute(room=room):
                self._mute(self.room(room), False)
            case MarkVerified(handle=handle, number=number):
                self._directory.verify(handle, number)
            case Unverify(handle=handle):
                self._directory.unverify(handle)
            case AcceptKey(handle=handle):
                self._directory.accept(handle)
            case Block(handle=handle):
                self._directory.block(handle, True)
            case Unblock(handle=handle):
                self._directory.block(handle, False)
            case RefreshKeys(room=room):
                return self._change(self.joined(room), Wish(refresh=True))
            case RestartRoom():
                return self._restart(action)
            case Kick() | Ban() | Unban() | Promote() | Demote() | RenameRoom() | SetInvitePolicy():
                return self._govern(action)
            case _:
                return self._own.perform(action)
        return None

    # -- rooms by the names that people use

    def room(self, name: str) -> Room:
        """The room of an id, `#name` or handle; CommandFailed if there is none, or more than one."""
        room = self.find_room(name)
        if room is None:
            hint = "join it first" if name.startswith("#") else "nobody of that name was written to yet"
            raise CommandFailed(FailureCode.NOT_FOUND, f"there is no conversation {name} here: {hint}")
        return room

    def find_room(self, name: str) -> Room | None:
        """The room of an id, `#name` or handle, if there is one."""
        rooms = self._state.rooms
        try:
            by_id = rooms.get(bytes.fromhex(name)) if len(name) == 32 else None
        except ValueError:
            by_id = None
        if by_id is not None:
            return by_id
        if name.startswith("#"):
            wanted = name[1:].casefold()
            found = [r for r in rooms.values() if r.kind != RoomKind.DIRECT and r.name.casefold() == wanted]
            # An invitation, which anybody may send, takes no name away from a room that the user is in.
            present = [r for r in found if r.phase not in (Phase.LEFT, Phase.INVITED, Phase.NEW)]
            present = present or [r for r in found if r.phase != Phase.LEFT] or found
            if len(present) > 1:
                ids = ", ".join(r.channel.hex() for r in present)
                raise CommandFailed(FailureCode.INVALID, f"several rooms are called {name}; name one by its id: {ids}")
            return present[0] if present else None
        person = self._directory.person_of(name.removeprefix("@"))
        if person is None:
            return None
        direct = [r for r in rooms.values() if r.kind == RoomKind.DIRECT and r.peer == person.account]
        return min(direct, key=lambda r: r.phase == Phase.LEFT, default=None)

    def invitation(self, name: str) -> Room:
        """The room of an undecided invitation, by id or name; CommandFailed if there is none, or more than one."""
        name = name.casefold()
        invited = [r for r in self._state.rooms.values() if r.phase == Phase.INVITED]
        found = [r for r in invited if name in (r.channel.hex(), f"#{r.name}".casefold())]
        if len(found) > 1:
            ids = ", ".join(r.channel.hex() for r in found)
            raise CommandFailed(FailureCode.INVALID, f"several invitations are to {name}; name one by its id: {ids}")
        if not found:
            raise CommandFailed(FailureCode.NOT_FOUND, f"there is no invitation to {name} here")
        return found[0]

    def joined(self, name: str) -> Room:
        """A room that this device is in."""
        room = self.room(name)
        if room.phase not in (Phase.JOINED, Phase.OUT):
            raise CommandFailed(FailureCode.NOT_ALLOWED, f"you are not in {self._title(room)}")
        return room

    # -- messages

    def _send(self, action: Send) -> Result | Task[Result]:
        room = self.find_room(action.room)
        if room is None and not action.room.startswith("#") and len(action.room) != 32:
            return self._send_to_person(action)
        return self._queue_text(self.room(action.room), action)

    def _send_to_person(self, action: Send) -> Task[Result]:
        room = yield from self._joining.start_direct(_handle(action.room))
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
        if room.phase not in (Phase.JOINED, Phase.OUT, Phase.ENTERING):
            raise CommandFailed(FailureCode.NOT_ALLOWED, f"you are not in {self._title(room)}")
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
            self._require_admin(room)
        self._require_writable(room)
        self._outbox.queue(room, DeleteBody(bytes.fromhex(view.id)))
        self._history.change(replace(view, text="", deleted=True, reactions=()))

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
        room = self.room(action.room)
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
        name = _room_name(name)
        room = self.find_room(f"#{name}")
        if room is None or room.phase != Phase.JOINED:
            room = yield from self._joining.enter_open(name)
        return room.channel.hex()

    def _create(self, action: CreateRoom) -> Task[Result]:
        name = _room_name(action.name)
        suite = DEFAULT_SUITE if action.suite is None else action.suite
        _require_suite(suite)
        room = yield from self._joining.create_closed(name, suite, action.members_may_invite)
        return room.channel.hex()

    def _start_direct(self, handle: str) -> Task[Result]:
        room = yield from self._joining.start_direct(_handle(handle))
        return room.channel.hex()

    def _invite(self, action: InvitePeople) -> Task[Result]:
        room = self._governed(action.room)
        if room.kind != RoomKind.ROOM:
            raise CommandFailed(FailureCode.INVALID, "only closed rooms need invitations: tell people the room's name")
        accounts: list[bytes] = []
        for handle in dict.fromkeys(action.handles):
            person = yield from self._directory.find(_handle(handle))
            accounts.append(person.account)
        newcomers = yield from self._joining.claim(room.suite, accounts)
        roster = self._state.roster(room)
        inside = {entry.device for entry in roster.entries} if roster is not None else set()
        for account in accounts:
            devices = {n.identity.device_id for n in newcomers if n.identity.account_key == account}
            name = self._state.people[account].handle
            if not devices:
                raise CommandFailed(FailureCode.REFUSED, f"{name} has no device that could be added")
            if devices <= inside:
                raise CommandFailed(FailureCode.INVALID, f"{name} is in the room already")
        yield from wait(self._commits.wish(room, Wish(add=newcomers)))
        return None

    def _accept(self, room: Room) -> None:
        room.phase = Phase.JOINED
        self._state.save(room)
        self._outbox.queue(room, Accepted())
        self._state.show(room)

    def _decline(self, room: Room) -> Task[Result]:
        self._require_online()
        yield from self._leaving.leave(room)
        return None

    def _leave(self, room: Room) -> Task[Result]:
        if room.phase == Phase.LEFT:
            raise CommandFailed(FailureCode.NOT_FOUND, f"you are not in {self._title(room)}")
        self._require_online()
        yield from self._leaving.leave(room)
        return None

    def _mute(self, room: Room, muted: bool) -> None:
        room.muted = muted
        self._state.save(room)
        self._state.show(room)

    # -- governing a room

    def _govern(self, action: Kick | Ban | Unban | Promote | Demote | RenameRoom | SetInvitePolicy) -> Task[Result]:
        room = self._governed(action.room)
        self._require_admin(room)
        match action:
            case RenameRoom(name=name):
                wish = Wish(name=_room_name(name))
            case SetInvitePolicy(members_may_invite=allowed):
                wish = Wish(members_may_invite=allowed)
            case Unban(handle=handle):
                wish = Wish(unban=frozenset([self._banned(room, handle)]))
            case Ban(handle=handle):
                if room.kind != RoomKind.OPEN:
                    raise CommandFailed(FailureCode.INVALID, "closed rooms need no ban: remove the person with /kick")
                account = self._member(room, handle)
                if account is None:
                    person = yield from self._directory.find(_handle(handle))
                    account = person.account
                self._require_other(account)
                wish = Wish(ban=frozenset([account]), demote=frozenset([account]))
            case Kick(handle=handle) | Promote(handle=handle) | Demote(handle=handle):
                account = self._member(room, handle)
                if account is None:
                    raise CommandFailed(FailureCode.NOT_FOUND, f"{handle} is not in the room")
                chosen = frozenset([account])
                if isinstance(action, Kick):
                    self._require_other(account)
                    wish = Wish(remove=chosen, demote=chosen)
                elif isinstance(action, Demote):
                    wish = Wish(demote=chosen)
                else:
                    if self._directory.trust(account) is Trust.CHANGED:
                        text = f"the key of {handle} here is not the one you know: verify or accept it first"
                        raise CommandFailed(FailureCode.BLOCKED, text)
                    wish = Wish(promote=chosen)
        yield from wait(self._commits.wish(room, wish))
        return None

    def _restart(self, action: RestartRoom) -> Task[Result]:
        room = self.joined(action.room)
        self._require_online()
        if room.kind != RoomKind.DIRECT:
            self._require_admin(room)
        without: set[bytes] = set()
        for handle in action.without:
            account = self._member(room, handle)
            if account is None:
                raise CommandFailed(FailureCode.NOT_FOUND, f"{handle} is not in the room")
            self._require_other(account)
            without.add(account)
        if action.suite is not None:
            _require_suite(action.suite)
        generation = room.generation
        for _ in range(RESTART_TRIES):
            yield from wait(self._commits.idle(room))
            yield from self._joining.refound(room, without, action.suite)
            yield from wait(self._commits.outcome(room))
            if room.generation > generation:
                return None
        raise CommandFailed(FailureCode.REFUSED, "the room changes all the time: try again later")

    def _change(self, room: Room, wish: Wish) -> Task[Result]:
        self._governed(room.channel.hex())
        yield from wait(self._commits.wish(room, wish))
        return None

    def _governed(self, name: str) -> Room:
        room = self.joined(name)
        self._require_online()
        if room.phase != Phase.JOINED:
            raise CommandFailed(FailureCode.BLOCKED, "this device waits to be added to the room again")
        return room

    def _require_admin(self, room: Room) -> None:
        roles = self._state.roles(room)
        if room.kind == RoomKind.DIRECT or roles is None or not room.group:
            raise CommandFailed(FailureCode.NOT_ALLOWED, "there is nothing to govern in this conversation")
        if not acts_as_admin(roles, self._state.occupants(self._state.group(room)), self._state.own_account):
            raise CommandFailed(FailureCode.NOT_ALLOWED, "only an admin of the room may do that")

    def _require_other(self, account: bytes) -> None:
        if account == self._state.own_account:
            raise CommandFailed(FailureCode.INVALID, "that is you: leave the room instead")

    def _require_online(self) -> None:
        if not self._session.entered:
            raise CommandFailed(FailureCode.OFFLINE, OFFLINE_TEXT)

    def _member(self, room: Room, name: str) -> bytes | None:
        """The member of a handle; by the account key where somebody passes themselves off as somebody else."""
        roster = self._state.roster(room)
        name = name.removeprefix("@")
        entries = [] if roster is None else roster.entries
        found = list(dict.fromkeys(e.account for e in entries if name in (e.handle, e.account.hex())))
        if len(found) > 1:
            keys = ", ".join(account.hex() for account in found)
            text = f"several people here go by the name {name}; name one by the account key: {keys}"
            raise CommandFailed(FailureCode.INVALID, text)
        return found[0] if found else None

    def _banned(self, room: Room, handle: str) -> bytes:
        roles = self._state.roles(room)
        handle = handle.removeprefix("@")
        for account in roles.banned if roles is not None else ():
            person = self._state.people.get(account)
            if person is not None and person.handle == handle:
                return account
        raise CommandFailed(FailureCode.NOT_FOUND, f"{handle} is not banned here")

    def _title(self, room: Room) -> str:
        return room.name if room.kind == RoomKind.DIRECT else f"#{room.name}"


def _handle(text: str) -> str:
    try:
        return require_handle(text.removeprefix("@"))
    except HandleError as error:
        raise CommandFailed(FailureCode.INVALID, str(error)) from None


def _room_name(text: str) -> str:
    name = text.removeprefix("#").strip()
    if not 1 <= len(name) <= MAX_ROOM_NAME or not name.isprintable():
        raise CommandFailed(FailureCode.INVALID, f"a room's name has 1 to {MAX_ROOM_NAME} printable characters")
    return name


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


def _require_suite(suite: int) -> None:
    if suite not in (SUITE_CLASSICAL, SUITE_HYBRID):
        known = f"{SUITE_CLASSICAL} (classical) and {SUITE_HYBRID:#x} (post-quantum)"
        raise CommandFailed(FailureCode.INVALID, f"cipher suite {suite:#x} is not offered: there are {known}")
