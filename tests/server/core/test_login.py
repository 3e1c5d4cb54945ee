"""From the first message to the login."""

import msgspec
import pytest

from secure_chat.identity import binding as directory_binding
from secure_chat.identity import certificate as certificates
from secure_chat.identity.keys import AccountKey, DeviceKey
from secure_chat.server.core.effects import Authenticated, Received
from secure_chat.server.core.settings import Settings
from secure_chat.wire.errors import ErrorCode
from secure_chat.wire.messages import (
    CaCertificate,
    ChannelKind,
    Error,
    GetCa,
    Goodbye,
    Hello,
    HelloAck,
    ListRooms,
    LoggedIn,
    Login,
    Ping,
    Pong,
    Register,
    Registered,
    RevokeDevices,
)
from tests.server.relay_host import FEATURES, Peer, RelayHost


def test_the_ca_certificate_is_handed_out_and_the_connection_closed(host: RelayHost) -> None:
    """First contact needs no greeting."""
    peer = Peer.make(host, "alice")
    peer.connection = host.connect(peer)
    peer.send(GetCa())
    assert peer.take(CaCertificate).certificate == b"the CA"
    assert peer.closed


def test_hello_agrees_on_the_features_both_know(host: RelayHost) -> None:
    """Unknown features of the client are left out, and those that it doesn't name."""
    peer = Peer.make(host, "alice")
    peer.connection = host.connect(peer)
    peer.send(Hello((1, 9), ("presence", "teleport"), bytes(32)))
    answer = peer.take(HelloAck)
    assert (answer.version, answer.features) == (1, ("presence",))
    assert answer.directory_key == host.directory.public
    assert answer.time == host.now


def test_features_follow_the_settings(host: RelayHost) -> None:
    """What the operator turned off is not offered."""
    host.relay.reconfigure(Settings(lobby=False, presence=False, open_registration=True), b"")
    peer = Peer.make(host, "alice")
    peer.connect()
    assert peer.hello is not None
    assert peer.hello.features == ("ephemeral", "open-registration")


def test_another_protocol_version_is_refused(host: RelayHost) -> None:
    """The connection is closed with a typed error."""
    peer = Peer.make(host, "alice")
    peer.connection = host.connect(peer)
    peer.send(Hello((2,), FEATURES, bytes(32)))
    assert peer.take(Error).code is ErrorCode.UNSUPPORTED_VERSION
    assert peer.closed


def test_requests_before_login_are_unexpected(host: RelayHost) -> None:
    """Nothing but a greeting, a login or a registration is answered."""
    peer = Peer.make(host, "alice")
    peer.connect()
    assert peer.refused(ListRooms(1)).code is ErrorCode.UNEXPECTED
    assert peer.ask(Ping(2)) == Pong(2)
    peer.send(Hello((1,), (), bytes(32)))
    assert peer.take(Error).code is ErrorCode.UNEXPECTED
    assert peer.closed, "a second greeting has no request to answer"


def test_a_login_before_the_greeting_is_unexpected(host: RelayHost) -> None:
    """There is no nonce yet that it could sign."""
    peer = Peer.make(host, "alice")
    peer.connection = host.connect(peer)
    answer = peer.refused(Login(1, b"", bytes(16), bytes(64)))
    assert answer.code is ErrorCode.UNEXPECTED


def test_registration_makes_an_account_with_a_binding(host: RelayHost) -> None:
    """The relay's directory key signs the handle."""
    peer = Peer.make(host, "alice")
    peer.connect()
    answer = peer.register(host.invite(1))
    assert isinstance(answer, Registered)
    bound = directory_binding.verify(answer.binding, host.directory.public)
    assert (bound.handle, bound.account_key) == ("alice", peer.account.public)


def test_registration_is_repeatable(host: RelayHost) -> None:
    """A lost answer is asked for again with the same one-time token, also on another connection."""
    peer = Peer.make(host, "alice")
    peer.connect()
    token = host.invite(1)
    first = peer.register(token)
    again = peer.register(token)
    peer.disconnect()
    peer.connect()
    later = peer.register(token)
    assert isinstance(first, Registered)
    assert isinstance(again, Registered)
    assert isinstance(later, Registered)
    assert first.binding == again.binding == later.binding


