"""Random deployments under a seed: people chat, govern rooms and come and go, while everything else goes wrong.

python -m tests.scenarios.campaign                 run until stopped, print what fails
python -m tests.scenarios.campaign --seed 17       replay one
python -m tests.scenarios.campaign --ci            the slice that every change has to pass
"""

import argparse
import itertools
import multiprocessing
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from secure_chat.client.commands import (
    AcceptInvitation,
    Action,
    Command,
    CreateRoom,
    DeclineInvitation,
    Delete,
    Demote,
    Edit,
    InvitePeople,
    JoinRoom,
    Kick,
    LeaveRoom,
    MarkRead,
    Promote,
    React,
    RefreshKeys,
    RenameRoom,
    RestartRoom,
    Send,
    SetReadReceipts,
    Typing,
)
from secure_chat.client.engine.spaces import Phase
from secure_chat.client.views import MessageKind, RoomKind
from tests.adversary.relay import LyingRelay, lying_relay
from tests.fast_suite import fast_suites
from tests.scenarios.harness import GENEROUS, Network, Node, World, world
from tests.scenarios.invariants import Violation, check_all
from tests.scenarios.malice import Malice

__all__ = ["Campaign", "attempt", "run_seed"]

QUIET = 900_000
"""Milliseconds in which everybody is back everywhere once nothing goes wrong any more."""
QUIET_MINUTE = 60_000
CALM_STEPS = 4_000
"""Steps a client in which everything is settled once nothing goes wrong any more, most of them signs of life."""
CI_SEEDS, CI_SECONDS, CI_LEAST = 2_000, 240.0, 500
MINUTE = 60.0
NAMES = [f"user{number}" for number in range(20)]


@dataclass(frozen=True)
class Shape:
    """Of one run."""

    clients: int
    steps: int
    faults: float
    suite: int | None
    disasters: bool
    """Restored backups and snapshots, and a relay that keeps entries for hours only."""
    malice: float
    """Chance that a step is a malicious one; 0: everybody is honest."""
    second: bool
    """Somebody has two devices."""
    real: bool
    """With the real cipher suites, not the fast ones."""


def shape_of(seed: int) -> Shape:
    """Small ones mostly, one in twenty with 20 clients."""
    large = seed % 20 == 19
    return Shape(
        clients=20 if large else 2 + seed % 7,
        steps=60 if large else 30 + (seed * 37) % 120,
        faults=(0.0, 0.02, 0.1, 0.2)[seed % 4],
        suite=3 if seed % 3 else None,
        disasters=seed % 5 > 2,
        malice=0.1 if seed % 3 == 2 else 0.0,
        second=seed % 7 == 3,
        real=seed % 10 == 0,
    )


