"""From the bytes of a handshake message to verified content (RFC 9420 §6, §12.1.8, §12.4.2)."""

from dataclasses import dataclass

from secure_chat.mls.credential.extensions import external_senders_of
from secure_chat.mls.errors import ValidationError
from secure_chat.mls.group.state import EpochState
from secure_chat.mls.messages.commit import Commit
from secure_chat.mls.messages.content import AuthenticatedContent, SenderType
from secure_chat.mls.messages.private import PrivateMessage
from secure_chat.mls.messages.proposals import Add
from secure_chat.mls.messages.public import PublicMessage
from secure_chat.mls.schedule.secret_tree import MessageKey

__all__ = ["VerifiedHandshake", "open_handshake"]


@dataclass(frozen=True, slots=True)
class VerifiedHandshake:
    """A proposal or commit whose membership and signature have been verified."""

    content: AuthenticatedContent
    key: MessageKey | None
    """To consume once the message is accepted; None for a PublicMessage."""


def open_handshake(state: EpochState, message: PublicMessage | PrivateMessage) -> VerifiedHandshake:
    """Unprotect and verify a message of the current epoch; raises an MLSError and changes nothing otherwise."""
    key = None
    if isinstance(message, PrivateMessage):
        content, key = state.channel.unprotect(message)
    else:
        # §6.2: the tag proves membership.
        message.verify_membership(state.suite, state.secrets.membership_key, state.channel.context)
        content = message.authenticated
    # §6.1: signed with the key that belongs to the kind of sender.
    content.verify_signature(state.suite, _signature_key(state, content), state.channel.context)
    return VerifiedHandshake(content, key)


def _signature_key(state: EpochState, content: AuthenticatedContent) -> bytes:
    """§6.1: whose signature the content must bear; ValidationError if there is no such sender."""
    sender, body = content.content.sender, content.content.content
    if sender.sender_type is SenderType.member:
        leaf = state.tree.leaf(sender.index)
        if leaf is None:
            raise ValidationError("the sender is a blank leaf (RFC 9420 §6.3.2)")
        return leaf.signature_key
    if sender.sender_type is SenderType.external:
        senders = external_senders_of(state.context.extensions)
        if sender.index >= len(senders):
            raise ValidationError("the group has no such external sender (RFC 9420 §12.1.8)")
        return senders[sender.index].signature_key
    if sender.sender_type is SenderType.new_member_commit:
        if not isinstance(body, Commit) or body.path is None:
            raise ValidationError("an external commit without a path (RFC 9420 §12.4.3.2)")
        return body.path.leaf_node.signature_key
    if not isinstance(body, Add):
        raise ValidationError("a new member can only propose to be added (RFC 9420 §6.1)")
    return body.key_package.leaf_node.signature_key
