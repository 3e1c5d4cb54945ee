"""Every story of chatting, each with lost connections, crashes, restarts of the relay, and all of it at once.

Whatever goes wrong in between, the story ends as it should for everybody, nothing is lost, doubled or reordered, and
no key is used twice (`invariants`, `watch`).
"""

import pytest

from tests.fast_suite import fast_suites
from tests.scenarios.harness import world
from tests.scenarios.invariants import check_all
from tests.scenarios.message_stories import MESSAGE_STORIES
from tests.scenarios.room_stories import ROOM_STORIES
from tests.scenarios.trouble import TROUBLES, Person, Story, Trouble

QUIET = 300_000
"""Milliseconds after which everything has come to its end."""


def play(story: Story, trouble: str, seed: int) -> int:
    """One story under one seed; how many accidents there were."""
    with fast_suites(), world(seed) as w:
        people = [Person(w.join(name)) for name in ("alice", "bob", "carol")]
        w.settle()
        accidents = Trouble(w, TROUBLES[trouble])
        end = story(*people)
        accidents.end()
        w.settle(QUIET)
        end()
        check_all(list(w.nodes.values()))
        return accidents.accidents


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("story", [*ROOM_STORIES, *MESSAGE_STORIES], ids=lambda story: story.__name__)
def test_story_ends_well_whatever_goes_wrong(story: Story, trouble: str) -> None:
    """Three people; each trouble at other moments under each seed."""
    seeds = range(1, 4) if TROUBLES[trouble] else range(1)
    accidents = [play(story, trouble, seed) for seed in seeds]
    assert any(accidents) or trouble == "nothing", "nothing has gone wrong"