class Campaign:
    """One seeded run."""

    def __init__(self, deployment: World, shape: Shape) -> None:
        self.world = deployment
        self.random = deployment.random
        self.shape = shape
        self.nodes: list[Node] = []
        self.rooms = 0
        self.trace: list[str] = []
        self.snapshots: dict[str, Path] = {}
        self.malice: Malice | None = None

    def run(self) -> None:
        """People join, things happen, everything calms down, and the promises are checked."""
        for name in NAMES[: self.shape.clients]:
            node = self.world.add(name)
            node.connect_at = self.world.now
            node.connect()
            self.nodes.append(node)
            self.world.run_for(self.random.randrange(0, 4_000))
        if self.shape.second:
            owner = self.nodes[0]
            other = self.world.add(owner.name, account=owner.engine._state.account_key, profile=f"{owner.name}.two")
            other.connect_at = self.world.now
            other.connect()
            self.nodes.insert(1, other)  # the last one may turn out malicious
        self.world.settle(10_000)
        if self.shape.malice and isinstance(self.world, LyingRelay):
            rogue = self.nodes[-1] if len(self.nodes) > 2 else None
            self.world.rogues = {rogue} if rogue is not None else set()
            self.malice = Malice(self.world, self.nodes, rogue, self.random)
        for _ in range(self.shape.steps):
            self.act()
            self.pause()
        self.calm()
        honest = [node for node in self.nodes if node not in self.world.rogues]
        check_all(honest, honest_relay=self.malice is None)

    def pause(self) -> None:
        """Between two actions: mostly moments, sometimes a night with the laptops closed."""
        draw = self.random.random()
        if draw < 0.7:
            self.world.run_for(self.random.randrange(0, 300))
        elif draw < 0.99:
            self.world.run_for(self.random.randrange(300, 8_000))
        else:
            self.world.sleep(self.random.randrange(3_600_000, 90_000_000))

    def calm(self) -> None:
        """Nothing goes wrong any more: everybody is back in bounded time and steps, and then it is quiet."""
        before = self.world.steps
        self.settle()
        steps = self.world.steps - before
        if steps > CALM_STEPS * len(self.nodes):
            raise Violation(f"{steps} steps were needed to come to rest")
        appends = self.world.appends
        self.world.run_for(QUIET_MINUTE)
        if self.world.appends - appends > len(self.nodes):
            raise Violation(f"{self.world.appends - appends} appends in a quiet minute")

    def settle(self) -> None:
        """Repairs what was broken on purpose, and lets time pass."""
        self.world.network = Network()
        for node in self.nodes:
            node.crash_after = None
            if node.offline:
                node.go_online()
        if self.malice is not None:
            # Who is in another half of a room is found out by speaking, and by nothing else.
            self.malice.end()
            self.world.run_for(QUIET)
            self.everybody_speaks()
            self.world.run_for(QUIET)
            self.everybody_speaks()
        self.world.run_for(QUIET)

    def everybody_speaks(self) -> None:
        """A message of everybody in every room."""
        for node in self.nodes:
            for room in list(node.engine._state.rooms.values()):
                if room.phase == Phase.JOINED:
                    self.ask(node, Send(room.channel.hex(), f"{node.name} speaks {self.world.now}"))
            self.world.run_for(5_000)

    def act(self) -> None:
        """One thing that a person, or fate, does."""
        if self.random.random() < self.shape.faults:
            self.fault()
            return
        if self.malice is not None and self.random.random() < self.shape.malice:
            self.trace.append(f"{self.world.now} {self.malice.step()}")
            return
        node = self.random.choice(self.nodes)
        actions: list[tuple[int, Callable[[Node], None]]] = [
            (40, self.send_room),
            (15, self.send_direct),
            (5, self.change_message),
            (4, self.create),
            (8, self.invite),
            (10, self.answer_invitation),
            (3, self.leave),
            (5, self.govern),
            (3, self.read),
            (2, self.rejoin),
            (1, self.restart),
            (1, self.refresh),
        ]
        chosen = self.random.choices([action for _, action in actions], [weight for weight, _ in actions])[0]
        chosen(node)

    def ask(self, node: Node, command: Command) -> None:
        self.trace.append(f"{self.world.now} {node.name} {command}")
        node.ask(command)

    def pick_room(self, node: Node, *kinds: RoomKind) -> str | None:
        rooms = [
            room.channel.hex()
            for room in node.engine._state.rooms.values()
            if room.phase in (Phase.JOINED, Phase.OUT) and (not kinds or room.kind in kinds)
        ]
        return self.random.choice(rooms) if rooms else None

    # -- people

    def send_room(self, node: Node) -> None:
        room = self.pick_room(node)
        if room is not None:
            for number in range(self.random.choice((1, 1, 1, 2, 5))):
                self.ask(node, Send(room, f"{node.name} {self.world.now} {number}"))

    def send_direct(self, node: Node) -> None:
        other = self.random.choice(self.nodes)
        if other is not node:
            self.ask(node, Send(other.name, f"{node.name} to {other.name} {self.world.now}"))

    def change_message(self, node: Node) -> None:
        lines = [line for line in node.history() if line.kind is MessageKind.TEXT and not line.deleted]
        if lines:
            line = self.random.choice(lines)
            self.ask(
                node,
                self.random.choice((Edit(line.id, f"edited {self.world.now}"), Delete(line.id), React(line.id, "👍"))),
            )

    def create(self, node: Node) -> None:
        self.rooms += 1
        self.ask(node, CreateRoom(f"room{self.rooms}", self.shape.suite, self.random.random() < 0.5))

    def invite(self, node: Node) -> None:
        room = self.pick_room(node, RoomKind.ROOM)
        if room is not None:
            people = self.random.sample(self.nodes, min(len(self.nodes), self.random.choice((1, 1, 2, 3))))
            self.ask(node, InvitePeople(room, tuple(person.name for person in people if person is not node)))

    def answer_invitation(self, node: Node) -> None:
        invited = [r.channel.hex() for r in node.engine._state.rooms.values() if r.phase == Phase.INVITED]
        if invited:
            room = self.random.choice(invited)
            accept = self.random.random() < 0.8
            self.ask(node, AcceptInvitation(room) if accept else DeclineInvitation(room))

    def leave(self, node: Node) -> None:
        room = self.pick_room(node, RoomKind.ROOM, RoomKind.OPEN)
        if room is not None:
            self.ask(node, LeaveRoom(room))

    def rejoin(self, node: Node) -> None:
        self.ask(node, JoinRoom(self.random.choice(("lobby", "talk"))))

    def govern(self, node: Node) -> None:
        room = self.pick_room(node, RoomKind.ROOM, RoomKind.OPEN)
        if room is not None:
            other = self.random.choice(self.nodes).name
            rename = RenameRoom(room, f"name{self.world.now % 1000}")
            choices: list[Action] = [Kick(room, other), Promote(room, other), Promote(room, other), Demote(room, other)]
            self.ask(node, self.random.choice([*choices, rename]))

    def read(self, node: Node) -> None:
        room = self.pick_room(node)
        if room is not None:
            self.ask(node, SetReadReceipts(self.random.random() < 0.7))
            self.ask(node, MarkRead(room))
            self.ask(node, Typing(room))

    def restart(self, node: Node) -> None:
        room = self.pick_room(node)
        if room is not None:
            self.ask(node, RestartRoom(room))

    def refresh(self, node: Node) -> None:
        room = self.pick_room(node)
        if room is not None:
            self.ask(node, RefreshKeys(room))

    # -- fate

    def fault(self) -> None:
        node = self.random.choice(self.nodes)
        fate = self.random.randrange(12 if self.shape.disasters else 8)
        self.trace.append(f"{self.world.now} {node.name} fault {fate}")
        if fate == 0:
            node.lose_connection()
        elif fate == 1:
            node.crash()
        elif fate == 2:
            node.crash_after = self.random.choice((-1, 0, 1, 2))
        elif fate == 3:
            self.world.crash_relay(self.random.randrange(100, 5_000))
        elif fate == 4:
            if node.offline:
                node.go_online()
            else:
                node.go_offline()
        elif fate == 5:
            low = self.random.randrange(1, 200)
            self.world.network = Network((low, low + self.random.randrange(1, 2_000)), 0.0)
        elif fate == 6:
            self.world.network = Network((1, 50), self.random.choice((0.0, 0.005, 0.02)))
        elif fate == 8:
            self.snapshots[str(node.path)] = node.snapshot()
        elif fate == 9:
            if str(node.path) in self.snapshots:
                node.restore(self.snapshots[str(node.path)])
        elif fate == 10:
            self.world.back_up_relay()
        elif fate == 11:
            self.world.restore_relay()
        else:
            for other in self.nodes:
                if other.offline:
                    other.go_online()


