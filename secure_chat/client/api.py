"""The Python API: `from secure_chat import Client`; every skin uses it, too.

::

    with Client.open() as client:
        client.send("#lobby", "hello")
        for event in client.events():
            ...

Synchronous and thread-safe: each command of the engine is a method, `ask` takes any of them as it is.
"""

import time
from collections.abc import Sequence
from typing import Self, TypeVar, cast

from secure_chat.client import commands, queries
from secure_chat.client.commands import Command
from secure_chat.client.events import ConnectionChanged, MessageChanged, ShuttingDown
from secure_chat.client.link import COMMAND_TIMEOUT, EventStream, Link
from secure_chat.client.opening import Passphrase, open_profile
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

__all__ = ["Client", "EventStream"]

ONLINE_TIMEOUT = 10.0
"""Seconds to connect and catch up."""
FIRST_ROOM_TIMEOUT = 2.0
"""Seconds until the lobby shows; a relay may have none."""
JOIN_TIMEOUT = 30.0
"""Seconds from the link to the first room."""
RECHECK = 0.5
"""Seconds without an event after which one looks: some are told while one owner follows another."""

T = TypeVar("T")

_FINAL = {DeliveryState.SENT, DeliveryState.DELIVERED, DeliveryState.READ, DeliveryState.FAILED}


class Client(Link):
    """One profile, opened; made by `join` or `open`."""

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

    def wait_until_online(self, timeout: float = ONLINE_TIMEOUT) -> bool:
        """Waits (seconds) until all that waited at the relay is here; False once that is known not to be soon."""
        with self.events() as events:
            state, left = self.status().connection, timeout
            deadline = time.monotonic() + timeout
            while state is not ConnectionState.ONLINE and left > 0:
                match events.next(min(left, RECHECK)):
                    case ConnectionChanged(ConnectionState.OFFLINE) | ShuttingDown():
                        return False
                    case ConnectionChanged(state=changed):
                        state = changed
                    case None:
                        state = self.status().connection
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
                if left <= 0 or isinstance(events.next(min(left, RECHECK)), ShuttingDown):
                    return not rooms

    def wait_until_sent(self, timeout: float = ONLINE_TIMEOUT) -> bool:
        """Waits (seconds) until no message waits here any more; False once that is known not to be soon."""
        deadline = time.monotonic() + timeout
        with self.events() as events:
            while (status := self.status()).queued and (left := deadline - time.monotonic()) > 0:
                if status.connection is ConnectionState.OFFLINE and status.reason:
                    return False
                if isinstance(events.next(min(left, RECHECK)), ShuttingDown):
                    break
        return not status.queued

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
                match events.next(min(left, RECHECK)):
                    case MessageChanged(MessageView(id=changed, state=state)) if changed == message_id:
                        if state in _FINAL:
                            return message_id, state
                    case None if (state := self.message(message_id).state) in _FINAL:
                        return message_id, state
                    case ShuttingDown():
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

    def retry(self, message: MessageId) -> None:
        """Queues a failed message again."""
        self.ask(commands.RetryMessage(message))

    def cancel(self, message: MessageId) -> None:
        """Drops a message that has not been sent."""
        self.ask(commands.CancelMessage(message))

    def typing(self, room: str) -> None:
        """Tells a room that one is typing."""
        self.ask(commands.Typing(room))

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

    def ban(self, room: str, handle: str) -> None:
        """Removes a person from an open room and keeps them out; needs an admin."""
        self.ask(commands.Ban(room, handle))

    def unban(self, room: str, handle: str) -> None:
        """Lets a banned person in again; needs an admin."""
        self.ask(commands.Unban(room, handle))

    def promote(self, room: str, handle: str) -> None:
        """Makes a member an admin; needs an admin."""
        self.ask(commands.Promote(room, handle))

    def demote(self, room: str, handle: str) -> None:
        """Takes a member's admin right; needs an admin, never the last one."""
        self.ask(commands.Demote(room, handle))

    def rename_room(self, room: str, name: str) -> None:
        """Gives a closed room another name; needs an admin."""
        self.ask(commands.RenameRoom(room, name))

    def set_invite_policy(self, room: str, *, members_may_invite: bool) -> None:
        """Whether members who are no admins may invite; needs an admin."""
        self.ask(commands.SetInvitePolicy(room, members_may_invite))

    def mute(self, room: str) -> None:
        """No notifications and no mention marks from a room."""
        self.ask(commands.Mute(room))

    def unmute(self, room: str) -> None:
        """Notifications again."""
        self.ask(commands.Unmute(room))

    def refresh_keys(self, room: str) -> None:
        """Fresh keys for this device in a room, now."""
        self.ask(commands.RefreshKeys(room))

    def restart_room(self, room: str, *without: str, suite: int | None = None) -> None:
        """Starts a damaged room anew in the same conversation, without these people."""
        self.ask(commands.RestartRoom(room, without, suite))

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

    def unverify(self, handle: str) -> None:
        """Takes a verification back."""
        self.ask(commands.Unverify(handle))

    def accept_key(self, handle: str, key: str) -> None:
        """Goes on with a person whose account key has changed to this one (`KeyChanged.new`)."""
        self.ask(commands.AcceptKey(handle, key))

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

    def recovery_code_seen(self) -> None:
        """The person has been shown the recovery code: nobody needs to show it of itself again."""
        self.ask(commands.RecoveryCodeSeen())

    def recovery_code(self) -> str:
        """The code with which a new installation becomes a device of this account."""
        return self._view(str, queries.GetRecoveryCode())

    def invite_link(self, uses: int = 1, lifetime: int = 7 * 86_400_000) -> str:
        """A link with which others can join the relay; `lifetime` in milliseconds."""
        return self._view(str, commands.CreateInviteLink(uses, lifetime))

    def set_read_receipts(self, *, enabled: bool) -> None:
        """Whether others learn what one has read."""
        self.ask(commands.SetReadReceipts(enabled))

    def set_visible(self, *, visible: bool) -> None:
        """Whether others learn that one is online; from the next connection on."""
        self.ask(commands.SetVisible(visible))

    def set_address(self, address: str) -> None:
        """The relay has moved to another host:port; its certificate authority stays pinned."""
        self.ask(commands.SetAddress(address))

    def reconnect(self) -> None:
        """Tries to connect now instead of waiting."""
        self.ask(commands.Reconnect())

    def revoke_device(self, device: str) -> None:
        """Shuts another device of this account out of everything."""
        self.ask(commands.RevokeDevice(device))

    def delete_account(self, confirm: str) -> None:
        """Leaves every room and deletes the account at the relay; `confirm` is the own handle."""
        self.ask(commands.DeleteAccount(confirm))

    def _view(self, kind: type[T], command: Command) -> T:
        result = self.ask(command)
        assert isinstance(result, kind)
        return result

    def _views(self, command: Command) -> Sequence[object]:
        result = self.ask(command)
        assert isinstance(result, tuple)
        return result
