"""How many files the relay may have open: one for each connection, and some besides."""

import contextlib
import sys

from secure_chat.server.config import Configuration

__all__ = ["allow", "allowed", "wanted"]

_BESIDES = 64
"""Open files that are no connection: database, log, listeners, control socket."""


def wanted(configuration: Configuration) -> int:
    """As many as the configured connections take."""
    return configuration.network.connections + configuration.network.half_open + _BESIDES


def allowed() -> int | None:
    """As many as this process may ask for (the hard limit); None for any number."""
    if sys.platform == "win32":
        return None
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if hard == resource.RLIM_INFINITY else hard


def allow(configuration: Configuration) -> int | None:
    """Raises the limit in force, by default often 1,024, to what is wanted; the limit where that is less, else None."""
    if sys.platform == "win32":
        return None
    import resource

    count = wanted(configuration)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= count:
        return None
    aim = count if hard == resource.RLIM_INFINITY else min(count, hard)
    with contextlib.suppress(OSError, ValueError):  # some systems have another bound besides
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, aim), hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY or soft >= count else soft
