"""Random sessions: whatever happens on the way, all members end in the same place (seeded, without I/O).

A `Session` is a delivery service with members: it orders commits, keeps what each member has not seen yet, delivers in
any order within an epoch, loses application messages, lets commits race, and restarts members from their rows.
"""

import random
from dataclasses import dataclass, field
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_chat.mls.crypto.suite import SUITES, CipherSuite
from secure_chat.mls.group.group import Group
from secure_chat.mls.group.identity import LeafIdentity
from secure_chat.mls.group.results import Application, Pending, ReceivedProposal, Skipped, StagedCommit
from secure_chat.mls.messages.key_package import KeyPackageBundle
from secure_chat.mls.messages.proposals import Add, Remove
from tests.mls.group.people import Policy, apply_changes, bundle, create, join, person


@dataclass
class Client:
    """A member with its store."""

    name: str
    group: Group
    rows: dict[bytes, bytes] = field(default_factory=dict)
    late: list[tuple[int, bytes]] = field(default_factory=list)
    """Application messages not delivered yet: position in the log, bytes."""
    opened: list[bytes] = field(default_factory=list)

    def save(self) -> None:
        apply_changes(self.rows, self.group)


class Attempt(NamedTuple):
    """A commit that may win, and whom it adds."""

    author: Client
    pending: Pending
    newcomers: list[tuple[str, LeafIdentity, KeyPackageBundle]]


