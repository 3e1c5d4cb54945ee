"""The Python API: `from secure_chat import Client`; every skin uses it, too.

::

    with Client.open() as client:
        client.send("#lobby", "hello")
        for event in client.events():
            ...

Synchronous and thread-safe. The process that opens a profile first owns it; a client in any other process is a hand
on the owner and has the same methods. When the owner ends, the next command makes another process the owner.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar, cast

from secure_chat.client import commands, queries
from secure_chat.client.backend import Backend, Listener
from secure_chat.client.commands import Command
from secure_chat.client.errors import ClientClosed, CommandFailed
from secure_chat.client.events import ConnectionChanged, Event, FailureCode, MessageChanged, Result, ShuttingDown
from secure_chat.client.opening import Opened, Passphrase, open_profile
from secure_chat.client.profile import DEFAULT_PROFILE
from secure_chat.client.vault import Lock
from secure_chat.client.views import (
    ConnectionState,
    DeliveryState,
    DeviceView,
    Hit,
    InvitationView,
    MemberView,
    MessageId,
    MessageView,
    OpenRoomView,
    PersonView,
    RoomCodeView,
    RoomId,
    RoomView,
    SafetyNumberView,
    StatusView,
)
from secure_chat.errors import SecureChatError

__all__ = ["Client", "EventStream"]

COMMAND_TIMEOUT = 30.0
"""Seconds for a command's answer; those that need the relay have ended with `offline` long before."""
ONLINE_TIMEOUT = 10.0
"""Seconds to connect and catch up."""
FIRST_ROOM_TIMEOUT = 2.0
"""Seconds until the lobby shows; a relay may have none."""
JOIN_TIMEOUT = 30.0
"""Seconds from the link to the first room."""

T = TypeVar("T")

_FINAL = {DeliveryState.SENT, DeliveryState.DELIVERED, DeliveryState.READ, DeliveryState.FAILED}


