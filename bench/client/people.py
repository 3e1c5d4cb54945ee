"""A relay on loopback, people who join it, and the command line as users have it."""

import contextlib
import os
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.servers import REPOSITORY, relay
from secure_chat import certificates
from secure_chat.client.api import Client
from secure_chat.identity.invite import InviteLink
from secure_chat.server.control import operate
from secure_chat.server.core.admin import CreateInviteToken, NewInvite
from secure_chat.server.errors import LockedError
from secure_chat.server.home import Home

__all__ = ["Place", "command", "place"]

START_TIME = 30.0
"""Seconds for the relay to be there."""

LOOSE = {
    "limits.requests_per_second": 1_000_000,
    "limits.requests_burst": 1_000_000,
    "limits.registrations_per_hour": 1_000_000,
    "limits.registrations_burst": 1_000_000,
    "limits.commits_per_minute": 1_000_000,
    "limits.commits_burst": 1_000_000,
    "limits.claims_per_minute": 1_000_000,
    "limits.claims_burst": 1_000_000,
    "limits.lookups_per_minute": 1_000_000,
    "limits.lookups_burst": 1_000_000,
}
"""One machine plays hundreds of people: without these it would measure the relay's patience."""


@dataclass(frozen=True, slots=True)
class Place:
    """A running relay and where the profiles of this benchmark lie."""

    data: Path
    port: int
    home: Path

    def link(self) -> str:
        """An invite."""
        deadline = time.monotonic() + START_TIME
        while True:
            try:
                answer = operate(Home(self.data), CreateInviteToken(1, None, "bench"))
                break
            except LockedError:  # it takes connections already, but no commands yet
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
        assert isinstance(answer, NewInvite)
        return str(InviteLink("127.0.0.1", self.port, certificates.load(self.data / "certs").pin, answer.token))

    def join(self, name: str) -> Client:
        """A person in the profile of this name."""
        client = Client.join(self.link(), name, profile=name)
        client.recovery_code_seen()
        return client

    def environment(self) -> Mapping[str, str]:
        """Of the processes measured: like an installed program they find their modules compiled."""
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        compiled = str(self.home / "compiled")
        return {**kept, "PYTHONPATH": str(REPOSITORY), "PYTHONPYCACHEPREFIX": compiled, "TERM": "xterm-256color"}


def command(*arguments: str) -> list[str]:
    """`secure-chat client …` without a version manager's shim in between."""
    return [sys.executable, "-m", "secure_chat", "client", *arguments]


@contextlib.contextmanager
def place(folder: Path, *, lobby: bool = True) -> Iterator[Place]:
    """A fresh relay; profiles of this process lie beside it while it runs."""
    folder.mkdir(parents=True)
    settings: dict[str, object] = {**LOOSE, "limits.lobby": "true" if lobby else "false"}
    with relay(folder / "relay", settings) as server:
        before = os.environ.get("SECURE_CHAT_HOME")
        os.environ["SECURE_CHAT_HOME"] = str(folder / "home")
        try:
            yield Place(folder / "relay", server.port, folder / "home")
        finally:
            del os.environ["SECURE_CHAT_HOME"]
            if before is not None:
                os.environ["SECURE_CHAT_HOME"] = before
