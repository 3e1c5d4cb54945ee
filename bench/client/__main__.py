"""`python -m bench.client`: every figure of the client, as a table or as JSON."""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from bench.client import messages, rooms, search, start
from bench.client.figures import Figure, table
from bench.client.people import place


def main() -> int:
    """Measures and prints; 1 if a target was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.client", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--only", choices=("start", "latency", "burst", "catch-up", "search", "rooms"), action="append")
    parser.add_argument("--small", action="store_true", help="a hundredth of the amounts: does everything work?")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the store of a million messages here")
    options = parser.parse_args()
    busy = os.getloadavg()[0] / (os.cpu_count() or 1)
    if busy > 0.5:
        print(f"this machine is busy ({busy:.1f} times its cores): times will be too long", file=sys.stderr)
    scale = 100 if options.small else 1
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="secure-chat-bench-") as temporary:
        folder = Path(temporary)
        kept = options.keep or folder
        kept.mkdir(parents=True, exist_ok=True)

        def lobby(name: str, measure: Callable[..., list[Figure]], *amounts: int) -> list[Figure]:
            with place(folder / name, lobby=name != "rooms") as where:
                return measure(where, *amounts)

        parts: dict[str, Callable[[], list[Figure]]] = {
            "start": lambda: lobby("start", start.measure),
            "latency": lambda: lobby("latency", messages.measure_latency, max(300 // scale, 10)),
            "burst": lambda: lobby("burst", messages.measure_burst, max(1_000 // scale, 10)),
            "catch-up": lambda: lobby("catch-up", messages.measure_catch_up, 10_000 // scale),
            "search": lambda: search.measure(kept, 1_000_000 // scale),
            "rooms": lambda: lobby("rooms", rooms.measure, 256 if scale == 1 else 12),
        }
        for name, part in parts.items():
            if not options.only or name in options.only:
                found = part()
                figures += found
                if not options.json:
                    print(table(found), flush=True)
    if options.json:
        print(json.dumps([{**asdict(figure), "met": figure.met} for figure in figures], indent=2))
    return 1 if any(figure.met is False for figure in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
