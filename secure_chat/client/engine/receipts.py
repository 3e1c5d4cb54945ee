"""Delivered and read: what others have taken in, told in batches, and shown only once it is so.

A receipt says how far each chain was taken in, cumulatively, and what is missing before that; it is sent at most
every few seconds, in rooms of few people. A line of one's own becomes "delivered" when every other person has said so,
"read" when every other person has chosen to tell.
"""

from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from secure_chat.client.engine import spaces
from secure_chat.client.engine.content import (
    MAX_RECEIPTS,
    MESSAGE_ID_LENGTH,
    Delete,
    Edit,
    Reaction,
    Receipt,
    decode_body,
    encode_body,
    kind_of,
    open_envelope,
)
from secure_chat.client.engine.history import History
from secure_chat.client.engine.integrity import Integrity
from secure_chat.client.engine.outbox import Outbox
from secure_chat.client.engine.own_chain import WITH_RECEIPTS
from secure_chat.client.engine.spaces import Acknowledged, Outgoing, Phase, Room
from secure_chat.client.engine.state import State
from secure_chat.client.views import DeliveryState

__all__ = ["Change", "Receipts", "Unconfirmed"]

MAX_PEOPLE = WITH_RECEIPTS
"""Larger rooms have no receipts: everyone would tell everyone."""
INTERVAL = 5_000
"""Milliseconds between receipts of one room."""
KEPT = 200
"""What one has written in a room and is waited for: lines whose state may still rise, and changes of lines."""

Change = Edit | Delete | Reaction


class Unconfirmed(NamedTuple):
    """Something of one's own that not everybody has said to have."""

    line: str
    """The line itself, or the one that is changed."""
    change: Change | None
    """An edit's text is what the line says now."""


