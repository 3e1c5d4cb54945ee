"""With CI set, a test may only be skipped if tests/allowed_skips.txt names it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SKIPPING = """
import pytest

@pytest.mark.skip(reason="no such machine")
def test_by_mark():
    pass

def test_inside():
    pytest.skip("no such machine")

def test_runs():
    pass
"""


def run(folder: Path, allowed: str, *, ci: bool) -> subprocess.CompletedProcess[str]:
    """pytest on a folder with our conftest, two skipping tests and this list of allowed skips."""
    shutil.copy(HERE / "conftest.py", folder / "conftest.py")
    (folder / "allowed_skips.txt").write_text(allowed)
    (folder / "test_skipping.py").write_text(SKIPPING)
    environment = {name: value for name, value in os.environ.items() if name != "CI"} | ({"CI": "1"} if ci else {})
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_skips_fail_in_ci(tmp_path: Path) -> None:
    """Both kinds of skip, with the reason shown."""
    done = run(tmp_path, "", ci=True)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "1 failed, 1 passed, 1 error" in done.stdout  # a mark skips before the test, pytest.skip within it
    assert "no such machine" in done.stdout


def test_allowed_skips_pass_in_ci(tmp_path: Path) -> None:
    """Those on the list, by pattern."""
    done = run(tmp_path, "*test_skipping.py::*  # for this test\n", ci=True)
    assert done.returncode == 0, done.stdout
    assert "1 passed, 2 skipped" in done.stdout


def test_skips_pass_elsewhere(tmp_path: Path) -> None:
    """On a developer's machine nothing changes."""
    done = run(tmp_path, "", ci=False)
    assert done.returncode == 0, done.stdout


def test_list_demands_reasons(tmp_path: Path) -> None:
    """An entry without a reason is an error."""
    done = run(tmp_path, "*test_skipping.py::*\n", ci=True)
    assert done.returncode != 0
    assert "has no reason" in done.stdout + done.stderr
