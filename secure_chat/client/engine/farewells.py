"""What this device says on leaving a room: leave notes, signed while the leaves are its own.

The others may have an earlier leaf of it, where a relay has lost changes or hidden them; a later one, where it hides
that the own commit was accepted; or one of which this device has not heard yet, since the answer to its request, or the
Welcome of a founding, is still on its way. So it signs for every leaf that it gets or asks for, and when a Welcome
comes to a room that it has left, it says for that leaf, too, that it is gone.
"""

from collections.abc import Iterable
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from secure_chat.client.engine import spaces
from secure_chat.client.engine.evidence import MAX_NOTES, LeaveNote, encode_notes, make_note
from secure_chat.client.engine.keys import KeyPackages, Opener
from secure_chat.client.engine.session import Session
from secure_chat.client.engine.spaces import Phase, Room
from secure_chat.client.engine.state import State
from secure_chat.client.engine.tasks import Task
from secure_chat.mls.crypto.suite import SignaturePrivateKey
from secure_chat.mls.messages.key_package import KeyPackageBundle
from secure_chat.wire.errors import ErrorCode, RelayError
from secure_chat.wire.messages import Append, Appended, Entry, EntryKind

__all__ = ["Farewells", "farewell", "remember_leaf", "remember_request"]

LEAVES = 8
"""Of this device's latest in a room: others are hardly further behind, or ahead, than so many changes."""
ASKED = MAX_NOTES - LEAVES
"""Leaves that were asked for last, one or two a request: who is not answered asks a dozen times in an hour."""

_FOR_GOOD = {ErrorCode.NOT_FOUND, ErrorCode.FORBIDDEN}
"""Refusals after which there is nobody to tell."""


class _Farewell(Struct, array_like=True):
    """Of one room."""

    leaves: Annotated[list[LeaveNote], Meta(max_length=LEAVES)] = []
    asked: Annotated[list[LeaveNote], Meta(max_length=ASKED)] = []
    """For leaves that this device may have been given without knowing."""
    due: bool = False
    """Something has to be said although the room is left."""


_FAREWELL = msgspec.msgpack.Decoder(_Farewell)


def _read(state: State, channel: bytes) -> _Farewell:
    row = state.row(spaces.FAREWELLS, channel)
    try:
        return _Farewell() if row is None else _FAREWELL.decode(row)
    except msgspec.DecodeError:
        return _Farewell()  # an earlier version's, for notes as it wrote them


def remember_leaf(state: State, room: Room, number: int | None = None) -> None:
    """This device has a new leaf in the room's group, or in that of this number."""
    group = state.group(room, number)
    member = group.member(group.own_leaf_index)
    leaves = [] if member is None else [(group.identity.signature_key, member.leaf.encryption_key)]
    pending = group.pending_leaf()
    if pending is not None:
        leaves.append((pending[1], pending[0].leaf.encryption_key))
    known = _read(state, room.channel)
    notes = _with(known.leaves, (make_note(key, room.channel, leaf) for key, leaf in leaves), LEAVES)
    if notes != known.leaves:
        known.leaves = notes
        state.put(spaces.FAREWELLS, room.channel, known)


def remember_request(state: State, room: Room, key: SignaturePrivateKey, bundles: Iterable[KeyPackageBundle]) -> None:
    """This device asks for a leaf: others may answer after it has left, or without its hearing of that."""
    known = _read(state, room.channel)
    leaves = [bundle.key_package.leaf_node.encryption_key for bundle in bundles]
    known.asked = _with(known.asked, (make_note(key, room.channel, leaf) for leaf in leaves), ASKED)
    state.put(spaces.FAREWELLS, room.channel, known)


def _with(notes: list[LeaveNote], later: Iterable[LeaveNote], most: int) -> list[LeaveNote]:
    return [*notes, *(note for note in later if note not in notes)][-most:]


def farewell(state: State, room: Room) -> bytes:
    """What a leaving device puts into the log; empty where it has never had a leaf."""
    known = _read(state, room.channel)
    notes = [*known.leaves, *known.asked]
    return encode_notes(notes) if notes else b""


class Farewells:
    """Says late that this device has left: who is off the relay's list may still post what asks to be taken out."""

    def __init__(self, state: State, session: Session, keys: KeyPackages) -> None:
        self._state = state
        self._session = session
        self._keys = keys

    def welcome(self, entry: Entry) -> bool:
        """Whether a Welcome belongs to a stay that this device has ended; then the others are told."""
        state = self._state
        room = None if entry.origin is None else state.rooms.get(entry.origin[0])
        opener = None if room is None else self._keys.opener(entry.payload)
        if room is None or opener is None or entry.origin is None or not self._is_over(room, opener, entry.origin[1]):
            return False
        self._keys.used(opener)
        remember_request(state, room, opener.identity.signature_key, [opener.bundle])
        known = _read(state, room.channel)
        known.due = True
        state.put(spaces.FAREWELLS, room.channel, known)
        state.tasks.start(self._tell(room))
        return True

    def _is_over(self, room: Room, opener: Opener, seq: int) -> bool:
        """An answer to what was asked before leaving, or an entry before the one that ended delivery."""
        if room.phase == Phase.LEAVING:
            return True
        before = seq <= self._state.position(room.channel)
        return room.phase == Phase.LEFT and (before or opener.stored.asked)

    def logged_in(self) -> None:
        """What could not be said on the connection before."""
        for room in self._state.rooms.values():
            if room.phase in (Phase.LEAVING, Phase.LEFT) and _read(self._state, room.channel).due:
                self._state.tasks.start(self._tell(room))

    def _tell(self, room: Room) -> Task[None]:
        state = self._state
        append = Append(0, room.channel, state.next_append(), EntryKind.REQUEST, 0, farewell(state, room))
        try:
            yield from self._session.ask(append, Appended)
        except RelayError as error:
            if error.code not in _FOR_GOOD:
                raise  # the next connection tries again
        known = _read(state, room.channel)
        known.due = False
        state.put(spaces.FAREWELLS, room.channel, known)
