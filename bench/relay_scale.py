"""A relay with a lot of state: `python -m bench.relay_scale` (minutes; the database is made first).

100,000 accounts with a device each, 10,000 rooms of 20 member devices, 1,000,000 stored entries of 512 bytes. Measures
opening the database and the first batch, memory, logins, appends to rooms at random and reading their logs, beside the
same on a small relay.
"""

import argparse
import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from secure_chat.identity import certificate as certificates
from secure_chat.identity.keys import AccountKey, DeviceKey, DirectoryKey
from secure_chat.identity.login import sign_login
from secure_chat.server.core.effects import Connected, Input, Output, Received, Reply, Tick
from secure_chat.server.core.relay import Relay
from secure_chat.server.core.settings import Settings
from secure_chat.server.core.storage import AccountRecord, ChannelRecord, DeviceRecord, MemberRecord
from secure_chat.server.storage.database import Database
from secure_chat.server.storage.reader import LogReader
from secure_chat.wire.framing import HEADER_LENGTH, decode_server_message, encode_frame
from secure_chat.wire.messages import (
    Append,
    Appended,
    ChannelKind,
    Entry,
    EntryKind,
    Hello,
    HelloAck,
    LoggedIn,
    Login,
)

MEMBERS = 20
CERTIFICATE_HASH = bytes(32)
NOW = 1_700_000_000_000
SETTINGS = Settings(
    requests_per_second=1_000_000, requests_burst=1_000_000, account_bytes_per_hour=1 << 50, account_bytes_burst=1 << 50
)


def account_of(number: int) -> AccountKey:
    return AccountKey(b"a" + number.to_bytes(31, "big"))


def device_of(number: int) -> DeviceKey:
    return DeviceKey(b"d" + number.to_bytes(31, "big"))


def device_id(number: int) -> bytes:
    return number.to_bytes(16, "big")


def room_id(number: int) -> bytes:
    return b"room" + number.to_bytes(12, "big")


def build(path: Path, accounts: int, rooms: int, entries: int) -> None:
    """Fills a database through the storage's own operations."""
    database = Database(path)
    database._connection.execute("PRAGMA synchronous = OFF")
    numbers: list[int] = []
    for start in range(1, accounts + 1, 1_000):
        with database.transaction() as transaction:
            for number in range(start, min(start + 1_000, accounts + 1)):
                key = account_of(number).public
                transaction.directory.put_account(AccountRecord(key, f"user{number}", b"binding", NOW))
                inbox = ChannelRecord(b"inbx" + number.to_bytes(12, "big"), ChannelKind.INBOX)
                device = DeviceRecord(device_id(number), key, b"", 0, inbox.id, NOW)
                transaction.directory.put_device(device)
                transaction.channels.put_channel(inbox)
                transaction.channels.put_member(inbox.number, MemberRecord(device.id, key, device.number, 1, 0))
                numbers.append(device.number)
    generator = random.Random(1)
    records: list[ChannelRecord] = []
    with database.transaction() as transaction:
        for number in range(rooms):
            record = ChannelRecord(room_id(number), ChannelKind.ROOM, generation=1, heads=(1,))
            transaction.channels.put_channel(record)
            records.append(record)
            for index in members_of(number, accounts, generator):
                member = MemberRecord(b"", b"", numbers[index - 1], 1, 0)
                transaction.channels.put_member(record.number, member)
    each = entries // rooms
    frame = encode_frame(Entry(bytes(16), 1, EntryKind.APPLICATION, bytes(16), bytes(16), 1, NOW, 1, os.urandom(512)))
    for seq in range(1, each + 1):
        with database.transaction() as transaction:
            for record in records:
                transaction.log.append(record.number, seq, NOW, frame)
    with database.transaction() as transaction:
        for record in records:
            record.counted, record.entries, record.bytes = each, each, each * len(frame)
            transaction.channels.put_channel(record)
    database.close()


def members_of(room: int, accounts: int, generator: random.Random) -> list[int]:
    """The room's first member is known from its number; the others are anybody."""
    first = room % accounts + 1
    others = set(generator.sample(range(1, accounts + 1), MEMBERS - 1)) - {first}
    return [first, *sorted(others)]


