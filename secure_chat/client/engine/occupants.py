"""A leaf of a room's tree and who holds it."""

from dataclasses import dataclass

from secure_chat.identity.credential import Identity

__all__ = ["Occupant"]


@dataclass(frozen=True, slots=True)
class Occupant:
    """A leaf with a verified credential."""

    leaf_index: int
    identity: Identity
    leaf_key: bytes
    """The leaf's encryption key: tells one stay in the room from the next."""

    @property
    def account(self) -> bytes:
        """Account key."""
        return self.identity.account_key

    @property
    def device(self) -> bytes:
        """Device id."""
        return self.identity.device_id
