"""Who may do what in a room: the signed roles in the GroupContext, and the rules that every commit is held to.

Whether a commit is valid depends on the group's state and the commit's bytes alone, never on a clock, a pin or a
setting, so that all honest members apply or skip the same commits. The relay has no say: what it lists as admins only
steers delivery.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from secure_chat.client.engine.evidence import NO_EVIDENCE, Evidence, EvidenceError, noted_leaves
from secure_chat.client.engine.occupants import Occupant
from secure_chat.client.views import RoomKind
from secure_chat.errors import SecureChatError
from secure_chat.identity.credential import Identity, require_successor, verify_credential
from secure_chat.identity.errors import IdentityError
from secure_chat.mls.credential.credential import BasicCredential, Credential
from secure_chat.mls.credential.extensions import Extension, RequiredCapabilities, find_extension
from secure_chat.mls.errors import ValidationError
from secure_chat.mls.group.results import Member, StagedCommit
from secure_chat.mls.messages.proposals import Add, ExternalInit, GroupContextExtensions, Remove
from secure_chat.mls.registry import CredentialType, ExtensionType

__all__ = [
    "MAX_ADMINS",
    "MAX_BANNED",
    "MAX_LEAVES_PER_ACCOUNT",
    "MAX_ROOM_NAME",
    "ROLES_EXTENSION",
    "Authority",
    "Change",
    "ChangeRefused",
    "Roles",
    "acts_as_admin",
    "change_of",
    "check_change",
    "check_result",
    "group_extensions",
    "occupant_of",
    "roles_of",
]

ROLES_VERSION = 1
ROLES_EXTENSION = 0xF5C1
"""Extension type (§17.3, private use) of `Roles` in the GroupContext."""
MAX_LEAVES_PER_ACCOUNT = 10
"""A person's computers; more is a sign of abuse and costs every member a leaf."""
MAX_ROOM_NAME = 64
MAX_ADMINS = 64
MAX_BANNED = 1_000
"""The ban list travels with every Welcome."""
KNOWN_IDENTITIES = 4_096
"""Verified credentials remembered: several large rooms; verifying one costs two signatures."""

_Account = Annotated[bytes, Meta(min_length=32, max_length=32)]


class ChangeRefused(SecureChatError):
    """A commit that its author had no right to make; the message says what was attempted."""


class Roles(Struct, frozen=True, array_like=True):
    """The room as its members have signed it."""

    version: int
    kind: str
    """`RoomKind`."""
    generation: int
    """Number of foundings of this room's channel."""
    name: Annotated[str, Meta(max_length=MAX_ROOM_NAME)]
    admins: Annotated[tuple[_Account, ...], Meta(min_length=1, max_length=MAX_ADMINS)]
    """Account keys; in a direct conversation both people."""
    members_may_invite: bool = False
    banned: Annotated[tuple[_Account, ...], Meta(max_length=MAX_BANNED)] = ()

    def encode(self) -> bytes:
        """As the extension carries it."""
        return msgspec.msgpack.encode(self)


_ROLES = msgspec.msgpack.Decoder(Roles)
_REQUIRED = RequiredCapabilities((ROLES_EXTENSION,), (), (CredentialType.basic,)).extension()


def group_extensions(roles: Roles) -> tuple[Extension, ...]:
    """The GroupContext extensions of a room with these roles."""
    return (_REQUIRED, Extension(ROLES_EXTENSION, roles.encode()))


