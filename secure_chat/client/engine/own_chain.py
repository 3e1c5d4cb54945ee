"""This device's own chain in a room: what is said so that neither its beginning nor its end can be cut off.

Until a device has taken in something of the chain, nothing would tell it that messages were withheld before the first
one that it sees: so every envelope names the chain's milestones as long as there is such a device. It is the device
that counts, not its owner, another of whose devices may have everything.

What the relay has refused leaves a void place: it may have been delivered all the same, so that nothing else ever
stands there, and the next envelope says that nothing is missing.

A chain belongs to a device key. When the device comes back with fresh keys its next chain begins at one, and nothing
would tell that the last messages of the former chain were withheld: so the new chain names the former one and how much
of it the relay had taken.
"""

from collections.abc import Iterable

import msgspec

from secure_chat.client.engine.content import HASH_LENGTH, MAX_FORMERS, Envelope, Former, Receipt
from secure_chat.client.engine.spaces import Outgoing, Room, Roster, forget_encryption
from secure_chat.client.engine.state import State

__all__ = ["WITH_RECEIPTS", "forget_changed", "hear", "is_known_to_all", "make_void", "retire"]

WITH_RECEIPTS = 16
"""People in the largest rooms that have receipts (`Receipts`)."""
_ENVELOPE = msgspec.msgpack.Decoder(Envelope)


def is_known_to_all(state: State, room: Room) -> bool:
    """Whether every other device has said to have something of the own chain: nobody needs its milestones."""
    roster = state.roster(room)
    if roster is None or len(state.accounts(room)) > WITH_RECEIPTS:
        return False
    return {entry.key for entry in roster.entries} <= {room.chain_key, *room.informed}


def hear(state: State, room: Room, key: bytes, receipt: Receipt) -> None:
    """A device says, in the current epoch, what it has; one that an earlier leaf of its had sent is of no use."""
    has_some = any(progress.chain == room.chain and progress.delivered for progress in receipt.progress)
    if has_some and key not in room.informed:
        room.informed = [*room.informed, key]
        state.save(room)


def forget_changed(room: Room, before: Roster | None, after: Roster) -> None:
    """Who has another leaf than before, or none, may know nothing of the own chain any more."""
    if room.informed:
        old = set() if before is None else {(entry.leaf_index, entry.key, entry.serial) for entry in before.entries}
        same = {entry.key for entry in after.entries if (entry.leaf_index, entry.key, entry.serial) in old}
        room.informed = [key for key in room.informed if key in same]


def retire(room: Room, waiting: Iterable[Outgoing]) -> None:
    """Ends the room's own chain before what waits in it is encrypted anew elsewhere; again, it does nothing.

    What the relay has not confirmed stands at the chain's end, and will go out again in the next one.
    """
    ends = [_ENVELOPE.decode(item.envelope).follows for item in waiting if item.counter]
    count = min([*ends, room.counter - room.void])
    if count:
        room.formers = [*room.formers, Former(room.chain, count, tuple(room.milestones))][-MAX_FORMERS:]
    room.counter, room.chain_hash, room.void = 0, bytes(HASH_LENGTH), 0
    room.milestones = []
    room.informed = []


def make_void(room: Room, waiting: Iterable[Outgoing]) -> list[Outgoing]:
    """Takes what has failed out of the chain's end; what it was, to be saved."""
    failed = {item.counter: item for item in waiting if item.counter and item.failed}
    taken: list[Outgoing] = []
    while (item := failed.get(room.counter - room.void)) is not None:
        envelope = _ENVELOPE.decode(item.envelope)
        room.void = room.counter - envelope.follows
        room.chain_hash = envelope.previous
        forget_encryption(item)
        taken.append(item)
    return taken
