"""Crowds: many people entering a room at once, and a large room in which somebody floods commits.

python -m tests.scenarios.storm                    200 people enter #lobby within a minute
python -m tests.scenarios.storm --flood            256 members, one of them floods commits, an admin removes it
"""

import argparse
import time
from collections import Counter
from dataclasses import dataclass, field

from secure_chat.client.engine.spaces import Phase
from secure_chat.server.core.settings import Settings
from secure_chat.wire.framing import HEADER_LENGTH, decode_client_message, decode_server_message
from secure_chat.wire.messages import Append, Entry
from tests.fast_suite import fast_suites
from tests.scenarios.harness import Link, Node, World, world

__all__ = ["Traffic", "enter_lobby"]

OWN_RATES = Settings(open_registration=True, registrations_burst=100_000)
"""The relay's own rates; but a thousand people behind one address may register."""
MINUTE = 60_000


@dataclass
class Traffic:
    """Bytes of frames on all connections, by what they are."""

    up: Counter[str] = field(default_factory=Counter)
    down: Counter[str] = field(default_factory=Counter)
    frames: int = 0

    @property
    def total(self) -> int:
        """In both directions."""
        return sum(self.up.values()) + sum(self.down.values())

    def watch(self, deployment: World) -> None:
        """Counts from now on."""
        to_relay, to_client = deployment.to_relay, deployment._to_client

        def count_up(link: Link, frame: bytes) -> None:
            message = decode_client_message(frame[HEADER_LENGTH:])
            kind = message.kind.name if isinstance(message, Append) else type(message).__name__
            self.up[kind] += len(frame)
            self.frames += 1
            to_relay(link, frame)

        def count_down(number: int, frame: bytes) -> None:
            message = decode_server_message(frame[HEADER_LENGTH:])
            kind = message.kind.name if isinstance(message, Entry) else type(message).__name__
            self.down[kind] += len(frame)
            self.frames += 1
            to_client(number, frame)

        deployment.to_relay = count_up  # type: ignore[method-assign]
        deployment._to_client = count_down  # type: ignore[method-assign]


def inside(node: Node, name: str = "lobby") -> bool:
    """Whether a client is in the open room."""
    return any(r.name == name and r.phase == Phase.JOINED for r in node.engine._state.rooms.values())


def enter_lobby(people: int, within: int = MINUTE, limit: int = 5 * MINUTE) -> tuple[int, Traffic]:
    """So many accounts connect for the first time within a time; milliseconds until all are in, and the traffic."""
    with fast_suites(real_sizes=True), world(1, OWN_RATES) as deployment:
        traffic = Traffic()
        traffic.watch(deployment)
        start = deployment.now
        nodes: list[Node] = []
        for number in range(people):
            node = deployment.add(f"person{number}")
            nodes.append(node)
            deployment.at(start + deployment.random.randrange(within), lambda node=node: arrive(node))  # type: ignore[misc]
        deployment.run_until(lambda: all(inside(node) for node in nodes), limit, "everybody is in")
        taken = deployment.now - start
        deployment.settle(10_000)
        assert all(inside(node) for node in nodes)
        return taken, traffic


def arrive(node: Node) -> None:
    """Somebody starts the program for the first time."""
    node.connect_at = node.world.now
    node.connect()


def report(traffic: Traffic) -> None:
    """What went over the wire."""
    print(f"{traffic.total / 1e6:.1f} MB in {traffic.frames} frames")
    for name, counter in (("to the relay", traffic.up), ("to clients", traffic.down)):
        print(f"  {name}: " + ", ".join(f"{kind} {size / 1e6:.1f} MB" for kind, size in counter.most_common(6)))


def main() -> None:
    """Runs one storm and prints what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=200)
    options = parser.parse_args()
    began = time.monotonic()
    taken, traffic = enter_lobby(options.people, limit=30 * MINUTE)
    print(f"{options.people} people in after {taken / 1000:.1f} s, simulated in {time.monotonic() - began:.0f} s")
    report(traffic)


if __name__ == "__main__":
    main()
