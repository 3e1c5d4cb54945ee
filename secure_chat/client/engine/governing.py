"""Changing a room: inviting, removing, rights, its name, fresh keys, starting it anew."""

from secure_chat.client.commands import (
    Ban,
    Demote,
    InvitePeople,
    Kick,
    Promote,
    RenameRoom,
    RestartRoom,
    SetInvitePolicy,
    Unban,
)
from secure_chat.client.engine.changes import Wish
from secure_chat.client.engine.commits import Commits
from secure_chat.client.engine.directory import Directory
from secure_chat.client.engine.entrances import Entrances
from secure_chat.client.engine.joining import Joining
from secure_chat.client.engine.names import Names, handle_of, require_suite, room_name
from secure_chat.client.engine.policy import acts_as_admin
from secure_chat.client.engine.session import OFFLINE_TEXT, Session
from secure_chat.client.engine.spaces import Phase, Room
from secure_chat.client.engine.state import State
from secure_chat.client.engine.tasks import Task, wait
from secure_chat.client.errors import CommandFailed
from secure_chat.client.events import FailureCode, Result
from secure_chat.client.views import RoomKind, Trust
from secure_chat.wire.limits import MAX_ADDS_PER_COMMIT

__all__ = ["Governing"]

RESTART_TRIES = 3
"""Other changes of this device's may come first."""


class Governing:
    """Commands that end in a commit."""

    def __init__(
        self,
        state: State,
        session: Session,
        directory: Directory,
        commits: Commits,
        joining: Joining,
        entrances: Entrances,
        names: Names,
    ) -> None:
        self._state = state
        self._session = session
        self._directory = directory
        self._commits = commits
        self._joining = joining
        self._entrances = entrances
        self._names = names

    def invite(self, action: InvitePeople) -> Task[Result]:
        room = self._governed(action.room)
        if room.kind != RoomKind.ROOM:
            raise CommandFailed(FailureCode.INVALID, "only closed rooms need invitations: tell people the room's name")
        accounts: list[bytes] = []
        for handle in dict.fromkeys(action.handles):
            person = yield from self._directory.find(handle_of(handle))
            accounts.append(person.account)
        newcomers = yield from self._entrances.claim(room.suite, accounts)
        roster = self._state.roster(room)
        inside = {entry.device for entry in roster.entries} if roster is not None else set()
        for account in accounts:
            devices = {n.identity.device_id for n in newcomers if n.identity.account_key == account}
            name = self._state.people[account].handle
            if not devices:
                raise CommandFailed(FailureCode.REFUSED, f"{name} has no device that could be added")
            if devices <= inside:
                raise CommandFailed(FailureCode.INVALID, f"{name} is in the room already")
        for first in range(0, len(newcomers), MAX_ADDS_PER_COMMIT):
            yield from wait(self._commits.wish(room, Wish(add=newcomers[first : first + MAX_ADDS_PER_COMMIT])))
        return None

    def govern(self, action: Kick | Ban | Unban | Promote | Demote | RenameRoom | SetInvitePolicy) -> Task[Result]:
        room = self._governed(action.room)
        self.require_admin(room)
        match action:
            case RenameRoom(name=name):
                wish = Wish(name=room_name(name))
            case SetInvitePolicy(members_may_invite=allowed):
                wish = Wish(members_may_invite=allowed)
            case Unban(handle=handle):
                wish = Wish(unban=frozenset([self._names.banned(room, handle)]))
            case Ban(handle=handle):
                if room.kind != RoomKind.OPEN:
                    raise CommandFailed(FailureCode.INVALID, "closed rooms need no ban: remove the person with /kick")
                account = self._names.member(room, handle)
                if account is None:
                    person = yield from self._directory.find(handle_of(handle))
                    account = person.account
                self._require_other(account)
                wish = Wish(ban=frozenset([account]), demote=frozenset([account]))
            case Kick(handle=handle) | Promote(handle=handle) | Demote(handle=handle):
                account = self._names.member(room, handle)
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

    def restart(self, action: RestartRoom) -> Task[Result]:
        room = self._names.joined(action.room)
        self.require_online()
        if room.kind != RoomKind.DIRECT:
            self.require_admin(room)
        without: set[bytes] = set()
        for handle in action.without:
            account = self._names.member(room, handle)
            if account is None:
                raise CommandFailed(FailureCode.NOT_FOUND, f"{handle} is not in the room")
            self._require_other(account)
            without.add(account)
        if action.suite is not None:
            require_suite(action.suite)
        generation = room.generation
        for _ in range(RESTART_TRIES):
            yield from wait(self._commits.idle(room))
            yield from self._joining.refound(room, without, action.suite)
            yield from wait(self._commits.outcome(room))
            if room.generation > generation:
                return None
        raise CommandFailed(FailureCode.REFUSED, "the room changes all the time: try again later")

    def change(self, room: Room, wish: Wish) -> Task[Result]:
        self._governed(room.channel.hex())
        yield from wait(self._commits.wish(room, wish))
        return None

    def _governed(self, name: str) -> Room:
        room = self._names.joined(name)
        self.require_online()
        if room.phase != Phase.JOINED:
            raise CommandFailed(FailureCode.BLOCKED, "this device waits to be added to the room again")
        return room

    def require_admin(self, room: Room) -> None:
        roles = self._state.roles(room)
        if room.kind == RoomKind.DIRECT or roles is None or not room.group:
            raise CommandFailed(FailureCode.NOT_ALLOWED, "there is nothing to govern in this conversation")
        if not acts_as_admin(roles, self._state.occupants(self._state.group(room)), self._state.own_account):
            raise CommandFailed(FailureCode.NOT_ALLOWED, "only an admin of the room may do that")

    def _require_other(self, account: bytes) -> None:
        if account == self._state.own_account:
            raise CommandFailed(FailureCode.INVALID, "that is you: leave the room instead")

    def require_online(self) -> None:
        if not self._session.entered:
            raise CommandFailed(FailureCode.OFFLINE, OFFLINE_TEXT)
