"""Accounts, devices and MLS groups for tests of single parts of the engine."""

from dataclasses import dataclass

from secure_chat.client.engine.device import CERTIFICATE_LIFETIME, leaf_identity
from secure_chat.client.engine.occupants import Occupant
from secure_chat.client.engine.policy import Authority, Roles, group_extensions
from secure_chat.client.views import RoomKind
from secure_chat.identity import binding as bindings
from secure_chat.identity import certificate as certificates
from secure_chat.identity.credential import Identity, encode_credential, verify_credential
from secure_chat.identity.keys import AccountKey, DeviceKey, DirectoryKey
from secure_chat.mls.credential.credential import BasicCredential
from secure_chat.mls.credential.extensions import Lifetime
from secure_chat.mls.crypto.suite import SUITES
from secure_chat.mls.group.group import Group
from secure_chat.mls.messages.key_package import KeyPackage, KeyPackageBundle
from secure_chat.mls.tree.leaf_node import LeafIdentity

SUITE = SUITES[3]
NOW = 1_700_000_000
LIFETIME = Lifetime(NOW - 1000, NOW + 1000)
DIRECTORY = DirectoryKey(bytes([9]) * 32)
AUTHORITY = Authority(DIRECTORY.public)


@dataclass(frozen=True)
class Person:
    """An account with one device."""

    handle: str
    account: AccountKey
    device: DeviceKey
    device_id: bytes
    serial: int = 1

    @classmethod
    def named(cls, handle: str, serial: int = 1, device: int = 0) -> "Person":
        """The same person for the same arguments."""
        seed = sum(handle.encode())
        account = AccountKey(seed.to_bytes(32, "big"))
        key = DeviceKey((seed * 1000 + serial * 16 + device + 1).to_bytes(32, "big"))
        return cls(handle, account, key, bytes([device]) * 15 + bytes([seed % 256]), serial)

    @property
    def public(self) -> bytes:
        """Account key."""
        return self.account.public

    @property
    def credential(self) -> BasicCredential:
        """As leaves carry it."""
        certificate = certificates.issue(
            self.account,
            handle=self.handle,
            device_key=self.device.public,
            device_id=self.device_id,
            serial=self.serial,
            issued=NOW,
            expires=NOW + CERTIFICATE_LIFETIME,
        )
        return BasicCredential(encode_credential(certificate, bindings.bind(DIRECTORY, self.handle, self.public)))

    @property
    def identity(self) -> Identity:
        """As others verify it."""
        return verify_credential(self.credential.identity, DIRECTORY.public)

    @property
    def leaf(self) -> LeafIdentity:
        """For MLS."""
        return leaf_identity(SUITE, self.credential, self.device.seed)

    def at(self, leaf_index: int) -> Occupant:
        """Holding a leaf."""
        return Occupant(leaf_index, self.identity, bytes([leaf_index]) * 32)

    def bundle(self) -> KeyPackageBundle:
        """A fresh key package with its private keys."""
        return KeyPackageBundle.generate(SUITE, self.leaf, LIFETIME)

    def package(self) -> KeyPackage:
        """A fresh key package."""
        return self.bundle().key_package

    def found(self, roles: Roles, group_id: bytes = b"group") -> Group:
        """A group with nobody else in it."""
        return Group.create(SUITE, group_id, self.leaf, LIFETIME, AUTHORITY, group_extensions(roles))


ALICE, BOB, CAROL, MALLORY = (Person.named(name) for name in ("alice", "bob", "carol", "mallory"))


def closed(*admins: Person, members_may_invite: bool = False, name: str = "team") -> Roles:
    """Roles of a closed room."""
    return Roles(1, RoomKind.ROOM, 1, name, tuple(p.public for p in admins), members_may_invite)


def opened(*admins: Person, banned: tuple[Person, ...] = ()) -> Roles:
    """Roles of an open room."""
    return Roles(1, RoomKind.OPEN, 1, "lobby", tuple(p.public for p in admins), False, tuple(p.public for p in banned))


def direct(first: Person, second: Person) -> Roles:
    """Roles of a direct conversation."""
    return Roles(1, RoomKind.DIRECT, 1, "", tuple(sorted((first.public, second.public))))