def resident() -> int:
    """Bytes of this process in memory."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) * 1024
    return 0


class Running:
    """A relay on a database."""

    def __init__(self, path: Path) -> None:
        started = time.perf_counter()
        self.database = Database(path)
        self.relay = Relay(SETTINGS, DirectoryKey(bytes(32)), os.urandom)
        self.step([Tick()])
        self.start = time.perf_counter() - started
        self.reader = LogReader(path)

    def step(self, batch: list[Input], now: int = NOW) -> list[Output]:
        with self.database.transaction() as transaction:
            return self.relay.handle(batch, transaction, now).outputs

    def log_in(self, number: int) -> float:
        """Milliseconds of processor time for a greeting and a login."""
        account, key = account_of(number), device_of(number)
        certificate = certificates.issue(
            account,
            handle=f"user{number}",
            device_key=key.public,
            device_id=device_id(number),
            serial=1,
            issued=NOW // 1000 - 1,
            expires=NOW // 1000 + 100_000,
        )
        started = time.process_time()
        self.step([Connected(number, CERTIFICATE_HASH, "127.0.0.1")])
        (reply,) = self.step([Received(number, Hello((1,), (), bytes(32)))])
        used = time.process_time() - started
        assert isinstance(reply, Reply)
        hello = decode_server_message(reply.frame[HEADER_LENGTH:])
        assert isinstance(hello, HelloAck)
        signature = sign_login(
            key,
            device_id=device_id(number),
            store_id=device_id(number),
            client_nonce=bytes(32),
            server_nonce=hello.nonce,
            server_certificate=CERTIFICATE_HASH,
        )
        message = Login(1, certificate.encode(), device_id(number), signature)
        started = time.process_time()
        outputs = self.step([Received(number, message)])
        used += time.process_time() - started
        answers = [decode_server_message(o.frame[HEADER_LENGTH:]) for o in outputs if isinstance(o, Reply)]
        assert any(isinstance(answer, LoggedIn) for answer in answers), answers
        return used * 1000

    def append(self, rooms: list[int], accounts: int, counter: int, batch: int) -> list[float]:
        """Microseconds of processor time per append, batch by batch, each append to another room."""
        found: list[float] = []
        for start in range(0, len(rooms), batch):
            inputs: list[Input] = [
                Received(
                    room % accounts + 1,
                    Append(1, room_id(room), counter, EntryKind.APPLICATION, 1, bytes(512)),
                )
                for room in rooms[start : start + batch]
            ]
            started = time.process_time()
            outputs = self.step(inputs)
            found.append((time.process_time() - started) / len(inputs) * 1e6)
            replies = [decode_server_message(o.frame[HEADER_LENGTH:]) for o in outputs if isinstance(o, Reply)]
            assert all(isinstance(reply, Appended) for reply in replies), replies[0]
        return found

    def read(self, rooms: list[int]) -> list[float]:
        """Microseconds for the last hundred entries of a room."""
        return [_timed(partial(self.reader.read_after, room_id(room), 0, 100, 1 << 20)) for room in rooms]


def _timed(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return (time.process_time() - started) * 1e6


def measure(name: str, accounts: int, rooms: int, entries: int) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "relay.db"
        build(path, accounts, rooms, entries)
        size = path.stat().st_size
        before = resident()
        running = Running(path)
        started = resident()
        generator = random.Random(2)
        chosen = [generator.randrange(rooms) for _ in range(2_000)]
        senders = sorted({room % accounts + 1 for room in chosen})
        logins = [running.log_in(sender) for sender in senders]
        running.step([Tick()], NOW + 1)
        logged_in = resident()
        distinct = sorted(set(chosen))
        generator.shuffle(distinct)
        cold = running.append(distinct, accounts, 1, 50)
        warm = running.append(distinct, accounts, 2, 50)
        reads = running.read(distinct[:300])
        result: dict[str, object] = {
            "relay": name,
            "database_mib": size >> 20,
            "start_ms": running.start * 1000,
            "memory_at_start_mib": (started - before) / 2**20,
            "connections": len(senders),
            "memory_with_them_mib": (logged_in - before) / 2**20,
            "login_ms": statistics.median(logins),
            "append_first_us": statistics.median(cold),
            "append_us": statistics.median(warm),
            "read_100_us": statistics.median(reads),
            "memory_at_end_mib": (resident() - before) / 2**20,
        }
        running.reader.close()
        running.database.close()
        return result


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--accounts", type=int, default=100_000)
    parser.add_argument("--rooms", type=int, default=10_000)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    results = [
        measure("small", 1_000, 100, 10_000),
        measure("large", arguments.accounts, arguments.rooms, arguments.entries),
    ]
    if arguments.json:
        print(json.dumps(results, indent=2))
        return
    for key in results[0]:
        values = [f"{r[key]:>12.2f}" if isinstance(r[key], float) else f"{r[key]!s:>12}" for r in results]
        print(f"{key:24}", *values)


if __name__ == "__main__":
    main()
