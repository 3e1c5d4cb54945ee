"""The line mode: reads lines, prints what comes in above them. Works with a screen reader: text, no redrawn areas."""

import asyncio
import contextvars
import os
import sys
from collections import deque

from msgspec.structs import replace
from prompt_toolkit import PromptSession
from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.formatted_text import AnyFormattedText
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.shortcuts import CompleteStyle

from secure_chat.client.api import Client
from secure_chat.client.commands import Command, MarkRead, Send
from secure_chat.client.errors import ClientError
from secure_chat.client.events import (
    CaughtUp,
    ConnectionChanged,
    Event,
    MessageAdded,
    MessageChanged,
    PresenceChanged,
    Result,
    RoomChanged,
    RoomRemoved,
    ShuttingDown,
)
from secure_chat.client.queries import GetHistory, GetInvitations, GetMembers, GetRooms, GetStatus
from secure_chat.client.views import (
    ConnectionState,
    DeliveryState,
    MemberView,
    MessageView,
    RoomKind,
    RoomView,
    StatusView,
)
from secure_chat.errors import SecureChatError
from secure_chat.ui.line.complete import ChatCompleter
from secure_chat.ui.line.slash import Commands, Quit
from secure_chat.ui.line.state import ChatState
from secure_chat.ui.presenter import describe_event, describe_failure, describe_result, message_lines, room_title

__all__ = ["LineMode", "run_line_mode"]

LAST_LINES = 10
"""Of the history, shown on entering a room."""
PASTE_LINES = 3
"""More lines than that at once are sent only after asking."""
READ_DELAY = 0.5
"""Seconds in which several messages are marked as read together."""


def run_line_mode(client: Client) -> None:
    """Runs the chat until the user leaves it."""
    # Nothing waits for the terminal to say where its cursor is: some never do.
    os.environ.setdefault("PROMPT_TOOLKIT_NO_CPR", "1")
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    asyncio.run(LineMode(client).run())