class Session:
    """A group, its members and everything that was ever sent."""

    def __init__(self, seed: int, suite: CipherSuite, largest: int) -> None:
        self.choose = random.Random(seed)
        self.suite = suite
        self.largest = largest
        self.names = 0
        self.clients: dict[int, Client] = {}
        self.gone: list[Client] = []
        self.sent: list[bytes] = []
        first = Client(self.new_name(), create("member0", suite))
        self.clients[0] = first
        first.save()

    def new_name(self) -> str:
        self.names += 1
        return f"member{self.names - 1}"

    def some(self) -> Client:
        return self.clients[self.choose.choice(sorted(self.clients))]

    def others(self, client: Client) -> list[Client]:
        return [other for _, other in sorted(self.clients.items()) if other is not client]

    # What happens.

    def talk(self) -> None:
        author = self.some()
        if author.group.proposals:
            return
        message = author.group.protect(self.choose.randbytes(self.choose.randrange(400)))
        author.save()
        for other in self.others(author):
            if self.choose.random() < 0.9:  # else lost
                other.late.append((len(self.sent), message))
        self.sent.append(message)

    def deliver(self) -> None:
        """Some of what is waiting, in any order."""
        client = self.some()
        self.choose.shuffle(client.late)
        for _ in range(self.choose.randrange(len(client.late) + 1)):
            self.open(client)

    def open(self, client: Client) -> None:
        _, message = client.late.pop()
        received = client.group.receive(message)
        assert isinstance(received, Application | Skipped)
        if isinstance(received, Skipped):  # only when its epoch is gone
            assert "epoch" in str(received.reason)
        else:
            client.save()
            client.opened.append(message)

    def propose(self) -> None:
        author = self.some()
        choice = self.choose.random()
        if choice < 0.5:
            message = author.group.propose_update(public=self.choose.random() < 0.5)
        elif choice < 0.75 and len(self.clients) > 1:
            message = author.group.propose(Remove(self.choose.choice(sorted(self.clients))))
        else:
            package = bundle(person(f"guest{len(self.sent)}", self.suite), self.suite)
            message = author.group.propose(Add(package.key_package))
            author.group.drop_proposal(author.group.proposals[-1].reference)
            for other in self.others(author):
                received = other.group.receive(message)
                assert isinstance(received, ReceivedProposal)
                other.group.drop_proposal(received.reference)
            return
        for other in self.others(author):
            assert isinstance(other.group.receive(message), ReceivedProposal)

    def commit(self) -> None:
        """Perhaps several members commit at once; one of them wins."""
        racers = [self.some() for _ in range(self.choose.choice((1, 1, 1, 2, 3)))]
        unique = list({id(racer): racer for racer in racers}.values())
        attempts = [self.attempt(racer) for racer in unique]
        winner, pending, newcomers = attempts[0]
        for client in unique:
            client.save()
        if self.choose.random() < 0.3:
            self.restart(self.choose.choice(unique))
        self.apply(winner, pending)
        assert pending.welcome is None or newcomers
        for name, who, package in newcomers:
            client = Client(name, join(pending, package, who))
            self.enter(client)

    def attempt(self, client: Client) -> Attempt:
        group = client.group
        newcomers = []
        wanted = self.choose.choice((0, 0, 1, 1, 2, 5))
        for _ in range(min(wanted, self.largest - len(self.clients))):
            name = self.new_name()
            who = person(name, self.suite)
            newcomers.append((name, who, bundle(who, self.suite)))
        candidates = [index for index in sorted(self.clients) if index != group.own_leaf_index]
        remove = []
        if candidates and self.choose.random() < 0.3:
            remove.append(self.choose.choice(candidates))
        identity = person(f"{client.name}.{self.names}", self.suite) if self.choose.random() < 0.2 else None
        pending = group.commit(
            add=[package.key_package for _, _, package in newcomers],
            remove=remove,
            identity=identity,
            force_path=self.choose.random() < 0.7,
            public=self.choose.random() < 0.3,
        )
        return Attempt(client, pending, newcomers)

    def apply(self, winner: Client, pending: Pending) -> None:
        """Everybody follows; who is removed is gone."""
        staged: StagedCommit | None = None
        for other in self.others(winner):
            result = other.group.receive(pending.commit)
            assert isinstance(result, StagedCommit), result
            other.group.merge(result)
            staged = result
        winner.group.merge_pending()
        self.sent.append(pending.commit)
        for client in list(self.clients.values()):
            client.save()
            if not client.group.active:
                self.gone.append(client)
        self.clients = {index: client for index, client in self.clients.items() if client.group.active}
        if staged is not None:
            assert staged.epoch == winner.group.epoch

    def join_alone(self) -> None:
        """An external commit, sometimes of a member that lost everything."""
        if len(self.clients) >= self.largest:
            return
        info = self.some().group.group_info()
        lost = self.some() if len(self.clients) > 1 and self.choose.random() < 0.3 else None
        name = lost.name if lost else self.new_name()
        remove = lost.group.own_leaf_index if lost else None
        group, pending = Group.join_external(info, person(f"{name}.{self.names}", self.suite), Policy(), remove=remove)
        client = Client(name, group)
        client.save()
        for other in self.others(client):
            result = other.group.receive(pending.commit)
            assert isinstance(result, StagedCommit), result
            other.group.merge(result)
            other.save()
        if lost:
            assert not lost.group.active
            self.gone.append(lost)
            self.clients = {index: other for index, other in self.clients.items() if other is not lost}
        self.restart(client)
        client.group.merge_pending()
        self.sent.append(pending.commit)
        self.enter(client)

    def enter(self, client: Client) -> None:
        for message in self.choose.sample(self.sent, min(3, len(self.sent))):
            assert isinstance(client.group.receive(message), Skipped)
        client.save()
        assert client.group.own_leaf_index not in self.clients
        self.clients[client.group.own_leaf_index] = client

    def restart(self, client: Client) -> None:
        client.group = Group.load(dict(client.rows), Policy())

    def garbage(self) -> None:
        """Old, damaged and foreign bytes change nothing."""
        client = self.some()
        client.save()
        for message in self.choose.sample(self.sent, min(3, len(self.sent))):
            if any(message == late for _, late in client.late):
                continue
            damaged = bytearray(message)
            damaged[self.choose.randrange(len(damaged))] ^= 1 << self.choose.randrange(8)
            assert isinstance(client.group.receive(bytes(damaged)), Skipped)
            assert client.group.changes() == []

    def check(self) -> None:
        """All agree; who is gone opens nothing; what is open now opens for all."""
        groups = [client.group for client in self.clients.values()]
        assert len({(group.epoch, group.epoch_authenticator, group.ratchet_tree()) for group in groups}) == 1
        assert len({tuple(member.leaf_index for member in group.members()) for group in groups}) == 1
        assert [member.leaf_index for member in groups[0].members()] == sorted(self.clients)
        author = self.some()
        if author.group.proposals:
            return
        message = author.group.protect(b"now")
        author.save()
        for other in self.others(author):
            received = other.group.receive(message)
            assert isinstance(received, Application), received
            assert received.data == b"now"
            other.save()
        for client in self.gone:
            assert isinstance(client.group.receive(message), Skipped)

    def run(self, steps: int) -> None:
        events = [self.talk, self.talk, self.deliver, self.propose, self.commit, self.join_alone, self.garbage]
        for _ in range(steps):
            self.choose.choice(events)()
            if self.choose.random() < 0.1:
                client = self.some()
                client.save()
                self.restart(client)
        for client in self.clients.values():
            while client.late:
                self.open(client)
        self.check()
        # A snapshot taken now opens nothing that was opened before (§9.2).
        for client in self.clients.values():
            client.save()
            snapshot = Group.load(dict(client.rows), Policy())
            for message in client.opened:
                assert isinstance(snapshot.receive(message), Skipped)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32))
def test_small_sessions_agree(seed: int) -> None:
    """Up to eight members, sixty events."""
    Session(seed, SUITES[3], 8).run(60)


@pytest.mark.parametrize("seed", range(2))
def test_large_sessions_agree(seed: int) -> None:
    """Up to fifty members."""
    Session(seed, SUITES[3], 50).run(150)


@pytest.mark.parametrize("suite", [suite for number, suite in SUITES.items() if number != 3], ids=lambda s: s.name)
def test_sessions_agree_in_every_suite(suite: CipherSuite) -> None:
    """A short session in each of the other suites."""
    Session(1, suite, 6).run(40)
