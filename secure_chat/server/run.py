"""`secure-chat server` in the foreground: first run, signals, reloads, the end."""

import contextlib
import logging
import os
import queue
import signal
import sys
import time
from collections.abc import Callable, Sequence
from enum import Enum, auto
from pathlib import Path
from types import FrameType

import click

from secure_chat.errors import SecureChatError
from secure_chat.identity.invite import InviteLink, format_address
from secure_chat.server import log, open_files
from secure_chat.server.certificate import RelayCertificate, validity_problem
from secure_chat.server.config import Configuration
from secure_chat.server.core.admin import (
    CreateInviteToken,
    InviteLines,
    ListInvites,
    NewInvite,
    ShowStatistics,
    Statistics,
)
from secure_chat.server.errors import ServerError
from secure_chat.server.home import Home
from secure_chat.server.service import RelayService
from secure_chat.server.tables import size

__all__ = ["run", "show_link"]

logger = logging.getLogger(__name__)

_LOOK_INTERVAL = 1.0
"""Seconds between looks at the configuration and certificate files."""
_RENEWAL_INTERVAL = 3600.0
"""Seconds between checks whether the certificate should be renewed."""
_FIRST_INVITE_LIFETIME = 7 * 86_400_000
_RETRY_AFTER_MS = 2_000
"""Clients come back after this long, when a restart is over; they add jitter."""


class _Wish(Enum):
    STOP = auto()
    RELOAD = auto()


def run(load: Callable[[], Configuration], home: Home, file: Path | None) -> None:
    """Serves until a signal ends it. `load` reads the configuration, again at each reload; raises SecureChatError."""
    configuration = load()
    log.configure(configuration.log_format, configuration.log_level)
    home.prepare()
    home.acquire()
    _allow_open_files(configuration)
    wishes = _listen_to_signals()
    try:
        certificate, done = home.certificate(configuration, int(time.time()))
        if done:
            logger.info("%s", done)
        service = RelayService(configuration, home, certificate)
        service.start()
        logger.info("certificate %s", certificate.certificate)
        for host, port in service.addresses:
            logger.info("listening on %s, data in %s", format_address(host, port), home.root)
        if service.metrics_port:
            logger.info("metrics on http://127.0.0.1:%d/metrics", service.metrics_port)
        described = service.describe()
        home.last_address = described.host, described.port
        _warn_of_authority(home, certificate)
        if _nobody_can_come(service):
            _first_invite(service)
        _serve(service, load, home, file, wishes)
    finally:
        home.release()


def show_link(link: InviteLink, *, qr: bool) -> None:
    """Prints an invite link, and its QR code where somebody can see it."""
    if qr:
        import segno

        with contextlib.suppress(UnicodeEncodeError):  # a terminal without block characters
            segno.make(str(link), error="l").terminal(compact=True, border=2)
    click.echo(str(link))


def _nobody_can_come(service: RelayService) -> bool:
    """No account and no invite: the first run, or one after a first run that failed."""
    statistics, invites = service.ask(ShowStatistics()), service.ask(ListInvites())
    if not (isinstance(statistics, Statistics) and isinstance(invites, InviteLines)):
        raise ServerError(f"the relay could not look at its own database: {statistics}, {invites}")
    return not statistics.accounts and not invites.invites


def _first_invite(service: RelayService) -> None:
    answer = service.ask(CreateInviteToken(uses=1, lifetime=_FIRST_INVITE_LIFETIME, label="first run"))
    if not isinstance(answer, NewInvite):
        raise ServerError(f"the first invite could not be made: {answer}")
    terminal = sys.stdout.isatty()
    click.echo("Join with this link (one account, 7 days; more: secure-chat server invite):")
    show_link(service.link(answer.token), qr=terminal)
    sys.stdout.flush()


