"""Backups: one file, encrypted under its own passphrase, that cannot make anybody reuse a key.

It holds history, account key, pins and the list of rooms, but no MLS secrets, no key packages, no queued ciphertext
and no device key: what is restored from it is the same device with a fresh key, which asks every room to be added.

::

    magic, Argon2id salt and parameters, then chunks of ChaCha20-Poly1305: nonce = chunk number ‖ 1 if it is the last
    (the STREAM construction), so that chunks can't be exchanged, repeated or cut off unnoticed
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from msgspec.structs import replace

from secure_chat.client.engine import spaces
from secure_chat.client.engine.effects import PutMessage, PutRow, Write
from secure_chat.client.engine.recovery import mark_restored
from secure_chat.client.errors import BackupError
from secure_chat.client.profile import SHELL_SPACE
from secure_chat.client.store import Store
from secure_chat.client.vault import (
    ARGON2_ITERATIONS,
    ARGON2_LANES,
    ARGON2_MEMORY_KIB,
    KEY_LENGTH,
    SALT_LENGTH,
    derive_key,
)
from secure_chat.client.views import DeliveryState, MessageView

__all__ = ["restore_backup", "write_backup"]

MAGIC: Final = b"secure-chat backup 1\n"
CHUNK: Final = 64 * 1024
"""Bytes of plaintext encrypted together: memory stays small, overhead too."""
PAGE: Final = 500
"""Lines of history per step: the chat goes on between two."""

_TAG = 16
_KEPT = (spaces.PROFILE, spaces.PEOPLE, spaces.HANDLES, spaces.ROOMS, spaces.POSITIONS, spaces.ROSTERS, SHELL_SPACE)
_KEPT_PREFIXES = (spaces.CHAINS, spaces.UNREAD)
_WAITING = "it was waiting to be sent when the backup was made"


class _Row(msgspec.Struct, array_like=True, frozen=True, tag="row"):
    space: str
    key: bytes
    value: bytes


class _Line(msgspec.Struct, array_like=True, frozen=True, tag="line"):
    message: MessageView


_decoder = msgspec.msgpack.Decoder(_Row | _Line)
_encoder = msgspec.msgpack.Encoder()


def write_backup(store: Store, path: Path, passphrase: str) -> Iterator[None]:
    """Writes a backup step by step; raises BackupError if the file exists, OSError for what the disk refuses."""
    if not passphrase:
        raise BackupError("a backup needs a passphrase: it holds your account key and all you wrote")
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        raise BackupError(f"{path} exists already: choose another name") from None
    except OSError as error:
        raise BackupError(f"cannot write {path}: {error.strerror}") from None
    finished = False
    try:
        with open(descriptor, "wb") as file:
            writer = _Writer(file, passphrase)
            for space in store.spaces():
                if space in _KEPT or space.startswith(_KEPT_PREFIXES):
                    for key, value in store.scan(space):
                        writer.add(_Row(space, key, _without_secrets(space, key, value)))
            yield
            position = 0
            while lines := store.history(None, PAGE, after=position):
                for line in lines:
                    writer.add(_Line(_settled(line)))
                position = lines[-1].position
                yield
            writer.finish()
        finished = True
    finally:
        if not finished:
            path.unlink(missing_ok=True)


def restore_backup(path: Path, passphrase: str, store: Store) -> None:
    """Fills an empty store from a backup, in one transaction; raises BackupError."""
    try:
        with path.open("rb") as file:
            profile = b""
            writes: list[Write] = []
            for record in _records(file, passphrase):
                match record:
                    case _Row(spaces.PROFILE, b"profile", value):
                        profile = value
                    case _Row(space, key, value):
                        writes.append(PutRow(space, key, value))
                    case _Line(message):
                        writes.append(PutMessage(message))
                if len(writes) >= PAGE:
                    store.apply(writes)
                    writes.clear()
            if not profile:
                raise BackupError(f"{path} holds no account")
            store.apply([*writes, *mark_restored(profile)])
    except OSError as error:
        raise BackupError(f"cannot read {path}: {error.strerror}") from None
    store.commit()


class _Writer:
    """Gathers records into encrypted chunks."""

    def __init__(self, file: IO[bytes], passphrase: str) -> None:
        salt = os.urandom(SALT_LENGTH)
        parameters = (ARGON2_MEMORY_KIB, ARGON2_ITERATIONS, ARGON2_LANES)
        self._header = MAGIC + salt + b"".join(number.to_bytes(4, "big") for number in parameters)
        self._aead = ChaCha20Poly1305(derive_key(passphrase, salt, *parameters))
        self._file = file
        self._buffer = bytearray()
        self._number = 0
        file.write(self._header)

    def add(self, record: "_Row | _Line") -> None:
        """One more record."""
        encoded = _encoder.encode(record)
        self._buffer += len(encoded).to_bytes(4, "big") + encoded
        while len(self._buffer) > CHUNK:
            self._write(bytes(self._buffer[:CHUNK]), last=False)
            del self._buffer[:CHUNK]

    def finish(self) -> None:
        """The last chunk, and everything on the disk."""
        self._write(bytes(self._buffer), last=True)
        self._file.flush()
        os.fsync(self._file.fileno())

    def _write(self, chunk: bytes, *, last: bool) -> None:
        self._file.write(self._aead.encrypt(_nonce(self._number, last=last), chunk, self._header))
        self._number += 1


def _records(file: IO[bytes], passphrase: str) -> Iterator["_Row | _Line"]:
    """The records of a backup, each authenticated before it is decoded."""
    damaged = BackupError("the backup is damaged or was cut off")
    header = file.read(len(MAGIC) + SALT_LENGTH + 12)
    if not header.startswith(MAGIC) or len(header) != len(MAGIC) + SALT_LENGTH + 12:
        raise BackupError("this is no backup of secure-chat, or one of a later version")
    salt = header[len(MAGIC) : -12]
    starts = range(len(header) - 12, len(header), 4)
    memory, iterations, lanes = (int.from_bytes(header[at : at + 4], "big") for at in starts)
    if not (8 <= memory <= 1 << 22 and 1 <= iterations <= 100 and 1 <= lanes <= 64):
        raise damaged
    aead = ChaCha20Poly1305(derive_key(passphrase, salt, memory, iterations, lanes))
    buffer = bytearray()
    number = 0
    ahead = file.read(CHUNK + _TAG)
    while True:
        sealed, ahead = ahead, file.read(CHUNK + _TAG)
        try:
            buffer += aead.decrypt(_nonce(number, last=not ahead), sealed, header)
        except InvalidTag:
            raise damaged if number else BackupError("wrong passphrase for this backup, or it is damaged") from None
        number += 1
        while len(buffer) >= 4 and len(buffer) >= 4 + (size := int.from_bytes(buffer[:4], "big")):
            try:
                yield _decoder.decode(buffer[4 : 4 + size])
            except (msgspec.DecodeError, UnicodeDecodeError):
                raise damaged from None
            del buffer[: 4 + size]
        if not ahead:
            break
    if buffer:
        raise damaged


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])


def _without_secrets(space: str, key: bytes, value: bytes) -> bytes:
    """The row without device key, and without what refers to MLS groups, whose rows are not in the backup."""
    if (space, key) == (spaces.PROFILE, b"profile"):
        profile = spaces.decode(spaces.Profile, value)
        profile.device_seed = bytes(KEY_LENGTH)
        return spaces.encode(profile)
    if space == spaces.ROOMS:
        room = spaces.decode(spaces.Room, value)
        room.group = room.next = room.next_at = 0
        return spaces.encode(room)
    return value


def _settled(line: MessageView) -> MessageView:
    """The outbox is not in the backup: what waited there would wait for ever."""
    if line.state is not DeliveryState.QUEUED:
        return line
    return replace(line, state=DeliveryState.FAILED, detail=_WAITING)
