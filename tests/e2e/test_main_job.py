"""The main job, as people do it: join by a link, chat, verify each other; through killed processes and restarts.

Three people in pseudo-terminals; and two in JSON alone.
"""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.checkout import Checkout
from tests.people import environment, invite_link, program
from tests.relay_process import RelayProcess, running
from tests.terminal import Terminal


class Server:
    """The server that the README's first command has started in the background."""

    def __init__(self, checkout: Checkout) -> None:
        self._checkout = checkout

    def _run(self, *arguments: str) -> str:
        command = [str(self._checkout.folder / ".venv/bin/secure-chat"), "server", *arguments]
        environment = self._checkout.environment
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
        return done.stdout

    def link(self) -> str:
        """An invite for a person on this machine."""
        link = str(json.loads(self._run("invite", "create", "--json"))["link"])
        return re.sub(r"//.*:(\d+)/#", r"//localhost:\1/#", link)

    def kill(self) -> None:
        """SIGKILL."""
        os.kill(json.loads(self._run("stats", "--json"))["running"]["process"], signal.SIGKILL)

    def start(self) -> None:
        """Again, as a person would."""
        done = self._checkout.start("--no-client", "--port", str(self._checkout.port))
        assert done.returncode == 0, done.stderr


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Checkout]:
    made = Checkout(tmp_path)
    yield made
    made.start("--stop")


def client(checkout: Checkout, profile: str, *arguments: str) -> Terminal:
    """`secure-chat client --plain` in the environment that the first command has made."""
    command = [str(checkout.folder / ".venv/bin/secure-chat"), "client", "--plain", "--profile", profile, *arguments]
    return Terminal(command, env=checkout.environment, cwd=checkout.folder)


@pytest.mark.timeout(400)  # it installs the packages
def test_three_people_meet_chat_verify_and_survive(checkout: Checkout) -> None:
    """The README's first command, two more people by link; lobby, closed room, direct message, verification; the
    server and a client killed in the middle and started again; and the history afterwards.
    """
    server = Server(checkout)
    first = [sys.executable, "scripts/start.py", "--plain", "--port", str(checkout.port)]
    with Terminal(first, env=checkout.environment, cwd=checkout.folder) as alice:
        # Every question has a default, but the name of this machine's user is no name for a test.
        alice.wait_for("Your name", timeout=300)
        alice.enter("alice")
        alice.wait_for("Passphrase for this computer (Enter: none)")
        alice.enter()
        shown = alice.wait_for("recovery code: ", "#lobby>")
        assert re.search(r"recovery code: [0-9A-Z-]{60,}", shown)

        with (
            client(checkout, "bob", server.link(), "--name", "bob", "--no-passphrase") as bob,
            client(checkout, "carol", server.link(), "--name", "carol", "--no-passphrase") as carol,
        ):
            for terminal in (bob, carol):
                terminal.wait_for("#lobby>")
            alice.wait_for("bob joined", "carol joined")
            alice.enter("hello everybody")
            bob.wait_for("alice: hello everybody")
            carol.wait_for("alice: hello everybody")
            bob.enter("grüße, alice 👋")
            alice.wait_for("bob: grüße, alice 👋")

            alice.enter("/create plans")
            alice.wait_for("-- #plans: 1 person")
            alice.enter("/invite bob carol")
            for terminal in (bob, carol):
                terminal.wait_for("invites you to #plans", "/accept plans")
            bob.enter("/accept plans")
            carol.enter("/decline plans")
            bob.wait_for("-- #plans: ")
            alice.enter("the plan is secret")
            bob.wait_for("alice: the plan is secret")

            bob.enter("/msg alice between us")
            alice.wait_for("bob: between us")
            verify(alice, bob)

            # The server dies in the middle, and so does a client.
            server.kill()
            alice.wait_for("not connected")
            alice.enter("written while it was down")
            alice.wait_for("written while it was down (waiting to be sent)")
            bob.kill()
            server.start()
            alice.wait_for("-- connected")
            with client(checkout, "bob") as again:
                again.wait_for("You are bob")
                again.enter("/room #plans")
                again.wait_for("-- #plans: ", "alice: written while it was down")
                again.enter("back again")
                alice.wait_for("bob: back again")
                history(again, "the plan is secret", "written while it was down", "back again")
                history(alice, "the plan is secret", "written while it was down", "back again")
                again.enter("/members")
                again.wait_for("alice", "verified")
                again.enter("/quit")
                assert again.wait() == 0
            carol.enter("/search hello")
            carol.wait_for("alice: *hello* everybody")
            assert "the plan is secret" not in carol.text
            carol.enter("/quit")
            assert carol.wait() == 0
        alice.press("\x04")
        assert alice.wait() == 0


def verify(first: Terminal, second: Terminal) -> None:
    """Both see the same twelve groups of digits, and say so."""
    numbers = []
    for terminal, other in ((first, "bob"), (second, "alice")):
        terminal.enter(f"/verify {other}")
        shown = terminal.wait_for(f"Safety number with {other}", "Are all digits the same")
        digits = re.search(rf"Safety number with {other}.*\n((?: +\d{{5}}){{4}}\n){{3}}", shown)
        assert digits is not None, shown
        numbers.append(re.findall(r"\d{5}", digits[0]))
        terminal.enter("yes")
        terminal.wait_for(f"{other} is verified")
    assert numbers[0] == numbers[1]
    assert len(numbers[0]) == 12


