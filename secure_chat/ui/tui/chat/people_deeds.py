"""Trust and people: verification, changed keys, what can be done with a member."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from secure_chat.client.commands import AcceptKey, Block, Kick, MarkVerified, Promote, StartDirect, Unblock, Unverify
from secure_chat.client.queries import GetSafetyNumber
from secure_chat.client.views import RoomKind, SafetyNumberView, Trust
from secure_chat.ui.arguments import InputError
from secure_chat.ui.presenter import trust_words
from secure_chat.ui.tui.chat.writing import Outgoing
from secure_chat.ui.tui.dialogs.ask import Confirm, TextDialog
from secure_chat.ui.tui.dialogs.choose import Choose
from secure_chat.ui.tui.lists import Item

if TYPE_CHECKING:
    from secure_chat.ui.tui.chat.screen import ChatScreen

__all__ = ["PeopleDeeds"]


class PeopleDeeds:
    """Deeds on people."""

    def __init__(self, screen: "ChatScreen") -> None:
        self._screen = screen

    def table(self) -> dict[str, Callable[[str], Awaitable[None]]]:
        """By name."""
        return {
            "verify": self.verify,
            "verify_sender": self._verify_sender,
            "key_changed": self._key_changed,
            "person": self._person,
            "message_person": self._message,
        }

    async def verify(self, rest: str) -> None:
        """Compares safety numbers with a person: the named one, the partner here, or one chosen from a list.

        Behind the name may stand the digits that the person reads out.
        """
        from secure_chat.ui.tui.verify.screen import DifferentScreen, VerifyScreen

        screen = self._screen
        handle, _, digits = rest.removeprefix("@").partition(" ")
        handle = handle or await self._somebody("Verify whom?")
        if not handle:
            return
        if digits.strip():
            await self._verified(handle, digits)
            return
        view = await screen.desk.ask(GetSafetyNumber(handle))
        assert isinstance(view, SafetyNumberView)
        if view.trust is Trust.SELF:
            raise InputError("that is you; your own fingerprint, for others to check: /fingerprint")
        answer = await screen.app.push_screen_wait(VerifyScreen(view, screen.model.handle))
        if answer == "same":
            await self._verified(handle, view.number)
        elif answer == "theirs":
            dialog: TextDialog[str] = TextDialog(
                f"The digits that {handle} reads out", str.strip, hint="60 digits, spaces don't matter"
            )
            if theirs := await screen.app.push_screen_wait(dialog):
                await self._verified(handle, theirs)
        elif answer == "different":
            if view.trust is Trust.VERIFIED:
                await screen.desk.ask(Unverify(handle))
            if await screen.app.push_screen_wait(DifferentScreen(handle)):
                await screen.desk.ask(Block(handle))
                screen.say(f"{handle} is blocked; /unblock {handle} undoes it")

    async def _verified(self, handle: str, digits: str) -> None:
        await self._screen.desk.ask(MarkVerified(handle, digits))
        self._screen.say(f"{handle} is verified, in all rooms and on all devices", "good")

    async def _verify_sender(self, _: str) -> None:
        message = self._screen.chosen
        if message is None or not message.sender or message.account == self._screen.model.account:
            raise InputError("choose a message of the person first")
        await self.verify(message.sender)

    async def _somebody(self, title: str) -> str:
        model = self._screen.model
        room = model.room
        if room is not None and room.kind is RoomKind.DIRECT:
            return room.name
        here = [member.handle for member in model.members.get(model.current, ()) if member.trust is not Trust.SELF]
        names = [*here, *(name for name in sorted(model.people) if name not in here)]
        names = [name for name in names if name != model.handle]
        if not names:
            raise InputError("there is nobody yet: invite somebody with Alt-I")
        items = []
        for name in names:
            person = model.people.get(name)
            trust = Trust.FIRST_USE if person is None else person.trust
            style = {Trust.VERIFIED: "good", Trust.CHANGED: "bad-strong"}.get(trust, "dim")
            items.append(Item(name, ((name, "text"),), ((trust_words(trust), style),)))
        return await self._screen.app.push_screen_wait(Choose(title, items)) or ""

    async def _key_changed(self, _: str) -> None:
        """Every changed key, one screen after the other."""
        from secure_chat.ui.tui.verify.changed import KeyChangedScreen

        screen = self._screen
        screen.app.busy_with_keys = True
        try:
            while (event := screen.teller.next_key()) is not None:
                answer = await screen.app.push_screen_wait(KeyChangedScreen(event))
                if answer == "compare":
                    await self.verify(event.handle)
                elif answer == "accept":
                    await screen.desk.ask(AcceptKey(event.handle, event.new))
                    screen.say(f"{event.handle}'s new key is used from now on, not verified", "warning")
                else:
                    screen.say(f"nothing is sent to {event.handle} until you decide: F8 compares", "warning")
        finally:
            screen.app.busy_with_keys = False

    async def _message(self, handle: str) -> None:
        room_id = await self._screen.desk.ask(StartDirect(handle))
        assert isinstance(room_id, str)
        self._screen.composer.focus()
        self._screen.go(room_id)

    async def _person(self, handle: str) -> None:
        """What can be done with a member."""
        screen, model = self._screen, self._screen.model
        if handle == model.handle:
            await screen.writing.send(Outgoing("/fingerprint", model.current, None))
            return
        person = model.people.get(handle)
        trust = Trust.FIRST_USE if person is None else person.trust
        items = [
            Item("message", (("Write to ", "text"), (handle, "strong"))),
            Item("verify", (("Compare safety numbers", "text"),), ((trust_words(trust), "dim"),)),
        ]
        if trust is Trust.VERIFIED:
            items.append(Item("unverify", (("Take the verification back", "text"),)))
        blocked = person is not None and person.blocked
        items.append(Item("unblock" if blocked else "block", (("Unblock" if blocked else "Block", "text"),)))
        room = model.room
        if room is not None and room.admin and room.kind is not RoomKind.DIRECT:
            items.append(Item("promote", (("Make an admin of this room", "text"),)))
            items.append(Item("kick", (("Remove from this room", "bad"),)))
        match await screen.app.push_screen_wait(Choose(handle, items)):
            case "message":
                await self._message(handle)
            case "verify":
                await self.verify(handle)
            case "unverify":
                await screen.desk.ask(Unverify(handle))
            case "block":
                await screen.desk.ask(Block(handle))
            case "unblock":
                await screen.desk.ask(Unblock(handle))
            case "promote" if room is not None:
                await screen.desk.ask(Promote(room.id, handle))
            case "kick" if room is not None:
                if await screen.app.push_screen_wait(Confirm(f"Remove {handle} from this room?")):
                    await screen.desk.ask(Kick(room.id, handle))
