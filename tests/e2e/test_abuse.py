"""What hostile clients may try: each attempt has a bound and a typed answer, and an honest pair goes on beside it.

The honest pair's latency is measured during every attack and shown with `pytest -s`; the tests only require that every
message arrives, well within the time after which a person would give up.
"""

import contextlib
import socket
import statistics
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from secure_chat.wire.errors import ErrorCode, RelayError
from secure_chat.wire.framing import encode_frame
from secure_chat.wire.messages import (
    Accounts,
    Append,
    Appended,
    CaughtUp,
    ChannelChange,
    ClaimKeyPackages,
    Entry,
    EntryKind,
    Error,
    KeyPackages,
    Lookup,
    Ok,
    Ping,
    Pong,
    PublishKeyPackages,
    Welcome,
)
from tests.relay_client import Closed, Person, RelayClient
from tests.relay_process import RelayProcess, running, wait_until

MALLORY = "127.0.0.66"
"""Where the attacks come from."""
PATIENCE = 10.0
"""Seconds for an honest message during an attack on a busy test machine."""
STRICT = {
    "metrics": "127.0.0.1:0",
    "network.half_open": 48,
    "network.half_open_per_address": 32,
    "network.connections_per_address": 40,
    "network.handshake_time": 4,
    "network.login_time": 4,
    "limits.requests_per_second": 200,
    "limits.requests_burst": 400,
    "limits.failures_per_minute": 5,
    "limits.failures_burst": 5,
    "limits.lookups_per_minute": 30,
    "limits.lookups_burst": 30,
    "limits.claims_per_pair_burst": 3,
    "limits.inbox_entries_per_sender": 3,
    "limits.commits_burst": 100,
    "limits.account_bytes_burst": 20_000_000,
    "limits.account_bytes_per_hour": 1000,
}


class HonestPair:
    """Two people who keep talking; every message must arrive."""

    def __init__(self, relay: RelayProcess) -> None:
        token = relay.invite()
        self.alice, self.bob = Person("alice"), Person("bob")
        self._hers = relay.enter(self.alice, token)
        self._his = relay.enter(self.bob, token)
        room = self._hers.create_room().summary.channel
        self._room = room
        self._head = self._hers.append(room, b"founding", kind=EntryKind.FOUNDING, add=[self.bob.member]).head
        self._his.wait(CaughtUp, lambda message: message.channel == room)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._talk, daemon=True)
        self.latencies: list[float] = []
        self._failure: BaseException | None = None
        self._thread.start()

    def _talk(self) -> None:
        try:
            number = 0
            while not self._stop.is_set():
                number += 1
                payload = b"message %d" % number
                started = time.monotonic()
                self._hers.append(self._room, payload, head=self._head)
                self._his.wait(Entry, partial(_carries, payload))
                self.latencies.append(time.monotonic() - started)
                self._stop.wait(0.01)
        except BaseException as error:
            self._failure = error

    def mark(self) -> int:
        """A moment from which `report` counts."""
        return len(self.latencies)

    def report(self, since: int, attack: str) -> None:
        """Shows the latencies since then; everything must have arrived in time."""
        wait_until(lambda: len(self.latencies) >= since + 5 or self._failure is not None, "honest messages go on")
        if self._failure is not None:
            raise self._failure
        found = self.latencies[since:]
        middle, worst = statistics.median(found), max(found)
        print(f"\n{attack}: honest messages {len(found)}, p50 {middle * 1e3:.1f} ms, worst {worst * 1e3:.1f} ms")
        assert worst < PATIENCE

    def close(self) -> None:
        self._stop.set()
        self._thread.join(30)
        self._hers.close()
        self._his.close()
        if self._failure is not None:
            raise self._failure


def _carries(payload: bytes, entry: Entry) -> bool:
    return entry.payload == payload


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelayProcess]:
    with running(tmp_path_factory.mktemp("abuse"), settings=STRICT) as started:
        yield started


@pytest.fixture(scope="module")
def pair(relay: RelayProcess) -> Iterator[HonestPair]:
    made = HonestPair(relay)
    yield made
    made.close()


@pytest.fixture
def honest(pair: HonestPair, request: pytest.FixtureRequest) -> Iterator[HonestPair]:
    since = pair.mark()
    yield pair
    pair.report(since, request.node.name)


@pytest.fixture(scope="module")
def mallory(relay: RelayProcess) -> Person:
    person = Person("mallory")
    relay.enter(person, relay.invite(), source=MALLORY).close()
    return person


