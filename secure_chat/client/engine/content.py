"""What stands inside an end-to-end encrypted message: a typed, extensible body in an envelope.

The envelope is MessagePack, an array of the fields of `Envelope`. An envelope of an unknown kind, or with fields
beyond those known here, decodes all the same: its `fallback` is what an older client shows.
"""

import hashlib
from dataclasses import dataclass
from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta, Struct

from secure_chat.errors import SecureChatError
from secure_chat.wire.limits import MAX_CERTIFICATE

__all__ = [
    "CHAIN_LENGTH",
    "ENVELOPE_VERSION",
    "HASH_LENGTH",
    "MAX_CODES",
    "MAX_EMOJI",
    "MAX_ENVELOPE",
    "MAX_MILESTONES",
    "MAX_MISSING",
    "MAX_RECEIPTS",
    "MESSAGE_ID_LENGTH",
    "Accepted",
    "Body",
    "ContentError",
    "Delete",
    "Edit",
    "Envelope",
    "Former",
    "Milestone",
    "Opened",
    "Progress",
    "Reaction",
    "Receipt",
    "RoomState",
    "Text",
    "TypingNow",
    "UnknownBody",
    "decode_body",
    "encode_body",
    "encode_typing",
    "fits",
    "hash_envelope",
    "kind_of",
    "open_envelope",
    "read_typing",
]

ENVELOPE_VERSION = 1
MESSAGE_ID_LENGTH = 16
HASH_LENGTH = 16
"""Bytes of the previous envelope's SHA-256: enough against a second preimage."""
CHAIN_LENGTH = 8
"""Bytes of the random name of a device's chain of messages."""
MAX_ENVELOPE = 15 * 4096 - 128
"""Bytes of an encoded envelope: fills the largest padding bucket that, with MLS framing, the relay takes (64 KiB)."""
MAX_EMOJI = 32
"""Characters of a reaction: the longest emoji sequences have about a dozen."""
MAX_RECEIPTS = 64
"""Devices acknowledged in one receipt: 16 people with a few devices each."""
MAX_MISSING = 16
"""Gaps named for one device; before a seventeenth one nothing further counts as delivered."""
MAX_MILESTONES = 8
"""Epochs in which something was written, as told to newcomers."""
MAX_FORMERS = 2
"""Ended chains that a new one names: the last, and one more if nobody has heard of that yet."""
REVOCATION_LENGTH = 128
"""Bytes that a revocation takes: a key, a number, a signature."""
MAX_CODES = 16
"""Rooms compared along with one direct message."""

_Id = Annotated[bytes, Meta(min_length=MESSAGE_ID_LENGTH, max_length=MESSAGE_ID_LENGTH)]
_Hash = Annotated[bytes, Meta(min_length=HASH_LENGTH, max_length=HASH_LENGTH)]
_Chain = Annotated[bytes, Meta(min_length=CHAIN_LENGTH, max_length=CHAIN_LENGTH)]
_Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class ContentError(SecureChatError):
    """The plaintext is no envelope of this application: its author's client is broken or lies."""


class Text(Struct, frozen=True, array_like=True):
    """A message to read."""

    text: str
    reply_to: _Id | None = None


class Edit(Struct, frozen=True, array_like=True):
    """The author replaces the text of an earlier message."""

    target: _Id
    text: str


class Delete(Struct, frozen=True, array_like=True):
    """The author, or an admin, takes a message back."""

    target: _Id


class Reaction(Struct, frozen=True, array_like=True):
    """An emoji under a message, or its removal."""

    target: _Id
    emoji: Annotated[str, Meta(min_length=1, max_length=MAX_EMOJI)]
    remove: bool = False


class Progress(Struct, frozen=True, array_like=True):
    """How far one device's chain has been taken in, cumulatively, but for what is missing."""

    chain: _Chain
    delivered: _Count
    read: _Count = 0
    missing: Annotated[tuple[tuple[_Count, _Count], ...], Meta(max_length=MAX_MISSING)] = ()
    """Inclusive ranges up to `delivered` that never came."""


class Receipt(Struct, frozen=True, array_like=True):
    """What has been decrypted and stored here, and (if its author tells) read."""

    progress: Annotated[tuple[Progress, ...], Meta(max_length=MAX_RECEIPTS)]


class Accepted(Struct, frozen=True, array_like=True):
    """An invitation was accepted."""


class RoomState(Struct, frozen=True, array_like=True):
    """A room as the author of a direct message sees it; the digest is of the MLS epoch authenticator."""

    channel: Annotated[bytes, Meta(min_length=16, max_length=16)]
    generation: _Count
    epoch: _Count
    digest: Annotated[bytes, Meta(min_length=16, max_length=16)]


class Milestone(Struct, frozen=True, array_like=True):
    """Before this epoch its author had written so many envelopes in the room."""

    generation: _Count
    epoch: _Count
    count: _Count


class Former(Struct, frozen=True, array_like=True):
    """An ended chain of the same device in the room: how many of its envelopes the relay has taken."""

    chain: _Chain
    count: Annotated[int, Meta(ge=1, le=2**63 - 1)]
    milestones: Annotated[tuple[Milestone, ...], Meta(max_length=MAX_MILESTONES)] = ()


