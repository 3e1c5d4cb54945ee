"""What is being written: drafts by room, answers and corrections, completion, sending."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from secure_chat.client.commands import Edit, Send
from secure_chat.client.errors import ClientError
from secure_chat.client.views import MessageView, RoomId
from secure_chat.errors import SecureChatError
from secure_chat.ui.tui import cells
from secure_chat.ui.tui.chat.notices import Context
from secure_chat.ui.tui.lists import Item, LineList

if TYPE_CHECKING:
    from secure_chat.ui.tui.chat.screen import ChatScreen
    from secure_chat.ui.tui.composer.completion import Candidate

__all__ = ["Outgoing", "Writing"]


@dataclass(frozen=True, slots=True)
class _Draft:
    text: str
    context: Context | None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What Enter was pressed on, and where."""

    text: str
    room: RoomId
    context: Context | None

    @property
    def is_command(self) -> bool:
        """Whether it is a /command; ``//`` is text that begins with a slash."""
        return self.text.startswith("/") and not self.text.startswith("//") and "\n" not in self.text


class Writing:
    """The composer's side of the main screen."""

    def __init__(self, screen: "ChatScreen") -> None:
        self._screen = screen
        self._drafts: dict[RoomId, _Draft] = {}
        self._list = screen.query_one("#completions", LineList)
        self._candidates: list[Candidate] = []
        self._length = 0
        self._moved = False
        """Whether the arrows were used in the list: then Enter takes what they stand on."""

    # --- drafts

    def leave_room(self) -> None:
        """What was begun in a room waits there."""
        screen = self._screen
        room = screen.model.current
        if room:
            self._drafts[room] = _Draft(screen.composer.text, screen.notices.context)

    def enter_room(self) -> None:
        """What was begun here before."""
        screen = self._screen
        draft = self._drafts.pop(screen.model.current, _Draft("", None))
        screen.notices.context = draft.context
        screen.composer.put(draft.text)

    # --- answering and correcting

    def answer(self, message: MessageView) -> None:
        """The next message answers this one."""
        said = cells.cut(cells.line(message.text), 50)
        self._set_context(Context(message.id, False, f"{message.sender}: {said}"))

    def correct(self, message: MessageView) -> None:
        """The next message replaces the text of this one."""
        self._set_context(Context(message.id, True, cells.cut(cells.line(message.text), 50)))
        self._screen.composer.put(message.text)

    def _set_context(self, context: Context | None) -> None:
        screen = self._screen
        screen.notices.context = context
        screen.notices.drop()
        screen.talk.view.choose("")
        screen.composer.focus()
        screen.draw_info()

    def escape(self) -> None:
        """Leaves an answer or correction; otherwise goes to the messages."""
        screen = self._screen
        screen.notices.drop()
        if screen.notices.context is not None:
            if screen.notices.context.edit:
                screen.composer.put("")
            self._set_context(None)
        elif screen.talk.around.hits:
            screen.deeds.unmark()
        else:
            screen.talk.view.focus()
            screen.talk.view.action_choose(-1)
        screen.draw_info()

    # --- sending

    def take(self, text: str) -> Outgoing:
        """What was written, out of the input and bound for the room that is on screen now."""
        screen = self._screen
        outgoing = Outgoing(text, screen.model.current, screen.notices.context)
        self._hide()
        screen.composer.put("")
        screen.notices.context = None
        screen.notices.drop()
        # A command may lead to another room: what is typed after it waits, so that it isn't said in this one.
        screen.app.turns.held |= outgoing.is_command
        return outgoing

    async def send(self, outgoing: Outgoing) -> None:
        """Sends what was taken, or runs the command; on failure it stands in the input again."""
        screen = self._screen
        try:
            if outgoing.is_command:
                from secure_chat.ui.tui.chat.commands import Commands

                try:
                    await Commands(screen).run(outgoing.text.rstrip())
                finally:
                    screen.app.turns.held = False
            else:
                await self._say(outgoing)
        except SecureChatError as error:
            screen.fail(error)
            if screen.model.current == outgoing.room and not screen.composer.text:
                screen.composer.put(outgoing.text)
                screen.notices.context = outgoing.context
        screen.draw_info()

    async def _say(self, outgoing: Outgoing) -> None:
        screen = self._screen
        context = outgoing.context
        text = outgoing.text.removeprefix("/") if outgoing.text.startswith("//") else outgoing.text
        if not outgoing.room:
            raise ClientError("you are in no room: /join lobby enters one")
        if context is not None and context.edit:
            await screen.desk.ask(Edit(context.message, text))
            return
        await screen.desk.ask(Send(outgoing.room, text, None if context is None else context.message))
        if screen.model.current == outgoing.room:
            await screen.talk.to_end()

    # --- completion

    def offer(self, before: str, *, forced: bool) -> None:
        """Shows how the word before the cursor could go on."""
        screen = self._screen
        if not before and not forced:
            self._hide()
            return
        from secure_chat.ui.tui.chat.commands import COMMANDS
        from secure_chat.ui.tui.composer.completion import complete  # with the first key

        length, found = complete(before, screen.model, COMMANDS, forced=forced)
        word = before[len(before) - length :] if length else ""
        if len(found) == 1 and found[0].insert.strip() == word.strip():
            found = []
        if forced and len(found) == 1:
            screen.composer.take(length, found[0].insert)
            found = []
        self._candidates, self._length = found, length
        if not found:
            self._hide()
            return
        self._list.show(
            [
                Item(str(number), ((each.shown, "text"),), ((each.note, "dim"),) if each.note else ())
                for number, each in enumerate(found)
            ]
        )
        self._list.put_cursor("0")
        self._moved = False
        self._list.add_class("shown")
        screen.composer.completing = True

    def pick(self, what: str) -> None:
        """Up, down, take, enter or drop."""
        screen = self._screen
        match what:
            case "up" | "down":
                self._moved = True
                self._list.action_step(-1 if what == "up" else 1)
            case "enter" if not self._moved and not self._is_unfinished(screen.composer.text):
                self._hide()
                screen.composer.action_send()
            case "take" | "enter" if self._list.cursor:
                candidate = self._candidates[int(self._list.cursor)]
                self._hide()
                screen.composer.take(self._length, candidate.insert)
                screen.composer.focus()
            case _:
                self._hide()

    def _is_unfinished(self, text: str) -> bool:
        """Whether it is the beginning of a command, which Enter completes: sending it would only be a mistake."""
        from secure_chat.ui.tui.chat.commands import COMMANDS

        return text.startswith("/") and " " not in text and text[1:] not in COMMANDS

    def _hide(self) -> None:
        self._candidates = []
        self._list.remove_class("shown")
        self._screen.composer.completing = False
