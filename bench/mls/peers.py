"""Other implementations, measured side by side in processes of their own.

Node packages are those of the interoperation tests; the Python ones live in `bench/peers/.venv`.
"""

import json
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable
from pathlib import Path

from bench.mls.catalog import LARGE, SMALL
from bench.mls.own import Client
from secure_chat.mls.crypto.suite import SUITES
from tests.interop.node import NotInstalled, install, node_command

__all__ = ["install_peers", "measure_peers"]

ROOT = Path(__file__).parent.parent.parent
DRIVERS = ROOT / "bench" / "peers"
ENVIRONMENT = DRIVERS / ".venv"
PYTHON = ENVIRONMENT / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
NODE_FOLDERS = {
    "ts-mls": ROOT / "tests" / "interop" / "ts_mls",
    "core-crypto": ROOT / "tests" / "interop" / "core_crypto",
}
PEER_SECONDS = 900
"""The slowest peer takes three minutes here."""

Results = dict[str, list[float]]


def install_peers() -> None:
    """Fetch all peers: `npm ci` for the JavaScript ones, pip into `bench/peers/.venv` for the Python ones."""
    for folder in NODE_FOLDERS.values():
        install(folder)
    if not PYTHON.exists():
        venv.create(ENVIRONMENT, with_pip=False)
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(PYTHON), "install", "-r", str(DRIVERS / "requirements.txt")],
        check=True,
    )


def measure_peers(log: Callable[[str], None]) -> dict[str, Results]:
    """Seconds of each operation by peer; a peer that is not installed is left out, with a line that says so."""
    found: dict[str, Results] = {}
    for name, folder in NODE_FOLDERS.items():
        if not (folder / "node_modules").exists():
            log(f"{name} is not installed: python -m bench.mls --install-peers")
            continue
        try:
            node = node_command()
        except NotInstalled as error:
            log(str(error))
            continue
        log(name)
        sizes = json.dumps({"large": LARGE, "small": SMALL, "repeat": 8})
        source = (DRIVERS / f"{name.replace('-', '_')}.mjs").read_text()
        found[name] = _run([*node, "--input-type=module", "-", sizes], cwd=folder, source=source)
    if not PYTHON.exists():
        log("the Python peers are not installed: python -m bench.mls --install-peers")
        return found
    with tempfile.TemporaryDirectory() as folder_name:
        people = Path(folder_name) / "people.json"
        people.write_text(json.dumps([_person(i) for i in range(SMALL)]))
        for name in ("rfc9420", "vodozemac", "DoubleRatchet"):
            log(name)
            found[name] = _run([str(PYTHON), str(DRIVERS / f"{name.lower()}_peer.py"), str(people)])
    return found


def _run(command: list[str], cwd: Path | None = None, source: str | None = None) -> Results:
    done = subprocess.run(command, cwd=cwd, input=source, capture_output=True, text=True, timeout=PEER_SECONDS)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command[:2])} failed:\n{done.stderr[-2000:]}")
    results: Results = json.loads(done.stdout)
    return results


def _person(number: int) -> dict[str, str]:
    client = Client.make(SUITES[3], f"member {number}")
    bundle = client.bundle
    return {
        "key_package": bundle.key_package.encode().hex(),
        "init_key": bundle.init_key.private_bytes.hex(),
        "encryption_key": bundle.encryption_key.private_bytes.hex(),
        "signature_key": client.identity.signature_key.private_bytes.hex(),
    }
