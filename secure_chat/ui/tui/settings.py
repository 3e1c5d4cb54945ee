"""What the terminal UI remembers of its looks between runs; nothing secret."""

import contextlib
from pathlib import Path

import msgspec

from secure_chat.client.files import write_private

__all__ = ["Settings"]


class Settings(msgspec.Struct):
    """Kept in `screen.json` in the profile's directory; a damaged file counts as none."""

    look: str = ""
    """"" follows the terminal."""
    compact: bool = False
    rooms: bool = True
    members: bool = True
    sound: bool = True

    @classmethod
    def load(cls, directory: Path) -> "Settings":
        """As they were last saved."""
        try:
            return msgspec.json.decode((directory / "screen.json").read_bytes(), type=cls)
        except (OSError, msgspec.DecodeError):
            return cls()

    def save(self, directory: Path) -> None:
        """For the next run; a disk that refuses costs only the memory of a colour."""
        with contextlib.suppress(OSError):
            write_private(directory / "screen.json", msgspec.json.encode(self))
