"""The relay beside other servers, in one run: python -m bench.relay [--json] [--seconds N] [--only WORK]… [--no-peers].

Everything is on: TLS 1.3, login with signatures, channels, cursors, quotas, every entry on disk before it is
acknowledged or delivered. The peers store nothing. What counts on a shared machine is the server's CPU time per
delivery; then the latency at a fixed rate; then the highest rate. `other` is the share of a core that anything else on
the machine used meanwhile: over about 0.15, latencies and rates say little.

Needs gcc and libssl-dev; peers that are not installed are left out (bench/README.md).
"""

import argparse
import contextlib
import json
import os
import platform
import shutil
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.population import Population
from bench.servers import PEERS, Server, installed, peer, relay
from secure_chat.server.home import Home
from secure_chat.server.tables import table

__all__ = ["main"]

LOADGEN = Path(__file__).parent / "loadgen"
SENDERS, MEMBERS, PAIRS = 10, 100, 50
IDLE = 10_000
CATCH_UP = 10_000
LOOSE: dict[str, object] = {
    "limits.requests_per_second": 10**6,
    "limits.requests_burst": 10**6,
    "limits.account_bytes_per_hour": 10**15,
    "limits.account_bytes_burst": 10**13,
    "network.connections_per_address": 20_000,
    "network.half_open_per_address": 1_000,
}
"""Rates that a benchmark would run into; they are still counted."""


@dataclass(frozen=True, slots=True)
class Work:
    """A line of the table: what the load generator does, and what it should come to."""

    name: str
    arguments: tuple[str, ...]
    targets: dict[str, float]
    """Figures that should not be exceeded; those ending in `_per_s` should be reached."""
    population: str
    mosquitto_us: float | None = None
    """Mosquitto's server µs on the machine that the targets were set on: today's figure tells this machine's speed."""
    on_peers: bool = True


