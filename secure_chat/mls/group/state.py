"""What a member knows about the group in one epoch, and what it keeps of past ones."""

import os
from dataclasses import dataclass, field

from secure_chat.mls.crypto.secret import Secret
from secure_chat.mls.crypto.suite import CipherSuite, HPKEPrivateKey, SignaturePrivateKey
from secure_chat.mls.errors import ValidationError
from secure_chat.mls.group.limits import Limits
from secure_chat.mls.group.results import Member, SenderKind
from secure_chat.mls.messages.content import Sender, SenderType
from secure_chat.mls.messages.private import PrivateChannel
from secure_chat.mls.messages.proposals import Proposal
from secure_chat.mls.schedule.epoch import EpochSecrets
from secure_chat.mls.schedule.group_context import GroupContext
from secure_chat.mls.schedule.secret_tree import SecretTree
from secure_chat.mls.tree.leaf_node import LeafIdentity, LeafNode
from secure_chat.mls.tree.private import TreePrivate
from secure_chat.mls.tree.ratchet_tree import RatchetTree

__all__ = ["EpochState", "KeptProposal", "OwnUpdate", "PastEpoch", "member_of", "sender_kind"]

_SENDER_KINDS = {
    SenderType.member: SenderKind.MEMBER,
    SenderType.external: SenderKind.EXTERNAL,
    SenderType.new_member_proposal: SenderKind.NEW_MEMBER_PROPOSAL,
    SenderType.new_member_commit: SenderKind.NEW_MEMBER_COMMIT,
}


def sender_kind(sender: Sender) -> SenderKind:
    """The application's name for a kind of sender."""
    return _SENDER_KINDS[sender.sender_type]


def member_of(tree: RatchetTree, leaf_index: int) -> Member:
    """The member at a leaf; ValidationError if there is none."""
    leaf = tree.leaf(leaf_index)
    if leaf is None:
        raise ValidationError(f"leaf {leaf_index} is blank")
    return Member(leaf_index, leaf)


@dataclass(slots=True)
class EpochState:
    """One epoch as this member sees it; replaced as a whole by the next."""

    suite: CipherSuite
    context: GroupContext
    tree: RatchetTree
    private: TreePrivate
    signature_key: SignaturePrivateKey
    secrets: EpochSecrets
    interim_transcript_hash: bytes
    confirmation_tag: bytes
    channel: PrivateChannel

    @classmethod
    def start(
        cls,
        context: GroupContext,
        tree: RatchetTree,
        private: TreePrivate,
        signature_key: SignaturePrivateKey,
        secrets: EpochSecrets,
        interim_transcript_hash: bytes,
        confirmation_tag: bytes,
        limits: Limits,
    ) -> "EpochState":
        """The state at the beginning of an epoch; the encryption secret goes into the secret tree alone (§9.2)."""
        suite = tree.suite
        secret_tree = SecretTree(suite, secrets.encryption_secret, tree.leaf_count, limits.window)
        return cls(
            suite,
            context,
            tree,
            private,
            signature_key,
            secrets.without_encryption_secret(),
            interim_transcript_hash,
            confirmation_tag,
            PrivateChannel(suite, context, secrets.sender_data_secret, secret_tree),
        )

    @property
    def epoch(self) -> int:
        """The epoch's number."""
        return self.context.epoch

    @property
    def own_index(self) -> int:
        """This member's leaf."""
        return self.private.leaf_index

    @property
    def own_leaf(self) -> LeafNode:
        """What stands there."""
        leaf = self.tree.leaf(self.own_index)
        assert leaf is not None
        return leaf

    @property
    def identity(self) -> LeafIdentity:
        """What this member's leaf says, for its next one."""
        leaf = self.own_leaf
        return LeafIdentity(leaf.credential, self.signature_key, leaf.capabilities, leaf.extensions)


@dataclass(slots=True)
class PastEpoch:
    """What opens late application messages of an ended epoch (§15.3)."""

    channel: PrivateChannel
    replaced: dict[int, LeafNode | None]
    """Leaves that the commit ending this epoch changed, as they were before."""


@dataclass(frozen=True, slots=True)
class OwnUpdate:
    """The private side of an Update proposal of one's own."""

    encryption_key: HPKEPrivateKey
    signature_key: SignaturePrivateKey


@dataclass(frozen=True, slots=True)
class KeptProposal:
    """A valid proposal that a commit may refer to (§12.4)."""

    reference: bytes
    proposal: Proposal
    sender: Sender
    authenticated_data: bytes
    size: int
    """Bytes of its FramedContent."""
    own_update: OwnUpdate | None = field(default=None, repr=False)


def random_secret(suite: CipherSuite) -> Secret:
    """A fresh secret of KDF.Nh bytes."""
    return Secret(os.urandom(suite.hash_length))
