"""A live group to fuzz, with all its members' keys at hand to make messages that the public API cannot.

Its tree has blank and unmerged leaves; it has an external sender, past epochs and kept proposals. One member, the
victim, receives; the others lend their keys.
"""

import datetime
from dataclasses import dataclass, field, replace

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding

from secure_chat.mls.codec import encode_opaque
from secure_chat.mls.credential.credential import BasicCredential, Credential, X509Credential
from secure_chat.mls.credential.extensions import Capabilities, ExternalSender, ExternalSenders, Lifetime
from secure_chat.mls.crypto.labels import sign_with_label
from secure_chat.mls.crypto.suite import SUITES, SignaturePrivateKey
from secure_chat.mls.group.group import Group
from secure_chat.mls.group.outside import propose_external, propose_self
from secure_chat.mls.group.results import Application, ReceivedProposal, StagedCommit
from secure_chat.mls.group.state import EpochState
from secure_chat.mls.messages.content import ContentType, SenderType, signed_content
from secure_chat.mls.messages.key_package import KeyPackageBundle
from secure_chat.mls.messages.proposals import Add, GroupContextExtensions, Remove
from secure_chat.mls.registry import CredentialType, ProtocolVersion, WireFormat
from secure_chat.mls.tree.leaf_node import LeafIdentity, LeafNode
from tests.fuzz.derandomised import NUMBER, derandomised
from tests.policies import AcceptAll

__all__ = ["VICTIM", "LiveGroup", "Person"]

LIFETIME = Lifetime(0, 1 << 40)
VICTIM = 0
SEED = b"secure-chat fuzzing"
GROUP_ID = b"fuzz"
PSKS = {b"psk": b"a secret from elsewhere"}
_FRONT = ProtocolVersion.mls10.to_bytes(2, "big")


@dataclass
class Person:
    """A client: its keys, and the rows of its group once it is in."""

    identity: LeafIdentity
    bundle: KeyPackageBundle
    rows: dict[bytes, bytes] = field(default_factory=dict)

    def load(self) -> Group:
        """Its group, anew from the rows."""
        return Group.load(self.rows, AcceptAll())

    def save(self, group: Group) -> None:
        """Write what changed."""
        for key, value in group.changes():
            if value is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = value


