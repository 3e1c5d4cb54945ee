"""The storms of `storm` against a real relay process: real TLS, real post-quantum cryptography, real time.

Everybody's clients run on this machine, too, in one process for each core; what they take of it is printed.
"""

import contextlib
import multiprocessing
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

from secure_chat.client.commands import AcceptInvitation, CreateRoom, InvitePeople
from secure_chat.client.engine.device import SUITE_HYBRID
from secure_chat.client.engine.spaces import Phase
from secure_chat.wire.limits import MAX_ADDS_PER_COMMIT
from tests.adversary.members import room_of
from tests.relay_process import RelayProcess, running
from tests.scenarios.flooder import HEAD_STARTS, Flood, Removal, remove
from tests.scenarios.harness import Node
from tests.scenarios.real_world import RealWorld, Where

__all__ = ["RealEntry", "enter_lobby", "remove_flooders"]

SETTINGS = {
    "limits.open_registration": "true",
    "limits.registrations_per_hour": 100_000,
    "limits.registrations_burst": 100_000,
    "network.connections_per_address": 1_000,
    "network.half_open_per_address": 1_000,
}
"""Everybody has this machine's address; everything else is as the relay has it by default."""
SECOND = 1_000
PATIENCE = 20 * 60 * SECOND
WITNESSES = 4


@dataclass(frozen=True)
class RealEntry:
    """Seconds, bytes, and CPU seconds."""

    took: float
    waits: list[float]
    """From each person's arrival until they were in."""
    sent: int
    received: int
    relay_cpu: float
    clients_cpu: float

    def __str__(self) -> str:
        waits = sorted(self.waits)
        return (
            f"{len(waits)} people in after {self.took:.1f} s; each waited {statistics.median(waits):.1f} s "
            f"(median), {waits[-1]:.1f} s (longest)\n"
            f"{(self.sent + self.received) / 1e6:.1f} MB over TLS: {self.sent / 1e6:.1f} MB to the relay, "
            f"{self.received / 1e6:.1f} MB to clients\n"
            f"CPU: relay {self.relay_cpu:.0f} s, all clients {self.clients_cpu:.0f} s"
        )


def enter_lobby(people: int, within: float, processes: int | None = None) -> RealEntry:
    """So many accounts start the program for the first time within so many seconds; returns how it went."""
    context = multiprocessing.get_context("spawn")
    with _deployment() as (relay, folder):
        pipes: list[Connection] = []
        workers = []
        count = processes or max(2, os.cpu_count() or 2)
        for number in range(count):
            ours, theirs = context.Pipe()
            names = [f"person{each}" for each in range(number, people, count)]
            worker = context.Process(
                target=_crowd,
                args=(theirs, Where.of(relay), folder / f"crowd{number}", names, number),
                daemon=True,
            )
            worker.start()
            workers.append(worker)
            pipes.append(ours)
        for pipe in pipes:
            pipe.recv()
        began, before = time.time(), _cpu(relay)
        for pipe in pipes:
            pipe.send((began, within))
        waits: list[float] = []
        for pipe in pipes:
            waits += pipe.recv()
        took = time.time() - began
        after = _cpu(relay)
        for pipe in pipes:
            pipe.send(None)
        sizes, cpu, epochs = [], 0.0, set()
        for pipe in pipes:
            size, seconds, seen = pipe.recv()
            sizes.append(size)
            cpu += seconds
            epochs |= seen
        for worker in workers:
            worker.join()
        assert len(epochs) == 1, "everybody is in the same epoch"
        sent, received = sum(up for up, _ in sizes), sum(down for _, down in sizes)
        return RealEntry(took, waits, sent, received, after - before, cpu)


