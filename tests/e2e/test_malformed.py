"""Sessions of valid and invalid messages against the real relay: typed errors or the end, and nobody else hurt."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from secure_chat.wire.framing import encode_frame
from secure_chat.wire.messages import ClientMessage, EntryKind, Ping, Pong
from tests.e2e.sessions import sessions
from tests.relay_client import Closed, Person, RelayClient
from tests.relay_process import RelayProcess, running
from tests.wire.strategies import client_messages

LOOSE = {
    "limits.commits_per_minute": 1_000_000,
    "limits.commits_burst": 1_000_000,
    "limits.rooms_per_account": 1_000_000,
    "limits.creations_burst": 1_000_000,
    "limits.channels_per_device": 1_000_000,
    "limits.failures_burst": 1_000_000,
    "limits.registrations_burst": 1_000_000,
    "limits.requests_per_second": 1_000_000,
    "limits.requests_burst": 1_000_000,
}


@dataclass
class Scene:
    """A relay, somebody who behaves, and an account whose device misbehaves."""

    relay: RelayProcess
    honest: RelayClient
    other: Person
    pings: int = 0

    def check_the_others(self) -> None:
        """The honest client is served as ever."""
        self.pings += 1
        self.honest.send(Ping(self.pings))
        assert self.honest.wait(Pong).id == self.pings


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with running(tmp_path_factory.mktemp("malformed"), settings=LOOSE) as relay:
        token = relay.invite()
        other = Person("mallory")
        relay.enter(other, token).close()
        with relay.enter(Person("alice"), token) as honest:
            yield Scene(relay, honest, other)


def drive(client: RelayClient, pieces: list[bytes]) -> None:
    """Sends everything and reads to the end; whatever comes back must be a message of the protocol."""
    try:
        for piece in pieces:
            client.send_bytes(piece)
        client.send_bytes(encode_frame(Ping(2**62)))
        while Pong(2**62) not in client.inbox:
            if not client.pump(0.3):
                return  # it waits for the rest of a frame that never comes
    except Closed:
        return


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(sessions)
def test_a_stranger_can_send_anything(scene: Scene, pieces: list[bytes]) -> None:
    """Before login."""
    with scene.relay.connect() as client:
        drive(client, pieces)
    scene.check_the_others()


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(sessions)
def test_a_member_can_send_anything(scene: Scene, pieces: list[bytes]) -> None:
    """After login."""
    with scene.relay.enter(scene.other) as client:
        drive(client, pieces)
    scene.check_the_others()


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(client_messages, min_size=1, max_size=12))
def test_a_member_can_send_anything_to_its_own_room(scene: Scene, messages: list[ClientMessage]) -> None:
    """Commits, changes and appends with any fields, where they take effect: the widest surface."""
    with scene.relay.enter(scene.other) as client:
        room = client.create_room().summary.channel
        client.append(room, b"founding", kind=EntryKind.FOUNDING)
        meant = [replace(message, channel=room) if hasattr(message, "channel") else message for message in messages]
        drive(client, [encode_frame(message) for message in meant])
    scene.check_the_others()