def test_a_token_is_used_up(host: RelayHost) -> None:
    """A one-time token makes one account."""
    token = host.invite(1)
    Peer.make(host, "alice")
    first, second = Peer.make(host, "alice"), Peer.make(host, "bob")
    first.connect()
    second.connect()
    assert isinstance(first.register(token), Registered)
    assert second.refused(second.registration(token)).code is ErrorCode.TOKEN_INVALID


@pytest.mark.parametrize("token", [None, "unknown"])
def test_no_account_without_a_valid_token(host: RelayHost, token: str | None) -> None:
    """Registration is not open by default."""
    peer = Peer.make(host, "alice")
    peer.connect()
    assert peer.refused(peer.registration(token)).code is ErrorCode.TOKEN_INVALID


def test_open_registration_needs_no_token(host: RelayHost) -> None:
    """But a token that is named must be valid."""
    host.relay.reconfigure(Settings(open_registration=True), b"")
    peer = Peer.make(host, "alice")
    peer.connect()
    assert peer.refused(peer.registration("unknown")).code is ErrorCode.TOKEN_INVALID
    assert isinstance(peer.register(None), Registered)


def test_a_handle_belongs_to_one_key(host: RelayHost) -> None:
    """Another key is refused, and its token is not used up."""
    Peer.join(host, "alice")
    other = Peer.make(host, "alice")
    other.connect()
    token = host.invite(1)
    assert other.refused(other.registration(token)).code is ErrorCode.HANDLE_TAKEN
    other.handle = "alice2"
    assert isinstance(other.register(token), Registered)


def test_a_key_has_one_handle(host: RelayHost) -> None:
    """An account's handle never changes."""
    peer = Peer.join(host, "alice")
    renamed = Peer.make(host, "alicia", account=peer.account)
    renamed.connect()
    assert renamed.refused(renamed.registration(host.invite())).code is ErrorCode.FORBIDDEN
    assert renamed.refused(renamed.login()).code is ErrorCode.UNAUTHENTICATED


def test_a_registration_signed_for_another_connection_is_refused(host: RelayHost) -> None:
    """The signature covers both nonces and the server's certificate."""
    peer = Peer.make(host, "alice")
    peer.connect()
    old = peer.registration(host.invite())
    peer.disconnect()
    peer.connect()
    assert peer.refused(old).code is ErrorCode.UNAUTHENTICATED


def test_login_records_a_new_device_with_its_inbox(host: RelayHost) -> None:
    """The second device of an account needs no registration."""
    first = Peer.join(host, "alice")
    second = first.another_device()
    assert second.logged_in is not None
    assert second.logged_in.inbox.kind is ChannelKind.INBOX
    assert second.inbox != first.inbox
    assert second.logged_in.binding == first.logged_in.binding if first.logged_in else False
    assert any(isinstance(output, Authenticated) for output in _log_in_again(host, first))


def _log_in_again(host: RelayHost, peer: Peer) -> list[object]:
    peer.disconnect()
    peer.connect()
    return list(host.step(Received(peer.connection, peer.login())))


def test_login_tells_what_the_device_is_in(host: RelayHost) -> None:
    """Channels with positions, the same from memory as from the database."""
    alice, bob = Peer.join(host, "alice"), Peer.join(host, "bob")
    room = alice.room(bob)
    alice.appended(room)
    bob.acknowledge(room, 1)
    cached = bob.reconnect()
    host.tick()
    host.restart()
    bob.connect()
    stored = bob.log_in()
    assert cached.channels == stored.channels
    (summary,) = stored.channels
    assert (summary.channel, summary.generation, summary.head, summary.last) == (room, 1, 1, 2)
    assert (summary.cursor, summary.joined) == (1, 1)


