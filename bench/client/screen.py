"""A program in a pseudo-terminal, watched without drawing: when do which bytes come out?"""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

__all__ = ["Screen"]

PATIENCE = 60.0
_CONTROL = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]")


class Screen:
    """Types and waits."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
        self.begun = time.perf_counter()
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True
        )
        os.close(slave)
        self._seen = b""

    def press(self, text: str) -> None:
        """Types."""
        os.write(self._master, text.encode())

    def wait_for(self, text: str) -> float:
        """The moment (`time.perf_counter`) at which this text, not seen before, has come out."""
        wanted = text.encode()
        deadline = time.perf_counter() + PATIENCE
        while wanted not in _CONTROL.sub(b"", self._seen):
            ready, _, _ = select.select([self._master], [], [], max(0.0, deadline - time.perf_counter()))
            if not ready:
                raise TimeoutError(f"{text!r} did not appear: {self._seen!r}")
            self._seen += os.read(self._master, 65536)
        moment = time.perf_counter()
        self._seen = b""
        return moment

    def memory(self) -> float:
        """Resident memory in MiB."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            (line,) = [line for line in file if line.startswith("VmRSS:")]
        return int(line.split()[1]) / 1024

    def close(self) -> None:
        """Ends the program."""
        self.process.kill()
        self.process.wait()
        os.close(self._master)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
