"""Joining that ended before the recovery code was shown."""

from pathlib import Path

import pytest

from secure_chat.client.api import Client
from tests.people import environment, invite_link, program
from tests.relay_process import RelayProcess
from tests.terminal import Terminal


def test_who_was_interrupted_while_joining_is_shown_the_recovery_code(relay: RelayProcess, tmp_path: Path) -> None:
    """Before the chat opens, until it has been shown once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SECURE_CHAT_HOME", str(tmp_path))
        with Client.join(invite_link(relay), "ines", profile="default") as ines:
            code = ines.recovery_code()
    with Terminal(program("client", "--plain"), env=environment(tmp_path)) as terminal:
        terminal.wait_for("Joining was interrupted", f"recovery code: {code}", "Press a key")
        terminal.process.kill()  # not confirmed: shown again
        terminal.wait()
    for asked in (True, False):
        with Terminal(program("client", "--plain"), env=environment(tmp_path)) as terminal:
            if asked:
                terminal.wait_for(f"recovery code: {code}", "Press a key")
                terminal.press(" ")
            terminal.wait_for("You are ines")
            assert asked == (code in terminal.text)
            terminal.enter("/quit")
            assert terminal.wait() == 0
