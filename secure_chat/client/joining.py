"""Becoming a profile: from an invite link, or from a backup."""

import queue
import random
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from secure_chat.client.backup import restore_backup
from secure_chat.client.engine.create import is_registered, new_profile
from secure_chat.client.engine.effects import PutRow
from secure_chat.client.errors import JoinError, NameTaken, ProfileExists, UnreachableError, VaultError
from secure_chat.client.events import ConnectionChanged, Event, ShuttingDown
from secure_chat.client.opening import Opened, own
from secure_chat.client.profile import CA_KEY, LOCK_NAME, SHELL_SPACE, Profile, ProfileLock
from secure_chat.client.store import Store
from secure_chat.client.vault import Lock
from secure_chat.client.views import ConnectionState
from secure_chat.identity.handle import require_handle
from secure_chat.identity.invite import InviteLink, format_address
from secure_chat.identity.keys import AccountKey, decode_recovery_code
from secure_chat.transport.bootstrap import fetch_ca
from secure_chat.transport.errors import CertificateRefused, ConnectError, PinMismatch, TransportError
from secure_chat.wire.errors import WireError

__all__ = ["join", "restore_profile"]


def join(
    link: str,
    handle: str,
    name: str,
    lock: Lock,
    passphrase: str | None,
    recovery_code: str | None,
    timeout: float,
) -> Opened:
    """Makes the profile `name` with an invite link and waits (seconds) until it has entered.

    Raises InviteLinkError, HandleError, RecoveryCodeError, ProfileExists, NameTaken, JoinError or UnreachableError;
    nothing is left behind then. Where the connection breaks after the relay may have registered the account, the
    profile stays, since it holds the only copy of the account's key, and goes on when it is opened again.
    """
    invite = InviteLink.parse(link)
    require_handle(handle)
    account = None if recovery_code is None else decode_recovery_code(recovery_code)
    profile = Profile(name)
    with _new(profile) as owned:
        now = time.time_ns() // 1_000_000
        ca = _fetch_ca(invite, now // 1000)
        key = profile.vault.create(lock, passphrase)
        with _whole_store(profile, key) as made:
            made.apply(_first_rows(invite, handle, account, ca, now))
            made.commit()
        store = Store.open(profile.store_path, key)
        events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        opened = own(profile, owned, store, events.put)
    try:
        _wait_until_entered(events, handle, timeout)
    except JoinError:
        opened.close()
        with Store.open(profile.store_path, key) as kept:
            registered = is_registered(kept)
        if not registered:
            _discard(profile, profile.acquire())
        raise
    except BaseException:
        # Interrupted: the relay may have registered the account a moment ago, and its only key is here.
        opened.close()
        raise
    return opened


def restore_profile(path: Path, words: str, name: str, lock: Lock, passphrase: str | None) -> None:
    """Makes the profile `name` from a backup; raises ProfileExists or BackupError and then leaves nothing behind."""
    profile = Profile(name)
    with _new(profile) as owned:
        with _whole_store(profile, profile.vault.create(lock, passphrase)) as store:
            restore_backup(path, words, store)
        owned.release()


@contextmanager
def _new(profile: Profile) -> Iterator[ProfileLock]:
    """The lock of a profile that does not exist yet; its directory goes if anything fails."""
    _require_new(profile)
    owned = profile.acquire()
    try:
        _require_new(profile)  # another process may have joined and ended in between
        _clear(profile)
    except ProfileExists:
        owned.release()
        raise
    try:
        yield owned
    except BaseException:
        _discard(profile, owned)
        raise


@contextmanager
def _whole_store(profile: Profile, key: bytes) -> Iterator[Store]:
    """A store that is there as a whole or, should this process die, not at all."""
    path = profile.store_path.with_suffix(".new")
    with Store.create(path, key) as store:
        yield store
    path.replace(profile.store_path)


def _clear(profile: Profile) -> None:
    """What a process left here that died while making the profile; nobody has seen anything of it."""
    with suppress(VaultError):
        profile.vault.destroy()
    for path in profile.directory.iterdir():
        if path.is_file() and path.name != LOCK_NAME:
            path.unlink()


def _discard(profile: Profile, owned: ProfileLock) -> None:
    profile.vault.destroy()
    shutil.rmtree(profile.directory, ignore_errors=True)
    owned.release()


def _require_new(profile: Profile) -> None:
    if profile.exists:
        raise ProfileExists(
            f"profile {profile.name!r} has joined already: open it with secure-chat client, or choose another --profile"
        )


def _fetch_ca(invite: InviteLink, now: int) -> str:
    """The pinned CA in PEM, empty for a public one; `now` in seconds."""
    if invite.ca_pin is None:
        return ""
    try:
        return fetch_ca(invite.host, invite.port, invite.ca_pin, now)
    except ConnectError as error:
        raise UnreachableError(str(error)) from None
    except (PinMismatch, CertificateRefused, TransportError, WireError) as error:
        raise JoinError(str(error)) from None


def _first_rows(invite: InviteLink, handle: str, account: AccountKey | None, ca: str, now: int) -> list[PutRow]:
    rows = new_profile(
        random.SystemRandom(),
        now,
        handle=handle,
        address=format_address(invite.host, invite.port),
        ca_pin=invite.ca_pin,
        token=invite.token,
        inviter=invite.inviter,
        account=account,
    )
    return [*(row for row in rows if isinstance(row, PutRow)), PutRow(SHELL_SPACE, CA_KEY, ca.encode())]


def _wait_until_entered(events: "queue.SimpleQueue[Event]", handle: str, timeout: float) -> None:
    """Until the relay has let the account in; raises JoinError for what waiting doesn't mend."""
    deadline = time.monotonic() + timeout
    while (left := deadline - time.monotonic()) > 0:
        try:
            event = events.get(timeout=left)
        except queue.Empty:
            return
        match event:
            case ConnectionChanged(ConnectionState.ONLINE):
                return
            case ConnectionChanged(ConnectionState.OFFLINE, reason, 0) if reason == f"the name {handle} is taken":
                raise NameTaken(f"{reason}; choose another, or give the recovery code if it is you")
            case ConnectionChanged(ConnectionState.OFFLINE, reason, 0):
                raise JoinError(reason)
            case ShuttingDown(reason):
                raise JoinError(reason)
