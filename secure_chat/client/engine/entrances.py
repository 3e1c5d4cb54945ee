"""The three ways into a group that are this device's to take: founding it, asking for it, an external commit."""

from secure_chat.client.engine.changes import Newcomer
from secure_chat.client.engine.claiming import claim
from secure_chat.client.engine.commits import Commits
from secure_chat.client.engine.device import SUITE_CLASSICAL, SUITE_HYBRID, Device
from secure_chat.client.engine.directory import Directory
from secure_chat.client.engine.farewells import remember_leaf, remember_request
from secure_chat.client.engine.founding import make_claim
from secure_chat.client.engine.history import History
from secure_chat.client.engine.integrity import Integrity
from secure_chat.client.engine.keys import KeyPackages
from secure_chat.client.engine.leavers import staying
from secure_chat.client.engine.policy import Roles, acts_as_admin, check_result, group_extensions, roles_of
from secure_chat.client.engine.requests import RequestError, make_request
from secure_chat.client.engine.session import Session
from secure_chat.client.engine.spaces import PendingKind, Phase, Room
from secure_chat.client.engine.state import State
from secure_chat.client.engine.tasks import Task
from secure_chat.client.errors import CommandFailed
from secure_chat.client.events import FailureCode, SecurityKind
from secure_chat.client.views import RoomKind
from secure_chat.identity.credential import Identity
from secure_chat.mls.credential.extensions import find_extension
from secure_chat.mls.crypto.suite import SUITES
from secure_chat.mls.group.group import Group
from secure_chat.mls.messages.envelope import MLSMessage
from secure_chat.mls.messages.welcome import GroupInfo
from secure_chat.mls.registry import ExtensionType
from secure_chat.mls.tree.ratchet_tree import RatchetTree
from secure_chat.wire.limits import CLAIM_BATCH, MAX_ADDS_PER_COMMIT
from secure_chat.wire.messages import (
    Append,
    Appended,
    ChannelChange,
    ChannelInfo,
    EntryKind,
    GetGroupInfo,
    GroupInfoResult,
    MemberDevice,
)

__all__ = ["Entrances", "group_prefix"]

MAX_FOUNDED = MAX_ADDS_PER_COMMIT - 1
"""Devices that a founding adds: the founder's own is added to the relay's list, too."""
GROUP_ID_RANDOM = 8
"""Bytes: two foundings of one generation, as after a relay's restore, are different groups."""


def group_prefix(channel: bytes, generation: int) -> bytes:
    """How the MLS group id of a room's group begins: bound to its channel and founding; the rest is random."""
    return channel + generation.to_bytes(8, "big")


