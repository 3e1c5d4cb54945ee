"""Many processes, one profile: everything sent arrives once, whoever owns the profile and however it dies."""

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_chat.client.api import Client
from tests.people import environment, invite_link, join, program
from tests.relay_process import RelayProcess, running, wait_until
from tests.terminal import Terminal

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelayProcess]:
    with running(tmp_path_factory.mktemp("relay")) as relay:
        yield relay


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SECURE_CHAT_HOME", str(tmp_path))
    return tmp_path


def texts(client: Client, sender: str) -> list[str]:
    """What this person has sent to the lobby."""
    lines = client.history("#lobby", 5_000)
    return [line.text for line in lines if line.sender == sender and line.kind == "text"]


def send_all(home: Path, profile: str, wanted: list[str]) -> None:
    """One `client send` process for each text, all at once."""
    processes = [
        subprocess.Popen(
            program("client", "--profile", profile, "send", "#lobby", text, "--timeout", "60"),
            env=environment(home),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for text in wanted
    ]
    for process in processes:
        _, errors = process.communicate(timeout=110)
        assert process.returncode == 0, errors


def test_twenty_sends_beside_an_open_prompt_all_arrive_once(home: Path, relay: RelayProcess) -> None:
    """The prompt's process does the work; everybody sees each message once."""
    join(relay, "anna").close()
    with join(relay, "ben") as ben:
        command = program("client", "--plain", "--profile", "anna")
        with Terminal(command, env=environment(home)) as prompt:
            prompt.wait_for("#lobby>")
            wanted = [f"number {number}" for number in range(20)]
            send_all(home, "anna", wanted)
            wait_until(lambda: len(texts(ben, "anna")) >= 20, "all arrived")
            prompt.wait_for(*(f"anna: {text}" for text in wanted))
            prompt.enter("after them")
            wait_until(lambda: "after them" in texts(ben, "anna"), "the prompt's own message")
            assert Counter(texts(ben, "anna")) == Counter([*wanted, "after them"])
            prompt.enter("/quit")
            assert prompt.wait() == 0


def test_sends_without_an_open_client_all_arrive_once(home: Path, relay: RelayProcess) -> None:
    """Whichever process comes first owns the profile; when it ends, another takes over."""
    join(relay, "carl").close()
    with join(relay, "dora") as dora:
        wanted = [f"number {number}" for number in range(8)]
        send_all(home, "carl", wanted)
        wait_until(lambda: len(texts(dora, "carl")) >= 8, "all arrived")
        assert Counter(texts(dora, "carl")) == Counter(wanted)


SENDER = """
import itertools, sys
from secure_chat import Client
client = Client.open(sys.argv[1])
for number in itertools.count(int(sys.argv[2])):
    client.send("#lobby", str(number))
    print(number, flush=True)
"""


def test_killed_at_any_moment_nothing_is_lost_doubled_or_reordered(home: Path, relay: RelayProcess) -> None:
    """`kill -9` in the middle of sending, several times: what `send` had returned arrives exactly once."""
    chance = random.Random(4)
    join(relay, "emil").close()
    with join(relay, "frida") as frida:
        promised: list[int] = []
        start = 0
        for _ in range(4):
            process = subprocess.Popen(
                [sys.executable, "-c", SENDER, "emil", str(start)],
                env=environment(home),
                stdout=subprocess.PIPE,
                text=True,
            )
            assert process.stdout is not None
            promised.append(int(process.stdout.readline()))
            time.sleep(chance.random() * 0.4)  # the moment is the test's random choice, nothing is waited for
            process.send_signal(signal.SIGKILL)
            promised += [int(line) for line in process.stdout.read().split("\n") if line.strip()]
            process.wait()
            process.stdout.close()
            start = promised[-1] + 1_000
        with Client.open("emil") as emil:
            wait_until(lambda: emil.status().queued == 0, "everything sent", timeout=60)
            own = [int(text) for text in texts(emil, "emil")]
            wait_until(lambda: len(texts(frida, "emil")) >= len(own), "everything arrived", timeout=60)
            arrived = [int(text) for text in texts(frida, "emil")]
            assert arrived == own == sorted(own)
            assert max(Counter(arrived).values()) == 1
            assert set(promised) <= set(arrived)
            # At most the one message under way at each kill is there without having been promised.
            assert len(set(arrived) - set(promised)) <= 4


def test_echo_bot_answers_who_names_it(home: Path, relay: RelayProcess) -> None:
    """The example, as its first lines say; what was written while it was away, too."""
    Client.join(invite_link(relay), "echo", profile="bot").close()
    command = [sys.executable, str(REPOSITORY / "examples" / "echo_bot.py"), "bot"]
    bot = subprocess.Popen(command, env=environment(home))
    try:
        with join(relay, "gerda") as gerda:
            gerda.start_direct("echo")
            gerda.send("echo", "say this")
            wait_until(lambda: [x.text for x in gerda.history("echo") if x.sender == "echo"] == ["say this"], "echo")
            answer = next(line for line in gerda.history("echo") if line.sender == "echo")
            assert answer.reply_to is not None
            bot.terminate()
            bot.wait(20)
            gerda.deliver("echo", "and this")
            bot = subprocess.Popen(command, env=environment(home))
            wait_until(lambda: gerda.history("echo")[-1].sender == "echo", "an answer to what waited")
            assert [x.text for x in gerda.history("echo") if x.sender == "echo"] == ["say this", "and this"]
    finally:
        bot.terminate()
        bot.wait(20)


def test_listening_process_hears_everything_and_takes_over(home: Path, relay: RelayProcess) -> None:
    """`listen --json` beside an owner that ends goes on by itself."""
    owner = join(relay, "hanna")
    listening = subprocess.Popen(
        program("client", "--profile", "hanna", "listen", "--json", "#lobby", "--count", "2"),
        env=environment(home),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert listening.stdout is not None
    with join(relay, "ida") as ida:
        # What is said before it listens is not for it: say it until it has heard one.
        import threading

        heard: list[str] = []
        reader = threading.Thread(target=lambda: heard.extend(listening.stdout or []), daemon=True)
        reader.start()
        deadline = time.monotonic() + 60
        while len(heard) < 1 and time.monotonic() < deadline:
            ida.send("#lobby", "first")
            time.sleep(0.2)
        owner.close()
        while listening.poll() is None and time.monotonic() < deadline:
            ida.send("#lobby", "second")
            time.sleep(0.2)
        assert listening.wait(60) == 0
        reader.join(20)
        listening.stdout.close()
    assert len(heard) == 2
    assert all('"event":"message_added"' in line for line in heard)
