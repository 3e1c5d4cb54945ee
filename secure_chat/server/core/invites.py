"""Invite tokens: made by the operator and by accounts, used by registrations. Only their hashes are kept."""

from base64 import urlsafe_b64encode

from secure_chat.identity.login import token_hash
from secure_chat.server.core.context import Connection, Context
from secure_chat.server.core.storage import InviteRecord
from secure_chat.wire.errors import ErrorCode, RelayError
from secure_chat.wire.messages import CreateInvite, InviteCreated, Ok, RevokeInvite

__all__ = ["create_invite", "new_invite", "redeem", "revoke_invite"]

_TOKEN_BYTES = 16
"""Not to be found by trying, whatever the rate."""


def create_invite(context: Context, connection: Connection, message: CreateInvite) -> InviteCreated:
    """An account invites others."""
    account = connection.device.account
    settings = context.settings
    if not settings.members_may_invite:
        raise RelayError(ErrorCode.FORBIDDEN, "this relay's operator makes the invites")
    context.require_space()
    if context.transaction.directory.usable_invites(account, context.now) >= settings.invites_per_account:
        raise RelayError(ErrorCode.QUOTA, f"an account has at most {settings.invites_per_account} open invites")
    context.limits.creations.require(account, context.now, "new invites")
    token, record = new_invite(context, account, message.uses, context.now + message.lifetime, "")
    return InviteCreated(message.id, token, record.expires)


def new_invite(context: Context, creator: bytes, uses: int, expires: int, label: str) -> tuple[str, InviteRecord]:
    """A token, and what is kept of it; `expires` 0: never."""
    token = urlsafe_b64encode(context.random_bytes(_TOKEN_BYTES)).rstrip(b"=").decode()
    record = InviteRecord(token_hash(token), creator, label, uses, context.now, expires)
    context.transaction.directory.put_invite(record)
    return token, record


def redeem(context: Context, token: str | None, *, dry: bool = False) -> None:
    """Uses a token once, or with `dry` only checks it; RelayError if it is not valid."""
    record = context.transaction.directory.invite(token_hash(token)) if token is not None else None
    if (
        record is None
        or record.revoked
        or record.used >= record.uses
        or (record.expires and record.expires <= context.now)
    ):
        raise RelayError(ErrorCode.TOKEN_INVALID, "this invite is unknown, used up, expired or withdrawn")
    if not dry:
        record.used += 1
        context.transaction.directory.put_invite(record)


def revoke_invite(context: Context, connection: Connection, message: RevokeInvite) -> Ok:
    """An account ends one of its own invites."""
    record = context.transaction.directory.invite(token_hash(message.token))
    if record is None or record.creator != connection.device.account:
        raise RelayError(ErrorCode.NOT_FOUND, "no such invite of this account")
    record.revoked = True
    context.transaction.directory.put_invite(record)
    return Ok(message.id)