class LineMode:
    """One run of the line mode; everything but `_hear` happens in the thread of its event loop."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._events: deque[Event] = deque()
        self._woken = False
        self._ready = False
        """The rooms are known, so that events can be told."""
        self._read: set[str] = set()
        """Rooms in which something was shown a moment ago."""
        self._online = False
        self._told_offline = False
        self._seen_while_away: dict[str, int] = {}
        self._ending = ""
        self._prompt: PromptSession[str]
        self._loop: asyncio.AbstractEventLoop
        self._context: contextvars.Context

    async def run(self) -> None:
        """Until the user leaves or the client ends."""
        self._loop = asyncio.get_running_loop()
        status = await self.ask(GetStatus())
        assert isinstance(status, StatusView)
        self.state = ChatState(status.handle)
        self._online = status.connection is ConnectionState.ONLINE
        self._commands = Commands(self)
        self._prompt = PromptSession(
            history=InMemoryHistory(),  # what was typed must not lie in a file
            completer=ChatCompleter(self.state),
            complete_style=CompleteStyle.READLINE_LIKE,
            complete_while_typing=False,
            key_bindings=_key_bindings(),
            erase_when_done=True,
        )
        self._context = contextvars.copy_context()
        unsubscribe = self._client.subscribe(self._hear)
        try:
            self.show([f"You are {status.handle} at {status.address}. /help shows what you can do."])
            await self._load_rooms()
            self._ready = True
            self._drain()
            await self._read_lines()
        finally:
            unsubscribe()
            if self._ending:
                self.show([self._ending])

    async def _load_rooms(self) -> None:
        rooms = await self.ask(GetRooms())
        assert isinstance(rooms, tuple)
        for room in rooms:
            assert isinstance(room, RoomView)
            self.state.rooms[room.id] = room
        invitations = await self.ask(GetInvitations())
        if invitations:
            self.show(describe_result(invitations))
        joined = [room for room in self.state.rooms.values() if room.joined]
        if joined and not self.state.current:
            await self.go(max(joined, key=lambda room: room.last_time).id)

    async def _read_lines(self) -> None:
        interrupted = False
        while not self._ending:
            try:
                line = await self._prompt.prompt_async(self._prompt_text)
            except KeyboardInterrupt:
                if interrupted:
                    return
                interrupted = True
                self.show(["-- Ctrl-C again or Ctrl-D leaves the chat"])
                continue
            except EOFError:
                return
            interrupted = False
            try:
                await self._take(line)
            except Quit:
                return
            except SecureChatError as error:
                self.show([f"!! {describe_failure(error)}"])

    def _prompt_text(self) -> AnyFormattedText:
        return self.state.prompt

    async def _take(self, line: str) -> None:
        if not line.strip():
            return
        if line.startswith("/") and not line.startswith("//") and "\n" not in line:
            self.show([f"> {line}"])
            await self._commands.run(line.rstrip())
            return
        if line.startswith("//"):
            line = line[1:]
        if not self.state.current:
            raise ClientError("you are in no room: /join #lobby enters one")
        count = line.count("\n") + 1
        if count > PASTE_LINES and not await self.confirm(f"Send {count} lines as one message? (yes/no) "):
            return
        future = self._client.submit(Send(self.state.current, line))
        future.add_done_callback(lambda done: self._sent(line, done.exception()))

    def _sent(self, line: str, error: BaseException | None) -> None:
        """From the client's thread: the message is on disk, or was refused and must not be lost."""
        if isinstance(error, Exception):
            lines = [f"!! not sent: {describe_failure(error)}", *(f"   {each}" for each in line.split("\n"))]
            self._loop.call_soon_threadsafe(self.show, lines, context=self._context)

    # --- what commands use

    def show(self, lines: list[str]) -> None:
        """Prints above the prompt."""
        text = "".join(line + "\n" for line in lines if line)
        if not text:
            return

        def write() -> None:
            sys.stdout.write(text)
            sys.stdout.flush()

        if self._prompt.app.is_running:
            run_in_terminal(write)
        else:
            write()

    async def ask(self, command: Command) -> Result:
        """A command's result; raises CommandFailed."""
        return await asyncio.wrap_future(self._client.submit(command))

    async def go(self, room_id: str) -> None:
        """Makes a room the current one: its last lines, who is there."""
        rooms = await self.ask(GetRooms())  # one that was just made comes with a later event
        assert isinstance(rooms, tuple)
        self.state.rooms = {each.id: each for each in rooms if isinstance(each, RoomView)}
        room = self.state.rooms[room_id]
        members = await self.ask(GetMembers(room_id)) if room.joined else ()
        lines = await self.ask(GetHistory(room_id, LAST_LINES))
        assert isinstance(lines, tuple)
        assert isinstance(members, tuple)
        views = [line for line in lines if isinstance(line, MessageView)]
        self.state.enter(
            room_id, views, [each.handle for each in members if isinstance(each, MemberView) and not each.invited]
        )
        verified = f", {room.verified} of {room.members - 1} verified" if room.members > 1 else ""
        people = (
            "" if room.kind is RoomKind.DIRECT else f": {room.members} {'person' if room.members == 1 else 'people'}"
        )
        self.show([f"-- {room_title(room)}{people}{verified}", *self._rendered(views)])
        self._read_soon(room_id)

    async def confirm(self, question: str) -> bool:
        """Yes or no; anything else asks again, leaving means no."""
        asking: PromptSession[str] = PromptSession(history=InMemoryHistory())
        try:
            while True:
                match (await asking.prompt_async(question)).strip().lower():
                    case "y" | "yes":
                        return True
                    case "n" | "no":
                        return False
        except (EOFError, KeyboardInterrupt):
            return False

    # --- events

    def _hear(self, event: Event) -> None:
        """From the client's thread."""
        self._events.append(event)
        if not self._woken:
            self._woken = True
            self._loop.call_soon_threadsafe(self._drain, context=self._context)

    def _drain(self) -> None:
        if not self._ready:
            return
        self._woken = False
        lines: list[str] = []
        while self._events:
            lines += self._lines(self._events.popleft())
        self.show(lines)
        if self._prompt.app.is_running:
            self._prompt.app.invalidate()  # unread counts stand in the prompt

    def _lines(self, event: Event) -> list[str]:
        state = self.state
        match event:
            case MessageAdded(message, _, live):
                if not live:
                    self._seen_while_away[message.room] = self._seen_while_away.get(message.room, 0) + 1
                    return []
                if state.has_shown(message):
                    return []  # shown with the history a moment ago
                state.saw(message)
                if message.room == state.current:
                    self._read_soon(message.room)
                if message.state is DeliveryState.QUEUED and self._online:
                    message = replace(message, state=DeliveryState.SENT)  # it leaves in this very moment
                return self._rendered([message])
            case MessageChanged(message):
                state.changed(message)
                return describe_event(event, room="" if message.room == state.current else state.title(message.room))
            case CaughtUp():
                return self._caught_up()
            case RoomChanged(room):
                first = room.joined and not state.current
                state.rooms[room.id] = room
                if first:
                    state.current = room.id
                    self._loop.create_task(self.go(room.id))
                return []
            case RoomRemoved(room_id):
                if room_id == state.current:
                    state.current = ""
                return describe_event(event)
            case PresenceChanged(handle):
                return describe_event(event) if handle in state.present else []
            case ConnectionChanged(connection):
                was, self._online = self._online, connection is ConnectionState.ONLINE
                told, self._told_offline = self._told_offline, connection is ConnectionState.OFFLINE
                # Each attempt fails anew: once is enough, and coming back is news only after that.
                if connection is ConnectionState.OFFLINE:
                    return [] if told and not was else describe_event(event)
                self._told_offline = told and not self._online
                return describe_event(event) if self._online and told else []
            case ShuttingDown(reason):
                self._ending = f"-- {reason}"
                if self._prompt.app.is_running:
                    self._prompt.app.exit(result="")
                return []
            case _:
                return describe_event(event)

    def _caught_up(self) -> list[str]:
        seen, self._seen_while_away = self._seen_while_away, {}
        if not seen:
            return []
        parts = [f"{self.state.title(room) or 'a room'} {count}" for room, count in seen.items()]
        if self.state.current in seen:
            self._loop.create_task(self.go(self.state.current))
        return [f"-- came while you were away: {', '.join(parts)}"]

    def _rendered(self, messages: list[MessageView]) -> list[str]:
        lines = []
        for message in messages:
            room = "" if message.room == self.state.current else self.state.title(message.room) or "new room"
            quoted = self.state.known(message.reply_to) if message.reply_to else None
            lines += message_lines(message, room=room, quoted=quoted)
        return lines

    def _read_soon(self, room_id: str) -> None:
        if not self._read:
            self._loop.call_later(READ_DELAY, self._mark_read)
        self._read.add(room_id)

    def _mark_read(self) -> None:
        for room_id in self._read:
            self._client.submit(MarkRead(room_id))
        self._read.clear()


def _key_bindings() -> KeyBindings:
    bindings = KeyBindings()

    @bindings.add("escape", "enter")
    def _new_line(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    @bindings.add("escape", "a")
    def _next_unread(event: KeyPressEvent) -> None:
        event.app.exit(result="/next")

    return bindings
