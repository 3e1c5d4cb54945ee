"""The real relay as a process of its own, for tests over real TLS."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from secure_chat.server.control import operate
from secure_chat.server.core.admin import CreateInviteToken, NewInvite
from secure_chat.server.home import Home
from tests.relay_client import Person, RelayClient

__all__ = ["RelayProcess", "running", "wait_until"]

START_TIME = 60.0
"""Seconds; a busy machine takes a few."""


def wait_until(condition: Callable[[], bool], what: str, timeout: float = 20.0) -> None:
    """Waits for a condition with a deadline."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout} s: {what}"
        time.sleep(0.01)


class RelayProcess:
    """`python -m secure_chat server` on a data directory of its own; may be killed and started again."""

    def __init__(self, folder: Path, *arguments: str, settings: Mapping[str, object] | None = None) -> None:
        self.data = folder / "data"
        self.home = Home(self.data)
        self._folder = folder
        self._arguments = arguments
        self._settings = settings or {}
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self.log: list[dict[str, Any]] = []
        self.address = ("127.0.0.1", 0)
        self.metrics_address = ""
        self.output = ""
        """What it has written to standard output; complete after `wait`."""

    def start(self, *, port: int = 0, wait: bool = True) -> None:
        """Starts the process and waits until it listens."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SECURE_CHAT_")}
        environment["PYTHONUNBUFFERED"] = "1"
        environment["PYTHONPATH"] = str(Path(__file__).parent.parent)
        command = [
            sys.executable, "-W", "error::ResourceWarning", "-m", "secure_chat", "server", "--data", str(self.data),
            "--listen", f"127.0.0.1:{port}", "--log-format", "json", *self._arguments,
        ]  # fmt: skip
        for key, value in self._settings.items():
            command += ["--set", f"{key}={value}"]
        self._process = subprocess.Popen(
            command, cwd=self._folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        threading.Thread(target=self._collect, args=(self._process,), daemon=True).start()
        if wait:
            line = self.wait_for_log("listening on ")
            host, _, found = line["message"].removeprefix("listening on ").partition(",")[0].rpartition(":")
            self.address = (host, int(found))
            if "metrics" in self._settings:
                self.metrics_address = str(self.wait_for_log("metrics on ")["message"]).removeprefix("metrics on ")

    def _collect(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        for text in process.stderr:
            try:
                line = json.loads(text)
            except ValueError:
                line = {"message": text.rstrip("\n"), "level": "raw"}
            self._lines.put(line)
        self._lines.put(None)

    def wait_for_log(self, beginning: str, timeout: float = START_TIME) -> dict[str, Any]:
        """The next log line that begins so; fails when the process ends without it."""
        deadline = time.monotonic() + timeout
        while True:
            line = self._lines.get(timeout=max(0.01, deadline - time.monotonic()))
            assert line is not None, f"the relay ended without saying {beginning!r}: {self.log}"
            self.log.append(line)
            if str(line["message"]).startswith(beginning):
                return line

    def drain_log(self) -> list[dict[str, Any]]:
        """All log lines so far."""
        with contextlib.suppress(queue.Empty):
            while (line := self._lines.get_nowait()) is not None:
                self.log.append(line)
        return self.log

    @property
    def pid(self) -> int:
        """Of the running process."""
        assert self._process is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        """It has not ended."""
        return self._process is not None and self._process.poll() is None

    def signal(self, number: int) -> None:
        """Sends a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, in the middle of whatever it does."""
        self.signal(signal.SIGKILL)
        self.wait()

    def stop(self) -> int:
        """SIGTERM and wait; the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def wait(self, timeout: float = 30.0) -> int:
        """Waits for the end; the exit code."""
        assert self._process is not None
        code = self._process.wait(timeout)
        assert self._process.stdout is not None
        self.output += self._process.stdout.read()
        self._process.stdout.close()
        while (line := self._lines.get(timeout=timeout)) is not None:
            self.log.append(line)
        assert self._process.stderr is not None
        self._process.stderr.close()
        self._process = None
        return code

    @property
    def ca_pem(self) -> str:
        """The CA that clients of this relay accept."""
        return (self.data / "certs" / "ca.pem").read_text()

    def invite(self, uses: int = 1000) -> str:
        """A fresh token from the operator."""
        answer = operate(self.home, CreateInviteToken(uses, None, "tests"))
        assert isinstance(answer, NewInvite)
        return answer.token

    def metric(self, name: str) -> float:
        """A metric's value; the relay must have been given a port for them."""
        with urllib.request.urlopen(self.metrics_address, timeout=10) as answer:
            for line in answer.read().decode().splitlines():
                if line.startswith(f"secure_chat_{name} "):
                    return float(line.split()[1])
        raise KeyError(name)

    def connect(self, *, timeout: float = 20.0, source: str = "127.0.0.1") -> RelayClient:
        """A connection that has said nothing yet."""
        return RelayClient(self.address, self.ca_pem, timeout=timeout, source=source)

    def enter(self, person: Person, token: str | None = None, *, source: str = "127.0.0.1") -> RelayClient:
        """A connection that is logged in."""
        client = self.connect(source=source)
        try:
            client.enter(person, token)
        except BaseException:
            client.close()
            raise
        return client


@contextlib.contextmanager
def running(folder: Path, *arguments: str, settings: Mapping[str, object] | None = None) -> Iterator[RelayProcess]:
    """A relay that is up; at the end it must stop by itself, without an error in its log."""
    relay = RelayProcess(folder, *arguments, settings=settings)
    relay.start()
    try:
        yield relay
        if relay.alive:
            code = relay.stop()
            assert code == 0, relay.log
            wrong = [line for line in relay.log if line["level"] in ("error", "critical", "raw")]
            assert not wrong, wrong
    finally:
        if relay.alive:
            relay.kill()
