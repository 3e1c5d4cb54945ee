"""Commits of this device: wishes gathered, one commit at a time, stored before it is sent, resolved from the log.

The relay's answer decides nothing: only the entry at the next head does. If it is the own append, the pending commit
is merged; if it is another, the pending one can never be accepted and is discarded, and its wishes go into the next.
"""

from dataclasses import dataclass, field

import msgspec

from secure_chat.client.engine import spaces
from secure_chat.client.engine.changes import Draft, Wish
from secure_chat.client.engine.device import Device
from secure_chat.client.engine.epochs import Epochs
from secure_chat.client.engine.farewells import remember_leaf
from secure_chat.client.engine.freshness import are_due, are_outdated, hasten
from secure_chat.client.engine.leavers import known_notes, noted
from secure_chat.client.engine.policy import ChangeRefused, group_extensions
from secure_chat.client.engine.session import Session
from secure_chat.client.engine.spaces import Pending, PendingKind, Phase, Room
from secure_chat.client.engine.state import State
from secure_chat.client.engine.tasks import Promise
from secure_chat.client.engine.turns import Turns
from secure_chat.client.errors import CommandFailed
from secure_chat.client.events import FailureCode
from secure_chat.client.views import RoomKind
from secure_chat.errors import SecureChatError
from secure_chat.identity.certificate import Revocation, verify_revocation
from secure_chat.mls.errors import MLSError
from secure_chat.mls.group.group import Group
from secure_chat.mls.group.results import Pending as MadeCommit
from secure_chat.mls.messages.proposals import GroupContextExtensions, Remove
from secure_chat.wire.errors import ErrorCode, RelayError
from secure_chat.wire.limits import MAX_ADDS_PER_COMMIT
from secure_chat.wire.messages import (
    Append,
    Appended,
    ChannelChange,
    EntryKind,
    MemberDevice,
    ServerMessage,
    Welcome,
)

__all__ = ["Commits", "leaving_leaves"]

UNRESOLVED = 20_000
"""Milliseconds without the log's word on a sent commit after which the connection is made anew."""
RETRY = 30_000
"""Milliseconds until work that the relay has refused is tried again."""
MAX_ABANDONED = 8
"""Refused changes of one room that are remembered, in case the relay has stored one all the same."""

_LATER = {ErrorCode.RESERVED, ErrorCode.RATE_LIMITED, ErrorCode.BUSY, ErrorCode.DISK_FULL, ErrorCode.INTERNAL}
"""Refusals after which the same commit is sent again."""
_APPEND = msgspec.msgpack.Decoder(Append)


@dataclass(slots=True)
class _Work:
    """Of one room, in memory."""

    wishes: list[Wish]
    committing: list[Wish]
    """What the pending commit contains."""
    sent: bool = False
    """The pending append is on its way on this connection."""
    stored_at: int = 0
    """Where the relay says that the pending append stands, or what came first instead."""
    keys_not_before: int = 0
    idle: list[Promise[None]] = field(default_factory=list)
    """Kept once nothing is pending."""


