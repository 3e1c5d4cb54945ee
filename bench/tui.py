"""The terminal UI as a person feels it: `python -m bench.tui [--json]`.

The real program in a pseudo-terminal, against a real relay, with a real second client, a process of its own, that
sends 50 messages a second into the open room, whose history holds 100,000 messages. Measured: from the start of the
process to the last line of history on screen, from a page key to the other page, from the newest message to the oldest
one and back, from a key to its letter on screen, and the largest resident memory.
One start before the measured ones has Python keep the compiled modules, as for a user from the second start on.
"""

import argparse
import fcntl
import json
import os
import pty
import random
import select
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.client.figures import Figure, percentile, table
from bench.servers import REPOSITORY, relay
from secure_chat.client.api import Client
from secure_chat.client.engine.effects import PutMessage
from secure_chat.client.profile import Profile
from secure_chat.client.store import Store
from secure_chat.client.views import DeliveryState, MessageKind, MessageView
from secure_chat.identity.invite import InviteLink
from secure_chat.server.control import operate
from secure_chat.server.core.admin import CreateInviteToken, NewInvite
from secure_chat.server.errors import LockedError
from secure_chat.server.home import Home

__all__ = ["main", "measure", "talk"]

MESSAGES = 100_000
RATE = 50.0
KEYS = 600
KEYS_PER_SECOND = 10.0
PAGES = 150
JUMPS = 10
STARTS = 7
SIZE = (120, 40)
START_MS, KEY_MS, MEMORY_MIB = 450.0, 30.0, 80.0
"""Targets."""
PATIENCE = 60.0
FIRST_WORDS = "the-very-first-line-of-the-history"
LAST_WORDS = "the-very-last-line-of-the-history"
LETTERS = "ΓΔΘΛΞΠΣΦΨΩ"
"""In no message and in no word of the screen."""


class Screen:
    """The program in a pseudo-terminal; what it writes is only searched, not drawn."""

    def __init__(self, home: Path, profile: str) -> None:
        self.begun = time.perf_counter()
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            environment = {
                **_environment(home),
                "TERM": "xterm-256color",
                "COLORTERM": "truecolor",
            }
            os.execvpe(
                sys.executable, [sys.executable, "-m", "secure_chat", "client", "--profile", profile], environment
            )
        columns, rows = SIZE
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def wait_for(self, text: str) -> float:
        """Reads until the text was written; the moment of that."""
        wanted, seen = text.encode(), b""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            data = self.read(0.5)
            if data:
                seen = seen[-len(wanted) :] + data
                if wanted in seen:
                    return time.perf_counter()
        raise TimeoutError(f"not on the screen within {PATIENCE} s: {text}")

    def read(self, timeout: float) -> bytes:
        """What was written, nothing if nothing comes in time."""
        ready, _, _ = select.select([self._fd], [], [], timeout)
        try:
            return os.read(self._fd, 1 << 16) if ready else b""
        except OSError:
            raise TimeoutError("the program has ended") from None

    def press(self, keys: str) -> None:
        """Types."""
        os.write(self._fd, keys.encode())

    def memory(self) -> float:
        """Largest resident memory so far, MiB."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
        raise OSError("this system does not tell the memory of a process")

    def end(self) -> None:
        """Ends the program and reads what it still says."""
        os.kill(self.pid, signal.SIGTERM)
        deadline = time.monotonic() + PATIENCE
        while os.waitpid(self.pid, os.WNOHANG) == (0, 0) and time.monotonic() < deadline:
            try:
                self.read(0.05)
            except TimeoutError:
                time.sleep(0.01)
        os.close(self._fd)


def fill(profile: str, room: str, count: int) -> None:
    """A history of so many messages by twenty people over two years."""
    chance = random.Random(7)
    words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(2, 9))) for _ in range(2_000)]
    people = [(f"person{number}", chance.randbytes(32).hex()) for number in range(20)]
    begin = time.time_ns() // 1_000_000 - 730 * 86_400_000
    stored = Profile(profile)
    with stored.acquire(), Store.open(stored.store_path, stored.vault.unlock()) as store:
        batch = []
        for number in range(count):
            sender, account = chance.choice(people)
            text = " ".join(chance.choices(words, k=chance.randint(1, 40)))
            text = {0: FIRST_WORDS, count - 1: LAST_WORDS}.get(number, text)
            batch.append(
                PutMessage(
                    MessageView(
                        id=chance.randbytes(16).hex(),
                        room=room,
                        position=0,
                        kind=MessageKind.TEXT,
                        sender=sender,
                        account=account,
                        time=begin + number * 630_000,
                        text=text,
                        state=DeliveryState.RECEIVED,
                    )
                )
            )
            if len(batch) == 5_000 or number == count - 1:
                store.apply(batch)
                store.commit()
                batch = []


@contextmanager
def talking(home: Path, profile: str, rate: float) -> Iterator[None]:
    """Somebody sends into the lobby, so many messages a second, from another process."""
    command = [sys.executable, "-m", "bench.tui", "--talk", profile, "--rate", str(rate)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, env=_environment(home))
    try:
        yield
    finally:
        process.communicate()


def talk(profile: str, rate: float) -> None:
    """The other process: sends until its standard input ends."""
    chance = random.Random(1)
    with Client.open(profile) as client:
        client.wait_until_online()
        due = time.monotonic()
        while not select.select([sys.stdin], [], [], max(0.0, due - time.monotonic()))[0]:
            client.send("#lobby", "x" * chance.randint(5, 160))
            due += 1 / rate


def _environment(home: Path) -> dict[str, str]:
    """For the program: its profiles, and bytecode that is kept as everywhere."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "SECURE_CHAT_HOME": str(home), "PYTHONPATH": str(REPOSITORY)}