def history(terminal: Terminal, *texts: str) -> None:
    """Each text stands once in the room's history."""
    terminal.enter("/history")
    terminal.wait_for("> /history", "^1 ")
    shown = terminal.wait_for(*texts).rpartition("> /history")[2]
    for text in texts:
        assert shown.count(text) == 1, shown


class JsonPerson:
    """Somebody who only uses `--json`."""

    def __init__(self, home: Path, relay: RelayProcess, name: str) -> None:
        home.mkdir()
        self._environment = environment(home)
        joined = self("join", invite_link(relay), "--name", name, "--no-passphrase")
        assert joined["handle"] == name
        assert re.fullmatch(r"[0-9A-Z-]{60,}", joined["recovery_code"])

    def run(self, *arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
        """A subcommand with --json."""
        command = program("client", *arguments, "--json")
        return subprocess.run(
            command, env=self._environment, input=text, capture_output=True, text=True, timeout=60, check=False
        )

    def __call__(self, *arguments: str, text: str | None = None) -> Any:
        """The result of a subcommand."""
        done = self.run(*arguments, text=text)
        assert done.returncode == 0, (arguments, done)
        assert done.stderr == ""
        answer = json.loads(done.stdout)
        assert answer["v"] == 1
        return answer["result"]

    @contextmanager
    def listening(self) -> Iterator[Callable[[str], list[str]]]:
        """`listen --json` until it is killed: waits for a text, and gives all texts that have come."""
        command = program("client", "listen", "--json")
        process = subprocess.Popen(command, env=self._environment, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None

        def heard(wanted: str) -> list[str]:
            texts: list[str] = []
            assert process.stdout is not None
            for line in process.stdout:  # ends with the process; a test that waits too long is ended itself
                event = json.loads(line)
                if event["event"] == "message_added" and event["message"]["kind"] == "text":
                    texts.append(event["message"]["text"])
                if wanted in texts:
                    break
            return texts

        try:
            yield heard
        finally:
            process.kill()
            process.wait()
            process.stdout.close()

    def history(self, room: str) -> list[str]:
        """The texts in a room."""
        return [line["text"] for line in self("history", room) if line["kind"] == "text"]


def test_two_programs_do_it_all_in_json(tmp_path: Path) -> None:
    """Each step is a process of its own, its result one JSON object."""
    with running(tmp_path) as relay:
        anna, ben = JsonPerson(tmp_path / "anna", relay, "anna"), JsonPerson(tmp_path / "ben", relay, "ben")
        assert anna("send", "#lobby", "hello", "ben")["state"] in ("sent", "delivered")
        assert ben("send", "--room", "lobby", text="from a pipe\n")["state"] in ("sent", "delivered")
        assert ben.history("#lobby") == ["hello ben", "from a pipe"]

        anna("create", "plans")
        anna("invite", "#plans", "ben")
        (invitation,) = ben("invitations")
        assert (invitation["name"], invitation["inviter"]) == ("plans", "anna")
        ben("accept", "plans")
        anna("send", "#plans", "secret")
        assert ben.history("#plans") == ["secret"]

        ben("send", "anna", "between us")
        assert anna.history("ben") == ["between us"]
        number = ben("fingerprint", "anna")["number"]
        assert anna("verify", "ben", "--number", number)["trust"] == "verified"
        wrong = anna.run("verify", "ben", "--number", "0" * 60)
        assert wrong.returncode != 0
        assert "error" in json.loads(wrong.stdout)

        relay.kill()
        waiting = anna.run("send", "#plans", "while it was down", "--timeout", "1")
        assert waiting.returncode == 3
        assert json.loads(waiting.stdout)["result"]["state"] == "queued"
        relay.start(port=relay.address[1])
        anna("status")
        assert ben.history("#plans") == ["secret", "while it was down"]

        # A client dies, too, in the middle of listening; what was said meanwhile is heard afterwards, once.
        with ben.listening() as heard:
            anna("send", "#plans", "before the crash")
            assert "before the crash" in heard("before the crash")
        anna("send", "#plans", "during the crash")
        with ben.listening() as heard:
            anna("send", "#plans", "after the crash")
            texts = heard("after the crash")
        assert texts == ["during the crash", "after the crash"]
        said = ["secret", "while it was down", "before the crash", "during the crash", "after the crash"]
        assert ben.history("#plans") == anna.history("#plans") == said

        lines = [json.loads(line) for line in ben.run("export").stdout.splitlines()]
        assert {line["message"]["text"] for line in lines} >= {"hello ben", "secret", "between us"}
        assert [hit["message"]["text"] for hit in ben("search", "secr")] == ["secret"]
        assert [hit["message"]["text"] for hit in ben("search", "crash dur")] == ["during the crash"]
        gone = ben.run("history", "#nowhere")
        assert gone.returncode == 4
        assert json.loads(gone.stdout)["error"]["code"] == "not_found"
