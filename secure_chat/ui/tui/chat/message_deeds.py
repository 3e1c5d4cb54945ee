"""What can be done with a message."""

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from secure_chat.client.commands import CancelMessage, Delete, React, RetryMessage
from secure_chat.client.views import DeliveryState, MessageKind, MessageView
from secure_chat.ui.arguments import InputError
from secure_chat.ui.presenter import state_words, trust_words
from secure_chat.ui.tui import cells
from secure_chat.ui.tui.composer.emoji import EMOJI
from secure_chat.ui.tui.dialogs.ask import Confirm
from secure_chat.ui.tui.dialogs.choose import Choose
from secure_chat.ui.tui.lists import Item

if TYPE_CHECKING:
    from secure_chat.ui.tui.chat.screen import ChatScreen

__all__ = ["MessageDeeds"]

FAVOURITES = ("+1", "heart_eyes", "joy", "tada", "eyes", "pray", "cry", "fire", "check", "question")


class MessageDeeds:
    """Deeds on the chosen message."""

    def __init__(self, screen: "ChatScreen") -> None:
        self._screen = screen

    def table(self) -> dict[str, Callable[[str], Awaitable[None]]]:
        """By name."""
        return {
            "open": self._open,
            "reply": self._reply,
            "edit": self._edit,
            "edit_last": self._edit_last,
            "delete": self._delete,
            "react": self._react,
            "copy": self._copy,
            "quoted": self._quoted,
            "retry": self._retry,
            "cancel": self._cancel,
            "details": self._details,
            "paste": self._paste,
        }

    def _chosen(self) -> MessageView:
        message = self._screen.chosen
        if message is None:
            raise InputError("choose a message first: Esc, then the arrows")
        return message

    def _said(self) -> MessageView:
        message = self._chosen()
        if message.kind not in (MessageKind.TEXT, MessageKind.UNKNOWN):
            raise InputError("this line is a notice, not a message")
        return message

    def _own(self) -> MessageView:
        message = self._said()
        if message.account != self._screen.model.account:
            raise InputError("this is somebody else's message")
        return message

    async def _open(self, _: str) -> None:
        message = self._chosen()
        if message.reply_to is not None and await self._screen.talk.jump(message.reply_to):
            return
        self._screen.deeds.read(message.sender or "Notice", cells.paragraphs(message.text))

    async def _reply(self, _: str) -> None:
        self._screen.writing.answer(self._said())

    async def _edit(self, _: str) -> None:
        self._screen.writing.correct(self._own())

    async def _edit_last(self, _: str) -> None:
        mine = self._screen.model.account
        for message in reversed(self._screen.talk.view.window.lines):
            if message.account == mine and message.kind is MessageKind.TEXT and not message.deleted:
                self._screen.writing.correct(message)
                return

    async def _delete(self, _: str) -> None:
        message = self._said()
        text = cells.cut(cells.line(message.text), 60)
        question = Confirm("Delete this message for everybody?", [f"{message.sender}: {text}"])
        if await self._screen.app.push_screen_wait(question):
            await self._screen.desk.ask(Delete(message.id))

    async def _react(self, _: str) -> None:
        message = self._said()
        model = self._screen.model
        mine = {each.emoji for each in message.reactions if model.handle in each.handles}
        names = [*FAVOURITES, *(name for name in EMOJI if name not in FAVOURITES)]
        items = [
            Item(EMOJI[name], ((f"{EMOJI[name]} ", "text"), (f":{name}:", "dim")), _taken(EMOJI[name], mine))
            for name in names
        ]
        chosen = await self._screen.app.push_screen_wait(
            Choose("React", items, hint="one you have given already is taken back", free=True)
        )
        if chosen:
            await self._screen.desk.ask(React(message.id, chosen, remove=chosen in mine))

    async def _copy(self, _: str) -> None:
        self._screen.app.copy_to_clipboard(cells.paragraphs(self._chosen().text))
        self._screen.say("copied to the clipboard, where the terminal allows it", "good")

    async def _quoted(self, _: str) -> None:
        message = self._chosen()
        if message.reply_to is None:
            raise InputError("this message answers none")
        if not await self._screen.talk.jump(message.reply_to):
            raise InputError("the message that this one answers is not in this history")

    async def _retry(self, _: str) -> None:
        await self._screen.desk.ask(RetryMessage(self._own().id))

    async def _cancel(self, _: str) -> None:
        await self._screen.desk.ask(CancelMessage(self._own().id))

    async def _details(self, _: str) -> None:
        message = self._chosen()
        model = self._screen.model
        when = time.strftime("%A, %d %B %Y, %H:%M:%S", time.localtime(message.time / 1000))
        lines = [f"{'from':<12}{message.sender or '–'}", f"{'when':<12}{when}"]
        if message.sender and message.account != model.account:
            lines.append(f"{'key':<12}{trust_words(model.trust(message.account, message.sender))}")
        if message.state is not DeliveryState.RECEIVED:
            lines.append(f"{'state':<12}{state_words(message.state)}")
        if message.edited:
            lines.append(f"{'corrected':<12}yes")
        for reaction in message.reactions:
            lines.append(f"{cells.cut(cells.line(reaction.emoji), 8):<12}{', '.join(reaction.handles)}")
        lines.append(f"{'id':<12}{message.id}")
        self._screen.deeds.read("Message", "\n".join(lines))

    async def _paste(self, text: str) -> None:
        count = text.count("\n") + 1
        first = cells.cut(cells.line(text.split("\n")[0]), 60)
        question = Confirm(
            f"Insert {count} lines, {len(text):,} characters?",
            [f"They begin: {first}", "", "Nothing is sent before you press Enter."],
        )
        if await self._screen.app.push_screen_wait(question):
            self._screen.composer.insert(text)


def _taken(emoji: str, mine: set[str]) -> tuple[tuple[str, str], ...]:
    return (("yours", "accent"),) if emoji in mine else ()
