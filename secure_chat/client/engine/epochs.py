"""What follows when a room enters another epoch: members, roles, notices, codes, chains."""

from collections.abc import Callable, Mapping

from secure_chat.client.engine.directory import Directory
from secure_chat.client.engine.farewells import remember_leaf
from secure_chat.client.engine.freshness import DAY, WEEK
from secure_chat.client.engine.history import History
from secure_chat.client.engine.integrity import Integrity
from secure_chat.client.engine.leavers import sort_notes
from secure_chat.client.engine.own_chain import forget_changed
from secure_chat.client.engine.policy import Roles
from secure_chat.client.engine.receipts import Receipts
from secure_chat.client.engine.spaces import Phase, Room, Roster
from secure_chat.client.engine.state import State
from secure_chat.client.views import RoomKind

__all__ = ["Epochs"]


class Epochs:
    """Applies the consequences of merged commits and of entered groups."""

    def __init__(
        self,
        state: State,
        directory: Directory,
        history: History,
        integrity: Integrity,
        receipts: Receipts,
        start_chain: Callable[[Room, bytes], None],
    ) -> None:
        self._state = state
        self._directory = directory
        self._history = history
        self._integrity = integrity
        self._receipts = receipts
        self._start_chain = start_chain

    def fresh_keys(self, room: Room, era: int, at: int | None = None) -> None:
        """The own keys in the room are fresh, made in this era; due again in about a week, at a random time."""
        state = self._state
        room.keys_at = state.now if at is None else at
        room.era = era
        room.keys_due = state.now + WEEK - state.jitter(0, DAY)
        room.sent_since_keys = 0
        remember_leaf(state, room)
        state.save(room)

    def entered(self, room: Room, *, rejoined: bool) -> None:
        """The room's current group is one that this device has just entered."""
        state = self._state
        if not rejoined:
            self._integrity.forget(room)
        before = state.roster(room)
        group = state.group(room)
        invited = before.invited if before is not None and rejoined else set[bytes]()
        roster = state.read_roster(room, invited)
        forget_changed(room, before, roster)
        room.suite = group.suite.number
        room.entered_generation, room.entered_epoch = room.generation, group.epoch
        roles = state.roles(room)
        assert roles is not None
        room.name = roles.name or room.name
        for occupant in state.occupants(group):
            self._directory.observe(occupant.identity, room)
        self._integrity.trim_codes(room)
        self._integrity.record_epoch(room)
        own = next(o for o in state.occupants(group) if o.leaf_index == group.own_leaf_index)
        if room.chain_key != own.identity.device_key:
            self._receipts.start_chain(room)
        self._start_chain(room, own.identity.device_key)
        present = {entry.account for entry in roster.entries}
        # Who was here before is owed what was sent since, whether anything was ever acknowledged or not.
        known = set[bytes]() if before is None else {entry.account for entry in before.entries}
        for account in present - {state.own_account} - known:
            self._receipts.joined(room, account)
        for account in room.acknowledged.keys() - present - known:
            self._receipts.left(room, account)
        for account in known - present:
            # Who starts an open room anew leaves out nobody: the others ask, and come later.
            (self._receipts.missed if room.kind == RoomKind.OPEN else self._receipts.left)(room, account)
        state.show(room)
        state.poke(room)

    def merged(self, room: Room, *, committer: bytes, left: Mapping[bytes, bool], time: int) -> None:
        """A commit has been merged; `left` are accounts that had asked to leave, and whether that was told."""
        state = self._state
        before, roles_before = state.roster(room), state.roles(room)
        assert before is not None
        assert roles_before is not None
        group = state.group(room)
        roster = state.read_roster(room, before.invited)
        forget_changed(room, before, roster)
        roles = state.roles(room)
        assert roles is not None
        room.name = roles.name or room.name
        removed = self._members(room, before, roster, roles, committer, left, time)
        self._roles(room, roles_before, roles, committer, removed, time)
        self._integrity.record_epoch(room)
        own = next(entry for entry in roster.entries if entry.leaf_index == group.own_leaf_index)
        if room.chain_key != own.key:
            self._receipts.start_chain(room)
        self._start_chain(room, own.key)
        room.expected = [account for account in room.expected if account not in state.accounts(room)]
        self._receipts.review(room)
        for account in sort_notes(state, room):
            if sum(entry.account == account for entry in roster.entries) == 1:
                self._tell(room, "left", f"{self._name(account)} left", account, time)
        state.save(room)
        state.show(room)
        state.poke(room)

    def _members(
        self,
        room: Room,
        before: Roster,
        after: Roster,
        roles: Roles,
        committer: bytes,
        left: Mapping[bytes, bool],
        time: int,
    ) -> set[bytes]:
        """Notices about who came and went; the accounts that went."""
        state = self._state
        known = {(entry.leaf_index, entry.key, entry.serial) for entry in before.entries}
        for occupant in state.occupants(state.group(room)):
            identity = occupant.identity
            if (occupant.leaf_index, identity.device_key, identity.serial) not in known:
                self._directory.observe(identity, room)
                self._integrity.expect(room, identity)
        old = dict.fromkeys(entry.account for entry in before.entries)
        new = dict.fromkeys(entry.account for entry in after.entries)
        for account in new:
            if account in old:
                continue
            self._receipts.joined(room, account)
            if account in room.returning:
                self._tell(room, "joined", f"{self._name(account)} is back", account, time)
            elif roles.kind == RoomKind.ROOM and account != committer:
                after.invited.add(account)
                self._tell(room, "invited", f"{self._name(committer)} invited {self._name(account)}", account, time)
            elif roles.kind != RoomKind.DIRECT:
                self._tell(room, "joined", f"{self._name(account)} joined", account, time)
        for account in old:
            if account in new:
                continue
            self._receipts.left(room, account)
            name = self._name(account)
            if account in left:
                if not left[account]:
                    declined = account in before.invited
                    words = f"{name} declined the invitation" if declined else f"{name} left"
                    self._tell(room, "declined" if declined else "left", words, account, time)
                continue
            text = f"{name} was banned by" if account in roles.banned else f"{name} was removed by"
            detail = "banned" if account in roles.banned else "removed"
            self._tell(room, detail, f"{text} {self._name(committer)}", account, time)
        state.save_roster(room, after)
        return set(old) - set(new)

    def _roles(self, room: Room, before: Roles, after: Roles, committer: bytes, removed: set[bytes], time: int) -> None:
        if before == after:
            return
        actor = self._name(committer)
        for account in after.admins:
            if account not in before.admins:
                self._tell(room, "promoted", f"{actor} made {self._name(account)} an admin", account, time)
        for account in before.admins:
            if account not in after.admins:
                name = self._name(account)
                text = f"{name} is no admin any more" if account == committer else f"{actor} took {name}'s admin right"
                self._tell(room, "demoted", text, account, time)
        for account in before.banned:
            if account not in after.banned:
                self._tell(room, "unbanned", f"{actor} lets {self._name(account)} in again", account, time)
        for account in after.banned:
            if account not in before.banned and account not in removed:
                self._tell(room, "banned", f"{actor} banned {self._name(account)}", account, time)
        if after.name != before.name:
            self._tell(room, "renamed", f"{actor} renamed the room to {after.name}", committer, time)
        if after.members_may_invite != before.members_may_invite:
            who = "everybody" if after.members_may_invite else "only admins"
            self._tell(room, "policy", f"{actor} decided that {who} may invite", committer, time)

    def _tell(self, room: Room, detail: str, text: str, account: bytes, time: int) -> None:
        if room.phase in (Phase.JOINED, Phase.INVITED, Phase.OUT):
            self._history.notice(room, detail, text, account, time)

    def _name(self, account: bytes) -> str:
        if account == self._state.own_account:
            return self._state.profile.handle
        person = self._state.people.get(account)
        return "somebody" if person is None else person.handle
