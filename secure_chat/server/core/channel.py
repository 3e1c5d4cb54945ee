"""A channel as the core keeps it in memory: its record, its members, who may do what."""

from secure_chat.server.core.fairness import Contest
from secure_chat.server.core.storage import ChannelRecord, MemberRecord
from secure_chat.wire.limits import STALE_AFTER_COMMITS
from secure_chat.wire.messages import ChannelKind, ChannelSummary, MemberDevice

__all__ = ["Channel", "summarize"]


class Channel:
    """The record and members are written through; cursors and usage are flushed by `delivery.flush`."""

    __slots__ = ("acknowledged", "contest", "heads", "id", "last", "leaving", "members", "number", "record", "used")

    def __init__(self, record: ChannelRecord, members: list[MemberRecord], last: int, now: int) -> None:
        self.record = record
        self.id = record.id
        self.number = record.number
        self.last = last
        self.heads = record.heads
        self.members = {member.device: member for member in members if not member.until}
        """By device, in the order of joining."""
        self.leaving = {member.device: member for member in members if member.until}
        """Removed devices that have not read up to their removal yet."""
        self.acknowledged: dict[bytes, MemberRecord] = {}
        """Members whose cursor has moved and is not stored yet."""
        self.contest: Contest | None = None
        self.used = now
        """When it was needed last; what lies idle is evicted."""

    @property
    def kind(self) -> ChannelKind:
        """What it carries."""
        return self.record.kind

    @property
    def head(self) -> int:
        """The last commit or founding; 0: none."""
        return self.heads[-1]

    @property
    def accounts(self) -> set[bytes]:
        """Accounts with a member device; for membership tests only, sets have no order."""
        return {member.account for member in self.members.values()}

    def move_head(self, seq: int, *, founding: bool) -> None:
        """A commit or founding was accepted; after a founding, whatever was encrypted before it is stale at once."""
        heads = (seq,) if founding else (*self.heads, seq)
        self.heads = self.record.heads = heads[-STALE_AFTER_COMMITS - 1 :]
        if founding:
            self.record.generation += 1

    def is_admin(self, account: bytes) -> bool:
        """Whether the account may act as an admin: every member may where no admin is a member any more.

        In a direct channel both sides may.
        """
        if self.kind is ChannelKind.DIRECT:
            return account in self.record.peers
        admins = self.record.admins
        if account in admins:
            return True
        members = self.accounts
        return account in members and not any(admin in members for admin in admins)

    def may_see(self, account: bytes) -> bool:
        """Whether the account may know of this channel."""
        if self.kind is ChannelKind.OPEN:
            return True
        return account in self.record.peers or any(m.account == account for m in self.members.values())

    def may_add(self, account: bytes, added: bytes) -> bool:
        """Whether a member's account may add devices of another: a further device of a member is no new person."""
        if self.kind is ChannelKind.DIRECT:
            return added in self.record.peers
        if added in self.record.banned:
            return False
        return (
            self.kind is ChannelKind.OPEN
            or self.record.members_may_add
            or added in self.accounts
            or self.is_admin(account)
        )

    def summary(self, account: bytes, member: MemberRecord | None) -> ChannelSummary:
        """What a device of this account is told."""
        return summarize(self.record, self.last, account, member)

    def devices(self) -> tuple[MemberDevice, ...]:
        """The delivery list."""
        return tuple(MemberDevice(member.device, member.account) for member in self.members.values())


def summarize(record: ChannelRecord, last: int, account: bytes, member: MemberRecord | None) -> ChannelSummary:
    """What a device of this account is told of a channel."""
    peer = b""
    if record.kind is ChannelKind.DIRECT:
        first, second = record.peers
        peer = second if account == first else first
    return ChannelSummary(
        record.id,
        record.kind,
        record.name,
        peer,
        record.generation,
        record.heads[-1],
        record.floor + 1,
        last,
        member.cursor if member else 0,
        member.joined if member else 0,
    )
