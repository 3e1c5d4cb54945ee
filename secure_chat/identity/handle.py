"""Handles: the names of accounts."""

import re

from secure_chat.identity.errors import HandleError

__all__ = ["HANDLE_PATTERN", "MAX_HANDLE", "require_handle"]

MAX_HANDLE = 32
"""Longest handle: fits a column of a terminal and a line of a notice."""

HANDLE_PATTERN = r"[a-z0-9._-]{1,32}"
"""ASCII only, so that no two names look alike in other scripts."""

_HANDLE = re.compile(HANDLE_PATTERN, re.ASCII)


def require_handle(text: str) -> str:
    """The handle itself; raises HandleError with what a handle may be."""
    if not _HANDLE.fullmatch(text):
        raise HandleError(f"a name has 1 to {MAX_HANDLE} characters out of a-z, 0-9, '.', '_' and '-'")
    return text
