"""A chat with three rooms."""

import pytest

from secure_chat.client.views import RoomKind, RoomView
from secure_chat.ui.line.state import ChatState
from tests.client.lines import LOBBY, OTHER

DIRECT = "33" * 16


def room(
    room_id: str, name: str, kind: RoomKind = RoomKind.OPEN, *, unread: int = 0, mentions: int = 0, last: int = 0
) -> RoomView:
    return RoomView(
        id=room_id,
        kind=kind,
        name=name,
        suite=3,
        epoch=1,
        members=3,
        verified=0,
        unread=unread,
        mentions=mentions,
        muted=False,
        admin=False,
        members_may_invite=False,
        joined=True,
        writable=True,
        blocked="",
        post_quantum=False,
        last_time=last,
    )


@pytest.fixture
def state() -> ChatState:
    state = ChatState("me")
    state.rooms = {
        LOBBY: room(LOBBY, "lobby"),
        OTHER: room(OTHER, "dev", RoomKind.ROOM, unread=2, last=5),
        DIRECT: room(DIRECT, "bob", RoomKind.DIRECT, unread=1, mentions=1, last=1),
    }
    state.enter(LOBBY, [], ["me", "alice", "bob"])
    return state
