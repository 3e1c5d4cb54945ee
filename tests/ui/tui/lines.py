"""Lines of history for tests, with fixed ids and times."""

import hashlib

from secure_chat.client.views import DeliveryState, MessageKind, MessageView, Reaction

__all__ = ["ANNA", "BEN", "ROOM", "START", "line"]

ROOM = "11" * 16
ANNA, BEN = "0a" * 32, "0b" * 32
START = 1_772_532_000_000
"""2026-03-03 10:00 UTC."""


def line(
    number: int,
    text: str = "",
    *,
    sender: str = "anna",
    account: str = ANNA,
    room: str = ROOM,
    kind: MessageKind = MessageKind.TEXT,
    state: DeliveryState = DeliveryState.RECEIVED,
    detail: str = "",
    minutes: float | None = None,
    reply_to: str | None = None,
    edited: bool = False,
    deleted: bool = False,
    reactions: tuple[Reaction, ...] = (),
) -> MessageView:
    """The line at a position; one a minute unless `minutes` after the start are given."""
    return MessageView(
        id=hashlib.sha256(f"{room} {number}".encode()).hexdigest()[:32],
        room=room,
        position=number,
        kind=kind,
        sender=sender,
        account=account,
        time=START + round((number if minutes is None else minutes) * 60_000),
        text=text or f"message number {number}",
        state=state,
        detail=detail,
        reply_to=reply_to,
        edited=edited,
        deleted=deleted,
        reactions=reactions,
    )
