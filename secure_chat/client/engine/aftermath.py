"""What a restored relay has lost: acknowledged messages go out again, conversations go on in new channels."""

from secure_chat.client.engine.content import Delete, Edit
from secure_chat.client.engine.history import History
from secure_chat.client.engine.joining import Joining
from secure_chat.client.engine.leaving import Leaving
from secure_chat.client.engine.outbox import Outbox
from secure_chat.client.engine.receipts import Receipts, Unconfirmed
from secure_chat.client.engine.spaces import Phase, Room
from secure_chat.client.engine.state import State
from secure_chat.client.engine.tasks import Task
from secure_chat.client.events import SecurityKind
from secure_chat.client.views import DeliveryState, RoomKind
from secure_chat.errors import SecureChatError

__all__ = ["Aftermath"]


class Aftermath:
    """What follows when the relay has lost something."""

    def __init__(self, state: State, history: History, outbox: Outbox, receipts: Receipts, leaving: Leaving) -> None:
        self._state = state
        self._history = history
        self._outbox = outbox
        self._receipts = receipts
        self._leaving = leaving

    def send_again(self, room: Room) -> None:
        """A relay that was set back may have lost what it had stored: what not everybody has confirmed goes out again.

        If the store was set back along with it, nothing shows that: the own chain, gone on with, would give out places
        that others have seen taken, and their receipts for those would count. So it begins anew.
        """
        if room.phase not in (Phase.JOINED, Phase.INVITED, Phase.OUT):
            return
        unconfirmed = self._receipts.unconfirmed(room)
        self._outbox.renew_chain(room)
        self._put_back(room, unconfirmed)

    def founded_anew(self, room: Room) -> None:
        """A conversation begins with fresh keys: what the other side has not confirmed goes out again.

        It would have to have been in the group that ends; who began a new one may never have been.
        """
        if room.kind == RoomKind.DIRECT:
            self._put_back(room, self._receipts.unconfirmed(room))

    def _put_back(self, room: Room, unconfirmed: list[Unconfirmed]) -> None:
        for name, change in unconfirmed:
            line = self._state.line(name)
            if line is None or (line.deleted and not isinstance(change, Delete)):
                continue
            if change is not None:
                self._outbox.queue(room, Edit(change.target, line.text) if isinstance(change, Edit) else change)
            elif line.state is DeliveryState.SENT:
                self._outbox.put_back(room, line)

    def channel_gone(self, room: Room, joining: Joining) -> None:
        """The relay no longer has the channel: direct conversations and open rooms go on in a new one."""
        state = self._state
        text = "The relay no longer has this conversation: it was restored from an older backup."
        self._history.security(room, SecurityKind.NEW_INCARNATION, text)
        self.send_again(room)
        person = state.people.get(room.peer)
        if room.kind == RoomKind.DIRECT and person is not None:
            state.tasks.start(self._go_on(room, joining.start_direct(person.handle), text))
        elif room.kind == RoomKind.OPEN:
            state.tasks.start(self._go_on(room, joining.enter_open(room.name), text))
        else:
            self._leaving.finish(room, text)

    def _go_on(self, old: Room, successor: Task[Room], text: str) -> Task[None]:
        old.phase = Phase.LEFT
        self._state.save(old)
        try:
            new = yield from successor
        except SecureChatError:
            old.phase = Phase.OUT  # the next connection tries again
            self._state.save(old)
            raise
        if new is not old:
            if new.peer == old.peer:  # never to another key than it was written for
                self._outbox.move(old, new)
            self._leaving.finish(old, text)