class EventStream:
    """Events in order, from the moment it was made; iterating waits for the next one and ends with the client."""

    def __init__(self, backend: Backend, timeout: float | None = None) -> None:
        """`timeout`: seconds without an event after which iteration ends."""
        self._timeout = timeout
        self._queue: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._unsubscribe = backend.subscribe(self._queue.put)

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        event = self.next(self._timeout)
        if event is None:
            raise StopIteration
        return event

    def next(self, timeout: float | None) -> Event | None:
        """The next event, None if there is none within so many seconds, or none any more."""
        try:
            event = self._queue.get(timeout=timeout)
        except queue.Empty:
            return None
        if event is None or isinstance(event, ShuttingDown):
            self._queue.put(None)
        return event

    def close(self) -> None:
        """No further events; ends a waiting iteration."""
        self._unsubscribe()
        self._queue.put(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Client:
    """One profile, opened; also a `backend.Backend` that outlives the profile's owners."""

    def __init__(self, opened: Opened, reopen: Callable[[], Opened]) -> None:
        """Use `join` or `open`."""
        self._opened = opened
        self._reopen = reopen
        self._lock = threading.Lock()
        self._closed = False
        self._listeners: tuple[Listener, ...] = ()
        self._attached: Opened | None = None

    @classmethod
    def join(
        cls,
        link: str,
        handle: str,
        *,
        profile: str = DEFAULT_PROFILE,
        passphrase: str | None = None,
        lock: Lock | None = None,
        recovery_code: str | None = None,
        timeout: float = JOIN_TIMEOUT,
    ) -> Self:
        """Makes an account under a name with an invite link, and opens its profile.

        The store is locked by `passphrase` if one is given, otherwise by a key file (or by `lock`). With the
        account's `recovery_code` this becomes a new device of that account. Raises JoinError, InviteLinkError,
        HandleError, ProfileExists or a TransportError; then nothing was left behind.
        """
        from secure_chat.client.joining import join  # only needed here

        chosen = lock or (Lock.KEY_FILE if passphrase is None else Lock.PASSPHRASE)
        opened = join(link, handle, profile, chosen, passphrase, recovery_code, timeout)
        return cls(opened, lambda: open_profile(profile, passphrase))

    @classmethod
    def open(cls, profile: str = DEFAULT_PROFILE, *, passphrase: Passphrase = None) -> Self:
        """Opens a profile; `passphrase` may be a function that is called only if one is needed.

        Raises ProfileMissing, ProfileBusy, WrongPassphraseError, PassphraseNeeded, StoreError.
        """
        return cls(open_profile(profile, passphrase), lambda: open_profile(profile, passphrase))

    @property
    def is_owner(self) -> bool:
        """Whether this process runs the engine."""
        return self._opened.is_owner

    def close(self) -> None:
        """Ends the use of the profile; harmless when repeated."""
        self._closed = True
        with self._lock:
            self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- asking and listening

    def ask(self, command: Command, timeout: float | None = COMMAND_TIMEOUT) -> Result:
        """The command's result; raises CommandFailed, or ClientClosed if it is unknown whether it was done."""
        return _wait(self.submit(command), timeout)

    def submit(self, command: Command) -> "Future[Result]":
        """Starts a command without waiting."""
        return self._start(lambda backend: backend.submit(command))

    def events(self, timeout: float | None = None) -> EventStream:
        """Everything that happens from now on; with `timeout` until nothing has happened for so many seconds."""
        return EventStream(self, timeout)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Has every event from now on delivered, from the client's thread; the function returned ends that."""
        with self._lock:
            self._listeners = (*self._listeners, listener)
            self._attach()

        def unsubscribe() -> None:
            self._listeners = tuple(each for each in self._listeners if each is not listener)

        return unsubscribe

    def _start(self, call: "Callable[[Backend], Future[T]]") -> "Future[T]":
        """Starts a call; where the owner ended without having begun it, it is started again at the next owner."""
        future: Future[T] = Future()

        def attempt(opened: Opened) -> None:
            try:
                call(opened.backend).add_done_callback(lambda done: finish(done, opened))
            except SecureChatError as error:
                settle(error, opened)

        def finish(done: "Future[T]", opened: Opened) -> None:
            error = done.exception()
            if error is None:
                future.set_result(done.result())
            else:
                settle(error, opened)

        def settle(error: BaseException, opened: Opened) -> None:
            if isinstance(error, ClientClosed) and error.safe and not self._closed:
                threading.Thread(target=again, args=(opened,), name="next owner", daemon=True).start()
            else:
                future.set_exception(error)

        def again(opened: Opened) -> None:
            try:
                self._succeed(opened)
            except SecureChatError as error:
                future.set_exception(error)
            else:
                attempt(self._opened)

        attempt(self._opened)
        return future

    def _succeed(self, ended: Opened) -> None:
        """After an owner has ended: become the owner, or a hand on the next one."""
        with self._lock:
            if self._opened is not ended:
                return  # somebody else has been here
            if self._closed:
                raise ClientClosed("the client was closed")
            ended.close()
            self._opened = self._reopen()
            if self._listeners:
                self._attach()

    def _attach(self) -> None:
        opened = self._opened
        if self._attached is opened:
            return
        self._attached = opened

        def hear(event: Event) -> None:
            if isinstance(event, ShuttingDown) and not opened.is_owner and not self._closed:
                threading.Thread(target=go_on, name="next owner", daemon=True).start()
                return
            for listener in self._listeners:
                listener(event)

        def go_on() -> None:
            try:
                self._succeed(opened)
            except SecureChatError as error:
                for listener in self._listeners:
                    listener(ShuttingDown(str(error)))

        opened.backend.subscribe(hear)

    def _view(self, kind: type[T], command: Command) -> T:
        result = self.ask(command)
        assert isinstance(result, kind)
        return result

    def _views(self, command: Command) -> Sequence[object]:
        result = self.ask(command)
        assert isinstance(result, tuple)
        return result

    def wait_until_online(self, timeout: float = ONLINE_TIMEOUT) -> bool:
        """Waits (seconds) until all that waited at the relay is here; False once that is known not to be soon."""
        with self.events() as events:
            state, left = self.status().connection, timeout
            deadline = time.monotonic() + timeout
            while state is not ConnectionState.ONLINE and left > 0:
                match events.next(left):
                    case ConnectionChanged(ConnectionState.OFFLINE) | ShuttingDown() | None:
                        return False
                    case ConnectionChanged(state=changed):
                        state = changed
                left = deadline - time.monotonic()
        return state is ConnectionState.ONLINE

    def wait_until_entered(self, timeout: float = JOIN_TIMEOUT) -> bool:
        """Waits (seconds) until this device is in every room that it is entering, such as the lobby after joining."""
        deadline = time.monotonic() + timeout
        first = time.monotonic() + min(timeout, FIRST_ROOM_TIMEOUT)
        with self.events() as events:
            while True:
                rooms = self.rooms()
                if rooms and not any(room.writable and not room.joined for room in rooms):
                    return True
                left = (deadline if rooms else first) - time.monotonic()
                if left <= 0 or events.next(left) is None:
                    return not rooms

    # --- messages

    def send(self, room: str, text: str, *, reply_to: MessageId | None = None) -> MessageId:
        """Queues a message to `#room` or a person; returns its id as soon as it is on disk here."""
        return self._view(str, commands.Send(room, text, reply_to))

    def deliver(
        self, room: str, text: str, *, reply_to: MessageId | None = None, timeout: float = COMMAND_TIMEOUT
    ) -> tuple[MessageId, DeliveryState]:
        """Sends and waits until the relay has the message on disk (`sent`), it failed, or time is up (`queued`)."""
        deadline = time.monotonic() + timeout
        with self.events() as events:
            message_id = self.send(room, text, reply_to=reply_to)
            while (left := deadline - time.monotonic()) > 0:
                match events.next(left):
                    case MessageChanged(MessageView(id=changed, state=state)) if changed == message_id:
                        if state in _FINAL:
                            return message_id, state
                    case None | ShuttingDown():
                        break
        return message_id, self.message(message_id).state

    def edit(self, message: MessageId, text: str) -> None:
        """Replaces the text of one's own message."""
        self.ask(commands.Edit(message, text))

    def delete(self, message: MessageId) -> None:
        """Deletes one's own message for everybody (an admin: anybody's)."""
        self.ask(commands.Delete(message))

    def react(self, message: MessageId, emoji: str, *, remove: bool = False) -> None:
        """Puts an emoji under a message, or takes it back."""
        self.ask(commands.React(message, emoji, remove))

    def message(self, message: MessageId) -> MessageView:
        """One message."""
        return self._view(MessageView, queries.GetMessage(message))

    def history(
        self, room: str, limit: int = 50, *, before: int | None = None, after: int | None = None
    ) -> tuple[MessageView, ...]:
        """Lines of a room, oldest first: the newest ones, or those before or after a position."""
        return cast("tuple[MessageView, ...]", self._views(queries.GetHistory(room, limit, before, after)))

    def search(self, text: str, room: str | None = None, limit: int = 50) -> tuple[Hit, ...]:
        """Full-text search, newest first."""
        return cast("tuple[Hit, ...]", self._views(queries.Search(text, room, limit)))

    def mark_read(self, room: str, message: MessageId | None = None) -> None:
        """Everything up to this message (None: all) has been seen."""
        self.ask(commands.MarkRead(room, message))

    # --- rooms

    def rooms(self) -> tuple[RoomView, ...]:
        """All conversations, most recently active first."""
        return cast("tuple[RoomView, ...]", self._views(queries.GetRooms()))

    def open_rooms(self) -> tuple[OpenRoomView, ...]:
        """The relay's open rooms."""
        return cast("tuple[OpenRoomView, ...]", self._views(queries.GetOpenRooms()))

    def members(self, room: str) -> tuple[MemberView, ...]:
        """Who is in a room."""
        return cast("tuple[MemberView, ...]", self._views(queries.GetMembers(room)))

    def join_room(self, name: str) -> None:
        """Enters an open room, making it if there is none of this name."""
        self.ask(commands.JoinRoom(name))

    def create_room(self, name: str, *, suite: int | None = None, members_may_invite: bool = False) -> RoomId:
        """Makes a closed room."""
        return self._view(str, commands.CreateRoom(name, suite, members_may_invite))

    def start_direct(self, handle: str) -> RoomId:
        """Opens the direct conversation with a person."""
        return self._view(str, commands.StartDirect(handle))

    def invite(self, room: str, *handles: str) -> None:
        """Invites people into a closed room."""
        self.ask(commands.InvitePeople(room, handles))

    def invitations(self) -> tuple[InvitationView, ...]:
        """Undecided invitations."""
        return cast("tuple[InvitationView, ...]", self._views(queries.GetInvitations()))

    def accept(self, room: str) -> None:
        """Accepts an invitation."""
        self.ask(commands.AcceptInvitation(room))

    def decline(self, room: str) -> None:
        """Declines an invitation."""
        self.ask(commands.DeclineInvitation(room))

    def leave(self, room: str) -> None:
        """Leaves a room; its history stays."""
        self.ask(commands.LeaveRoom(room))

    def kick(self, room: str, handle: str) -> None:
        """Removes a person from a room; needs an admin."""
        self.ask(commands.Kick(room, handle))

    def promote(self, room: str, handle: str) -> None:
        """Makes a member an admin; needs an admin."""
        self.ask(commands.Promote(room, handle))

    def room_code(self, room: str, epoch: int | None = None) -> RoomCodeView:
        """What members compare to know that they are in the same room."""
        return self._view(RoomCodeView, queries.GetRoomCode(room, epoch))

    # --- people and trust

    def people(self) -> tuple[PersonView, ...]:
        """Everybody this client has met."""
        return cast("tuple[PersonView, ...]", self._views(queries.GetPeople()))

    def safety_number(self, handle: str) -> SafetyNumberView:
        """What two people compare."""
        return self._view(SafetyNumberView, queries.GetSafetyNumber(handle))

    def mark_verified(self, handle: str, number: str = "") -> None:
        """The safety numbers were the same; if `number` (or a scanned QR text) is given, it must match."""
        self.ask(commands.MarkVerified(handle, number))

    def block(self, handle: str) -> None:
        """Shows nothing further from a person."""
        self.ask(commands.Block(handle))

    def unblock(self, handle: str) -> None:
        """Shows a person's messages again."""
        self.ask(commands.Unblock(handle))

    # --- oneself

    def status(self) -> StatusView:
        """Where this client stands."""
        return self._view(StatusView, queries.GetStatus())

    def devices(self) -> tuple[DeviceView, ...]:
        """The devices of this account."""
        return cast("tuple[DeviceView, ...]", self._views(queries.GetDevices()))

    def recovery_code(self) -> str:
        """The code with which a new installation becomes a device of this account."""
        return self._view(str, queries.GetRecoveryCode())

    def invite_link(self, uses: int = 1, lifetime: int = 7 * 86_400_000) -> str:
        """A link with which others can join the relay; `lifetime` in milliseconds."""
        return self._view(str, commands.CreateInviteLink(uses, lifetime))

    def backup(self, path: Path, passphrase: str) -> "Future[None]":
        """Writes an encrypted backup while the chat goes on; the future fails with BackupError."""
        return self._start(lambda backend: backend.backup(path, passphrase))

    def change_lock(self, lock: Lock, passphrase: str | None = None) -> "Future[None]":
        """Locks the store by a (new) passphrase, the keyring or a key file; the future fails with VaultError."""
        return self._start(lambda backend: backend.change_lock(lock, passphrase))


def _wait(future: "Future[T]", timeout: float | None) -> T:
    try:
        return future.result(timeout)
    except FutureTimeoutError:
        raise CommandFailed(FailureCode.OFFLINE, f"no answer within {timeout:g} seconds") from None
