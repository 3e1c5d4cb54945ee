"""The core's only side door: what it asks of a storage, and the records that pass.

A `Transaction` has three parts: the *directory* of accounts, devices, invites and key packages; the *channels* with
their members and GroupInfos; and the *log* of entries and append ids. All that a batch writes becomes durable
together or not at all; a record that was read and changed is written by `put`. Nothing here knows SQL: another
storage needs the same few operations. Records form no cycles, so the garbage collector is spared them (`gc=False`).
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from msgspec import Struct

from secure_chat.wire.types import ChannelKind

__all__ = [
    "AccountRecord",
    "AppendResult",
    "ChannelRecord",
    "Channels",
    "Counts",
    "DeviceRecord",
    "Directory",
    "InviteRecord",
    "Log",
    "MemberRecord",
    "Reader",
    "StoreRecord",
    "Transaction",
    "Usage",
]


class AccountRecord(Struct, gc=False):
    """An account; a deleted one keeps its handle reserved for its key."""

    key: bytes
    handle: str
    binding: bytes
    created: int
    suspended: bool = False
    deleted: bool = False
    minimum_serial: int = 0
    revocation: bytes = b""


class DeviceRecord(Struct, gc=False):
    """A device of an account, with the newest certificate that it showed."""

    id: bytes
    account: bytes
    certificate: bytes
    serial: int
    inbox: bytes
    """The channel id."""
    created: int
    number: int = 0
    """Short name given by the storage."""


class StoreRecord(Struct, gc=False):
    """A client's store: its append counters make repeats harmless."""

    id: bytes
    device: bytes
    last: int = 0
    """The highest counter seen, of refused appends too."""
    forgotten: int = 0
    """Append ids up to this counter are no longer remembered."""
    number: int = 0
    """Short name given by the storage; 0: not stored yet."""


class InviteRecord(Struct, gc=False):
    """An invite token, known by its hash."""

    token_hash: bytes
    creator: bytes
    """The account that made it; empty: the operator."""
    label: str
    uses: int
    created: int
    expires: int
    """0: never."""
    used: int = 0
    revoked: bool = False


class ChannelRecord(Struct, gc=False):
    """What is stored of a channel besides its log and members."""

    id: bytes
    kind: ChannelKind
    name: str = ""
    """Of open rooms."""
    peers: tuple[bytes, ...] = ()
    """The accounts of a direct channel, in the order of their bytes; they never change."""
    creator: bytes = b""
    """The account that made it; for quotas."""
    created: int = 0
    generation: int = 0
    heads: tuple[int, ...] = (0,)
    """The newest commits or foundings, oldest first: the last is the head, the others are not stale yet."""
    admins: tuple[bytes, ...] = ()
    banned: tuple[bytes, ...] = ()
    members_may_add: bool = True
    floor: int = 0
    """Entries up to this one are deleted."""
    base: int = 0
    """New entries are numbered above this: where a restored backup goes on."""
    counted: int = 0
    """`entries` and `bytes` count what is stored up to here."""
    entries: int = 0
    bytes: int = 0
    number: int = 0
    """Short name given by the storage, never reused; 0: not stored yet."""


class MemberRecord(Struct, gc=False):
    """A device in a channel's delivery list."""

    device: bytes
    account: bytes
    number: int
    """The device's short name."""
    joined: int
    """The entry that added it: nothing before is delivered."""
    cursor: int
    """Everything up to here is acknowledged."""
    until: int = 0
    """Of a device that was removed: the entry that did it, the last it may read; 0: a member."""


class AppendResult(Struct, frozen=True, array_like=True, gc=False):
    """What an append id led to."""

    counter: int
    channel: int
    """By its short name."""
    seq: int
    head: int
    """The channel's head after it."""
    time: int


class Usage(NamedTuple):
    """Stored entries and their bytes."""

    entries: int
    bytes: int


class Counts(NamedTuple):
    """Totals for the operator."""

    accounts: int
    suspended: int
    devices: int
    rooms: int
    open_rooms: int
    direct: int
    inboxes: int
    entries: int
    bytes: int


