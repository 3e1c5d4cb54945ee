"""The main screen: rooms, messages, members, input; draws what events change and passes keys on."""

import time
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen

from secure_chat.client.commands import MarkRead, Typing
from secure_chat.client.events import Event
from secure_chat.client.queries import GetMembers, GetRoomCode
from secure_chat.client.views import ConnectionState, MemberView, MessageView, RoomCodeView, RoomId
from secure_chat.errors import SecureChatError
from secure_chat.ui.presenter import describe_failure
from secure_chat.ui.tui.chat.conversation import Conversation
from secure_chat.ui.tui.chat.desk import Changes, Desk
from secure_chat.ui.tui.chat.notices import Notices
from secure_chat.ui.tui.chat.teller import Teller
from secure_chat.ui.tui.chat.writing import Writing
from secure_chat.ui.tui.composer.widget import Composer
from secure_chat.ui.tui.feed import Feed
from secure_chat.ui.tui.history.messages import Chosen, JumpAsked, LeftHistory, Needed, Opened, Reached
from secure_chat.ui.tui.lists import LineList
from secure_chat.ui.tui.members.items import member_items
from secure_chat.ui.tui.rooms.items import INVITATION, room_items
from secure_chat.ui.tui.status.keys import KeyLine
from secure_chat.ui.tui.status.line import OneLine
from secure_chat.ui.tui.status.words import blocked_pieces, header_pieces, status_pieces, typing_words

if TYPE_CHECKING:
    from textual.command import Provider

    from secure_chat.ui.tui.app import ChatApp
    from secure_chat.ui.tui.chat.deeds import Deeds

__all__ = ["ChatScreen"]

READ_DELAY = 0.3
"""Seconds in which several messages are marked as read together."""
TYPING_EVERY = 4.0
"""Seconds between two typing notices."""
MEMBERS_DELAY = 0.2


def now_ms() -> int:
    """This machine's clock."""
    return time.time_ns() // 1_000_000


def _nothing() -> None:
    """Nothing is subscribed yet."""


def _palette() -> "type[Provider]":
    from secure_chat.ui.tui.help.palette import ChatCommands  # only when it is opened

    return ChatCommands


