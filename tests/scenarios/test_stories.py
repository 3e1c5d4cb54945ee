"""Each story in the deployment of one thread, and with real processes over real TLS: the same is true in both."""

from collections import Counter
from pathlib import Path

import pytest

from tests.scenarios.stages import in_one_thread, in_processes
from tests.scenarios.stories import STORIES, Person, Story, history


def nothing_twice(people: list[Person]) -> None:
    """In nobody's lobby is a message twice, and all have what they share in one order."""
    shared = [[line.id for line in history(person, "#lobby")] for person in people]
    assert all(max(Counter(ids).values(), default=0) <= 1 for ids in shared)
    common = set.intersection(*map(set, shared))
    orders = {tuple(message for message in ids if message in common) for ids in shared}
    assert len(orders) == 1


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_a_story_in_one_thread(story: Story) -> None:
    """Under the simulated clock."""
    with in_one_thread() as stage:
        nothing_twice(story(stage))


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_the_same_story_with_processes_over_tls(story: Story, tmp_path: Path) -> None:
    """`secure-chat server` and `secure-chat client rpc`, killed with SIGKILL where the story says so."""
    with in_processes(tmp_path) as stage:
        nothing_twice(story(stage))
