"""The line mode: reads lines, prints what comes in above them. Works with a screen reader: text, no redrawn areas."""

import asyncio
import contextvars
import gc
import os
import sys
from collections import deque
from concurrent.futures import wait
from typing import Any

from msgspec.structs import replace
from prompt_toolkit import PromptSession
from prompt_toolkit.application import Application, run_in_terminal
from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import has_focus, is_searching
from prompt_toolkit.formatted_text import AnyFormattedText
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.shortcuts import CompleteStyle

from secure_chat.client.api import Client
from secure_chat.client.commands import Command, MarkRead, Send
from secure_chat.client.crash import record_crash
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
from secure_chat.client.profile import home
from secure_chat.client.queries import GetHistory, GetInvitations, GetMembers, GetRooms, GetStatus
from secure_chat.client.views import (
    ConnectionState,
    DeliveryState,
    InvitationView,
    MemberView,
    MessageKind,
    MessageView,
    RoomKind,
    RoomView,
    StatusView,
)
from secure_chat.errors import SecureChatError
from secure_chat.ui.line.complete import ChatCompleter
from secure_chat.ui.line.slash import NO_ROOM, Commands, Quit
from secure_chat.ui.line.state import ChatState
from secure_chat.ui.presenter import (
    describe_event,
    describe_failure,
    describe_result,
    message_lines,
    room_title,
    verified_words,
)
from secure_chat.ui.told import Told

__all__ = ["LineMode", "run_line_mode"]

LAST_LINES = 10
"""Of the history, shown on entering a room."""
PASTE_LINES = 3
"""More lines than that at once are sent only after asking."""
SEND_PATIENCE = 0.01
"""Seconds that drawing waits for a message to be on disk and on its way."""
SWITCH_INTERVAL = 0.0005
"""Seconds that drawing may keep the interpreter from the client's thread; the default of 0.005 shows as a delay."""
READ_DELAY = 0.5
"""Seconds in which several messages are marked as read together."""


def run_line_mode(client: Client) -> None:
    """Runs the chat until the user leaves it."""
    # Nothing waits for the terminal to say where its cursor is: some never do.
    os.environ.setdefault("PROMPT_TOOLKIT_NO_CPR", "1")
    sys.setswitchinterval(SWITCH_INTERVAL)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    asyncio.run(LineMode(client).run())


