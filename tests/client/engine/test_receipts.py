"""Delivered and read: told in batches, shown when it is so, never in large rooms, read only by choice."""

import random
from pathlib import Path

from secure_chat.client.commands import AcceptInvitation, CreateRoom, InvitePeople, MarkRead, Send, SetReadReceipts
from secure_chat.client.engine import spaces
from secure_chat.client.engine.content import Progress, Receipt
from secure_chat.client.engine.create import new_profile
from secure_chat.client.engine.history import History
from secure_chat.client.engine.integrity import Integrity
from secure_chat.client.engine.receipts import INTERVAL, KEPT, MAX_PEOPLE, Receipts
from secure_chat.client.engine.spaces import Outgoing, Phase, Room, Roster, RosterEntry
from secure_chat.client.engine.state import State
from secure_chat.client.events import MessageChanged
from secure_chat.client.store.store import Store
from secure_chat.client.views import DeliveryState, MessageKind, MessageView, RoomKind
from tests.scenarios.harness import START, Node, world
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


def test_what_was_written_to_an_empty_room_is_not_read_by_who_comes_later() -> None:
    """It has reached nobody: the tick stays the relay's."""
    with world() as w:
        alice, bob = w.join("alice"), w.join("bob")
        alice.do(CreateRoom("plans", 3, False))
        early = alice.do(Send("#plans", "anybody?"))
        alice.do(InvitePeople("#plans", ("bob",)))
        w.settle()
        bob.do(AcceptInvitation("#plans"))
        late = alice.do(Send("#plans", "there you are"))
        w.settle(30_000)
        assert state(alice, early) is DeliveryState.SENT
        assert state(alice, late) is DeliveryState.DELIVERED
        check_all([alice, bob])


class CountingStore(Store):
    """Counts the lines that are read."""

    asked = 0

    def message(self, message_id: str) -> MessageView | None:
        self.asked += 1
        return super().message(message_id)


def test_a_receipt_costs_what_it_changes_however_much_waits(tmp_path: Path) -> None:
    """Thousands of lines are not confirmed, some show as delivered: the next receipt looks at one of them."""
    with CountingStore.create(tmp_path / "store.db", bytes(32)) as store:
        store.apply(new_profile(random.Random(1), START, handle="me", address="relay:1", ca_pin=bytes(32), token="t"))
        store.commit()
        assert isinstance(store, CountingStore)
        state = State(store, random.Random(2))
        state.begin(START)
        receipts = Receipts(state, History(state), Integrity(state, History(state)))
        room = Room(spaces.FORMAT, bytes(16), RoomKind.ROOM, "team", phase=Phase.JOINED, chain=bytes(8))
        state.save(room)
        people = [state.own_account, bytes([7]) * 32]
        entries = [RosterEntry(leaf, who, "name", bytes([leaf]) * 16, who, 1) for leaf, who in enumerate(people)]
        state.save_roster(room, Roster(spaces.FORMAT, 1, b"", entries))
        lines = 10 * KEPT
        for counter in range(1, lines + 1):
            item = Outgoing(spaces.FORMAT, counter, room.channel, counter.to_bytes(16, "big"), "text", b"", START, True)
            item.counter = room.counter = counter
            History(state).add(room, item.id.hex(), MessageKind.TEXT, "x", state=DeliveryState.SENT)
            receipts.remember(room, item)
            store.apply(state.flush().writes)
            state.begin(START)
        for delivered in (lines - 10, lines - 9):
            store.asked = 0
            receipts.take(room, people[1], Receipt((Progress(room.chain, delivered),)))
            store.apply(state.flush().writes)
            state.begin(START)
        assert store.asked == 1
        view = store.message((lines - 9).to_bytes(16, "big").hex())
        assert view is not None
        assert view.state is DeliveryState.DELIVERED
        store.commit()
