"""What can be done with rooms, with the view of them, and with files."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from secure_chat.client.commands import AcceptInvitation, CreateInviteLink, DeclineInvitation, Mute, Unmute
from secure_chat.client.events import Progress
from secure_chat.client.queries import Search
from secure_chat.client.views import Hit, RoomId, RoomKind, RoomView
from secure_chat.ui.arguments import InputError
from secure_chat.ui.presenter import room_title, trust_words
from secure_chat.ui.tui import cells
from secure_chat.ui.tui.dialogs.ask import TextDialog
from secure_chat.ui.tui.dialogs.choose import Choose
from secure_chat.ui.tui.lists import Item
from secure_chat.ui.tui.looks import LOOKS

if TYPE_CHECKING:
    from secure_chat.ui.tui.chat.screen import ChatScreen

__all__ = ["RoomDeeds"]

PROGRESS_EVERY = 0.2
"""Seconds between two looks at how far a backup is."""


class RoomDeeds:
    """Deeds on the current room and the screen."""

    def __init__(self, screen: "ChatScreen") -> None:
        self._screen = screen

    def table(self) -> dict[str, Callable[[str], Awaitable[None]]]:
        """By name."""
        return {
            "next": self._next,
            "unread": self._unread,
            "oldest": self._oldest,
            "search": self._search,
            "date": self._date,
            "mute": self._mute,
            "invitation": self._invitation,
            "invite_link": self._invite_link,
            "look": self._look,
            "compact": self._compact,
            "sound": self._sound,
            "export": self._export,
            "backup": self._backup,
        }

    async def _next(self, _: str) -> None:
        room = self._screen.model.next_unread()
        if room is not None:
            self._screen.go(room.id)
        elif self._screen.model.invitations:
            await self._invitation(next(iter(self._screen.model.invitations)))
        else:
            self._screen.say("nothing is unread elsewhere")

    async def _unread(self, _: str) -> None:
        if not await self._screen.talk.jump_to_unread():
            self._screen.say("nothing here is new since you left")

    async def _oldest(self, _: str) -> None:
        await self._screen.talk.jump_to_fraction(0.0)
        self._screen.talk.view.focus()

    async def _search(self, words: str) -> None:
        from secure_chat.ui.tui.search.screen import LIMIT, SearchDialog

        screen = self._screen
        room = screen.model.room

        async def search(text: str, where: RoomId | None) -> tuple[Hit, ...]:
            found = await screen.desk.ask(Search(text, where, LIMIT))
            assert isinstance(found, tuple)
            return tuple(hit for hit in found if isinstance(hit, Hit))

        title = cells.line(room_title(room)) if room is not None else ""
        found = await screen.app.push_screen_wait(SearchDialog(search, screen.model.current, title, words))
        if found is None:
            return
        message = found.hit.message
        if message.room != screen.model.current:
            await screen.open_room(message.room)
        screen.talk.around.mark(found.words)
        screen.talk.view.refreshed()
        screen.talk.view.focus()
        await screen.talk.jump(message.id)
        screen.say("Esc: back to writing; again: no marks", "dim")

    async def _date(self, text: str) -> None:
        from secure_chat.ui.tui.search.dates import parse_day

        today = date.today()
        moment: int | None
        if text:
            moment = parse_day(text, today)
        else:
            dialog: TextDialog[int] = TextDialog(
                "Go to a day", lambda typed: parse_day(typed, today), hint="2026-03-01, yesterday, monday, 3 days ago"
            )
            moment = await self._screen.app.push_screen_wait(dialog)
        if moment is None:
            return
        if not await self._screen.talk.jump_to_time(moment):
            self._screen.say(
                f"nothing was written here since {time.strftime('%Y-%m-%d', time.localtime(moment / 1000))}"
            )

    async def _mute(self, _: str) -> None:
        room = self._room()
        await self._screen.desk.ask(Unmute(room.id) if room.muted else Mute(room.id))
        self._screen.say(f"{cells.line(room_title(room))} {'calls you again' if room.muted else 'is muted'}")

    def _room(self) -> RoomView:
        room = self._screen.model.room
        if room is None:
            raise InputError("you are in no room: /join lobby enters one")
        return room

    async def _invitation(self, room_id: str) -> None:
        screen = self._screen
        invitation = screen.model.invitations.get(room_id)
        if invitation is None:
            return
        name = cells.line(invitation.name)
        others = ", ".join(invitation.members[:8]) or "nobody else"
        items = [
            Item("accept", (("Enter ", "text"), (f"#{name}", "accent-strong"))),
            Item("decline", (("Decline; the room is told", "text"),)),
        ]
        hint = f"{invitation.inviter} ({trust_words(invitation.trust)}) invites you. In it: {others}"
        match await screen.app.push_screen_wait(Choose(f"Invitation to #{cells.cut(name, 40)}", items, hint=hint)):
            case "accept":
                await screen.desk.ask(AcceptInvitation(room_id))
                screen.model.invitations.pop(room_id, None)
                screen.go(room_id)
            case "decline":
                await screen.desk.ask(DeclineInvitation(room_id))
                screen.model.invitations.pop(room_id, None)
                screen.draw_lists()

    async def _invite_link(self, _: str) -> None:
        from secure_chat.ui.tui.dialogs.invite import InviteDialog

        link = await self._screen.desk.ask(CreateInviteLink())
        assert isinstance(link, str)
        notes = "For one person, valid for 7 days. They run: secure-chat client '<link>'"
        room = self._screen.model.room
        if room is not None and room.kind is RoomKind.OPEN and room.name != "lobby":
            notes += f"\nThen, for this room: /join {cells.line(room.name)}"
        elif room is not None and room.kind is RoomKind.ROOM:
            notes += "\nThen invite them here: /invite NAME"
        await self._screen.app.push_screen_wait(InviteDialog(link, notes))

    async def _look(self, name: str) -> None:
        app = self._screen.app
        if not name:
            items = [Item(each, ((each, "text"),), _now(each == app.theme)) for each in LOOKS]
            items.append(Item("auto", (("auto", "text"),), (("as the terminal is", "dim"),)))
            chosen = await app.push_screen_wait(Choose("Colours", items))
            name = chosen or ""
        if not name:
            return
        if name not in LOOKS and name != "auto":
            raise InputError(f"there are: {', '.join(LOOKS)}, auto")
        app.settings.look = "" if name == "auto" else name
        app.save_settings()
        app.choose_look()

    async def _compact(self, _: str) -> None:
        app, view = self._screen.app, self._screen.talk.view
        app.settings.compact = not app.settings.compact
        app.save_settings()
        view.compact = app.settings.compact
        view.refreshed()

    async def _sound(self, _: str) -> None:
        app = self._screen.app
        app.settings.sound = not app.settings.sound
        app.save_settings()
        self._screen.say("mentions ring the bell" if app.settings.sound else "the bell is silent")

    # --- files

    async def _export(self, name: str) -> None:
        from secure_chat.ui.export import export_file

        screen = self._screen
        room = self._room()
        path = self._path(name, "/export FILE")
        loop = asyncio.get_running_loop()
        task = f"exporting {cells.line(room_title(room))}"

        def told(count: int) -> None:
            loop.call_soon_threadsafe(self._progress, task, count)

        self._progress(task, 0)
        try:
            count = await asyncio.to_thread(export_file, screen.desk.client, (room.id,), path, told)
        finally:
            self._progress("", None)
        screen.say(f"{count:,} lines are in {path}", "good")

    async def _backup(self, name: str) -> None:
        screen = self._screen
        path = self._path(name, "/backup FILE")
        question: TextDialog[str] = TextDialog(
            "Passphrase for the backup", _not_empty, hint="Without it the backup can't be opened.", password=True
        )
        passphrase = await screen.app.push_screen_wait(question)
        if passphrase is None:
            return
        writing = asyncio.wrap_future(screen.desk.client.backup(path, passphrase))
        try:
            while not (await asyncio.wait({writing}, timeout=PROGRESS_EVERY))[0]:
                self._progress("writing the backup, kilobytes", await asyncio.to_thread(_kilobytes, path))
            await writing
        finally:
            self._progress("", None)
        screen.say(f"the backup is in {path}", "good")

    def _path(self, name: str, usage: str) -> Path:
        if not name:
            raise InputError(f"usage: {usage}")
        return Path(name).expanduser()

    def _progress(self, task: str, done: int | None) -> None:
        self._screen.notices.progress = None if done is None else Progress(task, done, 0)
        self._screen.draw_info()


def _now(current: bool) -> tuple[tuple[str, str], ...]:
    return (("now", "accent"),) if current else ()


def _kilobytes(path: Path) -> int:
    """How large a file is by now."""
    try:
        return path.stat().st_size // 1000
    except OSError:
        return 0  # it is not there yet


def _not_empty(text: str) -> str:
    if not text:
        raise InputError("an empty passphrase protects nothing")
    return text
