"""The store's key: random, and wrapped by a passphrase, the system's keyring or a key file.

The wrapped key stands in `vault.json` beside the store, with all that is needed to unwrap it but the secret. So the
lock can be changed at any time without rewriting the store: only the wrapping changes.
"""

import os
import unicodedata
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Protocol, cast

import msgspec
from msgspec import Meta

from secure_chat.client.errors import PassphraseNeeded, VaultError, WrongPassphraseError
from secure_chat.client.files import remove_file, write_private

__all__ = ["KEY_LENGTH", "Lock", "Vault", "derive_key"]

KEY_LENGTH = 32
"""Bytes of the store's raw ChaCha20-Poly1305 key, and of what wraps it."""

ARGON2_MEMORY_KIB = 64 * 1024
ARGON2_ITERATIONS = 3
ARGON2_LANES = 4
"""RFC 9106 §4, second recommended option: for machines that can't spare 2 GiB; about a tenth of a second."""
SALT_LENGTH = 16
"""RFC 9106 §3.1: sufficient for password hashing."""

_NONCE_LENGTH = 12
_HEADER = "vault.json"
_KEY_FILE = "vault.key"
_KEYRING_SERVICE = "secure-chat"
_LABEL = b"secure-chat 1 vault\0"
_MAX_MEMORY_KIB = 4 * 1024 * 1024
"""A header from elsewhere must not ask for all memory of this machine."""


class Lock(StrEnum):
    """What keeps the store's key."""

    PASSPHRASE = "passphrase"  # noqa: S105
    KEYRING = "keyring"
    KEY_FILE = "key_file"


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: Annotated[int, Meta(ge=1, le=1)]
    lock: Lock
    salt: Annotated[bytes, Meta(min_length=SALT_LENGTH, max_length=64)]
    """Of Argon2id; for the keyring the name of the entry; unused but bound for a key file."""
    memory_kib: Annotated[int, Meta(ge=8, le=_MAX_MEMORY_KIB)]
    iterations: Annotated[int, Meta(ge=1, le=100)]
    lanes: Annotated[int, Meta(ge=1, le=64)]
    nonce: Annotated[bytes, Meta(min_length=_NONCE_LENGTH, max_length=_NONCE_LENGTH)]
    wrapped: Annotated[bytes, Meta(max_length=256)] = b""

    def bound(self) -> bytes:
        """What the wrapping authenticates: everything else in the header."""
        return _LABEL + msgspec.json.encode(msgspec.structs.replace(self, wrapped=b""))


class _Keyring(Protocol):
    def get_password(self, service_name: str, username: str) -> str | None: ...
    def set_password(self, service_name: str, username: str, password: str) -> None: ...
    def delete_password(self, service_name: str, username: str) -> None: ...


