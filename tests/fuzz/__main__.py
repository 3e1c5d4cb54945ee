"""Fuzz every decoder and `receive`: python -m tests.fuzz [--seconds N] [--target T] [--jobs N] [--replay FILE].

Each target runs in a process of its own under atheris (`pip install secure-chat[fuzz]`), seeded from valid messages.
Allowed outcomes are success and MLSError; anything else, an input over the time or memory bound included, is a
finding, and its input is kept for --replay.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.names import TARGET_NAMES

INPUT_SECONDS = 10
"""One input may take this long on a busy machine; valid ones take milliseconds."""
MEMORY_MB = 1024


def start(target: str, seconds: int, folder: Path, seed: int) -> subprocess.Popen[str]:
    """Start one target's campaign; it ends by itself."""
    log = (folder / f"{target}.log").open("w")
    return subprocess.Popen(
        [
            sys.executable, "-m", "tests.fuzz.campaign", target, str(folder / target),
            f"-max_total_time={seconds}", f"-timeout={INPUT_SECONDS}", f"-rss_limit_mb={MEMORY_MB}",
            f"-artifact_prefix={folder}/{target}-", f"-seed={seed}", "-print_final_stats=1",
        ],
        stdout=log, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def main() -> int:
    """Run the chosen targets, `--jobs` at a time; the exit code is the number of targets with findings."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="per target (default 60)")
    parser.add_argument("--target", action="append", choices=TARGET_NAMES, help="default: all")
    parser.add_argument("--jobs", type=int, default=1, help="targets at a time (default 1)")
    parser.add_argument("--seed", type=int, help="of the mutations (default: random)")
    parser.add_argument("--keep", type=Path, help="folder for logs, corpora and findings (default: temporary)")
    parser.add_argument("--replay", type=Path, help="run one input of the one --target and show what happens")
    options = parser.parse_args()
    targets = options.target or list(TARGET_NAMES)
    if options.replay is not None:
        from tests.fuzz.targets import make

        make(targets[0]).run(options.replay.read_bytes())
        print("no finding")
        return 0
    folder = options.keep or Path(tempfile.mkdtemp(prefix="fuzz-"))
    folder.mkdir(parents=True, exist_ok=True)
    seed = options.seed or random.SystemRandom().randrange(1, 1 << 31)
    waiting, failed = list(targets), 0
    running: dict[str, subprocess.Popen[str]] = {}
    while waiting or running:
        while waiting and len(running) < options.jobs:
            target = waiting.pop(0)
            running[target] = start(target, options.seconds, folder, seed)
        for target, process in list(running.items()):
            if process.poll() is not None:
                del running[target]
                failed += report(target, process.returncode, folder)
        time.sleep(0.1)
    return failed


def report(target: str, code: int, folder: Path) -> bool:
    """Print one line, or for a finding the end of its log; whether it was a finding."""
    log = (folder / f"{target}.log").read_text(errors="replace")
    runs = next((line.split()[-1] for line in log.splitlines() if "number_of_executed_units" in line), "?")
    if code == 0:
        print(f"{target:<16} {runs:>10} inputs, no finding", flush=True)
        return False
    print(f"{target:<16} {runs:>10} inputs, FINDING (exit {code}); kept in {folder}\n{log[-6000:]}", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main())