def _listen_to_signals() -> queue.SimpleQueue[_Wish]:
    wishes: queue.SimpleQueue[_Wish] = queue.SimpleQueue()
    stopping = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopping
        if stopping:
            os._exit(128 + number)  # asked twice: at once; what is acknowledged is on disk
        stopping = True
        wishes.put(_Wish.STOP)

    def reload(number: int, frame: FrameType | None) -> None:
        wishes.put(_Wish.RELOAD)

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    for name, handler in (("SIGHUP", reload), ("SIGBREAK", stop)):
        number = getattr(signal, name, None)  # one is Unix's, the other Windows's
        if number is not None:
            signal.signal(number, handler)
    return wishes


def _serve(
    service: RelayService,
    load: Callable[[], Configuration],
    home: Home,
    file: Path | None,
    wishes: queue.SimpleQueue[_Wish],
) -> None:
    files = [file] if file else []
    stamp: list[tuple[int, int, int] | None] = []  # so the first look finds what changed since the files were read
    renewal = time.monotonic() + _RENEWAL_INTERVAL
    full = False
    while True:
        try:
            wish = wishes.get(timeout=_LOOK_INTERVAL)
        except queue.Empty:
            wish = None
        if wish is _Wish.STOP:
            break
        problem = service.problem()
        if problem is not None:
            logger.error("%s: stopping; a supervisor may start the relay again", problem)
            service.stop("the relay has failed", _RETRY_AFTER_MS)
            raise ServerError("the relay has failed; its log says more")
        full = _watch_space(service, full)
        seen = _stamp([*files, *service.certificate_files])
        if wish is _Wish.RELOAD or seen != stamp or time.monotonic() >= renewal:
            stamp = seen
            renewal = time.monotonic() + _RENEWAL_INTERVAL
            _reload(service, load, home, force=wish is _Wish.RELOAD)
    logger.info("stopping")
    finished = service.stop("the relay is stopping", _RETRY_AFTER_MS)
    if not finished:
        logger.warning("not everything could be finished in time; nothing acknowledged is lost")
    logger.info("stopped")


def _reload(service: RelayService, load: Callable[[], Configuration], home: Home, *, force: bool) -> None:
    try:
        configuration = load()
        certificate, done = home.certificate(configuration, int(time.time()))
        if done:
            logger.info("%s", done)
        log.configure(configuration.log_format, configuration.log_level)
        _allow_open_files(configuration)
        changed = service.reload(configuration, certificate, force=force)
        _warn_of_authority(home, certificate)
        _warn_of_validity(certificate)
    except SecureChatError as error:
        logger.error("not reloaded, everything stays as it was: %s", error)
        return
    if changed or force:
        logger.info("reloaded: %s", ", ".join(changed) or "nothing had changed")


def _allow_open_files(configuration: Configuration) -> None:
    limit = open_files.allow(configuration)
    if limit is not None:
        logger.warning("at most %d open files are allowed here, so not all configured connections can come", limit)


def _watch_space(service: RelayService, was_full: bool) -> bool:
    """Says once that the disk has become full, and that it no longer is; whether it is now."""
    problem = service.space_problem()
    if problem is not None and not was_full:
        logger.error("%s", problem)
    elif problem is None and was_full:
        logger.info("there is room on the disk again: %s", size(service.free_space()))
    return problem is not None


def _warn_of_authority(home: Home, certificate: RelayCertificate) -> None:
    warning = home.remember_authority(certificate)
    if warning is not None:
        logger.warning("%s", warning)


def _warn_of_validity(certificate: RelayCertificate) -> None:
    """At the first look and every hour from then on."""
    problem = validity_problem(certificate.begins, certificate.expires, int(time.time()), own=certificate.own)
    if problem is not None:
        refused, text = problem
        level = logging.ERROR if refused else logging.WARNING
        logger.log(level, "certificate %s %s: renew it; a new one is taken up by itself", certificate.certificate, text)


def _stamp(files: Sequence[Path]) -> list[tuple[int, int, int] | None]:
    """What changes when one of these files does."""
    stamps: list[tuple[int, int, int] | None] = []
    for file in files:
        try:
            found = file.stat()
        except OSError:
            stamps.append(None)
        else:
            stamps.append((found.st_mtime_ns, found.st_size, found.st_ino))
    return stamps
