"""`secure-chat server doctor`: what could go wrong soon, and what to do about each."""

import contextlib
import os
import shutil
import stat
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Literal

from msgspec import Struct

from secure_chat.errors import SecureChatError
from secure_chat.server import open_files
from secure_chat.server.certificate import validity_problem
from secure_chat.server.config import Configuration
from secure_chat.server.control import Description, describe
from secure_chat.server.home import Home, certificate_hosts, link_host
from secure_chat.transport.errors import NobodyListens, TransportError
from secure_chat.transport.local import connect_local
from secure_chat.transport.tls import groups_offered, server_context

__all__ = ["Finding", "examine"]

_DAY = 86_400
_BUILT = 1_704_067_200
"""1 January 2024: no clock that is right shows less."""


class Finding(Struct, frozen=True):
    """One thing that was looked at."""

    name: str
    state: Literal["ok", "warning", "error"]
    text: str
    advice: str = ""
    """What to do; empty when all is well."""


def examine(home: Home, configuration: Configuration) -> list[Finding]:
    """Everything that can be seen from outside the running relay."""
    found = [_running(home)]
    running = describe(home) if found[0].state == "ok" else None
    found += _directory(home, configuration)
    found += _certificate(home, configuration, running)
    found += [_disk(home, configuration), _clock(home), _open_files(configuration), _groups(), _sqlite()]
    return found


def _running(home: Home) -> Finding:
    try:
        connect_local(home.control).close()
    except NobodyListens:
        return Finding("relay", "warning", f"not running in {home.root}", "start it: secure-chat server")
    except TransportError as error:
        return Finding("relay", "error", str(error), "is it another user's? run doctor as the relay's user")
    return Finding("relay", "ok", f"running in {home.root}")


def _directory(home: Home, configuration: Configuration) -> Iterator[Finding]:
    name = "permissions"
    if not home.root.exists():
        yield Finding(name, "warning", f"{home.root} does not exist yet", "the first start makes it")
        return
    if os.name != "posix":
        yield Finding(name, "ok", "the user's own directory")
        return
    wrong: list[str] = []
    keys = [home.directory_key_file, *sorted(home.certificates.glob("*key*.pem"))]
    with contextlib.suppress(SecureChatError):  # the finding about the certificate says it
        keys.append(home.certificate_as_it_is(configuration).key)
    for path in dict.fromkeys((home.root, home.database, home.control, *keys)):
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
            wrong.append(str(path))
    if wrong:
        yield Finding(name, "error", f"others may read {', '.join(wrong)}", f"chmod go= {' '.join(wrong)}")
    else:
        yield Finding(name, "ok", "only the relay's user may read its files")
    if not os.access(home.root, os.W_OK):
        yield Finding(name, "error", f"{home.root} can't be written", "run as the relay's user, or chown it")


def _certificate(home: Home, configuration: Configuration, running: Description | None) -> Iterator[Finding]:
    name = "certificate"
    if running is not None and not configuration.certificate:  # the relay may have been given one by a flag
        begins, expires, names = running.certificate_begins, running.certificate_expires, running.certificate_hosts
        own = running.own_certificate
    else:
        try:
            if not configuration.certificate and not home.own_certificates().exists():
                yield Finding(name, "warning", "none yet", "the first start makes it")
                return
            certificate = home.certificate_as_it_is(configuration)
            server_context(certificate.certificate, certificate.key)
        except SecureChatError as error:
            again = "restart the relay to have its own certificate made again"
            yield Finding(name, "error", str(error), "" if configuration.certificate else again)
            return
        begins, expires, names, own = certificate.begins, certificate.expires, certificate.hosts, certificate.own
    now = int(time.time())
    problem = validity_problem(begins, expires, now, own=own)
    if problem is not None:
        refused, text = problem
        advice = "restart the relay: it makes another" if own else "renew it; the relay takes the new one up by itself"
        yield Finding(name, "error" if refused else "warning", text, advice)
    else:
        text = f"expires in {(expires - now) // _DAY} days"
        yield Finding(name, "ok", f"{text}; it renews it by itself while it runs" if own else text)
    last = home.last_address
    if running is not None:
        hosts = [running.host]
    elif configuration.hosts or last is None:
        hosts = [link_host(configuration), *(certificate_hosts(configuration) if own else ())]
    else:
        hosts = [last[0]]  # as it was started last
    lacking = [host for host in dict.fromkeys(hosts) if not _covers(names, host)]
    if lacking:
        advice = "restart the relay, or name its addresses with --host"
        yield Finding("names", "warning", f"the certificate lacks {', '.join(lacking)}", advice)
    else:
        yield Finding("names", "ok", f"clients reach it as {hosts[0]}")


def _covers(names: Sequence[str], host: str) -> bool:
    """By name, or by the wildcard that a public authority may have signed."""
    return host in names or f"*.{host.partition('.')[2]}" in names


def _disk(home: Home, configuration: Configuration) -> Finding:
    place = home.root if home.root.exists() else home.root.parent
    while not place.exists():
        place = place.parent
    usage = shutil.disk_usage(place)
    reserve = configuration.limits.disk_reserve
    text = f"{usage.free / 1e9:.1f} GB free of {usage.total / 1e9:.1f} GB"
    if usage.free < reserve:
        return Finding("disk", "error", f"{text}: the relay refuses writes", "free space, or lower limits.disk_reserve")
    if usage.free < 4 * reserve:
        return Finding("disk", "warning", text, f"writes are refused below {reserve / 1e9:.1f} GB: free space soon")
    return Finding("disk", "ok", text)


def _clock(home: Home) -> Finding:
    now = time.time()
    advice = "set it, best by NTP: certificates and logins depend on it"
    if now < _BUILT:
        return Finding("clock", "error", "the clock is years behind", advice)
    newest = max((path.stat().st_mtime for path in (home.database, home.root) if path.exists()), default=now)
    if newest > now + 300:
        return Finding("clock", "error", "the clock is behind the database's last change", advice)
    if sys.platform == "linux" and os.path.isdir("/run/systemd/timesync"):
        synchronized = os.path.exists("/run/systemd/timesync/synchronized")
        return Finding("clock", "ok" if synchronized else "warning",
                       "synchronised" if synchronized else "not synchronised yet",
                       "" if synchronized else "timedatectl set-ntp true")  # fmt: skip
    return Finding("clock", "ok", time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now)))


def _open_files(configuration: Configuration) -> Finding:
    limit, wanted = open_files.allowed(), open_files.wanted(configuration)
    if limit is not None and limit < wanted:
        advice = f"raise it (systemd: LimitNOFILE={wanted}; shell: ulimit -Hn) or lower network.connections"
        return Finding("open files", "warning", f"at most {limit}, {wanted} are configured for", advice)
    return Finding("open files", "ok", f"{'any number' if limit is None else limit} allowed")


def _groups() -> Finding:
    return Finding("TLS groups", "ok", f"TLS 1.3 with {groups_offered()}")


def _sqlite() -> Finding:
    import apsw

    return Finding("SQLite", "ok", f"{apsw.sqlite_lib_version()}, WAL, synchronous=FULL")
