"""Why a member without an admin's right removes somebody: signed statements that a commit carries along.

A *revocation* is the account's word that older devices are withdrawn. A *leave note* is a device's word that it leaves
with this very leaf; it stands in the room's log for whoever commits next, and outlives the epoch that a Remove
proposal is bound to. Every member checks both from the tree alone.

A note is bound to the room and to the leaf's encryption key, which no later stay has. Where in the tree the leaf is,
and in which of the room's groups, need not be known: whoever asks to be added signs for the leaf that an answer makes.
"""

import hashlib
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
from secure_chat.wire.limits import CHANNEL_ID_LENGTH

__all__ = [
    "MAX_NOTES",
    "MAX_STATEMENTS",
    "NO_EVIDENCE",
    "Evidence",
    "EvidenceError",
    "LeaveNote",
    "encode_notes",
    "make_note",
    "noted_by",
    "noted_leaves",
    "read_notes",
]

VERSION = 1
MAX_STATEMENTS = 256
"""Of each kind in one commit."""
MAX_NOTES = 24
"""Of a device that leaves: for its latest leaves, and those that answers to its latest requests would make."""
NOTE_VERSION = 2
DIGEST_LENGTH = 16


class EvidenceError(SecureChatError):
    """A statement that is malformed or that nobody signed."""


class LeaveNote(Struct, frozen=True, array_like=True):
    """A device leaves: bound to the room and to a leaf's encryption key, so that it can't be played again."""

    version: int
    leaf: Annotated[bytes, Meta(min_length=DIGEST_LENGTH, max_length=DIGEST_LENGTH)]
    """Digest of that key: where to look; the signature covers the key itself."""
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


def make_note(key: SignaturePrivateKey, channel: bytes, leaf_key: bytes) -> LeaveNote:
    """The own leave note, signed with the leaf's signature key."""
    signature = key.sign(labels.to_be_signed(Purpose.ROOM_LEAVE, channel, leaf_key))
    return LeaveNote(NOTE_VERSION, _digest(leaf_key), signature)


def _digest(leaf_key: bytes) -> bytes:
    return hashlib.sha256(leaf_key).digest()[:DIGEST_LENGTH]


def encode_notes(notes: Iterable[LeaveNote]) -> bytes:
    """As the log and the store carry them."""
    return msgspec.msgpack.encode(list(notes))


def read_notes(data: bytes) -> list[LeaveNote]:
    """The notes in a log entry; EvidenceError if they are none. Whether they are genuine says `noted_leaves`."""
    try:
        notes = _NOTES.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise EvidenceError("not a leave note") from None
    if any(note.version != NOTE_VERSION for note in notes):
        raise EvidenceError("a leave note of a version that is not known here")
    return notes


def noted_by(notes: Iterable[LeaveNote], group_id: bytes, members: Iterable[Occupant]) -> dict[int, LeaveNote]:
    """The leaves whose holders have signed that they leave, each with the note that says so."""
    notes = list(notes)
    by_key = {_digest(member.leaf_key): member for member in members} if notes else {}
    found: dict[int, LeaveNote] = {}
    for note in notes:
        member = by_key.get(note.leaf)
        if member is None or member.leaf_index in found:
            continue
        fields = (group_id[:CHANNEL_ID_LENGTH], member.leaf_key)  # a room's group ids begin with its channel
        try:
            labels.verify(member.identity.device_key, Purpose.ROOM_LEAVE, note.signature, *fields)
        except IdentityError:
            continue
        found[member.leaf_index] = note
    return found


def noted_leaves(notes: Iterable[LeaveNote], group_id: bytes, members: Iterable[Occupant]) -> frozenset[int]:
    """The leaves whose holders have signed that they leave."""
    return frozenset(noted_by(notes, group_id, members))
