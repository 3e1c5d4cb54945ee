"""What the line mode remembers."""

import pytest
from msgspec.structs import replace

from secure_chat.client.views import DeliveryState, MessageKind
from secure_chat.ui.arguments import InputError
from secure_chat.ui.line.state import ChatState
from tests.client.lines import LOBBY, OTHER, line
from tests.ui.line.conftest import DIRECT, room


def test_prompt_shows_room_and_what_waits_elsewhere(state: ChatState) -> None:
    """The current room's own count is no news."""
    assert state.prompt == "#lobby (3 unread elsewhere)> "
    state.rooms = {LOBBY: room(LOBBY, "lobby", unread=9)}
    assert state.prompt == "#lobby> "
    assert ChatState("me").prompt == "no room> "


def test_rooms_are_found_by_name_and_people_by_handle(state: ChatState) -> None:
    """A `#` means a room, none prefers the person."""
    state.rooms["44" * 16] = room("44" * 16, "bob")
    for name, room_id in {"#bob": "44" * 16, "bob": DIRECT, "@bob": DIRECT, "dev": OTHER, "#dev": OTHER}.items():
        found = state.find(name)
        assert found is not None
        assert found.id == room_id
    assert state.find("nobody") is None


def test_messages_are_counted_from_the_last_one(state: ChatState) -> None:
    """Notices and other rooms don't count."""
    for number in range(5):
        state.saw(line(str(number)))
    state.saw(line("notice", kind=MessageKind.NOTICE))
    state.saw(line("elsewhere", room=OTHER))
    assert state.message("^1", own=False) == line("4").id
    assert state.message("^5", own=True) == line("0").id
    assert state.message("ab" * 16, own=False) == "ab" * 16
    for reference in ("^6", "^0"):
        with pytest.raises(InputError, match=r"from \^1 to \^5"):
            state.message(reference, own=False)


def test_without_a_number_the_last_own_or_other_message_is_meant(state: ChatState) -> None:
    """Editing means one's own, reacting somebody else's; deleted ones are passed over."""
    with pytest.raises(InputError, match="of yours"):
        state.message("", own=True)
    mine = replace(line("mine"), sender="me")
    state.saw(mine)
    state.saw(line("theirs"))
    state.saw(line("gone", deleted=True))
    assert state.message("", own=True) == mine.id
    assert state.message("", own=False) == line("theirs").id


def test_changed_messages_are_followed(state: ChatState) -> None:
    """What failed can be retried by naming nothing."""
    with pytest.raises(InputError, match="sent"):
        state.waiting()
    state.saw(line("m", state=DeliveryState.QUEUED))
    state.changed(line("m", "m", state=DeliveryState.FAILED))
    assert state.waiting() == line("m").id
    known = state.known(line("m").id)
    assert known is not None
    assert known.state is DeliveryState.FAILED


def test_names_are_ordered_by_who_spoke_last(state: ChatState) -> None:
    """Then the others in the room."""
    state.saw(replace(line("1"), sender="carol"))
    state.saw(replace(line("2"), sender="bob"))
    state.saw(replace(line("3"), sender="me"))
    assert state.names() == ["bob", "carol", "alice"]


def test_next_unread_prefers_mentions_then_recent_rooms(state: ChatState) -> None:
    """One key takes one through everything that waits."""
    order = []
    while found := state.next_unread():
        order.append(found.name)
        state.rooms[found.id] = replace(found, unread=0)
    assert order == ["bob", "dev"]
