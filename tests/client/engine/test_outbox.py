"""The queue: order, refusals, and states that are never claimed before they are so."""

from dataclasses import replace

from secure_chat.client.commands import CancelMessage, Edit, RefreshKeys, RetryMessage, Send
from secure_chat.client.engine.outbox import WINDOW
from secure_chat.client.events import FailureCode, MessageChanged, SecurityNotice
from secure_chat.client.queries import GetStatus
from secure_chat.client.views import DeliveryState, MessageView, StatusView
from tests.scenarios.harness import GENEROUS, Network, Node, world
from tests.scenarios.invariants import check_all


def line(node: Node, message: object) -> MessageView:
    view = node.store.message(str(message))
    assert view is not None
    return view


def states(node: Node, message: object) -> list[DeliveryState]:
    """The states that the user was shown, one after another."""
    shown = [event.message.state for event in node.told(MessageChanged) if event.message.id == message]
    return list(dict.fromkeys(shown))


def test_a_message_is_queued_sent_and_delivered_in_this_order() -> None:
    """Each only once it is so."""
    with world() as w:
        alice, _ = w.join("alice"), w.join("bob")
        message = alice.do(Send("#lobby", "hello"))
        assert line(alice, message).state is DeliveryState.QUEUED
        w.settle()
        assert states(alice, message) == [DeliveryState.SENT, DeliveryState.DELIVERED]


def test_alone_a_message_is_sent_and_no_more() -> None:
    """Delivered to nobody is not delivered."""
    with world() as w:
        alice = w.join("alice")
        message = alice.do(Send("#lobby", "echo"))
        w.settle(30_000)
        assert line(alice, message).state is DeliveryState.SENT


def test_what_was_written_offline_goes_out_in_order_when_the_line_is_back() -> None:
    """After a restart of the client, too."""
    with world() as w:
        alice, bob = w.join("alice"), w.join("bob")
        alice.go_offline()
        texts = [f"number {n}" for n in range(2 * WINDOW)]
        for text in texts:
            alice.do(Send("#lobby", text))
        status = alice.do(GetStatus())
        assert isinstance(status, StatusView)
        assert status.queued == len(texts)
        alice.crash()
        alice.go_online()
        w.settle(30_000)
        assert bob.texts() == texts
        check_all([alice, bob])


def test_a_rate_limit_delays_and_never_reorders() -> None:
    """However many messages are written at once."""
    slow = replace(GENEROUS, requests_per_second=20, requests_burst=60)
    with world(settings=slow, network=Network((1, 30))) as w:
        alice, bob = w.join("alice"), w.join("bob")
        texts = [f"number {n}" for n in range(200)]
        for text in texts:
            alice.do(Send("#lobby", text))
        w.settle(120_000)
        assert bob.texts() == texts
        assert not bob.told(SecurityNotice)


def test_a_full_quota_is_shown_and_waits() -> None:
    """The message stays queued and goes out when there is room again."""
    tight = replace(GENEROUS, account_bytes_burst=40_000, account_bytes_per_hour=3_600_000)
    with world(settings=tight) as w:
        alice, bob = w.join("alice"), w.join("bob")
        messages = [alice.do(Send("#lobby", f"number {n} {'x' * 1_000}")) for n in range(30)]
        w.settle(1_000)
        waiting = [line(alice, message) for message in messages if line(alice, message).state is DeliveryState.QUEUED]
        assert waiting
        assert all("sent too much" in view.detail for view in waiting)
        w.settle(400_000)
        assert bob.texts() == [f"number {n} {'x' * 1_000}" for n in range(30)]
        assert not bob.told(SecurityNotice)


def test_a_message_of_a_past_epoch_is_encrypted_anew() -> None:
    """The room moved on while the line was cut: same message, same place, once."""
    with world() as w:
        alice, bob = w.join("alice"), w.join("bob")
        carol = w.join("carol")
        w.network = Network((400, 400))
        alice.do(Send("#lobby", "before the storm"))
        w.run_for(300)
        alice.go_offline()
        w.network = Network()
        for _ in range(7):
            bob.do(RefreshKeys("#lobby"))
            carol.do(RefreshKeys("#lobby"))
        alice.go_online()
        w.settle(20_000)
        assert bob.texts() == carol.texts() == ["before the storm"]
        check_all([alice, bob, carol])


def test_what_has_not_left_can_be_called_back() -> None:
    """What may have left cannot."""
    with world() as w:
        alice, bob = w.join("alice"), w.join("bob")
        alice.go_offline()
        message = str(alice.do(Send("#lobby", "hasty")))
        alice.do(CancelMessage(message))
        assert line(alice, message).deleted
        assert alice.fails(CancelMessage(message)) is FailureCode.NOT_FOUND
        alice.go_online()
        w.settle()
        on_its_way = str(alice.do(Send("#lobby", "gone")))
        assert alice.fails(CancelMessage(on_its_way)) is FailureCode.NOT_ALLOWED
        w.settle()
        assert bob.texts() == ["gone"]


def test_a_message_that_has_not_failed_is_not_sent_again() -> None:
    """Twice would be a lie."""
    with world() as w:
        alice = w.join("alice")
        message = str(alice.do(Send("#lobby", "once")))
        w.settle()
        assert alice.fails(RetryMessage(message)) is FailureCode.INVALID


def test_a_text_that_is_too_long_or_empty_is_refused_at_once() -> None:
    """Up to the limit it arrives whole."""
    with world() as w:
        alice, bob = w.join("alice"), w.join("bob")
        assert alice.fails(Send("#lobby", "x" * 70_000)) is FailureCode.TOO_LARGE
        assert alice.fails(Send("#lobby", " \n")) is FailureCode.INVALID
        assert alice.fails(Send("#lobby", "\ud800")) is FailureCode.INVALID
        longest = "ü" * 25_000
        message = str(alice.do(Send("#lobby", longest)))
        alice.do(Edit(message, longest[:-1] + "!"))
        w.settle()
        assert bob.texts() == [longest[:-1] + "!"]
