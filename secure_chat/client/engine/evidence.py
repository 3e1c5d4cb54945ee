"""Why a member without an admin's right removes somebody: signed statements that a commit carries along.

A *revocation* is the account's word that older devices are withdrawn. A *leave note* is a device's word that it leaves
with this very leaf; it stands in the room's log for whoever commits next, and outlives the epoch that a Remove
proposal is bound to. Every member checks both from the tree alone.
"""

from collections.abc import Iterable
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from secure_chat.client.engine.occupants import Occupant
from secure_chat.errors import SecureChatError
from secure_chat.identity import certificate as certificates
from secure_chat.identity import labels
from secure_chat.identity.certificate import Revocation
from secure_chat.identity.errors import IdentityError
from secure_chat.identity.keys import SIGNATURE_BYTES
from secure_chat.identity.labels import Purpose
from secure_chat.mls.crypto.suite import SignaturePrivateKey

__all__ = [
    "MAX_NOTES",
    "MAX_STATEMENTS",
    "NO_EVIDENCE",
    "Evidence",
    "EvidenceError",
    "LeaveNote",
    "encode_notes",
    "make_note",
    "noted_leaves",
    "read_notes",
]

VERSION = 1
MAX_STATEMENTS = 256
"""Of each kind in one commit."""


MAX_NOTES = 8
"""Of a device that leaves: for its latest leaves."""


class EvidenceError(SecureChatError):
    """A statement that is malformed or that nobody signed."""


class LeaveNote(Struct, frozen=True, array_like=True):
    """A device leaves: bound to the group and to this leaf's encryption key, so that it can't be played again."""

    version: int
    leaf_index: Annotated[int, Meta(ge=0, le=2**32 - 1)]
    signature: Annotated[bytes, Meta(min_length=SIGNATURE_BYTES, max_length=SIGNATURE_BYTES)]


class Evidence(Struct, frozen=True, array_like=True):
    """The authenticated data of a commit; empty bytes stand for none."""

    version: int = VERSION
    revocations: Annotated[tuple[bytes, ...], Meta(max_length=MAX_STATEMENTS)] = ()
    notes: Annotated[tuple[LeaveNote, ...], Meta(max_length=MAX_STATEMENTS)] = ()

    def encode(self) -> bytes:
        """As the commit carries it."""
        return msgspec.msgpack.encode(self) if self.revocations or self.notes else b""

    @classmethod
    def decode(cls, data: bytes) -> "Evidence":
        """What a commit carries; EvidenceError if it is malformed."""
        if not data:
            return cls()
        try:
            evidence = _EVIDENCE.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise EvidenceError("its reasons are malformed") from None
        if evidence.version != VERSION:
            raise EvidenceError("its reasons are of a version that is not known here")
        return evidence

    def withdrawn(self) -> dict[bytes, int]:
        """By account: below which serial devices are withdrawn; EvidenceError if a revocation is forged."""
        minimum: dict[bytes, int] = {}
        for data in self.revocations:
            try:
                revocation: Revocation = certificates.verify_revocation(data)
            except IdentityError:
                raise EvidenceError("it carries a revocation that nobody signed") from None
            known = minimum.get(revocation.account_key, 0)
            minimum[revocation.account_key] = max(known, revocation.minimum_serial)
        return minimum


NO_EVIDENCE = Evidence()

_EVIDENCE = msgspec.msgpack.Decoder(Evidence)
_NOTES: msgspec.msgpack.Decoder[list[LeaveNote]] = msgspec.msgpack.Decoder(
    Annotated[list[LeaveNote], Meta(min_length=1, max_length=MAX_NOTES)]
)


def make_note(key: SignaturePrivateKey, group_id: bytes, leaf_index: int, leaf_key: bytes) -> LeaveNote:
    """The own leave note, signed with the leaf's signature key."""
    signature = key.sign(labels.to_be_signed(Purpose.ROOM_LEAVE, group_id, leaf_index, leaf_key))
    return LeaveNote(VERSION, leaf_index, signature)


def encode_notes(notes: Iterable[LeaveNote]) -> bytes:
    """As the log and the store carry them."""
    return msgspec.msgpack.encode(list(notes))


def read_notes(data: bytes) -> list[LeaveNote]:
    """The notes in a log entry; EvidenceError if they are none. Whether they are genuine says `noted_leaves`."""
    try:
        notes = _NOTES.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise EvidenceError("not a leave note") from None
    if any(note.version != VERSION for note in notes):
        raise EvidenceError("a leave note of a version that is not known here")
    return notes


def noted_leaves(notes: Iterable[LeaveNote], group_id: bytes, members: Iterable[Occupant]) -> frozenset[int]:
    """The leaves whose holders have signed that they leave."""
    by_leaf = {member.leaf_index: member for member in members}
    leaves: set[int] = set()
    for note in notes:
        member = by_leaf.get(note.leaf_index)
        if member is None:
            continue
        fields = (group_id, note.leaf_index, member.leaf_key)
        try:
            labels.verify(member.identity.device_key, Purpose.ROOM_LEAVE, note.signature, *fields)
        except IdentityError:
            continue
        leaves.add(note.leaf_index)
    return frozenset(leaves)
