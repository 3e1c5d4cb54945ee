"""Memory of a large group at one member: a process that joins it and then follows many commits.

Run as `python -m bench.mls.memory FOLDER`, where FOLDER holds the Welcome, the key package and the commits.
"""

import gc
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.mls.catalog import LARGE
from bench.mls.own import Client, bulk_group, follow
from secure_chat.mls.crypto.suite import SUITES, SignaturePrivateKey
from secure_chat.mls.group.group import Group
from secure_chat.mls.messages.key_package import KeyPackageBundle
from secure_chat.mls.tree.leaf_node import LeafIdentity

__all__ = ["measure_memory"]

WARM, EPOCHS = 15, 60
"""Epochs followed before the growth is measured (what is kept for past ones is bounded), and after."""


def measure_memory() -> dict[str, float] | None:
    """Bytes of a joined group and its growth per epoch; None where the system does not tell (only Linux does)."""
    if not Path("/proc/self/statm").exists():
        return None
    suite = SUITES[3]
    bulk = bulk_group(suite, LARGE, {})
    last = bulk.others[-1]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "welcome").write_bytes(bulk.welcome)
        (folder / "bundle").write_bytes(last.bundle.encode())
        (folder / "signature_key").write_bytes(last.identity.signature_key.private_bytes)
        for number in range(WARM + EPOCHS):
            (folder / f"commit{number}").write_bytes(bulk.founder.commit().commit)
            bulk.founder.merge_pending()
        done = subprocess.run(
            [sys.executable, "-m", "bench.mls.memory", name], capture_output=True, text=True, check=True, timeout=300
        )
    found = json.loads(done.stdout)
    return {key: float(value) for key, value in found.items()}


def _resident() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _member(folder: Path) -> None:
    suite = SUITES[3]
    # A small group first, so that code and tables are loaded before the measurement.
    small = bulk_group(suite, 3, {})
    follow(small.others[0].join(small.welcome), small.founder.commit().commit)
    bundle = KeyPackageBundle.decode((folder / "bundle").read_bytes())
    key = SignaturePrivateKey.from_bytes(suite, (folder / "signature_key").read_bytes())
    leaf = bundle.key_package.leaf_node
    client = Client(LeafIdentity(leaf.credential, key, leaf.capabilities), bundle)
    before = _resident()
    group: Group = client.join((folder / "welcome").read_bytes())
    rows = group.changes()
    joined = _resident()
    for number in range(WARM):
        follow(group, (folder / f"commit{number}").read_bytes())
        group.changes()
    warm = _resident()
    for number in range(WARM, WARM + EPOCHS):
        follow(group, (folder / f"commit{number}").read_bytes())
        group.changes()
    grown = _resident()
    stored = sum(len(key) + len(value or b"") for key, value in rows)
    print(json.dumps({"group": joined - before, "growth": (grown - warm) / EPOCHS, "stored": stored}))


if __name__ == "__main__":
    _member(Path(sys.argv[1]))
