"""The relay and the servers it is measured beside, each as a process on loopback with the same certificate."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from secure_chat import certificates

__all__ = ["PEERS", "Server", "free_port", "peer", "relay"]

START_TIME = 60.0
REPOSITORY = Path(__file__).parent.parent

PEERS = ("mosquitto", "nats", "ngircd")
"""In the order of the table; what is not installed is left out and named."""

_PROGRAMS = {"mosquitto": "mosquitto", "nats": "nats-server", "ngircd": "ngircd"}
_ADAPTERS = {"mosquitto": "mqtt", "nats": "nats", "ngircd": "irc"}


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    name: str
    adapter: str
    port: int
    pid: int
    certificate_hash: str = ""


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def installed(name: str) -> str | None:
    """The program of a peer, if it is here."""
    return shutil.which(_PROGRAMS[name], path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


@contextlib.contextmanager
def relay(data: Path, settings: Mapping[str, object]) -> Iterator[Server]:
    """`secure-chat server` on a data directory; `settings` loosen rates that a benchmark would hit."""
    port = free_port()
    launcher = os.environ.get("BENCH_LAUNCHER", "")
    command = [sys.executable, *([launcher] if launcher else ["-m", "secure_chat"]), "server", "--data", str(data)]
    command += ["--listen", f"127.0.0.1:{port}", "--log-level", "warning"]
    for key, value in settings.items():
        command += ["--set", f"{key}={value}"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SECURE_CHAT_")}
    environment["PYTHONPATH"] = str(REPOSITORY)
    with _running(command, port, cwd=data.parent, environment=environment) as pid:
        leaf = certificates.load(data / "certs").leaf
        from cryptography.hazmat.primitives.hashes import SHA256

        yield Server("secure-chat", "relay", port, pid, leaf.fingerprint(SHA256()).hex())


@contextlib.contextmanager
def peer(name: str, folder: Path) -> Iterator[Server]:
    """One of the other servers with TLS on and nothing stored."""
    program = installed(name)
    assert program is not None
    folder.mkdir(parents=True, exist_ok=True)
    files = certificates.CertificateFiles(folder / "certs")
    if not files.server.exists():
        certificates.generate(files.folder, certificates.DEFAULT_HOSTS, int(time.time()))
    folder.chmod(0o755)
    files.folder.chmod(0o755)
    files.server_key.chmod(0o644)  # a throwaway key that the peers read as their own users
    port = free_port()
    configuration = folder / f"{name}.conf"
    configuration.write_text(_CONFIGURATIONS[name].format(port=port, plain=free_port(), files=files, folder=folder))
    command = {
        "mosquitto": [program, "-c", str(configuration)],
        "nats": [program, "-c", str(configuration)],
        "ngircd": [program, "-n", "-f", str(configuration)],
    }[name]
    with _running(command, port, cwd=folder, environment=dict(os.environ)) as pid:
        yield Server(name, _ADAPTERS[name], port, pid)


_CONFIGURATIONS = {
    "mosquitto": """
listener {port} 127.0.0.1
allow_anonymous true
certfile {files.server}
keyfile {files.server_key}
tls_version tlsv1.3
persistence false
max_queued_messages 0
max_inflight_messages 0
set_tcp_nodelay true
user root
log_type error
""",
    "nats": """
listen: 127.0.0.1:{port}
max_connections: 20000
max_pending: 256MB
write_deadline: "30s"
tls {{ cert_file: "{files.server}", key_file: "{files.server_key}", timeout: 10 }}
""",
    "ngircd": """
[Global]
Name = bench.local
Info = bench
Listen = 127.0.0.1
Ports = {plain}
ServerGID = root
ServerUID = root
[Limits]
MaxConnections = 0
MaxConnectionsIP = 0
MaxJoins = 0
MaxPenaltyTime = 0
MaxNickLength = 30
[Options]
DNS = no
Ident = no
PAM = no
SyslogFacility = local1
[SSL]
CertFile = {files.server}
KeyFile = {files.server_key}
Ports = {port}
CipherList = SECURE128
""",
}


@contextlib.contextmanager
def _running(command: list[str], port: int, *, cwd: Path, environment: dict[str, str]) -> Iterator[int]:
    errors = (cwd / f"{Path(command[0]).name}.log").open("ab")
    process = subprocess.Popen(command, cwd=cwd, env=environment, stdout=subprocess.DEVNULL, stderr=errors)
    try:
        deadline = time.monotonic() + START_TIME
        while True:
            if process.poll() is not None:
                errors.flush()
                raise RuntimeError(f"{command[0]} ended: {Path(errors.name).read_text(errors='replace')[-2000:]}")
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            if time.monotonic() > deadline:
                raise RuntimeError(f"{command[0]} does not listen on port {port}")
            time.sleep(0.05)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        errors.close()
