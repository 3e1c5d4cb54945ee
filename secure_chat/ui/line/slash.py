"""The /commands of the line mode: those of the table, and those that take several steps."""

import shutil
import textwrap
from collections.abc import Awaitable, Callable
from typing import Protocol

from secure_chat.client.commands import Command, CreateInviteLink, JoinRoom, MarkVerified, Send, StartDirect
from secure_chat.client.events import Result
from secure_chat.client.queries import GetHistory, GetSafetyNumber, GetStatus, Search
from secure_chat.client.views import MessageView, RoomKind, SafetyNumberView, StatusView, Trust
from secure_chat.ui.arguments import Action, Arguments, InputError, parse
from secure_chat.ui.line.keeping import LINE_SLASH, LINE_TOPICS, Keeping
from secure_chat.ui.line.keeping import Screen as KeepingScreen
from secure_chat.ui.line.state import ChatState
from secure_chat.ui.presenter import describe_result, message_lines, safety_number_lines
from secure_chat.ui.qr import qr_lines
from secure_chat.ui.slash import Slash

__all__ = ["NO_ROOM", "Commands", "Quit"]

HISTORY_LINES = 30
SEARCH_HITS = 20
NO_ROOM = "you are in no room: /join #lobby enters one, /rooms shows what there is"
MIN_COLUMNS = 40
"""Narrower terminals break the help's lines themselves."""


class Quit(Exception):
    """The user wants to leave the chat."""


class Screen(KeepingScreen, Protocol):
    """What commands need of the line mode."""

    state: ChatState

    async def ask(self, command: Command) -> Result:
        """A command's result; raises CommandFailed."""

    async def go(self, room_id: str) -> None:
        """Makes a room the current one."""

    async def confirm(self, question: str, *, hint: str, yes: tuple[str, ...], no: tuple[str, ...]) -> bool | None:
        """Yes, no, or None for later."""


