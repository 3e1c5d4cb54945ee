"""Listening sockets."""

import socket

import pytest

from secure_chat.transport.errors import ListenError
from secure_chat.transport.listener import Listener


def test_connections_are_accepted_with_their_address() -> None:
    """Port 0 becomes a real one; nothing waiting is None."""
    listener = Listener("127.0.0.1", 0)
    host, port = listener.address
    assert (host, port > 0) == ("127.0.0.1", True)
    assert listener.accept() is None
    with socket.create_connection((host, port)):
        accepted = listener.accept()
        assert accepted is not None
        connected, address = accepted
        assert address == "127.0.0.1"
        connected.close()
    listener.close()


def test_without_a_host_both_families_are_served() -> None:
    """An IPv4 peer shows its plain address there too."""
    listener = Listener("", 0)
    with socket.create_connection(("127.0.0.1", listener.address[1])):
        accepted = listener.accept()
        assert accepted is not None
        assert accepted[1] == "127.0.0.1"
        accepted[0].close()
    listener.close()


def test_a_taken_port_is_said_in_one_line() -> None:
    """The operator learns which address."""
    listener = Listener("127.0.0.1", 0)
    port = listener.address[1]
    with pytest.raises(ListenError, match=f"can't listen on 127.0.0.1:{port}: "):
        Listener("127.0.0.1", port)
    listener.close()


def test_an_unknown_host_is_said_in_one_line() -> None:
    """A name that is no address of this machine."""
    with pytest.raises(ListenError, match=r"can't listen on nowhere\.invalid:1: "):
        Listener("nowhere.invalid", 1)
