"""What a person using the client can mend; each message is one line that says how.

::

    ClientError
        StoreError
            WrongKeyError         the key does not open this store; nothing was changed
            StoreDamagedError     the file is no store, or the disk has altered it
            StoreTooNewError      written by a later version of secure-chat
        VaultError
            WrongPassphraseError  also: the key file or keyring entry is another profile's
            PassphraseNeeded      locked, and nobody was there to ask
        ProfileError
            ProfileExists         joining would overwrite somebody
            ProfileMissing        nothing was joined under this name
            ProfileBusy           another process owns it and does not answer
        BackupError               no backup of ours, or the wrong passphrase for it
        JoinError                 the link could not be used
            NameTaken             somebody else has this name
        UnreachableError          the relay does not answer
        CommandFailed             the engine or the relay refused; carries `FailureCode`
        ClientClosed              the client ended before it answered
"""

from secure_chat.client.events import FailureCode
from secure_chat.errors import SecureChatError

__all__ = [
    "NOT_UNICODE",
    "BackupError",
    "ClientClosed",
    "ClientError",
    "CommandFailed",
    "JoinError",
    "NameTaken",
    "PassphraseNeeded",
    "ProfileBusy",
    "ProfileError",
    "ProfileExists",
    "ProfileMissing",
    "StoreDamagedError",
    "StoreError",
    "StoreTooNewError",
    "UnreachableError",
    "VaultError",
    "WrongKeyError",
    "WrongPassphraseError",
]

NOT_UNICODE = "what was given is not valid Unicode text"


class ClientError(SecureChatError):
    """Something that the person using the client can mend."""


class StoreError(ClientError):
    """The encrypted store cannot be used."""


class WrongKeyError(StoreError):
    """The key does not open this store; nothing was changed."""


class StoreDamagedError(StoreError):
    """The file is no store, or the disk has altered it."""


class StoreTooNewError(StoreError):
    """The store was written by a later version."""


class VaultError(ClientError):
    """The store's key cannot be had."""


class WrongPassphraseError(VaultError):
    """The passphrase, key file or keyring entry does not unlock this profile; nothing was changed."""


class PassphraseNeeded(VaultError):
    """The profile is locked by a passphrase and none was given."""


class ProfileError(ClientError):
    """The profile's directory cannot be used as asked."""


class ProfileExists(ProfileError):
    """A profile of this name has already joined a relay."""


class ProfileMissing(ProfileError):
    """No profile of this name."""


class ProfileBusy(ProfileError):
    """Another process owns the profile and cannot be reached."""


class BackupError(ClientError):
    """The file is no backup, is damaged, or the passphrase is not its own."""


class JoinError(ClientError):
    """Joining did not succeed; nothing was left behind."""


class NameTaken(JoinError):
    """Somebody else has this name at the relay; the link is still good."""


class UnreachableError(ClientError):
    """The relay does not answer; nothing was left behind."""


class CommandFailed(ClientError):
    """A command was refused; nothing of it was done."""

    def __init__(self, code: FailureCode, message: str) -> None:
        super().__init__(message)
        self.code = code


class ClientClosed(ClientError):
    """The client, or the process that owns its profile, ended before it answered."""

    def __init__(self, message: str, *, safe: bool = False) -> None:
        super().__init__(message)
        self.safe = safe
        """Nothing of the command was done: it may be repeated at the profile's next owner."""