class Commands:
    """Runs /commands on a screen."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._keeping = Keeping(screen)
        self._written: dict[str, Callable[[str], Awaitable[None]]] = {
            "join": self._join,
            "room": self._room,
            "next": self._next,
            "msg": self._msg,
            "reply": self._reply,
            "history": self._history,
            "search": self._search,
            "verify": self._verify,
            "fingerprint": self._fingerprint,
            "invite-link": self._invite_link,
            "export": self._export,
            "backup": self._keeping.backup,
            "passphrase": self._passphrase,
            "help": self._help,
            "quit": self._quit,
        }

    async def run(self, line: str) -> None:
        """Runs ``/name arguments``; raises InputError, CommandFailed or Quit."""
        name, _, rest = line[1:].partition(" ")
        if name in self._written:
            await self._written[name](rest.strip())
            return
        slash = LINE_SLASH.get(name)
        if slash is None or slash.action is None:
            raise InputError(f"there is no command /{name[:30]}: see /help; to send text that begins with /, write //")
        arguments = self._parse(slash, slash.action, rest)
        if name == "create":
            self._require_new(arguments.room)
        result = await self._screen.ask(slash.action.build(arguments))
        self._screen.show(
            [slash.action.done_words(arguments)] if slash.action.done or result is None else describe_result(result)
        )
        if name in ("create", "accept"):
            await self._enter(arguments.room)

    def _parse(self, slash: Slash, action: Action, rest: str) -> Arguments:
        state = self._screen.state
        words = rest.split()
        unsent = action.name in ("retry", "cancel")

        def message(reference: str) -> str:
            if not reference and unsent:
                return state.waiting()
            return state.message(reference, own=action.own_message)

        def text_from(index: int) -> str:
            return rest.split(maxsplit=index)[index] if index else rest

        return parse(action, words, room=state.current, message=message, rest=text_from, how=slash.how)

    def _require_new(self, name: str) -> None:
        """Two rooms of one name would have to be told apart by their ids."""
        room = self._screen.state.find(f"#{name.removeprefix('#')}")
        if room is not None and room.joined and room.kind is not RoomKind.DIRECT:
            raise InputError(f"you are in a room #{room.name} already: go there with /room, or choose another name")

    async def _enter(self, name: str) -> None:
        room = self._screen.state.find(name if name.startswith("#") else f"#{name}")
        if room is not None:
            await self._screen.go(room.id)

    async def _join(self, rest: str) -> None:
        name, *more = _need(rest, "join").removeprefix("#").split()
        if more:
            raise InputError(f"{more[0]!r} is too much; usage: {LINE_SLASH['join'].how}")
        await self._screen.ask(JoinRoom(name))
        await self._enter(name)

    async def _room(self, rest: str) -> None:
        name = _need(rest, "room")
        room = self._screen.state.find(name)
        if room is None:
            raise InputError(f"you are in no room {name}: see /rooms, enter one with /join, or /msg a person")
        await self._screen.go(room.id)

    async def _next(self, rest: str) -> None:
        room = self._screen.state.next_unread()
        if room is None:
            self._screen.show(["-- nothing is unread elsewhere"])
            return
        await self._screen.go(room.id)

    async def _msg(self, rest: str) -> None:
        person, _, text = _need(rest, "msg").partition(" ")
        room_id = await self._screen.ask(StartDirect(person.removeprefix("@")))
        assert isinstance(room_id, str)
        if room_id != self._screen.state.current or not text.strip():
            await self._screen.go(room_id)
        if text.strip():
            await self._screen.ask(Send(room_id, text.strip()))

    async def _reply(self, rest: str) -> None:
        state = self._screen.state
        reference, _, text = rest.partition(" ")
        if not reference.startswith("^"):
            reference, text = "", rest
        if not text.strip():
            raise InputError(f"usage: {LINE_SLASH['reply'].how}")
        target = state.message(reference, own=False)
        await self._screen.ask(Send(state.current, text.strip(), target))

    async def _history(self, rest: str) -> None:
        state = self._screen.state
        if rest and not (rest.isascii() and rest.isdigit() and int(rest)):
            raise InputError(f"usage: {LINE_SLASH['history'].how}")
        if not state.current:
            raise InputError(NO_ROOM)
        limit = min(int(rest), 1_000) if rest else HISTORY_LINES
        lines = await self._screen.ask(GetHistory(state.current, limit))
        assert isinstance(lines, tuple)
        views = [line for line in lines if isinstance(line, MessageView)]
        state.enter(state.current, views, state.present)
        numbers = {view.id: number for number, view in enumerate(reversed([v for v in views if v.kind == "text"]), 1)}
        shown = []
        for view in views:
            first, *more = message_lines(view)
            shown += [f"^{numbers[view.id]:<3} {first}" if view.id in numbers else f"     {first}", *more]
        self._screen.show(shown or ["-- nothing here yet"])

    async def _search(self, rest: str) -> None:
        words = _need(rest, "search")
        room = self._screen.state.current if words.startswith("# ") else None
        hits = await self._screen.ask(Search(words.removeprefix("# "), room, SEARCH_HITS))
        self._screen.show(describe_result(hits) if hits else ["-- nothing found"])

    async def _verify(self, rest: str) -> None:
        person, _, number = _need(rest, "verify").removeprefix("@").partition(" ")
        if number:
            await self._screen.ask(MarkVerified(person, number))
            self._screen.show([f"-- {person} is verified, in all rooms."])
            return
        view = await self._screen.ask(GetSafetyNumber(person))
        assert isinstance(view, SafetyNumberView)
        if view.trust is Trust.SELF:
            raise InputError("that is you; your own fingerprint, for others to check: /fingerprint")
        self._screen.show(
            [
                *safety_number_lines(view),
                f"-- {view.handle} types /verify {self._screen.state.handle}: compare by voice or side by side.",
            ]
        )
        same = await self._screen.confirm(
            "Are all digits the same on both screens? (y/n/later) ",
            yes=("same",),
            no=("different",),
            hint="y or same, n or different, or later; a /command leaves the question",
        )
        if same is None:
            self._screen.show([f"-- put off; /verify {view.handle} asks again"])
        elif same:
            await self._screen.ask(MarkVerified(view.handle, view.number))
            self._screen.show([f"-- {view.handle} is verified, in all rooms."])
        else:
            self._screen.show(
                [
                    f"-- {view.handle} is not verified.",
                    "!! If the digits differ, somebody may sit between you: write nothing secret, compare another way.",
                ]
            )

    async def _fingerprint(self, rest: str) -> None:
        if not rest:
            status = await self._screen.ask(GetStatus())
            assert isinstance(status, StatusView)
            self._screen.show([f"{status.handle}: {status.fingerprint}"])
            return
        view = await self._screen.ask(GetSafetyNumber(rest.removeprefix("@")))
        assert isinstance(view, SafetyNumberView)
        self._screen.show([*safety_number_lines(view), *qr_lines(view.qr)])

    async def _invite_link(self, rest: str) -> None:
        link = await self._screen.ask(CreateInviteLink())
        assert isinstance(link, str)
        self._screen.show([*qr_lines(link), link, "-- for one person, valid for 7 days"])

    async def _export(self, rest: str) -> None:
        await self._keeping.export(rest, self._screen.state.current)

    async def _passphrase(self, rest: str) -> None:
        if rest:
            raise InputError("a passphrase is not typed into the line, where all can read it: /passphrase asks for it")
        await self._keeping.passphrase()

    async def _help(self, rest: str) -> None:
        if rest:
            slash = LINE_SLASH.get(rest.removeprefix("/"))
            if slash is None:
                raise InputError(f"there is no command {rest}: see /help")
            example = [f"  e.g. /{slash.name} {slash.example}"] if slash.example else []
            self._screen.show([slash.usage, f"  {slash.summary}", *example])
            return
        listed = [LINE_SLASH[name] for names in LINE_TOPICS.values() for name in names]
        width = max(len(slash.usage) for slash in listed)
        columns = max(shutil.get_terminal_size().columns, MIN_COLUMNS)
        lines = ["Type a line and press Enter to send it; Alt-Enter begins a new line; Tab completes."]
        for topic, names in LINE_TOPICS.items():
            lines.append(topic)
            for name in names:
                slash = LINE_SLASH[name]
                lines += textwrap.wrap(
                    f"  {slash.usage:<{width}}  {slash.summary}",
                    columns,
                    subsequent_indent=" " * (width + 4 if columns > 2 * width else 6),
                )
        lines += textwrap.wrap(
            "ROOM is this one if not named. Messages are named ^1 (the last one), ^2, …: see /history. "
            "For an example: /help COMMAND",
            columns,
        )
        self._screen.show(lines)

    async def _quit(self, rest: str) -> None:
        raise Quit


def _need(rest: str, name: str) -> str:
    if not rest:
        raise InputError(f"usage: {LINE_SLASH[name].how}")
    return rest
