"""This device's own chain in a room, where it ends: what the next one says of it, so that its end can't be cut off.

A chain belongs to a device key. When the device comes back with fresh keys its next chain begins at one, and nothing
would tell that the last messages of the former chain were withheld: so the new chain names the former one and how much
of it the relay had taken.
"""

from collections.abc import Iterable

from secure_chat.client.engine.content import HASH_LENGTH, MAX_FORMERS, Former
from secure_chat.client.engine.spaces import Outgoing, Room

__all__ = ["retire"]


def retire(room: Room, waiting: Iterable[Outgoing]) -> None:
    """Ends the room's own chain before what waits in it is encrypted anew elsewhere; again, it does nothing.

    What the relay has not confirmed stands at the chain's end, and will go out again in the next one.
    """
    count = min([item.counter - 1 for item in waiting if item.counter] + [room.counter])
    if count:
        room.formers = [*room.formers, Former(room.chain, count, tuple(room.milestones))][-MAX_FORMERS:]
    room.counter, room.chain_hash = 0, bytes(HASH_LENGTH)
    room.milestones = []