def _crowd(pipe: Connection, where: Where, folder: Path, names: list[str], seed: int) -> None:
    """A part of the people, in a process of their own."""
    folder.mkdir()
    deployment = RealWorld(folder, where, seed)
    nodes = [deployment.add(name) for name in names]
    pipe.send("ready")
    began, within = pipe.recv()
    used = time.process_time()
    arrived: dict[Node, float] = {}
    entered: dict[Node, float] = {}

    def arrive(node: Node) -> None:
        arrived[node] = time.time()
        node.connect_at = deployment.now
        node.connect()

    for node in nodes:
        moment = began + deployment.random.random() * within
        deployment.at(int(moment * 1000), partial(arrive, node))

    def all_in() -> bool:
        for node in nodes:
            if node not in entered and _inside(node, "lobby"):
                entered[node] = time.time()
        return len(entered) == len(nodes)

    deployment.run_until(all_in, PATIENCE, "everybody is in")
    used = time.process_time() - used
    pipe.send([entered[node] - arrived[node] for node in nodes])
    deployment.run_until(pipe.poll, PATIENCE, "the other processes")
    pipe.recv()
    deployment.settle(4 * SECOND)
    epochs = {node.rooms()["#lobby"].epoch for node in nodes}
    pipe.send((deployment.traffic(), used, epochs))
    deployment.close()


def remove_flooders(members: int, flood: Flood, witnesses: int = WITNESSES) -> list[Removal]:
    """A post-quantum room of so many; admin, flooders and some witnesses are online, the others' devices are away."""
    with _deployment({"limits.lobby": "false"}) as (relay, folder):
        (folder / "members").mkdir()
        deployment = RealWorld(folder / "members", Where.of(relay))
        with contextlib.closing(deployment):
            admin = _arrive(deployment, "admin")
            mallories = [_arrive(deployment, f"mallory{number}") for number in range(len(HEAD_STARTS))]
            honest = [_arrive(deployment, f"witness{number}") for number in range(witnesses)]
            online = [*mallories, *honest]
            names = [node.name for node in online]
            for number in range(members - 1 - len(online)):
                names.append(f"away{number}")
                _arrive(deployment, names[-1]).go_offline()
            admin.do(CreateRoom("crowd", suite=SUITE_HYBRID))
            for first in range(0, len(names), MAX_ADDS_PER_COMMIT):
                admin.do(InvitePeople("#crowd", tuple(names[first : first + MAX_ADDS_PER_COMMIT])), PATIENCE)
            for node in online:
                _accept(node)
            assert len(admin.engine._state.accounts(room_of(admin, "#crowd"))) == members
            deployment.settle(2 * SECOND)
            return [
                remove(deployment, "#crowd", admin, mallory, [admin, *honest], flood, head_start, PATIENCE)
                for mallory, head_start in zip(mallories, HEAD_STARTS, strict=True)
            ]


def _accept(node: Node) -> None:
    node.world.run_until(lambda: node.engine._names.find_room("#crowd") is not None, PATIENCE, "an invitation")
    node.do(AcceptInvitation("#crowd"))


@contextlib.contextmanager
def _deployment(settings: dict[str, object] | None = None) -> Iterator[tuple[RelayProcess, Path]]:
    shared = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="secure-chat-", dir=shared if shared.is_dir() else None))
    try:
        with running(folder, settings={**SETTINGS, **(settings or {})}) as relay:
            yield relay, folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _arrive(deployment: RealWorld, name: str) -> Node:
    """Somebody starts the program and has published key packages."""
    node = deployment.add(name)
    node.connect_at = deployment.now
    node.connect()
    profile = node.engine._state.profile
    deployment.run_until(lambda: profile.published_at > 0, 60 * SECOND, f"{name} has an account")
    return node


def _inside(node: Node, name: str) -> bool:
    return any(r.name == name and r.phase == Phase.JOINED for r in node.engine._state.rooms.values())


def _cpu(relay: RelayProcess) -> float:
    """Seconds that the relay's process has used; 0 where the system doesn't say."""
    stat = Path(f"/proc/{relay.pid}/stat")
    if not stat.exists():
        return 0.0
    fields = stat.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
