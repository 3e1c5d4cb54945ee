"""Members of one group, whatever implements them, behind the same few operations."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from tests.interop.node import Driver

__all__ = ["LABEL", "LENGTH", "CoreCryptoMember", "Leaf", "Member", "Name", "Proposer", "Staged", "Status", "TsMember"]

LABEL = "exporter"
"""The label, with an empty context, that core-crypto exports under."""
LENGTH = 32
KEY_PACKAGE_HEADER = bytes.fromhex("00010005")
GROUP_INFO_HEADER = bytes.fromhex("00010004")
"""mls10 and wire format: core-crypto takes these two bare, everybody else as MLSMessages."""
DOMAIN = "example.org"


@dataclass(frozen=True)
class Name:
    """A credential's identity in the form that core-crypto demands: user, device and domain."""

    number: int

    @property
    def user(self) -> str:
        """The user part, a UUID."""
        return f"00000000-0000-4000-8000-{self.number:012x}"

    @property
    def device(self) -> int:
        """The device part; never zero."""
        return self.number + 1

    def encode(self) -> bytes:
        """The identity of the basic credential."""
        return f"{self.user}:{self.device:x}@{DOMAIN}".encode()

    def parts(self) -> dict[str, object]:
        """For core-crypto, which builds its client ids from parts."""
        return {"user": self.user, "device": self.device, "domain": DOMAIN}


@dataclass(frozen=True)
class Leaf:
    """Whom to remove: some implementations ask for the index, others for the identity."""

    index: int
    name: Name


@dataclass(frozen=True)
class Staged:
    """A commit that its author has not merged yet."""

    commit: bytes
    welcome: bytes | None = None
    group_info: bytes | None = None
    """The next epoch's GroupInfo, where the implementation makes one with every commit."""


@dataclass(frozen=True)
class Status:
    """What members of one epoch must agree on; None where an implementation does not tell."""

    epoch: int
    exported: bytes
    epoch_authenticator: bytes | None
    tree_hash: bytes | None


class Member(Protocol):
    """One member; bytes are MLSMessages."""

    name: Name
    external: bool
    """Whether it can join by an external commit."""

    def key_package(self) -> bytes: ...
    def create(self, group_id: bytes) -> None: ...
    def join(self, welcome: bytes) -> None: ...
    def join_external(self, group_info: bytes) -> Staged: ...
    def commit(self, add: Sequence[bytes] = (), remove: Sequence[Leaf] = ()) -> Staged: ...
    def commit_proposals(self) -> Staged: ...
    def merge(self) -> None: ...
    def discard(self) -> None: ...
    def group_info(self) -> bytes | None: ...
    def receive(self, message: bytes) -> bytes | None: ...
    def protect(self, data: bytes) -> bytes: ...
    def status(self) -> Status: ...
    def removed(self) -> bool: ...
    def leave(self) -> None: ...


@runtime_checkable
class Proposer(Member, Protocol):
    """A member that can also propose by reference."""

    def propose(self, add: bytes | None = None, remove: Leaf | None = None) -> bytes: ...


class _NodeMember:
    def __init__(self, driver: Driver, name: Name) -> None:
        self._driver = driver
        self.name = name

    def _ask(self, op: str, **arguments: object) -> dict[str, object]:
        return self._driver.ask(op, name=str(self.name.number), **arguments)

    def _bytes(self, op: str, field: str, **arguments: object) -> bytes:
        return bytes.fromhex(str(self._ask(op, **arguments)[field]))

    def _staged(self, op: str, **arguments: object) -> Staged:
        answer = self._ask(op, **arguments)
        commit = _optional(answer, "commit")
        assert commit is not None
        return Staged(commit, _optional(answer, "welcome"), _optional(answer, "group_info"))

    def create(self, group_id: bytes) -> None:
        self._ask("create", group_id=group_id.hex())

    def join(self, welcome: bytes) -> None:
        self._ask("join", welcome=welcome.hex())

    def join_external(self, group_info: bytes) -> Staged:
        return self._staged("join_external", group_info=group_info.hex())

    def merge(self) -> None:
        self._ask("merge")

    def discard(self) -> None:
        self._ask("discard")

    def receive(self, message: bytes) -> bytes | None:
        data = self._ask("receive", message=message.hex()).get("data")
        return None if data is None else bytes.fromhex(str(data))

    def protect(self, data: bytes) -> bytes:
        return self._bytes("protect", "message", data=data.hex())

    def removed(self) -> bool:
        return not self._ask("status", label=LABEL, context="", length=LENGTH)["active"]

    def status(self) -> Status:
        answer = self._ask("status", label=LABEL, context="", length=LENGTH)
        exported = _optional(answer, "exported")
        epoch = answer["epoch"]
        assert exported is not None
        assert isinstance(epoch, int)
        return Status(epoch, exported, _optional(answer, "epoch_authenticator"), _optional(answer, "tree_hash"))

    def leave(self) -> None:
        self._ask("leave")


