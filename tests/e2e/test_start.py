"""The README's first command, on a copy of the checkout with an empty home: bare Python, real installation."""

import os
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
SHIPPED = ("README.md", "pyproject.toml", "secure_chat", "scripts")


class Checkout:
    """A fresh copy with a home of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "checkout"
        self.folder.mkdir()
        for name in SHIPPED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, self.folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, self.folder)
        home = folder / "home"
        home.mkdir()
        kept = {name: os.environ[name] for name in os.environ if name.startswith(("PIP_", "LANG", "LC_", "SSL_"))}
        self.environment = {
            **kept,
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "SECURE_CHAT_HOME": str(home / "client"),
            "SECURE_CHAT_SERVER_DATA": str(home / "server"),
        }
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = int(probe.getsockname()[1])

    def start(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs the script as a person would."""
        return subprocess.run(
            [sys.executable, "scripts/start.py", *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )


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
