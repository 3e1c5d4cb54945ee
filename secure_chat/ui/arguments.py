"""What a command takes, and how typed words become it: for the command line and the /commands of the line mode."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from secure_chat.client.commands import Command
from secure_chat.client.errors import ClientError
from secure_chat.client.views import MessageId

__all__ = ["Action", "Arguments", "InputError", "Kind", "Parameter", "parse"]


class InputError(ClientError):
    """What was typed is not what the command takes; the message shows how it is used."""


class Kind(Enum):
    """What a parameter is: how it is completed and where its default comes from."""

    ROOM = "ROOM"
    """`#name`; in the line mode the current room unless another is named."""
    NAME = "NAME"
    """A room that has to be named; the `#` may be left out."""
    PERSON = "PERSON"
    PEOPLE = "PERSON..."
    MESSAGE = "MESSAGE"
    """A message id; in the line mode `^1` for the last message, `^2` for the one before, or nothing."""
    TEXT = "TEXT"
    """The rest of the line as it is."""
    WORD = "WORD"
    NUMBER = "NUMBER"
    SWITCH = "on|off"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One thing that a command takes."""

    kind: Kind
    optional: bool = False
    name: str = ""
    """How usage lines call it, if not by its kind."""

    @property
    def metavar(self) -> str:
        """As it stands in a usage line."""
        name = self.name or self.kind.value
        return f"[{name}]" if self.optional else name


@dataclass(slots=True)
class Arguments:
    """What was given, by kind: no command takes two of one kind."""

    room: str = ""
    person: str = ""
    people: tuple[str, ...] = ()
    message: MessageId = ""
    text: str = ""
    word: str = ""
    number: int | None = None
    switch: bool = True
    flags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Action:
    """One command for users."""

    name: str
    summary: str
    build: Callable[[Arguments], Command]
    parameters: tuple[Parameter, ...] = ()
    flags: dict[str, str] = field(default_factory=dict)
    """Switches beginning with ``--`` and what they mean."""
    done: str = ""
    """What to say when it is done and returns nothing; with the arguments' names in braces."""
    example: str = ""
    """Arguments as one would type them."""
    own_message: bool = False
    """Without a MESSAGE the last one of one's own is meant, otherwise the last of somebody else."""

    @property
    def usage(self) -> str:
        """Name and parameters."""
        return " ".join([self.name, *(parameter.metavar for parameter in self.parameters)])

    @property
    def how(self) -> str:
        """Usage and an example, for whoever typed it wrongly."""
        return f"{self.usage}   e.g. {self.name} {self.example}" if self.example else self.usage

    def done_words(self, arguments: Arguments) -> str:
        """What to say when it is done and returned nothing to show."""
        return self.done.format(
            room=arguments.room,
            person=arguments.person,
            people=", ".join(arguments.people),
            word=arguments.word,
            switch="on" if arguments.switch else "off",
        )


def parse(
    action: Action,
    words: Sequence[str],
    *,
    room: str = "",
    message: Callable[[str], MessageId] | None = None,
    rest: Callable[[int], str] | None = None,
    how: str = "",
) -> Arguments:
    """The arguments in typed words; raises InputError with the usage.

    `room` is the current one, if there is one; `message` makes a message id of `^2` or of nothing (without it, an id
    must be given); `rest` gives the line from the n-th word on as it was typed; `how` says how this skin has it typed.
    """
    how = f"usage: {how or action.how}"
    flags = frozenset(word for word in words if word in action.flags)
    positions = [index for index, word in enumerate(words) if word not in action.flags]
    given = [words[index] for index in positions]
    arguments = Arguments(room=room, flags=flags)
    used = 0
    for parameter in action.parameters:
        word = given[used] if used < len(given) else None
        match parameter.kind:
            case Kind.ROOM if room and (word is None or not word.startswith("#")):
                continue
            case Kind.MESSAGE if message is not None and (word is None or not _is_message(word)):
                arguments.message = message("")
                continue
        if word is None:
            if parameter.optional:
                continue
            raise InputError(how)
        used += 1
        match parameter.kind:
            case Kind.ROOM | Kind.NAME:
                arguments.room = word
            case Kind.PERSON:
                arguments.person = word.removeprefix("@")
            case Kind.PEOPLE:
                arguments.people = tuple(each.removeprefix("@").rstrip(",") for each in given[used - 1 :])
                used = len(given)
            case Kind.MESSAGE:
                arguments.message = message(word) if message is not None and word.startswith("^") else word
            case Kind.TEXT:
                arguments.text = rest(positions[used - 1]) if rest is not None else " ".join(given[used - 1 :])
                used = len(given)
            case Kind.WORD:
                arguments.word = word
            case Kind.NUMBER:
                if not (word.isascii() and word.isdigit()):
                    raise InputError(f"{word!r} is no number; {how}")
                arguments.number = int(word)
            case Kind.SWITCH:
                if word not in ("on", "off"):
                    raise InputError(f"it is either on or off; {how}")
                arguments.switch = word == "on"
    if used < len(given):
        raise InputError(f"{given[used]!r} is too much; {how}")
    return arguments


def _is_message(word: str) -> bool:
    """``^3`` or an id; anything else is the next parameter."""
    return (word.startswith("^") and word[1:].isdigit()) or (
        len(word) == 32 and all(character in "0123456789abcdef" for character in word)
    )
