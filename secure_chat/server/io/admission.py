"""How many connections there may be, and by when each has to log in or to be gone."""

from collections import deque
from dataclasses import dataclass

from secure_chat.server.io.bounds import CLOSING_TIME
from secure_chat.server.io.peer import Peer

__all__ = ["Admission", "ShardLimits"]


@dataclass(slots=True)
class ShardLimits:
    """What the operator may tune; a reload replaces it."""

    connections: int = 12_000
    connections_per_address: int = 256
    login_time: float = 10.0
    """Seconds from the end of the handshake to login."""
    tick: float = 0.0015
    """Under load the loop turns at most this often (seconds): fewer, larger reads and writes."""
    log_addresses: bool = False


class Admission:
    """Counts a shard's connections and keeps their deadlines; times are monotonic seconds."""

    def __init__(self) -> None:
        self._total = 0
        self._per_address: dict[str, int] = {}
        self._logins: deque[tuple[float, Peer]] = deque()
        self._closings: deque[tuple[float, Peer]] = deque()

    def enter(self, peer: Peer, limits: ShardLimits, now: float) -> str | None:
        """Counts a new connection; returns why it can't stay, if it can't."""
        address = peer.tls.peer
        here = self._per_address[address] = self._per_address.get(address, 0) + 1
        self._total += 1
        if self._total > limits.connections:
            return "the relay takes no more connections now"
        if here > limits.connections_per_address:
            return "too many connections from this address"
        self._logins.append((now + limits.login_time, peer))
        return None

    def leave(self, peer: Peer) -> None:
        """It is gone."""
        address = peer.tls.peer
        self._total -= 1
        self._per_address[address] -= 1
        if not self._per_address[address]:
            del self._per_address[address]

    def close_soon(self, peer: Peer, now: float) -> None:
        """It has a few seconds left to read what is on its way."""
        self._closings.append((now + CLOSING_TIME, peer))

    def without_login(self, now: float) -> list[Peer]:
        """Those whose time to log in is over."""
        found: list[Peer] = []
        waiting = self._logins
        while waiting and (waiting[0][0] <= now or waiting[0][1].authenticated or waiting[0][1].closing):
            _, peer = waiting.popleft()
            if not peer.authenticated and not peer.closing:
                found.append(peer)
        return found

    def overstaying(self, now: float) -> list[Peer]:
        """Those whose time to close is over."""
        found: list[Peer] = []
        while self._closings and self._closings[0][0] <= now:
            found.append(self._closings.popleft()[1])
        return found