class UnknownBody(Struct, frozen=True):
    """A kind that this version doesn't know."""

    kind: str


Body: TypeAlias = Text | Edit | Delete | Reaction | Receipt | Accepted

_KINDS: dict[str, type[Body]] = {
    "text": Text,
    "edit": Edit,
    "delete": Delete,
    "reaction": Reaction,
    "receipt": Receipt,
    "accepted": Accepted,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}
_DECODERS = {name: msgspec.msgpack.Decoder(kind) for name, kind in _KINDS.items()}
_ENCODER = msgspec.msgpack.Encoder()


class Envelope(Struct, frozen=True, array_like=True):
    """What is encrypted as one MLS application message."""

    version: int
    id: _Id
    chain: _Chain
    """Random: a device whose counter begins anew (it left and came back, or lost its state) begins a new chain."""
    counter: Annotated[int, Meta(ge=1, le=2**63 - 1)]
    """Of this chain in this room, rising by one."""
    previous: _Hash
    """`hash_envelope` of the chain's previous envelope, before the void places; zeros for the first."""
    time: _Count
    """By the author's clock, milliseconds."""
    kind: Annotated[str, Meta(min_length=1, max_length=32)]
    fallback: str
    """What a client that doesn't know the kind shows."""
    body: msgspec.Raw
    codes: Annotated[tuple[RoomState, ...], Meta(max_length=MAX_CODES)] = ()
    """In direct messages: rooms that both are in."""
    milestones: Annotated[tuple[Milestone, ...], Meta(max_length=MAX_MILESTONES)] = ()
    """Oldest first: from them a newcomer knows where the chain stood when it came in. Left out once all know."""
    formers: Annotated[tuple[Former, ...], Meta(max_length=MAX_FORMERS)] = ()
    """The chains before this one, oldest first; left out at the same time."""
    revocation: Annotated[bytes, Meta(max_length=MAX_CERTIFICATE)] = b""
    """In direct messages: the newest one of the author's account, so that no relay can keep it back."""
    void: _Count = 0
    """Places right before this one that hold nothing, as the relay has refused what stood there."""

    @property
    def follows(self) -> int:
        """The place in the chain whose envelope `previous` names; 0 for none."""
        return max(self.counter - 1 - self.void, 0)

    def encode(self) -> bytes:
        """The bytes to encrypt."""
        return _ENCODER.encode(self)


@dataclass(frozen=True, slots=True)
class Opened:
    """A decoded envelope with its typed body."""

    envelope: Envelope
    body: Body | UnknownBody


_ENVELOPE = msgspec.msgpack.Decoder(Envelope)


def kind_of(body: Body) -> str:
    """The name of a body's kind on the wire."""
    return _NAMES[type(body)]


def encode_body(body: Body) -> bytes:
    """The bytes that stand in `Envelope.body`."""
    return _ENCODER.encode(body)


def decode_body(kind: str, data: bytes | msgspec.Raw) -> Body | UnknownBody:
    """A body of a kind; msgspec.DecodeError if it is malformed."""
    decoder = _DECODERS.get(kind)
    return UnknownBody(kind) if decoder is None else decoder.decode(data)


def open_envelope(data: bytes) -> Opened:
    """The envelope in a decrypted message; ContentError if it is none."""
    try:
        envelope = _ENVELOPE.decode(data)
        if envelope.version != ENVELOPE_VERSION:
            return Opened(envelope, UnknownBody(envelope.kind))
        body = decode_body(envelope.kind, envelope.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ContentError(f"not a message of this application: {error}") from None
    return Opened(envelope, body)


def hash_envelope(data: bytes) -> bytes:
    """What the device's next envelope names as its previous one."""
    return hashlib.sha256(b"secure-chat 1 envelope\x00" + data).digest()[:HASH_LENGTH]


def fits(body: Body) -> bool:
    """Whether the body fits one message."""
    overhead = 1024 + MAX_CODES * 64 + REVOCATION_LENGTH
    return len(encode_body(body)) + overhead <= MAX_ENVELOPE


class TypingNow(Struct, frozen=True, array_like=True):
    """Ephemeral: the device of this leaf has somebody typing at it."""

    version: int
    leaf: _Count
    time: _Count
    """By the author's clock, milliseconds: a notice is taken once, and not later than a few minutes."""
    signature: Annotated[bytes, Meta(min_length=64, max_length=64)]
    """By the leaf's signature key over group id, epoch, leaf index and time."""


_TYPING = msgspec.msgpack.Decoder(TypingNow)


def encode_typing(leaf: int, time: int, signature: bytes) -> bytes:
    """The plaintext of a typing notice."""
    return _ENCODER.encode(TypingNow(ENVELOPE_VERSION, leaf, time, signature))


def read_typing(data: bytes) -> TypingNow:
    """The typing notice in a decrypted ephemeral payload; ContentError if it is none."""
    try:
        return _TYPING.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ContentError("not a typing notice") from None
