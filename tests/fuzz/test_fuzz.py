"""A slice of every fuzz campaign: FUZZ_SECONDS per target (CI: 30), 2 where it is not set."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.names import TARGET_NAMES

ROOT = Path(__file__).parents[2]
SECONDS = int(os.environ.get("FUZZ_SECONDS", "2"))


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="needs atheris: pip install secure-chat[fuzz]")
@pytest.mark.timeout(SECONDS + 100)
@pytest.mark.parametrize("target", TARGET_NAMES)
def test_fuzzing_finds_nothing(target: str, tmp_path: Path) -> None:
    """Every input ends in success or in one error of the MLS tree, in bounded time and memory."""
    command = [sys.executable, "-m", "tests.fuzz", "--target", target, "--seconds", str(SECONDS)]
    done = subprocess.run([*command, "--keep", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
