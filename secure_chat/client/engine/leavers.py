"""Who is about to leave a room: members whose leaf is still in the tree although they have said that they go."""

from collections.abc import Iterable

import msgspec

from secure_chat.client.engine import spaces
from secure_chat.client.engine.evidence import (
    EvidenceError,
    LeaveNote,
    noted_leaves,
    read_notes,
)
from secure_chat.client.engine.occupants import Occupant
from secure_chat.client.engine.spaces import Phase, Room
from secure_chat.client.engine.state import State
from secure_chat.mls.group.group import Group

__all__ = ["hear", "known_notes", "noted", "overhear", "put_by", "sort_notes", "staying"]

MAX_WAITING = 64
"""Wishes to leave that are kept while this device is outside."""
MAX_DEPARTED = 32
"""Members whose notes are kept after they have gone."""


def known_notes(room: Room, others: Iterable[bytes] = ()) -> list[LeaveNote]:
    """The leave notes of members; what came while this device was out is read here for the first time."""
    return [note for data in (*room.notes, *others) for note in _read(data)]


def _read(data: bytes) -> list[LeaveNote]:
    try:
        return read_notes(data)
    except EvidenceError:
        return []


def overhear(state: State, room: Room, payload: bytes) -> None:
    """A note stands in an entry that can't be taken in yet, and that the relay may have forgotten when it can."""
    state.overheard.setdefault(room.channel, set()).add(payload)
    put_by(state, room, [payload])


def hear(state: State, room: Room, payload: bytes, sender: bytes) -> bytes:
    """Takes in a log entry by which somebody leaves; whose leaving that tells, or nothing where it is no news.

    Raises EvidenceError for notes that are not genuine.
    """
    if room.phase in (Phase.NEW, Phase.ENTERING, Phase.OUT):
        # Whose they are can't be told from here: they are held against the group that this device comes into.
        room.notes = [*room.notes, payload][-MAX_WAITING:]
        state.save(room)
        return b""
    if not room.group or room.phase not in (Phase.JOINED, Phase.INVITED):
        return b""
    group = state.group(room)
    occupants = state.occupants(group)
    leaves = noted_leaves(_read(payload), group.group_id, occupants)
    if group.own_leaf_index in leaves or (not leaves and sender == state.profile.device_id):
        return b""
    if not leaves:
        # Of a leaf that was removed before the note came, or one that an answer still on its way will make.
        put_by(state, room, [payload])
        if any(occupant.device == sender for occupant in occupants):
            raise EvidenceError("of none of the leaves here")
        return b""
    if leaves <= noted(state, room, group):
        return b""  # told before: the relay repeats itself
    room.notes.append(payload)
    state.save(room)
    return next(occupant.account for occupant in occupants if occupant.leaf_index in leaves)


def sort_notes(state: State, room: Room) -> list[bytes]:
    """Keeps the notes of leaves that are in the tree, and puts by those of leaves that are not, or no longer.

    A relay that has lost a removal leads back into a tree with that leaf, and a commit that was under way lets in who
    has left meanwhile: so what was put by is looked at, too, but for what is still to be taken in and told. Returns the
    accounts of which only that tells.
    """
    group = state.group(room)
    occupants = state.occupants(group)
    waiting = state.overheard.get(room.channel, set())
    past = [data for data in _departed(state, room) if data not in waiting and data not in room.notes]
    if not past and not room.notes:
        return []
    before = noted(state, room, group)
    here: list[bytes] = []
    gone: list[bytes] = []
    for data in dict.fromkeys([*past, *room.notes]):
        leaves = noted_leaves(_read(data), group.group_id, occupants)
        (here if leaves - {group.own_leaf_index} else gone).append(data)
    if room.notes != here:
        room.notes = here
        state.save(room)
    put_by(state, room, gone)
    news = noted(state, room, group) - before
    return [occupant.account for occupant in occupants if occupant.leaf_index in news]


def _departed(state: State, room: Room) -> list[bytes]:
    row = state.row(spaces.DEPARTED, room.channel)
    return [] if row is None else msgspec.msgpack.decode(row, type=list[bytes])


def put_by(state: State, room: Room, payloads: list[bytes]) -> None:
    """Keeps notes of leaves that are not in the tree here, for the case that a later one has them."""
    past = _departed(state, room)
    kept = list(dict.fromkeys([*past, *payloads]))[-MAX_DEPARTED:]
    if kept != past:
        state.put(spaces.DEPARTED, room.channel, msgspec.msgpack.encode(kept))


def noted(state: State, room: Room, group: Group) -> frozenset[int]:
    """The leaves of a group of the room whose holders have signed a note that they leave."""
    notes = known_notes(room)
    return noted_leaves(notes, group.group_id, state.occupants(group)) if notes else frozenset()


def staying(state: State, room: Room) -> list[Occupant]:
    """The leaves of the room's group but for those: whoever has gone no longer counts as an admin who could act."""
    group = state.group(room)
    occupants = state.occupants(group)
    gone = noted_leaves(known_notes(room, _departed(state, room)), group.group_id, occupants)
    return [occupant for occupant in occupants if occupant.leaf_index not in gone]
