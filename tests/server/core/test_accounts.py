"""Looking accounts up, withdrawing devices, removing accounts."""

from secure_chat.identity import certificate as certificates
from secure_chat.identity.login import sign_deletion
from secure_chat.wire.errors import ErrorCode
from secure_chat.wire.messages import (
    Accounts,
    Appended,
    ChannelKind,
    ClaimKeyPackages,
    CreateChannel,
    DeleteAccount,
    EntryKind,
    Error,
    KeyPackages,
    Login,
    Lookup,
    Ok,
    PublishKeyPackages,
    RevokeDevices,
)
from tests.server.relay_host import CERTIFICATE_HASH, Peer, RelayHost


def look_up(peer: Peer, *handles: str, accounts: tuple[bytes, ...] = ()) -> Accounts:
    answer = peer.ask(Lookup(peer.next_id(), handles, accounts))
    assert isinstance(answer, Accounts), answer
    return answer


def delete(peer: Peer) -> None:
    assert peer.hello is not None
    signature = sign_deletion(
        peer.account,
        client_nonce=peer.client_nonce,
        server_nonce=peer.hello.nonce,
        server_certificate=CERTIFICATE_HASH,
    )
    assert peer.ask(DeleteAccount(peer.next_id(), signature)) == Ok(peer.request)


def test_an_account_is_found_by_handle_and_key(host: RelayHost) -> None:
    """With binding and certificates; who is asked for twice is named once, unknown ones not at all."""
    alice, bob = Peer.join(host, "alice"), Peer.join(host, "bob")
    second = bob.another_device()
    answer = look_up(alice, "bob", "nobody", accounts=(bob.account.public, bytes(32)))
    (info,) = answer.accounts
    assert (info.handle, info.account) == ("bob", bob.account.public)
    assert info.devices == (bob.certificate.encode(), second.certificate.encode())
    assert bob.logged_in is not None
    assert info.binding == bob.logged_in.binding
    assert info.revocation == b""


def test_being_online_is_told_to_those_who_share_a_channel(host: RelayHost) -> None:
    """Nobody else learns it, and nobody of an account that stays invisible."""
    alice, bob, eve = (Peer.join(host, name) for name in ("alice", "bob", "eve"))
    hidden = Peer.join(host, "hidden", visible=False)
    alice.room(bob, hidden)
    host.tick()
    assert [info.online for info in look_up(alice, "bob", "hidden", "eve").accounts] == [True, False, False]
    assert [info.online for info in look_up(eve, "bob").accounts] == [False]


def test_enumeration_is_slow(host: RelayHost) -> None:
    """Names that are not found cost five times."""
    alice = Peer.join(host, "alice")
    for number in range(2):
        look_up(alice, *(f"guess-{number}-{index}" for index in range(64)))
    answer = alice.refused(Lookup(alice.next_id(), ("guess",)))
    assert answer.code is ErrorCode.RATE_LIMITED
    assert answer.retry_after > 0
    bob = Peer.join(host, "bob")
    for _ in range(8):
        look_up(bob, *(["alice"] * 64))


def test_withdrawn_devices_are_out_at_once(host: RelayHost) -> None:
    """Logged out, off every list, without key packages; the members see an entry of the relay."""
    alice = Peer.join(host, "alice")
    kept = alice.another_device(serial=5)
    bob = Peer.join(host, "bob")
    room = bob.room(alice, kept)
    alice.ask(PublishKeyPackages(1_000, 3, (b"package",)))
    bob.entries(room)
    revocation = certificates.revoke(alice.account, 5).encode()
    assert kept.ask(RevokeDevices(1_000, revocation)) == Ok(1_000)
    assert alice.take(Error).code is ErrorCode.REVOKED
    assert alice.closed
    (entry,) = bob.entries(room)
    assert (entry.kind, entry.sender, entry.store, entry.counter) == (EntryKind.MEMBERS, bytes(16), bytes(16), 0)
    assert (entry.removed, entry.payload) == ((alice.device_id,), revocation)
    answer = bob.ask(ClaimKeyPackages(1_000, 3, (alice.account.public,)))
    assert isinstance(answer, KeyPackages)
    assert answer.packages == ()
    (info,) = look_up(bob, "alice").accounts
    assert (info.devices, info.revocation) == ((kept.certificate.encode(),), revocation)
    alice.connect()
    assert alice.refused(alice.login()).code is ErrorCode.REVOKED


def test_a_revocation_can_not_be_taken_back(host: RelayHost) -> None:
    """An older one changes nothing; another account's and a forged one are refused."""
    alice, bob = Peer.join(host, "alice"), Peer.join(host, "bob")
    newer = alice.another_device(serial=9)
    newer.ask(RevokeDevices(1_000, certificates.revoke(alice.account, 7).encode()))
    assert newer.ask(RevokeDevices(1_001, certificates.revoke(alice.account, 3).encode())) == Ok(1_001)
    alice.connect()
    assert alice.refused(alice.login()).code is ErrorCode.REVOKED
    others = certificates.revoke(alice.account, 100).encode()
    assert bob.refused(RevokeDevices(1_000, others)).code is ErrorCode.FORBIDDEN
    assert newer.refused(RevokeDevices(1_002, others[:-1] + b"\0")).code is ErrorCode.UNAUTHENTICATED


def test_a_device_may_withdraw_itself(host: RelayHost) -> None:
    """The answer comes before the end of the connection."""
    alice = Peer.join(host, "alice")
    assert alice.ask(RevokeDevices(1_000, certificates.revoke(alice.account, 2).encode())) == Ok(1_000)
    assert alice.closed


def test_an_account_deletes_itself(host: RelayHost) -> None:
    """With all its devices; its handle stays reserved for its key; a new invite brings it back."""
    alice, bob = Peer.join(host, "alice"), Peer.join(host, "bob")
    second = alice.another_device()
    room = bob.room(alice, second)
    own = alice.room(bob)
    direct = alice.create(ChannelKind.DIRECT, peer=bob.account.public).summary.channel
    bob.entries(room)
    bob.entries(own)
    delete(alice)
    assert alice.closed
    assert second.closed
    assert [entry.removed for entry in bob.entries(room)] == [(alice.device_id, second.device_id)]
    (entry,) = bob.entries(own)
    assert (entry.removed, entry.admins) == ((alice.device_id,), ())
    assert look_up(bob, "alice").accounts == ()
    gone = bob.refused(CreateChannel(1_000, ChannelKind.DIRECT, peer=alice.account.public))
    assert gone.code is ErrorCode.NOT_FOUND
    alice.connect()
    assert alice.refused(alice.login()).code is ErrorCode.NOT_FOUND
    squatter = Peer.make(host, "alice")
    squatter.connect()
    assert squatter.refused(squatter.registration(host.invite())).code is ErrorCode.HANDLE_TAKEN
    alice.register(host.invite())
    assert alice.log_in().channels == ()
    again = bob.create(ChannelKind.DIRECT, peer=alice.account.public)
    assert again.summary.channel == direct
    assert isinstance(bob.append(own, EntryKind.FOUNDING), Appended), "the room has no admin: its members may act"


def test_nobody_deletes_an_account_without_its_key(host: RelayHost) -> None:
    """A device's login is not enough."""
    alice = Peer.join(host, "alice")
    assert alice.refused(DeleteAccount(1_000, bytes(64))).code is ErrorCode.UNAUTHENTICATED
    assert not alice.closed
    assert isinstance(alice.login(), Login)
