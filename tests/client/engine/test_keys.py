"""Keys over time: key packages, certificates, and how often a device's keys in a room are made fresh."""

from secure_chat.client.commands import RefreshKeys, Send
from secure_chat.client.engine import spaces
from secure_chat.client.engine.device import CERTIFICATE_LIFETIME, RENEW_BEFORE
from secure_chat.client.engine.freshness import DAY, HOUR, MESSAGES_PER_KEYS, WEEK
from secure_chat.client.engine.keys import PER_SUITE, REPLACE_AFTER
from secure_chat.client.engine.spaces import StoredKeyPackage
from secure_chat.client.views import RoomView
from tests.scenarios.harness import Node, World, world


def at_the_relay(w: World, node: Node) -> dict[int, int]:
    with w._database.transaction() as transaction:
        return dict(transaction.directory.key_packages(node.engine._state.profile.device_id))


def epoch(node: Node, name: str = "#lobby") -> int:
    view: RoomView = node.rooms()[name]
    return view.epoch


def stored(node: Node) -> list[StoredKeyPackage]:
    return [spaces.decode(StoredKeyPackage, value) for _, value in node.store.scan(spaces.KEY_PACKAGES)]


def test_a_new_device_publishes_key_packages_for_both_suites() -> None:
    """And one of last resort each."""
    with world() as w:
        alice = w.join("alice")
        assert at_the_relay(w, alice) == {3: PER_SUITE, 0xF00E: PER_SUITE}
        assert sorted(one.suite for one in stored(alice) if one.last_resort) == [3, 0xF00E]


def test_what_was_claimed_is_replaced_when_few_are_left() -> None:
    """Each claim takes one."""
    with world() as w:
        alice = w.join("alice")
        for number in range(17):
            bob = w.join(f"bob{number}")
            bob.do(Send("alice", "hello"))
            w.settle(1_000)
        w.settle()
        assert at_the_relay(w, alice)[0xF00E] > PER_SUITE - 17
        assert len(alice.texts()) == 17


def test_a_used_key_package_is_gone_from_the_store() -> None:
    """RFC 9420 §16.8: its private key opens nothing any more."""
    with world() as w:
        alice, bob = w.join("alice"), w.join("bob")
        before = len(stored(alice))
        bob.do(Send("alice", "hello"))
        w.settle()
        assert alice.texts() == ["hello"]
        assert len(stored(alice)) == before - 1


def test_old_key_packages_are_replaced_by_new_ones() -> None:
    """The last resort too; private keys that nobody can use any more are deleted."""
    with world() as w:
        alice = w.join("alice")
        first = {one.bundle for one in stored(alice)}
        for _ in range(6):
            w.sleep(REPLACE_AFTER + DAY)
        assert at_the_relay(w, alice) == {3: PER_SUITE, 0xF00E: PER_SUITE}
        assert not first & {one.bundle for one in stored(alice)}


def test_key_packages_are_replaced_weekly_though_the_connection_lasts() -> None:
    """Nobody has to log in anew for that; what was stolen of them leads into no room after about a week."""
    with world() as w:
        alice = w.join("alice")
        first = alice.engine._state.profile.published_at
        assert first
        w.run_for(REPLACE_AFTER + DAY + 60_000)
        assert alice.engine._state.profile.published_at > first + REPLACE_AFTER
        assert at_the_relay(w, alice) == {3: PER_SUITE, 0xF00E: PER_SUITE}


def test_a_certificate_is_renewed_before_it_ends() -> None:
    """Nobody has to do anything, and the rooms go on."""
    with world() as w:
        alice, bob = w.join("alice"), w.join("bob")
        old = alice.engine._device.certificate
        w.sleep((CERTIFICATE_LIFETIME - RENEW_BEFORE + 86_400) * 1000)
        w.settle(60_000)
        new = alice.engine._device.certificate
        assert new.serial > old.serial
        assert new.device_key == old.device_key
        alice.do(Send("#lobby", "still me"))
        w.settle()
        assert bob.texts() == ["still me"]


def test_the_first_message_of_a_day_has_fresh_keys() -> None:
    """Later ones of that day go out at once."""
    with world() as w:
        alice, bob = w.join("alice"), w.join("bob")
        before = epoch(alice)
        alice.do(Send("#lobby", "today"))
        w.settle()
        assert epoch(alice) == before
        w.sleep(DAY)
        alice.do(Send("#lobby", "good morning"))
        alice.do(Send("#lobby", "and again"))
        w.settle()
        assert epoch(alice) == epoch(bob) == before + 1  # bob's receipts need no keys of their own
        assert bob.texts() == ["today", "good morning", "and again"]


def test_a_silent_device_has_fresh_keys_within_about_a_week() -> None:
    """At a random time, each member at another."""
    with world() as w:
        alice, bob = w.join("alice"), w.join("bob")
        before = epoch(alice)
        w.sleep(WEEK + DAY)
        w.settle(120_000)
        assert epoch(alice) == epoch(bob) == before + 2


def test_a_busy_device_has_fresh_keys_every_hundred_messages_but_hourly_at_most() -> None:
    """What was stolen is soon of no use."""
    with world() as w:
        alice, _ = w.join("alice"), w.join("bob")
        before = epoch(alice)
        for number in range(2 * MESSAGES_PER_KEYS):
            alice.do(Send("#lobby", str(number)))
        w.settle()
        assert epoch(alice) == before
        w.sleep(HOUR)
        alice.do(Send("#lobby", "an hour later"))
        w.settle()
        assert epoch(alice) == before + 1


def test_fresh_keys_can_be_asked_for() -> None:
    """One commit, and all are in its epoch."""
    with world() as w:
        alice, bob = w.join("alice"), w.join("bob")
        before = epoch(bob)
        alice.do(RefreshKeys("#lobby"))
        w.settle()
        assert epoch(bob) == before + 1


def test_alone_nobody_needs_fresh_keys() -> None:
    """There is nobody to hide from the past."""
    with world() as w:
        alice = w.join("alice")
        before = epoch(alice)
        w.sleep(2 * WEEK)
        alice.do(Send("#lobby", "anybody?"))
        w.settle()
        assert epoch(alice) == before
