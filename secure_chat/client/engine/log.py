"""The log of a room, entry by entry: what each does here, and what waits until it can be understood.

A position is advanced, and acknowledged, only past what has been taken in. While this device waits for a Welcome,
entries are held in memory, since which group they belong to is not known yet; a new connection delivers them again.
"""

from collections.abc import Callable

from secure_chat.client.engine.arrivals import Arrivals
from secure_chat.client.engine.commits import Commits, leaving_leaves
from secure_chat.client.engine.company import Company
from secure_chat.client.engine.confirmed import Confirmed
from secure_chat.client.engine.epochs import Epochs
from secure_chat.client.engine.farewells import Farewells
from secure_chat.client.engine.held import Held
from secure_chat.client.engine.history import History
from secure_chat.client.engine.integrity import Integrity
from secure_chat.client.engine.joining import WELCOME_WAIT, Joining
from secure_chat.client.engine.leavers import noted, overhear
from secure_chat.client.engine.messages import Messages
from secure_chat.client.engine.occupants import own_leaf_key
from secure_chat.client.engine.outbox import Outbox
from secure_chat.client.engine.policy import ChangeRefused, change_of, check_change
from secure_chat.client.engine.recovery import lose
from secure_chat.client.engine.session import Session
from secure_chat.client.engine.spaces import Pending, PendingKind, Phase, Room
from secure_chat.client.engine.state import State
from secure_chat.client.engine.statements import Statements, is_farewell
from secure_chat.client.events import SecurityKind
from secure_chat.client.views import RoomKind
from secure_chat.identity import certificate as certificates
from secure_chat.identity.credential import Identity
from secure_chat.mls.errors import WrongEpochError
from secure_chat.mls.group.results import Application, Out, ReceivedProposal, Skipped, StagedCommit
from secure_chat.mls.messages.proposals import Remove
from secure_chat.wire.errors import ErrorCode, RelayError
from secure_chat.wire.messages import Entry, EntryKind

__all__ = ["RoomLog"]

_INSIDE = (Phase.JOINED, Phase.INVITED)
"""In a group that goes on."""


