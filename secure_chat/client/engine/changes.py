"""What is to change in a room, gathered into one commit.

A wish names accounts, devices and rights rather than leaves, so that it can be put into a commit again and again:
against each new state of the room it is worked out anew, until a commit with it stands in the log.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import msgspec

from secure_chat.client.engine.evidence import MAX_STATEMENTS, NO_EVIDENCE, Evidence, LeaveNote, noted_by
from secure_chat.client.engine.occupants import Occupant
from secure_chat.client.engine.policy import Change, ChangeRefused, Roles, acts_as_admin, check_change
from secure_chat.client.engine.tasks import Promise
from secure_chat.client.views import RoomKind
from secure_chat.identity.certificate import Revocation
from secure_chat.identity.credential import Identity
from secure_chat.mls.messages.key_package import KeyPackage
from secure_chat.wire.limits import MAX_ADDS_PER_COMMIT

__all__ = ["Draft", "Newcomer", "Wish"]


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A device to add, by a key package that was checked."""

    package: KeyPackage
    identity: Identity


@dataclass(slots=True)
class Wish:
    """What somebody wants to be different."""

    add: tuple[Newcomer, ...] = ()
    remove: frozenset[bytes] = frozenset()
    """Accounts."""
    promote: frozenset[bytes] = frozenset()
    demote: frozenset[bytes] = frozenset()
    ban: frozenset[bytes] = frozenset()
    unban: frozenset[bytes] = frozenset()
    name: str | None = None
    members_may_invite: bool | None = None
    refresh: bool = False
    """Nothing but fresh keys of one's own."""
    request: bytes = b""
    """Set for a device's own request to be added: its device id."""
    expected: bool = False
    """Set for a request of somebody whom the group's founder has taken along, and who has no leaf yet."""
    promise: Promise[None] = field(default_factory=Promise)


@dataclass(frozen=True, slots=True)
class Draft:
    """A commit in the making, against one state of the room."""

    group_id: bytes
    committer: Occupant
    members: tuple[Occupant, ...]
    before: Roles
    proposed: frozenset[int]
    """Leaves whose holders have proposed their own Remove in this epoch."""
    roles: Roles
    adds: tuple[Newcomer, ...] = ()
    removes: frozenset[int] = frozenset()
    evidence: Evidence = NO_EVIDENCE
    refresh: bool = False

    @classmethod
    def start(
        cls,
        group_id: bytes,
        committer: Occupant,
        members: Iterable[Occupant],
        roles: Roles,
        proposed: frozenset[int],
        notes: Iterable[LeaveNote],
    ) -> "Draft":
        """Nothing but what has to be: whoever asked to leave is removed."""
        members = tuple(members)
        useful = dict(list(noted_by(notes, group_id, members).items())[:MAX_STATEMENTS])
        removes = proposed | useful.keys()
        return cls(
            group_id,
            committer,
            members,
            roles,
            proposed,
            roles,
            removes=removes - {committer.leaf_index},
            evidence=Evidence(notes=tuple(useful.values())),
        )

    @property
    def empty(self) -> bool:
        """Whether there is nothing to commit."""
        return not (self.adds or self.removes or self.refresh) and self.roles == self.before

    def with_wish(self, wish: Wish) -> "Draft":
        """The draft with a wish in it; ChangeRefused if that would not be allowed. What is so already adds nothing."""
        admins = [account for account in self.roles.admins if account not in wish.demote]
        admins += sorted(wish.promote - set(admins))
        if not admins:
            raise ChangeRefused("the last admin stays one: make somebody else an admin first")
        banned = tuple(sorted((set(self.roles.banned) | wish.ban) - wish.unban))
        roles = msgspec.structs.replace(
            self.roles,
            admins=tuple(admins),
            banned=banned,
            name=self.roles.name if wish.name is None else wish.name,
            members_may_invite=(
                self.roles.members_may_invite if wish.members_may_invite is None else wish.members_may_invite
            ),
        )
        gone = wish.remove | wish.ban
        removes = {o.leaf_index for o in self.members if o.account in gone}
        adds = list(self.adds)
        for newcomer in wish.add:
            if (
                wish.request
                and not wish.expected
                and self.before.kind == RoomKind.ROOM
                and newcomer.identity.account_key not in self._staying
            ):
                raise ChangeRefused("a closed room needs an invitation: only its members' devices come back by asking")
            same = [o for o in self.members if o.device == newcomer.identity.device_id]
            same = [o for o in same if o.account == newcomer.identity.account_key]
            if any(o.identity.serial >= newcomer.identity.serial for o in same if o.leaf_index not in self.removes):
                if wish.request:
                    raise ChangeRefused("a request that was answered before")
                continue
            if any(other.identity.device_id == newcomer.identity.device_id for other in adds):
                continue
            removes |= {o.leaf_index for o in same}
            adds.append(newcomer)
        if len(adds) > MAX_ADDS_PER_COMMIT:
            raise ChangeRefused(f"more than {MAX_ADDS_PER_COMMIT} devices at once")
        if self.committer.leaf_index in removes:
            raise ChangeRefused("leave the room instead of removing yourself")
        draft = replace(
            self,
            roles=roles,
            adds=tuple(adds),
            removes=self.removes | removes,
            refresh=self.refresh or wish.refresh,
        )
        draft.check()
        return draft

    def with_revocation(self, revocation: Revocation) -> "Draft":
        """The draft that also removes an account's withdrawn devices."""
        if len(self.evidence.revocations) == MAX_STATEMENTS:
            return self  # the next commit has room for it
        account, minimum = revocation.account_key, revocation.minimum_serial
        removes = {o.leaf_index for o in self.members if o.account == account and o.identity.serial < minimum}
        removes -= {self.committer.leaf_index}
        evidence = msgspec.structs.replace(self.evidence, revocations=(*self.evidence.revocations, revocation.encode()))
        draft = replace(self, removes=self.removes | removes, evidence=evidence)
        draft.check()
        return draft

    def check(self) -> None:
        """Holds the draft to the rules that everybody will hold the commit to."""
        change = Change(
            committer=self.committer.identity,
            external=False,
            adds=tuple(newcomer.identity for newcomer in self.adds),
            removes=tuple(o for o in self.members if o.leaf_index in self.removes),
            roles=self.roles,
            evidence=self.evidence,
        )
        check_change(change, self.group_id, self.before, self.members, self.proposed)

    @property
    def _staying(self) -> set[bytes]:
        """Accounts that have a leaf before and after."""
        return {o.account for o in self.members if o.leaf_index not in self.removes}

    @property
    def gone_devices(self) -> set[bytes]:
        """Devices that have no leaf any more afterwards."""
        coming = {newcomer.identity.device_id for newcomer in self.adds}
        staying = {o.device for o in self.members if o.leaf_index not in self.removes}
        return {o.device for o in self.members if o.leaf_index in self.removes} - coming - staying

    @property
    def by_admin(self) -> bool:
        """Whether the committer acts as an admin."""
        return acts_as_admin(self.before, self.members, self.committer.account)