class Commits:
    """Makes this device's commits."""

    def __init__(self, state: State, session: Session, device: Device, epochs: Epochs) -> None:
        self._state = state
        self._session = session
        self._device = device
        self._epochs = epochs
        self._turns = Turns(state)
        self._work: dict[bytes, _Work] = {}

    # -- what is wanted

    def wish(self, room: Room, wish: Wish) -> Promise[None]:
        """Into the next commit; the promise is kept once a commit with it stands in the log."""
        self._of(room).wishes.append(wish)
        self._state.poke(room)
        return wish.promise

    def request(self, room: Room, wish: Wish) -> None:
        """A device asks to be added: some member commits all that wait."""
        self._turns.ask(room, wish)

    def outcome(self, room: Room) -> Promise[None]:
        """Of the pending append: kept once the log has it, broken with the refusal."""
        wish = Wish()
        if room.channel in self._state.pending:
            self._of(room).committing.append(wish)
        else:
            wish.promise.keep(None)
        return wish.promise

    def idle(self, room: Room) -> Promise[None]:
        """Kept once nothing of this device's is pending in the room."""
        promise: Promise[None] = Promise()
        if room.channel in self._state.pending:
            self._of(room).idle.append(promise)
        else:
            promise.keep(None)
        return promise

    def clear_to_send(self, room: Room, *, fresh: bool) -> bool:
        """Whether an application message may be encrypted now; if not, the commit it waits for is made.

        `fresh` says whether it asks for keys that are due: receipts, which nobody has decided to send, don't.
        """
        state, work = self._state, self._of(room)
        if room.channel in state.pending:
            return False
        group = state.group(room)
        if not group.active:
            return False
        if group.proposals:
            # RFC 9420 §12.4: who has proposals commits them before sending anything else.
            self._turns.come(room)
            self.advance(room)
            return False
        outdated = are_outdated(state, room)
        if outdated and not fresh and state.now < room.keys_due:
            hasten(state, room)
            return False
        due = fresh and are_due(state, room, sending=True) and state.now >= work.keys_not_before
        if due or outdated:
            self._refresh(room)
            self.advance(room)
            return False
        return True

    def check_keys(self, room: Room) -> None:
        """Fresh keys in a room where nothing was sent for a week."""
        if are_due(self._state, room, sending=False):
            self._refresh(room)
            self._state.poke(room)

    def _refresh(self, room: Room) -> None:
        wishes = self._of(room).wishes
        if not any(wish.refresh for wish in wishes):
            wishes.append(Wish(refresh=True))

    # -- making and sending

    def advance(self, room: Room) -> None:
        """Sends the pending commit if it is not on its way, or makes the next one if something is wanted."""
        state, work = self._state, self._of(room)
        pending = state.pending.get(room.channel)
        if pending is not None:
            self._send(room, pending, work)
            return
        # Who has not decided on an invitation yet is in the tree all the same, and does what any member may.
        inside = room.phase in (Phase.JOINED, Phase.INVITED)
        if not inside or not state.is_live(room) or state.has_timer("commit_retry", room.channel):
            return
        group = state.group(room)
        if not group.active:
            return
        leaving = leaving_leaves(group) | noted(state, room, group)
        common = bool(leaving or self._turns.requests(room) or self._revoked(room))
        if self._turns.wait(room, leaving, work=common) or work.wishes:
            self._commit(room, group, work)

    def turn_has_come(self, room: Room) -> None:
        """Nobody before this device in line has done what any member may."""
        self._turns.come(room)
        self._state.poke(room)

    def _commit(self, room: Room, group: Group, work: _Work) -> None:
        state = self._state
        members = state.occupants(group)
        committer = next(o for o in members if o.leaf_index == group.own_leaf_index)
        roles = state.roles(room)
        assert roles is not None
        draft = Draft.start(group.group_id, committer, members, roles, leaving_leaves(group), known_notes(room))
        chosen: list[Wish] = []
        wishes, work.wishes = work.wishes, []
        self._turns.take(room)
        for revocation in self._revoked(room):
            draft = draft.with_revocation(revocation)
        base = draft
        wanted = [*wishes, *self._turns.requests(room)]
        if are_outdated(state, room):  # the rest is for a commit that can be encrypted
            work.wishes = [wish for wish in wishes if not wish.refresh]
            wanted = [wish for wish in wishes if wish.refresh] or [Wish(refresh=True)]
        for wish in wanted:
            if draft.adds and len(draft.adds) + len(wish.add) > MAX_ADDS_PER_COMMIT:
                if not wish.request:
                    work.wishes.append(wish)  # the next commit has room for it
                continue
            try:
                later = draft.with_wish(wish)
            except ChangeRefused as refusal:
                self._turns.settle(room, wish)
                wish.promise.fail(CommandFailed(FailureCode.NOT_ALLOWED, str(refusal)))
                continue
            if later == draft and not wish.refresh:
                self._turns.settle(room, wish)
                wish.promise.keep(None)  # it is so already
                continue
            draft = later
            chosen.append(wish)
        if draft.empty:
            return
        try:
            made = self._make(room, group, draft, chosen)
        except MLSError:
            draft, chosen = self._possible(room, group, base, chosen)
            if draft.empty:
                return
            try:
                made = self._make(room, group, draft, chosen)
            except MLSError:
                work.wishes += [wish for wish in chosen if not wish.request]
                state.set_timer("commit_retry", room.channel, state.now + RETRY)
                return
        work.committing = chosen
        pending = self.pending(PendingKind.COMMIT, room, room.head, made.commit, made.welcome, made.group_info, draft)
        state.save_pending(room, pending)
        remember_leaf(state, room)
        self._send(room, pending, work)

    def _possible(self, room: Room, group: Group, base: Draft, chosen: list[Wish]) -> tuple[Draft, list[Wish]]:
        """Something that is wanted can't be, such as a key package that fits nowhere: the rest goes on without it."""
        draft, kept = base, list[Wish]()
        for wish in chosen:
            try:
                later = draft.with_wish(wish)
                self._make(room, group, later, [*kept, wish])
            except (MLSError, ChangeRefused) as error:
                self._turns.settle(room, wish)
                wish.promise.fail(CommandFailed(FailureCode.REFUSED, f"this change is not possible: {error}"))
            else:
                group.discard_pending()
                draft = later
                kept.append(wish)
        return draft, kept

    def _make(self, room: Room, group: Group, draft: Draft, chosen: list[Wish]) -> MadeCommit:
        """The commit; MLSError if it would not be valid."""
        state = self._state
        # A path is for one's own fresh keys: whoever only lets others in sends none (RFC 9420 §12.4).
        with_path = any(not wish.request for wish in chosen) or are_due(state, room, sending=False)
        current = draft.committer.identity
        renewed = self._device.certificate.serial > current.serial
        asked = {leaf: reference for reference, leaf in _own_removes(group)}
        roles_changed = draft.roles != draft.before
        return group.commit(
            add=[newcomer.package for newcomer in draft.adds],
            remove=sorted(draft.removes - asked.keys()),
            proposals=[GroupContextExtensions(group_extensions(draft.roles))] if roles_changed else [],
            by_reference=list(asked.values()),
            identity=self._device.leaf(group.suite) if renewed else None,
            force_path=with_path,
            group_info=room.kind == RoomKind.OPEN,
            public=are_outdated(state, room),
            now=state.now // 1000,
            authenticated_data=draft.evidence.encode(),
        )

    def pending(
        self,
        kind: PendingKind,
        room: Room,
        head: int,
        payload: bytes,
        welcome: bytes | None,
        group_info: bytes | None,
        draft: Draft | None = None,
        change: ChannelChange | None = None,
    ) -> Pending:
        """An append that moves the head, with its own counter, ready to be stored and sent."""
        counter = self._state.next_append()
        added: tuple[bytes, ...] = ()
        if draft is not None:
            change = self._channel_change(room, draft)
            added = tuple(newcomer.identity.device_id for newcomer in draft.adds)
        elif change is not None:
            added = tuple(m.device for m in change.add if m.device != self._state.profile.device_id)
        append = Append(
            0,
            room.channel,
            counter,
            EntryKind.FOUNDING if kind is PendingKind.FOUNDING else EntryKind.COMMIT,
            head,
            payload,
            change,
            (Welcome(welcome, added),) if welcome is not None and added else (),
            group_info if room.kind == RoomKind.OPEN else None,
        )
        era = self._state.profile.era
        return Pending(spaces.FORMAT, kind, counter, head, msgspec.msgpack.encode(append), era)

    def _channel_change(self, room: Room, draft: Draft) -> ChannelChange:
        """What the relay has to know, in terms of its own rules: only admins remove others or change rights."""
        admin = draft.by_admin
        own = self._state.own_account
        devices = {o.device: o.account for o in draft.members}
        remove = tuple(d for d in sorted(draft.gone_devices) if admin or devices[d] == own)
        before, after = draft.before, draft.roles
        rights = room.kind != RoomKind.DIRECT and admin
        invite = after.members_may_invite if rights and room.kind == RoomKind.ROOM else None
        return ChannelChange(
            add=tuple(MemberDevice(n.identity.device_id, n.identity.account_key) for n in draft.adds),
            remove=remove,
            admins=after.admins if rights and after.admins != before.admins else None,
            members_may_add=invite if after.members_may_invite != before.members_may_invite else None,
            banned=after.banned if rights and after.banned != before.banned else None,
        )

    def _send(self, room: Room, pending: Pending, work: _Work) -> None:
        state = self._state
        live = state.is_live(room) or (self._session.entered and pending.kind != PendingKind.COMMIT)
        if work.sent or not live or state.has_timer("commit_retry", room.channel):
            return
        work.sent = True
        state.reset_timer("unresolved", room.channel, state.now + UNRESOLVED)
        promise = self._session.request(_APPEND.decode(pending.frame))
        promise.when_settled(lambda: self._answered(room, pending.counter, promise))

    def _answered(self, room: Room, counter: int, promise: Promise[ServerMessage]) -> None:
        state, work = self._state, self._of(room)
        pending = state.pending.get(room.channel)
        if pending is None or pending.counter != counter:
            return
        try:
            answer = promise.result()
            work.stored_at = answer.seq if isinstance(answer, Appended) else 0
        except RelayError as error:
            outside = pending.kind != PendingKind.COMMIT
            if error.code in _LATER or (error.code is ErrorCode.QUOTA and 0 < error.retry_after <= RETRY):
                work.sent = False
                state.set_timer("commit_retry", room.channel, state.now + (error.retry_after or RETRY))
            elif error.code is not ErrorCode.CONFLICT or outside:
                self.abandon(room, error)
            else:
                # The log tells what came first: until then nothing is decided.
                work.stored_at = error.head
        except SecureChatError:
            work.sent = False

    def is_beyond(self, room: Room) -> bool:
        """Whether the log has passed the place where, as the relay says, the pending append was decided."""
        work = self._of(room)
        return room.channel in self._state.pending and 0 < work.stored_at <= self._state.position(room.channel)

    # -- what the log says

    def is_own(self, room: Room, store: bytes, counter: int) -> bool:
        """Whether an entry is the pending append."""
        pending = self._state.pending.get(room.channel)
        return pending is not None and store == self._state.profile.store and counter == pending.counter

    def was_abandoned(self, room: Room, store: bytes, counter: int) -> bool:
        """Whether an entry is an append that was given up lately, since the relay had refused it."""
        return store == self._state.profile.store and counter in room.abandoned

    def won(self, room: Room) -> None:
        """The pending append stands in the log; the caller has merged it."""
        work = self._of(room)
        committed, work.committing = work.committing, []
        self._done(room, work)
        self.merged(room, self._state.profile.device_id)
        for wish in committed:
            self._turns.settle(room, wish)
            wish.promise.keep(None)
        self._state.poke(room)

    def merged(self, room: Room, committer: bytes) -> None:
        """A commit by this device stands in the log and has led the room into another epoch."""
        group = self._state.group(room)
        self._turns.committed(room, committer, leaving_leaves(group) | noted(self._state, room, group))

    def lost(self, room: Room) -> None:
        """Another entry took the head: the pending commit, if any, can never be accepted."""
        work = self._of(room)
        pending = self._state.pending.get(room.channel)
        if pending is not None and pending.kind == PendingKind.COMMIT:
            self._state.group(room).discard_pending()
            work.wishes = [wish for wish in work.committing if not wish.request] + work.wishes
            work.committing = []
            self._done(room, work)
        self._state.poke(room)

    def overtaken(self, room: Room) -> None:
        """A Welcome leads into the room: the own founding or external commit is given up."""
        work = self._of(room)
        pending = self._state.pending.get(room.channel)
        if pending is not None and pending.kind != PendingKind.COMMIT:
            committing, work.committing = work.committing, []
            self._done(room, work)
            for wish in committing:
                wish.promise.keep(None)

    def abandon(self, room: Room, error: SecureChatError) -> None:
        """A definite refusal: the append is not and will not be in the log."""
        state, work = self._state, self._of(room)
        pending = state.pending.get(room.channel)
        failed, work.committing = work.committing, []
        if pending is not None:
            room.abandoned = [*room.abandoned, pending.counter][-MAX_ABANDONED:]
            if pending.kind == PendingKind.COMMIT:
                state.group(room).discard_pending()
            elif room.next:
                state.drop_group(room, room.next)
                room.next = room.next_at = 0
            state.save(room)
        self._done(room, work)
        work.keys_not_before = state.now + RETRY
        pause = RETRY if are_outdated(state, room) else 1_000  # nothing can be sent without it: asked for again
        state.set_timer("commit_retry", room.channel, state.now + pause)
        for wish in failed:
            self._turns.settle(room, wish)
            wish.promise.fail(CommandFailed(FailureCode.REFUSED, f"the relay refused the change: {error}"))
        state.poke(room)

    def forget(self, room: Room, reason: str) -> None:
        """The room is no longer this device's: nothing of what was wanted will happen."""
        work = self._work.pop(room.channel, None)
        self._state.save_pending(room, None)
        self._turns.forget(room)
        for purpose in ("commit_retry", "unresolved"):
            self._state.cancel_timer(purpose, room.channel)
        if work is not None:
            for promise in work.idle:
                promise.keep(None)
            for wish in [*work.committing, *work.wishes]:
                wish.promise.fail(CommandFailed(FailureCode.NOT_ALLOWED, reason))

    def disconnected(self) -> None:
        """What is on its way has an unknown outcome; what was not sent yet fails."""
        self._turns.disconnected()
        for work in self._work.values():
            work.sent = False
            waiting, work.wishes = work.wishes, []
            idle, work.idle = work.idle, []
            for promise in [*idle, *(wish.promise for wish in waiting)]:
                promise.fail(CommandFailed(FailureCode.OFFLINE, "the connection was lost: nothing was changed"))

    def _done(self, room: Room, work: _Work) -> None:
        work.sent = False
        work.stored_at = 0
        self._state.save_pending(room, None)
        idle, work.idle = work.idle, []
        for promise in idle:
            promise.keep(None)
        self._state.cancel_timer("unresolved", room.channel)
        self._state.cancel_timer("commit_retry", room.channel)

    def _revoked(self, room: Room) -> list[Revocation]:
        """Revocations of members that have withdrawn devices with a leaf here."""
        state = self._state
        roster = state.roster(room)
        if roster is None:
            return []
        accounts = {
            entry.account
            for entry in roster.entries
            if (person := state.people.get(entry.account)) is not None and entry.serial < person.minimum_serial
        }
        return [verify_revocation(state.people[account].revocation) for account in sorted(accounts)]

    def _of(self, room: Room) -> _Work:
        work = self._work.get(room.channel)
        if work is None:
            work = self._work[room.channel] = _Work([], [])
        return work


def leaving_leaves(group: Group) -> frozenset[int]:
    """The leaves whose holders have proposed their own Remove in this epoch."""
    return frozenset(leaf for _, leaf in _own_removes(group))


def _own_removes(group: Group) -> list[tuple[bytes, int]]:
    """Reference and leaf of each proposal by which a member asks for its own removal."""
    return [
        (p.reference, p.proposal.removed)
        for p in group.proposals
        if isinstance(p.proposal, Remove) and p.sender is not None and p.sender.leaf_index == p.proposal.removed
    ]
