"""A group over a faulty network, in one thread and under a seed: the model for the property tests.

The delivery service keeps one log and accepts one commit for each epoch, as RFC 9420 §14 wants it; everybody reads
the log at its own pace. Handshake messages keep their order; application messages may be lost or come late.
"""

import random
from dataclasses import dataclass, field

from secure_chat.mls.credential.credential import BasicCredential, Credential
from secure_chat.mls.credential.extensions import Capabilities, Lifetime
from secure_chat.mls.crypto.suite import SUITES, CipherSuite, SignaturePrivateKey
from secure_chat.mls.group.group import Group
from secure_chat.mls.group.limits import Limits
from secure_chat.mls.group.results import Application, Pending, ReceivedProposal, Skipped, StagedCommit
from secure_chat.mls.messages.key_package import KeyPackageBundle
from secure_chat.mls.messages.proposals import Add, Remove
from secure_chat.mls.tree.leaf_node import LeafIdentity
from tests.policies import AcceptAll

__all__ = ["Client", "Entry", "World"]

LIFETIME = Lifetime(0, 1 << 40)
LOSS = 0.1
DELAY = 0.3
PAST_EPOCHS = Limits().past_epochs


@dataclass(eq=False)
class Client:
    """One device; it belongs to the epochs from `first_epoch` up to, not including, `removed_in`."""

    name: str
    identity: LeafIdentity
    bundle: KeyPackageBundle
    _group: Group | None = None
    rows: dict[bytes, bytes] = field(default_factory=dict)
    first_epoch: int = 0
    removed_in: int | None = None
    cursor: int = 0
    late: list["Entry"] = field(default_factory=list)

    @classmethod
    def named(cls, name: str, suite: CipherSuite) -> "Client":
        """A new device with a key package."""
        key = SignaturePrivateKey.generate(suite)
        identity = LeafIdentity(BasicCredential(name.encode()), key, Capabilities.of((suite.number,)))
        return cls(name, identity, KeyPackageBundle.generate(suite, identity, LIFETIME))

    @property
    def group(self) -> Group:
        """The group that it has entered."""
        assert self._group is not None
        return self._group

    @property
    def credential(self) -> Credential:
        """Whom its leaf names."""
        return self.identity.credential

    def enter(self, group: Group, epoch: int, cursor: int) -> None:
        """Become a member in an epoch; the log before `cursor` is not for this client."""
        self._group, self.first_epoch, self.cursor = group, epoch, cursor
        self.save()

    def save(self) -> dict[bytes, bytes]:
        """Write what changed, as the application does; a copy of all rows."""
        for key, value in self.group.changes():
            if value is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = value
        return dict(self.rows)

    def restart(self) -> None:
        """Die and start again from the rows."""
        self._group = Group.load(self.save(), AcceptAll())
        assert self._group.changes() == []


@dataclass(frozen=True)
class Entry:
    """One message of the log, and the epoch it was sent in."""

    kind: str
    epoch: int
    message: bytes
    author: Client
    data: bytes = b""


