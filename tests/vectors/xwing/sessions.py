"""Vectors of the X-Wing suite about whole groups: Welcomes, and clients that follow what a group does."""

from collections.abc import Mapping

from secure_chat.mls.credential.extensions import Extension, RequiredCapabilities
from secure_chat.mls.crypto.suite import CipherSuite
from secure_chat.mls.group.group import Group
from secure_chat.mls.group.results import Pending, StagedCommit
from secure_chat.mls.messages.key_package import KeyPackageBundle
from secure_chat.mls.messages.proposals import Add, GroupContextExtensions, Remove
from secure_chat.mls.registry import CredentialType
from secure_chat.mls.tree.leaf_node import LeafIdentity
from tests.policies import AcceptAll
from tests.vectors.families import Vector
from tests.vectors.xwing.derandomised import Randomness
from tests.vectors.xwing.trees import LIFETIME, identity

__all__ = ["passive_client", "welcome"]


class Person:
    """A client with one key package, and its view of the group once it is in."""

    def __init__(self, suite: CipherSuite, randomness: Randomness, name: str) -> None:
        self.suite = suite
        self.identity: LeafIdentity = identity(suite, randomness, name)
        self.bundle = KeyPackageBundle.generate(suite, self.identity, LIFETIME)
        self._group: Group | None = None

    @property
    def group(self) -> Group:
        """The group it is in."""
        assert self._group is not None
        return self._group

    def found(self, group_id: bytes) -> None:
        """Create a group."""
        self._group = Group.create(self.suite, group_id, self.identity, LIFETIME, AcceptAll())

    def join(
        self, message: bytes | None, ratchet_tree: bytes | None = None, psks: Mapping[bytes, bytes] | None = None
    ) -> None:
        """Join by a Welcome."""
        assert message is not None
        self._group = Group.join(
            message, self.bundle, self.identity, AcceptAll(), ratchet_tree=ratchet_tree, psks=psks or {}
        )

    def join_external(self, group_info: bytes) -> Pending:
        """Join by a commit of its own."""
        self._group, pending = Group.join_external(group_info, self.identity, AcceptAll())
        return pending


def welcome(suite: CipherSuite, randomness: Randomness) -> list[Vector]:
    """Two newcomers' Welcome, for one of them."""
    founder, other, newcomer = (Person(suite, randomness, name) for name in ("founder", "other", "newcomer"))
    founder.found(randomness.take(32))
    packages = [other.bundle.key_package, newcomer.bundle.key_package]
    made = founder.group.commit(add=packages).welcome
    assert made is not None
    return [
        {
            "cipher_suite": suite.number,
            "init_priv": newcomer.bundle.init_key.private_bytes.hex(),
            "signer_pub": founder.identity.signature_key.public.hex(),
            "key_package": newcomer.bundle.key_package.message().hex(),
            "welcome": made.hex(),
        }
    ]


class Story:
    """A group that a passive client follows."""

    def __init__(self, suite: CipherSuite, randomness: Randomness, psks: dict[bytes, bytes] | None = None) -> None:
        self.suite = suite
        self.randomness = randomness
        self.psks = psks or {}
        self.epochs: list[Vector] = []
        self.people = [self.person("founder")]
        self.people[0].found(randomness.take(32))
        self.people[0].group.add_psk(b"shared", b"a secret from elsewhere")

    def person(self, name: str) -> Person:
        """Somebody new."""
        return Person(self.suite, self.randomness, name)

    def add(self, author: int, newcomers: list[Person], proposals: list[bytes] | None = None) -> None:
        """A commit that adds people."""
        packages = [newcomer.bundle.key_package for newcomer in newcomers]
        pending = self.people[author].group.commit(add=packages, force_path=False)
        self.spread(author, pending, proposals)
        for newcomer in newcomers:
            newcomer.join(pending.welcome)
            self.people.append(newcomer)

    def propose(self, author: int, message: bytes) -> bytes:
        """Hand a proposal to everybody else."""
        for number, person in enumerate(self.people):
            if number != author:
                person.group.receive(message)
        return message

    def spread(self, author: int, pending: Pending, proposals: list[bytes] | None = None) -> None:
        """Everybody enters the next epoch, and the story gets a chapter."""
        for number, person in enumerate(self.people):
            if number == author:
                person.group.merge_pending()
            else:
                staged = person.group.receive(pending.commit)
                assert isinstance(staged, StagedCommit), staged
                person.group.merge(staged)
        self.people = [person for person in self.people if person.group.active]
        self.epochs.append(
            {
                "proposals": [message.hex() for message in proposals or []],
                "commit": pending.commit.hex(),
                "epoch_authenticator": self.people[0].group.epoch_authenticator.hex(),
            }
        )

    def tell(self, reader: Person, message: bytes, tree: bytes | None, authenticator: bytes) -> Vector:
        """The vector for somebody who joined by this Welcome before the chapters so far."""
        return {
            "cipher_suite": self.suite.number,
            "external_psks": [{"psk_id": name.hex(), "psk": psk.hex()} for name, psk in self.psks.items()],
            "key_package": reader.bundle.key_package.message().hex(),
            "signature_priv": reader.identity.signature_key.private_bytes.hex(),
            "encryption_priv": reader.bundle.encryption_key.private_bytes.hex(),
            "init_priv": reader.bundle.init_key.private_bytes.hex(),
            "welcome": message.hex(),
            "ratchet_tree": None if tree is None else tree.hex(),
            "initial_epoch_authenticator": authenticator.hex(),
            "epochs": self.epochs,
        }


