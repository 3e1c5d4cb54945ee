"""What goes over the wire in a simulated deployment: bytes of frames on all connections, by what they are."""

from collections import Counter
from dataclasses import dataclass, field

from secure_chat.wire.framing import HEADER_LENGTH, decode_client_message, decode_server_message
from secure_chat.wire.messages import Append, Entry
from tests.scenarios.harness import Node, World

__all__ = ["Traffic"]


@dataclass
class Traffic:
    """Frames without TLS, which adds some 2 %."""

    up: Counter[str] = field(default_factory=Counter)
    down: Counter[str] = field(default_factory=Counter)
    frames: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, deployment: World) -> "Traffic":
        """Counts from now on."""
        traffic = cls()
        deployment.taps.append(traffic.count)
        return traffic

    def count(self, _: Node, frame: bytes, to_relay: bool) -> None:
        """One frame more."""
        body = frame[HEADER_LENGTH:]
        message = decode_client_message(body) if to_relay else decode_server_message(body)
        kind = message.kind.name if isinstance(message, Append | Entry) else type(message).__name__
        (self.up if to_relay else self.down)[kind] += len(frame)
        self.frames[f"{kind} {'up' if to_relay else 'down'}"] += 1

    @property
    def total(self) -> int:
        """In both directions."""
        return sum(self.up.values()) + sum(self.down.values())

    def __str__(self) -> str:
        lines = [f"{self.total / 1e6:.1f} MB in {sum(self.frames.values())} frames"]
        for name, way, sizes in (("to the relay", "up", self.up), ("to clients", "down", self.down)):
            kinds = ", ".join(
                f"{kind} {size / 1e6:.1f} MB ({self.frames[f'{kind} {way}']})" for kind, size in sizes.most_common(6)
            )
            lines.append(f"  {name}: {kinds}")
        return "\n".join(lines)
