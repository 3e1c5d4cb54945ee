"""Making the checkout's environment, on Pythons that lack one thing or another."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parent.parent.parent / "scripts"

NO_ENSUREPIP = "import sys; sys.modules['ensurepip'] = None; "
"""What Debian's Python without python3-venv looks like."""


def run(code: str, *, python: Path | str = sys.executable, path: str | None = None) -> subprocess.CompletedProcess[str]:
    """Runs code beside environment.py, as start.py and test.py do."""
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
    if path is not None:
        environment["PATH"] = path
    return subprocess.run(
        [str(python), "-c", code], env=environment, capture_output=True, text=True, timeout=100, check=False
    )


def make_wheel(folder: Path) -> Path:
    """The smallest wheel there is."""
    wheel = folder / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny.py", "VALUE = 42\n")
        archive.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        archive.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("tiny-1.0.dist-info/RECORD", "")
    return wheel


def python_of(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


@pytest.mark.parametrize("before", ["", NO_ENSUREPIP], ids=["with ensurepip", "without ensurepip"])
def test_environment_is_made_and_can_be_installed_into(before: str, tmp_path: Path) -> None:
    """Where the environment gets no pip of its own, the one outside installs into it."""
    folder = tmp_path / "venv"
    wheel = make_wheel(tmp_path)
    code = (
        f"{before}from pathlib import Path; import environment\n"
        f"folder = Path({str(folder)!r}); python = Path({str(python_of(folder))!r})\n"
        "environment._make(folder)\n"
        f"environment._run([*environment._installer(python), 'install', '--no-index', {str(wheel)!r}], 'failed')\n"
    )
    result = run(code)
    assert result.returncode == 0, result.stderr
    check = subprocess.run(
        [str(python_of(folder)), "-c", "import tiny; print(tiny.VALUE)"], capture_output=True, text=True
    )
    assert check.stdout == "42\n"


def test_without_any_installer_one_line_says_what_to_install(tmp_path: Path) -> None:
    """Neither ensurepip, pip nor uv: nothing is downloaded, the package is named."""
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(bare)], check=True)
    code = (
        f"{NO_ENSUREPIP}from pathlib import Path; import environment\n"
        "try:\n"
        f"    environment._make(Path({str(tmp_path / 'venv')!r}))\n"
        "except environment.SetupError as error:\n"
        "    print(error)\n"
    )
    result = run(code, python=python_of(bare), path=str(tmp_path))
    assert result.returncode == 0, result.stderr
    assert len(result.stdout.splitlines()) == 1
    assert "pip" in result.stdout
    assert not (tmp_path / "venv").exists()


def test_what_is_installed_is_not_installed_again(tmp_path: Path) -> None:
    """The stamp names the dependencies and the extras; with a working interpreter nothing happens."""
    folder = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    code = (
        "import hashlib, environment; from pathlib import Path\n"
        f"folder = Path({str(folder)!r})\n"
        "wanted = hashlib.sha256((environment.ROOT / 'pyproject.toml').read_bytes()).hexdigest()\n"
        "(folder / 'secure-chat-installed').write_text(wanted + ' dev')\n"
        "print(environment.ensure(('dev',), folder)); print(environment.ensure((), folder))\n"
    )
    result = run(code)
    assert result.stdout.splitlines() == [str(python_of(folder))] * 2, result.stderr


def test_failing_step_shows_its_output_and_one_line(tmp_path: Path) -> None:
    """What pip said comes first, then what failed."""
    code = (
        "import environment, sys\n"
        "try:\n"
        "    environment._run([sys.executable, '-c', 'print(\"reason\"); raise SystemExit(3)'], 'installing failed')\n"
        "except environment.SetupError as error:\n"
        "    print(error)\n"
    )
    result = run(code)
    assert result.stdout == "installing failed (exit code 3); the lines above say why\n"
    assert result.stderr == "reason\n"


def test_older_python_is_told_what_is_needed(tmp_path: Path) -> None:
    """With no newer one on the path; where there is one, it takes over."""
    code = (
        "import environment, sys\n"
        "environment.OLDEST = (99, 0)\n"
        "try:\n"
        "    environment.require_python()\n"
        "except environment.SetupError as error:\n"
        "    print(error)\n"
    )
    result = run(code, path=str(tmp_path))
    assert result.stdout.startswith("secure-chat needs Python 3.11 or newer"), result.stderr
