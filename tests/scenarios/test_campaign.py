"""A few seeds of the random campaign; `python -m tests.scenarios.campaign` runs it for as long as one likes."""

import os
import subprocess
import sys

import pytest

from tests.scenarios.campaign import CI_LEAST, attempt, seeds

SEEDS = 20
CHUNK = 5
SEED = 17
"""With a lying relay and a malicious member."""


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_whatever_happens_the_promises_hold(first: int) -> None:
    """Each seed is another deployment, with other people, faults and disasters."""
    broken = [f"seed {seed}: {why}" for seed, _, why in map(attempt, range(first, first + CHUNK)) if why]
    assert not broken


def replay(hash_seed: str) -> str:
    """What the command says of a seed, in a process of its own."""
    command = [sys.executable, "-m", "tests.scenarios.campaign", "--seed", str(SEED)]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


def test_a_seed_replays_exactly() -> None:
    """Everybody is told the same at the same moments, in whatever order Python keeps its sets."""
    first, second = replay("1"), replay("2")
    assert first == second
    assert " steps, " in first


def test_the_slice_makes_its_least_number_of_runs_whatever_the_time() -> None:
    """A slow machine gets fewer seeds, but never too few."""
    assert list(seeds(7, 2_000, CI_LEAST, float("-inf"))) == list(range(7, 7 + CI_LEAST))
    assert len(list(seeds(0, 30, 10, float("inf")))) == 30
