"""The directory on SQLite: accounts, devices, invites, key packages."""

from collections.abc import Sequence

from secure_chat.server.core.storage import AccountRecord, DeviceRecord, InviteRecord
from secure_chat.server.storage.sql import Row, Sql

__all__ = ["DirectoryTable"]

_ACCOUNT = "key, handle, binding, created, suspended, deleted, minimum_serial, revocation"
_DEVICE = "d.id, a.key, d.certificate, d.serial, d.inbox, d.created, d.number"
_OF_DEVICE = "device = (SELECT number FROM devices WHERE id = ?) AND suite = ?"
_INVITE = "token_hash, creator, label, uses, created, expires, used, revoked"


class DirectoryTable:
    """`core.storage.Directory`."""

    def __init__(self, sql: Sql) -> None:
        self._sql = sql

    def account(self, key: bytes) -> AccountRecord | None:
        """The account with this key, a deleted one too."""
        row = self._sql.row(f"SELECT {_ACCOUNT} FROM accounts WHERE key = ?", (key,))
        return _account(row) if row else None

    def account_by_handle(self, handle: str) -> AccountRecord | None:
        """The account that holds this handle, a deleted one too."""
        row = self._sql.row(f"SELECT {_ACCOUNT} FROM accounts WHERE handle = ?", (handle,))
        return _account(row) if row else None

    def accounts_after(self, handle: str, limit: int) -> list[tuple[AccountRecord, int]]:
        """A page of accounts that are not deleted, by handle, with the number of their devices."""
        rows = self._sql.rows(
            f"SELECT {_ACCOUNT}, (SELECT count(*) FROM devices d WHERE d.account = accounts.number) FROM accounts "
            "WHERE handle > ? AND NOT deleted ORDER BY handle LIMIT ?",
            (handle, limit),
        )
        return [(_account(row[:-1]), row[-1]) for row in rows]

    def put_account(self, record: AccountRecord) -> None:
        """Inserts or replaces."""
        self._sql.run(
            f"INSERT INTO accounts ({_ACCOUNT}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET "
            "binding = excluded.binding, created = excluded.created, suspended = excluded.suspended, "
            "deleted = excluded.deleted, minimum_serial = excluded.minimum_serial, revocation = excluded.revocation",
            (
                record.key,
                record.handle,
                record.binding,
                record.created,
                record.suspended,
                record.deleted,
                record.minimum_serial,
                record.revocation,
            ),
        )

    def device(self, device: bytes) -> DeviceRecord | None:
        """The device with this id."""
        row = self._sql.row(
            f"SELECT {_DEVICE} FROM devices d JOIN accounts a ON a.number = d.account WHERE d.id = ?", (device,)
        )
        return DeviceRecord(*row) if row else None

    def devices(self, account: bytes) -> list[DeviceRecord]:
        """The account's devices, oldest first."""
        rows = self._sql.rows(
            f"SELECT {_DEVICE} FROM accounts a JOIN devices d ON d.account = a.number WHERE a.key = ? "
            "ORDER BY d.number",
            (account,),
        )
        return [DeviceRecord(*row) for row in rows]

    def put_device(self, record: DeviceRecord) -> None:
        """Inserts or replaces; fills in `number`."""
        (record.number,) = self._sql.one(
            "INSERT INTO devices (id, account, certificate, serial, inbox, created) "
            "VALUES (?, (SELECT number FROM accounts WHERE key = ?), ?, ?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET certificate = excluded.certificate, serial = excluded.serial "
            "RETURNING number",
            (record.id, record.account, record.certificate, record.serial, record.inbox, record.created),
        )

    def remove_device(self, device: bytes) -> None:
        """Removes it with its key packages, stores and append ids; memberships are removed before."""
        row = self._sql.row("SELECT number FROM devices WHERE id = ?", (device,))
        if row:
            for statement in (
                "DELETE FROM appends WHERE store IN (SELECT number FROM stores WHERE device = ?)",
                "DELETE FROM stores WHERE device = ?",
                "DELETE FROM key_packages WHERE device = ?",
                "DELETE FROM devices WHERE number = ?",
            ):
                self._sql.run(statement, row)

    def invite(self, token_hash: bytes) -> InviteRecord | None:
        """The invite with this token."""
        row = self._sql.row(f"SELECT {_INVITE} FROM invites WHERE token_hash = ?", (token_hash,))
        return _invite(row) if row else None

    def invites(self) -> list[InviteRecord]:
        """All that are remembered, oldest first."""
        return [_invite(row) for row in self._sql.rows(f"SELECT {_INVITE} FROM invites ORDER BY number")]

    def usable_invites(self, creator: bytes, now: int) -> int:
        """How many invites of this account could still be used."""
        (count,) = self._sql.one(
            "SELECT count(*) FROM invites WHERE creator = ? AND used < uses AND NOT revoked "
            "AND (expires = 0 OR expires > ?)",
            (creator, now),
        )
        return int(count)

    def put_invite(self, record: InviteRecord) -> None:
        """Inserts or replaces."""
        self._sql.run(
            f"INSERT INTO invites ({_INVITE}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (token_hash) DO UPDATE SET "
            "used = excluded.used, revoked = excluded.revoked",
            (
                record.token_hash,
                record.creator,
                record.label,
                record.uses,
                record.created,
                record.expires,
                record.used,
                record.revoked,
            ),
        )

    def forget_invites(self, expired_before: int) -> None:
        """Removes invites whose time was over by then."""
        self._sql.run("DELETE FROM invites WHERE expires BETWEEN 1 AND ?", (expired_before,))

    def add_key_packages(self, device: bytes, suite: int, packages: Sequence[bytes]) -> None:
        """Stores more key packages behind those that are stored."""
        self._sql.run_many(
            "INSERT INTO key_packages (device, suite, last_resort, package) "
            "VALUES ((SELECT number FROM devices WHERE id = ?), ?, 0, ?)",
            [(device, suite, package) for package in packages],
        )

    def put_last_resort(self, device: bytes, suite: int, package: bytes) -> None:
        """Replaces the last resort."""
        key = (device, suite)
        self._sql.run(f"DELETE FROM key_packages WHERE {_OF_DEVICE} AND last_resort = 1", key)
        self._sql.run(
            "INSERT INTO key_packages (device, suite, last_resort, package) "
            "VALUES ((SELECT number FROM devices WHERE id = ?), ?, 1, ?)",
            (*key, package),
        )

    def clear_key_packages(self, device: bytes, suite: int) -> None:
        """Discards all, the last resort too."""
        self._sql.run(f"DELETE FROM key_packages WHERE {_OF_DEVICE}", (device, suite))

    def take_key_package(self, device: bytes, suite: int) -> bytes | None:
        """The oldest key package, which is then gone."""
        row = self._sql.row(
            "DELETE FROM key_packages WHERE number = (SELECT min(number) FROM key_packages "
            f"WHERE {_OF_DEVICE} AND last_resort = 0) RETURNING package",
            (device, suite),
        )
        return bytes(row[0]) if row else None

    def last_resort(self, device: bytes, suite: int) -> bytes | None:
        """The key package that is handed out when there is no other."""
        row = self._sql.row(f"SELECT package FROM key_packages WHERE {_OF_DEVICE} AND last_resort = 1", (device, suite))
        return bytes(row[0]) if row else None

    def key_packages(self, device: bytes) -> list[tuple[int, int]]:
        """(suite, how many), the last resort not counted; suites with only a last resort have 0."""
        rows = self._sql.rows(
            "SELECT suite, sum(NOT last_resort) FROM key_packages "
            "WHERE device = (SELECT number FROM devices WHERE id = ?) GROUP BY suite ORDER BY suite",
            (device,),
        )
        return [(suite, count) for suite, count in rows]


def _account(row: Row) -> AccountRecord:
    key, handle, binding, created, suspended, deleted, minimum_serial, revocation = row
    return AccountRecord(key, handle, binding, created, bool(suspended), bool(deleted), minimum_serial, revocation)


def _invite(row: Row) -> InviteRecord:
    token_hash, creator, label, uses, created, expires, used, revoked = row
    return InviteRecord(token_hash, creator, label, uses, created, expires, used, bool(revoked))
