"""The operator's commands on a running relay."""

import msgspec

from secure_chat.server.core.admin import (
    AccountLines,
    AdminCommand,
    AdminError,
    AdminResult,
    ChannelLines,
    CreateInviteToken,
    DeviceLines,
    Done,
    InviteLines,
    ListAccounts,
    ListChannels,
    ListDevices,
    ListInvites,
    NewInvite,
    RemoveAccount,
    ResumeAccount,
    RevokeInviteToken,
    ShowStatistics,
    Statistics,
    SuspendAccount,
)
from secure_chat.wire.errors import ErrorCode
from secure_chat.wire.messages import ChannelKind, Error, LoggedIn, Registered
from tests.server.relay_host import Peer, RelayHost


def test_commands_and_results_travel_as_json() -> None:
    """The local socket needs no schema of its own."""
    command: AdminCommand = CreateInviteToken(3, None, "for the team")
    assert msgspec.json.decode(msgspec.json.encode(command), type=AdminCommand) == command
    result: AdminResult = NewInvite("id", "token", 0)
    assert msgspec.json.decode(msgspec.json.encode(result), type=AdminResult) == result


def test_invites_are_made_listed_and_revoked(host: RelayHost) -> None:
    """A token is shown once; later its id names it."""
    made = host.admin(CreateInviteToken(2, 60_000, "team"))
    assert isinstance(made, NewInvite)
    peer = Peer.make(host, "alice")
    peer.connect()
    assert isinstance(peer.register(made.token), Registered)
    lines = host.admin(ListInvites())
    assert isinstance(lines, InviteLines)
    (line,) = lines.invites
    assert (line.id, line.label, line.creator, line.uses, line.used) == (made.id, "team", "", 2, 1)
    assert (line.expires, line.revoked) == (host.now + 60_000, False)
    assert made.token not in str(lines)
    assert isinstance(host.admin(RevokeInviteToken(made.id[:6])), Done)
    other = Peer.make(host, "bob")
    other.connect()
    assert other.refused(other.registration(made.token)).code is ErrorCode.TOKEN_INVALID
    assert host.admin(RevokeInviteToken("ffffffffffff")) == AdminError("no such invite")


def test_an_invite_is_also_revoked_by_its_token(host: RelayHost) -> None:
    """And one that never expires works after years."""
    made = host.admin(CreateInviteToken())
    assert isinstance(made, NewInvite)
    assert made.expires == 0
    host.tick(400 * 86_400_000)
    assert isinstance(host.admin(RevokeInviteToken(made.token)), Done)


def test_ambiguous_ids_are_refused(host: RelayHost) -> None:
    """Nothing is revoked by accident."""
    for _ in range(600):
        host.admin(CreateInviteToken())
    lines = host.admin(ListInvites())
    assert isinstance(lines, InviteLines)
    beginnings = [line.id[:4] for line in lines.invites]
    doubled = [text for text in beginnings if beginnings.count(text) > 1]
    assert doubled, "with this seed two ids begin alike"
    assert host.admin(RevokeInviteToken(doubled[0])) == AdminError("several invites begin like this")


def test_accounts_are_listed_by_page(host: RelayHost) -> None:
    """In the order of their handles, with devices and state."""
    for name in ("carol", "alice", "bob"):
        Peer.join(host, name)
    alice = next(peer for peer in host.peers.values() if peer.handle == "alice")
    alice.another_device()
    first = host.admin(ListAccounts(limit=2))
    assert isinstance(first, AccountLines)
    assert [line.handle for line in first.accounts] == ["alice", "bob"]
    assert first.more
    assert (first.accounts[0].devices, first.accounts[0].online, first.accounts[0].suspended) == (2, True, False)
    second = host.admin(ListAccounts(after="bob", limit=2))
    assert isinstance(second, AccountLines)
    assert [line.handle for line in second.accounts] == ["carol"]
    assert not second.more


def test_a_suspended_account_is_out_until_resumed(host: RelayHost) -> None:
    """Nothing of it is deleted."""
    alice, bob = Peer.join(host, "alice"), Peer.join(host, "bob")
    alice.room(bob)
    assert isinstance(host.admin(SuspendAccount("alice")), Done)
    assert alice.take(Error).code is ErrorCode.SUSPENDED
    assert alice.closed
    alice.connect()
    assert alice.refused(alice.login()).code is ErrorCode.SUSPENDED
    assert alice.refused(alice.registration(host.invite())).code is ErrorCode.SUSPENDED
    assert isinstance(host.admin(ResumeAccount("alice")), Done)
    answer = alice.ask(alice.login())
    assert isinstance(answer, LoggedIn)
    assert len(answer.channels) == 1


def test_an_account_is_removed(host: RelayHost) -> None:
    """As if it had deleted itself."""
    alice, bob = Peer.join(host, "alice"), Peer.join(host, "bob")
    room = bob.room(alice)
    bob.entries(room)
    assert isinstance(host.admin(RemoveAccount("alice")), Done)
    assert alice.closed
    assert [entry.removed for entry in bob.entries(room)] == [(alice.device_id,)]
    for command in (RemoveAccount("alice"), SuspendAccount("alice"), ResumeAccount("nobody"), ListDevices("alice")):
        assert isinstance(host.admin(command), AdminError)


def test_devices_are_listed(host: RelayHost) -> None:
    """With their channels and the end of their certificates."""
    alice = Peer.join(host, "alice")
    alice.room()
    second = alice.another_device(serial=4)
    second.disconnect()
    lines = host.admin(ListDevices("alice"))
    assert isinstance(lines, DeviceLines)
    assert [(line.serial, line.channels, line.online) for line in lines.devices] == [(1, 1, True), (4, 0, False)]
    assert lines.devices[0].expires == alice.certificate.expires * 1000


def test_channels_and_totals_are_counted(host: RelayHost) -> None:
    """Inboxes are counted and not listed; names of closed rooms are unknown."""
    alice, bob = Peer.join(host, "alice"), Peer.join(host, "bob")
    room = alice.room(bob)
    alice.room(kind=ChannelKind.OPEN, name="lobby")
    alice.create(ChannelKind.DIRECT, peer=bob.account.public)
    alice.appended(room)
    host.tick()
    page = host.admin(ListChannels(limit=2))
    assert isinstance(page, ChannelLines)
    assert page.more
    first, second = page.channels
    assert (first.channel, first.kind, first.name, first.members, first.last) == (room.hex(), "room", "", 2, 2)
    assert (first.entries, first.generation) == (2, 1)
    assert (second.kind, second.name) == ("open", "lobby")
    rest = host.admin(ListChannels(after=second.number))
    assert isinstance(rest, ChannelLines)
    assert [line.kind for line in rest.channels] == ["direct"]
    totals = host.admin(ShowStatistics())
    assert isinstance(totals, Statistics)
    assert (totals.accounts, totals.devices, totals.connections, totals.suspended) == (2, 2, 2, 0)
    assert (totals.rooms, totals.open_rooms, totals.direct, totals.inboxes) == (1, 1, 1, 2)
    assert totals.entries == 4
    assert totals.bytes > 0
    assert totals.free_bytes > 0
    assert len(totals.incarnation) == 32
