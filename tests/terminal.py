"""A program in a real pseudo-terminal, seen as a person sees it."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pyte

__all__ = ["Terminal"]

COLUMNS = 110
ROWS = 50
PATIENCE = 60.0
"""Seconds until something must have appeared; a busy machine is slow."""


class Terminal:
    """Types into a program and reads its screen; the lines that scrolled away are remembered."""

    def __init__(self, command: Sequence[str], *, env: Mapping[str, str], cwd: Path | None = None) -> None:
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self._screen = pyte.HistoryScreen(COLUMNS, ROWS, history=10_000, ratio=0.5)
        self._stream = pyte.ByteStream(self._screen)
        self._master = master
        self._condition = threading.Condition()
        self._ended = False
        self.written = bytearray()
        """All bytes that the program has written."""
        self.process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**env, "TERM": "xterm-256color", "COLUMNS": str(COLUMNS), "LINES": str(ROWS)},
            cwd=cwd,
            start_new_session=True,
        )
        os.close(slave)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._master, 65536)
            except OSError:  # Linux says EIO once the program has ended
                data = b""
            with self._condition:
                if not data:
                    self._ended = True
                else:
                    self.written += data
                    self._stream.feed(data)
                self._condition.notify_all()
            if not data:
                return

    @property
    def text(self) -> str:
        """Everything shown so far, line by line."""
        with self._condition:
            return self._text()

    def _text(self) -> str:
        # Not `display`: it stumbles over wide characters of which one half has just been overwritten.
        rows = [*self._screen.history.top, *(self._screen.buffer[y] for y in range(ROWS))]
        return "\n".join("".join(row[x].data for x in range(COLUMNS)).rstrip() for row in rows).rstrip()

    def wait_for(self, *texts: str, timeout: float = PATIENCE) -> str:
        """Waits until all the texts stand on the screen or above it; returns everything shown."""
        deadline = time.monotonic() + timeout
        with self._condition:
            while not all(text in self._text() for text in texts):
                left = deadline - time.monotonic()
                shown = self._text()
                assert left > 0, f"not shown within {timeout} s: {texts}\n{shown}"
                assert not self._ended, f"the program ended without showing {texts}\n{shown}"
                self._condition.wait(left)
            return self._text()

    def press(self, text: str) -> None:
        """Types, without Enter."""
        data = text.encode()
        while data:
            _, ready, _ = select.select([], [self._master], [], PATIENCE)
            assert ready, "the program does not read"
            data = data[os.write(self._master, data) :]

    def enter(self, line: str = "") -> None:
        """Types a line and Enter."""
        self.press(line + "\r")

    def kill(self) -> None:
        """SIGKILL, in the middle of whatever it does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(PATIENCE)

    def wait(self) -> int:
        """Waits for the program's end; its exit code."""
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return code

    def close(self) -> None:
        """Ends the program if it still runs."""
        if self.process.poll() is None:
            self.kill()
        self._reader.join(PATIENCE)
        os.close(self._master)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
