"""The relay with a lot of state: python -m bench.scale [--accounts N] [--rooms N] [--entries N] [--json].

Fills a database with 100,000 accounts, 10,000 rooms and 1,000,000 stored entries, and measures on the real process,
over TLS: how long it takes from start to the first login, its memory, and latency and CPU of messages between members,
beside the same with almost nothing stored. Filling takes minutes; it is not measured.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.population import Population
from bench.relay import LOOSE, build, pinned
from bench.servers import Server, relay
from secure_chat.server.home import Home
from secure_chat.server.tables import table

__all__ = ["main"]

PAIRS = 50
RATE = 5_000
MEMBERS = 10
START_TARGET = 3.0


def main() -> None:
    """Fills, measures, prints."""
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--accounts", type=int, default=100_000)
    parser.add_argument("--rooms", type=int, default=10_000)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=5.0, help="measured per database (5)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        generator = build(folder)
        results = [
            measure(generator, folder / "small", 2 * PAIRS, PAIRS + 10, 1_000, options.seconds),
            measure(generator, folder / "large", options.accounts, options.rooms, options.entries, options.seconds),
        ]
    if options.json:
        print(json.dumps(results))
        return
    names = list(results[0])
    rows = [(key.replace("_", " "), *(f"{result[key]:,}" for result in results)) for key in names]
    print(table(("", "small", "large"), rows))
    verdict = "reached" if results[1]["start_s"] < START_TARGET else "missed"
    print(f"\nstart within {START_TARGET} s: {verdict}")


def measure(generator: Path, folder: Path, accounts: int, rooms: int, entries: int, seconds: float) -> dict[str, Any]:
    """One database: filled, started, used."""
    folder.mkdir()
    home = Home(folder / "data")
    fill(home, folder, accounts, rooms, entries)
    size = home.database.stat().st_size
    began = time.monotonic()
    with relay(home.root, LOOSE) as server:
        listening = time.monotonic() - began
        environment = os.environ | {
            "LG_IDENTITIES": str(folder / "identities"), "LG_CERTIFICATE": server.certificate_hash,
        }  # fmt: skip
        run(generator, server, environment, "-m", "handshake", "-l", "-c", "1", "-W", "0", "-t", "0.05")
        first = time.monotonic() - began
        started = resident(server.pid)
        figures = run(
            generator, server, environment, "-m", "pairs", "-s", str(PAIRS), "-r", str(RATE), "-t", str(seconds)
        )
        logins = run(generator, server, environment, "-m", "handshake", "-l", "-c", "16", "-t", str(seconds / 2))
        environment["LG_IDENTITIES"] = str(folder / "readers")
        catch_up = [run(generator, server, environment, "-m", "catchup", "-s", "10") for _ in range(3)]
        return {
            "accounts": accounts,
            "rooms": rooms,
            "entries": entries,
            "database_mb": round(size / 1e6, 1),
            "start_s": round(listening, 2),
            "first_login_after_s": round(first, 2),
            "memory_after_start_mb": round(started / 1e6, 1),
            "memory_after_use_mb": round(resident(server.pid) / 1e6, 1),
            "message_server_us": figures["server_us"],
            "message_p50_ms": figures["p50_ms"],
            "message_p99_ms": figures["p99_ms"],
            "login_server_us": logins["server_us"],
            "read_entries_per_s": round(statistics.median(result["entries_per_s"] for result in catch_up)),
            "read_server_us": statistics.median(result["server_us"] for result in catch_up),
            "other_util": figures["other_util"],
        }


def fill(home: Home, folder: Path, accounts: int, rooms: int, entries: int) -> None:
    """People, rooms of ten with their share of the entries; the first hundred people also talk in pairs."""
    population = Population(home)
    while len(population.identities) < accounts:
        population.people(min(10_000, accounts - len(population.identities)))
        progress(f"{len(population.identities)} accounts")
    people = population.identities
    starts = [number * MEMBERS for number in range(rooms - PAIRS)]
    groups = [[people[(start + offset) % len(people)] for offset in range(MEMBERS)] for start in starts]
    each = entries // len(groups)
    for number, channel in enumerate(population.rooms(groups)):
        population.entries(channel, groups[number][0], each)
        if number % 1000 == 999:
            progress(f"{(number + 1) * each} entries")
    readers = [group[1] for group in groups[:: max(1, len(groups) // 10)][:10]]
    for reader in readers:
        reader.position = 0
    (folder / "readers").write_text("".join(reader.line() + "\n" for reader in readers))
    talking = people[: 2 * PAIRS]
    population.rooms([[talking[number], talking[PAIRS + number]] for number in range(PAIRS)])
    (folder / "identities").write_text("".join(person.line() + "\n" for person in talking))
    population.close()


def run(generator: Path, server: Server, environment: dict[str, str], *arguments: str) -> dict[str, Any]:
    """One run of the load generator."""
    command = [str(generator), "-a", server.adapter, "-p", str(server.port), "-P", str(server.pid), *arguments]
    done = subprocess.run(
        [*pinned(1), *command], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    if done.returncode:
        sys.exit(f"bench.scale: {done.stderr.strip()}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def resident(pid: int) -> int:
    """Bytes of memory that a process holds."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


def progress(text: str) -> None:
    """For whoever waits."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
