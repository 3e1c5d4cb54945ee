"""What an operator may tune: quotas, rates and switches, each with the reason for its default.

Sizes are bytes, times are milliseconds unless the name says otherwise. What the protocol fixes is in `wire.limits`.
"""

from dataclasses import dataclass, fields

from secure_chat.wire import limits

__all__ = ["BASE_FEATURES", "Settings"]

_MINUTE = 60_000
_DAY = 24 * 60 * _MINUTE

BASE_FEATURES = ("ephemeral",)
"""What every relay of this version offers; `Settings.features` adds what is switched on."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Immutable; a reload replaces the whole."""

    # Who may come in.
    open_registration: bool = False
    """Anyone who reaches the relay may make an account; otherwise an invite token is needed."""
    lobby: bool = True
    """Tells clients to enter the open room `lobby` on their first connection."""
    presence: bool = True
    """Tells accounts that share a channel of each other's coming and going."""
    members_may_invite: bool = True
    """Accounts, not only the operator, make invite tokens."""
    members_may_open_rooms: bool = True
    """Accounts, not only the first who enters the lobby, make open rooms."""

    # What is kept.
    retention: int = 30 * _DAY
    """Entries, and the append ids that make repeats harmless, live this long at most."""
    channel_entries: int = 100_000
    """A full channel drops its oldest: a year of a busy team room, at most."""
    channel_bytes: int = 512 * 1024 * 1024
    """A full channel drops its oldest."""
    inbox_entries: int = 1_000
    """An inbox holds one Welcome per room joined; a device away for a month sees few."""
    inbox_entries_per_sender: int = 50
    """Welcomes from one account that wait in one inbox: nobody fills another's inbox alone."""
    inbox_bytes_per_sender: int = 32 * 1024 * 1024
    """Ten Welcomes of the largest rooms."""
    disk_reserve: int = 256 * 1024 * 1024
    """Free bytes below which nothing is written: the database must still be able to delete."""

    # How much of it.
    application_payload: int = limits.MAX_APPLICATION_PAYLOAD
    channel_members: int = 600
    """Devices in one channel: a GroupInfo of the post-quantum suite has up to 3 kB for each, and must still fit."""
    channels_per_device: int = 1_000
    """Bounds the answer to a login."""
    rooms_per_account: int = 200
    """Rooms that one account has made and that still exist."""
    open_rooms: int = 500
    """Bounds the answer to `ListRooms`."""
    devices_per_account: int = limits.MAX_DEVICES_PER_ACCOUNT
    key_packages_per_device: int = limits.MAX_KEY_PACKAGES_PER_DEVICE
    suites_per_device: int = 8
    """Cipher suites for which a device stores key packages: all seven of RFC 9420 and the hybrid."""
    stores_per_device: int = 16
    """Client stores remembered for one device; each new installation of it brings one."""
    invites_per_account: int = 50
    """Invite tokens of one account that can still be used."""

    # How fast. A rate has a burst: that many at once, then the rate.
    requests_per_second: int = 100
    """Of one connection; a client that catches up or sends a file in pieces stays far below."""
    requests_burst: int = 1_000
    ephemeral_per_second: int = 10
    """Typing notices of one device."""
    ephemeral_burst: int = 30
    account_bytes_per_hour: int = 1024 * 1024 * 1024
    """Appended by all devices of one account; in a room of more than 16 devices counted once for each 16 of them."""
    account_bytes_burst: int = 512 * 1024 * 1024
    commits_per_minute: int = 10
    """Of one device in one channel; an honest one makes a few a day, and may found many rooms at once."""
    commits_burst: int = 10
    join_requests_per_minute: int = 6
    """Of one device; a request is answered by a commit, which is dear."""
    join_requests_burst: int = 12
    lookups_per_minute: int = 120
    """Names looked up by one account; one that is not found counts five times, which makes enumeration slow."""
    lookups_burst: int = 600
    claims_per_minute: int = 60
    """Key packages claimed by one account."""
    claims_burst: int = 512
    claims_per_target_per_hour: int = 60
    """Key packages claimed from one device by all others: beyond that only its last resort is handed out."""
    claims_per_target_burst: int = 60
    claims_per_pair_per_hour: int = 10
    """Key packages claimed from one device by one account: nobody drains another's alone."""
    claims_per_pair_burst: int = 10
    additions_per_pair_per_hour: int = 20
    """Channels to which one account adds one device of another: nobody fills another's list of channels."""
    additions_per_pair_burst: int = 100
    creations_per_hour: int = 60
    """Channels and invites made by one account."""
    creations_burst: int = 60
    failures_per_minute: int = 10
    """Failed logins and registrations from one address: tokens and handles are not found by trying."""
    failures_burst: int = 20
    registrations_per_hour: int = 60
    """Accounts made from one address; a classroom behind one router comes in at once."""
    registrations_burst: int = 100

    # Memory.
    cached_members: int = 200_000
    """Member devices of the channels that the relay keeps in memory: about 300 bytes each."""

    def __post_init__(self) -> None:
        """ValueError for a limit that would stop everything; a disk reserve may be 0."""
        for field in fields(self):
            value = getattr(self, field.name)
            if type(value) is int and value < 1 and (field.name != "disk_reserve" or value < 0):
                raise ValueError(f"{field.name} must be at least {0 if field.name == 'disk_reserve' else 1}")

    @property
    def features(self) -> tuple[str, ...]:
        """What `HelloAck` may name."""
        switches = (("lobby", self.lobby), ("open-registration", self.open_registration), ("presence", self.presence))
        return tuple(sorted((*BASE_FEATURES, *(name for name, on in switches if on))))
