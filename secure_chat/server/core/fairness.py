"""Fairness: how often somebody may do something, and who may try the next commit.

A rate limit is the generic cell rate algorithm: one number for each key, the time at which its credit is whole again.
A key whose time is past is as good as unknown, so what is kept is bounded by what happened lately.
"""

from collections.abc import Hashable
from ipaddress import IPv6Address
from math import ceil

from secure_chat.server.core.settings import Settings
from secure_chat.wire.errors import ErrorCode, RelayError
from secure_chat.wire.limits import HEAD_RESERVATION_MS, LOSSES_BEFORE_RESERVATION

__all__ = ["Contest", "Limits", "RateLimit", "address_key"]

_MAX_KEYS = 100_000
"""Keys of one limit that are remembered; beyond it the oldest starts afresh, so that no flood of keys fills memory."""
_REST_MS = 60_000
"""A device whose reservation is over, used or not, may not hold up the others again for this long."""
_MAX_LOSERS = 1_000
"""Devices whose lost races one channel remembers: as many as may be members."""
_HOUR = 3_600_000
_MINUTE = 60_000
_SECOND = 1_000


class RateLimit:
    """So many at once, then so many per period, for each key."""

    __slots__ = ("_burst", "_interval", "_whole")

    def __init__(self, count: int, period: int, burst: int) -> None:
        self._interval = period / count
        self._burst = self._interval * max(burst, 1)
        self._whole: dict[Hashable, float] = {}

    def take(self, key: Hashable, now: int, cost: float = 1) -> int:
        """0 and the credit is used, or the milliseconds to wait and nothing is used.

        What costs more than a whole burst is let through when the credit is whole.
        """
        whole = self._whole.get(key, 0.0)
        if whole < now:
            whole = float(now)
        after = whole + self._interval * cost
        if after - now > self._burst and whole > now:
            return ceil(after - now - self._burst) if after - whole <= self._burst else ceil(whole - now)
        if key not in self._whole and len(self._whole) >= _MAX_KEYS:
            del self._whole[next(iter(self._whole))]
        self._whole[key] = after
        return 0

    def charge(self, key: Hashable, now: int, cost: float) -> None:
        """Uses credit that may not be there: what comes next waits the longer."""
        whole = max(self._whole.get(key, 0.0), float(now))
        self._whole[key] = whole + self._interval * cost

    def wait(self, key: Hashable, now: int) -> int:
        """Milliseconds until one more would be let through; uses nothing."""
        return max(0, ceil(self._whole.get(key, 0.0) + self._interval - now - self._burst))

    def require(self, key: Hashable, now: int, what: str, cost: float = 1) -> None:
        """`take`, or RelayError with the time to wait."""
        wait = self.take(key, now, cost)
        if wait:
            raise RelayError(ErrorCode.RATE_LIMITED, f"too many {what}", retry_after=wait)

    def prune(self, now: int) -> None:
        """Forgets keys whose credit is whole."""
        for key in [key for key, whole in self._whole.items() if whole <= now]:
            del self._whole[key]


class Limits:
    """Every rate limit of a relay besides the one that each connection carries."""

    def __init__(self, settings: Settings) -> None:
        s = settings
        self.ephemeral = RateLimit(s.ephemeral_per_second, _SECOND, s.ephemeral_burst)
        self.account_bytes = RateLimit(s.account_bytes_per_hour, _HOUR, s.account_bytes_burst)
        self.commits = RateLimit(s.commits_per_minute, _MINUTE, s.commits_burst)
        self.join_requests = RateLimit(s.join_requests_per_minute, _MINUTE, s.join_requests_burst)
        self.lookups = RateLimit(s.lookups_per_minute, _MINUTE, s.lookups_burst)
        self.claims = RateLimit(s.claims_per_minute, _MINUTE, s.claims_burst)
        self.claims_per_target = RateLimit(s.claims_per_target_per_hour, _HOUR, s.claims_per_target_burst)
        self.claims_per_pair = RateLimit(s.claims_per_pair_per_hour, _HOUR, s.claims_per_pair_burst)
        self.additions_per_pair = RateLimit(s.additions_per_pair_per_hour, _HOUR, s.additions_per_pair_burst)
        self.creations = RateLimit(s.creations_per_hour, _HOUR, s.creations_burst)
        self.failures = RateLimit(s.failures_per_minute, _MINUTE, s.failures_burst)
        self.registrations = RateLimit(s.registrations_per_hour, _HOUR, s.registrations_burst)

    def prune(self, now: int) -> None:
        """Forgets what has no effect any more."""
        for limit in vars(self).values():
            limit.prune(now)


class Contest:
    """The race for one channel's head: who lost it, and who has it reserved; forgotten on restart.

    There is no queue: who lost twice but no longer wants to commit would make each one behind it wait in vain.

    Whoever has *precedence*, the room's admins, gets the head on the first loss, waits for nobody but another of them,
    and is never made to rest: a member who floods the room, even one that loses on purpose, can't keep an admin from
    removing it.
    """

    __slots__ = ("_expires", "_first", "_holder", "_losses", "_resting")

    def __init__(self) -> None:
        self._losses: dict[bytes, int] = {}
        self._holder = b""
        self._first = False
        """The holder has precedence."""
        self._expires = 0
        self._resting: dict[bytes, int] = {}

    def lost(self, device: bytes, now: int, *, precedence: bool = False) -> None:
        """A commit of this device lost the race: the second time in a row it gets the head to itself, if free."""
        self._lapse(now)
        if len(self._losses) >= _MAX_LOSERS:
            self._losses.clear()
        self._losses[device] = self._losses.get(device, 0) + 1
        if precedence:
            if self._holder and self._first:
                return
        elif self._holder or self._losses[device] < LOSSES_BEFORE_RESERVATION or device in self._resting:
            return
        self._holder, self._first = device, precedence
        self._expires = now + HEAD_RESERVATION_MS

    def require_turn(self, device: bytes, now: int, head: int, *, precedence: bool = False) -> None:
        """RelayError(`reserved`) while the head is somebody else's."""
        self._lapse(now)
        if self._holder and self._holder != device and (self._first or not precedence):
            raise RelayError(
                ErrorCode.RESERVED,
                "another device may commit first",
                retry_after=self._expires - now,
                head=head,
            )

    def won(self, device: bytes, now: int) -> None:
        """A commit of this device was accepted: its turn is over."""
        self._losses.pop(device, None)
        if device == self._holder:
            self._end(now)

    def _lapse(self, now: int) -> None:
        if self._holder and now >= self._expires:
            self._losses.pop(self._holder, None)
            self._end(self._expires)
        for device in [device for device, until in self._resting.items() if until <= now]:
            del self._resting[device]

    def _end(self, now: int) -> None:
        if not self._first:
            self._resting[self._holder] = now + _REST_MS
        self._holder = b""


def address_key(address: str) -> str:
    """What counts as one address: an IPv4 address, or the /64 that one IPv6 site has to itself."""
    if ":" not in address:
        return address
    try:
        parsed = IPv6Address(address)
    except ValueError:
        return address
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(IPv6Address(int(parsed) >> 64 << 64)) + "/64"
