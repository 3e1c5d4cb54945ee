"""What the engine keeps in the store: one MessagePack record a row, each with its format version.

Fields are only ever appended, with defaults, so that an older store opens in a newer version; a record of a later
version than this one is refused (`StoredStateError`). Bytes are ids and keys as on the wire; times are milliseconds.
"""

from enum import StrEnum
from typing import TypeVar

import msgspec
from msgspec import Struct

from secure_chat.client.engine.content import Envelope, Former, Milestone
from secure_chat.errors import SecureChatError

__all__ = [
    "CHAINS",
    "CODES",
    "DEPARTED",
    "FAREWELLS",
    "FORMAT",
    "HANDLES",
    "KEY_PACKAGES",
    "OUTBOX",
    "PENDING",
    "PEOPLE",
    "POSITIONS",
    "PROFILE",
    "ROOMS",
    "ROSTERS",
    "SENT",
    "UNREAD",
    "Acknowledged",
    "Chain",
    "Claim",
    "Device",
    "Outgoing",
    "Owed",
    "Pending",
    "PendingKind",
    "Person",
    "Phase",
    "Pin",
    "Profile",
    "Room",
    "RoomCode",
    "Roster",
    "RosterEntry",
    "StoredKeyPackage",
    "StoredStateError",
    "decode",
    "encode",
    "forget_encryption",
    "group_space",
    "is_undecided",
    "order_key",
]

PROFILE = "profile"
"""b"profile" → `Profile`; b"counters" → append counter, outbox order, last confirmed append; 8 bytes each."""
POSITIONS = "positions"
"""Channel → sequence number of the last entry taken in, 8 bytes."""
ROOMS = "rooms"
"""Channel → `Room`."""
ROSTERS = "rosters"
"""Channel → `Roster`."""
PENDING = "pending"
"""Channel → `Pending`: the one append whose outcome the log will tell."""
OUTBOX = "outbox"
"""Order, 8 bytes → `Outgoing`."""
PEOPLE = "people"
"""Account key → `Person`."""
HANDLES = "handles"
"""Handle → `Pin`."""
KEY_PACKAGES = "key_packages"
"""KeyPackageRef → `StoredKeyPackage`."""
CHAINS = "chains/"
"""Prefix; per room: chain name → `Chain`."""
CODES = "codes/"
"""Prefix; per room: generation and epoch, 16 bytes → `RoomCode`."""
SENT = "sent/"
"""Prefix; per room: own counter, 8 bytes → id of one's own message that others have not all acknowledged."""
FAREWELLS = "farewells"
"""Channel → what this device says when it leaves the room (`farewells.py`)."""
DEPARTED = "departed"
"""Channel → list of log payloads: leave notes of members whose leaves are gone, and those that are held back."""
UNREAD = "unread/"
"""Prefix; per room: history position, 8 bytes → b"\\x01" if it mentions the user."""

FORMAT = 1


class StoredStateError(SecureChatError):
    """A row of the store is damaged or was written by a later version."""


def group_space(channel: bytes, number: int) -> str:
    """The space with the rows of one MLS group of a room: each group that a room has had gets its own number."""
    return f"group/{channel.hex()}/{number}"


def order_key(number: int) -> bytes:
    """Numbers as keys that sort."""
    return number.to_bytes(8, "big")


class Phase(StrEnum):
    """Where this device stands in a room."""

    NEW = "new"
    """The relay lists the device; no Welcome has come yet."""
    ENTERING = "entering"
    """Asked to be let in, or founding."""
    INVITED = "invited"
    """In the group, but the person has not decided."""
    JOINED = "joined"
    OUT = "out"
    """Was in, and can no longer follow: asks to be added again."""
    LEAVING = "leaving"
    """Has decided to leave; the relay has not confirmed yet."""
    LEFT = "left"


class Profile(Struct):
    """Who this client is."""

    version: int
    handle: str
    account_seed: bytes
    device_id: bytes
    device_seed: bytes
    certificate: bytes
    store: bytes
    """Store id: names the append counter."""
    address: str
    token: str | None
    inviter: bytes | None
    """Fingerprint of the account that the invite link names."""
    ca_pin: bytes | None = None
    """Of the relay's CA, for invite links; None: a public CA."""
    directory_key: bytes = b""
    """Pinned on first connection."""
    binding: bytes = b""
    """Empty until registered."""
    incarnation: bytes = b""
    visible: bool = True
    read_receipts: bool = False
    restored: bool = False
    """The store came out of a backup or was rolled back: its MLS keys must not be used to send."""
    lobby_entered: bool = False
    publish_all: bool = True
    """Key packages at the relay must be replaced: first connection, or a new device certificate."""
    published_at: int = 0
    deleted: bool = False
    next_group: int = 1
    code_due: bool = False
    """The recovery code of a new account has not been shown to anybody yet."""
    era: int = 0
    """How often the relay was found restored: see `freshness`."""

    def __repr__(self) -> str:
        return f"<Profile of {self.handle}>"


