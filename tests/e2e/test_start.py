"""The README's first command, on a copy of the checkout with an empty home: bare Python, real installation."""

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.checkout import Checkout


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    made = Checkout(tmp_path_factory.mktemp("start"))
    yield made
    made.start("--stop")


def test_first_command_sets_everything_up(checkout: Checkout) -> None:
    """Environment, server and invite link out of nothing; then the server found again, and stopped."""
    first = checkout.start("--no-client", "--port", str(checkout.port))
    assert first.returncode == 0, first.stdout + first.stderr
    assert "secure-chat://" in first.stdout
    assert "Ready in" in first.stdout
    assert str(checkout.folder / "server.log") in first.stdout

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(Path(checkout.environment["SECURE_CHAT_SERVER_DATA"]) / "certs" / "ca.pem")
    with (
        socket.create_connection(("127.0.0.1", checkout.port), 20) as raw,
        context.wrap_socket(raw, server_hostname="localhost") as connection,
    ):
        assert connection.version() == "TLSv1.3"
    assert "secure-chat://" not in (checkout.folder / "server.log").read_text(), "a log is no place for an invite"

    again = checkout.start("--no-client")
    assert again.returncode == 0, again.stderr
    assert "Starting the server" not in again.stdout
    assert "Installing" not in again.stdout

    stopped = checkout.start("--stop")
    assert "has stopped" in stopped.stdout, stopped.stderr
    assert "No server is running" in checkout.start("--stop").stdout


def test_server_that_cannot_start_says_why(checkout: Checkout) -> None:
    """The log's last lines and one line of our own; no traceback."""
    with socket.create_server(("", checkout.port)):
        result = checkout.start("--no-client", "--port", str(checkout.port))
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert result.stderr.splitlines()[-1].startswith("start: the server ended at once")
