"""What waits to go out: durable plaintext, encrypted when it is sent, kept until the relay has it on disk.

Within a room everything goes out in order. The ciphertext is stored with its append id before it is sent; sending it
again is harmless. Only a definite refusal as stale encrypts anew, with the same message id and the same place in the
chain. Nothing is encrypted while a commit is pending, while keys are due, or while an older epoch's messages are
still unanswered.
"""

from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from secure_chat.client.engine import spaces
from secure_chat.client.engine.content import (
    CHAIN_LENGTH,
    ENVELOPE_VERSION,
    MAX_MILESTONES,
    MESSAGE_ID_LENGTH,
    Body,
    Envelope,
    Milestone,
    Text,
    encode_body,
    hash_envelope,
    kind_of,
)
from secure_chat.client.engine.directory import Directory
from secure_chat.client.engine.history import History
from secure_chat.client.engine.integrity import Integrity
from secure_chat.client.engine.own_chain import is_known_to_all, make_void, retire
from secure_chat.client.engine.session import Session
from secure_chat.client.engine.spaces import Acknowledged, Outgoing, Phase, Room
from secure_chat.client.engine.state import State
from secure_chat.client.engine.tasks import Promise
from secure_chat.client.errors import CommandFailed
from secure_chat.client.events import FailureCode
from secure_chat.client.views import DeliveryState, MessageView, RoomKind
from secure_chat.errors import SecureChatError
from secure_chat.wire.errors import ErrorCode, RelayError
from secure_chat.wire.messages import Append, Appended, EntryKind, ServerMessage

__all__ = ["Outbox"]

WINDOW = 128
"""Messages of one room on their way at once: fills a slow line, and bounds what a refusal has to repeat."""
RETRY_AFTER = 5_000
"""Milliseconds until the next attempt where the relay has said nothing."""

_RETRYABLE = {ErrorCode.RATE_LIMITED, ErrorCode.BUSY, ErrorCode.DISK_FULL, ErrorCode.QUOTA, ErrorCode.INTERNAL}
"""Refusals that time mends: the same ciphertext is sent again."""
_OF_THE_CHANNEL = {"receipt", "accepted"}
"""Kinds of bodies that say something of the channel which they were written for, and nothing elsewhere."""
_SHOWN = {ErrorCode.DISK_FULL, ErrorCode.QUOTA}