WORKS = (
    Work(
        f"{SENDERS} → {MEMBERS}, saturated",
        ("-m", "fanout", "-s", str(SENDERS), "-n", str(MEMBERS)),
        {"server_us": 0.6, "deliveries_per_s": 1_500_000},
        "room",
        7.8,
    ),
    Work(
        f"{SENDERS} → {MEMBERS} at 100,000/s",
        ("-m", "fanout", "-s", str(SENDERS), "-n", str(MEMBERS), "-r", str(100_000 // MEMBERS)),
        {"server_us": 7, "p99_ms": 5},
        "room",
        7.3,
    ),
    Work(
        f"1 → {MEMBERS}, saturated",
        ("-m", "fanout", "-s", "1", "-n", str(MEMBERS)),
        {},
        "room",
    ),
    Work(
        f"{PAIRS} pairs at 20,000/s",
        ("-m", "pairs", "-s", str(PAIRS), "-r", "20000"),
        {"server_us": 30, "p99_ms": 10},
        "pairs",
        20.8,
    ),
    Work(f"{PAIRS} pairs, saturated", ("-m", "pairs", "-s", str(PAIRS)), {}, "pairs"),
    Work(
        f"{IDLE} idle connections",
        ("-m", "idle", "-N", str(IDLE)),
        {"kb_per_connection": 20, "idle_cpu": 0.01},
        "idle",
    ),
    Work("connect and login", ("-m", "handshake", "-l", "-c", "16"), {"server_us": 450}, "idle", 257),
    Work(
        f"{PAIRS} pairs at 5,000/s during 1,400 handshakes/s",
        ("-m", "pairs", "-s", str(PAIRS), "-r", "5000"),
        {"p99_ms": 10},
        "pairs",
    ),
    Work(
        f"catching up {CATCH_UP} entries",
        ("-m", "catchup", "-s", "1"),
        {"entries_per_s": 50_000},
        "log",
        on_peers=False,
    ),
)

COLUMNS = (
    ("server_us", "server µs", 2),
    ("scaled_us", "scaled µs", 2),
    ("deliveries_per_s", "per second", 0),
    ("p50_ms", "p50 ms", 2),
    ("p99_ms", "p99 ms", 2),
    ("kb_per_connection", "KB each", 1),
    ("idle_cpu", "idle CPU", 4),
    ("other_util", "other", 2),
)
_SAME_COLUMN = {"handshakes_per_s": "deliveries_per_s", "entries_per_s": "deliveries_per_s",
                "server_us_per_connect": "server_us", "connects_per_s": "deliveries_per_s"}  # fmt: skip


def main() -> None:
    """Runs what was asked for and prints it."""
    parser = argparse.ArgumentParser(prog="python -m bench.relay", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    parser.add_argument("--seconds", type=float, default=5.0, help="measured per line (5)")
    parser.add_argument("--only", action="append", metavar="WORK", help="lines whose name contains this")
    parser.add_argument("--no-peers", action="store_true", help="the relay alone")
    parser.add_argument("--data", type=Path, help="where databases are put for the run; default: a temporary folder")
    options = parser.parse_args()
    works = [work for work in WORKS if not options.only or any(word in work.name for word in options.only)]
    peers = [] if options.no_peers else [name for name in PEERS if installed(name)]
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(dir=options.data) as folder:
        generator = build(Path(folder))
        for work in works:
            for name in ("secure-chat", *(peers if work.on_peers else ())):
                print(f"{work.name}: {name}", file=sys.stderr, flush=True)
                figures = measure(generator, work, name, Path(folder), options.seconds)
                results.append({"work": work.name, "server": name, **figures})
    scale(results)
    missing = [name for name in PEERS if name not in peers and not options.no_peers]
    report = {"machine": machine(), "not_installed": missing, "results": results, "misses": misses(results)}
    print(json.dumps(report, ensure_ascii=False) if options.json else text(report))


def machine() -> dict[str, object]:
    """Where the figures come from."""
    return {
        "system": platform.platform(),
        "processors": os.cpu_count(),
        "python": platform.python_version(),
        "openssl": ssl.OPENSSL_VERSION,
    }


def build(folder: Path) -> Path:
    """Compiles the load generator."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        sys.exit("bench.relay: a C compiler is needed: apt-get install gcc libssl-dev")
    program = folder / "lg"
    sources = [str(path) for path in sorted(LOADGEN.glob("*.c"))]
    done = subprocess.run(
        [compiler, "-O2", "-o", str(program), *sources, "-lssl", "-lcrypto"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"bench.relay: the load generator doesn't compile (libssl-dev?):\n{done.stderr}")
    return program


def measure(generator: Path, work: Work, name: str, folder: Path, seconds: float) -> dict[str, Any]:
    """One line for one server, on a fresh database."""
    place = folder / f"{name}-{len(list(folder.iterdir()))}"
    place.mkdir()
    try:
        with started(name, work, place) as (server, environment):
            command = [str(generator), "-a", server.adapter, "-p", str(server.port), "-P", str(server.pid)]
            with disturbed(command, work, environment, seconds):
                done = subprocess.run(
                    [*pinned(1), *command, *work.arguments, "-t", str(seconds)],
                    env=environment, capture_output=True, text=True, timeout=300, check=False,
                )  # fmt: skip
            if done.returncode or not done.stdout.strip():
                return {"error": (done.stderr.strip().splitlines() or ["no result"])[-1]}
            found: dict[str, Any] = json.loads(done.stdout)
            return found
    finally:
        shutil.rmtree(place, ignore_errors=True)


@contextlib.contextmanager
def started(name: str, work: Work, place: Path) -> Iterator[tuple[Server, dict[str, str]]]:
    """The server, and what the load generator must know of it."""
    environment = dict(os.environ)
    if name != "secure-chat":
        with peer(name, place) as server:
            yield server, environment
        return
    home = Home(place / "data")
    identities = place / "identities"
    population = Population(home)
    populate(population, work.population)
    population.write_identities(identities)
    population.close()
    with relay(home.root, LOOSE) as server:
        environment |= {"LG_IDENTITIES": str(identities), "LG_CERTIFICATE": server.certificate_hash}
        yield server, environment


def populate(population: Population, kind: str) -> None:
    """Who takes part; the load generator numbers its connections like the identities."""
    if kind == "room":
        population.room(population.people(SENDERS + MEMBERS))
    elif kind == "pairs":
        people = population.people(2 * PAIRS)
        population.rooms([[people[number], people[PAIRS + number]] for number in range(PAIRS)])
        population.people(64)  # for the handshakes beside them
    elif kind == "log":
        people = population.people(2)
        population.entries(population.room(people), people[1], CATCH_UP)
    else:
        population.people(IDLE)


@contextlib.contextmanager
def disturbed(command: Sequence[str], work: Work, environment: dict[str, str], seconds: float) -> Iterator[None]:
    """Handshakes beside the work, where the line says so."""
    if "during" not in work.name:
        yield
        return
    beside = subprocess.Popen(
        [*pinned(1), *command, "-m", "handshake", "-c", "64", "-r", "1400", "-t", str(seconds + 60)],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield
    finally:
        beside.kill()
        beside.wait()


def pinned(processor: int) -> list[str]:
    """The generator keeps to one core, so that a server always finds the other."""
    program = shutil.which("taskset")
    return [program, "-c", str(processor)] if program and (os.cpu_count() or 1) > 1 else []


def scale(results: Sequence[dict[str, Any]]) -> None:
    """Adds what the relay's server µs would be on the machine of the targets, judged by mosquitto in the same run."""
    reference = {work.name: work.mosquitto_us for work in WORKS}
    today = {result["work"]: result.get("server_us") for result in results if result["server"] == "mosquitto"}
    for result in results:
        then, now = reference[result["work"]], today.get(result["work"])
        if result["server"] == "secure-chat" and then and now and "server_us" in result:
            result["scaled_us"] = round(result["server_us"] * then / now, 3)


def misses(results: Sequence[dict[str, Any]]) -> list[dict[str, object]]:
    """Where the relay is beyond its targets, and by how much."""
    found: list[dict[str, object]] = []
    targets = {work.name: work.targets for work in WORKS}
    for result in results:
        if result["server"] != "secure-chat":
            continue
        for name, target in targets[result["work"]].items():
            value = result.get("scaled_us", result.get(name)) if name == "server_us" else result.get(name)
            reached = value is not None and (value >= target if name.endswith("_per_s") else value <= target)
            if not reached:
                found.append({"work": result["work"], "figure": name, "value": value, "target": target})
    return found


def text(report: dict[str, Any]) -> str:
    """The table for people."""
    rows: list[tuple[str, ...]] = []
    for result in report["results"]:
        named = {_SAME_COLUMN.get(name, name): value for name, value in result.items()}
        cells = [f"{named[name]:,.{digits}f}" if name in named else "" for name, _, digits in COLUMNS]
        rows.append((result["work"], result["server"], *cells, result.get("error", "")))
    lines = [table(("work", "server", *(title for _, title, _ in COLUMNS), ""), rows)]
    lines.append("\n" + ", ".join(f"{name} {value}" for name, value in report["machine"].items()))
    if report["not_installed"]:
        lines.append(f"not installed: {', '.join(report['not_installed'])}")
    for miss in report["misses"]:
        lines.append(f"missed: {miss['work']}: {miss['figure']} {miss['value']}, target {miss['target']}")
    if not report["misses"]:
        lines.append("every target reached")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
