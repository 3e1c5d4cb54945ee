"""Channels, members and GroupInfos on SQLite: what goes in comes out."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_chat.server.core.storage import AccountRecord, ChannelRecord, DeviceRecord, MemberRecord
from secure_chat.server.storage.database import Database, SqliteTransaction
from secure_chat.wire.messages import ChannelKind

ALICE, BOB = b"a" * 32, b"b" * 32


@pytest.fixture
def transaction(tmp_path: Path) -> Iterator[SqliteTransaction]:
    database = Database(tmp_path / "relay.db")
    with database.transaction() as transaction:
        yield transaction
    database.close()


def member(transaction: SqliteTransaction, account: bytes, identity: bytes, joined: int = 1) -> MemberRecord:
    if transaction.directory.account(account) is None:
        transaction.directory.put_account(AccountRecord(account, account[:5].decode(), b"", 1))
    device = DeviceRecord(identity * 16, account, b"", 1, b"i" + identity * 15, 1)
    transaction.directory.put_device(device)
    return MemberRecord(device.id, account, device.number, joined, joined - 1)


def test_a_channel_round_trips(transaction: SqliteTransaction) -> None:
    """Every field, on making and on changing it; it is found by id and number."""
    channels = transaction.channels
    record = ChannelRecord(
        b"c" * 16, ChannelKind.OPEN, "Lobby", (), ALICE, 5, 2, (3, 9), (ALICE,), (BOB,), False, 2, 7, 9, 4, 500
    )
    channels.put_channel(record)
    assert record.number
    assert channels.channel(record.id) == channels.by_number(record.number) == record
    record.generation, record.heads, record.admins, record.banned = 3, (9, 12), (BOB, ALICE), ()
    record.members_may_add, record.floor, record.base, record.counted = True, 4, 2**32, 12
    record.entries, record.bytes = 8, 1_000
    channels.put_channel(record)
    assert channels.channel(record.id) == record
    assert channels.channel(b"?" * 16) is None


def test_channels_are_found_by_what_makes_them_unique(transaction: SqliteTransaction) -> None:
    """Pairs of accounts, names whatever their case."""
    channels = transaction.channels
    direct = ChannelRecord(b"d" * 16, ChannelKind.DIRECT, peers=(ALICE, BOB))
    lobby = ChannelRecord(b"o" * 16, ChannelKind.OPEN, "Straße")
    rooms = [ChannelRecord(bytes([number]) * 16, ChannelKind.ROOM, creator=ALICE) for number in range(2)]
    for record in (direct, lobby, *rooms):
        channels.put_channel(record)
    assert channels.direct((ALICE, BOB)) == direct
    assert channels.direct((BOB, ALICE)) is None
    assert channels.open_room("STRASSE") == lobby
    assert [record for record, _ in channels.open_rooms()] == [lobby]
    assert channels.rooms_of(ALICE) == 2
    assert channels.rooms_of(b"") == 0
    assert [record.id for record, _ in channels.channels_after(0, 3)] == [direct.id, lobby.id, rooms[0].id]
    assert [record.id for record, _ in channels.channels_after(rooms[0].number, 9)] == [rooms[1].id]


def test_numbers_are_never_used_again(transaction: SqliteTransaction) -> None:
    """Append ids name channels by number."""
    channels = transaction.channels
    first = ChannelRecord(b"1" * 16, ChannelKind.ROOM)
    channels.put_channel(first)
    channels.remove_channel(first.number)
    second = ChannelRecord(b"2" * 16, ChannelKind.ROOM)
    channels.put_channel(second)
    assert second.number > first.number
    assert channels.channel(first.id) is None


def test_members_and_memberships(transaction: SqliteTransaction) -> None:
    """In the order of joining; removed ones are marked and don't count."""
    channels = transaction.channels
    room = ChannelRecord(b"c" * 16, ChannelKind.ROOM)
    inbox = ChannelRecord(b"i" * 16, ChannelKind.INBOX)
    channels.put_channel(room)
    channels.put_channel(inbox)
    bob = member(transaction, BOB, b"2", joined=4)
    alice = member(transaction, ALICE, b"1", joined=9)
    channels.put_member(room.number, alice)
    channels.put_member(room.number, bob)
    channels.put_member(inbox.number, MemberRecord(bob.device, BOB, bob.number, 1, 0))
    assert channels.members(room.number) == [bob, alice]
    assert channels.memberships(bob.device) == [
        (room, bob),
        (inbox, MemberRecord(bob.device, BOB, bob.number, 1, 0)),
    ]
    assert channels.membership(room.id, alice.device) == (room, alice)
    assert channels.membership(inbox.id, alice.device) is None
    assert channels.channels_of(BOB) == [room.id]
    assert channels.share_channel(ALICE, BOB)
    assert channels.count_memberships(bob.device) == 2
    channels.put_cursors([(7, room.number, bob.number), (8, room.number, alice.number)])
    assert [found.cursor for found in channels.members(room.number)] == [7, 8]
    bob.until, bob.cursor = 10, 7
    channels.put_member(room.number, bob)
    assert channels.members(room.number)[0] == bob
    assert channels.channels_of(BOB) == []
    assert not channels.share_channel(ALICE, BOB)
    assert channels.count_memberships(bob.device) == 1
    assert [count for _, count in channels.channels_after(0, 9)] == [1]
    channels.remove_member(room.number, bob.number)
    assert channels.membership(room.id, bob.device) is None


def test_former_members_are_remembered(transaction: SqliteTransaction) -> None:
    """By account, until the channel goes."""
    channels = transaction.channels
    room = ChannelRecord(b"c" * 16, ChannelKind.ROOM)
    channels.put_channel(room)
    member(transaction, ALICE, b"1")
    assert not channels.is_former(room.number, ALICE)
    channels.put_former(room.number, ALICE)
    channels.put_former(room.number, ALICE)
    assert channels.is_former(room.number, ALICE)
    channels.remove_channel(room.number)
    assert not channels.is_former(room.number, ALICE)


def test_group_infos(transaction: SqliteTransaction) -> None:
    """By head or the newest, only so many."""
    channels = transaction.channels
    for head in (3, 5, 9):
        channels.put_group_info(1, head, 2, b"%d" % head, keep=2)
    channels.put_group_info(2, 4, 1, b"other", keep=2)
    assert channels.group_info(1, 0) == (9, 2, b"9")
    assert channels.group_info(1, 5) == (5, 2, b"5")
    assert channels.group_info(1, 3) is None
    assert channels.group_info(2, 0) == (4, 1, b"other")
    assert channels.group_info(3, 0) is None
