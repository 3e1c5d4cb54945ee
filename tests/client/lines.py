"""Lines of history for tests."""

import hashlib

from secure_chat.client.views import DeliveryState, MessageKind, MessageView, Reaction

__all__ = ["ALICE", "KEY", "LOBBY", "OTHER", "line"]

KEY = bytes(range(32))
LOBBY = "11" * 16
OTHER = "22" * 16
ALICE = "aa" * 32


def line(
    name: str,
    text: str = "",
    *,
    room: str = LOBBY,
    position: int = 0,
    kind: MessageKind = MessageKind.TEXT,
    state: DeliveryState = DeliveryState.RECEIVED,
    deleted: bool = False,
    edited: bool = False,
    reply_to: str | None = None,
    reactions: tuple[Reaction, ...] = (),
) -> MessageView:
    """A line whose id follows from `name`."""
    return MessageView(
        id=hashlib.md5(name.encode(), usedforsecurity=False).hexdigest(),
        room=room,
        position=position,
        kind=kind,
        sender="alice",
        account=ALICE,
        time=1_700_000_000_000,
        text=text or name,
        state=state,
        detail="",
        reply_to=reply_to,
        edited=edited,
        deleted=deleted,
        reactions=reactions,
    )