def measure(folder: Path, messages: int, keys: int, starts: int, rate: float) -> list[Figure]:
    """Everything, with the relay and both profiles in `folder`."""
    home = folder / "home"
    os.environ["SECURE_CHAT_HOME"] = str(home)
    with relay(folder / "relay", {"limits.requests_per_second": 1000}) as server:
        link = _link(folder / "relay", server.port)
        with Client.join(link, "anna", profile="anna") as anna, Client.join(link, "ben", profile="ben") as ben:
            anna.recovery_code_seen()
            anna.wait_until_entered()
            ben.wait_until_entered()
            lobby = anna.rooms()[0].id
        fill("anna", lobby, messages)
        _, *started = (_start(home) for _ in range(1 + starts))
        screen = Screen(home, "anna")
        screen.wait_for(LAST_WORDS)
        pages, jumps = _page(screen), _jump(screen)
        with talking(home, "ben", rate):
            screen.wait_for("xxxxx")
            latencies = _type(screen, keys)
        memory = screen.memory()
        screen.end()
    return [
        Figure(
            f"start to usable, {messages:,} messages, median of {starts}", statistics.median(started), "ms", START_MS
        ),
        Figure(f"page up or down p99 of {2 * PAGES}", percentile(pages, 0.99), "ms"),
        Figure(f"to the oldest message or back to the newest, longest of {2 * JUMPS}", max(jumps), "ms"),
        Figure(f"key to screen p50, {rate:g} messages a second", percentile(latencies, 0.5), "ms"),
        Figure(f"key to screen p99 of {keys}", percentile(latencies, 0.99), "ms", KEY_MS),
        Figure("largest resident memory", memory, "MiB", MEMORY_MIB),
    ]


def _start(home: Path) -> float:
    screen = Screen(home, "anna")
    took = (screen.wait_for(LAST_WORDS) - screen.begun) * 1000
    screen.end()
    return took


def _page(screen: Screen) -> list[float]:
    """From each key to the first that changes on the screen; a page has been read from the store every few keys."""
    latencies = []
    for key in ["\x1b[5~"] * PAGES + ["\x1b[6~"] * PAGES:
        while screen.read(0.05):
            pass
        begun = time.perf_counter()
        screen.press(key)
        while not screen.read(PATIENCE):
            pass
        latencies.append((time.perf_counter() - begun) * 1000)
    return latencies


def _jump(screen: Screen) -> list[float]:
    latencies = []
    for key, words in [("\x1b[1;5H", FIRST_WORDS), ("\x1b[1;5F", LAST_WORDS)] * JUMPS:
        begun = time.perf_counter()
        screen.press(key)
        latencies.append((screen.wait_for(words) - begun) * 1000)
    return latencies


def _type(screen: Screen, keys: int) -> list[float]:
    latencies = []
    due = time.monotonic()
    for number in range(keys):
        while (left := due - time.monotonic()) > 0:
            screen.read(left)
        letter = LETTERS[number % len(LETTERS)]
        begun = time.perf_counter()
        screen.press(letter)
        latencies.append((screen.wait_for(letter) - begun) * 1000)
        due = max(due + 1 / KEYS_PER_SECOND, time.monotonic())
        if number % len(LETTERS) == len(LETTERS) - 1:
            screen.press("\x15")  # clears the line
    return latencies


def _link(data: Path, port: int) -> str:
    from secure_chat import certificates

    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            answer = operate(Home(data), CreateInviteToken(10, None, "bench"))
            break
        except LockedError:  # the relay listens already, but not yet to its operator
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
    assert isinstance(answer, NewInvite)
    return str(InviteLink("127.0.0.1", port, certificates.load(data / "certs").pin, answer.token))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints; 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--messages", type=int, default=MESSAGES)
    parser.add_argument("--keys", type=int, default=KEYS)
    parser.add_argument("--starts", type=int, default=STARTS)
    parser.add_argument("--talk", metavar="PROFILE", help=argparse.SUPPRESS)
    parser.add_argument("--rate", type=float, default=RATE, help="messages a second")
    options = parser.parse_args(arguments)
    if options.talk:
        talk(options.talk, options.rate)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), options.messages, options.keys, options.starts, options.rate)
    if options.json:
        print(json.dumps({figure.name: {"value": figure.value, "unit": figure.unit} for figure in figures}))
    else:
        print(table(figures))
    return 0 if all(figure.met is not False for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