class Device(Struct, array_like=True):
    """A device of an account, as seen in certificates."""

    serial: int
    key: bytes


class Person(Struct):
    """Somebody whose account key was seen."""

    version: int
    handle: str
    account: bytes
    trust: str
    """`Trust`, of this key: FIRST_USE, FROM_LINK, VERIFIED or SELF; whether it is the pinned one says `Pin`."""
    blocked: bool = False
    binding: bytes = b""
    devices: dict[bytes, Device] = {}
    minimum_serial: int = 0
    revocation: bytes = b""


class Pin(Struct):
    """Which account key a handle stands for here."""

    version: int
    account: bytes
    candidate: bytes = b""
    """Another key that came under this handle; sending is blocked until the user decides."""
    former: list[bytes] = []
    """Keys that were pinned before, or that the user has ruled out: seeing one again is no news."""


class RoomCode(Struct):
    """The room at one epoch."""

    version: int
    authenticator: bytes
    context: bytes = b""
    """SHA-256 of the GroupContext: names this very state."""


class Claim(Struct, array_like=True):
    """What somebody said in a direct message about an epoch that this device has not reached."""

    account: bytes
    generation: int
    epoch: int
    digest: bytes
    told: bool = False
    """That this device is behind it."""


class Owed(Struct, array_like=True):
    """An own append that the relay has confirmed and not delivered yet."""

    counter: int
    seq: int


class Acknowledged(Struct, array_like=True):
    """How far another account has taken in the own chain."""

    delivered: int
    read: int
    missing: tuple[tuple[int, int], ...] = ()
    baseline: int = 0
    """What was written before it came in."""


class Room(Struct):
    """A conversation."""

    version: int
    channel: bytes
    kind: str
    """`RoomKind`."""
    name: str
    peer: bytes = b""
    """Account key of the other person in a direct conversation."""
    phase: str = Phase.NEW
    generation: int = 0
    head: int = 0
    """Sequence number of the last commit or founding: what commits build on."""
    group: int = 0
    """Number of the current MLS group's space; 0: none."""
    next: int = 0
    """Number of a group joined or founded whose entry the log has not reached; 0: none."""
    next_at: int = 0
    """The entry at which `next` begins; 0: the own pending append."""
    next_keys_at: int = 0
    """When the keys with which `next` was joined were made."""
    next_asked: bool = False
    """Whether `next` was joined by an answer to this device's own request."""
    suite: int = 0
    invite_policy: bool = False
    """What founding will say about who may invite."""
    inviter: bytes = b""
    invited_at: int = 0
    counter: int = 0
    """Own chain: counter of the last envelope made."""
    chain_hash: bytes = bytes(16)
    """Own chain: hash of the last envelope made."""
    chain: bytes = b""
    """Own chain: its random name."""
    chain_key: bytes = b""
    """Own chain: the device key that it belongs to."""
    milestones: list[Milestone] = []
    """Own chain: where it stood before the latest epochs in which something was written."""
    informed: list[bytes] = []
    """Own chain: keys of the devices that have said to have something of it."""
    entered_generation: int = 0
    entered_epoch: int = 0
    """The first epoch that this device can read."""
    keys_at: int = 0
    """When this device's keys in the room were last fresh."""
    keys_due: int = 0
    """When they are due without any sending."""
    sent_since_keys: int = 0
    unread: int = 0
    mentions: int = 0
    muted: bool = False
    last_time: int = 0
    receipt_due: bool = False
    acknowledged: dict[bytes, Acknowledged] = {}
    """By other account: how far it has taken in the own chain."""
    attempts: int = 0
    """Requests to be added (again) since the device was last in."""
    undecided: bool = False
    """Out before the person had decided on the invitation."""
    out_author: bytes = b""
    """Account that made the commit which this device could not follow."""
    claims: list[Claim] = []
    owed: list[Owed] = []
    """Confirmed by the relay, not yet seen in the log."""
    expected: list[bytes] = []
    """Accounts that the founder of the group has taken along and that have no leaf yet."""
    notes: list[bytes] = []
    """Leave notes of members whose leaf is still in the tree."""
    introducer: bytes = b""
    """Account that signed the Welcome into `next`."""
    spent: bool = False
    """Nothing is encrypted with `group` any more: this device is out, and its keys may have been used elsewhere."""
    formers: list[Former] = []
    """Own chains before the present one."""
    returning: list[bytes] = []
    """Accounts of the group before this one that are still to be added to it."""
    era: int = 0
    """In which era this device's keys in `group` were made."""
    next_era: int = 0
    """The same for `next`."""
    abandoned: list[int] = []
    """Append counters of the latest own commits that the relay has refused for good."""
    foundings: int = 0
    """By the relay's count, of which this device knows since it is in; 0: the relay has not told yet."""
    void: int = 0
    """Own chain: places at its end that hold nothing, as the relay has refused what stood there."""


