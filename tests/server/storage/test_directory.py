"""Accounts, devices, invites and key packages on SQLite: what goes in comes out."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_chat.server.core.storage import AccountRecord, DeviceRecord, InviteRecord
from secure_chat.server.storage.database import Database, SqliteTransaction

ALICE = AccountRecord(b"a" * 32, "alice", b"binding", 5)
LAPTOP = DeviceRecord(b"d" * 16, ALICE.key, b"certificate", 1, b"i" * 16, 6)


@pytest.fixture
def transaction(tmp_path: Path) -> Iterator[SqliteTransaction]:
    database = Database(tmp_path / "relay.db")
    with database.transaction() as transaction:
        yield transaction
    database.close()


def test_accounts(transaction: SqliteTransaction) -> None:
    """Found by key and handle; a changed record replaces the stored one."""
    directory = transaction.directory
    assert directory.account(ALICE.key) is None
    directory.put_account(ALICE)
    assert directory.account(ALICE.key) == directory.account_by_handle("alice") == ALICE
    changed = AccountRecord(ALICE.key, "alice", b"other", 7, True, True, 9, b"revocation")
    directory.put_account(changed)
    assert directory.account(ALICE.key) == changed


def test_pages_of_accounts(transaction: SqliteTransaction) -> None:
    """By handle, without the deleted ones, with their devices."""
    directory = transaction.directory
    directory.put_account(ALICE)
    directory.put_account(AccountRecord(b"b" * 32, "bob", b"", 1, deleted=True))
    directory.put_account(AccountRecord(b"c" * 32, "carol", b"", 1))
    directory.put_device(LAPTOP)
    assert [(record.handle, devices) for record, devices in directory.accounts_after("", 10)] == [
        ("alice", 1),
        ("carol", 0),
    ]
    assert [record.handle for record, _ in directory.accounts_after("alice", 10)] == ["carol"]
    assert len(directory.accounts_after("", 1)) == 1


def test_devices(transaction: SqliteTransaction) -> None:
    """Under their account in the order of coming; a newer certificate replaces the old; removed with all they had."""
    directory = transaction.directory
    directory.put_account(ALICE)
    directory.put_device(LAPTOP)
    phone = DeviceRecord(b"e" * 16, ALICE.key, b"phone", 2, b"j" * 16, 7)
    directory.put_device(phone)
    assert LAPTOP.number != phone.number
    assert directory.devices(ALICE.key) == [LAPTOP, phone]
    renewed = DeviceRecord(b"d" * 16, ALICE.key, b"renewed", 3, b"i" * 16, 6)
    directory.put_device(renewed)
    assert renewed.number == LAPTOP.number
    assert directory.device(b"d" * 16) == renewed
    directory.add_key_packages(b"d" * 16, 3, [b"package"])
    directory.remove_device(b"d" * 16)
    directory.remove_device(b"d" * 16)
    assert directory.device(b"d" * 16) is None
    assert directory.devices(ALICE.key) == [phone]
    again = DeviceRecord(b"d" * 16, ALICE.key, b"again", 4, b"k" * 16, 8)
    directory.put_device(again)
    assert directory.key_packages(b"d" * 16) == []
    assert again.number > phone.number, "short names are never used again"


def test_invites(transaction: SqliteTransaction) -> None:
    """Oldest first; usable ones are counted."""
    directory = transaction.directory
    first = InviteRecord(b"1" * 32, b"", "operator's", 1, 10, 0)
    second = InviteRecord(b"2" * 32, ALICE.key, "", 2, 11, 100)
    for record in (first, second):
        directory.put_invite(record)
    assert directory.invites() == [first, second]
    assert directory.usable_invites(ALICE.key, 99) == 1
    assert directory.usable_invites(ALICE.key, 100) == 0
    second.used = 2
    directory.put_invite(second)
    assert directory.invite(b"2" * 32) == second
    assert directory.usable_invites(ALICE.key, 99) == 0
    second.used, second.revoked = 0, True
    directory.put_invite(second)
    assert directory.usable_invites(ALICE.key, 99) == 0
    directory.forget_invites(99)
    assert len(directory.invites()) == 2
    directory.forget_invites(100)
    assert directory.invites() == [first], "one without an end stays"


def test_key_packages(transaction: SqliteTransaction) -> None:
    """In order, by device and suite, the last resort apart."""
    directory = transaction.directory
    directory.put_account(ALICE)
    directory.put_device(LAPTOP)
    device = LAPTOP.id
    directory.add_key_packages(device, 3, [b"1", b"2"])
    directory.add_key_packages(device, 3, [b"3"])
    directory.add_key_packages(device, 1, [b"other"])
    directory.put_last_resort(device, 3, b"old")
    directory.put_last_resort(device, 3, b"last")
    directory.put_last_resort(device, 7, b"only")
    assert directory.key_packages(device) == [(1, 1), (3, 3), (7, 0)]
    assert [directory.take_key_package(device, 3) for _ in range(4)] == [b"1", b"2", b"3", None]
    assert directory.last_resort(device, 3) == b"last"
    assert directory.last_resort(device, 1) is None
    directory.clear_key_packages(device, 3)
    assert directory.last_resort(device, 3) is None
    assert directory.key_packages(device) == [(1, 1), (7, 0)]