def _optional(answer: dict[str, object], field: str) -> bytes | None:
    value = answer.get(field)
    return None if value is None else bytes.fromhex(str(value))


class TsMember(_NodeMember):
    """A member run by ts-mls.

    It never joins externally nor helps others to: version 1.6.4 writes and reads `external_pub` (§12.4.3.2)
    without the length that `opaque<V>` has.
    """

    external = False

    def __init__(
        self,
        driver: Driver,
        name: Name,
        suite: int,
        *,
        lifetime: tuple[int, int],
        grease: Sequence[int] = (),
        public: bool = False,
    ) -> None:
        super().__init__(driver, name)
        self.public = public
        self._key_package = self._bytes(
            "member", "key_package", suite=suite, identity=name.encode().hex(),
            not_before=str(lifetime[0]), not_after=str(lifetime[1]), grease=list(grease),
        )  # fmt: skip

    def key_package(self) -> bytes:
        return self._key_package

    def commit(self, add: Sequence[bytes] = (), remove: Sequence[Leaf] = (), psks: Sequence[bytes] = ()) -> Staged:
        return self._staged(
            "commit", public=self.public, add=[data.hex() for data in add],
            remove=[leaf.index for leaf in remove], psk=[psk_id.hex() for psk_id in psks],
        )  # fmt: skip

    def add_psk(self, psk_id: bytes, psk: bytes) -> None:
        """Know an external PSK, in all groups of the process."""
        self._ask("psk", id=psk_id.hex(), secret=psk.hex())

    def commit_proposals(self) -> Staged:
        return self.commit()

    def propose(self, add: bytes | None = None, remove: Leaf | None = None) -> bytes:
        return self._bytes(
            "propose", "message", public=self.public,
            add=[] if add is None else [add.hex()], remove=[] if remove is None else [remove.index],
        )  # fmt: skip

    def group_info(self) -> bytes | None:
        return None


class CoreCryptoMember(_NodeMember):
    """A member run by core-crypto (OpenMLS)."""

    external = True

    def __init__(self, driver: Driver, name: Name, suite: int) -> None:
        super().__init__(driver, name)
        self._group_info: bytes | None = None
        self._next: bytes | None = None
        identity = self._bytes("member", "identity", suite=suite, identity=name.parts())
        assert identity == name.encode()

    def key_package(self) -> bytes:
        return KEY_PACKAGE_HEADER + self._bytes("key_package", "key_package")

    def commit(self, add: Sequence[bytes] = (), remove: Sequence[Leaf] = ()) -> Staged:
        # core-crypto commits additions or removals, not both at once.
        assert not (add and remove)
        bare = [data.removeprefix(KEY_PACKAGE_HEADER).hex() for data in add]
        return self._staged("commit", add=bare, remove=[leaf.name.parts() for leaf in remove])

    def join_external(self, group_info: bytes) -> Staged:
        return super().join_external(group_info.removeprefix(GROUP_INFO_HEADER))

    def commit_proposals(self) -> Staged:
        return self._staged("commit_pending")

    def group_info(self) -> bytes | None:
        """core-crypto tells it only with a commit of its own."""
        return self._group_info

    def receive(self, message: bytes) -> bytes | None:
        data = super().receive(message)
        if data is None:
            self._group_info = None
        return data

    def _staged(self, op: str, **arguments: object) -> Staged:
        staged = super()._staged(op, **arguments)
        self._next = staged.group_info
        return staged

    def merge(self) -> None:
        super().merge()
        self._group_info = self._next
