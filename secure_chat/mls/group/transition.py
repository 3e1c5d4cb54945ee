"""From one epoch to the next: what creating, processing and joining have in common (RFC 9420 §8, §12.4)."""

from dataclasses import dataclass, replace

from secure_chat.mls.credential.extensions import Extension
from secure_chat.mls.crypto.secret import Secret
from secure_chat.mls.errors import ValidationError
from secure_chat.mls.messages.content import AuthenticatedContent
from secure_chat.mls.schedule.epoch import EpochSecrets, joiner_secret, member_secret
from secure_chat.mls.schedule.group_context import GroupContext
from secure_chat.mls.schedule.transcript import confirmed_transcript_hash
from secure_chat.mls.tree.ratchet_tree import RatchetTree

__all__ = ["Transition", "advance", "provisional_context"]

_LAST_EPOCH = (1 << 64) - 1


def provisional_context(context: GroupContext, tree: RatchetTree, extensions: tuple[Extension, ...]) -> GroupContext:
    """§12.4.1: the next epoch's context, still with the old confirmed transcript hash; the paths are bound to it.

    ValidationError in the last epoch that a number exists for.
    """
    # §8.1: epochs are uint64; only a GroupInfo made up by its signer can come near the end.
    if context.epoch == _LAST_EPOCH:
        raise ValidationError("the group has no further epoch (RFC 9420 §8.1)")
    return replace(context, epoch=context.epoch + 1, tree_hash=tree.tree_hash(), extensions=extensions)


@dataclass(frozen=True, slots=True)
class Transition:
    """The next epoch's context and secrets."""

    context: GroupContext
    secrets: EpochSecrets
    joiner: Secret
    member: Secret
    confirmation_tag: bytes


def advance(
    tree: RatchetTree,
    provisional: GroupContext,
    interim_transcript_hash: bytes,
    commit: AuthenticatedContent,
    init_secret: bytes,
    commit_secret: bytes | None,
    psk: bytes,
) -> Transition:
    """The key schedule for a commit on top of `interim_transcript_hash`; without a path there is no commit secret."""
    suite = tree.suite
    confirmed = confirmed_transcript_hash(
        suite, interim_transcript_hash, commit.wire_format, commit.encoded, commit.auth.signature
    )
    context = replace(provisional, confirmed_transcript_hash=confirmed)
    encoded = context.encode()
    # §12.4.1: without a path the commit secret is all-zero.
    joiner = joiner_secret(suite, init_secret, commit_secret or bytes(suite.hash_length), encoded)
    member = member_secret(suite, joiner, psk)
    secrets = EpochSecrets.of_member_secret(suite, member, encoded)
    return Transition(context, secrets, joiner, member, secrets.confirmation_tag(suite, confirmed))
