"""The /commands: those of every skin, and what only a screen has."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from secure_chat.client.commands import JoinRoom, Send, StartDirect
from secure_chat.client.queries import GetStatus
from secure_chat.client.views import MessageId, MessageKind, StatusView
from secure_chat.ui.arguments import Arguments, InputError, Kind, Parameter, parse
from secure_chat.ui.presenter import describe_result
from secure_chat.ui.slash import SLASH, Slash

if TYPE_CHECKING:
    from secure_chat.ui.tui.chat.screen import ChatScreen

__all__ = ["COMMANDS", "Commands"]

_FILE = Parameter(Kind.WORD, name="FILE")
_WRITTEN = (
    Slash("date", "Go to a day of this room.", (Parameter(Kind.TEXT, optional=True, name="DAY"),), "yesterday"),
    Slash("look", "Colours: night, day, contrast, or auto.", (Parameter(Kind.WORD, True, "LOOK"),), "contrast"),
    Slash("compact", "More messages on the screen, fewer lines between them; again: back."),
    Slash("sound", "Bell and notifications for mentions; again: silence."),
    Slash("export", "Write this room's history to a file, as JSON lines.", (_FILE,), "~/plans.jsonl"),
    Slash("backup", "Write an encrypted backup of everything.", (_FILE,), "~/chat.backup"),
    Slash("plain", "Go on in line mode: plain text, for screen readers."),
    Slash("quit", "Leave the chat (also Ctrl-Q); you stay in your rooms."),
)  # fmt: skip

COMMANDS: dict[str, Slash] = dict(sorted({**SLASH, **{slash.name: slash for slash in _WRITTEN}}.items()))
"""Every /command by its name."""


class Commands:
    """Runs typed commands on the main screen."""

    def __init__(self, screen: "ChatScreen") -> None:
        self._screen = screen
        self._written: dict[str, Callable[[str], Awaitable[None]]] = {
            "join": self._join,
            "room": self._room,
            "msg": self._msg,
            "reply": self._reply,
            "fingerprint": self._fingerprint,
            "help": self._help,
        }

    async def run(self, line: str) -> None:
        """Runs ``/name arguments``; raises a SecureChatError."""
        name, _, rest = line[1:].partition(" ")
        rest = rest.strip()
        deeds = self._screen.deeds
        if name in self._written:
            await self._written[name](rest)
        elif name in deeds.BY_COMMAND:
            await deeds.by_command(name, rest)
        else:
            await self._action(name, rest)

    async def _action(self, name: str, rest: str) -> None:
        slash = COMMANDS.get(name)
        if slash is None or slash.action is None:
            raise InputError(
                f"there is no command /{name[:30]}: F1 shows all; to send text that begins with /, write //"
            )
        arguments = self._parse(slash, rest)
        result = await self._screen.desk.ask(slash.action.build(arguments))
        lines = describe_result(result)
        if slash.action.done or result is None:
            self._screen.say(slash.action.done_words(arguments), "good")
        elif len(lines) == 1:
            self._screen.say(lines[0])
        else:
            self._screen.deeds.read(f"/{name}", "\n".join(lines))
        if name in ("create", "accept"):
            await self._enter(arguments.room)

    def _parse(self, slash: Slash, rest: str) -> Arguments:
        assert slash.action is not None
        action = slash.action
        unsent = action.name in ("retry", "cancel")

        def message(reference: str) -> MessageId:
            return self._message(reference, own=action.own_message, unsent=unsent)

        def text_from(index: int) -> str:
            return rest.split(maxsplit=index)[index] if index else rest

        current = self._screen.model.current
        return parse(action, rest.split(), room=current, message=message, rest=text_from, how=slash.how)

    def _message(self, reference: str, *, own: bool, unsent: bool = False) -> MessageId:
        """``^2`` is the last but one; without a number the chosen message, or the last one that fits."""
        lines = [line for line in self._screen.talk.view.window.lines if line.kind is MessageKind.TEXT]
        if reference.startswith("^"):
            number = int(reference[1:])
            if not 0 < number <= len(lines):
                raise InputError(f"{reference}: there are {len(lines)} messages to count back here")
            return lines[-number].id
        if reference:
            return reference
        mine = self._screen.model.account
        for line in reversed(lines):
            if (line.account == mine) == own and not line.deleted:
                if unsent and line.state not in ("queued", "failed"):
                    continue
                return line.id
        raise InputError("there is no such message here: choose one with Esc and the arrows")

    async def _enter(self, name: str) -> None:
        await self._screen.desk.find_room("")  # what was just made is known from now on
        room = self._screen.model.find(name if name.startswith("#") else f"#{name}")
        if room is not None:
            await self._screen.open_room(room.id)

    async def _join(self, rest: str) -> None:
        name = _need(rest, "join").removeprefix("#")
        await self._screen.desk.ask(JoinRoom(name))
        await self._enter(name)

    async def _room(self, rest: str) -> None:
        room = self._screen.model.find(_need(rest, "room"))
        if room is None:
            raise InputError(f"you are in no room {rest}: enter it with /join {rest}, or write to a person with /msg")
        await self._screen.open_room(room.id)

    async def _msg(self, rest: str) -> None:
        person, _, text = _need(rest, "msg").partition(" ")
        room_id = await self._screen.desk.ask(StartDirect(person.removeprefix("@")))
        assert isinstance(room_id, str)
        if room_id != self._screen.model.current:
            await self._screen.open_room(room_id)
        if text.strip():
            await self._screen.desk.ask(Send(room_id, text.strip()))

    async def _reply(self, rest: str) -> None:
        reference, _, text = rest.partition(" ")
        if not reference.startswith("^"):
            reference, text = "", rest
        if not text.strip():
            raise InputError(f"usage: {COMMANDS['reply'].usage}   e.g. /reply ^2 yes; or choose a message and press r")
        target = self._message(reference, own=False)
        await self._screen.desk.ask(Send(self._screen.model.current, text.strip(), target))

    async def _fingerprint(self, rest: str) -> None:
        if rest:
            self._screen.deeds.start("verify", rest.removeprefix("@"))
            return
        status = await self._screen.desk.ask(GetStatus())
        assert isinstance(status, StatusView)
        self._screen.deeds.read("Your fingerprint", f"{status.handle}\n\n{status.fingerprint}")

    async def _help(self, rest: str) -> None:
        if not rest:
            self._screen.deeds.start("help")
            return
        slash = COMMANDS.get(rest.removeprefix("/"))
        if slash is None:
            raise InputError(f"there is no command {rest}: F1 shows all")
        example = f"   e.g. /{slash.name} {slash.example}" if slash.example else ""
        self._screen.say(f"{slash.usage}: {slash.summary}{example}")


def _need(rest: str, name: str) -> str:
    if not rest:
        slash = COMMANDS[name]
        raise InputError(f"usage: {slash.usage}   e.g. /{name} {slash.example}")
    return rest
