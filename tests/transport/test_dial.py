"""Finding a way to a host."""

import socket

import pytest

from secure_chat.transport.deadline import Deadline
from secure_chat.transport.dial import Dialer
from secure_chat.transport.errors import ConnectError, NameNotFound, Refused
from secure_chat.transport.poller import Poller


def dial(host: str, port: int) -> socket.socket:
    """Drives a dialer as its users do."""
    poller = Poller()
    deadline = Deadline(30)
    dialer = Dialer(host, port, poller)
    try:
        while not deadline.expired:
            wait = dialer.timeout
            connected = dialer.step(dict(poller.poll(deadline.remaining(wait))))
            if connected is not None:
                return connected
        raise AssertionError("no answer in time")
    finally:
        dialer.close()
        poller.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_connects_by_address_and_name(host: str) -> None:
    """Where `localhost` is ::1 first, the refused attempt is followed by 127.0.0.1 at once."""
    with socket.create_server(("127.0.0.1", 0)) as listening, dial(host, listening.getsockname()[1]) as connected:
        assert connected.getpeername()[1] == listening.getsockname()[1]


@pytest.mark.skipif(not socket.has_ipv6, reason="needs IPv6")
def test_connects_over_ipv6() -> None:
    """A bare IPv6 address needs no resolver."""
    try:
        listening = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("no IPv6 loopback here")
    with listening, dial("::1", listening.getsockname()[1]) as connected:
        assert connected.family == socket.AF_INET6


def test_closed_port_is_refused() -> None:
    """Every address of the name has been tried."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with pytest.raises(Refused, match="nothing listens"):
        dial("localhost", port)


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 300, "."])
def test_unknown_name_is_named(host: str) -> None:
    """RFC 6761 promises that .invalid never resolves; impossible names get the same error."""
    with pytest.raises(NameNotFound, match="unknown here"):
        dial(host, 7443)


def test_giving_up_early_leaves_nothing_behind() -> None:
    """A dialer closed while the name is being looked up, and one closed in mid-connection."""
    poller = Poller()
    Dialer("localhost", 9, poller).close()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        dialer = Dialer("127.0.0.1", listening.getsockname()[1], poller)
        try:
            connected = dialer.step({})
        except ConnectError:
            connected = None
        dialer.close()
        if connected is not None:
            connected.close()
    assert poller.poll(0) == []
    poller.close()
