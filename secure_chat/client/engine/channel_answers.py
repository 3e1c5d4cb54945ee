"""What the relay answers about channels, held against what was asked.

A channel decides who gets to read what is queued for it. A relay that names another channel than the one asked for
could lead a private message into a room: such an answer is refused and told, and changes nothing.
"""

from secure_chat.client.engine.history import History
from secure_chat.client.engine.spaces import Room
from secure_chat.client.engine.state import State
from secure_chat.client.errors import CommandFailed
from secure_chat.client.events import FailureCode, SecurityKind
from secure_chat.wire.messages import ChannelInfo, ChannelKind, CreateChannel

__all__ = ["ChannelAnswers"]


class ChannelAnswers:
    """Accepts only what was asked for."""

    def __init__(self, state: State, history: History) -> None:
        self._state = state
        self._history = history

    def require_made(self, asked: CreateChannel, answer: ChannelInfo) -> None:
        """The channel that `CreateChannel` was to make or find; CommandFailed for any other."""
        summary = answer.summary
        known = self._state.rooms.get(summary.channel)
        right = (summary.kind, summary.name, summary.peer) == (asked.kind, asked.name, asked.peer)
        if known is not None:
            # A new closed room has a new channel; the others are the same for good.
            right = right and asked.kind is not ChannelKind.ROOM and known.kind == asked.kind
            right = right and (known.kind != ChannelKind.OPEN or known.name == asked.name)
            right = right and (known.kind != ChannelKind.DIRECT or known.peer == asked.peer)
        if not right:
            self._refuse(None)

    def require_same(self, room: Room, answer: ChannelInfo) -> None:
        """The channel that `GetChannel` asked about; CommandFailed for any other."""
        summary = answer.summary
        if (summary.channel, summary.kind) != (room.channel, room.kind):
            self._refuse(room)

    def _refuse(self, room: Room | None) -> None:
        text = "The relay answered with another conversation than was asked for; nothing was sent there."
        if room is None:
            self._history.notice_security(SecurityKind.FALSE_ANSWER, text)
        else:
            self._history.security(room, SecurityKind.FALSE_ANSWER, text)
        raise CommandFailed(FailureCode.REFUSED, "the relay named another conversation than was asked for")
