"""The wheel that people would install."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Built from a copy, by the build backend that pyproject.toml names."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in ("README.md", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "secure_chat", folder / "secure_chat", ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder / "out"), "."]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=110, check=False)
    if "No module named pip" in result.stderr:
        pytest.skip("an environment without pip")
    assert result.returncode == 0, result.stderr
    (built,) = (folder / "out").iterdir()
    return zipfile.ZipFile(built)


def test_wheel_contains_the_whole_package_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    """Every module and the typing marker; no tests, scripts or keys."""
    names = set(wheel.namelist())
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "secure_chat").rglob("*.py")}
    assert modules <= names
    assert "secure_chat/py.typed" in names
    assert {name.split("/")[0].split("-")[0] for name in names} <= {"secure_chat", "secure_chat.dist"}
    assert not [name for name in names if name.endswith(".pem")]


def test_wheel_installs_the_command(wheel: zipfile.ZipFile) -> None:
    """One entry point, named as the documentation says."""
    (entry_points,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    assert "secure-chat = secure_chat.__main__:main" in wheel.read(entry_points).decode()
