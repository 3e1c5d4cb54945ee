"""The project's own X-Wing vectors, checked by ts-mls, and made again."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.interop.node import INSTALL_SECONDS, node_command

pytestmark = pytest.mark.timeout(INSTALL_SECONDS + 100)  # the first test may have to install the peer

ROOT = Path(__file__).parents[2]
VECTORS = ROOT / "tests" / "vectors" / "xwing"


def test_ts_mls_verifies_our_vectors(ts_mls_folder: Path) -> None:
    """An independent implementation finds every vector right."""
    done = subprocess.run(
        [*node_command(), "vectors.mjs", str(VECTORS / "0x0054")],
        cwd=ts_mls_folder, capture_output=True, text=True, timeout=100, check=True,
    )  # fmt: skip
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert {result["file"] for result in results} == {path.name for path in (VECTORS / "0x0054").glob("*.json")}
    for result in results:
        assert result["passed"] == result["total"] > 0, result["failure"]


def test_vectors_are_reproducible(tmp_path: Path) -> None:
    """The generator writes the files that are kept, byte for byte."""
    command = [sys.executable, "-m", "tests.vectors.xwing.generate", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, timeout=100, check=True)
    kept = {path.relative_to(VECTORS): path.read_bytes() for path in VECTORS.glob("*/*.json")}
    made = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.glob("*/*.json")}
    assert kept.keys() == made.keys()
    for name, content in kept.items():
        assert made[name] == content, f"{name} differs: run {' '.join(command[1:3])} if the change is meant"