def roles_of(extensions: Iterable[Extension]) -> Roles:
    """The roles in a GroupContext; ChangeRefused if there are none, or anything besides them."""
    extensions = tuple(extensions)
    data = find_extension(extensions, ROLES_EXTENSION)
    if data is None or {e.extension_type for e in extensions} != {ROLES_EXTENSION, ExtensionType.required_capabilities}:
        raise ChangeRefused("the group's extensions are not those of a room")
    if find_extension(extensions, ExtensionType.required_capabilities) != _REQUIRED.extension_data:
        raise ChangeRefused("the group's required capabilities are not those of a room")
    try:
        roles = _ROLES.decode(data)
        RoomKind(roles.kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
        raise ChangeRefused("the room's roles are malformed") from None
    if roles.version != ROLES_VERSION:
        raise ChangeRefused(f"roles of version {roles.version} are not known here")
    return roles


class Authority:
    """The MLS credential policy: certificate and directory binding under the pinned directory key."""

    def __init__(self, directory_key: bytes) -> None:
        self.directory_key = directory_key
        self._known: dict[bytes, Identity] = {}

    def identify(self, credential: Credential) -> Identity:
        """Who a credential is; ValidationError unless both signatures hold."""
        if not isinstance(credential, BasicCredential):
            raise ValidationError("only basic credentials are used here")
        identity = self._known.get(credential.identity)
        if identity is None:
            try:
                identity = verify_credential(credential.identity, self.directory_key)
            except IdentityError as error:
                raise ValidationError(str(error)) from None
            if len(self._known) >= KNOWN_IDENTITIES:
                self._known.clear()
            self._known[credential.identity] = identity
        return identity

    def validate(self, credential: Credential, signature_key: bytes) -> None:
        """RFC 9420 §5.3.1: the leaf's key is the certified device key."""
        if self.identify(credential).device_key != signature_key:
            raise ValidationError("the leaf's signature key is not the certified device key")

    def validate_successor(self, old: Credential, new: Credential) -> None:
        """Handle and account never change in a leaf, and its certificate never becomes older."""
        try:
            require_successor(self.identify(old), self.identify(new))
        except IdentityError as error:
            raise ValidationError(str(error)) from None

    def validate_external_sender(self, credential: Credential, signature_key: bytes) -> None:
        """Nobody outside a room may propose."""
        raise ValidationError("rooms have no external senders")


@dataclass(frozen=True, slots=True)
class Change:
    """What a commit would do, whoever's it is."""

    committer: Identity
    external: bool
    adds: tuple[Identity, ...]
    """An external committer is not among them."""
    removes: tuple[Occupant, ...]
    roles: Roles
    """After the commit."""
    evidence: Evidence = NO_EVIDENCE
    """In the commit's authenticated data: reasons to remove somebody."""


def change_of(authority: Authority, staged: StagedCommit, before: Roles) -> Change:
    """The change that a commit of somebody's makes; ChangeRefused for what no room allows at all."""
    try:
        evidence = Evidence.decode(staged.authenticated_data)
    except EvidenceError as error:
        raise ChangeRefused(str(error)) from None
    if not all(isinstance(p, Add | Remove | GroupContextExtensions | ExternalInit) for p in staged.proposals):
        raise ChangeRefused("the commit has a kind of proposal that rooms don't use")
    if any(update.before.leaf_index != staged.committer.leaf_index for update in staged.updates):
        raise ChangeRefused("the commit changes another member's leaf")
    return Change(
        committer=authority.identify(staged.committer.credential),
        external=staged.external,
        adds=tuple(authority.identify(member.credential) for member in staged.adds),
        removes=tuple(occupant_of(authority, member) for member in staged.removes),
        roles=before if staged.extensions is None else roles_of(staged.extensions),
        evidence=evidence,
    )


def occupant_of(authority: Authority, member: Member) -> Occupant:
    """A member of an MLS group and who that is."""
    return Occupant(member.leaf_index, authority.identify(member.credential), member.leaf.encryption_key)


def acts_as_admin(roles: Roles, members: Iterable[Occupant], account: bytes) -> bool:
    """Admins; where no admin has a leaf, whoever holds the lowest one."""
    members = tuple(members)
    if account in roles.admins:
        return True
    if any(member.account in roles.admins for member in members):
        return False
    return bool(members) and min(members, key=lambda member: member.leaf_index).account == account


def check_change(
    change: Change, group_id: bytes, roles: Roles, members: Iterable[Occupant], leaving: frozenset[int]
) -> None:
    """Raises ChangeRefused unless the committer may make this change.

    `roles` and `members` are the group's before the commit; `leaving` names the leaves whose holders have proposed
    their own Remove in this epoch.
    """
    members = tuple(members)
    if change.external:
        _check_external(change, roles, members)
    else:
        admin = acts_as_admin(roles, members, change.committer.account_key)
        _check_adds(change, roles, members, admin)
        _check_removes(change, roles, admin, leaving | noted_leaves(change.evidence.notes, group_id, members))
        _check_roles(change, roles, members, admin)
    gone = {occupant.leaf_index for occupant in change.removes}
    after = [occupant.identity for occupant in members if occupant.leaf_index not in gone]
    after += [*change.adds, change.committer] if change.external else change.adds
    check_result(change.roles, after)


def _check_external(change: Change, roles: Roles, members: tuple[Occupant, ...]) -> None:
    newcomer = change.committer
    if roles.kind != RoomKind.OPEN:
        raise ChangeRefused(f"{newcomer.handle} tried to enter a closed room without an invitation")
    if change.adds or change.roles != roles:
        raise ChangeRefused(f"{newcomer.handle} tried to change the room while entering")
    for occupant in change.removes:
        if not _replaces(newcomer, occupant):
            raise ChangeRefused(f"{newcomer.handle} tried to remove {occupant.identity.handle} while entering")


def _check_adds(change: Change, roles: Roles, members: tuple[Occupant, ...], admin: bool) -> None:
    accounts = {occupant.account for occupant in members}
    may_invite = {
        RoomKind.OPEN: True,
        RoomKind.ROOM: admin or roles.members_may_invite,
        RoomKind.DIRECT: False,
    }[RoomKind(roles.kind)]
    for newcomer in change.adds:
        if newcomer.account_key in accounts or may_invite:
            continue
        if roles.kind == RoomKind.DIRECT and newcomer.account_key in roles.admins:
            continue
        raise ChangeRefused(f"{change.committer.handle} tried to add {newcomer.handle} without the right to")


def _check_removes(change: Change, roles: Roles, admin: bool, leaving: frozenset[int]) -> None:
    try:
        minimum = change.evidence.withdrawn()
    except EvidenceError as error:
        raise ChangeRefused(str(error)) from None
    for occupant in change.removes:
        if occupant.leaf_index in leaving or occupant.account == change.committer.account_key:
            continue
        if any(_replaces(newcomer, occupant) for newcomer in change.adds):
            continue
        if occupant.identity.serial < minimum.get(occupant.account, 0):
            continue
        if admin and roles.kind != RoomKind.DIRECT:
            continue
        raise ChangeRefused(
            f"{change.committer.handle} tried to remove {occupant.identity.handle} without the right to"
        )


def _check_roles(change: Change, roles: Roles, members: tuple[Occupant, ...], admin: bool) -> None:
    new = change.roles
    if new == roles:
        return
    actor = change.committer.handle
    if not admin or roles.kind == RoomKind.DIRECT:
        raise ChangeRefused(f"{actor} tried to change the room without the right to")
    if (new.kind, new.generation) != (roles.kind, roles.generation):
        raise ChangeRefused(f"{actor} tried to make the room another kind of room")
    if roles.kind == RoomKind.OPEN and new.name != roles.name:
        raise ChangeRefused(f"{actor} tried to rename an open room")
    if len(new.admins) > MAX_ADMINS:
        raise ChangeRefused(f"a room has at most {MAX_ADMINS} admins")
    if len(new.banned) > MAX_BANNED:
        raise ChangeRefused(f"a room bans at most {MAX_BANNED} people")
    accounts = {occupant.account for occupant in members}
    if not set(new.admins) - set(roles.admins) <= accounts:
        raise ChangeRefused(f"{actor} tried to make somebody an admin who is not in the room")


def check_result(roles: Roles, after: list[Identity]) -> None:
    """What must hold in every state of a room."""
    devices = Counter((identity.account_key, identity.device_id) for identity in after)
    if devices and max(devices.values()) > 1:
        raise ChangeRefused("one device would have two leaves")
    accounts = Counter(identity.account_key for identity in after)
    if accounts and max(accounts.values()) > MAX_LEAVES_PER_ACCOUNT:
        raise ChangeRefused("one account would have too many devices in the room")
    banned = accounts.keys() & set(roles.banned)
    if banned:
        raise ChangeRefused("somebody who is banned would be in the room")
    if roles.kind == RoomKind.DIRECT and len(roles.admins) != 2:
        raise ChangeRefused("a direct conversation is between two people")
    if roles.kind == RoomKind.DIRECT and not accounts.keys() <= set(roles.admins):
        raise ChangeRefused("a third person would be in a direct conversation")


def _replaces(newcomer: Identity, occupant: Occupant) -> bool:
    """Whether this is the same device coming back; the serial makes a replayed request worthless."""
    same = (newcomer.account_key, newcomer.device_id) == (occupant.account, occupant.device)
    return same and newcomer.serial > occupant.identity.serial
