"""Signed statements that stand in a room's log beside MLS: somebody leaves, an account withdraws devices.

Whoever put them there, the relay included, can only keep them back: each proves itself.
"""

from secure_chat.client.engine.directory import Directory
from secure_chat.client.engine.evidence import Evidence, EvidenceError, read_notes
from secure_chat.client.engine.history import History
from secure_chat.client.engine.leavers import hear
from secure_chat.client.engine.spaces import Room
from secure_chat.client.engine.state import State
from secure_chat.identity.errors import IdentityError
from secure_chat.wire.limits import DEVICE_ID_LENGTH
from secure_chat.wire.messages import Entry, EntryKind

__all__ = ["RELAY", "Statements", "is_farewell"]

RELAY = bytes(DEVICE_ID_LENGTH)
"""Sender of the relay's own entries."""


def is_farewell(entry: Entry) -> bool:
    """Whether somebody says in an entry that they leave, or, no longer on the relay's list, that they have left."""
    if entry.kind is EntryKind.MEMBERS:
        return bool(entry.payload) and entry.sender != RELAY
    if entry.kind is not EntryKind.REQUEST:
        return False
    try:
        read_notes(entry.payload)
    except EvidenceError:
        return False
    return True


class Statements:
    """Takes in entries that carry statements, and what commits carry along."""

    def __init__(self, state: State, directory: Directory, history: History) -> None:
        self._state = state
        self._directory = directory
        self._history = history

    def take(self, room: Room, entry: Entry) -> str:
        """What is wrong with the entry, in words; empty if nothing is."""
        if is_farewell(entry):
            return self._leaves(room, entry)
        try:
            self._directory.withdraw(entry.payload)
        except IdentityError:
            return "a withdrawal of devices that nobody has signed"
        return ""

    def learn(self, evidence: Evidence) -> None:
        """What one room's members know holds in all rooms."""
        for revocation in evidence.revocations:
            self._directory.withdraw(revocation)

    def _leaves(self, room: Room, entry: Entry) -> str:
        """Somebody leaves; whoever commits next removes the leaf."""
        state = self._state
        try:
            account = hear(state, room, entry.payload, entry.sender)
        except EvidenceError:
            return "a wish to leave that is not genuine"
        roster = state.roster(room)
        if account and roster is not None and sum(e.account == account for e in roster.entries) == 1:
            declined = account in roster.invited
            handle = state.people[account].handle
            text = f"{handle} declined the invitation" if declined else f"{handle} left"
            self._history.notice(room, "declined" if declined else "left", text, account, entry.time)
        state.poke(room)
        return ""
