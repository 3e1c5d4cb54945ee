"""Key packages: published, claimed once, not drained."""

from secure_chat.server.core.admin import SuspendAccount
from secure_chat.server.core.settings import Settings
from secure_chat.wire.errors import ErrorCode
from secure_chat.wire.messages import (
    ClaimKeyPackages,
    Error,
    KeyPackages,
    KeyPackagesLow,
    Ok,
    PublishKeyPackages,
)
from tests.server.relay_host import Peer, RelayHost

SUITE = 3


def publish(
    peer: Peer, *packages: bytes, last_resort: bytes | None = None, suite: int = SUITE, replace: bool = False
) -> object:
    return peer.ask(PublishKeyPackages(peer.next_id(), suite, packages, last_resort, replace))


def claim(peer: Peer, *targets: Peer, suite: int = SUITE) -> list[tuple[bytes, bool]]:
    answer = peer.ask(ClaimKeyPackages(peer.next_id(), suite, tuple(target.account.public for target in targets)))
    assert isinstance(answer, KeyPackages), answer
    return [(package.package, package.last_resort) for package in answer.packages]


def test_a_key_package_is_handed_out_once(host: RelayHost) -> None:
    """Oldest first; then the last resort, again and again; then nothing."""
    alice, bob = Peer.join(host, "alice"), Peer.join(host, "bob")
    assert publish(bob, b"1", b"2", last_resort=b"last") == Ok(bob.request)
    assert [claim(alice, bob) for _ in range(4)] == [
        [(b"1", False)],
        [(b"2", False)],
        [(b"last", True)],
        [(b"last", True)],
    ]
    assert claim(bob, alice) == []
    host.restart()
    alice.connect()
    alice.log_in()
    assert claim(alice, bob) == [(b"last", True)]


def test_every_device_is_claimed_but_the_asking_one(host: RelayHost) -> None:
    """Also the own account's others; devices and suites without packages are left out."""
    alice, bob = Peer.join(host, "alice"), Peer.join(host, "bob")
    second, third = bob.another_device(), bob.another_device(3)
    publish(bob, b"b1")
    publish(second, b"b2")
    publish(third, b"other suite", suite=7)
    publish(alice, b"a")
    assert claim(alice, bob, alice, bob) == [(b"b1", False), (b"b2", False)]
    publish(bob, b"b1")
    assert claim(second, bob) == [(b"b1", False)]


def test_a_replacement_discards_what_was_stored(host: RelayHost) -> None:
    """For that suite only; the login tells how many are left."""
    alice = Peer.join(host, "alice")
    publish(alice, b"1", b"2", last_resort=b"l")
    publish(alice, b"3", suite=7)
    assert publish(alice, b"4", replace=True) == Ok(alice.request)
    assert alice.reconnect().key_packages == ((SUITE, 1), (7, 1))
    bob = Peer.join(host, "bob")
    assert claim(bob, alice) == [(b"4", False)]
    assert claim(bob, alice) == []


def test_a_new_last_resort_replaces_the_old_one(host: RelayHost) -> None:
    """There is one for each suite."""
    alice, bob = Peer.join(host, "alice"), Peer.join(host, "bob")
    publish(alice, last_resort=b"old")
    publish(alice, last_resort=b"new")
    assert alice.reconnect().key_packages == ((SUITE, 0),)
    assert claim(bob, alice) == [(b"new", True)]


def test_a_device_is_told_when_few_are_left(host: RelayHost) -> None:
    """Fewer than five."""
    alice, bob = Peer.join(host, "alice"), Peer.join(host, "bob")
    publish(bob, *(bytes([number]) for number in range(6)))
    claim(alice, bob)
    assert not bob.take_all(KeyPackagesLow)
    claim(alice, bob)
    assert bob.take_all(KeyPackagesLow) == [KeyPackagesLow(SUITE, 4)]


def test_stored_key_packages_are_limited(host: RelayHost) -> None:
    """Per suite, and in suites."""
    alice = Peer.join(host, "alice")
    many = tuple(bytes([number]) for number in range(100))
    assert publish(alice, *many) == Ok(alice.request)
    over = publish(alice, b"one more")
    assert isinstance(over, Error)
    assert over.code is ErrorCode.QUOTA
    assert publish(alice, *many, replace=True) == Ok(alice.request)
    answers = [publish(alice, b"x", suite=100 + number) for number in range(8)]
    assert isinstance(answers[-1], Error)
    assert answers[-1].code is ErrorCode.QUOTA
    assert answers[-2] == Ok(alice.request - 1)


def test_nobody_drains_anothers_key_packages(host: RelayHost) -> None:
    """Beyond the limits only the last resort is handed out."""
    host.relay.reconfigure(Settings(claims_per_pair_burst=3, claims_per_target_burst=5), b"")
    alice, bob, eve = (Peer.join(host, name) for name in ("alice", "bob", "eve"))
    publish(bob, *(bytes([number]) for number in range(20)), last_resort=b"last")
    assert [last for _ in range(5) for _, last in claim(eve, bob)] == [False] * 3 + [True] * 2
    assert [last for _ in range(5) for _, last in claim(alice, bob)] == [False] * 2 + [True] * 3


def test_claims_are_limited_per_requester(host: RelayHost) -> None:
    """With the time to wait."""
    host.relay.reconfigure(Settings(claims_burst=2), b"")
    alice, bob = Peer.join(host, "alice"), Peer.join(host, "bob")
    claim(alice, bob)
    claim(alice, bob)
    answer = alice.refused(ClaimKeyPackages(alice.next_id(), SUITE, (bob.account.public,)))
    assert answer.code is ErrorCode.RATE_LIMITED
    host.now += answer.retry_after
    claim(alice, bob)


def test_suspended_accounts_hand_out_nothing(host: RelayHost) -> None:
    """Nobody should add them."""
    alice, bob = Peer.join(host, "alice"), Peer.join(host, "bob")
    publish(bob, b"1")
    host.admin(SuspendAccount("bob"))
    assert claim(alice, bob) == []