class LiveGroup:
    """Six members in leaves 0, 1, 3, 4, 5 and 6 of eight; always the same in every process."""

    def __init__(self) -> None:
        self.people: dict[int, Person] = {}
        self.messages: dict[str, bytes] = {}
        """A valid message of each kind that the victim has not seen, for its current epoch or an earlier one."""
        self.welcome_bundle: KeyPackageBundle
        with derandomised(SEED) as self._randomness:
            self._build()
        self.suite = SUITES[NUMBER]
        # From here on the package's own suite, not the derandomised one, is at work.
        for person in [*self.people.values(), self.newcomer, self.invited]:
            person.bundle = KeyPackageBundle.decode(person.bundle.encode())
        self.victim = self.people[VICTIM]

    def _person(self, name: str, certificate: bool = False) -> Person:
        suite = SUITES[NUMBER]
        seed = self._randomness.take(32)
        key = SignaturePrivateKey.from_bytes(suite, seed)
        credential: Credential = BasicCredential(name.encode())
        if certificate:
            credential = X509Credential((_self_signed(seed, name),))
        capabilities = Capabilities.of(
            (suite.number,), extensions=(0xF001,), credentials=(CredentialType.basic, CredentialType.x509)
        ).with_grease(7)
        identity = LeafIdentity(credential, key, capabilities)
        return Person(identity, KeyPackageBundle.generate(suite, identity, LIFETIME))

    def _build(self) -> None:
        suite = SUITES[NUMBER]
        founder = self._person("founder")
        self.outsider = SignaturePrivateKey.from_bytes(suite, self._randomness.take(32))
        senders = ExternalSenders((ExternalSender(self.outsider.public, BasicCredential(b"outsider")),))
        group = Group.create(suite, GROUP_ID, founder.identity, LIFETIME, AcceptAll(), (senders.extension(),))
        group.add_psk(b"psk", PSKS[b"psk"])
        groups = {0: group}
        self.people[0] = founder
        for start in (1, 4):
            newcomers = [self._person(f"member {start + i}", certificate=start + i == 3) for i in range(3)]
            self._commit(groups, 0, add=newcomers)
        late = groups[4].protect(b"late")
        self._commit(groups, 4)
        self._commit(groups, 1, remove=2)
        self._commit(groups, 0, add=[self._person("unmerged")], force_path=True)
        for leaf_index, member in groups.items():
            self.people[leaf_index].save(member)
        self.newcomer, self.invited = self._person("newcomer"), self._person("invited")
        self._messages(groups, late)

    def _commit(
        self,
        groups: dict[int, Group],
        author: int,
        add: list[Person] | None = None,
        remove: int | None = None,
        force_path: bool = True,
    ) -> None:
        packages = [person.bundle.key_package for person in add or []]
        removed = [] if remove is None else [remove]
        pending = groups[author].commit(add=packages, remove=removed, force_path=force_path)
        for leaf_index, group in list(groups.items()):
            if leaf_index == author:
                group.merge_pending()
                continue
            staged = group.receive(pending.commit)
            assert isinstance(staged, StagedCommit), staged
            group.merge(staged)
            if not group.active:
                del groups[leaf_index], self.people[leaf_index]
        for person in add or []:
            assert pending.welcome is not None
            group = Group.join(pending.welcome, person.bundle, person.identity, AcceptAll(), psks=PSKS)
            groups[group.own_leaf_index] = group
            self.people[group.own_leaf_index] = person

    def _messages(self, groups: dict[int, Group], late: bytes) -> None:
        """One of each kind; each from a member of its own, whose saved rows know nothing of it."""
        made = self.messages
        suite, group_id, epoch = SUITES[NUMBER], groups[0].group_id, groups[0].epoch
        made["late"] = late
        made["application"] = groups[1].protect(b"hello", b"authenticated")
        made["ahead"] = [groups[5].protect(b"%d" % number) for number in range(8)][-1]
        made["commit"] = groups[3].commit(add=[self.invited.bundle.key_package], remove=[5], psks=PSKS).commit
        made["public commit"] = self.people[3].load().commit(public=True).commit
        made["commit without path"] = (
            self.people[6].load().commit(add=[self.newcomer.bundle.key_package], force_path=False, public=True).commit
        )
        made["commit of context"] = (
            self.people[6].load().commit(proposals=[GroupContextExtensions(groups[0].extensions)], public=True).commit
        )
        made["update"] = groups[4].propose_update()
        made["public update"] = groups[4].propose_update(public=True)
        made["remove"] = groups[5].propose(Remove(6), public=True)
        made["add"] = groups[6].propose(Add(self.newcomer.bundle.key_package))
        made["external remove"] = propose_external(suite, group_id, epoch, 0, self.outsider, Remove(6))
        made["new member"] = propose_self(
            suite, group_id, epoch, self.newcomer.bundle.key_package, self.newcomer.identity.signature_key
        )
        info = self.people[1].load().group_info()
        made["group info"] = info
        made["external commit"] = Group.join_external(info, self.newcomer.identity, AcceptAll())[1].commit
        rejoin = Group.join_external(info, self.newcomer.identity, AcceptAll(), remove=6, psks=PSKS)
        made["external rejoin"] = rejoin[1].commit
        pending = self.people[1].load().commit(add=[self.invited.bundle.key_package], psks=PSKS, public=True)
        assert pending.welcome is not None
        made["welcome"] = pending.welcome
        made["commit with psk"] = pending.commit
        made["key package"] = self.newcomer.bundle.key_package.message()
        # The victim keeps two proposals, and there is a commit that refers to them.
        victim, committer = self.people[VICTIM].load(), self.people[1].load()
        for name in ("public update", "external remove"):
            for group in (victim, committer):
                assert isinstance(group.receive(made[name]), ReceivedProposal)
        self.people[VICTIM].save(victim)
        made["commit by reference"] = committer.commit(public=True).commit
        assert isinstance(self.people[VICTIM].load().receive(made["application"]), Application)

    # Messages that the public API cannot make.

    @property
    def state(self) -> EpochState:
        """The victim's current epoch, whose secrets all members share."""
        return self.victim.load()._epochs.current

    def key_of(self, sender_type: SenderType, index: int) -> SignaturePrivateKey:
        """Whose signature the victim will look for; any key where it cannot be known."""
        if sender_type is SenderType.member and index in self.people:
            return self.people[index].identity.signature_key
        if sender_type is SenderType.external:
            return self.outsider
        return self.newcomer.identity.signature_key

    def owner_key(self, public: bytes, otherwise: SignaturePrivateKey) -> SignaturePrivateKey:
        """The private half of a signature key, where anybody here has it."""
        people = (*self.people.values(), self.newcomer, self.invited)
        keys = {person.identity.signature_key.public: person.identity.signature_key for person in people}
        return keys.get(public, otherwise)

    def resign_leaf(self, leaf: LeafNode, leaf_index: int, otherwise: SignaturePrivateKey) -> LeafNode:
        """A leaf with a right signature, where its signature key is anybody's here."""
        content = leaf.to_be_signed(GROUP_ID, leaf_index)
        key = self.owner_key(leaf.signature_key, otherwise)
        return replace(leaf, signature=sign_with_label(key, "LeafNodeTBS", content), _encoded=b"")

    def sign_public(
        self, state: EpochState, framed: bytes, sender_type: SenderType, index: int, tail: bytes | None
    ) -> bytes:
        """A PublicMessage around any FramedContent bytes, rightly signed and tagged; `tail` is a confirmation tag."""
        inside = sender_type in (SenderType.member, SenderType.new_member_commit)
        context = state.channel.context if inside else b""
        signed = signed_content(WireFormat.mls_public_message, framed, context)
        signature = sign_with_label(self.key_of(sender_type, index), "FramedContentTBS", signed)
        auth = encode_opaque(signature) + (b"" if tail is None else encode_opaque(tail))
        message = _FRONT + WireFormat.mls_public_message.to_bytes(2, "big") + framed + auth
        if sender_type is SenderType.member:
            tagged = signed_content(WireFormat.mls_public_message, framed, state.channel.context) + auth
            message += encode_opaque(self.suite.mac(state.secrets.membership_key, tagged))
        return message

    def seal_private(self, content_type: ContentType, leaf_index: int, data: bytes, plaintext: bytes) -> bytes:
        """A PrivateMessage around any plaintext, rightly encrypted under the sender's next key."""
        sender = self.people.get(leaf_index, self.people[1]).load()
        return sender._epochs.current.channel.seal(content_type, sender.own_leaf_index, data, plaintext)

    def sign_private(
        self, state: EpochState, leaf_index: int, content_type: ContentType, data: bytes, content: bytes
    ) -> bytes:
        """The signature of a member over any content bytes, as a PrivateMessage carries it."""
        framed = (
            encode_opaque(state.context.group_id) + state.epoch.to_bytes(8, "big") + b"\x01"
            + leaf_index.to_bytes(4, "big") + encode_opaque(data) + bytes([content_type]) + content
        )  # fmt: skip
        signed = signed_content(WireFormat.mls_private_message, framed, state.channel.context)
        return sign_with_label(self.key_of(SenderType.member, leaf_index), "FramedContentTBS", signed)


def _self_signed(seed: bytes, name: str) -> bytes:
    key = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    builder = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(1).not_valid_before(start).not_valid_after(start + datetime.timedelta(days=36500))
    )  # fmt: skip
    return builder.sign(key, None).public_bytes(Encoding.DER)