def test_an_unknown_account_must_register_first(host: RelayHost) -> None:
    """The client can tell it from a wrong signature."""
    peer = Peer.make(host, "alice")
    peer.connect()
    assert peer.refused(peer.login()).code is ErrorCode.NOT_FOUND


def _tampered(peer: Peer, **changes: object) -> Login:
    return msgspec.structs.replace(peer.login(), **changes)


def test_a_login_with_a_wrong_signature_is_refused(host: RelayHost) -> None:
    """Each signed field is bound."""
    alice = Peer.join(host, "alice")
    mallory = Peer.join(host, "mallory")
    alice.disconnect()
    alice.connect()
    for bad in (
        _tampered(alice, signature=bytes(64)),
        _tampered(alice, store=bytes(16)),
        _tampered(alice, certificate=mallory.certificate.encode()),
        _tampered(alice, certificate=b"rubbish"),
    ):
        assert alice.refused(bad).code is ErrorCode.UNAUTHENTICATED
    assert isinstance(alice.ask(alice.login()), LoggedIn)


def test_a_login_of_another_connection_is_refused(host: RelayHost) -> None:
    """Replaying a recorded login fails: the nonces are new."""
    alice = Peer.join(host, "alice")
    alice.disconnect()
    alice.connect()
    recorded = alice.login()
    alice.disconnect()
    alice.connect()
    assert alice.refused(recorded).code is ErrorCode.UNAUTHENTICATED


def test_an_expired_certificate_is_refused(host: RelayHost) -> None:
    """Lifetimes are checked by the relay's clock."""
    alice = Peer.join(host, "alice")
    alice.disconnect()
    host.now += 500 * 86_400_000
    alice.connect()
    assert alice.refused(alice.login()).code is ErrorCode.UNAUTHENTICATED


def test_a_certificate_of_another_account_is_refused(host: RelayHost) -> None:
    """A stranger can't certify a device for an account that exists."""
    Peer.join(host, "alice")
    mallory = Peer.make(host, "alice", account=AccountKey(b"m" * 32))
    mallory.connect()
    assert mallory.refused(mallory.login()).code is ErrorCode.NOT_FOUND


def test_device_and_store_ids_belong_to_one_device(host: RelayHost) -> None:
    """Nobody logs in under another's device id or store."""
    alice, bob = Peer.join(host, "alice"), Peer.join(host, "bob")
    room = alice.room()
    alice.appended(room)
    thief = Peer.make(host, "bob", account=bob.account)
    thief.device_id = alice.device_id
    thief.connect()
    assert thief.refused(thief.login()).code is ErrorCode.UNAUTHENTICATED
    thief.device_id = bob.device_id
    thief.device = bob.device
    thief.store = alice.store
    assert thief.refused(thief.login()).code is ErrorCode.UNAUTHENTICATED


def test_a_newer_certificate_of_a_device_is_recorded(host: RelayHost) -> None:
    """A rejoining device comes with a fresh key and a higher serial; the older one still logs in until revoked."""
    alice = Peer.join(host, "alice")
    old_key = alice.device
    alice.device, alice.serial = DeviceKey(b"n" * 32), 5
    alice.reconnect()
    with host.database.transaction() as transaction:
        device = transaction.directory.device(alice.device_id)
    assert device is not None
    assert certificates.verify(device.certificate).serial == 5
    alice.device, alice.serial = old_key, 1
    alice.reconnect()
    with host.database.transaction() as transaction:
        device = transaction.directory.device(alice.device_id)
    assert device is not None
    assert device.serial == 5


def test_an_account_has_a_limited_number_of_devices(host: RelayHost) -> None:
    """The eleventh is refused."""
    alice = Peer.join(host, "alice")
    for serial in range(2, 11):
        alice.another_device(serial)
    surplus = Peer.make(host, "alice", account=alice.account, serial=11)
    surplus.connect()
    assert surplus.refused(surplus.login()).code is ErrorCode.QUOTA