class Receipts:
    """Sends and takes receipts."""

    def __init__(self, state: State, history: History, integrity: Integrity) -> None:
        self._state = state
        self._history = history
        self._integrity = integrity
        self._sent: dict[bytes, dict[int, str]] = {}
        self._delivered: dict[bytes, set[int]] = {}
        """Of these, what shows as delivered: looked at again only once it has been read."""

    # -- telling others

    def owe(self, room: Room) -> None:
        """Something of somebody's was taken in, or read."""
        if room.phase == Phase.JOINED and len(self._state.accounts(room)) <= MAX_PEOPLE:
            if not room.receipt_due:
                room.receipt_due = True
                self._state.save(room)
            self.plan(room)

    def plan(self, room: Room) -> None:
        """Sets the time for what is owed."""
        if room.receipt_due and not self._state.has_timer("receipt", room.channel):
            self._state.set_timer("receipt", room.channel, self._state.now + INTERVAL)

    def send(self, room: Room, outbox: Outbox) -> None:
        """The time has come."""
        state = self._state
        if not room.receipt_due or room.phase != Phase.JOINED or not state.is_live(room):
            return  # planned again when the room is live
        room.receipt_due = False
        state.save(room)
        progress = self._integrity.progress(room, read=state.profile.read_receipts and not room.unread)
        if progress and len(state.accounts(room)) <= MAX_PEOPLE:
            outbox.queue(room, Receipt(progress))
        if len(progress) == MAX_RECEIPTS:
            self.owe(room)  # there may be more

    # -- what others tell

    def remember(self, room: Room, item: Outgoing) -> None:
        """A line of one's own, or a change of one, is at the relay: others will say to have it."""
        change = None if item.line else _change_in(item)
        if (not item.line and change is None) or len(self._state.accounts(room)) > MAX_PEOPLE:
            return
        sent = self._lines(room)
        sent[item.counter] = item.id.hex()
        about = b"" if change is None else msgspec.msgpack.encode((kind_of(change), encode_body(change)))
        self._state.put(self._space(room), spaces.order_key(item.counter), item.id + about)
        while len(sent) > KEPT:
            self._forget(room, next(iter(sent)))
        self._review(room, [item.counter])

    def take(self, room: Room, account: bytes, receipt: Receipt) -> None:
        """Somebody's receipt."""
        for progress in receipt.progress:
            if progress.chain != room.chain or account == self._state.own_account:
                continue
            if progress.delivered > room.counter:
                continue  # of a future that this store has lost, or made up: it must not count for what is to come
            before = room.acknowledged.get(account, Acknowledged(0, 0))
            room.acknowledged[account] = Acknowledged(
                max(progress.delivered, before.delivered),
                max(progress.read, before.read),
                progress.missing if progress.delivered >= before.delivered else before.missing,
                before.baseline,
            )
            self._state.save(room)
        self.review(room)

    def joined(self, room: Room, account: bytes) -> None:
        """Somebody new will never have what was sent before; who comes back from elsewhere is owed it."""
        if len(self._state.accounts(room)) > MAX_PEOPLE or account in room.acknowledged:
            return
        room.acknowledged[account] = Acknowledged(room.counter, room.counter, (), room.counter)

    def missed(self, room: Room, account: bytes) -> None:
        """Somebody is not in the group that goes on, though nothing says that they have left: they may come back."""
        if len(room.acknowledged) < MAX_PEOPLE:
            room.acknowledged.setdefault(account, Acknowledged(0, 0))

    def left(self, room: Room, account: bytes) -> None:
        """Nobody waits for somebody who has left."""
        room.acknowledged.pop(account, None)

    def review(self, room: Room) -> None:
        """Raises the state of lines as far as everybody's receipts allow."""
        self._review(room, list(self._lines(room)))

    def _review(self, room: Room, counters: list[int]) -> None:
        sent = self._lines(room)
        roster = self._state.roster(room)
        if not counters or roster is None:
            return
        others = [a for a in self._state.accounts(room) if a != self._state.own_account and a not in roster.invited]
        if not others:
            return
        told = [room.acknowledged.get(account, Acknowledged(0, 0)) for account in others]
        delivered = min(one.delivered for one in told)
        shown = self._delivered.setdefault(room.channel, set())
        for counter in counters:
            if counter > delivered:
                break
            # What was written before somebody first came in is not missed by them; what they lost meanwhile is.
            there = [one for one in told if counter > one.baseline]
            if not there:
                self._forget(room, counter)  # nobody who is here was there: it has reached nobody, and will not
                continue
            if any(a <= counter <= b for one in there for a, b in one.missing):
                continue
            read = all(one.read >= counter for one in there)
            if counter in shown and not read:
                continue
            shown.add(counter)
            view = self._state.line(sent[counter])
            target = DeliveryState.READ if read else DeliveryState.DELIVERED
            if (
                view is not None
                and view.state in (DeliveryState.SENT, DeliveryState.DELIVERED)
                and view.state != target
            ):
                self._history.change(replace(view, state=target))
            if read or view is None:
                self._forget(room, counter)

    def unconfirmed(self, room: Room) -> list[Unconfirmed]:
        """What not everybody has said to have, in the order of writing; it is no longer waited for."""
        rows = self._state.rows(self._space(room))
        found = [_unconfirmed(rows[spaces.order_key(counter)]) for counter in sorted(self._lines(room))]
        for counter in list(self._lines(room)):
            self._forget(room, counter)
        return found

    def start_chain(self, room: Room) -> None:
        """The own chain begins anew: earlier lines keep the state they have."""
        self._sent.pop(room.channel, None)
        self._delivered.pop(room.channel, None)

    def _lines(self, room: Room) -> dict[int, str]:
        lines = self._sent.get(room.channel)
        if lines is None:
            rows = self._state.rows(self._space(room)).items()
            lines = {int.from_bytes(key, "big"): value[:MESSAGE_ID_LENGTH].hex() for key, value in rows}
            self._sent[room.channel] = lines
        return lines

    def _forget(self, room: Room, counter: int) -> None:
        self._lines(room).pop(counter, None)
        self._delivered.get(room.channel, set()).discard(counter)
        self._state.delete(self._space(room), spaces.order_key(counter))

    def _space(self, room: Room) -> str:
        return spaces.SENT + room.channel.hex()


def _change_in(item: Outgoing) -> Change | None:
    """What an accepted message changes; without the text, which must not outlive the line's."""
    body = open_envelope(item.envelope).body
    if isinstance(body, Edit):
        return Edit(body.target, "")
    return body if isinstance(body, Delete | Reaction) else None


def _unconfirmed(row: bytes) -> Unconfirmed:
    if len(row) == MESSAGE_ID_LENGTH:
        return Unconfirmed(row.hex(), None)
    kind, data = msgspec.msgpack.decode(row[MESSAGE_ID_LENGTH:], type=tuple[str, bytes])
    change = decode_body(kind, data)
    assert isinstance(change, Change)
    return Unconfirmed(change.target.hex(), change)
