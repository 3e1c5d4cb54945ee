"""A slice of the random campaign; `python -m tests.scenarios.campaign` runs it for as long as one likes."""

import pytest

from tests.scenarios.campaign import attempt

SEEDS = 80
CHUNK = 10


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_whatever_happens_the_promises_hold(first: int) -> None:
    """Each seed is another deployment, with other people, faults and disasters."""
    broken = [f"seed {seed}: {why}" for seed, _, why in map(attempt, range(first, first + CHUNK)) if why]
    assert not broken


def test_a_seed_replays_exactly() -> None:
    """The same steps, whatever they are."""
    assert attempt(17) == attempt(17)
