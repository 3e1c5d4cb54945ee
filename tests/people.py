"""Real clients of a real relay, for tests of everything above the engine."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from secure_chat import certificates
from secure_chat.client.api import Client
from secure_chat.identity.invite import InviteLink
from tests.relay_process import RelayProcess

__all__ = ["environment", "invite_link", "join", "program"]

REPOSITORY = Path(__file__).parent.parent


def invite_link(relay: RelayProcess, uses: int = 1) -> str:
    """A link as the operator makes it."""
    pin = certificates.load(relay.data / "certs").pin
    return str(InviteLink("127.0.0.1", relay.address[1], pin, relay.invite(uses)))


def join(relay: RelayProcess, name: str, *, passphrase: str | None = None) -> Client:
    """A person of this name, in the profile of this name, who is in the lobby and has seen the recovery code."""
    client = Client.join(invite_link(relay), name, profile=name, passphrase=passphrase)
    client.recovery_code_seen()
    assert client.wait_until_entered()
    return client


def program(*arguments: str) -> list[str]:
    """The command line as a command."""
    return [sys.executable, "-m", "secure_chat", *arguments]


def environment(home: Path, **more: str) -> Mapping[str, str]:
    """The environment of a person who lives in `home` and has nothing but secure-chat."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SECURE_CHAT_")}
    return {**kept, "PYTHONPATH": str(REPOSITORY), "SECURE_CHAT_HOME": str(home), "HOME": str(home), **more}
