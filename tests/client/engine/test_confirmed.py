"""The relay's word on one's own messages is remembered, and forgotten where it can't be kept any more."""

import pytest

from secure_chat.client.engine.confirmed import MAX_OWED, Confirmed
from secure_chat.client.engine.history import History
from secure_chat.client.engine.spaces import Room
from secure_chat.client.engine.state import State
from secure_chat.client.engine.tasks import Promise
from secure_chat.client.events import SecurityKind, SecurityNotice
from secure_chat.wire.errors import ErrorCode, RelayError
from secure_chat.wire.messages import Append, Appended, ChannelKind, ChannelSummary, EntryKind, ServerMessage


@pytest.fixture
def confirmed(state: State) -> Confirmed:
    return Confirmed(state, History(state))


def send(confirmed: Confirmed, room: Room, counter: int) -> Promise[ServerMessage]:
    promise: Promise[ServerMessage] = Promise()
    confirmed.asked(Append(0, room.channel, counter, EntryKind.APPLICATION, 1, b""), promise)
    return promise


def stored(seq: int) -> Appended:
    return Appended(1, seq, 1, 0)


def notices(state: State) -> list[SecurityKind]:
    return [event.kind for event in state.effects.events if isinstance(event, SecurityNotice)]


def summary(room: Room, *, first: int = 1, last: int = 100, joined: int = 1) -> ChannelSummary:
    return ChannelSummary(room.channel, ChannelKind.ROOM, "", b"", 1, 1, first, last, 0, joined)


def test_an_entry_that_came_before_its_answer_is_not_waited_for(confirmed: Confirmed, state: State, room: Room) -> None:
    """The relay may send the two in any order."""
    promise = send(confirmed, room, 1)
    confirmed.passed(room, state.profile.store, 1, 10)
    state.advance(room.channel, 10)
    promise.keep(stored(10))
    assert (room.owed, notices(state), state.confirmed_append) == ([], [], 1)


def test_the_log_has_to_have_it_where_the_relay_said(confirmed: Confirmed, state: State, room: Room) -> None:
    """Another's entry before it alarms nobody; one in its place does."""
    send(confirmed, room, 1).keep(stored(10))
    confirmed.passed(room, bytes(16), 7, 9)
    assert (notices(state), confirmed.last(room.channel)) == ([], 10)
    confirmed.passed(room, bytes(16), 8, 10)
    assert (notices(state), room.owed) == ([SecurityKind.WITHHELD], [])


def test_a_refusal_promises_nothing(confirmed: Confirmed, state: State, room: Room) -> None:
    """Nothing is waited for."""
    send(confirmed, room, 1).fail(RelayError(ErrorCode.STALE, "too old"))
    confirmed.caught_up(room)
    assert (room.owed, notices(state), state.confirmed_append) == ([], [], 0)


@pytest.mark.parametrize("begin", [{"first": 11}, {"joined": 11}])
def test_what_is_not_delivered_any_more_is_not_waited_for(
    confirmed: Confirmed, state: State, room: Room, begin: dict[str, int]
) -> None:
    """It has expired, or lies before this device was added again."""
    send(confirmed, room, 1).keep(stored(10))
    confirmed.listed(summary(room, **begin))
    confirmed.caught_up(room)
    assert (room.owed, notices(state)) == ([], [])


def test_what_was_confirmed_on_an_earlier_connection_has_to_have_come(
    confirmed: Confirmed, state: State, room: Room
) -> None:
    """Once the relay says that everything has."""
    send(confirmed, room, 1).keep(stored(10))
    send(confirmed, room, 2).keep(stored(11))
    confirmed.passed(room, state.profile.store, 2, 9)
    confirmed.caught_up(room)
    assert notices(state) == [SecurityKind.WITHHELD]


def test_what_is_remembered_is_bounded(confirmed: Confirmed, room: Room) -> None:
    """The oldest are dropped."""
    for counter in range(1, MAX_OWED + 3):
        send(confirmed, room, counter).keep(stored(counter + 1_000))
    assert [room.owed[0].counter, len(room.owed)] == [3, MAX_OWED]