class Outbox:
    """The queue of every room."""

    def __init__(
        self,
        state: State,
        session: Session,
        history: History,
        directory: Directory,
        integrity: Integrity,
        ready: Callable[[Room, bool], bool],
        accepted: Callable[[Room, Outgoing], None],
    ) -> None:
        self._state = state
        self._session = session
        self._history = history
        self._directory = directory
        self._integrity = integrity
        self._ready = ready
        """Whether an application message may be encrypted now, and needs fresh keys (`Commits.clear_to_send`)."""
        self._accepted = accepted
        self._on_their_way: dict[bytes, dict[int, Outgoing]] = {}
        self._pace: dict[bytes, float] = {}
        """How many at once the relay has taken lately, where it has refused some."""
        self._reasons: dict[bytes, str] = {}
        """Why the relay takes nothing for now, where people should know."""
        self._stale: dict[bytes, int] = {}
        """The head under which a room's messages were refused as stale while no other was known here."""
        self._resumed: set[bytes] = set()
        """Rooms in which nothing of an earlier connection is unresolved, or the first of it was accepted: what was
        sent again one by one could otherwise be overtaken, where the relay has forgotten the older append ids."""
        self._rooms: dict[bytes, dict[int, Outgoing]] = {}
        for item in state.outbox.values():
            self._rooms.setdefault(item.room, {})[item.order] = item

    # -- what users and other parts put in

    def queue(self, room: Room, body: Body, *, line: bool = False) -> str:
        """Puts a body in, durable with the effects of this input; the message id."""
        state = self._state
        item = Outgoing(
            version=spaces.FORMAT,
            order=state.next_order(),
            room=room.channel,
            id=state.random.randbytes(MESSAGE_ID_LENGTH),
            kind=kind_of(body),
            body=encode_body(body),
            time=state.now,
            line=line,
        )
        self._rooms.setdefault(room.channel, {})[item.order] = item
        state.save_outgoing(item)
        state.poke(room)
        return item.id.hex()

    def waiting(self, room: Room) -> int:
        """How many of the room's are not at the relay yet."""
        return len(self._rooms.get(room.channel, ()))

    def queued_lines(self) -> int:
        """Messages waiting to go out."""
        return sum(1 for item in self._state.outbox.values() if item.line and not item.failed)

    def retry(self, message_id: str) -> None:
        """A failed message goes out again."""
        item = self._find(message_id)
        if item is None or not item.failed:
            raise CommandFailed(FailureCode.INVALID, "this message has not failed")
        item.failed = False
        self._state.save_outgoing(item)
        self._show(item, DeliveryState.QUEUED, "")
        self._state.poke(self._state.rooms[item.room])

    def waits(self, message_id: str) -> bool:
        """Whether a message is still to be encrypted, for the first time or again."""
        item = self._find(message_id)
        return item is not None and not item.envelope

    def cancel(self, message_id: str) -> None:
        """Drops a message that has not left; one that may have left can't be called back."""
        item = self._find(message_id)
        if item is None:
            raise CommandFailed(FailureCode.NOT_FOUND, "no such message waits to be sent")
        if item.append:
            raise CommandFailed(FailureCode.NOT_ALLOWED, "the message is already on its way: delete it instead")
        self._remove(item)
        view = self._state.line(message_id)
        if view is not None:
            self._history.change(
                replace(view, state=DeliveryState.FAILED, detail="cancelled", deleted=True, text="", reactions=())
            )

    def drop_room(self, room: Room, reason: str) -> None:
        """The room is gone: what waited fails."""
        retire(room, self._rooms.get(room.channel, {}).values())
        for item in list(self._rooms.get(room.channel, {}).values()):
            self._on_their_way.get(room.channel, {}).pop(item.order, None)
            if item.line:
                spaces.forget_encryption(item)
                item.failed = True
                self._state.save_outgoing(item)
                self._show(item, DeliveryState.FAILED, reason)
            else:
                self._remove(item)

    def put_back(self, room: Room, view: MessageView) -> None:
        """A line that was at the relay may be lost there: it goes out again under the same id."""
        body = _text(view)
        item = Outgoing(
            version=spaces.FORMAT,
            order=self._state.next_order(),
            room=room.channel,
            id=bytes.fromhex(view.id),
            kind=kind_of(body),
            body=encode_body(body),
            time=self._state.now,
            line=True,
        )
        self._rooms.setdefault(room.channel, {})[item.order] = item
        self._state.save_outgoing(item)
        self._show(item, DeliveryState.QUEUED, "")
        self._state.poke(room)

    def move(self, old: Room, new: Room) -> None:
        """What waits in one room goes out in another: lines as they stand, then what changes any.

        Lines go first, since those that were put back stand behind what changes them.
        """
        waiting = self._rooms.pop(old.channel, {}).values()
        for item in sorted(waiting, key=lambda item: (not item.line, item.order)):
            self._state.drop_outgoing(item)
            view = self._state.line(item.id.hex()) if item.line else None
            if item.kind in _OF_THE_CHANNEL or (item.line and (view is None or view.deleted)):
                continue
            spaces.forget_encryption(item)
            item.order, item.room, item.failed = self._state.next_order(), new.channel, False
            if view is not None:
                item.body = encode_body(_text(view))
                self._history.change(replace(view, room=new.channel.hex(), state=DeliveryState.QUEUED, detail=""))
            self._rooms.setdefault(new.channel, {})[item.order] = item
            self._state.save_outgoing(item)
        self._on_their_way.pop(old.channel, None)
        self._state.poke(new)

    # -- sending

    def disconnected(self) -> None:
        """What was on its way has an unknown outcome: it is sent again as it was."""
        self._on_their_way.clear()
        self._resumed.clear()

    def advance(self, room: Room) -> None:
        """Sends what may go out now."""
        waiting = self._rooms.get(room.channel)
        state = self._state
        if not waiting or not state.is_live(room):
            return
        if self._stale.get(room.channel, room.head) != room.head:
            del self._stale[room.channel]
            state.cancel_timer("outbox", room.channel)
        if state.has_timer("outbox", room.channel):
            newest = next(reversed(waiting.values()))
            if room.channel in self._reasons and not newest.failed:
                self._show(newest, DeliveryState.QUEUED, self._reasons[room.channel])
            return
        way = self._on_their_way.setdefault(room.channel, {})
        window = int(self._pace.get(room.channel, WINDOW))
        if len(way) >= window:
            return
        for item in waiting.values():
            if item.failed or item.order in way:
                continue
            if len(way) >= window or (way and room.channel not in self._resumed):
                return
            if not item.append:
                if not self._may_encrypt(room) or _head(way, room.head) != room.head:
                    return
                self._encrypt(room, item)
                self._resumed.add(room.channel)
            elif _head(way, item.head) != item.head:
                return
            self._send(way, item)

    def _may_encrypt(self, room: Room) -> bool:
        waiting = self._rooms[room.channel].values()
        decided = any(item.kind != "receipt" and not item.failed for item in waiting)
        return room.phase == Phase.JOINED and not self._directory.blocks(room) and self._ready(room, decided)

    def _encrypt(self, room: Room, item: Outgoing) -> None:
        state = self._state
        group = state.group(room)
        if not item.envelope:
            item.envelope = self._seal(room, item, group.epoch).encode()
            item.counter = room.counter
            item.body = b""
            room.chain_hash = hash_envelope(item.envelope)
        item.payload = group.protect(item.envelope)
        item.append = state.next_append()
        item.head = room.head
        room.sent_since_keys += 1
        state.save_outgoing(item)
        state.save(room)

    def _seal(self, room: Room, item: Outgoing, epoch: int) -> Envelope:
        milestones = room.milestones
        if not milestones or room.counter > milestones[-1].count:
            newest = (milestones[-1].generation, milestones[-1].epoch) if milestones else (0, 0)
            if (room.generation, epoch) > newest:
                room.milestones = [*milestones, Milestone(room.generation, epoch, room.counter)][-MAX_MILESTONES:]
        room.counter += 1
        known = is_known_to_all(self._state, room)
        codes = self._integrity.shared_states(room.peer) if room.kind == RoomKind.DIRECT and item.line else ()
        void, room.void = room.void, 0
        return Envelope(
            version=ENVELOPE_VERSION,
            id=item.id,
            chain=room.chain,
            counter=room.counter,
            previous=room.chain_hash,
            time=item.time,
            kind=item.kind,
            fallback="",
            body=msgspec.Raw(item.body),
            codes=codes,
            revocation=self._revocation(room, item),
            milestones=() if known else tuple(room.milestones),
            formers=() if known else tuple(room.formers),
            void=void,
        )

    def _revocation(self, room: Room, item: Outgoing) -> bytes:
        """The newest of the own account, for whoever is written to directly."""
        own = self._state.people.get(self._state.own_account)
        return own.revocation if own is not None and item.line and room.kind == RoomKind.DIRECT else b""

    def _send(self, way: dict[int, Outgoing], item: Outgoing) -> None:
        way[item.order] = item
        promise = self._session.request(
            Append(0, item.room, item.append, EntryKind.APPLICATION, item.head, item.payload)
        )
        append = item.append
        promise.when_settled(lambda: self._answered(item, append, promise))

    def _answered(self, item: Outgoing, append: int, promise: Promise[ServerMessage]) -> None:
        if item.append != append or item.order not in self._state.outbox:
            return  # resolved meanwhile by the log
        room = self._state.rooms[item.room]
        try:
            answer = promise.result()
        except RelayError as error:
            self._on_their_way.get(item.room, {}).pop(item.order, None)
            self._refused(room, item, error)
        except SecureChatError:
            self._on_their_way.get(item.room, {}).pop(item.order, None)
        else:
            if isinstance(answer, Appended):
                self.stored(item, answer.time)
        self._state.poke(room)

    def stored(self, item: Outgoing, time: int) -> None:
        """The relay has it on disk."""
        room = self._state.rooms[item.room]
        self._resumed.add(item.room)
        self._reasons.pop(item.room, None)
        if item.room in self._pace:
            self._pace[item.room] = min(self._pace[item.room] + 0.5, WINDOW)
        self._remove(item)
        self._show(item, DeliveryState.SENT, "", time)
        self._accepted(room, item)
        self._state.poke(room)

    def own_entry(self, room: Room, append: int, time: int) -> None:
        """An own append came back in the log: it is stored, whatever the answer was or will be."""
        for item in self._rooms.get(room.channel, {}).values():
            if item.append == append:
                self.stored(item, time)
                return

    def _refused(self, room: Room, item: Outgoing, error: RelayError) -> None:
        state = self._state
        if error.code is ErrorCode.STALE:
            if item.head == room.head:  # the change is still to come, or kept back: until then it would be stale again
                self._stale[room.channel] = room.head
                state.set_timer("outbox", room.channel, state.now + RETRY_AFTER)
            item.payload, item.append, item.head = b"", 0, 0
            state.save_outgoing(item)
        elif error.code in _RETRYABLE:
            if not state.has_timer("outbox", room.channel):
                self._pace[room.channel] = max(self._pace.get(room.channel, WINDOW) / 2, 1)
            state.set_timer("outbox", room.channel, state.now + (error.retry_after or RETRY_AFTER))
            if error.code in _SHOWN:
                self._reasons[room.channel] = str(error)
                for waiting in self._rooms.get(room.channel, {}).values():  # they all wait for the same
                    if not waiting.failed:
                        self._show(waiting, DeliveryState.QUEUED, str(error))
        elif item.line:
            item.failed = True
            item.payload, item.append, item.head = b"", 0, 0
            state.save_outgoing(item)
            self._show(item, DeliveryState.FAILED, f"the relay refused it: {error}")
            self._make_void(room)
        else:
            item.failed = True
            self._make_void(room)
            self._remove(item)

    def _make_void(self, room: Room) -> None:
        for item in make_void(room, self._rooms.get(room.channel, {}).values()):
            self._state.save_outgoing(item)
        self._state.save(room)

    def start_chain(self, room: Room, key: bytes) -> None:
        """This device has another key in the room: its chain begins anew."""
        if room.chain_key != key:
            room.chain_key = key
            self.renew_chain(room)

    def renew_chain(self, room: Room) -> None:
        """The own chain begins anew under another name, and what waits gets new places in it."""
        waiting = self._rooms.get(room.channel, {}).values()
        retire(room, waiting)
        room.chain = self._state.random.randbytes(CHAIN_LENGTH)
        room.acknowledged = dict.fromkeys(room.acknowledged, Acknowledged(0, 0))
        self._state.delete(spaces.SENT + room.channel.hex(), None)
        for item in waiting:
            if item.counter:
                spaces.forget_encryption(item)
                self._state.save_outgoing(item)
        self._on_their_way.pop(room.channel, None)
        self._state.save(room)

    def _find(self, message_id: str) -> Outgoing | None:
        return next((item for item in self._state.outbox.values() if item.line and item.id.hex() == message_id), None)

    def _remove(self, item: Outgoing) -> None:
        self._rooms.get(item.room, {}).pop(item.order, None)
        self._on_their_way.get(item.room, {}).pop(item.order, None)
        self._state.drop_outgoing(item)

    def _show(self, item: Outgoing, delivery: DeliveryState, detail: str, time: int = 0) -> None:
        if not item.line:
            return
        view = self._state.line(item.id.hex())
        if view is not None and (view.state, view.detail) != (delivery, detail):
            self._history.change(replace(view, state=delivery, detail=detail, time=time or view.time))


def _text(view: MessageView) -> Text:
    """A line of one's own as it stands."""
    return Text(view.text, None if view.reply_to is None else bytes.fromhex(view.reply_to))


def _head(way: dict[int, Outgoing], default: int) -> int:
    """Under which head everything on its way was encrypted: always one and the same."""
    return next(iter(way.values())).head if way else default
