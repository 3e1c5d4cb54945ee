"""Does it work on this machine? A server and two clients, each a real process, and one message from one to the other.

Everything lies in a folder of its own, which is removed at the end; servers and profiles that are there stay untouched.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from environment import SetupError

__all__ = ["try_out"]

PATIENCE = 60.0
"""Seconds for each step; all together take about two, except on a machine that is busy."""
TEXT = "the first message"


def try_out(program: str, installing: float) -> None:
    """Says what works and when, in seconds since the installation, which took `installing`; raises SetupError."""
    print("Trying it out in a folder of its own, which is removed afterwards", flush=True)
    # Without the clean-up of errors: on Windows a file may stay open for a moment after its process has ended.
    with tempfile.TemporaryDirectory(prefix="secure-chat-try-", ignore_cleanup_errors=True) as folder:
        seconds = _Trial(program, Path(folder)).run()
    print(f"It works: {seconds:.1f} s from the installation, which took {installing:.1f} s, to the first message.")


class _Trial:
    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self._log = folder / "log"
        self._begun = time.monotonic()
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SECURE_CHAT_")}
        self._environment = {
            **kept,
            "SECURE_CHAT_HOME": str(folder / "client"),
            "SECURE_CHAT_SERVER_DATA": str(folder / "server"),
        }

    def run(self) -> float:
        """The steps, each told when it is done; the seconds until the message was there."""
        with self._running("server", "--listen", "127.0.0.1:0") as server:
            link = next((word for line in server for word in line.split() if word.startswith("secure-chat://")), "")
            if not link:
                raise SetupError("the server did not say where it listens")
            self._tell("the server listens")
            link = self._ask("server", "invite", "create", "--uses", "2", "--json")["link"]
            for name in ("first", "second"):
                self._ask("client", link, "--profile", name, "--name", name, "--no-passphrase", "--no-chat", "--json")
                self._tell(f"the {name} client has joined by the link")
            with self._running("client", "--profile", "second", "listen", "--json") as second:
                self._ask("client", "--profile", "first", "send", "--room", "lobby", "--json", TEXT)
                self._tell("the first client has sent a message, and the server has it on its disk")
                for line in second:
                    event = json.loads(line)
                    if event["event"] == "message_added" and event["message"]["text"] == TEXT:
                        break
                else:
                    raise SetupError("the second client ended without the message")
                return self._tell("the second client has decrypted it and shows it")

    def _tell(self, what: str) -> float:
        seconds = time.monotonic() - self._begun
        print(f"  {seconds:5.2f} s  {what}", flush=True)
        return seconds

    def _ask(self, *arguments: str) -> dict[str, str]:
        """One command that ends by itself; what it answers in JSON, which is its result where there is one."""
        try:
            done = subprocess.run(
                [self._program, *arguments],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=PATIENCE,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise SetupError(f"no answer within {PATIENCE:.0f} s: {' '.join(arguments[:2])}") from None
        if done.returncode != 0:
            raise SetupError(f"{' '.join(arguments[:2])} failed: {(done.stderr or done.stdout).strip()}")
        answer = json.loads(done.stdout)
        return dict(answer.get("result", answer))

    @contextlib.contextmanager
    def _running(self, *arguments: str) -> Iterator[Iterator[str]]:
        """A process that goes on by itself: the lines that it prints, as they come; ended on leaving."""
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                [self._program, *arguments],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert process.stdout is not None
        lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        threading.Thread(target=_pass_on, args=(process.stdout, lines), daemon=True).start()
        try:
            yield _until_end(lines)
        except SetupError as error:
            raise SetupError(f"{error}\n{self._log.read_text(errors='replace').strip()}".rstrip()) from None
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _pass_on(stream: IO[str], lines: queue.SimpleQueue[str | None]) -> None:
    with stream:
        for line in stream:
            lines.put(line)
    lines.put(None)


def _until_end(lines: queue.SimpleQueue[str | None]) -> Iterator[str]:
    """Lines until the process ends; raises SetupError if nothing comes for too long."""
    while True:
        try:
            line = lines.get(timeout=PATIENCE)
        except queue.Empty:
            raise SetupError(f"nothing happened for {PATIENCE:.0f} s") from None
        if line is None:
            return
        yield line
