"""Proposals from outside the group (RFC 9420 §12.1.8): of provisioned external senders, and of newcomers."""

from secure_chat.mls.crypto.suite import CipherSuite, SignaturePrivateKey
from secure_chat.mls.group.proposal_list import check_sender
from secure_chat.mls.messages.content import AuthenticatedContent, FramedContent, Sender, SenderType
from secure_chat.mls.messages.envelope import MLSMessage
from secure_chat.mls.messages.key_package import KeyPackage
from secure_chat.mls.messages.proposals import Add, Proposal
from secure_chat.mls.messages.public import PublicMessage
from secure_chat.mls.registry import WireFormat

__all__ = ["propose_external", "propose_self"]


def propose_external(
    suite: CipherSuite,
    group_id: bytes,
    epoch: int,
    sender_index: int,
    key: SignaturePrivateKey,
    proposal: Proposal,
    authenticated_data: bytes = b"",
) -> bytes:
    """An MLSMessage from the sender at this place of the group's `external_senders`.

    Raises ValidationError for a proposal that external senders must not make.
    """
    sender = Sender(SenderType.external, sender_index)
    return _message(suite, group_id, epoch, sender, key, proposal, authenticated_data)


def propose_self(
    suite: CipherSuite,
    group_id: bytes,
    epoch: int,
    key_package: KeyPackage,
    key: SignaturePrivateKey,
    authenticated_data: bytes = b"",
) -> bytes:
    """An MLSMessage with which the owner of `key_package` asks to be added; `key` is its signature key."""
    sender = Sender(SenderType.new_member_proposal)
    return _message(suite, group_id, epoch, sender, key, Add(key_package), authenticated_data)


def _message(
    suite: CipherSuite,
    group_id: bytes,
    epoch: int,
    sender: Sender,
    key: SignaturePrivateKey,
    proposal: Proposal,
    authenticated_data: bytes,
) -> bytes:
    check_sender(proposal, sender)
    framed = FramedContent(group_id, epoch, sender, authenticated_data, proposal)
    # §12.1.8: always a PublicMessage; §6.1: without the GroupContext, which the sender need not know.
    content = AuthenticatedContent.sign(WireFormat.mls_public_message, framed, b"", key)
    return MLSMessage.of(PublicMessage.protect(suite, content, b"", b"")).encode()
