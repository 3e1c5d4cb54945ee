"""Errors of the relay, split by who has to act.

::

    ServerError
        ConfigurationError      the operator: a setting, flag or file that can't be used
        AdministrationError     the operator: a command that can't be done
        StorageError            the operator: the database
            SchemaError         a database of a newer version, or of something else
            CorruptError        SQLite says that the file is damaged: restore a backup
            DiskFullError       no space left; nothing was written
            LockedError         another process writes to it
"""

from secure_chat.errors import SecureChatError

__all__ = [
    "AdministrationError",
    "ConfigurationError",
    "CorruptError",
    "DiskFullError",
    "LockedError",
    "SchemaError",
    "ServerError",
    "StorageError",
]


class ServerError(SecureChatError):
    """Root of what a relay's operator may have to act on."""


class ConfigurationError(ServerError):
    """A setting, flag or file that can't be used; the message names it."""


class AdministrationError(ServerError):
    """An operator's command that can't be done; the message says why."""


class StorageError(ServerError):
    """The database could not be opened, read or written."""


class SchemaError(StorageError):
    """The file is a database of a newer version, or none of ours."""


class CorruptError(StorageError):
    """SQLite says that the file is damaged."""


class DiskFullError(StorageError):
    """There is no space left; the transaction was rolled back."""


class LockedError(StorageError):
    """Another process holds the database."""
