"""What is looked at after every attack, whatever its test is about.

Everything that anybody was told is told in JSON, too; no plaintext and no closed room's name reached the relay; and
no line shows as somebody's who did not write it.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from secure_chat.client.events import Done, Failed
from secure_chat.client.views import MessageKind, RoomKind
from secure_chat.server.core.settings import Settings
from tests.adversary.evidence import nothing_false, nothing_leaked, travels_as_json
from tests.adversary.relay import LyingRelay
from tests.adversary.relay import lying_relay as unaudited
from tests.scenarios.harness import GENEROUS, Network, Node

__all__ = ["audit", "lying_relay"]

TELLING = 8
"""Characters from which a text is not found by chance."""
TELLING_NAME = 5
"""The same for a room's name."""


@contextmanager
def lying_relay(seed: int = 1, settings: Settings = GENEROUS, network: Network | None = None) -> Iterator[LyingRelay]:
    """A deployment with a relay that can be made to lie, audited when the test has said what it has to say."""
    with unaudited(seed, settings, network) as world:
        yield world
        audit(world)


def audit(world: LyingRelay) -> None:
    """All of it; AssertionError for what should not be."""
    nodes = list(world.nodes.values())
    for node in nodes:
        for event in node.events:
            if not isinstance(event, Done | Failed):  # answers are read by whoever asked
                travels_as_json(event)
    nothing_leaked(world, *sorted(secrets(nodes)))
    nothing_false(honest(world))


def secrets(nodes: list[Node]) -> set[str]:
    """What was written, and what closed rooms are called."""
    texts = {line.text for node in nodes for line in node.history() if line.kind is MessageKind.TEXT}
    rooms = [room for node in nodes for room in node.engine._state.rooms.values()]
    public = {room.name for room in rooms if room.kind == RoomKind.OPEN}
    names = {room.name for room in rooms if room.kind == RoomKind.ROOM} - public
    return {text for text in texts if len(text) >= TELLING} | {name for name in names if len(name) >= TELLING_NAME}


def honest(world: LyingRelay) -> list[Node]:
    """Clients whose stores still know all that their users wrote: alone, never set back, and their own masters."""
    accounts = Counter(node.engine._state.own_account for node in world.nodes.values())
    return [
        node
        for node in world.nodes.values()
        if node not in world.rogues and not node.restored and accounts[node.engine._state.own_account] == 1
    ]
