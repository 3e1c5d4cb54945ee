"""The checkout's own environment in .venv, made with the standard library alone; what start.py and test.py share.

Importing this works on Pythons older than the oldest supported one, so that the check of the version can run there.
Packages come from where pip is set up to look; no installer is downloaded.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["ROOT", "SetupError", "ensure", "require_python"]

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 11)
_NEWER = ("python3.14", "python3.13", "python3.12", "python3.11")


class SetupError(Exception):
    """One line that says what to install or do."""


def require_python() -> None:
    """Goes on under a newer Python where this one is too old; raises SetupError where there is none."""
    if sys.version_info >= OLDEST:
        return
    for name in _NEWER:
        found = shutil.which(name)
        if found is not None and _works(Path(found)):
            os.execv(found, [found, *sys.argv])  # noqa: S606 - the same script, no shell between
    raise SetupError(f"secure-chat needs Python 3.11 or newer, this is {_version()}: install python3.11")


def ensure(extras: tuple[str, ...] = (), folder: Path = ROOT / ".venv") -> Path:
    """The Python of an environment with secure-chat and the extras; does nothing where they are installed already.

    Raises SetupError.
    """
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    wanted = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    stamp = folder / "secure-chat-installed"
    usable = _works(python)
    installed = stamp.read_text().split() if usable and stamp.exists() else [""]
    if installed[0] == wanted and set(extras) <= set(installed[1:]):
        return python
    if not usable:
        print(f"Making a Python environment in {folder.name}", flush=True)
        _make(folder)
    print("Installing what secure-chat needs (once; later starts skip this)", flush=True)
    extras = tuple(sorted({*extras, *installed[1:]}))
    target = f"{ROOT}[{','.join(extras)}]" if extras else str(ROOT)
    _run([*_installer(python), "install", "--quiet", "--editable", target], "installing the packages failed")
    stamp.write_text(" ".join((wanted, *extras)))
    return python


def _works(python: Path) -> bool:
    """The interpreter starts: an upgraded system Python leaves environments whose link leads nowhere."""
    return python.exists() and subprocess.run([str(python), "-c", ""], capture_output=True, check=False).returncode == 0


def _make(folder: Path) -> None:
    uv = shutil.which("uv")
    if importlib.util.find_spec("venv") is not None and importlib.util.find_spec("ensurepip") is not None:
        _run([sys.executable, "-m", "venv", "--clear", str(folder)], "making the environment failed")
    elif importlib.util.find_spec("venv") is not None and (_has_pip() or uv):
        # Debian without python3-venv: pip or uv from outside installs into it.
        _run([sys.executable, "-m", "venv", "--without-pip", "--clear", str(folder)], "making the environment failed")
    elif uv is not None:
        _run(
            [uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)], "making the environment failed"
        )
    else:
        raise SetupError(_missing())


def _installer(python: Path) -> list[str]:
    """The pip of the environment, else a pip or uv from outside that installs into it."""
    if subprocess.run([str(python), "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0:
        return [str(python), "-m", "pip", "--disable-pip-version-check"]
    if _has_pip():
        return [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python)]
    uv = shutil.which("uv")
    if uv is not None:
        os.environ["VIRTUAL_ENV"] = str(python.parent.parent)
        return [uv, "pip"]
    raise SetupError(_missing())


def _has_pip() -> bool:
    """A pip outside the environment that knows `--python` (22.3 or newer)."""
    command = [sys.executable, "-m", "pip", "--version"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        return False
    major, minor = result.stdout.split()[1].split(".")[:2]
    return (int(major), int(minor)) >= (22, 3)


def _missing() -> str:
    """The one line for a Python without the means to make environments."""
    if shutil.which("apt-get") is not None:
        return f"this Python can't make environments: run 'sudo apt-get install python{_version()}-venv' and try again"
    return f"this Python has neither ensurepip, pip nor uv: install pip for Python {_version()} and try again"


def _version() -> str:
    return ".".join(map(str, sys.version_info[:2]))


def _run(command: list[str], failure: str) -> None:
    result = subprocess.run(
        command, cwd=str(ROOT), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if result.returncode != 0:
        sys.stderr.write(result.stdout)
        raise SetupError(f"{failure} (exit code {result.returncode}); the lines above say why")
