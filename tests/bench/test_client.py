"""The client's benchmark works: in small, its figures are there and not nonsense."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.client.figures import Figure, percentile, table

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("part", ["start", "latency", "burst", "catch-up", "search", "rooms"])
def test_each_part_measures_something(part: str) -> None:
    """Whether targets are met depends on the machine; that all of it runs does not."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.client", "--small", "--json", "--only", part],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    figures = json.loads(done.stdout)
    assert figures
    assert all(figure["value"] > 0 for figure in figures)


def test_table_tells_which_targets_are_missed() -> None:
    """At most and at least."""
    figures = [Figure("a", 3, "ms", 5), Figure("bb", 3, "/s", 5, at_least=True), Figure("c", 3, "ms")]
    lines = table(figures).splitlines()
    assert [figure.met for figure in figures] == [True, False, None]
    assert lines[0].endswith("target <= 5  ok")
    assert lines[1].endswith("target >= 5  MISSED")
    assert percentile([5, 1, 3], 0.5) == 3