def passive_client(suite: CipherSuite, randomness: Randomness) -> list[Vector]:
    """Welcomes with and without tree, with a PSK; and one long story."""
    return [
        _by_welcome(suite, randomness, with_tree=True, with_psk=False),
        _by_welcome(suite, randomness, with_tree=False, with_psk=True),
        _long_story(suite, randomness),
    ]


def _by_welcome(suite: CipherSuite, randomness: Randomness, *, with_tree: bool, with_psk: bool) -> Vector:
    psks = {b"shared": b"a secret from elsewhere"} if with_psk else {}
    story = Story(suite, randomness, psks)
    reader, founder = story.person("reader"), story.people[0].group
    pending = founder.commit(add=[reader.bundle.key_package], psks=psks, ratchet_tree=with_tree)
    founder.merge_pending()
    tree = None if with_tree else founder.ratchet_tree()
    reader.join(pending.welcome, ratchet_tree=tree, psks=psks)
    assert pending.welcome is not None
    return story.tell(reader, pending.welcome, tree, founder.epoch_authenticator)


def _long_story(suite: CipherSuite, randomness: Randomness) -> Vector:
    """Adds, updates, removals, proposals by reference, an external join, new extensions, PSKs, both framings."""
    psks = {b"shared": b"a secret from elsewhere"}
    story = Story(suite, randomness, psks)
    reader = story.person("reader")
    pending = story.people[0].group.commit(add=[reader.bundle.key_package])
    story.spread(0, pending)
    story.epochs = []
    reader.join(pending.welcome, psks=psks)
    story.people.append(reader)
    first, authenticator = pending.welcome, reader.group.epoch_authenticator
    assert first is not None

    founder = story.people[0].group
    story.add(0, [story.person("second"), story.person("third")])
    for person in story.people:
        person.group.add_psk(b"shared", psks[b"shared"])
    story.spread(2, story.people[2].group.commit())
    story.spread(3, story.people[3].group.commit(public=True))
    story.spread(0, founder.commit(psks=psks))
    newcomer = story.person("proposed")
    proposal = story.propose(2, story.people[2].group.propose(Add(newcomer.bundle.key_package)))
    update = story.propose(3, story.people[3].group.propose_update(public=True))
    pending = founder.commit(force_path=False)
    story.spread(0, pending, [proposal, update])
    newcomer.join(pending.welcome, psks=psks)
    story.people.append(newcomer)
    story.spread(4, newcomer.group.commit())
    required = RequiredCapabilities(credential_types=(CredentialType.basic,))
    extensions: tuple[Extension, ...] = (required.extension(),)
    story.spread(2, story.people[2].group.commit(proposals=[GroupContextExtensions(extensions)]))
    guest = story.person("guest")
    pending = guest.join_external(founder.group_info())
    for person in story.people:
        staged = person.group.receive(pending.commit)
        assert isinstance(staged, StagedCommit), staged
        person.group.merge(staged)
    guest.group.merge_pending()
    story.people.append(guest)
    story.epochs.append(
        {
            "proposals": [],
            "commit": pending.commit.hex(),
            "epoch_authenticator": founder.epoch_authenticator.hex(),
        }
    )
    leaving = story.people[3].group.own_leaf_index
    proposal = story.propose(2, story.people[2].group.propose(Remove(leaving)))
    story.spread(0, founder.commit(), [proposal])
    story.spread(0, founder.commit(remove=[story.people[2].group.own_leaf_index]))
    assert reader.group.epoch_authenticator == founder.epoch_authenticator
    return story.tell(reader, first, None, authenticator)
