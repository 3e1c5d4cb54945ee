"""Crowds: many people entering a room at once, and a large room that one of its members floods.

python -m tests.scenarios.storm                    200 people enter #lobby within a minute
python -m tests.scenarios.storm --flood everything 256 members, one floods the room, an admin bans it
python -m tests.scenarios.storm --real             200 people against a real relay, with real TLS and cryptography
python -m tests.scenarios.storm --real --flood junk

The simulated ones have cipher suites of the real sizes that cost no time, and a clock of their own: the traffic and the
seconds they print are the same on every machine. The relay has the limits that it has by default.
"""

import argparse
import time
from dataclasses import dataclass

from secure_chat.client.engine.spaces import Phase
from secure_chat.server.core.settings import Settings
from tests.fast_suite import fast_suites
from tests.scenarios import real_storm
from tests.scenarios.flooder import HEAD_STARTS, Flood, Removal, remove
from tests.scenarios.harness import Node, World, world
from tests.scenarios.traffic import Traffic

__all__ = ["Entry", "enter_lobby", "remove_flooders"]

OWN_RATES = Settings(open_registration=True, registrations_burst=100_000)
"""The relay's own; but a thousand people behind one address may register."""
SECOND = 1_000
MINUTE = 60 * SECOND


@dataclass(frozen=True)
class Entry:
    """How it went; milliseconds from the first arrival until all were in."""

    took: int
    traffic: Traffic
    commits: int


def inside(node: Node, name: str = "lobby") -> bool:
    """Whether a client is in the open room."""
    return any(r.name == name and r.phase == Phase.JOINED for r in node.engine._state.rooms.values())


def enter_lobby(people: int, within: int = MINUTE, limit: int = 5 * MINUTE) -> Entry:
    """So many accounts start the program for the first time within so many milliseconds."""
    with fast_suites(real_sizes=True), world(1, OWN_RATES) as deployment:
        traffic = Traffic.of(deployment)
        start = deployment.now
        nodes = _crowd(deployment, people, within)
        deployment.run_until(lambda: all(inside(node) for node in nodes), limit, "everybody is in")
        took = deployment.now - start
        deployment.settle(10 * SECOND)
        assert all(inside(node) for node in nodes)
        assert len({node.rooms()["#lobby"].epoch for node in nodes}) == 1
        return Entry(took, traffic, nodes[0].rooms()["#lobby"].epoch)


def remove_flooders(members: int, flood: Flood, limit: int = MINUTE) -> tuple[list[Removal], Traffic]:
    """An admin bans members of a large room, each of whom floods it; everybody is online.

    The first floods from the moment of the command on, the next is in the middle of its burst, the last has spent it.
    """
    with fast_suites(real_sizes=True), world(1, OWN_RATES) as deployment:
        admin = deployment.join("admin")
        others = _crowd(deployment, members - 1, (members - 1) * 300)
        deployment.run_until(lambda: all(inside(node) for node in others), 5 * MINUTE, "everybody is in")
        deployment.settle(MINUTE)
        honest, mallories = [admin, *others[: -len(HEAD_STARTS)]], others[-len(HEAD_STARTS) :]
        traffic = Traffic.of(deployment)
        removals = [
            remove(deployment, "#lobby", admin, mallory, honest, flood, head_start, limit)
            for mallory, head_start in zip(mallories, HEAD_STARTS, strict=True)
        ]
        deployment.settle(10 * SECOND)
        assert len({node.rooms()["#lobby"].epoch for node in honest}) == 1
        return removals, traffic


def _crowd(deployment: World, people: int, within: int) -> list[Node]:
    """People who start the program at random moments."""
    nodes = [deployment.add(f"person{number}") for number in range(people)]
    for node in nodes:
        _arrives(node, deployment.now + deployment.random.randrange(within))
    return nodes


def _arrives(node: Node, when: int) -> None:
    def arrive() -> None:
        node.connect_at = node.world.now
        node.connect()

    node.world.at(when, arrive)


def main() -> None:
    """Runs one storm and prints what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, help="200, or 256 members for a flood")
    parser.add_argument("--within", type=float, default=60, help="seconds in which people arrive")
    parser.add_argument("--flood", type=Flood, choices=list(Flood))
    parser.add_argument("--real", action="store_true", help="a relay process, TLS and real cryptography; in real time")
    options = parser.parse_args()
    began = time.monotonic()
    if options.real and options.flood:
        members = options.people or 256
        found = real_storm.remove_flooders(members, options.flood)
        print(f"{members} members, flooded with {options.flood}", *found, sep="\n")
    elif options.real:
        print(real_storm.enter_lobby(options.people or 200, options.within))
    elif options.flood:
        members = options.people or 256
        removals, traffic = remove_flooders(members, options.flood, limit=30 * MINUTE)
        print(f"{members} members, flooded with {options.flood}", *removals, traffic, sep="\n")
    else:
        people = options.people or 200
        entry = enter_lobby(people, int(options.within * SECOND), limit=30 * MINUTE)
        print(f"{people} people in after {entry.took / SECOND:.1f} s, by {entry.commits} commits")
        print(entry.traffic)
    print(f"ran for {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
