"""What is told and forgotten: who is online, who is typing.

Typing notices are encrypted under a key exported from the room's MLS epoch, signed by the leaf's key, and never stored.
No member can speak for another, and the relay can neither make one nor show an old one again.
"""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from secure_chat.client.engine.content import ContentError, encode_typing, read_typing
from secure_chat.client.engine.directory import Directory
from secure_chat.client.engine.session import Session
from secure_chat.client.engine.spaces import Phase, Room
from secure_chat.client.engine.state import State
from secure_chat.client.events import PresenceChanged, TypingSeen
from secure_chat.identity.credential import Identity
from secure_chat.identity.errors import IdentityError
from secure_chat.identity.labels import Purpose, to_be_signed, verify
from secure_chat.wire.messages import Ephemeral, EphemeralEntry, Presence

__all__ = ["Presences"]

TYPING_INTERVAL = 3_000
"""Milliseconds between notices; others forget one after six seconds."""
KEY_LABEL = "secure-chat 1 ephemeral"
MAX_AGE = 10 * 60_000
"""Milliseconds by which a notice's time may differ from here: clocks differ, and what a relay holds back is no news."""
MAX_HEARD = 4_096
"""Devices whose last notice is remembered."""
NONCE_LENGTH = 12
EPOCH_LENGTH = 8


class Presences:
    """Online and typing."""

    def __init__(self, state: State, session: Session, directory: Directory) -> None:
        self._state = state
        self._session = session
        self._directory = directory
        self._told: dict[bytes, int] = {}
        self._heard: dict[tuple[bytes, bytes], int] = {}
        """Room and device key → time of its last notice."""

    def online(self, message: Presence) -> list[bytes]:
        """The relay's word on who came and went; returns who came."""
        state = self._state
        came: list[bytes] = []
        for accounts, now_online in ((message.online, True), (message.offline, False)):
            for account in accounts:
                if account == state.own_account or not self._directory.set_online(account, now_online):
                    continue
                person = state.people.get(account)
                if person is not None:
                    state.emit(PresenceChanged(person.handle, account.hex(), now_online))
                if now_online:
                    came.append(account)
        return came

    def tell_typing(self, room: Room) -> None:
        """The user is typing here."""
        state = self._state
        if room.phase != Phase.JOINED or not state.is_live(room) or self._directory.blocks(room):
            return
        if state.now - self._told.get(room.channel, -TYPING_INTERVAL) < TYPING_INTERVAL:
            return
        group = state.group(room)
        if not group.active:
            return
        self._told[room.channel] = state.now
        epoch = group.epoch.to_bytes(EPOCH_LENGTH, "big")
        nonce = state.random.randbytes(NONCE_LENGTH)
        cipher = ChaCha20Poly1305(group.export(KEY_LABEL, b"", 32))
        leaf = group.own_leaf_index
        fields = (group.group_id, group.epoch, leaf, state.now)
        signature = group.identity.signature_key.sign(to_be_signed(Purpose.TYPING, *fields))
        sealed = cipher.encrypt(nonce, encode_typing(leaf, state.now, signature), room.channel + epoch)
        self._session.send(Ephemeral(room.channel, epoch + nonce + sealed))

    def heard(self, message: EphemeralEntry) -> None:
        """Somebody's notice; what is of another epoch or not genuine is dropped: it would be old in a moment anyway."""
        state = self._state
        room = state.rooms.get(message.channel)
        if room is None or room.phase != Phase.JOINED or not room.group:
            return
        group = state.group(room)
        epoch, rest = message.payload[:EPOCH_LENGTH], message.payload[EPOCH_LENGTH:]
        if epoch != group.epoch.to_bytes(EPOCH_LENGTH, "big") or not group.active:
            return
        cipher = ChaCha20Poly1305(group.export(KEY_LABEL, b"", 32))
        try:
            data = cipher.decrypt(rest[:NONCE_LENGTH], rest[NONCE_LENGTH:], room.channel + epoch)
            typing = read_typing(data)
        except (InvalidTag, ValueError, ContentError):
            return
        member = group.member(typing.leaf)
        if member is None:
            return
        identity = state.authority.identify(member.credential)
        fields = (group.group_id, group.epoch, typing.leaf, typing.time)
        try:
            verify(identity.device_key, Purpose.TYPING, typing.signature, *fields)
        except IdentityError:
            return
        if not self._is_news(room, identity, typing.time):
            return
        if identity.account_key == state.own_account or self._directory.is_blocked(identity.account_key):
            return
        state.emit(TypingSeen(room.channel.hex(), identity.handle))

    def _is_news(self, room: Room, identity: Identity, time: int) -> bool:
        """Neither seen before, nor from before one that was seen, nor of another hour."""
        row = (room.channel, identity.device_key)
        if abs(self._state.now - time) > MAX_AGE or time <= self._heard.get(row, -1):
            return False
        if len(self._heard) >= MAX_HEARD:
            self._heard.clear()
        self._heard[row] = time
        return True
