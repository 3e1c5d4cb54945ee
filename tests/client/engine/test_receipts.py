"""Delivered and read: told in batches, shown when it is so, never in large rooms, read only by choice."""

from secure_chat.client.commands import MarkRead, Send, SetReadReceipts
from secure_chat.client.engine.receipts import INTERVAL, MAX_PEOPLE
from secure_chat.client.events import MessageChanged
from secure_chat.client.views import DeliveryState
from tests.scenarios.harness import Node, world
from tests.scenarios.invariants import check_all


def state(node: Node, message: object) -> DeliveryState:
    view = node.store.message(str(message))
    assert view is not None
    return view.state


def entries(node: Node) -> int:
    """Sequence number of the lobby's newest entry."""
    return node.engine._state.position(bytes.fromhex(node.rooms()["#lobby"].id))


def test_delivered_means_at_everybody() -> None:
    """The last one decides."""
    with world() as w:
        alice, bob, carol = w.join("alice"), w.join("bob"), w.join("carol")
        carol.go_offline()
        message = alice.do(Send("#lobby", "hello"))
        w.settle(30_000)
        assert state(alice, message) is DeliveryState.SENT
        carol.go_online()
        w.settle(30_000)
        assert state(alice, message) is DeliveryState.DELIVERED
        check_all([alice, bob, carol])


def test_receipts_are_batched() -> None:
    """One for many messages."""
    with world() as w:
        alice, bob = w.join("alice"), w.join("bob")
        before = entries(alice)
        for number in range(50):
            alice.do(Send("#lobby", str(number)))
        w.settle(INTERVAL * 4)
        assert entries(alice) - before <= 53
        assert all(state(alice, line.id) is DeliveryState.DELIVERED for line in alice.history() if line.kind == "text")
        check_all([alice, bob])


def test_a_receipt_survives_a_crash_of_who_owes_it() -> None:
    """It is sent after the restart."""
    with world() as w:
        alice, bob = w.join("alice"), w.join("bob")
        message = alice.do(Send("#lobby", "hello"))
        w.run_until(lambda: bob.texts() == ["hello"])
        bob.crash()
        w.settle(30_000)
        assert state(alice, message) is DeliveryState.DELIVERED


def test_read_is_told_by_choice_only() -> None:
    """And only for what has been seen."""
    with world() as w:
        alice, bob = w.join("alice"), w.join("bob")
        first = alice.do(Send("#lobby", "one"))
        w.settle()
        bob.do(MarkRead("#lobby"))
        w.settle(30_000)
        assert state(alice, first) is DeliveryState.DELIVERED
        bob.do(SetReadReceipts(True))
        second = alice.do(Send("#lobby", "two"))
        w.settle(30_000)
        assert state(alice, second) is DeliveryState.DELIVERED
        bob.do(MarkRead("#lobby"))
        w.settle(30_000)
        assert state(alice, second) is DeliveryState.READ


def test_who_came_later_is_not_waited_for() -> None:
    """Nor who has left."""
    with world() as w:
        alice, bob = w.join("alice"), w.join("bob")
        bob.go_offline()
        message = alice.do(Send("#lobby", "before carol"))
        w.settle()
        carol = w.join("carol")
        w.settle(30_000)
        assert state(alice, message) is DeliveryState.SENT
        bob.go_online()
        w.settle(30_000)
        assert state(alice, message) is DeliveryState.DELIVERED
        assert carol.texts() == []


def test_in_large_rooms_sent_is_final() -> None:
    """Otherwise everybody would tell everybody."""
    with world() as w:
        alice = w.join("alice")
        for number in range(MAX_PEOPLE):
            node = w.add(f"guest{number}")
            node.connect_at = w.now
            node.connect()
        w.settle(30_000)
        message = alice.do(Send("#lobby", "to all of you"))
        before = entries(alice)
        w.settle(30_000)
        assert state(alice, message) is DeliveryState.SENT
        assert entries(alice) - before <= 2
        assert not [e for e in alice.told(MessageChanged) if e.message.state is DeliveryState.DELIVERED]