class RosterEntry(Struct, array_like=True):
    """One leaf."""

    leaf_index: int
    account: bytes
    handle: str
    device: bytes
    key: bytes
    serial: int


class Roster(Struct):
    """The members of a room, as the MLS tree says: kept beside the group so that lists need not load it."""

    version: int
    epoch: int
    roles: bytes
    entries: list[RosterEntry]
    invited: set[bytes] = set()
    """Accounts that were added and have not accepted yet."""


class Outgoing(Struct):
    """Something to send, durable before the user is told that it is queued."""

    version: int
    order: int
    room: bytes
    id: bytes
    kind: str
    body: bytes
    """Encoded; empty while `envelope` holds it."""
    time: int
    line: bool
    """Whether the history has a line whose state this is."""
    counter: int = 0
    """Place in the chain; 0: not encrypted yet."""
    append: int = 0
    """Append counter of the ciphertext; 0: not encrypted yet."""
    head: int = 0
    payload: bytes = b""
    failed: bool = False
    envelope: bytes = b""
    """As encrypted: kept to encrypt anew with the same id and place."""

    def __repr__(self) -> str:
        return f"<Outgoing {self.id.hex()}>"


def is_undecided(room: Room) -> bool:
    """An invitation on which the person has not decided, whether this device can follow the room just now or not."""
    return room.phase == Phase.INVITED or room.undecided


def forget_encryption(item: Outgoing) -> None:
    """It will be encrypted from the start, with a new place in the chain."""
    if item.envelope:
        item.body = bytes(msgspec.msgpack.decode(item.envelope, type=Envelope).body)
    item.counter = item.append = item.head = 0
    item.payload = item.envelope = b""


class PendingKind(StrEnum):
    """What a pending append does."""

    COMMIT = "commit"
    FOUNDING = "founding"
    EXTERNAL = "external"


class Pending(Struct):
    """An append that moves the head, stored before it is sent; resolved by the log, not by the answer."""

    version: int
    kind: str
    counter: int
    head: int
    frame: bytes
    """The encoded `Append`; its request id is replaced when it is sent (again)."""
    era: int = 0
    """In which its keys were made."""


class StoredKeyPackage(Struct):
    """A published key package with its private keys."""

    version: int
    suite: int
    bundle: bytes
    created: int
    last_resort: bool
    device_key: bytes
    device_seed: bytes
    credential: bytes
    opened: list[bytes] = []
    """Of a last resort: digests of the group states that were entered by it."""
    used: int = 0
    """Of a last resort: when a Welcome came to it first; 0: not yet."""
    asked: bool = False
    """Made for a request of one's own, not left at the relay for others to use."""
    era: int = 0
    """In which it was made."""

    def __repr__(self) -> str:
        return f"<StoredKeyPackage of suite {self.suite}>"


class Chain(Struct):
    """What is known of one device's messages in a room."""

    version: int
    last: int
    hash: bytes
    """Of envelope `last`; empty where it was never seen."""
    missing: list[tuple[int, int]] = []
    """Inclusive ranges below `last`, oldest first."""
    lines: list[str] = []
    """History line of each missing range."""
    account: bytes = b""
    handle: str = ""
    receipted: int = 0
    read: int = 0
    before: int = 0
    """How many it does not vouch for: written before this device came in, or before the chain broke."""
    begun: int = 0
    """When its first envelope was taken in here, milliseconds."""


R = TypeVar("R", bound=Struct)


def encode(record: Struct) -> bytes:
    """The row's value."""
    return msgspec.msgpack.encode(record)


_DECODERS: dict[type[Struct], msgspec.msgpack.Decoder[Struct]] = {}


def decode(kind: type[R], value: bytes) -> R:
    """The record in a row; StoredStateError if it is damaged or of a later version."""
    decoder = _DECODERS.get(kind)
    if decoder is None:
        decoder = _DECODERS[kind] = msgspec.msgpack.Decoder(kind)
    try:
        record = decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise StoredStateError(f"the profile's store is damaged ({kind.__name__}: {error})") from None
    if getattr(record, "version", FORMAT) > FORMAT:
        raise StoredStateError("the profile was used by a later version of secure-chat: update to open it")
    assert isinstance(record, kind)
    return record
