"""A copy of the checkout as a stranger has it: bare Python, an empty home."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["Checkout"]

ROOT = Path(__file__).parent.parent
SHIPPED = ("README.md", "pyproject.toml", "secure_chat", "scripts")


class Checkout:
    """A fresh copy with a home of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "checkout"
        self.folder.mkdir()
        for name in SHIPPED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, self.folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, self.folder)
        home = folder / "home"
        home.mkdir()
        kept = {name: os.environ[name] for name in os.environ if name.startswith(("PIP_", "LANG", "LC_", "SSL_"))}
        self.environment = {
            **kept,
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "SECURE_CHAT_HOME": str(home / "client"),
            "SECURE_CHAT_SERVER_DATA": str(home / "server"),
        }
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = int(probe.getsockname()[1])

    def start(self, *arguments: str, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Runs the script as a person would."""
        return subprocess.run(
            [sys.executable, "scripts/start.py", *arguments],
            cwd=self.folder,
            env=environment or self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )
