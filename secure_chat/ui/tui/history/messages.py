"""What the history tells its screen."""

from dataclasses import dataclass

from textual.message import Message

from secure_chat.client.views import MessageView

__all__ = ["Chosen", "JumpAsked", "LeftHistory", "Needed", "Opened", "Reached"]


@dataclass
class Needed(Message):
    """The user comes near the end of what is in memory."""

    older: bool

    def can_replace(self, message: Message) -> bool:
        """Only one of a kind need wait."""
        return isinstance(message, Needed) and message.older == self.older


@dataclass
class Reached(Message):
    """The newest line is on screen, or no longer."""

    end: bool


class Chosen(Message):
    """Another message is chosen, or none."""


@dataclass
class Opened(Message):
    """Enter on a message: to read it whole, or to go where its quote comes from."""

    message: MessageView


@dataclass
class JumpAsked(Message):
    """The scroll bar was clicked: to this part of the history, between 0 and 1."""

    fraction: float


@dataclass
class LeftHistory(Message):
    """The user wants to write again."""
