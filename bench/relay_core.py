"""What an application append costs the relay's core and its storage, without sockets: `python -m bench.relay_core`.

Ten senders in one room of a hundred devices, 512-byte payloads, every check on and everything committed to disk
(`synchronous=FULL`). Prints microseconds per append by batch size: wall time, and processor time of the process.
"""

import argparse
import cProfile
import json
import pstats
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from secure_chat.identity import certificate as certificates
from secure_chat.identity.keys import AccountKey, DeviceKey, DirectoryKey
from secure_chat.identity.login import sign_login
from secure_chat.server.core.effects import Connected, Input, Output, Received, Reply, Tick
from secure_chat.server.core.relay import Relay
from secure_chat.server.core.settings import Settings
from secure_chat.server.core.storage import AccountRecord
from secure_chat.server.storage.database import Database
from secure_chat.wire.framing import HEADER_LENGTH, decode_server_message
from secure_chat.wire.messages import (
    Ack,
    Append,
    ChannelChange,
    ChannelInfo,
    ChannelKind,
    ClientMessage,
    CreateChannel,
    EntryKind,
    Hello,
    HelloAck,
    Login,
    MemberDevice,
)

MEMBERS = 100
SENDERS = 10
PAYLOAD = bytes(512)
CERTIFICATE_HASH = bytes(32)
SETTINGS = Settings(
    requests_per_second=1_000_000,
    requests_burst=1_000_000,
    account_bytes_per_hour=1 << 50,
    account_bytes_burst=1 << 50,
    channel_entries=1_000_000,
)


@dataclass
class Device:
    """A logged-in device, and how far its counter is."""

    connection: int
    member: MemberDevice
    counter: int = 0


class Bench:
    """A relay with rooms full of devices."""

    def __init__(self, path: Path, rooms: int, members: int) -> None:
        self.database = Database(path / "relay.db")
        self.relay = Relay(SETTINGS, DirectoryKey(bytes(32)), lambda count: next(self._ids).to_bytes(count, "big"))
        self._ids = iter(range(1, 1 << 40))
        self.now = 1_700_000_000_000
        self.rooms: list[tuple[bytes, list[Device]]] = []
        number = 0
        for _ in range(rooms):
            devices = []
            for _ in range(members):
                number += 1
                devices.append(self._log_in(number))
            self.rooms.append((self._found(devices), devices))

    def step(self, batch: list[Input]) -> list[Output]:
        with self.database.transaction() as transaction:
            return self.relay.handle(batch, transaction, self.now).outputs

    def _ask(self, connection: int, message: ClientMessage) -> object:
        for output in self.step([Received(connection, message)]):
            if isinstance(output, Reply) and output.connection == connection:
                return decode_server_message(output.frame[HEADER_LENGTH:])
        return None

    def _log_in(self, number: int) -> Device:
        account = AccountKey(number.to_bytes(32, "big"))
        key = DeviceKey((number + (1 << 32)).to_bytes(32, "big"))
        device_id = number.to_bytes(16, "big")
        with self.database.transaction() as transaction:
            transaction.directory.put_account(AccountRecord(account.public, f"user{number}", b"binding", self.now))
        self.step([Connected(number, CERTIFICATE_HASH, "127.0.0.1")])
        hello = self._ask(number, Hello((1,), (), bytes(32)))
        assert isinstance(hello, HelloAck)
        certificate = certificates.issue(
            account,
            handle=f"user{number}",
            device_key=key.public,
            device_id=device_id,
            serial=1,
            issued=self.now // 1000 - 1,
            expires=self.now // 1000 + 100_000,
        )
        signature = sign_login(
            key,
            device_id=device_id,
            store_id=device_id,
            client_nonce=bytes(32),
            server_nonce=hello.nonce,
            server_certificate=CERTIFICATE_HASH,
        )
        self._ask(number, Login(1, certificate.encode(), device_id, signature))
        return Device(number, MemberDevice(device_id, account.public))

    def _found(self, devices: list[Device]) -> bytes:
        first = devices[0]
        info = self._ask(first.connection, CreateChannel(2, ChannelKind.ROOM))
        assert isinstance(info, ChannelInfo)
        channel = info.summary.channel
        for head, start in enumerate(range(0, len(devices), 50)):
            first.counter += 1
            change = ChannelChange(add=tuple(device.member for device in devices[start : start + 50]))
            kind = EntryKind.FOUNDING if head == 0 else EntryKind.COMMIT
            self._ask(first.connection, Append(3, channel, first.counter, kind, head, b"commit", change))
        return channel

    def batch(self, size: int, senders: int) -> list[Input]:
        """Application entries, in turn from every sender of every room."""
        inputs: list[Input] = []
        for index in range(size):
            channel, devices = self.rooms[index % len(self.rooms)]
            device = devices[index // len(self.rooms) % senders]
            device.counter += 1
            head = (len(devices) + 49) // 50
            message = Append(4, channel, device.counter, EntryKind.APPLICATION, head, PAYLOAD)
            inputs.append(Received(device.connection, message))
        return inputs

    def acknowledge(self) -> None:
        """Every member acknowledges everything; the next tick stores the cursors and deletes the entries."""
        for channel, devices in self.rooms:
            self.step([Received(device.connection, Ack(((channel, 1 << 40),))) for device in devices])
        self.now += 1000
        self.step([Tick()])


def measure(bench: Bench, size: int, senders: int, total: int) -> dict[str, float]:
    """Microseconds per append in batches of this size, and per entry for acknowledging and deleting them."""
    batches = [bench.batch(size, senders) for _ in range(max(1, total // size))]
    count = sum(map(len, batches))
    wall, processor = time.perf_counter(), time.process_time()
    for batch in batches:
        bench.step(batch)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    deleting = time.process_time()
    bench.acknowledge()
    deleting = time.process_time() - deleting
    return {
        "batch": size,
        "wall_us": wall / count * 1e6,
        "processor_us": processor / count * 1e6,
        "deletion_us": deleting / count * 1e6,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--appends", type=int, default=20_000, help="for each batch size")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--profile", action="store_true", help="show where the time of batches of 100 goes")
    arguments = parser.parse_args()
    results: list[dict[str, float | str]] = []
    for name, rooms, members, senders in (
        (f"1 room, {SENDERS} senders × {MEMBERS} members", 1, MEMBERS, SENDERS),
        ("50 pairs", 50, 2, 2),
    ):
        with tempfile.TemporaryDirectory() as directory:
            bench = Bench(Path(directory), rooms, members)
            measure(bench, 100, senders, 2_000)
            if arguments.profile:
                profile = cProfile.Profile()
                batches = [bench.batch(100, senders) for _ in range(arguments.appends // 100)]
                profile.enable()
                for batch in batches:
                    bench.step(batch)
                profile.disable()
                print(name)
                pstats.Stats(profile).sort_stats("tottime").print_stats(18)
                bench.acknowledge()
            for size in (1, 10, 50, 100, 500):
                results.append({"work": name} | measure(bench, size, senders, min(arguments.appends, size * 2_000)))
            bench.database.close()
    if arguments.json:
        print(json.dumps(results, indent=2))
        return
    print(f"{'work':36} {'batch':>6} {'wall µs':>9} {'CPU µs':>9} {'deletion µs':>12}")
    for result in results:
        print(
            f"{result['work']:36} {result['batch']:6} {result['wall_us']:9.2f} {result['processor_us']:9.2f} "
            f"{result['deletion_us']:12.2f}"
        )


if __name__ == "__main__":
    main()