class Vault:
    """The lock of one profile directory."""

    def __init__(self, directory: Path) -> None:
        self._header_path = directory / _HEADER
        self._key_path = directory / _KEY_FILE

    @property
    def lock(self) -> Lock:
        """What unlocks it."""
        return self._read().lock

    def create(self, lock: Lock, passphrase: str | None = None) -> bytes:
        """A new random key for the store, locked."""
        if self._header_path.exists():
            raise VaultError(f"{self._header_path} exists already")
        key = os.urandom(KEY_LENGTH)
        self._wrap(key, lock, passphrase)
        return key

    def unlock(self, passphrase: str | None = None) -> bytes:
        """The store's key; raises PassphraseNeeded or WrongPassphraseError."""
        from cryptography.exceptions import InvalidTag  # owners of a profile unlock, other processes don't
        from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

        header = self._read()
        try:
            return ChaCha20Poly1305(self._wrapping_key(header, passphrase)).decrypt(
                header.nonce, header.wrapped, header.bound()
            )
        except InvalidTag:
            message = {
                Lock.PASSPHRASE: "wrong passphrase; nothing was changed, try again",
                Lock.KEYRING: "the system's keyring holds another profile's key; nothing was changed",
                Lock.KEY_FILE: f"{self._key_path} belongs to another profile; nothing was changed",
            }[header.lock]
            raise WrongPassphraseError(message) from None

    def change(self, key: bytes, lock: Lock, passphrase: str | None = None) -> None:
        """Locks the key another way; after a crash either the old lock or the new one holds."""
        old = self._read()
        if old.lock is lock is Lock.KEY_FILE:
            return  # key file and header can't change in one step: between two, neither would open anything
        self._wrap(key, lock, passphrase)
        if old.lock is Lock.KEY_FILE and lock is not Lock.KEY_FILE:
            remove_file(self._key_path)
        if old.lock is Lock.KEYRING:
            self._forget_keyring(old)

    def destroy(self) -> None:
        """Makes the store unreadable for ever, so that its file's remains on the disk are worth nothing."""
        if not self._header_path.exists():
            return
        header = self._read()
        remove_file(self._key_path)
        remove_file(self._header_path)
        if header.lock is Lock.KEYRING:
            self._forget_keyring(header)

    def _read(self) -> _Header:
        try:
            return msgspec.json.decode(self._header_path.read_bytes(), type=_Header)
        except FileNotFoundError:
            raise VaultError(f"{self._header_path} is missing: restore the profile from a backup") from None
        except OSError as error:
            raise VaultError(f"cannot read {self._header_path}: {error.strerror}") from None
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise VaultError(f"{self._header_path} is damaged: restore the profile from a backup") from None

    def _wrap(self, key: bytes, lock: Lock, passphrase: str | None) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

        header = _Header(
            version=1,
            lock=lock,
            salt=os.urandom(SALT_LENGTH),
            memory_kib=ARGON2_MEMORY_KIB,
            iterations=ARGON2_ITERATIONS,
            lanes=ARGON2_LANES,
            nonce=os.urandom(_NONCE_LENGTH),
        )
        match lock:
            case Lock.PASSPHRASE:
                if not passphrase:
                    raise VaultError("the passphrase is empty: give one, or choose a key file instead")
                secret = self._wrapping_key(header, passphrase)
            case Lock.KEYRING:
                secret = os.urandom(KEY_LENGTH)
                try:
                    _keyring().set_password(_KEYRING_SERVICE, header.salt.hex(), secret.hex())
                except Exception as error:  # back ends raise whatever they like
                    why = (str(error).splitlines() or [type(error).__name__])[0].partition(". ")[0]
                    raise VaultError(
                        f"the system's keyring refuses the key ({why}); choose a passphrase or a key file instead"
                    ) from None
            case Lock.KEY_FILE:
                secret = os.urandom(KEY_LENGTH)
                write_private(self._key_path, secret)
        wrapped = ChaCha20Poly1305(secret).encrypt(header.nonce, key, header.bound())
        write_private(self._header_path, msgspec.json.encode(msgspec.structs.replace(header, wrapped=wrapped)))

    def _wrapping_key(self, header: _Header, passphrase: str | None) -> bytes:
        match header.lock:
            case Lock.PASSPHRASE:
                if passphrase is None:
                    raise PassphraseNeeded(
                        "this profile has a passphrase: run it in a terminal or give --passphrase-file"
                    )
                return derive_key(passphrase, header.salt, header.memory_kib, header.iterations, header.lanes)
            case Lock.KEYRING:
                try:
                    text = _keyring().get_password(_KEYRING_SERVICE, header.salt.hex())
                except Exception as error:  # back ends raise whatever they like
                    raise VaultError(f"the system's keyring cannot be read: {error}") from None
                if text is None:
                    raise WrongPassphraseError("the system's keyring holds no key for this profile; is it unlocked?")
                return _key_from(text, "the system's keyring")
            case Lock.KEY_FILE:
                try:
                    return _exactly(self._key_path.read_bytes(), str(self._key_path))
                except OSError as error:
                    raise VaultError(f"cannot read the key file {self._key_path}: {error.strerror}") from None

    def _forget_keyring(self, header: _Header) -> None:
        try:
            _keyring().delete_password(_KEYRING_SERVICE, header.salt.hex())
        except Exception as error:  # back ends raise whatever they like
            raise VaultError(f"the old key could not be removed from the system's keyring: {error}") from None


def derive_key(passphrase: str, salt: bytes, memory_kib: int, iterations: int, lanes: int) -> bytes:
    """32 bytes from a passphrase by Argon2id (RFC 9106); composed and decomposed accents are the same passphrase."""
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id  # loaded only where there is a passphrase

    normal = unicodedata.normalize("NFKC", passphrase).encode("utf-8", "surrogateescape")
    try:
        return Argon2id(
            salt=salt, length=KEY_LENGTH, iterations=iterations, lanes=lanes, memory_cost=memory_kib
        ).derive(normal)
    except (MemoryError, ValueError):
        raise VaultError("the passphrase's Argon2id parameters don't suit this machine") from None


def _keyring() -> _Keyring:
    try:
        import keyring
    except ImportError:
        raise VaultError("the system's keyring needs an extra: pip install 'secure-chat[keyring]'") from None
    return cast(_Keyring, keyring)


def _key_from(text: str, where: str) -> bytes:
    try:
        return _exactly(bytes.fromhex(text), where)
    except ValueError:
        raise WrongPassphraseError(f"what {where} holds is no key of secure-chat") from None


def _exactly(secret: bytes, where: str) -> bytes:
    if len(secret) != KEY_LENGTH:
        raise WrongPassphraseError(f"what {where} holds is no key of secure-chat")
    return secret
