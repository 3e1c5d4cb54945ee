"""The log on SQLite: entries, Welcomes, and what append ids led to.

Entries are rows of a table that only grows at its end, found by an index over (channel, seq): four times faster than
clustering them by channel when many channels are busy. New rows gather in a list and are inserted together.
Append ids are stored one row per store and batch, as runs of consecutive counters.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TypeAlias

import msgspec

from secure_chat.server.core.storage import AppendResult, ChannelRecord, StoreRecord, Usage
from secure_chat.server.storage.sql import Sql

__all__ = ["MAX_SEQ", "LogTable"]

_INSERT = "INSERT INTO entries (channel, seq, time, size, frame) VALUES (?, ?, ?, ?, ?)"
_INSERT_WELCOME = (
    "INSERT INTO entries (channel, seq, time, size, frame, welcome, tail, sender) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_INSERT_APPENDS = "INSERT INTO appends (store, last, first, time, results) VALUES (?, ?, ?, ?, ?)"

MAX_SEQ = 2**63 - 1
"""Sequence numbers fit SQLite's and MessagePack's signed integers."""

_Row: TypeAlias = tuple[int, int, int, int, bytes]

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[AppendResult, ...]).decode


class LogTable:
    """`core.storage.Log`."""

    def __init__(self, sql: Sql) -> None:
        self._sql = sql
        self._rows: list[_Row] = []

    def flush(self) -> None:
        """Inserts the rows that were gathered."""
        if self._rows:
            self._sql.run_many(_INSERT, self._rows)
            self._rows.clear()

    def discard(self) -> None:
        """Forgets them, with a transaction that is rolled back."""
        self._rows.clear()

    def append(self, number: int, seq: int, time: int, frame: bytes) -> None:
        """Stores an entry by its encoded frame; sequence numbers of a channel only rise."""
        self._rows.append((number, seq, time, len(frame), frame))

    def append_welcome(
        self, number: int, seq: int, time: int, start: bytes, welcome: int, end: bytes, sender: bytes, size: int
    ) -> None:
        """Stores an inbox entry whose frame is `start`, the Welcome, `end`: `size` bytes, counted for `sender`."""
        self._sql.run(_INSERT_WELCOME, (number, seq, time, size, start, welcome, end, sender))

    def add_welcome(self, payload: bytes, references: int) -> int:
        """Stores a Welcome that so many entries will refer to; it is deleted with the last of them."""
        return self._sql.insert("INSERT INTO welcomes (missing, payload) VALUES (?, ?)", (references, payload))

    def last(self, record: ChannelRecord) -> int:
        """The newest sequence number that the channel ever had."""
        self.flush()
        (newest,) = self._sql.one("SELECT max(seq) FROM entries WHERE channel = ?", (record.number,))
        return max(newest or 0, record.floor, record.base)

    def usage_after(self, number: int, seq: int) -> Usage:
        """What is stored after this entry."""
        self.flush()
        row = self._sql.one(
            "SELECT count(*), coalesce(sum(size), 0) FROM entries WHERE channel = ? AND seq > ?", (number, seq)
        )
        return Usage(row[0], row[1])

    def sender_usage(self, number: int, sender: bytes) -> Usage:
        """Welcomes of one account in an inbox."""
        row = self._sql.one(
            "SELECT count(*), coalesce(sum(size), 0) FROM entries WHERE channel = ? AND sender = ?", (number, sender)
        )
        return Usage(row[0], row[1])

    def delete_through(self, number: int, seq: int) -> Usage:
        """Deletes everything up to and including this entry; returns how much it was."""
        self.flush()
        entries = size = 0
        welcomes: list[tuple[int]] = []
        for length, welcome in self._sql.rows(
            "DELETE FROM entries WHERE channel = ? AND seq <= ? RETURNING size, welcome", (number, seq)
        ):
            entries += 1
            size += length
            if welcome is not None:
                welcomes.append((welcome,))
        if welcomes:
            self._sql.run_many("UPDATE welcomes SET missing = missing - 1 WHERE number = ?", welcomes)
            self._sql.run_many("DELETE FROM welcomes WHERE number = ? AND missing <= 0", welcomes)
        return Usage(entries, size)

    def oldest_worth(self, number: int, entries: int, size: int) -> int:
        """The entry up to which one must delete to be rid of so many entries and bytes; 0 if nothing is stored."""
        self.flush()
        reached = 0
        for seq, length in self._sql.rows("SELECT seq, size FROM entries WHERE channel = ? ORDER BY seq", (number,)):
            reached = seq
            entries -= 1
            size -= length
            if entries <= 0 and size <= 0:
                break
        return reached

    def oldest_within(self, number: int, entries: int, size: int) -> int:
        """The entry up to which one may delete without exceeding so many entries and bytes, but at least the oldest.

        Past the newest entry if everything is within.
        """
        self.flush()
        reached = 0
        for seq, length in self._sql.rows("SELECT seq, size FROM entries WHERE channel = ? ORDER BY seq", (number,)):
            entries -= 1
            size -= length
            if reached and (entries < 0 or size < 0):
                return reached
            reached = seq
        return MAX_SEQ

    def expired(self, before: int, limit: int) -> list[tuple[int, int]]:
        """(channel, seq) of up to so many oldest entries from before this time: the highest of each channel."""
        self.flush()
        newest: dict[int, int] = {}
        for channel, seq, time in self._sql.rows(
            "SELECT channel, seq, time FROM entries ORDER BY number LIMIT ?", (limit,)
        ):
            if time >= before:
                break
            newest[channel] = max(seq, newest.get(channel, 0))
        return list(newest.items())

    def store(self, store: bytes) -> StoreRecord | None:
        """The client store with this id."""
        row = self._sql.row(
            "SELECT s.id, d.id, max(s.last, s.forgotten, coalesce((SELECT max(a.last) FROM appends a "
            "WHERE a.store = s.number), 0)), s.forgotten, s.number "
            "FROM stores s JOIN devices d ON d.number = s.device WHERE s.id = ?",
            (store,),
        )
        return StoreRecord(*row) if row else None

    def put_store(self, record: StoreRecord, keep: int) -> None:
        """Inserts or replaces; fills in `number`. Of a device's stores only the newest `keep` remain."""
        if record.number:
            self._sql.run("UPDATE stores SET last = ? WHERE number = ?", (record.last, record.number))
            return
        (record.number,) = self._sql.one(
            "INSERT INTO stores (id, device, last, forgotten) "
            "VALUES (?, (SELECT number FROM devices WHERE id = ?), ?, ?) RETURNING number",
            (record.id, record.device, record.last, record.forgotten),
        )
        surplus = (
            "SELECT number FROM stores WHERE device = (SELECT number FROM devices WHERE id = ?) "
            "ORDER BY number DESC LIMIT -1 OFFSET ?"
        )
        self._sql.run(f"DELETE FROM appends WHERE store IN ({surplus})", (record.device, keep))
        self._sql.run(f"DELETE FROM stores WHERE number IN ({surplus})", (record.device, keep))

    def record_appends(self, results: Mapping[int, Sequence[AppendResult]]) -> None:
        """Remembers append ids, by their stores' short names, in any order of counters."""
        self._sql.run_many(
            _INSERT_APPENDS,
            [
                (store, run[-1].counter, run[0].counter, run[-1].time, _encode(run))
                for store, of_store in results.items()
                for run in _runs(of_store)
            ],
        )

    def find_append(self, store: int, counter: int) -> AppendResult | None:
        """What this append id led to."""
        row = self._sql.row(
            "SELECT first, results FROM appends WHERE store = ? AND last >= ? ORDER BY last LIMIT 1", (store, counter)
        )
        if row is None or row[0] > counter:
            return None
        results: tuple[AppendResult, ...] = _decode(row[1])
        return results[counter - int(row[0])]

    def forget_appends(self, before: int, limit: int) -> int:
        """Forgets up to so many of the oldest batches of append ids from before this time; returns how many."""
        forgotten: dict[int, int] = {}
        newest = count = 0
        for number, store, last, time in self._sql.rows(
            "SELECT number, store, last, time FROM appends ORDER BY number LIMIT ?", (limit,)
        ):
            if time >= before:
                break
            newest = number
            count += 1
            forgotten[store] = max(last, forgotten.get(store, 0))
        if newest:
            self._sql.run("DELETE FROM appends WHERE number <= ?", (newest,))
            self._sql.run_many(
                "UPDATE stores SET forgotten = max(forgotten, ?) WHERE number = ?",
                [(last, store) for store, last in forgotten.items()],
            )
        return count


def _runs(results: Sequence[AppendResult]) -> Iterator[Sequence[AppendResult]]:
    """Consecutive counters together, so that an append id lies in exactly one row and is found by one search."""
    if len(results) == 1 or all(later.counter == earlier.counter + 1 for earlier, later in pairwise(results)):
        yield results
        return
    ordered = sorted(results, key=lambda result: result.counter)
    start = 0
    for stop in range(1, len(ordered) + 1):
        if stop == len(ordered) or ordered[stop].counter != ordered[stop - 1].counter + 1:
            yield ordered[start:stop]
            start = stop
