"""Profiles: one directory each, owned by one process at a time.

::

    $SECURE_CHAT_HOME or the platform's data directory
        profiles/<name>/
            store.db        everything, encrypted
            vault.json      the store's wrapped key;  vault.key  its key file, where there is no passphrase
            lock            held by the owning process
            socket          where the owner listens for other processes of the same user
"""

import os
import re
import shutil
import sys
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from secure_chat.client.errors import ProfileBusy, ProfileError, ProfileMissing
from secure_chat.client.files import make_private_directory
from secure_chat.client.vault import Vault

__all__ = ["CA_KEY", "DEFAULT_PROFILE", "LOCK_NAME", "SHELL_SPACE", "Profile", "ProfileLock", "home", "profiles"]

DEFAULT_PROFILE = "default"

LOCK_NAME = "lock"
"""The file whose lock is the ownership of a profile."""
SHELL_SPACE = "shell"
"""The store's space for what is kept beside the engine's rows."""
CA_KEY = b"ca"
"""Row of `SHELL_SPACE`: the relay's pinned CA in PEM; empty for the system's public ones."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}", re.ASCII)


def home() -> Path:
    """Where profiles lie: $SECURE_CHAT_HOME, else the platform's directory for user data."""
    chosen = os.environ.get("SECURE_CHAT_HOME")
    if chosen:
        return Path(chosen).expanduser()
    import platformdirs  # only needed here

    return platformdirs.user_data_path("secure-chat", appauthor=False)


def profiles() -> list["Profile"]:
    """All profiles on this machine, by name."""
    directory = home() / "profiles"
    if not directory.is_dir():
        return []
    names = sorted(path.name for path in directory.iterdir() if _NAME.fullmatch(path.name))
    return [profile for profile in map(Profile, names) if profile.exists]


class Profile:
    """One profile's directory; it need not exist yet."""

    def __init__(self, name: str = DEFAULT_PROFILE) -> None:
        if not _NAME.fullmatch(name):
            raise ProfileError("a profile's name has 1 to 32 of a-z 0-9 . _ - and starts with a letter or digit")
        self.name = name
        self.directory = home() / "profiles" / name
        self.store_path = self.directory / "store.db"
        self.vault = Vault(self.directory)

    @property
    def exists(self) -> bool:
        """Whether there is something to open."""
        return self.store_path.exists()

    def require(self) -> None:
        """Raises ProfileMissing if there is nothing to open."""
        if not self.exists:
            joined = ", ".join(profile.name for profile in profiles())
            hint = f"profiles here: {joined}" if joined else "join with: secure-chat client LINK"
            raise ProfileMissing(f"there is no profile {self.name!r} ({hint})")

    def acquire(self) -> "ProfileLock":
        """Makes this process the owner; raises ProfileBusy if another one is."""
        make_private_directory(self.directory)
        return ProfileLock(self.directory / LOCK_NAME, self.name)

    def delete(self) -> None:
        """Removes the profile for ever, its key first; the caller owns it and has closed the store."""
        self.vault.destroy()
        shutil.rmtree(self.directory)


class ProfileLock:
    """Ownership of a profile: ends with `release` or with the process, however it dies."""

    def __init__(self, path: Path, name: str) -> None:
        self._file: IO[bytes] | None = path.open("ab")
        try:
            _lock(self._file)
        except OSError:
            self._file.close()
            raise ProfileBusy(f"profile {name!r} is in use by another process") from None

    def release(self) -> None:
        """Gives the profile up; harmless when repeated."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[bytes]) -> None:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
