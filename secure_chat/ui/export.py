"""History as JSON lines."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from secure_chat.client.api import Client
from secure_chat.client.encoding import VERSION, encode_result
from secure_chat.ui.arguments import InputError
from secure_chat.ui.presenter import room_title

__all__ = ["export_file", "export_lines"]

PAGE = 1_000
"""Lines read at a time."""


def export_lines(client: Client, rooms: Sequence[str] = ()) -> Iterator[str]:
    """Each line of the rooms named (none: of all) as one JSON object, oldest first within a room."""
    known = [] if rooms else [(room.id, room_title(room)) for room in client.rooms()]
    for room, name in [*((name, name) for name in rooms), *known]:
        position = 0
        while lines := client.history(room, PAGE, after=position):
            for line in lines:
                message = {"v": VERSION, "room_name": name, "message": encode_result(line)}
                yield msgspec.json.encode(message).decode()
            position = lines[-1].position


def export_file(
    client: Client, rooms: Sequence[str], path: Path, told: Callable[[int], None] = lambda count: None
) -> int:
    """Writes the lines to a new file that only its owner can read; returns how many they are.

    `told` is called now and then with how many are written.
    """
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        raise InputError(f"{path} exists already: choose another name") from None
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from None
    count = 0
    with open(descriptor, "w", encoding="utf-8") as file:
        for line in export_lines(client, rooms):
            file.write(line + "\n")
            count += 1
            if count % PAGE == 0:
                told(count)
    return count
