"""Nothing acknowledged is lost: real clients against the real relay, which is killed with SIGKILL again and again.

    python -m tests.e2e.kill_campaign --kills 200

Members append, repeat what was not answered under the same append id, acknowledge and reconnect; one of them commits
additions with their Welcomes. An auditor that never acknowledges keeps the whole log. At the end:

1. every acknowledged append is in the log exactly once, under the sequence number that was acknowledged;
2. the log has no gap and no append id twice, and each sender's entries stand in the order of its counters;
3. every member was delivered every entry, exactly once after deduplication by append id, in order;
4. every commit in the log has its Welcome in the inbox of the device it added, and there is no other Welcome.
"""

import argparse
import random
import ssl
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from secure_chat.errors import SecureChatError
from secure_chat.wire.errors import ErrorCode
from secure_chat.wire.messages import (
    Append,
    Appended,
    ChannelChange,
    Entry,
    EntryKind,
    Error,
    MemberDevice,
    ServerMessage,
    Welcome,
)
from tests.relay_client import Closed, Person, RelayClient
from tests.relay_process import RelayProcess

__all__ = ["Report", "campaign"]

MEMBERS = 6
PIPELINE = 8
"""Appends that a member has under way."""
PAUSE = 0.02
"""Seconds between a member's bursts: the whole log must fit in memory at the end."""
NEWCOMERS = 400
"""Devices that may be added; a campaign that needs more stops adding."""
LIMITS = {
    "limits.requests_per_second": 1_000_000,
    "limits.requests_burst": 1_000_000,
    "limits.channel_entries": 1 << 40,
    "limits.channel_bytes": 1 << 50,
    "limits.commits_per_minute": 1_000_000,
    "limits.commits_burst": 1_000_000,
    "limits.failures_burst": 1_000_000,
    "limits.registrations_burst": 1_000_000,
    "network.login_time": 30,
}
TROUBLE = (Closed, OSError, ssl.SSLError, TimeoutError, SecureChatError)
"""What a killed relay looks like from outside."""


@dataclass
class Report:
    """What a campaign saw."""

    kills: int
    appends: int = 0
    acknowledged: int = 0
    repeats: int = 0
    deliveries: int = 0
    redeliveries: int = 0
    commits: int = 0
    connections: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        return (
            f"{self.kills} kills in {self.seconds:.0f} s: {self.appends} appends, {self.acknowledged} acknowledged, "
            f"{self.repeats} repeated, {self.commits} commits with Welcomes, {self.deliveries} deliveries and "
            f"{self.redeliveries} redeliveries on {self.connections} connections; nothing lost, nothing twice"
        )


