"""Welcomes, and the moment at which the log reaches a group that this device has entered."""

from collections.abc import Callable

from secure_chat.client.engine import spaces
from secure_chat.client.engine.commits import Commits, leaving_leaves
from secure_chat.client.engine.directory import Directory
from secure_chat.client.engine.entrances import group_prefix
from secure_chat.client.engine.epochs import Epochs
from secure_chat.client.engine.farewells import remember_leaf
from secure_chat.client.engine.founding import Founding, FoundingError, read_claim
from secure_chat.client.engine.history import History
from secure_chat.client.engine.keys import KeyPackages, ReplayedWelcome
from secure_chat.client.engine.leavers import sort_notes, staying
from secure_chat.client.engine.policy import (
    ChangeRefused,
    Roles,
    acts_as_admin,
    change_of,
    check_change,
    check_result,
    roles_of,
)
from secure_chat.client.engine.returning import Returning
from secure_chat.client.engine.spaces import Phase, Room
from secure_chat.client.engine.state import State
from secure_chat.client.events import Invited, RoomRemoved, SecurityKind
from secure_chat.client.views import InvitationView, RoomKind
from secure_chat.mls.errors import MLSError
from secure_chat.mls.group.group import Group
from secure_chat.mls.group.results import Member, StagedCommit
from secure_chat.mls.tree.leaf_node import LeafNodeSource
from secure_chat.wire.messages import Entry, EntryKind

__all__ = ["Arrivals"]

FOUNDING_EPOCH = 1
"""Of the group that a founding makes: one commit adds everybody."""