class ChatScreen(Screen[None]):
    """Owned by the event loop; everything of the client comes through `desk`."""

    AUTO_FOCUS = "#composer"
    COMMANDS: ClassVar = {_palette}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1", "deed('help')", "Help", key_display="F1"),
        Binding("alt+a", "deed('next')", "Next unread", key_display="Alt-A"),
        Binding("ctrl+r", "deed('search')", "Search", key_display="^R", priority=True),
        Binding("f6", "cycle(1)", "Panes", key_display="F6", priority=True),
        Binding("shift+f6", "cycle(-1)", show=False, priority=True),
        Binding("f8", "deed('verify')", "Verify", key_display="F8"),
        Binding("ctrl+p", "app.command_palette", "Commands", key_display="^P", priority=True),
        Binding("f2", "panel('rooms')", "Rooms", key_display="F2"),
        Binding("f3", "panel('members')", "People", key_display="F3"),
        Binding("ctrl+g", "deed('date')", "Date", key_display="^G", priority=True),
        Binding("alt+u", "deed('unread')", "To new", show=False),
        Binding("alt+m", "deed('mute')", "Mute", show=False),
        Binding("alt+i", "deed('invite_link')", "Invite", show=False),
        Binding("alt+left", "visit(-1)", "Back", show=False),
        Binding("alt+right", "visit(1)", "Forward", show=False),
        Binding("alt+up", "neighbour(-1)", "Room above", show=False),
        Binding("alt+down", "neighbour(1)", "Room below", show=False),
        *(Binding(f"alt+{number}", f"go_number({number})", show=False) for number in range(1, 10)),
        Binding("ctrl+q", "app.quit", "Quit", key_display="^Q"),
    ]
    ON_MESSAGES = frozenset(
        {"reply", "edit", "react", "copy", "delete", "quoted", "retry", "cancel", "details", "verify_sender"}
    )

    app: "ChatApp"

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self.model = desk.model
        self.notices = Notices()
        self.talk = Conversation(desk)
        self.code: RoomCodeView | None = None
        self._reading = False
        self._typed_at = 0.0
        self._members_wanted = False
        self._new_below = 0
        self._unsubscribe: Callable[[], None] = _nothing

    # --- building

    def compose(self) -> ComposeResult:
        """The areas of the screen."""
        with Horizontal(id="body"):
            yield LineList(id="rooms")
            with Vertical(id="middle"):
                yield OneLine(id="header", surface="raised", right_first=True)
                yield self.talk.view
                yield OneLine(id="info", surface="background", right_first=True, rows=3)
                yield LineList(id="completions", surface="raised", cursor_always=True)
                yield Composer(id="composer")
            yield LineList(id="members")
        yield OneLine(id="status")
        yield KeyLine(id="keys")

    async def on_mount(self) -> None:
        """Shows the chat as it is on disk, then what happens."""
        self.rooms = self.query_one("#rooms", LineList)
        self.members = self.query_one("#members", LineList)
        self.composer = self.query_one(Composer)
        self.header = self.query_one("#header", OneLine)
        self.info = self.query_one("#info", OneLine)
        self.status = self.query_one("#status", OneLine)
        self.teller = Teller(self)
        self.writing = Writing(self)
        completions = self.query_one("#completions", LineList)
        completions.can_focus = False
        settings = self.app.settings
        self.talk.view.compact = settings.compact
        self.rooms.set_class(not settings.rooms, "hidden")
        self.members.set_class(not settings.members, "hidden")
        self._unsubscribe = self.desk.client.subscribe(Feed(self.take))
        self.set_interval(1.0, self._tick)
        self._begin()

    @work
    async def _begin(self) -> None:
        try:
            await self.desk.load()
        except SecureChatError as error:
            self.app.exit(message=describe_failure(error))
            return
        self.talk.named(self.model.handle)
        self.draw_lists()
        self.draw_status()
        joined = [room for room in self.model.rooms.values() if room.joined]
        if joined:
            await self.open_room(max(joined, key=lambda room: room.last_time).id)
        self.app.usable()
        try:
            self.teller.ask_about(await self.desk.undecided())
        except SecureChatError as error:
            self.fail(error)

    def on_unmount(self) -> None:
        """Nobody looks any more."""
        self._unsubscribe()

    @cached_property
    def deeds(self) -> "Deeds":
        """What keys and commands start; imported with the first of them."""
        from secure_chat.ui.tui.chat.deeds import Deeds

        return Deeds(self)

    # --- rooms

    def go(self, room_id: RoomId) -> None:
        """Opens a room in the background; what pointed to it has done its work."""
        self.notices.drop()
        self.run_worker(self.open_room(room_id), group="open", exclusive=True)

    async def open_room(self, room_id: RoomId) -> None:
        """Shows a room: its last lines, its members, its code."""
        room = await self.desk.find_room(room_id)
        if room is None:
            return
        self.writing.leave_room()
        self.model.current = room_id
        self.model.visits.enter(room_id)
        self._new_below = 0
        self.code = None
        self.writing.enter_room()
        self.draw_lists()
        self.draw_room()
        await self.talk.open(room)
        self.read_soon()
        await self.fetch_members()
        self.draw_room()

    def leave_room(self) -> None:
        """The current room is gone: the next best one, or none."""
        self.model.current = ""
        joined = [room for room in self.model.rooms.values() if room.joined]
        if joined:
            self.go(max(joined, key=lambda room: room.last_time).id)
        else:
            self.talk.close()
            self.draw_lists()
            self.draw_room()

    async def fetch_members(self) -> None:
        """Members and code of the current room."""
        room = self.model.room
        self._members_wanted = False
        if room is None:
            return
        members: tuple[MemberView, ...] = ()
        code = None
        try:
            if room.joined:
                found = await self.desk.ask(GetMembers(room.id))
                assert isinstance(found, tuple)
                members = tuple(member for member in found if isinstance(member, MemberView))
                code = await self.desk.ask(GetRoomCode(room.id))
        except SecureChatError:
            pass  # keys are being set up: comes with the next change of the room
        if room.id == self.model.current:
            self.model.members[room.id] = members
            self.code = code if isinstance(code, RoomCodeView) else None
            self.members.show(member_items(members))
            self.draw_status()

    # --- events

    def take(self, batch: list[Event]) -> None:
        """Draws what events change."""
        if not self.is_attached:
            return
        changes = self.desk.apply(batch, now_ms())
        self._draw(changes)

    def _draw(self, changes: Changes) -> None:
        if changes.ending is not None:
            self.app.exit(message=changes.ending)
            return
        self._draw_messages(changes)
        if changes.names:
            self.talk.view.refreshed()
        if changes.lists or changes.names:
            self.draw_lists()
        if changes.room or changes.lists:
            self.draw_room()
        if changes.members and not self._members_wanted:
            self._members_wanted = True
            self.set_timer(MEMBERS_DELAY, self.fetch_members)
        if changes.connection or (self.model.is_cut_off and any(map(self._is_own, changes.added))):
            self.draw_status()
            self.run_worker(self._count_queued(), group="queued", exclusive=True)
        if changes.progress is not None:
            self.notices.progress = changes.progress
        if changes.caught_up or (changes.connection and self.model.connection.state is ConnectionState.OFFLINE):
            self.notices.progress = None
        if changes.entered is not None and not self.model.current:
            self.go(changes.entered.id)
        if changes.removed is not None:
            self.leave_room()
        self.teller.tell(changes)
        self.draw_info()

    def _is_own(self, message: MessageView) -> bool:
        return message.account == self.model.account

    async def _count_queued(self) -> None:
        await self.desk.count_queued()
        self.draw_status()

    def _draw_messages(self, changes: Changes) -> None:
        if not changes.added and not changes.changed:
            return
        view = self.talk.view
        others = [each for each in changes.added if not self._is_own(each)]
        if others and not self.app.app_focus and not self.app.away_mark:
            self.app.away_mark = True
            self.talk.mark_new(others[0])
        self.talk.apply(changes)
        if not view.following:
            self._new_below += len(others)
        if changes.added and view.following:
            self.read_soon()

    def _tick(self) -> None:
        """Every second: countdown, who has stopped typing, notices that have been long enough."""
        if self.is_current:
            self.draw_status()
            self.draw_info()

    def read_soon(self) -> None:
        """What is on screen has been seen, if somebody is there to see it."""
        room = self.model.room
        if room is None or not room.joined or self._reading or not self.app.app_focus or not self.talk.view.following:
            return
        self._reading = True
        self.set_timer(READ_DELAY, self._mark_read)

    def _mark_read(self) -> None:
        self._reading = False
        room = self.model.room
        if room is not None and room.unread and self.app.app_focus and self.talk.view.following:
            self.desk.client.submit(MarkRead(room.id))

    def on_app_focus(self) -> None:
        """Back at the terminal."""
        self.app.away_mark = False
        self.read_soon()

    # --- drawing

    def draw_lists(self) -> None:
        """Rooms and the title of the terminal."""
        self.rooms.show(room_items(self.model), marked=self.model.current)
        self.app.show_title()

    def draw_room(self) -> None:
        """The header."""
        self.header.show(*header_pieces(self.model))

    def draw_status(self) -> None:
        """Connection and code."""
        self.status.show(*status_pieces(self.model, self.code, now_ms()))

    def draw_info(self) -> None:
        """The line above the input."""
        view = self.talk.view
        below = "" if view.following else f"↓ {self._new_below} new · End" if self._new_below else "↓ End"
        typing = typing_words(list(self.model.typing(now_ms())))
        self.notices.blocked = blocked_pieces(self.model)
        self.info.show(*self.notices.pieces(now_ms(), typing, below))

    def say(self, words: str, style: str = "text", *, label: str = "") -> None:
        """Tells something in the line above the input."""
        self.notices.say(words, now_ms(), style, label=label)
        self.draw_info()

    def fail(self, error: Exception) -> None:
        """Tells what went wrong, and what to do."""
        self.say(describe_failure(error), "bad", label="!")

    # --- what widgets tell

    @on(Needed)
    def _needed(self, event: Needed) -> None:
        group = "older" if event.older else "newer"
        work = self.talk.older() if event.older else self.talk.newer()
        self.run_worker(work, group=group)

    @on(Reached)
    def _reached(self, event: Reached) -> None:
        if event.end:
            self._new_below = 0
            self.read_soon()
        self.draw_info()

    @on(JumpAsked)
    def _jump(self, event: JumpAsked) -> None:
        self.run_worker(self.talk.jump_to_fraction(event.fraction), group="jump", exclusive=True)

    @property
    def chosen(self) -> MessageView | None:
        """The message that is chosen, as it is now."""
        return self.talk.view.window.at(self.talk.view.chosen)

    @on(Chosen)
    def _other_chosen(self) -> None:
        self.refresh_bindings()

    @on(Opened)
    def _opened(self, event: Opened) -> None:
        self.action_deed("open")

    @on(LeftHistory)
    def _write(self) -> None:
        self.composer.focus()

    @on(LineList.Picked, "#rooms")
    def _room_picked(self, event: LineList.Picked) -> None:
        self.rooms.remove_class("shown")
        self.composer.focus()
        if event.key.startswith(INVITATION):
            self.deeds.start("invitation", event.key.removeprefix(INVITATION))
        else:
            self.go(event.key)

    @on(LineList.Picked, "#members")
    def _member_picked(self, event: LineList.Picked) -> None:
        self.members.remove_class("shown")
        self.deeds.start("person", event.key)

    @on(Composer.Left)
    def _left_composer(self, event: Composer.Left) -> None:
        view = self.talk.view
        match event.key:
            case "pageup" | "pagedown":
                view.scroll_pages(-1 if event.key == "pageup" else 1)
            case "escape":
                self.writing.escape()
            case "up":
                self.action_deed("edit_last")
            case "home" | "ctrl+home":
                view.action_start()
            case "end" | "ctrl+end":
                view.action_end()
            case _:
                view.focus()
                view.action_choose(-1)

    @on(Composer.Sent)
    def _sent(self, event: Composer.Sent) -> None:
        self.run_worker(self.writing.send(self.writing.take(event.text)), group="send")

    @on(Composer.Typed)
    def _typed(self, event: Composer.Typed) -> None:
        if event.before != self.composer.before:
            return  # more was typed: that is told, too
        self.writing.offer(event.before, forced=event.forced)
        room = self.model.room
        if room is None or not event.before or event.before.startswith("/"):
            return
        moment = time.monotonic()
        if moment - self._typed_at > TYPING_EVERY and room.writable and room.members > 1:
            self._typed_at = moment
            self.desk.client.submit(Typing(room.id))

    @on(Composer.Picking)
    def _picking(self, event: Composer.Picking) -> None:
        self.writing.pick(event.what)

    @on(LineList.Picked, "#completions")
    def _completion_picked(self, event: LineList.Picked) -> None:
        self.writing.pick("take")

    @on(Composer.Pasted)
    def _pasted(self, event: Composer.Pasted) -> None:
        self.deeds.start("paste", event.text)

    # --- keys

    def on_key(self, event: events.Key) -> None:
        """Who begins to write while a list has the focus writes."""
        if event.is_printable and event.character and isinstance(self.focused, LineList):
            event.stop()
            self.composer.focus()
            self.composer.insert(event.character)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys for messages count only where a message is chosen."""
        if action == "deed" and parameters and parameters[0] in self.ON_MESSAGES:
            return self.focused is self.talk.view and self.chosen is not None
        return True

    def action_deed(self, name: str) -> None:
        """Does something of `deeds`."""
        self.deeds.start(name)

    def action_visit(self, step: int) -> None:
        """Back or forward through the rooms that were visited."""
        target = self.model.visits.step(step)
        if target is not None and target in self.model.rooms:
            self.go(target)

    def action_neighbour(self, step: int) -> None:
        """The room above or below in the list."""
        listed = [room.id for room in self.model.listed()]
        if listed:
            index = listed.index(self.model.current) + step if self.model.current in listed else 0
            self.go(listed[index % len(listed)])

    def action_go_number(self, number: int) -> None:
        """The n-th room of the list."""
        listed = self.model.listed()
        if number <= len(listed):
            self.go(listed[number - 1].id)

    def action_panel(self, name: str) -> None:
        """Shows or hides a side panel."""
        self.deeds.toggle(name)

    def action_cycle(self, step: int) -> None:
        """Moves the focus: input, messages, rooms, members."""
        panes = [self.composer, self.talk.view, self.rooms, self.members]
        shown = [pane for pane in panes if pane.display and pane.styles.display != "none"]
        index = next((at for at, pane in enumerate(shown) if pane is self.focused), 0)
        shown[(index + step) % len(shown)].focus()

    def on_resize(self, event: events.Resize) -> None:
        """Panels that were called up over a narrow screen go when it grows."""
        if event.size.width >= 116:
            self.rooms.remove_class("shown")
            self.members.remove_class("shown")