@dataclass
class Member:
    """A device that appends and listens through every crash; one thread runs it."""

    person: Person
    relay: RelayProcess
    room: bytes
    start: int
    """The entry after which it listens."""
    stop: threading.Event
    newcomers: list[Person] = field(default_factory=list)
    """Of the one that commits: whom it adds next."""
    seconds: random.Random = field(default_factory=random.Random)
    waiting: dict[int, Append] = field(default_factory=dict)
    """Appends without an answer, by counter."""
    acknowledged: dict[int, int] = field(default_factory=dict)
    """Sequence numbers by counter."""
    delivered: list[Entry] = field(default_factory=list)
    redelivered: int = 0
    repeats: int = 0
    connections: int = 0
    position: int = 0
    head: int = 0
    requests: dict[int, int] = field(default_factory=dict)
    """Counters by request id, on this connection."""
    failure: BaseException | None = None

    def __post_init__(self) -> None:
        self.position = self.head = self.start

    def run(self) -> None:
        try:
            while not (self.stop.is_set() and not self.waiting):
                try:
                    self.session()
                except TROUBLE:
                    time.sleep(0.02)  # the relay is being started again
        except BaseException as error:
            self.failure = error

    def session(self) -> None:
        """One connection, until it breaks or everything is done."""
        with self.relay.connect(timeout=10.0) as client:
            client.enter(self.person)
            self.connections += 1
            self.requests = {}
            # As after a crash of its own: what it had written last may be gone, so some entries come again.
            client.subscribe((self.room, max(self.start, self.position - self.seconds.randrange(20))))
            for append in self.waiting.values():
                self.send(client, append)
                self.repeats += 1
            acked = 0.0
            while not (self.stop.is_set() and not self.waiting):
                while len(self.waiting) < PIPELINE and not self.stop.is_set():
                    self.send(client, self.next_append(client))
                client.pump(0.05)
                time.sleep(PAUSE)
                messages, client.inbox = client.inbox, []
                for message in messages:
                    self.take(message)
                if time.monotonic() - acked > 0.1:
                    acked = time.monotonic()
                    client.ack((self.room, self.position))

    def next_append(self, client: RelayClient) -> Append:
        committing = any(append.kind is EntryKind.COMMIT for append in self.waiting.values())
        if self.newcomers and not committing and self.seconds.random() < 0.2:
            newcomer = self.newcomers.pop()
            base = client.append_message(self.room, b"commit", kind=EntryKind.COMMIT, head=self.head)
            welcome = Welcome(b"welcome " + newcomer.handle.encode(), (newcomer.device_id,))
            return Append(
                base.id, base.channel, base.counter, base.kind, base.head, base.payload,
                ChannelChange(add=(newcomer.member,)), (welcome,),
            )  # fmt: skip
        payload = f"{self.person.handle} {self.person.counter + 1}".encode()
        return client.append_message(self.room, payload, head=self.head)

    def send(self, client: RelayClient, append: Append) -> None:
        request = client.next_id()
        again = Append(
            request, append.channel, append.counter, append.kind, append.head, append.payload, append.change,
            append.welcomes,
        )  # fmt: skip
        self.requests[request] = append.counter
        self.waiting[append.counter] = append
        client.send(again)

    def take(self, message: ServerMessage) -> None:
        if isinstance(message, Entry) and message.channel == self.room:
            if message.seq <= self.position:
                self.redelivered += 1
                assert message == self.delivered[message.seq - self.start - 1], "redelivered otherwise than before"
                return
            assert message.seq == self.position + 1, f"a gap after {self.position}: {message.seq}"
            self.position = message.seq
            self.delivered.append(message)
            if message.kind in (EntryKind.COMMIT, EntryKind.FOUNDING):
                self.head = message.seq
        elif isinstance(message, Appended):
            counter = self.requests.pop(message.id)
            first = self.acknowledged.setdefault(counter, message.seq)
            assert first == message.seq, f"append {counter} acknowledged as {first} and as {message.seq}"
            self.waiting.pop(counter, None)
        elif isinstance(message, Error) and message.id in self.requests:
            counter = self.requests.pop(message.id)
            refused = self.waiting.pop(counter)
            assert message.code in (ErrorCode.STALE, ErrorCode.CONFLICT, ErrorCode.RESERVED), message
            self.head = max(self.head, message.head)
            if refused.change is not None:
                self.newcomers.append(newcomer_of(refused))


NEWCOMER_BY_DEVICE: dict[bytes, Person] = {}


def newcomer_of(append: Append) -> Person:
    assert append.change is not None
    return NEWCOMER_BY_DEVICE[append.change.add[0].device]


def campaign(folder: Path, kills: int, seed: int) -> Report:
    """Runs it; AssertionError for any promise broken."""
    chance = random.Random(seed)
    started = time.monotonic()
    relay = RelayProcess(folder, settings=LIMITS)
    relay.start()
    try:
        return _campaign(relay, kills, chance, started)
    finally:
        if relay.alive:
            relay.kill()


