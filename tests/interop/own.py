"""Members run by secure_chat.mls itself, restarted from their stored rows now and then."""

import random
from collections.abc import Sequence

from secure_chat.mls.credential.credential import BasicCredential
from secure_chat.mls.credential.extensions import Capabilities, Lifetime
from secure_chat.mls.crypto.suite import SUITES, SignaturePrivateKey
from secure_chat.mls.group.group import Group
from secure_chat.mls.group.results import Application, Pending, ReceivedProposal, StagedCommit
from secure_chat.mls.messages.key_package import KeyPackage, KeyPackageBundle
from secure_chat.mls.messages.proposals import Add, Proposal, Remove
from secure_chat.mls.registry import CredentialType
from secure_chat.mls.tree.leaf_node import LeafIdentity
from tests.interop.peers import LABEL, LENGTH, Leaf, Name, Staged, Status
from tests.policies import AcceptAll

__all__ = ["OwnMember"]

RESTART_PROBABILITY = 0.2


class OwnMember:
    """A member run by this project."""

    external = True

    def __init__(
        self,
        name: Name,
        suite: int,
        *,
        lifetime: tuple[int, int],
        rng: random.Random,
        public: bool = False,
        grease: bool = False,
    ) -> None:
        self.name = name
        self.public = public
        self._suite = SUITES[suite]
        self._rng = rng
        self._lifetime = Lifetime(*lifetime)
        capabilities = Capabilities.of(SUITES, credentials=(CredentialType.basic, CredentialType.x509))
        if grease:
            capabilities = capabilities.with_grease(rng.getrandbits(16))
        key = SignaturePrivateKey.generate(self._suite)
        self._identity = LeafIdentity(BasicCredential(name.encode()), key, capabilities)
        self._bundle = KeyPackageBundle.generate(self._suite, self._identity, self._lifetime)
        self._group: Group | None = None
        self._rows: dict[bytes, bytes] = {}

    @property
    def group(self) -> Group:
        """The group, perhaps just loaded from its rows as after a crash."""
        assert self._group is not None
        for key, value in self._group.changes():
            if value is None:
                self._rows.pop(key, None)
            else:
                self._rows[key] = value
        if self._rng.random() < RESTART_PROBABILITY:
            self._group = Group.load(self._rows, AcceptAll())
        return self._group

    def key_package(self) -> bytes:
        return self._bundle.key_package.message()

    def create(self, group_id: bytes) -> None:
        self._group = Group.create(self._suite, group_id, self._identity, self._lifetime, AcceptAll())

    def join(self, welcome: bytes) -> None:
        self._group = Group.join(welcome, self._bundle, self._identity, AcceptAll())

    def join_external(self, group_info: bytes) -> Staged:
        self._group, pending = Group.join_external(group_info, self._identity, AcceptAll())
        return _staged(pending)

    def commit(
        self, add: Sequence[bytes] = (), remove: Sequence[Leaf] = (), *, with_path: bool | None = None
    ) -> Staged:
        """With or without a path where it may be left out; None leaves it to the dice."""
        pending = self.group.commit(
            add=[KeyPackage.from_message(data) for data in add],
            remove=[leaf.index for leaf in remove],
            force_path=self._rng.random() < 0.5 if with_path is None else with_path,
            public=self.public,
        )
        return _staged(pending)

    def commit_proposals(self) -> Staged:
        return self.commit()

    def propose(self, add: bytes | None = None, remove: Leaf | None = None) -> bytes:
        proposal: Proposal
        if add is not None:
            proposal = Add(KeyPackage.from_message(add))
        else:
            assert remove is not None
            proposal = Remove(remove.index)
        return self.group.propose(proposal, public=self.public)

    def merge(self) -> None:
        self.group.merge_pending()

    def discard(self) -> None:
        self.group.discard_pending()

    def group_info(self) -> bytes | None:
        return self.group.group_info()

    def receive(self, message: bytes) -> bytes | None:
        group = self.group
        result = group.receive(message)
        match result:
            case Application():
                return result.data
            case StagedCommit():
                group.merge(result)
                return None
            case ReceivedProposal():
                return None
        raise AssertionError(f"member {self.name.number}: {result}")

    def protect(self, data: bytes) -> bytes:
        return self.group.protect(data)

    def status(self) -> Status:
        group = self.group
        return Status(group.epoch, group.export(LABEL, b"", LENGTH), group.epoch_authenticator, group.tree_hash)

    def removed(self) -> bool:
        return not self.group.active

    def leave(self) -> None:
        self._group = None


def _staged(pending: Pending) -> Staged:
    return Staged(pending.commit, pending.welcome, pending.group_info)