class LineMode:
    """One run of the line mode; everything but `_hear` happens in the thread of its event loop."""

    def __init__(self, client: Client) -> None:
        self.client = client
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
        self._interrupted = False
        """Ctrl-C was the last thing typed."""
        self._account = ""
        self._next_line = ""
        """A command typed in place of an answer."""
        self._prompt: PromptSession[str]
        self._asking: PromptSession[str] | None = None
        self._told = Told()
        """The prompt of a question."""
        self._loop: asyncio.AbstractEventLoop
        self._context: contextvars.Context

    async def run(self) -> None:
        """Until the user leaves or the client ends."""
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(self._failed_aside)
        status = await self.ask(GetStatus())
        assert isinstance(status, StatusView)
        self.state = ChatState(status.handle)
        self._account = status.account
        self._online = status.connection is ConnectionState.ONLINE
        self._commands = Commands(self)
        self._prompt = PromptSession(
            history=InMemoryHistory(),  # what was typed must not lie in a file
            completer=ChatCompleter(self.state),
            complete_style=CompleteStyle.READLINE_LIKE,
            complete_while_typing=False,
            key_bindings=self._key_bindings(),
            erase_when_done=True,
        )
        self._context = contextvars.copy_context()
        unsubscribe = self.client.subscribe(self._hear)
        try:
            self.show([f"You are {status.handle} at {status.address}. /help shows what you can do."])
            await self._load_rooms()
            self._ready = True
            gc.freeze()  # what starting made stays: no collection looks at it again
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
        while not self._ending:
            try:
                line, self._next_line = self._next_line, ""
                line = line or await self._prompt.prompt_async(self._prompt_text, set_exception_handler=False)
            except KeyboardInterrupt:
                if self._interrupted:
                    return
                self._interrupted = True
                self.show(["-- Ctrl-C again or Ctrl-D leaves the chat"])
                continue
            except EOFError:
                return
            self._interrupted = False
            try:
                await self._take(line)
            except Quit:
                return
            except Exception as error:
                self._failed(error)

    def _failed(self, error: BaseException) -> None:
        """Says what went wrong; what should not have, is recorded, and the chat goes on."""
        if isinstance(error, SecureChatError):
            self.show([f"!! {describe_failure(error)}"])
        else:
            where = record_crash(error, home())
            self.show([f"!! an internal error ({type(error).__name__}); please report it with {where}"])

    def _failed_aside(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What failed outside of a command: while an event was shown, or in a task."""
        error = context.get("exception")
        if isinstance(error, Exception):
            self._failed(error)

    def _prompt_text(self) -> AnyFormattedText:
        return self.state.prompt

    def _entered(self, event: KeyPressEvent) -> None:
        """Enter: a message leaves at once and the prompt stays; anything else ends the prompt and is looked at."""
        buffer = event.current_buffer
        text = buffer.text
        if self.state.current and text.strip() and not text.startswith("/") and text.count("\n") < PASTE_LINES:
            self._interrupted = False
            self._send(text.strip("\n"))
            buffer.reset(append_to_history=True)
        else:
            buffer.validate_and_handle()

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
            raise ClientError(NO_ROOM)
        line = line.strip("\n")
        count = line.count("\n") + 1
        if count > PASTE_LINES:
            hint = "y sends them, n doesn't; a /command leaves the question"
            if not await self.confirm(f"Send {count} lines as one message? (y/n) ", hint=hint):
                self.show(["-- not sent; the arrow key ↑ brings the lines back"])
                return
        self._send(line)

    def _send(self, line: str) -> None:
        future = self.client.submit(Send(self.state.current, line))
        future.add_done_callback(lambda done: self._sent(line, done.exception()))
        # Drawing would compete with the client's thread for the interpreter; the message should leave first.
        wait((future,), SEND_PATIENCE)

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

        app = self._running
        if app is None:
            write()
        elif app._running_in_terminal:  # a list of completions is being shown
            run_in_terminal(write)
        else:
            # What `run_in_terminal` does, without leaving raw mode and waiting for two turns of the loop: the text is
            # on the screen before the prompt is drawn again below it.
            app.renderer.erase()
            app.output.write_raw(text.replace("\n", "\r\n"))
            app.output.flush()
            app.invalidate()

    @property
    def _running(self) -> "Application[str] | None":
        """The prompt that stands below the lines now, if one does."""
        prompts = (self._asking, self._prompt)
        return next((each.app for each in prompts if each is not None and each.app.is_running), None)

    async def ask(self, command: Command) -> Result:
        """A command's result; raises CommandFailed."""
        return await asyncio.wrap_future(self.client.submit(command))

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
        title = room_title(room)
        verified = f", {words}" if (words := verified_words(room)) else ""
        people = (
            "" if room.kind is RoomKind.DIRECT else f": {room.members} {'person' if room.members == 1 else 'people'}"
        )
        inside = room.joined or not room.suite  # a direct conversation that is being set up: one can write already
        head = f"-- {title}{people}{verified}" if inside else f"-- {title}: {await self._why_not_in(room)}"
        self.show([head, *self._rendered(views)])
        self._read_soon(room_id)

    async def _why_not_in(self, room: RoomView) -> str:
        invitations = await self.ask(GetInvitations())
        assert isinstance(invitations, tuple)
        if any(isinstance(each, InvitationView) and each.room == room.id for each in invitations):
            return f"you are invited; /accept {room.name} or /decline {room.name}"
        return "you are not in this room any more; this is its history"

    async def confirm(
        self, question: str, *, hint: str, yes: tuple[str, ...] = (), no: tuple[str, ...] = ()
    ) -> bool | None:
        """Yes or no; None where it was left open: by "later", a /command (which runs next), Ctrl-C or Ctrl-D."""
        asking: PromptSession[str] = PromptSession(history=InMemoryHistory())
        self._asking = asking
        try:
            while not self._ending:
                answer = (await asking.prompt_async(question, set_exception_handler=False)).strip()
                word = answer.lower()
                if word in ("y", "yes", *yes):
                    return True
                if word in ("n", "no", *no):
                    return False
                if word == "later":
                    return None
                if word.startswith("/"):
                    self._next_line = answer
                    return None
                self.show([f"-- {hint}"])
        except (EOFError, KeyboardInterrupt):
            pass
        finally:
            self._asking = None
        return None

    async def ask_hidden(self, question: str) -> str | None:
        """What is typed, unseen; None where the question was left."""
        asking: PromptSession[str] = PromptSession(history=InMemoryHistory(), is_password=True, erase_when_done=True)
        self._asking = asking
        try:
            typed = await asking.prompt_async(question, set_exception_handler=False)
        except (EOFError, KeyboardInterrupt):
            return None
        finally:
            self._asking = None
        return None if self._ending else typed

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
                here = message.room == state.current
                self._told.news(message)
                if not live:
                    self._seen_while_away[message.room] = self._seen_while_away.get(message.room, 0) + 1
                    return []
                if state.has_shown(message):
                    return []  # shown with the history a moment ago
                if message.kind is MessageKind.NOTICE and message.account == self._account and not here:
                    return []  # one's own doing elsewhere: the command's answer says it
                state.saw(message)
                if here:
                    self._read_soon(message.room)
                if message.state is DeliveryState.QUEUED and self._online:
                    message = replace(message, state=DeliveryState.SENT)  # it leaves in this very moment
                return self._rendered([message])
            case MessageChanged(message):
                state.changed(message)
                if not self._told.news(message):
                    return []
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
                    others = [room for room in state.rooms.values() if room.joined and room.id != room_id]
                    if others:
                        self._loop.create_task(self.go(max(others, key=lambda room: room.last_time).id))
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
                if self._running is not None:
                    self._running.exit(result="")
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
            self.client.submit(MarkRead(room_id))
        self._read.clear()

    def _key_bindings(self) -> KeyBindings:
        bindings = KeyBindings()
        bindings.add("enter", filter=has_focus(DEFAULT_BUFFER) & ~is_searching)(self._entered)

        @bindings.add("escape", "enter")
        def _new_line(event: KeyPressEvent) -> None:
            event.current_buffer.insert_text("\n")

        @bindings.add("escape", "a")
        def _next_unread(event: KeyPressEvent) -> None:
            event.app.exit(result="/next")

        return bindings
