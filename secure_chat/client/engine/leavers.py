"""Who is about to leave a room: members whose leaf is still in the tree although they have said that they go."""

from collections.abc import Iterable

from secure_chat.client.engine.evidence import EvidenceError, LeaveNote, noted_leaves, read_note
from secure_chat.client.engine.occupants import Occupant
from secure_chat.client.engine.spaces import Room
from secure_chat.client.engine.state import State
from secure_chat.mls.group.group import Group

__all__ = ["known_notes", "noted", "staying"]


def known_notes(room: Room, overheard: Iterable[bytes] = ()) -> list[LeaveNote]:
    """The leave notes that have come; what came while the device was out is read here for the first time."""
    notes: list[LeaveNote] = []
    for data in (*room.notes, *overheard):
        try:
            notes.append(read_note(data))
        except EvidenceError:
            continue
    return notes


def noted(state: State, room: Room, group: Group) -> frozenset[int]:
    """The leaves of a group of the room whose holders have signed a note that they leave."""
    notes = known_notes(room)
    return noted_leaves(notes, group.group_id, state.occupants(group)) if notes else frozenset()


def staying(state: State, room: Room) -> list[Occupant]:
    """The leaves of the room's group but for those: whoever has gone no longer counts as an admin who could act."""
    group = state.group(room)
    occupants = state.occupants(group)
    gone = noted_leaves(known_notes(room, state.overheard.get(room.channel, ())), group.group_id, occupants)
    return [occupant for occupant in occupants if occupant.leaf_index not in gone]