class Entrances:
    """Takes a step into a room; whether it led in, the log tells."""

    def __init__(
        self,
        state: State,
        session: Session,
        device: Device,
        keys: KeyPackages,
        directory: Directory,
        history: History,
        commits: Commits,
        integrity: Integrity,
    ) -> None:
        self._state = state
        self._session = session
        self._device = device
        self._keys = keys
        self._directory = directory
        self._history = history
        self._commits = commits
        self._integrity = integrity

    def claim(self, suite: int, accounts: list[bytes]) -> Task[tuple[Newcomer, ...]]:
        """A key package of every device of these accounts, checked."""
        return claim(self._state, self._session, self._directory, self._history, suite, accounts)

    def found(
        self, room: Room, info: ChannelInfo, without: set[bytes], suite: int, *, alone: bool = False
    ) -> Task[None]:
        """A new group in the channel, with everybody whose key packages can be had; `alone`: nobody else is left.

        Those whom one commit does not hold follow (`returning.py`), and who has no key package there asks.
        """
        state = self._state
        own = state.own_account
        roles = state.roles(room)
        accounts = [] if alone else [account for account in self._members(room) if account not in without]
        if room.kind == RoomKind.DIRECT:
            accounts = [room.peer]
        elif roles is not None:
            accounts = [account for account in accounts if account not in roles.banned]
        admins = () if roles is None else roles.admins
        accounts.sort(key=lambda account: account not in admins)
        newcomers = yield from self.claim(suite, [own, *accounts[:CLAIM_BATCH]])
        newcomers = newcomers[:MAX_FOUNDED]
        added = {newcomer.identity.account_key for newcomer in newcomers}
        if room.kind == RoomKind.DIRECT and not any(n.identity.account_key == room.peer for n in newcomers):
            raise CommandFailed(FailureCode.REFUSED, f"{room.name} has no device that could be written to")
        if room.channel in state.pending or room.next:
            return
        self._require_right(room)
        generation = info.summary.generation + 1
        founding = Roles(
            version=1,
            kind=room.kind,
            generation=generation,
            name="" if room.kind == RoomKind.DIRECT else room.name,
            admins=self._admins(room, roles, newcomers, without),
            members_may_invite=room.invite_policy if roles is None else roles.members_may_invite,
            banned=() if roles is None else roles.banned,
        )
        group = Group.create(
            SUITES[suite],
            group_prefix(room.channel, generation) + state.random.randbytes(GROUP_ID_RANDOM),
            self._device.leaf(SUITES[suite]),
            self._device.lifetime(),
            state.authority,
            group_extensions(founding),
        )
        made = group.commit(
            add=[newcomer.package for newcomer in newcomers],
            group_info=room.kind == RoomKind.OPEN,
            now=state.now // 1000,
        )
        room.next, room.next_at = state.adopt_group(room, group), 0
        remember_leaf(state, room, room.next)
        room.returning = [account for account in accounts if account not in {own, *added}]
        change = self._founding_change(room, info, founding, newcomers, accounts)
        payload = make_claim(
            self._device.key,
            self._device.credential().identity,
            room.channel,
            generation,
            group.group_id,
            () if room.kind == RoomKind.OPEN else {own, *accounts},
            without,
        )
        pending = self._commits.pending(
            PendingKind.FOUNDING, room, info.summary.head, payload, made.welcome, made.group_info, change=change
        )
        state.save_pending(room, pending)
        state.save(room)
        state.poke(room)

    def _require_right(self, room: Room) -> None:
        """Who let somebody in meanwhile may have lost it: where no admin is left, the lowest leaf acts as one."""
        roles = self._state.roles(room)
        if room.phase != Phase.JOINED or roles is None or room.kind == RoomKind.DIRECT:
            return
        if not acts_as_admin(roles, staying(self._state, room), self._state.own_account):
            raise CommandFailed(FailureCode.NOT_ALLOWED, "only an admin of the room may do that")

    def _members(self, room: Room) -> list[bytes]:
        """Whoever is in the room and has not said to leave."""
        if not room.group:
            return self._state.accounts(room)
        return list(dict.fromkeys(occupant.account for occupant in staying(self._state, room)))

    def _admins(
        self, room: Room, roles: Roles | None, newcomers: tuple[Newcomer, ...], without: set[bytes]
    ) -> tuple[bytes, ...]:
        own = self._state.own_account
        if room.kind == RoomKind.DIRECT:
            return tuple(sorted((own, room.peer)))
        if roles is None:
            return (own,)
        present = {newcomer.identity.account_key for newcomer in newcomers} | {own}
        kept = tuple(account for account in roles.admins if account in present and account not in without)
        return kept if own in kept else (*kept, own)

    def _founding_change(
        self, room: Room, info: ChannelInfo, roles: Roles, newcomers: tuple[Newcomer, ...], accounts: list[bytes]
    ) -> ChannelChange:
        """Who belongs to the room stays on the relay's list, so that a device can ask that has no key package there."""
        state = self._state
        own = MemberDevice(state.profile.device_id, state.own_account)
        inside = {own.device, *(newcomer.identity.device_id for newcomer in newcomers)}
        admin = room.kind != RoomKind.DIRECT and state.own_account in info.admins
        closed = room.kind == RoomKind.ROOM
        return ChannelChange(
            add=(own, *(MemberDevice(n.identity.device_id, n.identity.account_key) for n in newcomers)),
            remove=tuple(
                member.device
                for member in info.devices
                if admin and member.device not in inside and member.account not in accounts
            ),
            admins=roles.admins if admin and roles.admins != info.admins else None,
            members_may_add=(
                roles.members_may_invite
                if admin and closed and roles.members_may_invite != info.members_may_add
                else None
            ),
        )

    def request(self, room: Room, info: ChannelInfo) -> Task[None]:
        """Posts a signed request with fresh key packages."""
        state = self._state
        self._renew_above_old_leaf(room)
        suites = (room.suite,) if room.suite and room.group else (SUITE_CLASSICAL, SUITE_HYBRID)
        bundles = [self._keys.make(suite, asked=True) for suite in suites]
        for suite, bundle in zip(suites, bundles, strict=True):
            remember_request(state, room, self._device.leaf(SUITES[suite]).signature_key, [bundle])
        packages = tuple(bundle.key_package.message() for bundle in bundles)
        payload = make_request(self._device.key, room.channel, info.summary.generation, state.now, packages)
        append = Append(0, room.channel, state.next_append(), EntryKind.REQUEST, 0, payload)
        yield from self._session.ask(append, Appended)

    def _renew_above_old_leaf(self, room: Room) -> None:
        """A rejoin needs a serial above that of the leaf it replaces; a repeated request above the last one's."""
        state = self._state
        roster = state.roster(room)
        old = [entry.serial for entry in roster.entries if entry.device == state.profile.device_id] if roster else []
        if (old and max(old) >= self._device.certificate.serial) or room.attempts > 2:
            self._device.renew(fresh_key=True)

    def external(self, room: Room, info: ChannelInfo, *, last_resort: bool) -> Task[None]:
        """RFC 9420 §12.4.3.2, with the GroupInfo that the last committer left at the relay.

        An earlier state than this device has seen is refused, and as a last resort entered with a warning.
        """
        state = self._state
        answer = yield from self._session.ask(GetGroupInfo(0, room.channel), GroupInfoResult)
        if room.channel in state.pending or room.next or room.phase == Phase.JOINED:
            return
        body = MLSMessage.decode(answer.payload).body
        if not isinstance(body, GroupInfo):
            raise RequestError("the relay's GroupInfo is none")
        context = body.group_context
        roles = roles_of(context.extensions)
        prefix = group_prefix(room.channel, roles.generation)
        if (roles.kind, roles.name) != (RoomKind.OPEN, room.name) or not context.group_id.startswith(prefix):
            raise RequestError("the relay's GroupInfo is another room's")
        if roles.generation < info.summary.generation:
            raise RequestError("the relay's GroupInfo is of an earlier founding")
        past = self._integrity.is_past(room, roles.generation, context.epoch, context.encode())
        if past and not last_resort:
            text = "The relay offers only an earlier state of this room than this device has seen; it is not entered."
            self._history.security(room, SecurityKind.SET_BACK, text)
            yield from self.request(room, info)  # whoever knows the room as it is will answer
            return
        suite = SUITES.get(context.cipher_suite)
        data = find_extension(body.extensions, ExtensionType.ratchet_tree)
        if suite is None or data is None:
            raise RequestError("the relay's GroupInfo can't be used")
        others: list[Identity] = []
        old: int | None = None
        for index, leaf in RatchetTree.decode(suite, data).leaves():
            identity = state.authority.identify(leaf.credential)
            if (identity.account_key, identity.device_id) == (state.own_account, state.profile.device_id):
                old = index
                if identity.serial >= self._device.certificate.serial:
                    self._device.renew(fresh_key=True)
            else:
                others.append(identity)
        leaf_identity = self._device.leaf(suite)
        if past:
            self._warn_of_the_past(room, others)
        check_result(roles, [*others, state.authority.identify(leaf_identity.credential)])
        group, made = Group.join_external(answer.payload, leaf_identity, state.authority, remove=old)
        room.next, room.next_at = state.adopt_group(room, group), 0
        remember_leaf(state, room, room.next)
        own = MemberDevice(state.profile.device_id, state.own_account)
        pending = self._commits.pending(
            PendingKind.EXTERNAL,
            room,
            answer.head,
            made.commit,
            None,
            made.group_info,
            change=ChannelChange(add=(own,)),
        )
        state.save_pending(room, pending)
        state.save(room)
        state.poke(room)

    def _warn_of_the_past(self, room: Room, others: list[Identity]) -> None:
        """Nobody has answered, and the relay has nothing newer: who was removed since is in the room again."""
        known = set(self._state.accounts(room))
        again = sorted({other.handle for other in others if known and other.account_key not in known})
        text = "Nobody answers and the relay has only an earlier state of this room: what was changed since is undone."
        if again:
            text += f" Who had gone can read here again: {', '.join(again)}."
        self._history.security(room, SecurityKind.ROOM_SPLIT, text)