def plain(relay: RelayProcess, source: str) -> socket.socket:
    return socket.create_connection(relay.address, 10, (source, 0))


def ended(stalled: socket.socket) -> bool:
    """The other side has closed it."""
    stalled.settimeout(0.001)
    try:
        return stalled.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


def test_stalled_handshakes_give_way_to_newer_ones(relay: RelayProcess, honest: HonestPair) -> None:
    """Slowloris: past the bound the oldest go, and an honest client still gets in, from the same address too."""
    stalled = [plain(relay, MALLORY) for _ in range(60)]
    wait_until(lambda: sum(map(ended, stalled)) >= 60 - 32, "the oldest half-open connections are closed")
    assert not ended(stalled[-1])
    for source in ("127.0.0.1", MALLORY):
        with relay.connect(source=source) as client:
            client.hello()
    for connection in stalled:
        connection.close()


def test_half_open_connections_from_many_addresses_are_bounded_too(relay: RelayProcess, honest: HonestPair) -> None:
    """The bound in all."""
    stalled = [plain(relay, f"127.0.1.{number}") for number in range(1, 101)]
    wait_until(lambda: sum(map(ended, stalled)) >= 100 - 48, "the oldest half-open connections are closed")
    with relay.connect() as client:
        client.hello()
    for connection in stalled:
        connection.close()


def test_a_handshake_has_a_deadline(relay: RelayProcess, honest: HonestPair) -> None:
    """A byte now and then doesn't prolong it."""
    with plain(relay, MALLORY) as stalled:
        hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(400)
        started = time.monotonic()
        with contextlib.suppress(OSError):
            for byte in hello:
                stalled.send(bytes([byte]))
                if ended(stalled) or time.monotonic() - started > 30:
                    break
                time.sleep(0.05)
        assert time.monotonic() - started < 20


def test_connections_of_one_address_are_bounded(relay: RelayProcess, honest: HonestPair) -> None:
    """One more than allowed is told so, with when to come back."""
    clients = [relay.connect(source=MALLORY) for _ in range(40)]
    for client in clients:
        client.hello()
    with relay.connect(source=MALLORY) as surplus:
        answer = surplus.wait(Error)
        assert (answer.code, answer.retry_after > 0) == (ErrorCode.BUSY, True)
        surplus.wait_for_end()
    for client in clients:
        client.close()


def test_who_does_not_log_in_is_told_and_closed(relay: RelayProcess, honest: HonestPair) -> None:
    """A connection without login has a deadline."""
    with relay.connect(source=MALLORY) as idle:
        idle.hello()
        assert idle.wait(Error).code is ErrorCode.UNAUTHENTICATED
        idle.wait_for_end()


def test_an_oversized_frame_is_refused_by_its_length(relay: RelayProcess, honest: HonestPair, mallory: Person) -> None:
    """Strangers get 16 KiB, members 8 MiB; nothing is read of what is longer."""
    with relay.connect(source=MALLORY) as stranger:
        stranger.send_bytes((16 * 1024 + 1).to_bytes(4, "big"))
        assert stranger.wait(Error).code is ErrorCode.TOO_LARGE
        stranger.wait_for_end()
    with relay.enter(mallory, source=MALLORY) as member:
        member.send_bytes((8 * 1024 * 1024 + 1).to_bytes(4, "big"))
        assert member.wait(Error).code is ErrorCode.TOO_LARGE
        member.wait_for_end()


def test_an_oversized_message_is_refused_and_the_connection_goes_on(
    relay: RelayProcess, honest: HonestPair, mallory: Person
) -> None:
    """A payload above its kind's limit is an answer, no end."""
    with relay.enter(mallory, source=MALLORY) as member:
        room = member.create_room().summary.channel
        head = member.append(room, b"founding", kind=EntryKind.FOUNDING).head
        with pytest.raises(RelayError) as refusal:
            member.append(room, bytes(64 * 1024 + 1), head=head)
        assert refusal.value.code is ErrorCode.TOO_LARGE
        assert member.append(room, bytes(64 * 1024), head=head).seq


def test_malformed_frames_end_only_their_connection(relay: RelayProcess, honest: HonestPair, mallory: Person) -> None:
    """A typed error, then the end."""
    with relay.enter(mallory, source=MALLORY) as member:
        member.send_bytes(b"\x00\x00\x00\x03\x92\xa1x")
        assert member.wait(Error).code is ErrorCode.MALFORMED
        member.wait_for_end()


