"""Groups that succeed another: reinitialization and branching (RFC 9420 §11.2, §11.3)."""

from secure_chat.mls.credential.credential import Credential
from secure_chat.mls.credential.policy import CredentialPolicy
from secure_chat.mls.errors import ValidationError
from secure_chat.mls.group.state import EpochState
from secure_chat.mls.messages.proposals import ReInit
from secure_chat.mls.schedule.psk import ResumptionPSK, ResumptionPSKUsage

__all__ = ["check_successor_group"]


def check_successor_group(
    new: EpochState, psk: ResumptionPSK, parent: EpochState, reinit: ReInit | None, policy: CredentialPolicy
) -> None:
    """What a joiner verifies of a group founded with a resumption PSK of `parent` (§12.4.3.1).

    `reinit` is what the parent's last commit proposed, if it was a ReInit.
    """
    context = new.context
    # §11.2, §11.3: the first epoch with members.
    if context.epoch != 1:
        raise ValidationError("a successor group starts with epoch 1 (RFC 9420 §11.2, §11.3)")
    if psk.psk_group_id != parent.context.group_id:
        raise ValidationError("a resumption PSK of another group than the parent (RFC 9420 §12.4.3.1)")
    new_credentials = {leaf.credential for _, leaf in new.tree.leaves()}
    old_credentials = {leaf.credential for _, leaf in parent.tree.leaves()}
    if psk.usage is ResumptionPSKUsage.reinit:
        # §11.2: the parent ended with a ReInit, and the new group is what it asked for.
        if reinit is None or psk.psk_epoch != parent.epoch:
            raise ValidationError("the parent group was not reinitialized in this epoch (RFC 9420 §11.2)")
        asked = (reinit.group_id, reinit.version, reinit.cipher_suite, reinit.extensions)
        if asked != (context.group_id, context.version, context.cipher_suite, context.extensions):
            raise ValidationError("the new group is not the one that ReInit asked for (RFC 9420 §11.2)")
        # §12.4.3.1: nobody is left behind.
        if not all(
            any(_same_client(old, new, policy) for new in new_credentials) for old in old_credentials - new_credentials
        ):
            raise ValidationError("a member of the old group is missing in the new one (RFC 9420 §12.4.3.1)")
    else:
        # §11.3: the same parameters, and a subset of the members.
        if (context.version, context.cipher_suite) != (parent.context.version, parent.context.cipher_suite):
            raise ValidationError("a branch with another version or cipher suite (RFC 9420 §11.3)")
        if not all(
            any(_same_client(old, new, policy) for old in old_credentials) for new in new_credentials - old_credentials
        ):
            raise ValidationError("a member of the branch is none of the parent group (RFC 9420 §11.3)")


def _same_client(old: Credential, new: Credential, policy: CredentialPolicy) -> bool:
    """§11.3: whether the application considers two credentials one client's."""
    try:
        policy.validate_successor(old, new)
    except ValidationError:
        return False
    return True
