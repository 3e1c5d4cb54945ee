"""The operations on our own groups, in memory, each as an application would call it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from bench.mls.catalog import LARGE, SMALL
from secure_chat.mls.credential.credential import BasicCredential, Credential
from secure_chat.mls.credential.extensions import Capabilities, Lifetime
from secure_chat.mls.crypto.suite import SUITES, CipherSuite, SignaturePrivateKey
from secure_chat.mls.group.group import Group
from secure_chat.mls.group.results import Application, Pending, StagedCommit
from secure_chat.mls.messages.key_package import KeyPackage, KeyPackageBundle
from secure_chat.mls.tree.leaf_node import LeafIdentity

__all__ = ["AnyIdentity", "Bulk", "Client", "bulk_group", "filled_group", "follow", "measure_own"]

T = TypeVar("T")
Results = dict[str, list[float]]
LIFETIME = Lifetime(0, 2**40)
MESSAGES = 3000


class AnyIdentity:
    """The benchmark measures MLS, not an application's policy."""

    def validate(self, credential: Credential, signature_key: bytes) -> None:
        pass

    def validate_successor(self, old: Credential, new: Credential) -> None:
        pass

    def validate_external_sender(self, credential: Credential, signature_key: bytes) -> None:
        pass


POLICY = AnyIdentity()


@dataclass
class Client:
    """Somebody with a key package."""

    identity: LeafIdentity
    bundle: KeyPackageBundle

    @classmethod
    def make(cls, suite: CipherSuite, name: str) -> "Client":
        identity = LeafIdentity(
            BasicCredential(name.encode()), SignaturePrivateKey.generate(suite), Capabilities.of([suite.number])
        )
        return cls(identity, KeyPackageBundle.generate(suite, identity, LIFETIME))

    def join(self, welcome: bytes) -> Group:
        return Group.join(welcome, self.bundle, self.identity, POLICY)


@dataclass
class Bulk:
    """A group whose founder has added everybody else in one commit."""

    founder: Group
    others: list[Client]
    welcome: bytes


def timed(results: Results, operation: str | None, work: Callable[[], T]) -> T:
    start = time.perf_counter()
    value = work()
    if operation is not None:
        results.setdefault(operation, []).append(time.perf_counter() - start)
    return value


def follow(group: Group, commit: bytes) -> None:
    """Receive a commit and merge it."""
    staged = group.receive(commit)
    assert isinstance(staged, StagedCommit), staged
    group.merge(staged)


def _found(suite: CipherSuite) -> Group:
    founder = Client.make(suite, "founder")
    return Group.create(suite, b"bench", founder.identity, LIFETIME, POLICY)


def bulk_group(suite: CipherSuite, size: int, results: Results, operation: str | None = None) -> Bulk:
    """Adding is measured with the decoding of the key packages, as they come from a server."""
    founder = _found(suite)
    others = [Client.make(suite, f"member {i}") for i in range(1, size)]
    messages = [client.bundle.key_package.message() for client in others]

    def add() -> Pending:
        return founder.commit(add=[KeyPackage.from_message(message) for message in messages])

    for _ in range(2 if operation else 0):
        timed(results, operation, add)
        founder.discard_pending()
    pending = timed(results, operation, add)
    founder.merge_pending()
    assert pending.welcome is not None
    return Bulk(founder, others, pending.welcome)


def filled_group(suite: CipherSuite, size: int) -> tuple[Group, Group]:
    """Everybody is added by the founder and commits once: no parent node stays blank. Founder and first member."""
    founder = _found(suite)
    second: Group | None = None
    for number in range(1, size):
        client = Client.make(suite, f"member {number}")
        pending = founder.commit(add=[client.bundle.key_package])
        founder.merge_pending()
        if second is not None:
            follow(second, pending.commit)
        assert pending.welcome is not None
        newcomer = client.join(pending.welcome)
        update = newcomer.commit().commit
        newcomer.merge_pending()
        follow(founder, update)
        if second is None:
            second = newcomer
        else:
            follow(second, update)
    assert second is not None
    return founder, second


def _updates(results: Results, alice: Group, bob: Group, create: str, process: str | None, count: int) -> None:
    commits = []
    for _ in range(count):
        commits.append(timed(results, create, alice.commit).commit)
        alice.merge_pending()
    for commit in commits:
        timed(results, process, partial(follow, bob, commit))


def measure_own(log: Callable[[str], None]) -> Results:
    """Seconds of each operation of the catalogue, several times each."""
    results: Results = {}
    suite = SUITES[3]
    log("messages")
    pair = bulk_group(suite, 2, {})
    alice, bob = pair.founder, pair.others[0].join(pair.welcome)
    sent = [timed(results, "protect", lambda: alice.protect(bytes(100))) for _ in range(MESSAGES)]
    for message in sent:
        result = timed(results, "open", partial(bob.receive, message))
        assert isinstance(result, Application)
    log(f"{SMALL} members, tree filled")
    _updates(results, *filled_group(suite, SMALL), "update_filled", "process_filled", 40)
    for size, kind, count in ((SMALL, "small", 30), (LARGE, "large", 15)):
        log(f"{size} members in one commit")
        bulk = bulk_group(suite, size, results, "add_large" if kind == "large" else None)
        for _ in range(count):
            bob = timed(results, f"join_{kind}", partial(bulk.others[-1].join, bulk.welcome))
        _updates(results, bulk.founder, bob, f"update_{kind}", f"process_{kind}", count)
    log(f"X-Wing, {SMALL} members")
    hybrid = bulk_group(SUITES[0xF00E], SMALL, {})
    _updates(results, hybrid.founder, hybrid.others[-1].join(hybrid.welcome), "update_xwing", None, 10)
    return results
