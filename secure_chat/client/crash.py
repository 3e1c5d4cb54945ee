"""Where an unexpected error happened, kept in a file for whoever mends it."""

import os
import tempfile
import time
import traceback
from pathlib import Path

from secure_chat.client.files import write_private

__all__ = ["record_crash"]


def record_crash(error: BaseException, directory: Path) -> Path:
    """Writes `crash.log` and returns where it is: in `directory`, or among the temporary files if that can't be.

    It has the error's kind and places, and no value: what people wrote and secrets must not get into a file.
    """
    places: list[str] = []
    seen: BaseException | None = error
    while seen is not None and len(places) < 10:
        places.append(f"{type(seen).__name__}\n{''.join(traceback.format_tb(seen.__traceback__))}")
        seen = seen.__cause__ or seen.__context__
    stamp = time.strftime("%Y-%m-%d %H:%M:%S")
    data = f"{stamp} {'after '.join(places)}".encode(errors="replace")
    path = directory / "crash.log"
    try:
        write_private(path, data)
    except OSError:
        descriptor, name = tempfile.mkstemp(prefix="secure-chat-crash-", suffix=".log")
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        return Path(name)
    return path
