"""Both pollers behave alike."""

import socket
from collections.abc import Iterator

import pytest

from secure_chat.transport.poller import READ, WRITE, Poller, SelectorPoller


@pytest.fixture(params=[Poller, SelectorPoller])
def poller(request: pytest.FixtureRequest) -> Iterator[Poller | SelectorPoller]:
    made = request.param()
    yield made
    made.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    first, second = socket.socketpair()
    with first, second:
        yield first, second


def test_what_is_ready_is_told(poller: Poller, pair: tuple[socket.socket, socket.socket]) -> None:
    """Readable, writable, both."""
    ours, theirs = pair
    poller.register(ours.fileno(), READ)
    assert poller.poll(0) == []
    theirs.send(b"x")
    assert poller.poll(0) == [(ours.fileno(), READ)]
    poller.modify(ours.fileno(), READ | WRITE)
    assert poller.poll(0) == [(ours.fileno(), READ | WRITE)]
    poller.modify(ours.fileno(), WRITE)
    assert poller.poll(0) == [(ours.fileno(), WRITE)]


def test_a_descriptor_can_rest_and_come_back(poller: Poller, pair: tuple[socket.socket, socket.socket]) -> None:
    """Waiting for nothing keeps it known; unregistering forgets it."""
    ours, theirs = pair
    theirs.send(b"x")
    poller.register(ours.fileno(), 0)
    assert poller.poll(0) == []
    poller.modify(ours.fileno(), READ)
    assert poller.poll(0) == [(ours.fileno(), READ)]
    poller.modify(ours.fileno(), 0)
    assert poller.poll(0) == []
    poller.unregister(ours.fileno())
    assert poller.poll(0) == []


def test_a_hang_up_wakes_a_reader(poller: Poller, pair: tuple[socket.socket, socket.socket]) -> None:
    """The end of a connection is found by reading it."""
    ours, theirs = pair
    poller.register(ours.fileno(), READ)
    theirs.close()
    ((descriptor, mask),) = poller.poll(1)
    assert descriptor == ours.fileno()
    assert mask & READ
