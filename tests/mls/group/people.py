"""Members for tests: people with identities, groups with all of them in one epoch, and forged messages."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from secure_chat.mls.credential.credential import BasicCredential, Credential
from secure_chat.mls.credential.extensions import Capabilities, Extension, Lifetime
from secure_chat.mls.crypto.labels import sign_with_label
from secure_chat.mls.crypto.suite import CipherSuite, SignaturePrivateKey
from secure_chat.mls.errors import ValidationError
from secure_chat.mls.group.group import Group
from secure_chat.mls.group.identity import LeafIdentity
from secure_chat.mls.group.limits import Limits
from secure_chat.mls.group.results import Out, Pending, Skipped, StagedCommit
from secure_chat.mls.group.state import EpochState
from secure_chat.mls.messages.commit import Commit, ProposalRef
from secure_chat.mls.messages.content import (
    SIGNATURE_LABEL,
    AuthenticatedContent,
    FramedContent,
    FramedContentAuthData,
    Sender,
    SenderType,
    signed_content,
)
from secure_chat.mls.messages.envelope import MLSMessage
from secure_chat.mls.messages.key_package import KeyPackageBundle
from secure_chat.mls.messages.proposals import Add, Proposal, Remove
from secure_chat.mls.messages.public import PublicMessage
from secure_chat.mls.registry import WireFormat
from secure_chat.mls.tree.treekem import create_path
from secure_chat.mls.tree.update_path import UpdatePath
from tests.mls.suites import FAST

SUITE = FAST
LIFETIME = Lifetime(1_000, 2_000)
GROUP_ID = b"a group"
DEFAULT_LIMITS = Limits()
PRIVATE_TYPE = 0xF123
"""An extension type that people here support."""


@dataclass
class Policy:
    """Believes everybody but those named; a successor must keep the name up to its first dot."""

    refused: set[bytes] = field(default_factory=set)

    def validate(self, credential: Credential, signature_key: bytes) -> None:
        if isinstance(credential, BasicCredential) and credential.identity in self.refused:
            raise ValidationError("refused by the policy")

    def validate_successor(self, old: Credential, new: Credential) -> None:
        if name(old) != name(new):
            raise ValidationError("another person's credential")

    def validate_external_sender(self, credential: Credential, signature_key: bytes) -> None:
        self.validate(credential, signature_key)


def name(credential: Credential) -> bytes:
    if not isinstance(credential, BasicCredential):
        raise ValidationError("nobody here has such a credential")
    return credential.identity.split(b".")[0]


def capabilities(suite: CipherSuite = SUITE, extensions: Sequence[int] = (PRIVATE_TYPE,)) -> Capabilities:
    return Capabilities.of([suite.number], extensions=extensions)


def person(identity: str, suite: CipherSuite = SUITE, extensions: Sequence[int] = (PRIVATE_TYPE,)) -> LeafIdentity:
    key = SignaturePrivateKey.generate(suite)
    return LeafIdentity(BasicCredential(identity.encode()), key, capabilities(suite, extensions))


def bundle(who: LeafIdentity, suite: CipherSuite = SUITE) -> KeyPackageBundle:
    return KeyPackageBundle.generate(suite, who, LIFETIME)


def create(
    identity: str = "alice",
    suite: CipherSuite = SUITE,
    extensions: tuple[Extension, ...] = (),
    limits: Limits = DEFAULT_LIMITS,
    policy: Policy | None = None,
) -> Group:
    who = person(identity, suite)
    return Group.create(suite, GROUP_ID, who, LIFETIME, policy or Policy(), extensions, limits)


def join(pending: Pending, package: KeyPackageBundle, who: LeafIdentity, limits: Limits = DEFAULT_LIMITS) -> Group:
    assert pending.welcome is not None
    return Group.join(pending.welcome, package, who, Policy(), limits=limits)


def found(
    *names: str,
    suite: CipherSuite = SUITE,
    extensions: tuple[Extension, ...] = (),
    limits: Limits = DEFAULT_LIMITS,
) -> list[Group]:
    """A group of these people: the first creates it and adds all others at once."""
    creator = create(names[0], suite, extensions, limits)
    people = [person(other, suite) for other in names[1:]]
    packages = [bundle(who, suite) for who in people]
    if not packages:
        return [creator]
    pending = creator.commit(add=[package.key_package for package in packages])
    creator.merge_pending()
    pairs = zip(packages, people, strict=True)
    return [creator, *(join(pending, package, who, limits) for package, who in pairs)]


def stage(group: Group, message: bytes) -> StagedCommit:
    staged = group.receive(message)
    assert isinstance(staged, StagedCommit), staged
    return staged


def spread(pending: Pending, committer: Group, *others: Group) -> None:
    """The committer and all others enter the commit's epoch."""
    for group in others:
        group.merge(stage(group, pending.commit))
    committer.merge_pending()
    same(committer, *others)


