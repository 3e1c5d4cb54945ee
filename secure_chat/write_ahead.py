"""Room in the file of SQLite's write-ahead log, before a commit needs it.

A commit that makes a file longer costs the file system a commit of its own, which takes its `fdatasync` up to twice
as long. So the file grows in steps, ahead of the log. SQLite doesn't mind what follows its last frame: a frame counts
only if salts and checksums fit, which those of zeros never do.
"""

import contextlib
import os
from pathlib import Path

__all__ = ["make_room"]

_HEADER = 32
_FRAME = 24 + 4096
"""Bytes of the log's header, and of a page with its own (https://sqlite.org/fileformat2.html#walformat)."""
_MODE = os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0)


def make_room(database: Path, pages: int, step: int, *, sync: bool = False) -> int:
    """With so many pages in the log of `database`: half a step more fits into its file, or it grows by a step.

    The number of pages up to which there is nothing to do. `step` in bytes; `sync`: on disk now, not with the next
    commit. Only for the thread that writes to the database.
    """
    used = _HEADER + pages * _FRAME
    size = 0
    with contextlib.suppress(OSError):  # such as a full disk: the log grows as it always did
        descriptor = os.open(database.with_name(f"{database.name}-wal"), _MODE)
        try:
            size = os.fstat(descriptor).st_size
            if size < used + step // 2:
                size += os.write(descriptor, bytes(step))
                if sync:
                    os.fsync(descriptor)
        finally:
            os.close(descriptor)
    return max(pages, (size - step // 2 - _HEADER) // _FRAME)