def test_a_device_below_the_minimum_serial_is_refused(host: RelayHost) -> None:
    """Revoked devices are out for good."""
    alice = Peer.join(host, "alice")
    newer = alice.another_device(serial=3)
    revocation = certificates.revoke(alice.account, 2).encode()
    newer.ask(RevokeDevices(newer.next_id(), revocation))
    alice.connect()
    assert alice.refused(alice.login()).code is ErrorCode.REVOKED


def test_the_last_counter_shows_a_store_that_was_rolled_back(host: RelayHost) -> None:
    """It counts refused appends too: the relay has seen their ciphertext."""
    alice = Peer.join(host, "alice")
    room = alice.room()
    alice.appended(room)
    assert isinstance(alice.append(room, head=77), Error)
    assert alice.reconnect().last_counter == 3
    host.restart()
    alice.connect()
    assert alice.log_in().last_counter == 3
    alice.store = bytes(16)
    assert alice.reconnect().last_counter == 0


def test_a_new_connection_of_a_device_replaces_the_older_one(host: RelayHost) -> None:
    """A half-open connection doesn't lock its device out."""
    alice = Peer.join(host, "alice")
    older = alice.connection
    alice.connect()
    alice.log_in()
    assert alice.take(Goodbye)
    assert older not in host.peers
    assert alice.connection in host.peers


def test_an_older_copy_of_a_profile_waits_while_the_newer_is_connected(host: RelayHost) -> None:
    """Two copies of one profile don't push each other out in turns."""
    alice = Peer.join(host, "alice")
    old_key, old_serial = alice.device, alice.serial
    alice.device, alice.serial = DeviceKey(b"n" * 32), 5
    alice.connect()
    alice.log_in()
    newer = alice.connection
    alice.device, alice.serial = old_key, old_serial
    alice.connect()
    refusal = alice.refused(alice.login())
    assert (refusal.code, refusal.retry_after > 0) == (ErrorCode.BUSY, True)
    assert newer in host.peers
    host.drop(newer)
    alice.log_in()


def test_failed_attempts_are_limited_by_address(host: RelayHost) -> None:
    """Tokens and handles are not found by trying; other addresses are not concerned."""
    guesser = Peer.make(host, "alice")
    guesser.connect("192.0.2.1")
    codes = [guesser.refused(guesser.registration(f"guess{i}")).code for i in range(30)]
    assert codes[:20] == [ErrorCode.TOKEN_INVALID] * 20
    assert codes[20:] == [ErrorCode.RATE_LIMITED] * 10
    guesser.disconnect()
    guesser.connect("192.0.2.1")
    answer = guesser.refused(guesser.registration(host.invite()))
    assert answer.code is ErrorCode.RATE_LIMITED
    host.now += answer.retry_after
    assert isinstance(guesser.register(host.invite()), Registered)
    honest = Peer.make(host, "bob")
    honest.connect("192.0.2.2")
    assert isinstance(honest.register(host.invite()), Registered)


def test_registrations_are_limited_by_address(host: RelayHost) -> None:
    """A valid token doesn't make endless accounts in an hour."""
    host.relay.reconfigure(Settings(registrations_per_hour=2, registrations_burst=2), b"")
    token = host.invite()
    answers = []
    for name in ("a", "b", "c"):
        peer = Peer.make(host, name)
        peer.connect("2001:db8::1" if name != "b" else "2001:db8::2")
        answers.append(peer.register(token))
    assert isinstance(answers[1], Registered)
    assert isinstance(answers[2], Error)
    assert answers[2].code is ErrorCode.RATE_LIMITED, "one IPv6 network counts as one address"


def test_nothing_is_registered_on_a_full_disk(host: RelayHost) -> None:
    """The relay refuses before the disk is full."""
    token = host.invite()
    host.relay.reconfigure(Settings(disk_reserve=1 << 62), b"")
    peer = Peer.make(host, "alice")
    peer.connect()
    assert peer.refused(peer.registration(token)).code is ErrorCode.DISK_FULL


def test_a_register_message_names_a_token_or_none() -> None:
    """The wire type has both."""
    assert Register(1, None, b"", bytes(64)).token is None
