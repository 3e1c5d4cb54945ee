"""Which wording of a message has been told, for skins that can't change what they have printed."""

from secure_chat.client.views import DeliveryState, MessageId, MessageView

__all__ = ["Told"]

REMEMBERED = 2_000
"""Messages of which a change may still come while they are fresh."""


class Told:
    """Keeps a tick under a message, or a thumb, from telling an earlier change once more."""

    def __init__(self) -> None:
        self._words: dict[MessageId, tuple[str, bool, bool]] = {}

    def news(self, message: MessageView) -> bool:
        """Whether text, deletion or failure are others than when it was told last; they count as told from now on."""
        words = (message.text, message.deleted, message.state is DeliveryState.FAILED)
        before = self._words.pop(message.id, None)
        self._words[message.id] = words
        if len(self._words) > REMEMBERED:
            del self._words[next(iter(self._words))]
        return words != before
