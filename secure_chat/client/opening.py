"""Opening a profile: become its owner, or a hand on the one that is.

Only owners load engine, store and TLS, which is most of what starting takes.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from secure_chat.client.backend import Backend, Listener
from secure_chat.client.errors import ProfileBusy, ProfileError
from secure_chat.client.profile import Profile, ProfileLock
from secure_chat.client.vault import Lock
from secure_chat.transport.errors import ListenError, NobodyListens

if TYPE_CHECKING:
    from secure_chat.client.local import LocalService
    from secure_chat.client.store import Store

__all__ = ["Opened", "Passphrase", "open_profile", "own"]

OWNER_TIMEOUT = 10.0
"""Seconds for an owner that is just starting or ending."""
_PAUSE = 0.02

Passphrase: TypeAlias = str | Callable[[], str] | None
"""A passphrase, or what asks for one if it is needed."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A backend and, for the owner, the socket by which others reach it."""

    backend: Backend
    service: "LocalService | None"

    @property
    def is_owner(self) -> bool:
        """Whether this process runs the engine."""
        return self.service is not None

    def close(self) -> None:
        """Other processes' commands first, then the backend."""
        if self.service is not None:
            self.service.close()
        self.backend.close()


def open_profile(name: str, passphrase: Passphrase = None) -> Opened:
    """Opens an existing profile; raises ProfileMissing, ProfileBusy, VaultError, StoreError."""
    profile = Profile(name)
    profile.require()
    deadline = time.monotonic() + OWNER_TIMEOUT
    while True:
        try:
            lock = profile.acquire()
        except ProfileBusy:
            hand = _reach(profile)
            if hand is not None:
                return hand
            if time.monotonic() >= deadline:
                raise
            time.sleep(_PAUSE)
        else:
            return own(profile, lock, _open_store(profile, lock, passphrase))


def own(profile: Profile, lock: ProfileLock, store: "Store", *listeners: Listener) -> Opened:
    """Runs the profile in this process; closes the store and gives the lock back if that fails."""
    from secure_chat.client.local import LocalService
    from secure_chat.client.runner import Runner

    try:
        runner = Runner(profile, lock, store, *listeners)
    except BaseException:
        store.close()
        lock.release()
        raise
    try:
        return Opened(runner, LocalService(profile.directory / "socket", runner))
    except ListenError as error:
        runner.close()
        raise ProfileError(f"other commands could not reach this one: {error}") from None


def _open_store(profile: Profile, lock: ProfileLock, passphrase: Passphrase) -> "Store":
    from secure_chat.client.store import Store

    try:
        if callable(passphrase):
            passphrase = passphrase() if profile.vault.lock is Lock.PASSPHRASE else None
        return Store.open(profile.store_path, profile.vault.unlock(passphrase))
    except BaseException:
        lock.release()
        raise


def _reach(profile: Profile) -> Opened | None:
    from secure_chat.client.hand import Hand  # owners don't need it

    try:
        return Opened(Hand(profile.directory / "socket"), None)
    except NobodyListens:
        return None
