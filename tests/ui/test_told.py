"""What has been told is not told again."""

from msgspec.structs import replace

from secure_chat.client.views import DeliveryState, Reaction
from secure_chat.ui.told import REMEMBERED, Told
from tests.client.lines import line


def test_ticks_and_thumbs_are_no_news() -> None:
    """Another text, a deletion or a failure is."""
    told, message = Told(), replace(line("hello"), state=DeliveryState.QUEUED)
    assert told.news(message)
    edited = replace(message, text="hello there", edited=True)
    assert told.news(edited)
    for state in (DeliveryState.SENT, DeliveryState.DELIVERED, DeliveryState.READ):
        assert not told.news(replace(edited, state=state))
    assert not told.news(replace(edited, reactions=(Reaction("x", ("bob",)),)))
    assert told.news(replace(edited, state=DeliveryState.FAILED))
    assert told.news(replace(edited, text="", deleted=True))
    assert not told.news(replace(edited, text="", deleted=True, state=DeliveryState.SENT))


def test_memory_is_bounded_and_keeps_what_is_fresh() -> None:
    """Only a message of long ago may be told twice."""
    told = Told()
    first = line("first")
    told.news(first)
    for number in range(REMEMBERED - 1):
        told.news(line(str(number)))
    assert not told.news(first)
    for number in range(REMEMBERED):
        told.news(line(f"more {number}"))
    assert told.news(first)