class Directory(Protocol):
    """Accounts, devices, invites, key packages."""

    def account(self, key: bytes) -> AccountRecord | None:
        """The account with this key, a deleted one too."""

    def account_by_handle(self, handle: str) -> AccountRecord | None:
        """The account that holds this handle, a deleted one too."""

    def accounts_after(self, handle: str, limit: int) -> list[tuple[AccountRecord, int]]:
        """A page of accounts that are not deleted, by handle, with the number of their devices."""

    def put_account(self, record: AccountRecord) -> None:
        """Inserts or replaces."""

    def device(self, device: bytes) -> DeviceRecord | None:
        """The device with this id."""

    def devices(self, account: bytes) -> list[DeviceRecord]:
        """The account's devices, oldest first."""

    def put_device(self, record: DeviceRecord) -> None:
        """Inserts or replaces; fills in `number`."""

    def remove_device(self, device: bytes) -> None:
        """Removes it with its key packages, stores and append ids; memberships are removed before."""

    def invite(self, token_hash: bytes) -> InviteRecord | None:
        """The invite with this token."""

    def invites(self) -> list[InviteRecord]:
        """All that are remembered, oldest first."""

    def usable_invites(self, creator: bytes, now: int) -> int:
        """How many invites of this account could still be used."""

    def put_invite(self, record: InviteRecord) -> None:
        """Inserts or replaces."""

    def forget_invites(self, expired_before: int) -> None:
        """Removes invites whose time was over by then."""

    def add_key_packages(self, device: bytes, suite: int, packages: Sequence[bytes]) -> None:
        """Stores more key packages behind those that are stored."""

    def put_last_resort(self, device: bytes, suite: int, package: bytes) -> None:
        """Replaces the last resort."""

    def clear_key_packages(self, device: bytes, suite: int) -> None:
        """Discards all, the last resort too."""

    def take_key_package(self, device: bytes, suite: int) -> bytes | None:
        """The oldest key package, which is then gone."""

    def last_resort(self, device: bytes, suite: int) -> bytes | None:
        """The key package that is handed out when there is no other."""

    def key_packages(self, device: bytes) -> list[tuple[int, int]]:
        """(suite, how many), the last resort not counted; suites with only a last resort have 0."""


class Channels(Protocol):
    """Channels, their members, their GroupInfos."""

    def channel(self, channel: bytes) -> ChannelRecord | None:
        """The channel with this id."""

    def by_number(self, number: int) -> ChannelRecord | None:
        """The channel with this short name."""

    def direct(self, peers: tuple[bytes, ...]) -> ChannelRecord | None:
        """The direct channel between two accounts."""

    def open_room(self, name: str) -> ChannelRecord | None:
        """The open room of this name; upper and lower case are the same."""

    def open_rooms(self) -> list[tuple[ChannelRecord, int]]:
        """All open rooms in the order of their making, with the number of their member devices."""

    def channels_after(self, number: int, limit: int) -> list[tuple[ChannelRecord, int]]:
        """A page of rooms and direct channels in the order of their making, with the number of member devices."""

    def rooms_of(self, creator: bytes) -> int:
        """How many rooms that this account made still exist."""

    def put_channel(self, record: ChannelRecord) -> None:
        """Inserts or replaces; fills in `number`."""

    def remove_channel(self, number: int) -> None:
        """Removes it with its log, members and GroupInfos."""

    def members(self, number: int) -> list[MemberRecord]:
        """Every device, removed ones that may still read too, in the order of joining."""

    def memberships(self, device: bytes) -> list[tuple[ChannelRecord, MemberRecord]]:
        """The channels that this device is a member of or may still read, its inbox too."""

    def membership(self, channel: bytes, device: bytes) -> tuple[ChannelRecord, MemberRecord] | None:
        """One channel that this device is a member of or may still read."""

    def channels_of(self, account: bytes) -> list[bytes]:
        """The ids of the channels that have member devices of this account, inboxes left out."""

    def count_memberships(self, device: bytes) -> int:
        """How many channels have this device as a member."""

    def put_member(self, number: int, member: MemberRecord) -> None:
        """Inserts or replaces."""

    def remove_member(self, number: int, device: int) -> None:
        """Removes the device with this short name."""

    def put_cursors(self, cursors: Sequence[tuple[int, int, int]]) -> None:
        """(cursor, channel, device), the latter two by their short names."""

    def put_former(self, number: int, account: bytes) -> None:
        """Remembers that this account had a member device."""

    def is_former(self, number: int, account: bytes) -> bool:
        """Whether this account had a member device."""

    def share_channel(self, first: bytes, second: bytes) -> bool:
        """Whether two accounts have member devices in one channel."""

    def put_group_info(self, number: int, head: int, generation: int, payload: bytes, keep: int) -> None:
        """Stores a GroupInfo and discards all but the newest `keep`."""

    def group_info(self, number: int, head: int) -> tuple[int, int, bytes] | None:
        """(head, generation, GroupInfo) of this head; of the newest one for 0."""


