"""One target under atheris: python -m tests.fuzz.campaign TARGET CORPUS_FOLDER [libFuzzer options]."""

import random
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["secure_chat.mls"]):
    from tests.fuzz.targets import make


def main() -> None:
    """Write the seeds into the corpus folder and fuzz; libFuzzer ends the process."""
    name, corpus, *options = sys.argv[1:]
    target = make(name)
    folder = Path(corpus)
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds):
        (folder / f"seed-{number:03}").write_bytes(seed)
    longest = max(map(len, target.seeds)) * 4 + 4096

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        rng = random.Random(seed)
        if rng.random() < 0.3:
            return bytes(atheris.Mutate(data, max_size))
        return target.mutate(data, rng)[:max_size]

    atheris.Setup([sys.argv[0], corpus, f"-max_len={longest}", *options], target.run, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
