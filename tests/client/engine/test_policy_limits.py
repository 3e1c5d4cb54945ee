"""What a commit may hold: a client never makes one that the others could not read."""

import pytest

from secure_chat.client.engine.changes import Draft, Wish
from secure_chat.client.engine.device import certify
from secure_chat.client.engine.evidence import MAX_STATEMENTS, Evidence, LeaveNote, make_note
from secure_chat.client.engine.occupants import Occupant
from secure_chat.client.engine.policy import MAX_ADMINS, MAX_BANNED, ChangeRefused, Roles, group_extensions, roles_of
from secure_chat.client.views import RoomKind
from secure_chat.identity import binding as bindings
from secure_chat.identity.credential import Identity
from secure_chat.identity.keys import AccountKey, DeviceKey, DirectoryKey
from secure_chat.mls.crypto.suite import SUITES, SignaturePrivateKey
from secure_chat.wire.limits import CHANNEL_ID_LENGTH

NOW = 1_700_000_000_000
GROUP_ID = bytes(32)


def occupant(index: int) -> Occupant:
    """Somebody with a leaf; the device key's seed is the index."""
    account = AccountKey(b"account" + index.to_bytes(25, "big"))
    certificate = certify(
        account,
        handle=f"p{index}",
        device_key=DeviceKey(index.to_bytes(32, "big")).public,
        device_id=index.to_bytes(16, "big"),
        serial=NOW,
        now=NOW,
    )
    binding = bindings.bind(DirectoryKey(bytes(32)), f"p{index}", account.public)
    return Occupant(index, Identity(certificate, binding), index.to_bytes(32, "big"))


def draft(members: list[Occupant], roles: Roles, notes: tuple[LeaveNote, ...] = ()) -> Draft:
    """A commit of the first member's."""
    return Draft.start(GROUP_ID, members[0], members, roles, frozenset(), notes)


def test_a_room_has_as_many_admins_as_everybody_can_read() -> None:
    """One admin more would be a commit that all others skip, and a state that its author could not load again."""
    members = [occupant(index) for index in range(MAX_ADMINS + 1)]
    roles = Roles(1, RoomKind.ROOM, 1, "plans", (members[0].account,))
    most = draft(members, roles).with_wish(Wish(promote=frozenset(m.account for m in members[1:MAX_ADMINS])))
    assert len(roles_of(group_extensions(most.roles)).admins) == MAX_ADMINS
    with pytest.raises(ChangeRefused, match=f"{MAX_ADMINS} admins"):
        most.with_wish(Wish(promote=frozenset([members[-1].account])))


def test_a_ban_list_is_as_long_as_everybody_can_read() -> None:
    """The same of bans: the limit is told to who asks, not found by who receives."""
    members = [occupant(0)]
    banned = tuple(sorted(b"banned" + index.to_bytes(26, "big") for index in range(MAX_BANNED)))
    roles = Roles(1, RoomKind.OPEN, 1, "plans", (members[0].account,), banned=banned)
    with pytest.raises(ChangeRefused, match=f"{MAX_BANNED} people"):
        draft(members, roles).with_wish(Wish(ban=frozenset([bytes(32)])))
    assert len(draft(members, roles).with_wish(Wish(unban=frozenset(banned[:1]))).roles.banned) == MAX_BANNED - 1


def test_when_many_leave_at_once_one_commit_takes_what_it_can_carry() -> None:
    """More statements than a commit may hold would make it unreadable for everybody, again and again."""
    members = [occupant(index) for index in range(MAX_STATEMENTS + 3)]
    notes = tuple(
        make_note(
            SignaturePrivateKey.from_bytes(SUITES[3], m.leaf_index.to_bytes(32, "big")),
            GROUP_ID[:CHANNEL_ID_LENGTH],
            m.leaf_key,
        )
        for m in members[1:]
    )
    roles = Roles(1, RoomKind.ROOM, 1, "plans", (members[0].account,))
    made = draft(members, roles, notes)
    assert Evidence.decode(made.evidence.encode()) == made.evidence
    assert len(made.removes) == MAX_STATEMENTS
    made.check()