def run_seed(seed: int, *, verbose: bool = False) -> tuple[int, str]:
    """One run; the number of steps, and a digest of what happened. Raises what was broken."""
    shape = shape_of(seed)
    settings = replace(GENEROUS, retention=3_600_000 * 6) if shape.disasters else GENEROUS
    deploy = lying_relay if shape.malice else world
    with nullcontext() if shape.real else fast_suites(), deploy(seed, settings) as deployment:
        campaign = Campaign(deployment, shape)
        try:
            campaign.run()
        except Exception:
            if verbose:
                print("\n".join(campaign.trace))
            raise
        return deployment.steps, deployment.told.hexdigest()[:16]


def attempt(seed: int) -> tuple[int, int, str]:
    """One run: its seed, its steps, and what was broken in one line."""
    try:
        return seed, run_seed(seed)[0], ""
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        return seed, 0, f"{type(error).__name__}: {error} ({place.name}:{place.lineno})"


def seeds(first: int, count: int, least: int, deadline: float) -> Iterator[int]:
    """Seeds from `first` on: `count` of them, or fewer if time runs out, but at least `least`."""
    for number in range(count):
        if number >= least and time.monotonic() > deadline:
            return
        yield first + number


def results(chosen: Iterator[int], jobs: int) -> Iterator[tuple[int, int, str]]:
    """Runs the seeds in that many processes, few ahead of what is done, so that the time limit holds."""
    if jobs == 1:
        yield from map(attempt, chosen)
        return
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        waiting = {pool.submit(attempt, seed) for seed in itertools.islice(chosen, 2 * jobs)}
        while waiting:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
                waiting |= {pool.submit(attempt, seed) for seed in itertools.islice(chosen, 1)}


def run(first: int, count: int, seconds: float, least: int, jobs: int) -> int:
    """Runs seeds and prints every one that fails, and a word a minute; the number of failures."""
    start = told = time.monotonic()
    runs, failures, steps = 0, 0, 0
    for seed, taken, broken in results(seeds(first, count, least, start + seconds), jobs):
        runs, steps = runs + 1, steps + taken
        now = time.monotonic()
        if broken:
            failures += 1
            print(f"seed {seed}: {broken}", flush=True)
        if now - told >= MINUTE:
            told = now
            print(f"{runs} runs, {steps} steps, {failures} failures after {now - start:.0f} s", flush=True)
    spent = time.monotonic() - start
    print(f"seeds from {first}: {runs} runs, {steps} steps in {spent:.0f} s, {steps / spent:.0f} steps/s")
    print(f"campaign: {runs - failures} passed, {failures} failed", flush=True)
    return failures


def main() -> None:
    """Runs seeds until stopped, and says how many and which have failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, help="replay this one and print what happened")
    parser.add_argument("--ci", action="store_true", help="the slice that every change has to pass")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--count", type=int, default=1_000_000, help="seeds to run at most")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="time after which no run is begun")
    parser.add_argument("--least", type=int, default=0, help="runs to make whatever the time")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes; one a processor")
    options = parser.parse_args()
    if options.seed is not None:
        steps, digest = run_seed(options.seed, verbose=True)
        print(f"{steps} steps, {digest}")
        return
    if options.ci:
        sys.exit(bool(run(0, CI_SEEDS, CI_SECONDS, CI_LEAST, options.jobs)))
    with suppress(KeyboardInterrupt):
        sys.exit(bool(run(options.first, options.count, options.seconds, options.least, options.jobs)))


if __name__ == "__main__":
    main()