def test_a_flood_of_requests_is_slowed_down(relay: RelayProcess, honest: HonestPair, mallory: Person) -> None:
    """`rate_limited` with when to retry; who never listens is closed."""
    with relay.enter(mallory, source=MALLORY) as member:
        with contextlib.suppress(Closed):
            for block in range(20):
                member.send_bytes(b"".join(encode_frame(Ping(block * 500 + number)) for number in range(500)))
        with contextlib.suppress(Closed, TimeoutError):
            while member.pump(1.0):
                pass
        refused = [message for message in member.inbox if isinstance(message, Error)]
        assert refused
        assert {answer.code for answer in refused} == {ErrorCode.RATE_LIMITED}
        assert all(answer.retry_after > 0 for answer in refused)
        assert len([message for message in member.inbox if isinstance(message, Pong)]) < 5_000


def test_a_reader_that_stalls_costs_the_others_nothing(relay: RelayProcess, honest: HonestPair) -> None:
    """Its memory is bounded, the others get everything at once, and later it gets everything too."""
    token = relay.invite()
    sender, slow, quick = Person("sender"), Person("slow"), Person("quick")
    with (
        relay.enter(sender, token, source=MALLORY) as theirs,
        relay.enter(slow, token, source=MALLORY) as stalled,
        relay.enter(quick, token, source=MALLORY) as reading,
    ):
        room = theirs.create_room().summary.channel
        head = theirs.append(room, b"founding", kind=EntryKind.FOUNDING, add=[slow.member, quick.member]).head
        count, before, falls = 250, resident(relay), relay.metric("fallbacks_total")
        for number in range(count):
            theirs.append(room, b"%06d" % number + bytes(60_000), head=head)
        reading.entries(room, count + 1)
        grown = resident(relay) - before
        print(f"\n{count * 60} kB for a stalled reader cost {grown / 1e6:.1f} MB, the database's cache included")
        assert relay.metric("fallbacks_total") > falls, "the stalled reader was moved from memory to the log"
        numbers = [int(entry.payload[:6]) for entry in stalled.entries(room, count + 1)[1:]]
        assert numbers == list(range(count))


def resident(relay: RelayProcess) -> int:
    """Bytes of memory that the relay holds; 0 where the system doesn't tell."""
    try:
        return int(Path(f"/proc/{relay.pid}/statm").read_text().split()[1]) * 4096
    except OSError:
        return 0


def test_key_packages_cannot_be_drained(relay: RelayProcess, honest: HonestPair, mallory: Person) -> None:
    """After a few, one requester gets only the last resort or has to wait; the others' stay."""
    victim = Person("victim")
    with relay.enter(victim, relay.invite()) as target:
        packages = tuple(b"package %d" % number for number in range(20))
        target.ask(PublishKeyPackages(target.next_id(), 3, packages, b"last resort"), Ok)
    taken: set[bytes] = set()
    with relay.enter(mallory, source=MALLORY) as member:
        for _ in range(30):
            request = ClaimKeyPackages(member.next_id(), 3, (victim.account.public,))
            member.send(request)
            answer = member.answer_or_error(request.id)
            if isinstance(answer, KeyPackages):
                taken |= {claimed.package for claimed in answer.packages if not claimed.last_resort}
            else:
                assert isinstance(answer, Error)
                assert (answer.code, answer.retry_after > 0) == (ErrorCode.RATE_LIMITED, True)
    assert len(taken) == 3
    with relay.enter(victim) as target:
        assert target.login_answer.key_packages == ((3, 17),)


def test_an_inbox_cannot_be_flooded_by_one_sender(relay: RelayProcess, honest: HonestPair, mallory: Person) -> None:
    """Welcomes from one account are counted; past the quota the whole commit is refused."""
    victim = Person("victim2")
    relay.enter(victim, relay.invite()).close()
    with relay.enter(mallory, source=MALLORY) as member:
        answers: list[object] = []
        for _ in range(5):
            room = member.create_room().summary.channel
            head = member.append(room, b"founding", kind=EntryKind.FOUNDING).head
            base = member.append_message(room, b"commit", kind=EntryKind.COMMIT, head=head)
            commit = Append(
                base.id, room, base.counter, base.kind, head, base.payload, ChannelChange(add=(victim.member,)),
                (Welcome(b"welcome", (victim.device_id,)),),
            )  # fmt: skip
            member.send(commit)
            answers.append(member.answer_or_error(commit.id))
        accepted = [answer for answer in answers if isinstance(answer, Appended)]
        refused = [answer for answer in answers if isinstance(answer, Error)]
        assert len(accepted) == 3
        assert {answer.code for answer in refused} == {ErrorCode.QUOTA}
    with relay.enter(victim) as target:
        assert target.login_answer.inbox.last == 3
        assert len(target.login_answer.channels) == 3


