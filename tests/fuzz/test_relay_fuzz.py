"""A slice of the relay's fuzz campaigns: FUZZ_SECONDS each (CI: 30), 2 where it is not set."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SECONDS = int(os.environ.get("FUZZ_SECONDS", "2"))


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="needs atheris: pip install secure-chat[fuzz]")
@pytest.mark.timeout(SECONDS + 100)
@pytest.mark.parametrize("target", ["frames", "sessions"])
def test_fuzzing_the_relay_finds_nothing(target: str, tmp_path: Path) -> None:
    """Typed answers or FrameError, whatever is sent."""
    options = [f"-max_total_time={SECONDS}", "-timeout=20", "-rss_limit_mb=2048", f"-artifact_prefix={tmp_path}/"]
    command = [sys.executable, "-m", "tests.fuzz.relay", target, *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