def _campaign(relay: RelayProcess, kills: int, chance: random.Random, started: float) -> Report:
    token = relay.invite(uses=10_000)
    people = [Person(f"member{number}") for number in range(MEMBERS)]
    auditor = Person("auditor")
    newcomers = [Person(f"newcomer{number}") for number in range(min(NEWCOMERS, 20 + kills * 10))]
    for person in (*people, auditor, *newcomers):
        relay.enter(person, token).close()
        NEWCOMER_BY_DEVICE[person.device_id] = person
    with relay.enter(people[0]) as founder:
        room = founder.create_room().summary.channel
        others: list[MemberDevice] = [person.member for person in (*people[1:], auditor)]
        head = founder.append(room, b"founding", kind=EntryKind.FOUNDING, add=others).head

    stop = threading.Event()
    members = [Member(person, relay, room, head, stop) for person in people]
    for member in members:
        member.seconds.seed(chance.random())
    members[0].newcomers = list(newcomers)
    threads = [threading.Thread(target=member.run, daemon=True) for member in members]
    for thread in threads:
        thread.start()
    port = relay.address[1]
    for _ in range(kills):
        time.sleep(chance.uniform(0.05, 0.9))
        relay.kill()
        assert not [line for line in relay.log if line["level"] in ("error", "raw")], relay.log
        relay.log.clear()
        relay.start(port=port)
    time.sleep(0.3)
    stop.set()
    for member, thread in zip(members, threads, strict=True):
        thread.join(60)
        assert not thread.is_alive(), "a member did not finish"
        if member.failure is not None:
            raise member.failure
    report = Report(kills, seconds=time.monotonic() - started)
    _check(relay, report, members, auditor, room, head)
    return report


def _check(relay: RelayProcess, report: Report, members: list[Member], auditor: Person, room: bytes, head: int) -> None:
    with relay.enter(auditor) as client:
        client.subscribe((room, 0))
        last = client.caught_up(room)
        log = [message for message in client.inbox if isinstance(message, Entry) and message.channel == room]

    assert [entry.seq for entry in log] == list(range(1, last + 1)), "the log has a gap or a repetition"
    ids = Counter((entry.store, entry.counter) for entry in log)
    assert max(ids.values()) == 1, "an append id stands in the log twice"
    by_id = {(entry.store, entry.counter): entry for entry in log}
    for member in members:
        store = member.person.store
        for counter, seq in member.acknowledged.items():
            entry = by_id.get((store, counter))
            assert entry is not None, f"acknowledged append {counter} of {member.person.handle} is lost"
            assert entry.seq == seq, f"append {counter} was acknowledged as {seq} and is {entry.seq}"
        applications = [entry.counter for entry in log if entry.store == store and entry.kind is EntryKind.APPLICATION]
        report.appends += member.person.counter
        report.acknowledged += len(member.acknowledged)
        report.repeats += member.repeats
        report.connections += member.connections
        report.redeliveries += member.redelivered
        assert len(applications) == len(set(applications))

    tail = {entry.seq: entry for entry in log}
    for member in members:
        with relay.enter(member.person) as client:
            client.subscribe((room, member.position))
            client.caught_up(room)
            for message in client.inbox:
                member.take(message)
        report.deliveries += len(member.delivered)
        assert [entry.seq for entry in member.delivered] == list(range(head + 1, last + 1))
        assert all(tail[entry.seq] == entry for entry in member.delivered), "delivered otherwise than stored"

    commits = [entry for entry in log if entry.kind is EntryKind.COMMIT]
    report.commits = len(commits)
    added = {entry.added[0].device: entry.seq for entry in commits}
    assert len(added) == len(commits)
    for device, person in NEWCOMER_BY_DEVICE.items():
        if not person.handle.startswith("newcomer"):
            continue
        with relay.enter(person) as client:
            inbox = client.login_answer.inbox.channel
            client.subscribe((inbox, 0))
            client.caught_up(inbox)
            welcomes = [message for message in client.inbox if isinstance(message, Entry) and message.channel == inbox]
            joined = [summary.joined for summary in client.login_answer.channels if summary.channel == room]
        if device in added:
            assert [welcome.origin for welcome in welcomes] == [(room, added[device])], "a commit without its Welcome"
            assert joined == [added[device]]
        else:
            assert not welcomes, "a Welcome without its commit"
            assert not joined
    assert not [line for line in relay.drain_log() if line["level"] in ("error", "raw")], relay.log


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=None)
    arguments = parser.parse_args()
    seed = random.SystemRandom().randrange(1 << 32) if arguments.seed is None else arguments.seed
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        print(campaign(Path(folder), arguments.kills, seed))


if __name__ == "__main__":
    main()