def attempts(relay: RelayProcess, source: str, attempt: object, count: int) -> list[ErrorCode]:
    """The refusals of so many tries from one address."""
    assert callable(attempt)
    codes: list[ErrorCode] = []
    for number in range(count):
        with relay.connect(source=source) as client:
            client.hello()
            with pytest.raises(RelayError) as refusal:
                attempt(client, number)
            codes.append(refusal.value.code)
            if refusal.value.code is ErrorCode.RATE_LIMITED:
                assert refusal.value.retry_after > 0
    return codes


def test_tokens_cannot_be_guessed(relay: RelayProcess, honest: HonestPair) -> None:
    """After a few wrong ones the address has to wait; others don't."""
    guesser = Person("guesser")
    source = "127.0.0.67"

    def guess(client: RelayClient, number: int) -> None:
        client.register(guesser, f"AAAAAAAAAAAAAAAAAAAA{number:02}")

    codes = attempts(relay, source, guess, 8)
    assert codes[:5] == [ErrorCode.TOKEN_INVALID] * 5
    assert set(codes[6:]) == {ErrorCode.RATE_LIMITED}
    relay.enter(Person("newcomer"), relay.invite()).close()


def test_foreign_devices_cannot_be_tried(relay: RelayProcess, honest: HonestPair) -> None:
    """Logins with wrong signatures count the same."""
    forger = Person("alice", account=honest.alice.account)

    def forge(client: RelayClient, number: int) -> None:
        client.server_nonce = bytes(32)
        client.login(forger)

    codes = attempts(relay, "127.0.0.68", forge, 8)
    assert codes[:5] == [ErrorCode.UNAUTHENTICATED] * 5
    assert set(codes[6:]) == {ErrorCode.RATE_LIMITED}


def test_accounts_cannot_be_enumerated(relay: RelayProcess, honest: HonestPair, mallory: Person) -> None:
    """Names that don't exist use up the credit five times as fast."""
    with relay.enter(mallory, source=MALLORY) as member:
        answers: list[object] = []
        for number in range(30):
            request = Lookup(member.next_id(), (f"guess{number}",))
            member.send(request)
            answers.append(member.answer_or_error(request.id))
        assert len([answer for answer in answers if isinstance(answer, Accounts)]) <= 6
        refused = [answer for answer in answers if isinstance(answer, Error)]
        assert {(answer.code, answer.retry_after > 0) for answer in refused} == {(ErrorCode.RATE_LIMITED, True)}


def test_one_account_cannot_fill_the_disk(relay: RelayProcess, honest: HonestPair) -> None:
    """Bytes sent are counted by account; the answer says when there is credit again."""
    filler = Person("filler")
    with relay.enter(filler, relay.invite(), source=MALLORY) as member:
        room = member.create_room().summary.channel
        head = member.append(room, b"founding", kind=EntryKind.FOUNDING).head
        sent = 0
        answer: object = None
        while not isinstance(answer, Error) and sent < 100_000_000:
            request = member.append_message(room, bytes(60_000), head=head)
            member.send(request)
            answer = member.answer_or_error(request.id)
            sent += 60_000
        assert isinstance(answer, Error)
        assert (answer.code, answer.retry_after > 0) == (ErrorCode.QUOTA, True)
        assert sent <= 20_000_000 + 60_000


def test_writes_are_refused_before_the_disk_is_full(tmp_path: Path) -> None:
    """Below the reserve every write is refused by name, and reading goes on."""
    alice = Person("alice")
    with running(tmp_path) as relay, relay.enter(alice, relay.invite()) as client:
        room = client.create_room().summary.channel
        head = client.append(room, b"founding", kind=EntryKind.FOUNDING).head
    with running(tmp_path, settings={"limits.disk_reserve": 1 << 60}) as relay, relay.enter(alice) as client:
        with pytest.raises(RelayError) as refusal:
            client.append(room, b"more", head=head)
        assert refusal.value.code is ErrorCode.DISK_FULL
        client.subscribe((room, 0))
        assert client.entries(room, 1)[0].payload == b"founding"
