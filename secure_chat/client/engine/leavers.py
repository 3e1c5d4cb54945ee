"""Who is about to leave a room: members whose leaf is still in the tree although they have said that they go."""

from collections.abc import Iterable

import msgspec

from secure_chat.client.engine import spaces
from secure_chat.client.engine.evidence import (
    MAX_NOTES,
    EvidenceError,
    LeaveNote,
    encode_notes,
    make_note,
    noted_leaves,
    read_notes,
)
from secure_chat.client.engine.occupants import Occupant
from secure_chat.client.engine.spaces import Phase, Room
from secure_chat.client.engine.state import State
from secure_chat.mls.group.group import Group

__all__ = ["farewell", "hear", "known_notes", "noted", "overhear", "remember_leaf", "sort_notes", "staying"]

MAX_WAITING = 64
"""Wishes to leave that are kept while this device is outside."""
MAX_DEPARTED = 32
"""Members whose notes are kept after they have gone."""


def remember_leaf(state: State, room: Room, number: int | None = None) -> None:
    """This device has a new leaf in the room's group, or in that of this number: it signs what it will say on leaving.

    The others may have an earlier leaf of it, where a relay has lost changes or hidden them, or a later one, where it
    hides that the own commit was accepted; so the latest are kept.
    """
    group = state.group(room, number)
    member = group.member(group.own_leaf_index)
    leaves = [] if member is None else [(member, group.identity.signature_key)]
    pending = group.pending_leaf()
    row = state.row(spaces.FAREWELLS, room.channel)
    known = notes = [] if row is None else read_notes(row)
    for own, key in leaves if pending is None else [*leaves, pending]:
        note = make_note(key, group.group_id, own.leaf_index, own.leaf.encryption_key)
        if note not in notes:
            notes = [*notes, note][-MAX_NOTES:]
    if notes is not known:
        state.put(spaces.FAREWELLS, room.channel, encode_notes(notes))


def farewell(state: State, room: Room) -> bytes:
    """What a leaving device puts into the log: a note for each leaf that the others may have of it."""
    return state.row(spaces.FAREWELLS, room.channel) or b""


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
    _put_by(state, room, [payload])


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
        # Whoever was removed before the note came needs it no more.
        if any(occupant.device == sender for occupant in occupants):
            raise EvidenceError("of none of the leaves here")
        return b""
    if leaves <= noted(state, room, group):
        return b""  # told before: the relay repeats itself
    room.notes.append(payload)
    state.save(room)
    return next(occupant.account for occupant in occupants if occupant.leaf_index in leaves)


def sort_notes(state: State, room: Room, *, entering: bool = False) -> None:
    """Keeps the notes of leaves that are in the tree, and puts by those of leaves that are not, or no longer.

    A relay that has lost a removal leads back into a tree with that leaf: who enters looks at what was put by, but for
    what is still to be taken in and told.
    """
    group = state.group(room)
    occupants = state.occupants(group)
    waiting = state.overheard.get(room.channel, set())
    past = [data for data in _departed(state, room) if data not in waiting] if entering else []
    here: list[bytes] = []
    gone: list[bytes] = []
    for data in dict.fromkeys([*past, *room.notes]):
        leaves = noted_leaves(_read(data), group.group_id, occupants)
        (here if leaves - {group.own_leaf_index} else gone).append(data)
    room.notes = here
    _put_by(state, room, gone)
    state.save(room)


def _departed(state: State, room: Room) -> list[bytes]:
    row = state.row(spaces.DEPARTED, room.channel)
    return [] if row is None else msgspec.msgpack.decode(row, type=list[bytes])


def _put_by(state: State, room: Room, payloads: list[bytes]) -> None:
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
