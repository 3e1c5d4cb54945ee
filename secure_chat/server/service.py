"""The running relay: puts its threads together, reloads them and stops them in the right order.

    front door ──connections──▶ shard ──batches──▶ writer ──▶ database
                                  ▲  └─positions─▶ reader ──▶ (its own connection)
                                  └──effects, parts of the log──┘

A stop goes the way of a message: the front door closes, the shard reads nothing more, the writer finishes what was
read, the shard passes it on and says goodbye.
"""

import logging
import os
import shutil
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from secure_chat import __version__
from secure_chat.identity.invite import InviteLink
from secure_chat.server.certificate import RelayCertificate
from secure_chat.server.config import Configuration
from secure_chat.server.control import ControlSocket, Description
from secure_chat.server.core.admin import AdminCommand, AdminResult
from secure_chat.server.engine import RelayEngine, milliseconds
from secure_chat.server.home import Home, link_host, listen_addresses, metrics_address
from secure_chat.server.io.admission import ShardLimits
from secure_chat.server.io.front_door import DoorLimits, FrontDoor
from secure_chat.server.io.reader import ReaderThread
from secure_chat.server.io.shard import Shard
from secure_chat.server.io.writer import WriterThread
from secure_chat.server.metrics import Metric, MetricsServer
from secure_chat.server.storage.reader import LogReader
from secure_chat.server.tables import size
from secure_chat.transport.listener import Listener
from secure_chat.transport.tls import ContextHolder

__all__ = ["RelayService"]

logger = logging.getLogger(__name__)

_ASK_TIME = 30.0
"""Seconds that an operator's command may wait for the writer."""


