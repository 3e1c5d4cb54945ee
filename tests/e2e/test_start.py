"""The README's first command, on a copy of the checkout with an empty home: bare Python, real installation."""

import re
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


def test_later_starts_keep_to_what_was_chosen(checkout: Checkout, tmp_path: Path) -> None:
    """The port that links name; and no server for who has joined somebody else's."""
    again = checkout.start("--no-client")
    assert f"Starting the server on port {checkout.port}" in again.stdout, again.stdout + again.stderr
    link = re.search(r"secure-chat://\S+", again.stdout)
    assert link is not None
    elsewhere = {
        **checkout.environment,
        "SECURE_CHAT_HOME": str(tmp_path / "client"),
        "SECURE_CHAT_SERVER_DATA": str(tmp_path / "server"),
    }
    url = re.sub(r"//.*:", "//localhost:", link.group())
    joined = checkout.start(url, "--name", "guest", "--no-passphrase", environment=elsewhere)
    assert joined.returncode == 0, joined.stdout + joined.stderr
    back = checkout.start("status", environment=elsewhere)
    assert "guest" in back.stdout, back.stdout + back.stderr
    assert "server" not in back.stdout
    assert not (tmp_path / "server").exists()
    assert "has stopped" in checkout.start("--stop").stdout


def test_server_that_cannot_start_says_why(checkout: Checkout) -> None:
    """The log's last lines and one line of our own; no traceback."""
    with socket.create_server(("", checkout.port)):
        result = checkout.start("--no-client", "--port", str(checkout.port))
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert result.stderr.splitlines()[-1].startswith("start: the server ended at once")


def test_trial_shows_whether_it_works_here_and_leaves_nothing(checkout: Checkout, tmp_path: Path) -> None:
    """Two clients, each a process, and a message between them; each step and the whole with its time."""
    environment = {**checkout.environment, "TMPDIR": str(tmp_path), "SECURE_CHAT_HOME": str(tmp_path / "untouched")}
    done = checkout.start("--try", environment=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    steps = [line for line in done.stdout.splitlines() if re.match(r" +\d+\.\d\d s  ", line)]
    assert [step.partition(" s  ")[2] for step in steps] == [
        "the server listens",
        "the first client has joined by the link",
        "the second client has joined by the link",
        "the first client has sent a message, and the server has it on its disk",
        "the second client has decrypted it and shows it",
    ]
    assert re.search(r"^It works: \d+\.\d s from the installation, which took \d+\.\d s, ", done.stdout, re.MULTILINE)
    assert not list(tmp_path.iterdir())


def test_trial_that_fails_says_where(checkout: Checkout, tmp_path: Path) -> None:
    """The step and the program's own words; exit code 1, no traceback, nothing left."""
    program = checkout.folder / ".venv/bin/secure-chat"
    works = program.read_text()
    program.write_text("#!/bin/sh\necho 'secure-chat: no room on this disk' >&2\nexit 1\n")
    try:
        done = checkout.start("--try", environment={**checkout.environment, "TMPDIR": str(tmp_path)})
    finally:
        program.write_text(works)
    assert done.returncode == 1
    assert "It works" not in done.stdout
    assert done.stderr == "start: the server did not say where it listens\nsecure-chat: no room on this disk\n"
    assert not list(tmp_path.iterdir())
