"""A room of 256 people with the post-quantum suite: entering it, and adding one more."""

import time
from statistics import median

from bench.client.figures import Figure
from bench.client.people import Place
from secure_chat.client.api import Client
from secure_chat.client.events import Invited
from secure_chat.wire.limits import MAX_ADDS_PER_COMMIT

__all__ = ["measure"]

ADDS = 4
"""Single additions measured, the last ones of the room."""


def measure(where: Place, people: int) -> list[Figure]:
    """All but a few join and are never seen again: their key packages are what matters."""
    names = [f"member{number}" for number in range(people - 1)]
    for name in names:
        with where.join(name) as client:
            client.wait_until_online()
    with where.join("founder") as founder:
        founder.create_room("crowd")
        many, few = names[: -ADDS - 1], names[-ADDS - 1 : -1]
        for first in range(0, len(many), MAX_ADDS_PER_COMMIT):
            founder.invite("#crowd", *many[first : first + MAX_ADDS_PER_COMMIT])
        adds = []
        for name in few:
            begun = time.perf_counter()
            founder.invite("#crowd", name)
            adds.append((time.perf_counter() - begun) * 1000)
        with Client.open(names[-1]) as newcomer:
            newcomer.wait_until_online()
            events = newcomer.events()
            begun = time.perf_counter()
            founder.invite("#crowd", names[-1])
            invited = (time.perf_counter() - begun) * 1000
            while not isinstance(events.next(60), Invited):
                pass
            arrived = time.perf_counter()
            newcomer.accept("#crowd")
            joined = time.perf_counter() - arrived
            entered = time.perf_counter() - begun - invited / 1000
            members = len(newcomer.members("#crowd"))
    assert members == people, members
    return [
        Figure(f"room of {people} (post-quantum): one add", median([*adds, invited]), "ms", 300),
        Figure(f"room of {people} (post-quantum): join by Welcome", entered, "s", 2),
        Figure(f"room of {people} (post-quantum): accept", joined * 1000, "ms"),
    ]
