"""Decrypted application messages: into their chain, then into the history."""

from msgspec.structs import replace

from secure_chat.client.engine import own_chain
from secure_chat.client.engine.content import (
    Accepted,
    ContentError,
    Delete,
    Edit,
    Envelope,
    Reaction,
    Receipt,
    Text,
    UnknownBody,
    open_envelope,
)
from secure_chat.client.engine.directory import Directory
from secure_chat.client.engine.history import History
from secure_chat.client.engine.integrity import Integrity, Verdict
from secure_chat.client.engine.policy import acts_as_admin
from secure_chat.client.engine.receipts import Receipts
from secure_chat.client.engine.spaces import Room
from secure_chat.client.engine.state import State
from secure_chat.client.events import SecurityKind
from secure_chat.client.views import DeliveryState, MessageKind, MessageView, RoomKind
from secure_chat.client.views import Reaction as ReactionView
from secure_chat.identity.credential import Identity
from secure_chat.identity.errors import IdentityError
from secure_chat.mls.errors import MLSError, SecretConsumedError, WrongEpochError
from secure_chat.mls.group.results import Application
from secure_chat.wire.messages import Entry

__all__ = ["Messages", "react"]

MAX_REACTIONS = 32
"""Different emojis under one message; more is noise."""


class Messages:
    """Takes in what others (and one's other devices) have written."""

    def __init__(
        self, state: State, directory: Directory, history: History, integrity: Integrity, receipts: Receipts
    ) -> None:
        self._state = state
        self._directory = directory
        self._history = history
        self._integrity = integrity
        self._receipts = receipts

    def take(self, room: Room, entry: Entry, message: Application) -> None:
        """One decrypted message."""
        sender = self._state.authority.identify(message.sender.credential)
        if not message.current and not self._is_member(room, sender):
            text = f"{sender.handle} was removed and still writes; the message was dropped."
            self._history.security(room, SecurityKind.REMOVED_SENDER, text, handle=sender.handle, time=entry.time)
            return
        try:
            opened = open_envelope(message.data)
        except ContentError as error:
            text = f"A message of {sender.handle} could not be understood: {error}."
            self._history.security(room, SecurityKind.BAD_ENTRY, text, handle=sender.handle, time=entry.time)
            return
        envelope = opened.envelope
        verdict = self._integrity.take(room, sender, envelope, message.data, entry.time)
        if envelope.codes and room.kind == RoomKind.DIRECT:
            self._integrity.hear(sender, envelope.codes)
        if envelope.revocation:
            self._withdraw(room, sender, envelope.revocation, entry.time)
        if self._directory.is_blocked(sender.account_key):
            return
        match opened.body:
            case Text():
                self._text(room, entry, sender, envelope, opened.body, verdict)
            case Edit():
                self._edit(room, entry, sender, opened.body)
            case Delete():
                self._delete(room, entry, sender, opened.body)
            case Reaction():
                self._reaction(room, sender, opened.body)
            case Receipt():
                if message.current:
                    own_chain.hear(self._state, room, sender.device_key, opened.body)
                self._receipts.take(room, sender.account_key, opened.body)
                return
            case Accepted():
                self._accepted(room, entry, sender)
            case UnknownBody():
                text = envelope.fallback or f"(something that this version does not know: {envelope.kind})"
                self._add(room, entry, sender, envelope, MessageKind.UNKNOWN, text, None)
        if sender.account_key != self._state.own_account:
            self._receipts.owe(room)

    def _withdraw(self, room: Room, sender: Identity, revocation: bytes, time: int) -> None:
        """An account says which of its devices it has withdrawn."""
        try:
            self._directory.withdraw(revocation)
        except IdentityError as error:
            text = f"A withdrawal of devices in a message of {sender.handle} is not genuine: {error}."
            self._history.security(room, SecurityKind.BAD_ENTRY, text, handle=sender.handle, time=time)

    def unreadable(self, room: Room, entry: Entry, reason: MLSError) -> None:
        """An application entry that this device cannot open."""
        roster = self._state.roster(room)
        member = next((e for e in roster.entries if e.device == entry.sender), None) if roster is not None else None
        handle = "" if member is None else member.handle
        who = f"from {handle}" if handle else "from somebody who is not a member"
        if isinstance(reason, SecretConsumedError):
            text = f"A message {who} came a second time and was dropped."
            self._history.security(room, SecurityKind.REPLAY, text, handle=handle, time=entry.time)
        elif isinstance(reason, WrongEpochError):
            text = f"A message {who} could not be decrypted: its keys are not, or no longer, here."
            self._history.security(room, SecurityKind.UNDECRYPTABLE, text, handle=handle, time=entry.time)
        else:
            kind = SecurityKind.UNDECRYPTABLE if member is not None else SecurityKind.BAD_ENTRY
            text = f"A message {who} could not be decrypted: it is damaged or not genuine."
            self._history.security(room, kind, text, handle=handle, time=entry.time)

    def _is_member(self, room: Room, sender: Identity) -> bool:
        roster = self._state.roster(room)
        own = (sender.account_key, sender.device_id)
        return roster is not None and any((e.account, e.device) == own for e in roster.entries)

    def _text(
        self, room: Room, entry: Entry, sender: Identity, envelope: Envelope, body: Text, verdict: Verdict
    ) -> None:
        known = self._state.line(envelope.id.hex())
        if known is not None:
            # Sent again by its author after a restore or refusal; anything else under a taken id is a forgery.
            if known.account != sender.account_key.hex() or (verdict is Verdict.REPEATED and known.text != body.text):
                text = f"{sender.handle} sent a message under an id that another message has; it was dropped."
                self._history.security(room, SecurityKind.BAD_ENTRY, text, handle=sender.handle, time=entry.time)
            return
        reply = None if body.reply_to is None else body.reply_to.hex()
        self._add(room, entry, sender, envelope, MessageKind.TEXT, body.text, reply)

    def _add(
        self,
        room: Room,
        entry: Entry,
        sender: Identity,
        envelope: Envelope,
        kind: MessageKind,
        text: str,
        reply_to: str | None,
    ) -> None:
        own = sender.account_key == self._state.own_account
        if self._state.line(envelope.id.hex()) is not None:
            return
        self._history.add(
            room,
            envelope.id.hex(),
            kind,
            text,
            sender=sender.handle,
            account=sender.account_key,
            time=entry.time,
            state=DeliveryState.SENT if own else DeliveryState.RECEIVED,
            reply_to=reply_to,
        )

    def _target(self, room: Room, target: bytes) -> MessageView | None:
        view = self._state.line(target.hex())
        if view is None or view.deleted or not self._goes_on(room, view):
            return None
        return view if view.kind in (MessageKind.TEXT, MessageKind.UNKNOWN) else None

    def _goes_on(self, room: Room, view: MessageView) -> bool:
        """Whether a line is of this room, or of a channel that the relay has lost and that this one goes on for."""
        old = self._state.rooms.get(bytes.fromhex(view.room))
        if old is None or old is room:
            return old is room
        if room.kind == RoomKind.ROOM or (old.kind, old.peer) != (room.kind, room.peer):
            return False
        return room.kind == RoomKind.DIRECT or old.name == room.name

    def _edit(self, room: Room, entry: Entry, sender: Identity, body: Edit) -> None:
        view = self._target(room, body.target)
        if view is None:
            return
        if view.account != sender.account_key.hex():
            self._meddled(room, entry, sender, view)
            return
        self._history.change(replace(view, text=body.text, edited=True))

    def _delete(self, room: Room, entry: Entry, sender: Identity, body: Delete) -> None:
        view = self._target(room, body.target)
        if view is None:
            return
        roles = self._state.roles(room)
        members = self._state.occupants(self._state.group(room))
        direct = room.kind == RoomKind.DIRECT
        here = view.room == room.channel.hex()
        admin = here and not direct and roles is not None and acts_as_admin(roles, members, sender.account_key)
        if view.account == sender.account_key.hex() or admin:
            self._history.change(replace(view, text="", deleted=True, reactions=()))
        else:
            self._meddled(room, entry, sender, view)

    def _meddled(self, room: Room, entry: Entry, sender: Identity, view: MessageView) -> None:
        text = f"{sender.handle} tried to change a message of {view.sender} without the right; nothing was changed."
        self._history.security(room, SecurityKind.BAD_ENTRY, text, handle=sender.handle, time=entry.time)

    def _reaction(self, room: Room, sender: Identity, body: Reaction) -> None:
        view = self._target(room, body.target)
        if view is not None:
            changed = react(view, sender.handle, body)
            if changed != view:
                self._history.change(changed)

    def _accepted(self, room: Room, entry: Entry, sender: Identity) -> None:
        roster = self._state.roster(room)
        if roster is not None and sender.account_key in roster.invited:
            roster.invited.discard(sender.account_key)
            self._state.save_roster(room, roster)
            self._history.notice(room, "accepted", f"{sender.handle} joined", sender.account_key, entry.time)
            self._receipts.review(room)


def react(view: MessageView, handle: str, body: Reaction) -> MessageView:
    """The line with somebody's reaction put under it or taken back."""
    reactions = {reaction.emoji: list(reaction.handles) for reaction in view.reactions}
    handles = reactions.setdefault(body.emoji, [])
    if body.remove:
        if handle in handles:
            handles.remove(handle)
    elif handle not in handles and (len(reactions) <= MAX_REACTIONS or handles):
        handles.append(handle)
    return replace(
        view, reactions=tuple(ReactionView(emoji, tuple(names)) for emoji, names in reactions.items() if names)
    )