class RelayService:
    """A relay that serves one data directory; made in one thread, which also reloads and stops it."""

    def __init__(self, configuration: Configuration, home: Home, certificate: RelayCertificate) -> None:
        """Opens everything and listens, but serves nobody before `start`; raises SecureChatError."""
        self._configuration = configuration
        self._home = home
        self._certificate = certificate
        self._started = time.monotonic()
        self._context = ContextHolder(certificate.certificate, certificate.key)
        self._engine = RelayEngine(home.database, configuration.limits, home.directory_key(), certificate.ca_der)
        self._writer = WriterThread(lambda: self._engine, milliseconds)
        self._reader = ReaderThread(partial(LogReader, home.database))
        shard_limits = _shard_limits(configuration)
        self._shards = [
            Shard(index, self._writer.submit, self._reader.read, shard_limits)
            for index in range(configuration.network.shards)
        ]
        self._listeners = [Listener(host, port) for host, port in listen_addresses(configuration)]
        self._front_door = FrontDoor(self._listeners, self._context.current, self._shards, _door_limits(configuration))
        self._control = ControlSocket(home, self.ask, self.describe)
        self._metrics: MetricsServer | None = None
        if configuration.metrics:
            host, port = metrics_address(configuration)
            self._metrics = MetricsServer(host, port, self.metrics, self.problem)

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where it listens."""
        return [listener.address for listener in self._listeners]

    @property
    def metrics_port(self) -> int:
        """Of the metrics and health check; 0 without."""
        return self._metrics.port if self._metrics else 0

    def start(self) -> None:
        """Starts all threads."""
        self._writer.start(self._shards)
        self._reader.start()
        for shard in self._shards:
            shard.start()
        self._front_door.start()
        self._control.start()
        if self._metrics:
            self._metrics.start()

    def link(self, token: str) -> InviteLink:
        """The invite link for a token."""
        return InviteLink(link_host(self._configuration), self.addresses[0][1], self._certificate.pin, token)

    def describe(self) -> Description:
        """What a command beside the relay needs to know."""
        certificate = self._certificate
        return Description(
            version=__version__,
            process=os.getpid(),
            uptime=int(time.monotonic() - self._started),
            host=link_host(self._configuration),
            port=self.addresses[0][1],
            ca_pin=certificate.pin or b"",
            certificate_begins=certificate.begins,
            certificate_expires=certificate.expires,
            certificate_hosts=certificate.hosts,
            own_certificate=certificate.own,
            connections=sum(shard.connections for shard in self._shards),
        )

    @property
    def certificate_files(self) -> tuple[Path, Path]:
        """Certificate and key, which may be replaced while it serves."""
        return self._certificate.certificate, self._certificate.key

    def ask(self, command: AdminCommand) -> AdminResult:
        """Runs an operator's command in the writer; from any thread of the process."""
        return self._writer.ask(command, _ASK_TIME)

    def reload(self, configuration: Configuration, certificate: RelayCertificate, *, force: bool) -> list[str]:
        """Takes over what can change while serving; returns what did, in words. Connections stay.

        Raises SecureChatError and keeps what was in force.
        """
        done: list[str] = []
        if certificate != self._certificate:
            self._context = ContextHolder(certificate.certificate, certificate.key)
            self._certificate = certificate
            self._front_door.context = self._context.current
            done.append("certificate")
        elif self._context.reload(force=force):
            self._front_door.context = self._context.current
            done.append("certificate")
        if configuration != self._configuration:
            limits = _shard_limits(configuration)
            for shard in self._shards:
                shard.limits = limits
            self._front_door.limits = _door_limits(configuration)
            self._writer.configure(lambda: self._engine.configure(configuration.limits, certificate.ca_der))
            done.append("configuration")
            done += [
                f"{name} (after a restart)"
                for name in ("listen", "data", "metrics")
                if getattr(configuration, name) != getattr(self._configuration, name)
            ]
            self._configuration = configuration
        return done

    def stop(self, message: str, retry_after_ms: int) -> bool:
        """Stops within `network.shutdown_time`; True if everything that was read was written and passed on."""
        deadline = time.monotonic() + self._configuration.network.shutdown_time
        self._control.stop()
        self._front_door.stop()
        drained = [threading.Event() for _ in self._shards]
        for shard, event in zip(self._shards, drained, strict=True):
            shard.drain(event.set)
        finished = True
        for event in drained:
            finished = _wait(event, deadline) and finished
        written = threading.Event()
        self._writer.stop(written.set)
        finished = _wait(written, deadline) and finished
        for shard in self._shards:
            shard.farewell(deadline, message, retry_after_ms)
        self._reader.stop()
        for shard in self._shards:
            shard.join(max(0.1, deadline - time.monotonic()))
        if self._metrics:
            self._metrics.stop()
        return finished

    def problem(self) -> str | None:
        """What keeps the relay from serving, if anything; for the health check."""
        if not self._writer.alive:
            return "the writer has ended"
        if not all(shard.alive for shard in self._shards):
            return "a shard has ended"
        if not self._front_door.alive:
            return "the front door has ended"
        return None

    def free_space(self) -> int:
        """Bytes that are left on the disk of the database."""
        return shutil.disk_usage(self._home.root).free

    def space_problem(self) -> str | None:
        """What to tell the operator while writes are refused for want of space."""
        free, reserve = self.free_space(), self._configuration.limits.disk_reserve
        if free >= reserve:
            return None
        return (
            f"the disk is full: {size(free)} left, less than limits.disk_reserve ({size(reserve)}); "
            "writes are refused until there is room"
        )

    def metrics(self) -> list[Metric]:
        """Counters and gauges of all threads."""
        shards, door, writer = self._shards, self._front_door, self._writer
        counter, gauge = "counter", "gauge"
        rows: list[tuple[str, str, str, Callable[[], float]]] = [
            ("connections", gauge, "Open connections.", lambda: sum(shard.connections for shard in shards)),
            ("half_open", gauge, "Handshakes under way.", lambda: door.half_open),
            ("handshakes_total", counter, "Finished handshakes.", lambda: door.handshakes),
            ("handshakes_failed_total", counter, "Failed or expired handshakes.", lambda: door.failed),
            ("handshakes_evicted_total", counter, "Handshakes given up for newer ones.", lambda: door.evicted),
            ("messages_total", counter, "Messages read.", lambda: sum(shard.received for shard in shards)),
            ("refused_total", counter, "Connections closed for a limit or malformed frames.",
             lambda: sum(shard.refused for shard in shards)),
            ("deliveries_total", counter, "Entries put into outputs, one per recipient.",
             lambda: sum(shard.fanout.delivered for shard in shards)),
            ("fallbacks_total", counter, "Times a connection was too slow for live delivery.",
             lambda: sum(shard.fanout.fallbacks for shard in shards)),
            ("log_entries_read_total", counter, "Entries read from the log.", lambda: self._reader.entries),
            ("transactions_total", counter, "Transactions.", lambda: writer.transactions),
            ("transactions_failed_total", counter, "Failed transactions.", lambda: writer.failures),
            ("transaction_seconds_total", counter, "Time spent in transactions.", lambda: writer.busy),
            ("certificate_expires_seconds", gauge, "When the certificate ends, POSIX seconds.",
             lambda: self._certificate.expires),
            ("disk_free_bytes", gauge, "Left on the disk of the database.", self.free_space),
            ("uptime_seconds", gauge, "Since the start.", lambda: time.monotonic() - self._started),
        ]  # fmt: skip
        return [(f"secure_chat_{name}", kind, text, float(value())) for name, kind, text, value in rows]


def _shard_limits(configuration: Configuration) -> ShardLimits:
    network = configuration.network
    return ShardLimits(
        network.connections,
        network.connections_per_address,
        network.login_time,
        network.tick,
        configuration.log_addresses,
    )


def _door_limits(configuration: Configuration) -> DoorLimits:
    network = configuration.network
    return DoorLimits(
        network.handshake_time, network.half_open, network.half_open_per_address, configuration.log_addresses
    )


def _wait(event: threading.Event, deadline: float) -> bool:
    return event.wait(max(0.0, deadline - time.monotonic()))