class Log(Protocol):
    """Entries and append ids."""

    def append(self, number: int, seq: int, time: int, frame: bytes) -> None:
        """Stores an entry by its encoded frame; sequence numbers of a channel only rise."""

    def append_welcome(
        self, number: int, seq: int, time: int, start: bytes, welcome: int, end: bytes, sender: bytes, size: int
    ) -> None:
        """Stores an inbox entry whose frame is `start`, the Welcome, `end`: `size` bytes, counted for `sender`."""

    def add_welcome(self, payload: bytes, references: int) -> int:
        """Stores a Welcome that so many entries will refer to; it is deleted with the last of them."""

    def last(self, record: ChannelRecord) -> int:
        """The newest sequence number that the channel ever had."""

    def usage_after(self, number: int, seq: int) -> Usage:
        """What is stored after this entry."""

    def sender_usage(self, number: int, sender: bytes) -> Usage:
        """Welcomes of one account in an inbox."""

    def delete_through(self, number: int, seq: int) -> Usage:
        """Deletes everything up to and including this entry; returns how much it was."""

    def oldest_worth(self, number: int, entries: int, size: int) -> int:
        """The entry up to which one must delete to be rid of so many entries and bytes; 0 if nothing is stored."""

    def oldest_within(self, number: int, entries: int, size: int) -> int:
        """The entry up to which one may delete without exceeding so many entries and bytes, but at least the oldest.

        Past the newest entry if everything is within.
        """

    def expired(self, before: int, limit: int) -> list[tuple[int, int]]:
        """(channel, seq) of up to so many oldest entries from before this time: the highest of each channel."""

    def store(self, store: bytes) -> StoreRecord | None:
        """The client store with this id."""

    def put_store(self, record: StoreRecord, keep: int) -> None:
        """Inserts or replaces; fills in `number`. Of a device's stores only the newest `keep` remain."""

    def record_appends(self, results: Mapping[int, Sequence[AppendResult]]) -> None:
        """Remembers append ids, by their stores' short names, in any order of counters."""

    def find_append(self, store: int, counter: int) -> AppendResult | None:
        """What this append id led to."""

    def forget_appends(self, before: int, limit: int) -> int:
        """Forgets up to so many of the oldest batches of append ids from before this time; returns how many."""


class Transaction(Protocol):
    """All that the core sees of the world while it handles one batch."""

    @property
    def directory(self) -> Directory:
        """Accounts, devices, invites, key packages."""

    @property
    def channels(self) -> Channels:
        """Channels, their members, their GroupInfos."""

    @property
    def log(self) -> Log:
        """Entries and append ids."""

    @property
    def incarnation(self) -> bytes:
        """16 bytes that change when a backup is restored."""

    @property
    def free_bytes(self) -> int:
        """Free space on the disk that holds the database."""

    def counts(self) -> Counts:
        """Totals for the operator."""


class Reader(Protocol):
    """Reads the log beside the writer, from another thread, as of the last commit."""

    def read_after(self, channel: bytes, after: int, max_entries: int, max_bytes: int) -> list[tuple[int, bytes]]:
        """(sequence number, encoded `Entry` frame) of the entries after `after`, oldest first.

        At least one, if there is one, however large; the bytes are those that live recipients got.
        """
