"""Channels on SQLite: their state, members and GroupInfos."""

from collections.abc import Sequence

import msgspec

from secure_chat.server.core.storage import ChannelRecord, MemberRecord
from secure_chat.server.storage.sql import Row, Sql
from secure_chat.wire.types import ChannelKind

__all__ = ["ChannelTable"]

_CHANNEL = (
    "c.id, c.kind, c.name, c.peers, c.creator, c.created, c.generation, c.heads, c.admins, c.banned, "
    "c.members_may_add, c.floor, c.base, c.counted, c.entries, c.bytes, c.number"
)
_MEMBER = "d.id, a.key, m.device, m.joined, m.cursor, m.until"
_MEMBERSHIP = (
    f"SELECT {_MEMBER}, {_CHANNEL} FROM devices d JOIN members m ON m.device = d.number "
    "JOIN channels c ON c.number = m.channel JOIN accounts a ON a.number = d.account"
)
_MEMBER_COUNT = "(SELECT count(*) FROM members m WHERE m.channel = c.number AND m.until = 0)"

_encode = msgspec.msgpack.encode
_decode_keys = msgspec.msgpack.Decoder(tuple[bytes, ...]).decode
_decode_heads = msgspec.msgpack.Decoder(tuple[int, ...]).decode


class ChannelTable:
    """`core.storage.Channels`."""

    def __init__(self, sql: Sql) -> None:
        self._sql = sql

    def channel(self, channel: bytes) -> ChannelRecord | None:
        """The channel with this id."""
        return self._one("c.id = ?", channel)

    def by_number(self, number: int) -> ChannelRecord | None:
        """The channel with this short name."""
        return self._one("c.number = ?", number)

    def direct(self, peers: tuple[bytes, ...]) -> ChannelRecord | None:
        """The direct channel between two accounts."""
        return self._one("c.peers = ?", _encode(peers))

    def open_room(self, name: str) -> ChannelRecord | None:
        """The open room of this name; upper and lower case are the same."""
        return self._one("c.folded = ?", name.casefold())

    def open_rooms(self) -> list[tuple[ChannelRecord, int]]:
        """All open rooms in the order of their making, with the number of their member devices."""
        return self._page("c.kind = 'open' ORDER BY c.number", ())

    def channels_after(self, number: int, limit: int) -> list[tuple[ChannelRecord, int]]:
        """A page of rooms and direct channels in the order of their making, with the number of member devices."""
        return self._page("c.number > ? AND c.kind != 'inbox' ORDER BY c.number LIMIT ?", (number, limit))

    def rooms_of(self, creator: bytes) -> int:
        """How many rooms that this account made still exist."""
        (count,) = self._sql.one(
            "SELECT count(*) FROM channels WHERE creator = ? AND creator != x'' AND kind IN ('room', 'open')",
            (creator,),
        )
        return int(count)

    def put_channel(self, record: ChannelRecord) -> None:
        """Inserts or replaces; fills in `number`."""
        state = (
            record.generation,
            _encode(record.heads),
            _encode(record.admins),
            _encode(record.banned),
            record.members_may_add,
            record.floor,
            record.base,
            record.counted,
            record.entries,
            record.bytes,
        )
        if record.number:
            self._sql.run(
                "UPDATE channels SET generation = ?, heads = ?, admins = ?, banned = ?, members_may_add = ?, "
                "floor = ?, base = ?, counted = ?, entries = ?, bytes = ? WHERE number = ?",
                (*state, record.number),
            )
            return
        (record.number,) = self._sql.one(
            "INSERT INTO channels (generation, heads, admins, banned, members_may_add, floor, base, counted, entries, "
            "bytes, id, kind, name, folded, peers, creator, created) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING number",
            (
                *state,
                record.id,
                record.kind.value,
                record.name,
                record.name.casefold() if record.kind is ChannelKind.OPEN else None,
                _encode(record.peers) if record.kind is ChannelKind.DIRECT else None,
                record.creator,
                record.created,
            ),
        )

    def remove_channel(self, number: int) -> None:
        """Removes it with its members and GroupInfos; its log is deleted before."""
        for table in ("members", "former_members", "group_infos"):
            self._sql.run(f"DELETE FROM {table} WHERE channel = ?", (number,))
        self._sql.run("DELETE FROM channels WHERE number = ?", (number,))

    def members(self, number: int) -> list[MemberRecord]:
        """Every device, removed ones that may still read too, in the order of joining."""
        rows = self._sql.rows(
            f"SELECT {_MEMBER} FROM members m JOIN devices d ON d.number = m.device "
            "JOIN accounts a ON a.number = d.account WHERE m.channel = ? ORDER BY m.joined, m.device",
            (number,),
        )
        return [MemberRecord(*row) for row in rows]

    def memberships(self, device: bytes) -> list[tuple[ChannelRecord, MemberRecord]]:
        """The channels that this device is a member of or may still read, its inbox too."""
        rows = self._sql.rows(f"{_MEMBERSHIP} WHERE d.id = ? ORDER BY c.number", (device,))
        return [(_channel(row[6:]), MemberRecord(*row[:6])) for row in rows]

    def membership(self, channel: bytes, device: bytes) -> tuple[ChannelRecord, MemberRecord] | None:
        """One channel that this device is a member of or may still read."""
        row = self._sql.row(f"{_MEMBERSHIP} WHERE d.id = ? AND c.id = ?", (device, channel))
        return (_channel(row[6:]), MemberRecord(*row[:6])) if row else None

    def channels_of(self, account: bytes) -> list[bytes]:
        """The ids of the channels that have member devices of this account, inboxes left out."""
        rows = self._sql.rows(
            "SELECT DISTINCT c.id, c.number FROM accounts a JOIN devices d ON d.account = a.number "
            "JOIN members m ON m.device = d.number AND m.until = 0 JOIN channels c ON c.number = m.channel "
            "WHERE a.key = ? AND c.kind != 'inbox' ORDER BY c.number",
            (account,),
        )
        return [channel for channel, _ in rows]

    def count_memberships(self, device: bytes) -> int:
        """How many channels have this device as a member."""
        (count,) = self._sql.one(
            "SELECT count(*) FROM members WHERE device = (SELECT number FROM devices WHERE id = ?) AND until = 0",
            (device,),
        )
        return int(count)

    def put_member(self, number: int, member: MemberRecord) -> None:
        """Inserts or replaces."""
        self._sql.run(
            "INSERT OR REPLACE INTO members (channel, device, joined, cursor, until) VALUES (?, ?, ?, ?, ?)",
            (number, member.number, member.joined, member.cursor, member.until),
        )

    def remove_member(self, number: int, device: int) -> None:
        """Removes the device with this short name."""
        self._sql.run("DELETE FROM members WHERE channel = ? AND device = ?", (number, device))

    def put_cursors(self, cursors: Sequence[tuple[int, int, int]]) -> None:
        """(cursor, channel, device), the latter two by their short names."""
        self._sql.run_many("UPDATE members SET cursor = ? WHERE channel = ? AND device = ?", cursors)

    def put_former(self, number: int, account: bytes) -> None:
        """Remembers that this account had a member device."""
        self._sql.run(
            "INSERT OR IGNORE INTO former_members SELECT ?, number FROM accounts WHERE key = ?", (number, account)
        )

    def is_former(self, number: int, account: bytes) -> bool:
        """Whether this account had a member device."""
        return bool(
            self._sql.row(
                "SELECT 1 FROM former_members "
                "WHERE channel = ? AND account = (SELECT number FROM accounts WHERE key = ?)",
                (number, account),
            )
        )

    def share_channel(self, first: bytes, second: bytes) -> bool:
        """Whether two accounts have member devices in one channel."""
        channels = (
            "SELECT m.channel FROM accounts a JOIN devices d ON d.account = a.number "
            "JOIN members m ON m.device = d.number WHERE a.key = ? AND m.until = 0"
        )
        return bool(self._sql.row(f"{channels} INTERSECT {channels} LIMIT 1", (first, second)))

    def put_group_info(self, number: int, head: int, generation: int, payload: bytes, keep: int) -> None:
        """Stores a GroupInfo and discards all but the newest `keep`."""
        self._sql.run(
            "INSERT OR REPLACE INTO group_infos (channel, head, generation, payload) VALUES (?, ?, ?, ?)",
            (number, head, generation, payload),
        )
        self._sql.run(
            "DELETE FROM group_infos WHERE channel = ? AND head NOT IN "
            "(SELECT head FROM group_infos WHERE channel = ? ORDER BY head DESC LIMIT ?)",
            (number, number, keep),
        )

    def group_info(self, number: int, head: int) -> tuple[int, int, bytes] | None:
        """(head, generation, GroupInfo) of this head; of the newest one for 0."""
        row = self._sql.row(
            "SELECT head, generation, payload FROM group_infos WHERE channel = ? AND (head = ? OR ? = 0) "
            "ORDER BY head DESC LIMIT 1",
            (number, head, head),
        )
        return row if row is None else (row[0], row[1], row[2])

    def _one(self, condition: str, value: bytes | int | str) -> ChannelRecord | None:
        row = self._sql.row(f"SELECT {_CHANNEL} FROM channels c WHERE {condition}", (value,))
        return _channel(row) if row else None

    def _page(self, condition: str, values: tuple[int, ...]) -> list[tuple[ChannelRecord, int]]:
        rows = self._sql.rows(f"SELECT {_MEMBER_COUNT}, {_CHANNEL} FROM channels c WHERE {condition}", values)
        return [(_channel(row[1:]), row[0]) for row in rows]


def _channel(row: Row) -> ChannelRecord:
    identity, kind, name, peers, creator, created, generation, heads, admins, banned, members_may_add, *counts = row
    return ChannelRecord(
        identity,
        ChannelKind(kind),
        name,
        _decode_keys(peers) if peers else (),
        creator,
        created,
        generation,
        _decode_heads(heads),
        _decode_keys(admins),
        _decode_keys(banned),
        bool(members_may_add),
        *counts,
    )
