#!/usr/bin/env python3
"""From nothing to chatting: `python3 scripts/start.py`. Needs nothing but Python.

    python3 scripts/start.py                     set up, start the server in the background, chat
    python3 scripts/start.py 'secure-chat://…'   set up, and join somebody's server by their link
    python3 scripts/start.py --name alice        arguments it doesn't know go on to the client
    python3 scripts/start.py --stop              stop the server
    python3 scripts/start.py --try               does it work here? two clients, one message, nothing left behind

It makes .venv and installs the packages there, starts `secure-chat server` in the background (its certificates and
database come into being by themselves), and opens `secure-chat client` with an invite link.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from environment import ROOT, SetupError, ensure, require_python
from trial import try_out

PORT = 7443
PORTS_TRIED = 20
PATIENCE = 30.0
"""Seconds for the server to start or stop; it takes less than one, except on a machine that is busy."""
LOG = ROOT / "server.log"


def main() -> int:
    """Sets everything up and hands over to the client; the exit code."""
    parser = argparse.ArgumentParser(
        prog="start.py",
        description="Set up secure-chat, start a server in the background (unless you give a link to join), and chat.",
        epilog="Other arguments go on to the client, such as --name, --no-passphrase.",
    )
    parser.add_argument("--port", type=port_number, help=f"port of the server (default: {PORT}, or the next free one)")
    parser.add_argument("--profile", action="append", default=[], help="client profile to make or open")
    parser.add_argument("--stop", action="store_true", help="stop the server that runs in the background")
    parser.add_argument("--try", action="store_true", dest="trial", help="a server, two clients and a message, timed")
    parser.add_argument("--no-client", action="store_true", help="set up and start the server, nothing more")
    options, rest = parser.parse_known_args()
    begun = time.monotonic()
    try:
        require_python()
        python = ensure()
        if options.stop:
            stop(python)
            return 0
        if options.trial:
            try_out(program(python), time.monotonic() - begun)
            return 0
        installed = time.monotonic()
        profile = ["--profile", options.profile[-1]] if options.profile else []
        client = [program(python), "client", *profile]
        if not any("://" in argument for argument in rest):
            process, port = running(python), last_port(python)
            known = joined(python, options.profile[-1:])
            if process is None and (port or not known or options.no_client):  # else somebody else's server is meant
                process = start(python, options.port or port)
            if not known:
                client.append(own_link(python))
            if process is not None:
                guide(python, process, first=not known)
        client += rest
    except (SetupError, KeyboardInterrupt) as error:
        print(f"start: {error or 'interrupted'}", file=sys.stderr)
        return 1
    ready = time.monotonic()
    print(f"Ready in {ready - installed:.1f} s, after {installed - begun:.1f} s for the packages.\n", flush=True)
    if options.no_client:
        return 0
    if os.name == "posix":
        os.execv(client[0], client)  # noqa: S606 - the client takes this terminal over
    return subprocess.run(client, check=False).returncode


def port_number(text: str) -> int:
    """A TCP port, as argparse wants it."""
    number = int(text)
    if not 0 < number < 65536:
        raise ValueError(text)
    return number


def running(python: Path) -> int | None:
    """The process id of the server that serves this user's data, or None."""
    command = [program(python), "server", "stats", "--json"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        return None  # no database yet
    found = json.loads(result.stdout)["running"]
    return int(found["process"]) if found else None


def last_port(python: Path) -> int | None:
    """The port that the server here had when it ran last, which its links name; None if it never ran."""
    code = (
        "import os; from secure_chat.server.config import data_directory, load; "
        "from secure_chat.server.home import Home; "
        "found = Home(data_directory(load(None, os.environ, (), {}))).last_address; print(found[1] if found else '')"
    )
    text = output([str(python), "-c", code]).strip()
    return int(text) if text else None


def start(python: Path, port: int | None) -> int:
    """Starts the server in the background; its process id, once it takes connections."""
    port = free_port() if port is None else port
    print(f"Starting the server on port {port}", flush=True)
    command = [program(python), "server", "--listen", f":{port}"]
    descriptor = os.open(LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "ab") as log:
        begin = log.tell()
        detached = (
            {"start_new_session": True}
            if os.name == "posix"
            else {"creationflags": 0x00000208}  # DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP
        )
        process = subprocess.Popen(  # its first invite goes nowhere: a log is no place for it
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log, **detached
        )
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if process.poll() is not None:
            sys.stderr.write(LOG.read_bytes()[begin:].decode(errors="replace"))
            raise SetupError(f"the server ended at once; the lines above, from {LOG}, say why")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.02)
            continue
        found = running(python)
        if found is not None:  # and not some other program at this port
            return found
    raise SetupError(f"the server does not answer after {PATIENCE:.0f} s; see {LOG}")


def stop(python: Path) -> None:
    """Stops the server and waits for its end."""
    process = running(python)
    if process is None:
        print("No server is running.")
        return
    os.kill(process, signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE
    while running(python) is not None:
        if time.monotonic() > deadline:
            raise SetupError(f"the server (process {process}) does not stop; see {LOG}")
        time.sleep(0.05)
    print("The server has stopped; messages and accounts are kept.")


def free_port() -> int:
    """The first port from PORT on that nothing listens at."""
    for port in range(PORT, PORT + PORTS_TRIED):
        try:
            with socket.socket() as probe:
                if os.name == "posix":
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("", port))
        except OSError:
            continue
        return port
    raise SetupError(f"the ports {PORT} to {PORT + PORTS_TRIED - 1} are taken; choose one with --port")


def joined(python: Path, profile: list[str]) -> bool:
    """There is a profile to open (the named or the default one), so no link is needed."""
    code = "import sys; from secure_chat.client.profile import Profile; print(Profile(*sys.argv[1:]).exists)"
    return output([str(python), "-c", code, *profile]) == "True\n"


def own_link(python: Path) -> str:
    """An invite for this machine's own client, by the address that never changes."""
    made = json.loads(output([program(python), "server", "invite", "create", "--label", "start.py", "--json"]))
    return re.sub(r"//.*:(\d+)/#", r"//localhost:\1/#", str(made["link"]))


def guide(python: Path, process: int, *, first: bool) -> None:
    """How to go on, where things are, and the link for the next person."""
    script = f"{Path(sys.executable).name} {Path(sys.argv[0])}"
    print(
        f"""
The server runs in the background (process {process}), its log is {LOG}
  come back   {script}
  stop it     {script} --stop
  invite      {program(python)} server invite
""",
        flush=True,
    )
    if first:
        print("For the next person, who types on their machine: python3 scripts/start.py 'LINK'", flush=True)
        subprocess.run([program(python), "server", "invite"], cwd=ROOT, check=False)


def program(python: Path) -> str:
    """The installed command."""
    return str(python.with_name("secure-chat.exe" if os.name == "nt" else "secure-chat"))


def output(command: list[str]) -> str:
    """What a command prints; SetupError with its own words where it fails."""
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise SetupError(result.stderr.strip().splitlines()[-1] if result.stderr.strip() else f"{command} failed")
    return result.stdout


if __name__ == "__main__":
    sys.exit(main())
