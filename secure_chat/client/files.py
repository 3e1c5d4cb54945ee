"""Private files: readable by their owner only, replaced as a whole or not at all."""

import os
from pathlib import Path

__all__ = ["make_private_directory", "remove_file", "write_private"]


def make_private_directory(path: Path) -> None:
    """Makes a directory (and its parents) that only its owner may enter; an existing one is left as it is."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)


def write_private(path: Path, data: bytes) -> None:
    """Replaces a file, durably: after a crash it has either its old content or this one."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)  # of a process that died here; its permissions would be kept otherwise
    descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with open(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    _sync_directory(path.parent)


def remove_file(path: Path) -> None:
    """Overwrites a small secret file and removes it, durably; a missing one is fine.

    Overwriting reaches the same blocks on most file systems, though not on copy-on-write ones or on worn flash.
    """
    try:
        with path.open("r+b") as file:
            file.write(bytes(path.stat().st_size))
            file.flush()
            os.fsync(file.fileno())
    except FileNotFoundError:
        return
    path.unlink()
    _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    if os.name != "posix":
        return  # Windows makes renames durable by itself and has no descriptors of directories
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