def same(*groups: Group) -> None:
    """All are in the same epoch and agree on it."""
    assert len({(group.epoch, group.epoch_authenticator) for group in groups}) == 1


def skipped(group: Group, message: bytes, reason: str) -> None:
    """The message is skipped for this reason, and the group's rows stay what they were."""
    group.changes()
    result = group.receive(message)
    assert isinstance(result, Skipped), result
    assert reason in str(result.reason), result.reason
    assert group.changes() == []


def out(group: Group, message: bytes, reason: str) -> Out:
    """This member alone cannot follow, and its rows stay what they were."""
    group.changes()
    result = group.receive(message)
    assert isinstance(result, Out), result
    assert reason in str(result.reason), result.reason
    assert group.changes() == []
    return result


def stored(group: Group) -> dict[bytes, bytes]:
    """All rows of a group that has never reported changes before."""
    return {row: value for row, value in group.changes() if value is not None}


def apply_changes(rows: dict[bytes, bytes], group: Group) -> None:
    """Bring stored rows up to date, as a store does."""
    for row, value in group.changes():
        if value is None:
            rows.pop(row, None)
        else:
            rows[row] = value


def state_of(group: Group) -> EpochState:
    """The epoch's state, which forging needs."""
    return group._epochs.current


def forge(
    group: Group,
    content: bytes | Proposal | Commit,
    *,
    sender: Sender | None = None,
    key: SignaturePrivateKey | None = None,
    tag: bytes = b"no tag",
    epoch: int | None = None,
    group_id: bytes | None = None,
    membership_key: bytes | None = None,
) -> bytes:
    """A PublicMessage with any content, rightly signed and tagged as a member's unless told otherwise."""
    state = state_of(group)
    framed = FramedContent(
        group.group_id if group_id is None else group_id,
        group.epoch if epoch is None else epoch,
        sender or Sender(SenderType.member, group.own_leaf_index),
        b"",
        content,
    )
    context = state.channel.context
    # Not by AuthenticatedContent.sign, which refuses to sign what a sender must not send.
    wire_format = WireFormat.mls_public_message
    signed_context = context if framed.sender.in_group_context else b""
    signed = sign_with_label(
        key or state.signature_key, SIGNATURE_LABEL, signed_content(wire_format, framed.encode(), signed_context)
    )
    auth = FramedContentAuthData(signed, tag if isinstance(content, Commit) else None)
    authenticated = AuthenticatedContent(wire_format, framed, auth, framed.encode())
    member = state.secrets.membership_key if membership_key is None else membership_key
    return MLSMessage.of(PublicMessage.protect(state.suite, authenticated, member, context)).encode()


def own_path(group: Group, proposals: Sequence[Proposal] = (), identity: LeafIdentity | None = None) -> UpdatePath:
    """A path of this member's that fits these proposals, as a real commit would carry it."""
    state = state_of(group)
    tree = state.tree.copy()
    for proposal in proposals:
        if isinstance(proposal, Remove):
            tree.remove(proposal.removed)
    new_leaves = [tree.add(item.key_package.leaf_node) for item in proposals if isinstance(item, Add)]
    path = create_path(tree, state.own_index, identity or state.identity, group.group_id)
    return path.encrypt(tree, b"context", new_leaves)


def forge_commit(
    group: Group,
    *items: Proposal | ProposalRef,
    path: UpdatePath | None = None,
    with_path: bool = True,
) -> bytes:
    """A commit of this member's with any list of proposals, and everything right but the confirmation tag.

    A member that finds all public checks passed therefore ends with `Out`, and with `Skipped` otherwise.
    """
    if path is None and with_path:
        path = own_path(group, [item for item in items if not isinstance(item, ProposalRef)])
    return forge(group, Commit(items, path))