class Arrivals:
    """Takes this device into groups."""

    def __init__(
        self,
        state: State,
        keys: KeyPackages,
        directory: Directory,
        history: History,
        epochs: Epochs,
        commits: Commits,
        returning: Returning,
        decline: Callable[[Room], None],
        founded_anew: Callable[[Room], None],
    ) -> None:
        self._state = state
        self._keys = keys
        self._directory = directory
        self._history = history
        self._epochs = epochs
        self._commits = commits
        self._returning = returning
        self._decline = decline
        self._founded_anew = founded_anew

    def welcome(self, entry: Entry) -> Room | None:
        """A Welcome from the inbox: the group is entered, and begins where the log reaches its entry."""
        state = self._state
        if entry.origin is None:
            return None
        channel, seq = entry.origin
        room = state.rooms.get(channel)
        opener = self._keys.opener(entry.payload)
        if opener is None:
            if room is None or room.phase not in (Phase.JOINED, Phase.LEFT):
                text = "Somebody added this device to a room with keys that it no longer has; it asks to be added anew."
                self._history.notice_security(SecurityKind.UNDECRYPTABLE, text)
            return room
        self._keys.used(opener)
        try:
            group = Group.join(entry.payload, opener.bundle, opener.identity, state.authority)
            roles = roles_of(group.extensions)
            self._keys.require_first(opener, group.epoch_authenticator)
            room = self._accept(room, channel, group, roles, asked=opener.stored.asked)
        except (MLSError, ChangeRefused, ReplayedWelcome) as error:
            text = f"An invitation was not genuine and was ignored: {error}."
            self._history.notice_security(SecurityKind.BAD_ENTRY, text)
            return room
        if self._is_past(room, seq):
            return room
        if room.next:
            state.drop_group(room, room.next)
        room.next, room.next_at = state.adopt_group(room, group), seq
        remember_leaf(state, room, room.next)  # it may be left before the log has come that far
        room.next_keys_at, room.next_era = opener.stored.created, opener.stored.era
        room.next_asked = opener.stored.asked
        room.introducer = b"" if group.introducer is None else self._account(group.introducer)
        self._commits.overtaken(room)
        state.save(room)
        return room

    def _is_past(self, room: Room, seq: int) -> bool:
        """Whether the log has gone on from this entry by commits that can't be taken in any more.

        Who has left, and perhaps is on the way back, knows no head from before: up to where that was, all is past. Whom
        the relay has added again, it has told so before this.
        """
        if room.phase == Phase.LEFT:
            return True
        if room.phase in (Phase.NEW, Phase.ENTERING) and room.head < seq:
            return seq <= self._state.position(room.channel)
        return seq < room.head

    def _accept(self, room: Room | None, channel: bytes, group: Group, roles: Roles, *, asked: bool) -> Room:
        """Holds the group to what a room has to be."""
        state = self._state
        if not group.group_id.startswith(group_prefix(channel, roles.generation)):
            raise ChangeRefused("it is another room's")
        occupants = state.occupants(group)
        check_result(roles, [occupant.identity for occupant in occupants])
        if room is None:
            room = Room(spaces.FORMAT, channel, roles.kind, roles.name)
            if roles.kind == RoomKind.DIRECT:
                room.peer = next((account for account in roles.admins if account != state.own_account), b"")
        elif roles.kind != room.kind or (roles.generation < room.generation and not asked):
            # A restored relay counts from further back: what answers one's own request may have a lower number.
            raise ChangeRefused("it is for another kind of room, or an earlier group")
        elif room.kind == RoomKind.OPEN and roles.name != room.name:
            raise ChangeRefused("it is for another open room")
        if room.kind == RoomKind.DIRECT and not {room.peer, state.own_account} <= set(roles.admins):
            raise ChangeRefused("it is for a conversation with somebody else")
        return room

    def reach(self, room: Room, entry: Entry | None) -> bool:
        """The log has come to where the next group begins; False if nothing shows that it is the room's."""
        state = self._state
        group = state.group(room, room.next)
        if not self._is_the_rooms(room, group, entry):
            return False
        was_in = self._comes_back(room, group)
        was_out = room.phase == Phase.OUT
        uninvited = was_out and not was_in and not room.undecided
        refounded = bool(room.group) and roles_of(group.extensions).generation > room.generation
        entering = room.phase == Phase.ENTERING
        going_over = room.phase == Phase.JOINED and entry is not None and entry.kind is EntryKind.FOUNDING
        before = self._staying(room, entry) if going_over and entry is not None else []
        self._commits.lost(room)
        self.install(room, room.next_at, entry)
        self._epochs.fresh_keys(room, room.next_era, room.next_keys_at)
        if was_in or entering or room.kind == RoomKind.DIRECT:
            room.phase = Phase.JOINED
        else:
            room.phase = Phase.INVITED
        self._epochs.entered(room, rejoined=was_in)
        here = set(state.accounts(room))
        left = room.expected if room.kind == RoomKind.ROOM else [one for one in before if one not in here]
        self._returning.expect(room, left if going_over else [])
        self.returned(room, was_in, was_out, refounded, entry)
        if room.phase == Phase.INVITED:
            if uninvited:
                text = "You were no longer in this room, and are invited again."
                self._history.notice(room, "removed", text)
                state.emit(RoomRemoved(room.channel.hex(), room.name, text))
            self._invited(room, entry)
        return True

    def _staying(self, room: Room, founding: Entry) -> list[bytes]:
        """Accounts of the group that ends, without those whose devices the founding has removed."""
        roster = self._state.roster(room)
        entries = [] if roster is None else roster.entries
        return list(dict.fromkeys(entry.account for entry in entries if entry.device not in founding.removed))

    def _comes_back(self, room: Room, group: Group) -> bool:
        """Whether this device was in the room and is led back into it; else the person is asked.

        Who is out comes back by the answer of somebody who was in the room as this device knew it, or by a founding of
        one of its admins. A Welcome by keys that lay at the relay is an invitation: the device had been removed.
        """
        if room.phase == Phase.JOINED or room.kind != RoomKind.ROOM:
            return room.phase in (Phase.JOINED, Phase.OUT)
        if room.phase != Phase.OUT or room.undecided:
            return False
        roles = self._state.roles(room)
        if roles is not None and roles_of(group.extensions).generation > room.generation:
            return acts_as_admin(roles, staying(self._state, room), room.introducer)
        return room.next_asked and room.introducer in self._state.accounts(room)

    def install(self, room: Room, head: int, entry: Entry | None) -> None:
        """The next group is the room's group from this entry on."""
        state = self._state
        state.drop_group(room, room.group)
        room.group, room.next, room.next_at = room.next, 0, 0
        room.head = head
        before, room.generation = room.generation, roles_of(state.group(room).extensions).generation
        if before and before < room.generation:
            self._founded_anew(room)
        room.attempts = 0
        room.undecided = room.spent = False
        sort_notes(state, room)
        room.expected = self._expected(room, entry)
        room.out_author = b""
        state.cancel_timer("ladder", room.channel)
        state.save(room)

    def _expected(self, room: Room, entry: Entry | None) -> list[bytes]:
        """Whom the founder has taken along, but for those who are in the group."""
        state = self._state
        group = state.group(room)
        founder = group.member(0)
        if entry is None or entry.kind is not EntryKind.FOUNDING or founder is None:
            return []
        try:
            claim = read_claim(entry.payload, state.authority, room.channel)
        except FoundingError:
            return []
        if (claim.group_id, claim.founder.account_key) != (group.group_id, self._account(founder)):
            return []
        here = {occupant.account for occupant in state.occupants(group)}
        return [account for account in claim.accounts if account not in here]

    def founding(self, room: Room, entry: Entry) -> Founding | None:
        """What an admin, as this device knows the room, says of a group that begins without this device."""
        state = self._state
        roles = state.roles(room)
        try:
            claim = read_claim(entry.payload, state.authority, room.channel)
        except FoundingError:
            return None
        if roles is None or claim.generation <= room.generation:
            return None
        admin = acts_as_admin(roles, state.occupants(state.group(room)), claim.founder.account_key)
        return claim if admin else None

    def returned(self, room: Room, was_in: bool, was_out: bool, refounded: bool, entry: Entry | None) -> None:
        """Tells what coming back means."""
        time = 0 if entry is None else entry.time
        missing = "what was sent while it could not follow is missing here"
        if was_in and refounded:
            text = "The room was started anew: everybody has fresh keys. Compare the room code if you had verified it."
            if was_out:
                text += f" This device is back in it; {missing}."
            self._history.security(room, SecurityKind.RESTARTED, text, time=time)
        elif was_in and was_out:
            self._history.security(
                room, SecurityKind.REJOINED, f"This device is back in the room; {missing}.", time=time
            )

    def _is_the_rooms(self, room: Room, group: Group, entry: Entry | None) -> bool:
        """Whether a group may take the place of the one that this device is in, if it is in one.

        A founding has to be an admin's. Any other Welcome has to belong to a commit of this very group, which puts a
        new leaf in the place of this device's: a group that a stranger has made up is refused. Who is out has nothing
        left to compare with, and is told who let it in (`returned`).
        """
        founded = group.epoch == FOUNDING_EPOCH and roles_of(group.extensions).generation > room.generation
        if founded or (entry is not None and entry.kind is EntryKind.FOUNDING):
            return self._may_found(room, group)  # the group itself proves it, whatever is shown of its entry
        if not room.group or room.phase not in (Phase.JOINED, Phase.INVITED):
            return True
        state = self._state
        current, roles = state.group(room), state.roles(room)
        staged = None if entry is None or entry.kind is not EntryKind.COMMIT else current.receive(entry.payload)
        if not isinstance(staged, StagedCommit) or roles is None or staged.context != group.context:
            return False
        try:
            change = change_of(state.authority, staged, roles)
            check_change(change, current.group_id, roles, state.occupants(current), leaving_leaves(current))
        except ChangeRefused:
            return False
        return True

    def _account(self, member: Member) -> bytes:
        return self._state.authority.identify(member.credential).account_key

    def _may_found(self, room: Room, group: Group) -> bool:
        """An admin, or either side of a direct conversation; the founder's own path proves who it was."""
        state = self._state
        founder = group.member(0)
        if founder is None or founder.leaf.leaf_node_source is not LeafNodeSource.commit:
            return False
        account = state.authority.identify(founder.credential).account_key
        roles = state.roles(room)
        inside = bool(room.group) and room.phase in (Phase.JOINED, Phase.INVITED)
        if inside and roles_of(group.extensions).generation <= room.generation:
            return False  # no founding, whatever the relay calls it
        if room.kind == RoomKind.DIRECT or roles is None or not room.group:
            return True
        return acts_as_admin(roles, staying(state, room), account)

    def _invited(self, room: Room, entry: Entry | None) -> None:
        state = self._state
        room.inviter = room.introducer
        room.invited_at = state.now if entry is None else entry.time
        state.save(room)
        if self._directory.is_blocked(room.inviter):
            self._decline(room)
            return
        state.emit(Invited(self.invitation(room)))

    def invitation(self, room: Room) -> InvitationView:
        """What is told of an undecided invitation."""
        state = self._state
        people = [state.people[a].handle for a in state.accounts(room) if a != state.own_account]
        inviter = state.people.get(room.inviter)
        return InvitationView(
            room=room.channel.hex(),
            name=room.name,
            inviter="" if inviter is None else inviter.handle,
            trust=self._directory.trust(room.inviter),
            members=tuple(people),
            time=room.invited_at,
        )
