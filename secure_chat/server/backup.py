"""Backup and restore: one file with all that makes a relay this relay.

It holds the database, the directory key and the certificate authority, so it is as secret as the data directory. A
restored relay is a new *incarnation*: what was acknowledged after the backup is gone, so every channel goes on 2³²
sequence numbers later and clients, told at login, rejoin instead of skipping anything silently.
"""

import io
import os
import secrets
import shutil
import tarfile
import tempfile
from pathlib import Path

import apsw

from secure_chat.server.errors import AdministrationError, StorageError
from secure_chat.server.home import Home
from secure_chat.server.storage.database import translated_errors
from secure_chat.server.storage.schema import APPLICATION_ID, migrate
from secure_chat.server.storage.sql import open_connection

__all__ = ["INCARNATION_JUMP", "back_up", "restore"]

INCARNATION_JUMP = 2**32
"""No channel ever has that many entries between a backup and its restoration."""
_MOST_JUMPS = 2**16
"""Sequence numbers stay below 2⁵³, which every language's numbers hold."""

_MAX_FILE = 1024 * 1024
"""Keys and certificates are a few kilobytes."""


def back_up(home: Home, target: Path) -> int:
    """Writes a consistent backup while the relay may be serving; its size in bytes. The target must not exist."""
    if target.exists():
        raise AdministrationError(f"{target} exists already")
    if not target.parent.is_dir():
        raise AdministrationError(f"{target.parent} is no directory")
    unfinished = target.with_name(f"{target.name}.part")
    copy = target.with_name(f"{target.name}.database")
    try:
        copy.unlink(missing_ok=True)
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            _copy_database(home.database, copy)
            with tarfile.open(fileobj=file, mode="w") as archive:
                for name, path in (*home.small_files(home.own_certificates()).items(), (home.database.name, copy)):
                    if path.exists():
                        archive.add(path, name, recursive=False)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(target)
        return target.stat().st_size
    except OSError as error:
        raise AdministrationError(f"{error.filename or target}: {error.strerror}") from None
    finally:
        copy.unlink(missing_ok=True)
        unfinished.unlink(missing_ok=True)


def restore(home: Home, source: Path, *, jumps: int | None = None) -> None:
    """Replaces the data directory's content by a backup's, as a new incarnation; the relay must be stopped.

    Nothing is touched before the backup has proved complete and undamaged. `jumps` is how many times 2³² sequence
    numbers are left out, a random number by default: a backup restored twice must not hand out the same ones twice.
    """
    with tempfile.TemporaryDirectory(dir=home.root, prefix="restore-") as folder:
        unpacked = Home(Path(folder))
        _unpack(source, unpacked)
        _start_incarnation(unpacked.database, jumps or 1 + secrets.randbelow(_MOST_JUMPS))
        for suffix in ("-wal", "-shm"):
            home.database.with_name(home.database.name + suffix).unlink(missing_ok=True)
        for name, path in unpacked.small_files().items():
            if path.exists():
                place = home.small_files()[name]
                place.parent.mkdir(mode=0o700, exist_ok=True)
                path.replace(place)
        unpacked.database.replace(home.database)
        home.forget_place()


def _copy_database(source: Path, target: Path) -> None:
    with translated_errors():
        connection = open_connection(source, read_only=True)
        try:
            connection.execute("VACUUM INTO ?", (str(target),))
        finally:
            connection.close()
    target.chmod(0o600)


def _unpack(source: Path, home: Home) -> None:
    places = home.small_files() | {home.database.name: home.database}
    home.certificates.mkdir(mode=0o700)
    try:
        with tarfile.open(source, "r:") as archive:
            for member in archive:
                place = places.get(member.name)
                if place is None or not member.isfile() or (place != home.database and member.size > _MAX_FILE):
                    raise AdministrationError(f"{source} is no backup of a relay")
                content = archive.extractfile(member) or io.BytesIO()
                with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                    shutil.copyfileobj(content, file)
                    file.flush()
                    os.fsync(file.fileno())
    except OSError as error:
        raise AdministrationError(f"{error.filename or source}: {error.strerror}") from None
    except tarfile.TarError:
        raise AdministrationError(f"{source} is no backup of a relay, or not all of it") from None
    if not home.database.exists():
        raise AdministrationError(f"{source} is no backup of a relay: it has no database")


def _start_incarnation(database: Path, jumps: int) -> None:
    try:
        with translated_errors():
            connection = open_connection(database)
            try:
                if connection.pragma("application_id") != APPLICATION_ID:
                    raise AdministrationError("the backup's database is none of a relay")
                if connection.pragma("quick_check") != "ok":
                    raise AdministrationError("the backup's database is damaged")
                migrate(connection)
                with connection:
                    connection.execute("UPDATE meta SET value = randomblob(16) WHERE name = 'incarnation'")
                    connection.execute(
                        "UPDATE channels SET base = ? + max(floor, base, coalesce("
                        "(SELECT max(seq) FROM entries WHERE entries.channel = channels.number), 0))",
                        (INCARNATION_JUMP * jumps,),
                    )
            finally:
                connection.close()
    except (StorageError, apsw.Error) as error:
        raise AdministrationError(f"the backup can't be used: {error}") from None
