"""The whole relay, as a process, over real TLS: what every client relies on."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_chat.wire.errors import ErrorCode, RelayError
from secure_chat.wire.messages import EntryKind, Goodbye
from tests.relay_client import Person
from tests.relay_process import RelayProcess, running


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[RelayProcess]:
    with running(tmp_path) as started:
        yield started


def test_a_message_reaches_the_other_member_and_is_acknowledged(relay: RelayProcess) -> None:
    """Register, make a room, add somebody, talk."""
    token = relay.invite()
    alice, bob = Person("alice"), Person("bob")
    with relay.enter(alice, token) as hers, relay.enter(bob, token) as his:
        room = hers.create_room().summary.channel
        founded = hers.append(room, b"founding", kind=EntryKind.FOUNDING, add=[bob.member])
        added = his.entries(room, 1)
        assert added[0].payload == b"founding"
        hers.subscribe((room, 0))
        result = hers.append(room, b"hello", head=founded.head)
        assert his.entries(room, 1)[0].payload == b"hello"
        assert [entry.seq for entry in hers.entries(room, 2)] == [founded.seq, result.seq]


def test_everything_after_a_position_is_delivered_on_the_next_connection(relay: RelayProcess) -> None:
    """A device that was away catches up from its own store's position, in order."""
    token = relay.invite()
    alice, bob = Person("alice"), Person("bob")
    with relay.enter(alice, token) as hers:
        with relay.enter(bob, token):
            pass
        room = hers.create_room().summary.channel
        head = hers.append(room, b"founding", kind=EntryKind.FOUNDING, add=[bob.member]).head
        for number in range(50):
            hers.append(room, b"%d" % number, head=head)
    with relay.enter(bob) as his:
        his.subscribe((room, head + 10))
        assert [entry.payload for entry in his.entries(room, 40)] == [b"%d" % number for number in range(10, 50)]
        assert his.caught_up(room) == head + 50


def test_a_request_before_login_is_refused_by_name(relay: RelayProcess) -> None:
    """The typed answer, on the same connection."""
    with relay.connect() as client:
        client.hello()
        with pytest.raises(RelayError) as refusal:
            client.create_room()
        assert refusal.value.code is ErrorCode.UNEXPECTED


def test_a_stop_says_goodbye_and_ends_in_time(relay: RelayProcess) -> None:
    """SIGTERM: clients are told when to come back, exit code 0."""
    with relay.enter(Person("alice"), relay.invite()) as client:
        relay.signal(signal.SIGTERM)
        goodbye = client.wait(Goodbye)
        assert goodbye.retry_after > 0
        client.wait_for_end()
    assert relay.wait() == 0


def test_a_restart_keeps_everything(tmp_path: Path) -> None:
    """Accounts, rooms, entries and the invite's use are on disk."""
    alice = Person("alice")
    with running(tmp_path) as relay:
        token = relay.invite(uses=1)
        with relay.enter(alice, token) as client:
            room = client.create_room().summary.channel
            head = client.append(room, b"founding", kind=EntryKind.FOUNDING).head
            client.append(room, b"kept", head=head)
    with running(tmp_path) as relay:
        with relay.enter(alice) as client:
            client.subscribe((room, 0))
            assert [entry.payload for entry in client.entries(room, 2)] == [b"founding", b"kept"]
        with relay.connect() as stranger:
            stranger.hello()
            with pytest.raises(RelayError) as refusal:
                stranger.register(Person("mallory"), token)
            assert refusal.value.code is ErrorCode.TOKEN_INVALID


@pytest.mark.parametrize("shown", [False, True])
def test_addresses_stand_in_the_log_only_when_asked_for(tmp_path: Path, shown: bool) -> None:
    """And contents, keys and tokens never."""
    settings = {"log_level": "debug", "log_addresses": "true" if shown else "false"}
    with running(tmp_path, settings=settings) as relay:
        token = relay.invite()
        alice = Person("alice")
        with relay.enter(alice, token) as client:
            room = client.create_room().summary.channel
            client.append(room, b"a secret text", kind=EntryKind.FOUNDING)
            client.send_bytes(b"\x00\x00\x00\x01\xc0")
            client.wait_for_end()
    text = json.dumps(relay.log)
    assert "is refused" in text
    assert ("127.0.0.1 is refused" in text) is shown
    for secret in (token, "a secret text", "alice", alice.account.public.hex(), alice.device_id.hex(), room.hex()):
        assert secret not in text


def test_members_on_different_shards_hear_each_other(tmp_path: Path) -> None:
    """Two shards: each takes from the writer's effects what concerns its connections."""
    with running(tmp_path, settings={"network.shards": 2}) as relay:
        token = relay.invite()
        people = [Person(f"member{number}") for number in range(4)]
        clients = [relay.enter(person, token) for person in people]
        room = clients[0].create_room().summary.channel
        others = [person.member for person in people[1:]]
        head = clients[0].append(room, b"founding", kind=EntryKind.FOUNDING, add=others).head
        for number, client in enumerate(clients):
            client.append(room, b"%d" % number, head=head)
        for client in clients[1:]:
            assert [entry.payload for entry in client.entries(room, 5)] == [b"founding", b"0", b"1", b"2", b"3"]
        for client in clients:
            client.close()
