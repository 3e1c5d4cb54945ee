"""A leaf of a room's tree and who holds it."""

from dataclasses import dataclass

from secure_chat.identity.credential import Identity
from secure_chat.mls.group.group import Group

__all__ = ["Occupant", "own_leaf_key"]


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


def own_leaf_key(group: Group) -> bytes:
    """The encryption key of this device's leaf; empty where it has none."""
    own = group.member(group.own_leaf_index)
    return b"" if own is None else own.leaf.encryption_key
