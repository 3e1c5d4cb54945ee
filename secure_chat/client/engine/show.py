"""Views: what front ends see of rooms, people and this client."""

from secure_chat import __version__
from secure_chat.client.engine.directory import Directory
from secure_chat.client.engine.outbox import Outbox
from secure_chat.client.engine.session import Session
from secure_chat.client.engine.spaces import Person, Phase, Room, is_undecided
from secure_chat.client.engine.state import State
from secure_chat.client.views import MemberView, PersonView, RoomKind, RoomView, StatusView, Trust
from secure_chat.identity.credential import short_fingerprint

__all__ = ["Show"]

HYBRID_SUITES = {0xF00E}

_WAITING = {
    Phase.NEW: "waiting to be let in",
    Phase.ENTERING: "entering",
    Phase.INVITED: "accept the invitation first",
    Phase.LEAVING: "leaving",
    Phase.LEFT: "you are not in this room",
}


class Show:
    """Makes views."""

    def __init__(self, state: State, session: Session, directory: Directory, outbox: Outbox) -> None:
        self._state = state
        self._session = session
        self._directory = directory
        self._outbox = outbox

    def room(self, room: Room) -> RoomView:
        """One conversation."""
        state = self._state
        accounts = state.accounts(room)
        roles, roster = state.roles(room), state.roster(room)
        others = [account for account in accounts if account != state.own_account]
        out, undecided = room.phase == Phase.OUT, is_undecided(room)
        waits = Phase.INVITED if out and undecided else Phase(room.phase)
        blocked = _WAITING.get(waits, "") or self._directory.blocks(room)
        return RoomView(
            id=room.channel.hex(),
            kind=RoomKind(room.kind),
            name=room.name,
            suite=room.suite,
            epoch=0 if roster is None else roster.epoch,
            members=len(accounts),
            verified=sum(self._directory.trust(account) is Trust.VERIFIED for account in others),
            unread=room.unread,
            mentions=room.mentions,
            muted=room.muted,
            admin=roles is not None and state.own_account in roles.admins,
            members_may_invite=roles is not None and roles.members_may_invite,
            joined=room.phase == Phase.JOINED or (out and not undecided),
            writable=not blocked or room.phase == Phase.ENTERING,
            blocked="this device asks to be added again; what you write waits" if out and not blocked else blocked,
            post_quantum=room.suite in HYBRID_SUITES,
            last_time=room.last_time,
        )

    def rooms(self) -> tuple[RoomView, ...]:
        """All, most recently active first."""
        views = [self.room(room) for room in self._state.rooms.values()]
        return tuple(sorted(views, key=lambda view: (-view.last_time, view.id)))

    def members(self, room: Room) -> tuple[MemberView, ...]:
        """The people in a room, admins first."""
        state = self._state
        roles, roster = state.roles(room), state.roster(room)
        if roles is None or roster is None:
            return ()
        views: list[MemberView] = []
        for account in state.accounts(room):
            entries = [entry for entry in roster.entries if entry.account == account]
            views.append(
                MemberView(
                    handle=entries[0].handle,
                    account=account.hex(),
                    admin=account in roles.admins,
                    trust=self._directory.trust(account),
                    online=self._online(account),
                    devices=len(entries),
                    invited=account in roster.invited,
                )
            )
        return tuple(sorted(views, key=lambda view: (not view.admin, view.handle)))

    def person(self, person: Person) -> PersonView:
        """Somebody."""
        state = self._state
        names = [
            room.name if room.kind == RoomKind.DIRECT else f"#{room.name}"
            for room in state.rooms.values()
            if room.group and person.account in state.accounts(room)
        ]
        return PersonView(
            handle=person.handle,
            account=person.account.hex(),
            trust=self._directory.trust(person.account),
            blocked=person.blocked,
            online=self._online(person.account),
            devices=len(person.devices),
            rooms=tuple(sorted(names)),
        )

    def people(self) -> tuple[PersonView, ...]:
        """Everybody this client has met."""
        people = [p for p in self._state.people.values() if p.account != self._state.own_account]
        return tuple(sorted(map(self.person, people), key=lambda view: (view.handle, view.account)))

    def status(self) -> StatusView:
        """Where this client stands."""
        state, profile = self._state, self._state.profile
        rooms = [
            room for room in state.rooms.values() if room.phase in (Phase.JOINED, Phase.OUT) and not is_undecided(room)
        ]
        return StatusView(
            handle=profile.handle,
            account=state.own_account.hex(),
            fingerprint=short_fingerprint(state.own_account),
            device=profile.device_id.hex(),
            address=profile.address,
            connection=self._session.connection,
            queued=self._outbox.queued_lines(),
            rooms=len(rooms),
            unread=sum(room.unread for room in rooms),
            tls=self._session.tls if state.connected else "",
            profile="",
            version=__version__,
            reason=self._session.reason,
            recovery_due=profile.code_due,
        )

    def _online(self, account: bytes) -> bool:
        if account == self._state.own_account:
            return self._state.connected
        return account in self._state.online
