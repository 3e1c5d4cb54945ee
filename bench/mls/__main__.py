"""`python -m bench.mls`: a table of all operations with targets, the primitives' floor and the peers.

In memory, one thread, the lower quartile of many runs; wants a machine that does nothing else. A target was set on
a reference machine; where the primitives take longer here, it moves with them. `--json` prints everything measured,
`--own` leaves the peers out, `--install-peers` fetches them.
"""

import argparse
import json
import sys

from bench.mls.catalog import OPERATIONS, REFERENCE, Operation, typical
from bench.mls.floor import measure_primitives
from bench.mls.memory import measure_memory
from bench.mls.own import measure_own
from bench.mls.peers import install_peers, measure_peers

PEERS = ("core-crypto", "ts-mls", "rfc9420", "vodozemac", "DoubleRatchet")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.mls", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print all results as JSON")
    parser.add_argument("--own", action="store_true", help="measure only our own operations")
    parser.add_argument("--install-peers", action="store_true", help="fetch the peers, measure nothing")
    options = parser.parse_args()
    if options.install_peers:
        install_peers()
        return 0
    before = measure_primitives()
    own = {key: typical(values) for key, values in measure_own(_log).items()}
    after = measure_primitives()
    primitives = {name: (before[name] + after[name]) / 2 for name in before}
    peers = {} if options.own else measure_peers(_log)
    others = {name: {key: typical(values) for key, values in found.items()} for name, found in peers.items()}
    _log("memory")
    memory = measure_memory()
    if options.json:
        rows = {
            operation.key: {
                "title": operation.title,
                "seconds": own[operation.key],
                "target": _target(operation, primitives),
                "floor": operation.floor(primitives),
                "peers": {name: found[operation.key] for name, found in others.items() if operation.key in found},
            }
            for operation in OPERATIONS
        }
        print(json.dumps({"primitives": primitives, "operations": rows, "memory": memory}, indent=1))
        return 0
    _print_table(own, primitives, others)
    print("\nPrimitives, µs: " + ", ".join(f"{name} {value * 1e6:.1f}" for name, value in primitives.items()))
    if memory is not None:
        print(
            f"Memory of a group of 1,000 at one member: {memory['group'] / 1e6:.1f} MB resident, "
            f"{memory['stored'] / 1e3:.0f} kB stored; growth per epoch {memory['growth'] / 1e3:.1f} kB"
        )
    return 0


def _log(line: str) -> None:
    print(f"… {line}", file=sys.stderr, flush=True)


def _target(operation: Operation, primitives: dict[str, float]) -> float:
    return operation.target * max(1.0, operation.floor(primitives) / operation.floor(REFERENCE))


def _print_table(own: dict[str, float], primitives: dict[str, float], others: dict[str, dict[str, float]]) -> None:
    names = [name for name in PEERS if name in others]
    header = ["operation", "ours", "target", "", "floor", *names]
    rows = [header]
    for operation in OPERATIONS:
        seconds, target = own[operation.key], _target(operation, primitives)
        verdict = "met" if seconds <= target else f"missed by {seconds / target - 1:.0%}"
        rows.append(
            [
                operation.title,
                _show(operation, seconds),
                _show(operation, target),
                verdict,
                _show(operation, operation.floor(primitives)),
                *[
                    _show(operation, others[name][operation.key]) if operation.key in others[name] else "–"
                    for name in names
                ],
            ]
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    for row in rows:
        cells = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        print("  ".join([row[0].ljust(widths[0]), *cells]))


def _show(operation: Operation, seconds: float) -> str:
    return f"{1 / seconds:,.0f}/s" if operation.as_rate else f"{seconds * 1e3:.2f} ms"


if __name__ == "__main__":
    sys.exit(main())