class World:
    """The log, the clients and the dice."""

    def __init__(self, seed: int, suite: int = 3) -> None:
        self.rng = random.Random(seed)
        self.suite = SUITES[suite]
        self.log: list[Entry] = []
        self.epoch = 0
        self.members: list[Client] = []
        self.former: list[Client] = []
        self._invited: list[Client] = []
        self._count = 0
        founder = self.newcomer()
        group = Group.create(self.suite, b"group", founder.identity, LIFETIME, AcceptAll())
        founder.enter(group, 0, 0)
        self.members.append(founder)
        self.group_info = group.group_info()

    def newcomer(self) -> Client:
        """Somebody who is no member yet."""
        self._count += 1
        return Client.named(f"client {self._count}", self.suite)

    def member(self) -> Client:
        """Some member, perhaps far behind in the log."""
        return self.rng.choice(self.members)

    # What clients do.

    def send(self, client: Client) -> None:
        """An application message, in whatever epoch its sender has reached."""
        data = self.rng.randbytes(self.rng.randrange(200))
        message = client.group.protect(data)
        client.save()
        self.log.append(Entry("application", client.group.epoch, message, client, data))

    def add(self, client: Client, count: int) -> None:
        """A commit that adds newcomers, and covers the proposals its author knows."""
        newcomers = [self.newcomer() for _ in range(count)]
        packages = [newcomer.bundle.key_package for newcomer in newcomers]
        with_path = self.rng.random() < 0.5
        self._submit(client, client.group.commit(add=packages, force_path=with_path, group_info=True), newcomers)

    def remove(self, client: Client, count: int) -> None:
        """A commit that removes others."""
        others = self._others(client)
        gone = self.rng.sample(others, min(len(others), count))
        self._submit(client, client.group.commit(remove=gone, by_reference=(), group_info=True))

    def update(self, client: Client) -> None:
        """A commit with fresh keys, covering the proposals its author knows."""
        self._submit(client, client.group.commit(group_info=True, public=self.rng.random() < 0.3))

    def propose(self, client: Client) -> None:
        """A proposal by reference; the delivery service takes it only in the current epoch."""
        group, others = client.group, self._others(client)
        choice = self.rng.randrange(3)
        if group.epoch != self.epoch:
            return
        if choice == 0:
            self._invited.append(self.newcomer())
            message = group.propose(Add(self._invited[-1].bundle.key_package))
        elif choice == 1 and others:
            message = group.propose(Remove(self.rng.choice(others)))
        else:
            message = group.propose_update()
        client.save()
        self.log.append(Entry("proposal", group.epoch, message, client))

    def join_external(self, too_late: bool) -> None:
        """Somebody joins by a commit of its own, unless another commit was faster."""
        client = self.newcomer()
        group, pending = Group.join_external(self.group_info, client.identity, AcceptAll())
        if too_late:
            group.discard_pending()
            assert not group.active
            return
        client.enter(group, pending.epoch, len(self.log) + 1)
        self._accept(client, pending, [])

    def read(self, client: Client, count: int) -> None:
        """Process the next entries of the log, then some of the messages that were held back."""
        end = min(len(self.log), client.cursor + count)
        while client.cursor < end and client.group.active:
            entry = self.log[client.cursor]
            client.cursor += 1
            if entry.author is client:
                continue
            if entry.kind != "application":
                self._process(client, entry)
            elif self.rng.random() < DELAY:
                client.late.append(entry)
            elif self.rng.random() > LOSS:
                self._open(client, entry)
        self.rng.shuffle(client.late)
        for _ in range(self.rng.randrange(len(client.late) + 1)):
            self._open(client, client.late.pop())

    def settle(self) -> None:
        """Everybody reads everything: all members agree, and who was removed learns nothing."""
        for client in [*self.members, *self.former]:
            self._spy(client)
            self.read(client, len(self.log))
        groups = [client.group for client in self.members]
        assert {group.epoch for group in groups} == {self.epoch}
        assert len({group.epoch_authenticator for group in groups}) == 1
        assert len({group.tree_hash for group in groups}) == 1
        assert len({group.export("test", b"context", 32) for group in groups}) == 1
        credentials = {client.credential for client in self.members}
        for group in groups:
            assert {member.credential for member in group.members()} == credentials

    # How the world and the clients react.

    def _submit(self, author: Client, pending: Pending, newcomers: list[Client] | None = None) -> None:
        group = author.group
        before = (group.epoch, group.epoch_authenticator)
        if self.rng.random() < 0.2:
            author.restart()
            assert author.group.pending == pending
        if author.group.epoch != self.epoch:  # it lost the race
            author.group.discard_pending()
            assert author.group.pending is None
            assert (author.group.epoch, author.group.epoch_authenticator) == before
            return
        self._accept(author, pending, newcomers or [])

    def _accept(self, author: Client, pending: Pending, newcomers: list[Client]) -> None:
        self.log.append(Entry("commit", self.epoch, pending.commit, author))
        assert pending.group_info is not None
        self.epoch, self.group_info = pending.epoch, pending.group_info
        author.group.merge_pending()
        assert author.group.epoch == self.epoch
        author.save()
        if author not in self.members:
            self.members.append(author)
        present = {member.credential for member in author.group.members()}
        for client in list(self.members):
            if client.credential not in present:
                client.removed_in = self.epoch
                self.members.remove(client)
                self.former.append(client)
        for client in [*newcomers, *self._invited]:
            if client.credential in present:
                assert pending.welcome is not None
                group = Group.join(pending.welcome, client.bundle, client.identity, AcceptAll())
                client.enter(group, self.epoch, len(self.log))
                self.members.append(client)
        self._invited = []

    def _process(self, client: Client, entry: Entry) -> None:
        """A proposal or commit by somebody else."""
        result = client.group.receive(entry.message)
        if entry.epoch != client.group.epoch:  # the client's own commit has ended that epoch
            assert isinstance(result, Skipped), result
        elif isinstance(result, StagedCommit):
            client.group.merge(result)
            assert client.group.active == (client.removed_in != result.epoch)
        else:
            assert isinstance(result, ReceivedProposal), result
        client.save()

    def _open(self, client: Client, entry: Entry) -> None:
        """An application message: opened once by whoever was a member then, by nobody else."""
        result = client.group.receive(entry.message)
        current = client.group.epoch
        may_open = client.first_epoch <= entry.epoch <= current <= entry.epoch + PAST_EPOCHS
        if not may_open:
            assert isinstance(result, Skipped), result
            return
        assert isinstance(result, Application), result
        assert result.data == entry.data
        assert result.sender.credential == entry.author.credential
        assert result.current == (entry.epoch == current)
        # The key is gone, from memory and from what is stored.
        assert isinstance(client.group.receive(entry.message), Skipped)
        rows = client.save()
        if self.rng.random() < 0.1:
            restored = Group.load(rows, AcceptAll())
            assert isinstance(restored.receive(entry.message), Skipped)

    def _spy(self, client: Client) -> None:
        """A copy of a client tries everything of epochs that it does not belong to, merging nothing."""
        spy = Group.load(client.save(), AcceptAll())
        for entry in self.log:
            too_early = entry.epoch < client.first_epoch
            too_late = client.removed_in is not None and entry.epoch >= client.removed_in
            if too_early or too_late:
                assert isinstance(spy.receive(entry.message), Skipped)

    def _others(self, client: Client) -> list[int]:
        group = client.group
        return [member.leaf_index for member in group.members() if member.leaf_index != group.own_leaf_index]
