"""Since when somebody is in a room, as another member's client knows it: by that one's own group, not by a clock.

Whoever is removed and comes back begins another stay, even if the relay has kept both from them; and who came in by a
commit that the author's client has not got yet is not there for the author. Who has no leaf in a group by which an open
room goes on, as after a relay's restore, may still be in the room, and comes back one by one.
"""

from typing import TYPE_CHECKING, NamedTuple

from secure_chat.client.views import RoomKind

if TYPE_CHECKING:
    from tests.scenarios.harness import Node

__all__ = ["Stays"]


class _Room(NamedTuple):
    group: int
    inside: frozenset[bytes]
    since: dict[bytes, int]


class Stays:
    """Looks at every client's groups between any two things that it handles."""

    def __init__(self) -> None:
        self._rooms: dict[tuple[Node, bytes], _Room] = {}

    def look(self, node: "Node") -> None:
        """Takes note of who has come into a client's groups, and who has gone."""
        state = node.engine._state
        for room in state.rooms.values():
            inside = frozenset(state.accounts(room))
            before = self._rooms.get((node, room.channel), _Room(room.group, frozenset(), {}))
            if (before.group, before.inside) == (room.group, inside):
                continue
            stayed = inside | (before.since.keys() - before.inside)
            if room.kind == RoomKind.OPEN and room.group != before.group:
                stayed |= before.inside
            since = {account: before.since.get(account, node.world.now) for account in stayed}
            self._rooms[node, room.channel] = _Room(room.group, inside, since)

    def since(self, node: "Node", room: bytes, account: bytes) -> int:
        """When this client's group last took somebody in; everybody whom it was entered with is there from then on."""
        return self._rooms[node, room].since[account]