class RoomLog:
    """Takes in entries."""

    def __init__(
        self,
        state: State,
        session: Session,
        history: History,
        integrity: Integrity,
        epochs: Epochs,
        outbox: Outbox,
        commits: Commits,
        joining: Joining,
        arrivals: Arrivals,
        farewells: Farewells,
        messages: Messages,
        confirmed: Confirmed,
        statements: Statements,
        removed: Callable[[Room, bytes], None],
        replaced: Callable[[Room], None],
    ) -> None:
        self._state = state
        self._session = session
        self._history = history
        self._integrity = integrity
        self._epochs = epochs
        self._outbox = outbox
        self._commits = commits
        self._joining = joining
        self._arrivals = arrivals
        self._farewells = farewells
        self._messages = messages
        self._confirmed = confirmed
        self._statements = statements
        self._removed = removed
        self._replaced = replaced
        self._company = Company(state)
        self._held = Held()

    # -- what arrives

    def welcome(self, entry: Entry) -> None:
        """An entry of the inbox."""
        state = self._state
        if entry.seq <= state.position(entry.channel):
            return
        # Whatever the relay calls it: nothing else comes there.
        room = None if self._farewells.welcome(entry) else self._arrivals.welcome(entry)
        state.advance(entry.channel, entry.seq)
        self._session.acknowledge(entry.channel)
        if room is not None:
            if state.position(room.channel) >= room.next_at > 0:
                self._reach(room, None)  # the log has passed where it begins
            self._release(room)
            state.poke(room)

    def entry(self, room: Room, entry: Entry) -> None:
        """An entry of a room."""
        state = self._state
        if entry.store == state.profile.store and entry.counter > state.append_counter:
            self._session.rolled_back()  # of this store's own future, whatever the relay said at login
            return
        held = self._held.of(room.channel)
        last = held[-1].seq if held else state.position(room.channel)
        if entry.seq <= last:
            if room.phase != Phase.ENTERING:  # an external commit brings what came since the one before, known or not
                text = "The relay delivered something a second time or too late; it was dropped."
                self._history.security(room, SecurityKind.REPLAY, text)
            return
        own = self._commits.is_own(room, entry.store, entry.counter)
        if own and held:
            self._take_all(room, everything=True)  # the own entry leads to another group: nothing better will come
        if not own and self._must_hold(room, entry):
            self._hold(room, entry)
            return
        self._take(room, entry)

    def disconnected(self) -> None:
        """What was held is delivered again."""
        self._held.clear()
        self._state.overheard.clear()

    def caught_up(self, room: Room) -> None:
        """Everything that waited at the relay has come."""
        if not self._held.of(room.channel):
            self._confirmed.caught_up(room)

    def waits(self, room: Room) -> bool:
        """Whether entries are held until a Welcome has come."""
        return bool(self._held.of(room.channel))

    def give_up_waiting(self, room: Room) -> None:
        """The Welcome that held entries were kept for has not come."""
        if self._held.of(room.channel) and room.phase in _INSIDE:
            self._take_all(room)

    def nothing_follows(self, room: Room) -> None:
        """The relay delivers no more of the room: what is held is all there is to know."""
        self._take_all(room, everything=True)

    def own_entry_missing(self, room: Room) -> None:
        """The relay has stored the own pending append, and its entry was not delivered where it stands."""
        pending = self._state.pending.get(room.channel)
        if pending is not None and pending.kind != PendingKind.COMMIT:
            self._commits.abandon(room, RelayError(ErrorCode.INTERNAL, "the entry was not delivered"))
        else:
            self._left_behind(room, self._state.now)

    def passed_by(self, room: Room, first: int) -> None:
        """The relay's log begins at this entry: one at which a group was to begin may never come any more."""
        if 0 < room.next_at < first:
            self._reach(room, None)

    def look_around(self, room: Room) -> None:
        """Nobody has been heard here since others were found to be elsewhere."""
        if self._company.gone(room):
            self._left_behind(room, self._state.now)

    def behind(self, room: Room) -> None:
        """Others have named a change that does not come. An open room may have been entered in the past: anew."""
        if self._integrity.behind(room) and room.kind == RoomKind.OPEN and self._company.may_leave(room):
            self._left_behind(room, self._state.now)

    def _must_hold(self, room: Room, entry: Entry) -> bool:
        if self._held.of(room.channel):
            return True
        if room.next and room.next_at:
            return False
        if room.phase in (Phase.NEW, Phase.ENTERING, Phase.OUT):
            return True
        # The group is started anew: its Welcome decides whether, and for whom.
        return entry.kind is EntryKind.FOUNDING and room.phase in (Phase.JOINED, Phase.INVITED)

    def _hold(self, room: Room, entry: Entry) -> None:
        if is_farewell(entry):
            overhear(self._state, room, entry.payload)
        else:
            self._joining.overhear(room, entry)
        for oldest in self._held.add(entry):
            self._take(room, oldest)
        if entry.kind is EntryKind.FOUNDING:
            self._state.set_timer("welcome", room.channel, self._state.now + WELCOME_WAIT)

    def _release(self, room: Room) -> None:
        """A Welcome has come: what was held is taken in."""
        if room.next and room.next_at:
            self._take_all(room)

    def _take_all(self, room: Room, *, everything: bool = False) -> None:
        held = self._held.take(room.channel)
        while held:
            entry = held.popleft()
            self._take(room, entry)
            if held and not everything and self._must_hold(room, held[0]):
                self._held.put_back(room.channel, held)
                return
        self._state.overheard.pop(room.channel, None)

    # -- what it does

    def _take(self, room: Room, entry: Entry) -> None:
        state = self._state
        if room.next and room.next_at and entry.seq > room.next_at:
            self._reach(room, None)
        if entry.kind is EntryKind.FOUNDING and entry.head != room.head and room.phase in _INSIDE:
            self._wrong_head(room, entry)  # it begins where this device has not been: a restored relay lost changes
        if entry.kind is EntryKind.FOUNDING and room.foundings:
            room.foundings += 1
        if room.next and entry.seq == room.next_at and self._reach(room, entry):
            pass
        elif self._commits.is_own(room, entry.store, entry.counter):
            self._head(room, entry)  # whatever the relay calls it
        elif entry.kind is EntryKind.APPLICATION:
            self._application(room, entry)
        elif entry.kind in (EntryKind.COMMIT, EntryKind.FOUNDING):
            self._head(room, entry)
        elif entry.kind is EntryKind.PROPOSAL:
            self._proposal(room, entry)
        elif is_farewell(entry) or (entry.kind is EntryKind.MEMBERS and entry.payload):
            if bad := self._statements.take(room, entry):
                self._bad_entry(room, entry, bad)
        elif entry.kind is EntryKind.REQUEST:
            self._joining.on_request(room, entry)
        if entry.added and room.phase != Phase.LEFT:
            self._check_listed(room, entry)
        state.advance(room.channel, entry.seq)
        self._session.acknowledge(room.channel)
        self._confirmed.passed(room, entry.store, entry.counter, entry.seq)

    def _application(self, room: Room, entry: Entry) -> None:
        state = self._state
        own = entry.sender == state.profile.device_id
        if own and entry.store == state.profile.store:
            self._outbox.own_entry(room, entry.counter, entry.time)
        if not room.group:
            return
        # Whose it is says its signature, not the relay: what is not readable here and labelled as one's own, is.
        result = state.group(room).receive(entry.payload)
        if own and not isinstance(result, Application):
            return
        if isinstance(result, Application):
            if result.current:
                self._company.heard(room, state.authority.identify(result.sender.credential).account_key)
            self._messages.take(room, entry, result)
        elif isinstance(result, Skipped):
            if room.phase != Phase.OUT:
                self._messages.unreadable(room, entry, result.reason)
                self._missed(room, entry, result)
        elif room.phase != Phase.OUT:
            self._bad_entry(room, entry, "a commit or proposal that was labelled as a message")

    def _proposal(self, room: Room, entry: Entry) -> None:
        state = self._state
        # Who is leaving needs others' proposals to follow the commit that lets both go.
        if not room.group or room.phase not in (Phase.JOINED, Phase.INVITED, Phase.LEAVING):
            return
        group = state.group(room)
        result = group.receive(entry.payload)
        if entry.sender == state.profile.device_id and not isinstance(result, ReceivedProposal):
            return
        if not isinstance(result, ReceivedProposal):
            if not isinstance(result, Skipped):
                self._bad_entry(room, entry, "something else labelled as a proposal")
            elif not isinstance(result.reason, WrongEpochError) or result.reason.ahead:
                # One that came too late ended with its epoch; the leave note that follows holds.
                self._messages.unreadable(room, entry, result.reason)
                self._missed(room, entry, result)
            return
        sender = result.sender
        if sender is None or not isinstance(result.proposal, Remove) or result.proposal.removed != sender.leaf_index:
            group.drop_proposal(result.reference)
            self._bad_entry(room, entry, "a proposal of a kind that rooms don't use")
            return
        state.poke(room)

    def _head(self, room: Room, entry: Entry) -> None:
        """A commit or founding: what moves the head."""
        own = self._commits.is_own(room, entry.store, entry.counter)
        pending = self._state.pending.get(room.channel) if own else None
        if pending is not None and pending.kind != PendingKind.COMMIT:
            self._own_arrival(room, entry, pending)
        elif entry.kind is EntryKind.FOUNDING:
            self._foreign_founding(room, entry)
        elif not room.group or room.phase in (Phase.OUT, Phase.LEFT):
            room.head = entry.seq
        elif entry.head != room.head:
            self._wrong_head(room, entry)
        elif pending is not None:
            self._own_commit(room, entry, pending)
        else:
            self._foreign_commit(room, entry)
        self._state.save(room)

    def _own_arrival(self, room: Room, entry: Entry, pending: Pending) -> None:
        state = self._state
        founding = pending.kind == PendingKind.FOUNDING
        state.group(room, room.next).merge_pending()
        was_in = bool(room.group) and room.phase in (Phase.JOINED, Phase.OUT)
        was_out = room.phase == Phase.OUT
        self._arrivals.install(room, entry.seq, entry)
        leaving = room.phase == Phase.LEAVING
        room.phase = Phase.LEAVING if leaving else Phase.JOINED
        self._epochs.entered(room, rejoined=was_in)
        self._epochs.fresh_keys(room, pending.era)
        self._commits.won(room)
        if leaving:
            return  # by this very leaf
        if not was_in and room.kind != RoomKind.DIRECT:
            verb = "created the room" if founding else "joined"
            name = state.profile.handle
            self._history.notice(
                room, "created" if founding else "joined", f"{name} {verb}", state.own_account, entry.time
            )
        self._arrivals.returned(room, was_in, was_out, founding and was_in, entry)

    def _own_commit(self, room: Room, entry: Entry, pending: Pending) -> None:
        state = self._state
        group = state.group(room)
        left = self._leaving_accounts(room)
        keys = own_leaf_key(group)
        group.merge_pending()
        room.head = entry.seq
        self._epochs.merged(room, committer=state.own_account, left=left, time=entry.time)
        if own_leaf_key(group) != keys:  # else it only let others in
            self._epochs.fresh_keys(room, pending.era)
        self._commits.won(room)

    def _foreign_commit(self, room: Room, entry: Entry) -> None:
        state = self._state
        group = state.group(room)
        roles = state.roles(room)
        assert roles is not None
        result = group.receive(entry.payload)
        if isinstance(result, StagedCommit):
            left = self._leaving_accounts(room)
            committer = state.authority.identify(result.committer.credential)
            try:
                change = change_of(state.authority, result, roles)
                check_change(change, group.group_id, roles, state.occupants(group), leaving_leaves(group))
            except ChangeRefused as refusal:
                room.head = entry.seq
                self._commits.lost(room)
                text = f"A change of the room was refused: {refusal}."
                self._history.security(
                    room, SecurityKind.COMMIT_REFUSED, text, handle=committer.handle, time=entry.time
                )
                return
            newcomers = (*change.adds, change.committer) if change.external else change.adds
            group.merge(result)
            room.head = entry.seq
            self._commits.lost(room)
            if result.removes_self:
                self._out_of_the_tree(room, committer.account_key, newcomers)
                return
            self._statements.learn(change.evidence)
            self._epochs.merged(room, committer=committer.account_key, left=left, time=entry.time)
            self._commits.merged(room, committer.device_id)
            self._company.heard(room, committer.account_key)
        elif isinstance(result, Out):
            self._poisoned(room, entry, result)
        else:
            room.head = entry.seq
            self._commits.lost(room)
            if self._commits.was_abandoned(room, entry.store, entry.counter):
                self._left_behind(room, entry.time)  # refused, and stored all the same: the others have gone on by it
            elif not (isinstance(result, Skipped) and self._missed(room, entry, result)):
                self._bad_entry(room, entry, "a commit that nobody can apply")

    def _out_of_the_tree(self, room: Room, committer: bytes, newcomers: tuple[Identity, ...]) -> None:
        """A commit has removed this device's leaf: for good, or because the device comes back as another leaf."""
        profile = self._state.profile
        own = (self._state.own_account, profile.device_id)
        keys = [n.device_key for n in newcomers if (n.account_key, n.device_id) == own]
        if not keys:
            self._removed(room, committer)
        elif keys[0] == certificates.verify(profile.certificate).device_key:
            lose(self._state, room, invited=room.phase == Phase.INVITED)  # its Welcome is on the way
        else:
            self._replaced(room)

    def _poisoned(self, room: Room, entry: Entry, result: Out) -> None:
        state = self._state
        author = None if result.author is None else state.authority.identify(result.author.credential)
        handle = "somebody" if author is None else author.handle
        room.out_author = b"" if author is None else author.account_key
        self._commits.lost(room)
        room.head = entry.seq
        if room.phase != Phase.LEAVING:
            text = f"A change made by {handle} locked this device out of the room; it asks to be added again."
            self._history.security(room, SecurityKind.POISONED, text, handle=handle, time=entry.time)
        lose(state, room, invited=room.phase == Phase.INVITED)

    def _wrong_head(self, room: Room, entry: Entry) -> None:
        """A commit that does not build on what this device has seen.

        Either commits are missing, or the relay lost some (a restored backup) or broke its own rule: in all cases
        this device and others may be in different groups.
        """
        room.head = entry.seq
        self._left_behind(room, entry.time)

    def _left_behind(self, room: Room, time: int) -> None:
        self._commits.lost(room)
        if room.phase != Phase.LEAVING:
            text = "Changes of the room have not reached this device; it asks to be added again."
            self._history.security(room, SecurityKind.GAP, text, time=time)
        lose(self._state, room, invited=room.phase == Phase.INVITED)

    def _missed(self, room: Room, entry: Entry, skipped: Skipped) -> bool:
        """Weighs what could not be read; True if this device has lost the room and says so."""
        if not self._company.missed(room, entry, skipped.reason):
            return False
        self._left_behind(room, entry.time)
        return True

    def _foreign_founding(self, room: Room, entry: Entry) -> None:
        """The group was started anew, and no Welcome for this device has come."""
        state = self._state
        room.head = entry.seq
        if room.phase not in (Phase.JOINED, Phase.INVITED):
            return
        self._commits.lost(room)
        founding = self._arrivals.founding(room, entry)
        if founding is not None and founding.leaves_out(state.own_account):
            self._removed(room, founding.founder.account_key)
            return
        by = "" if founding is None else f" by {founding.founder.handle}"
        text = f"The room was started anew{by} without this device; it asks to be added."
        self._history.security(room, SecurityKind.RESTARTED, text, time=entry.time)
        lose(state, room, invited=room.phase == Phase.INVITED)

    def _reach(self, room: Room, entry: Entry | None) -> bool:
        """The next group begins, unless this device leaves, or nothing shows that the room's members agreed to it."""
        leaving = room.phase == Phase.LEAVING
        if not leaving and self._arrivals.reach(room, entry):
            return True
        state = self._state
        state.drop_group(room, room.next)
        room.next = room.next_at = 0
        state.save(room)
        if leaving:
            return False  # the notes name the leaf that it has there
        if entry is not None and entry.kind is EntryKind.FOUNDING:
            room.head = entry.seq
            text = "Somebody without the right to tried to start the room anew; that was ignored here."
            self._history.security(room, SecurityKind.COMMIT_REFUSED, text, time=entry.time)
            return True
        text = "Somebody tried to lead this device into another group under this room's name; that was ignored."
        self._history.security(room, SecurityKind.BAD_ENTRY, text)
        return False

    def _leaving_accounts(self, room: Room) -> dict[bytes, bool]:
        """Accounts that leave, and whether that has been told: it was when the note came."""
        state = self._state
        group, roster = state.group(room), state.roster(room)
        told = noted(state, room, group)
        leaves = leaving_leaves(group) | told
        entries = () if roster is None else roster.entries
        return {e.account: e.leaf_index in told for e in entries if e.leaf_index in leaves}

    def _bad_entry(self, room: Room, entry: Entry, what: str) -> None:
        roster = self._state.roster(room)
        member = next((e for e in roster.entries if e.device == entry.sender), None) if roster is not None else None
        handle = "" if member is None else member.handle
        who = f" from {handle}" if handle else ""
        text = f"An entry{who} was ignored: {what}."
        self._history.security(room, SecurityKind.BAD_ENTRY, text, handle=handle, time=entry.time)

    def _check_listed(self, room: Room, entry: Entry) -> None:
        """Whom the relay added to its list must have a leaf in the tree."""
        state = self._state
        roster = state.roster(room)
        if roster is None or not room.group or room.phase not in (Phase.JOINED, Phase.INVITED):
            return
        leaves = {e.device for e in roster.entries}
        for member in entry.added:
            if member.device in leaves or member.device in entry.removed:
                continue
            person = state.people.get(member.account)
            who = "an unknown account" if person is None else person.handle
            text = f"The relay delivers this room to a device of {who} that is not a member; it can read nothing."
            self._history.security(room, SecurityKind.GHOST, text, handle=who if person else "", time=entry.time)
            state.set_timer("repair", room.channel, state.now + state.jitter(1_000, 5_000))
