"""What the operator may do with a running relay: the commands of `admin`, carried out."""

from secure_chat.identity.certificate import verify
from secure_chat.identity.login import token_hash
from secure_chat.server.core.accounts import remove_account
from secure_chat.server.core.admin import (
    AccountLine,
    AccountLines,
    AdminCommand,
    AdminError,
    AdminResult,
    ChannelLine,
    ChannelLines,
    CreateInviteToken,
    DeviceLine,
    DeviceLines,
    Done,
    InviteLine,
    InviteLines,
    ListAccounts,
    ListChannels,
    ListDevices,
    ListInvites,
    NewInvite,
    RemoveAccount,
    ResumeAccount,
    RevokeInviteToken,
    ShowStatistics,
    Statistics,
    SuspendAccount,
)
from secure_chat.server.core.context import Context
from secure_chat.server.core.invites import new_invite
from secure_chat.server.core.storage import AccountRecord
from secure_chat.server.errors import AdministrationError
from secure_chat.wire.errors import ErrorCode
from secure_chat.wire.messages import Error

__all__ = ["execute"]

_ID_LENGTH = 12
"""Hexadecimal digits of an invite's hash that name it."""


def execute(context: Context, command: AdminCommand) -> AdminResult:
    """The result, or AdminError with one line that says why not."""
    try:
        match command:
            case CreateInviteToken():
                return _create_invite(context, command)
            case ListInvites():
                return _list_invites(context)
            case RevokeInviteToken():
                return _revoke_invite(context, command.invite)
            case ListAccounts():
                return _list_accounts(context, command)
            case SuspendAccount():
                return _suspend(context, command.handle)
            case ResumeAccount():
                return _resume(context, command.handle)
            case RemoveAccount():
                account = _account(context, command.handle)
                remove_account(context, account, "the operator has removed this account")
                return Done(f"removed {account.handle}; the name stays reserved for its key")
            case ListDevices():
                return _list_devices(context, command.handle)
            case ListChannels():
                return _list_channels(context, command)
            case ShowStatistics():
                return _statistics(context)
    except AdministrationError as error:
        return AdminError(str(error))


def _create_invite(context: Context, command: CreateInviteToken) -> NewInvite:
    expires = context.now + command.lifetime if command.lifetime is not None else 0
    token, record = new_invite(context, b"", command.uses, expires, command.label)
    return NewInvite(record.token_hash.hex()[:_ID_LENGTH], token, expires)


def _list_invites(context: Context) -> InviteLines:
    directory = context.transaction.directory
    lines: list[InviteLine] = []
    for record in directory.invites():
        creator = directory.account(record.creator) if record.creator else None
        lines.append(
            InviteLine(
                record.token_hash.hex()[:_ID_LENGTH],
                record.label,
                creator.handle if creator else "",
                record.uses,
                record.used,
                record.created,
                record.expires,
                record.revoked,
            )
        )
    return InviteLines(tuple(lines))


def _revoke_invite(context: Context, name: str) -> Done:
    directory = context.transaction.directory
    found = directory.invite(token_hash(name))
    if found is None:
        matches = [record for record in directory.invites() if record.token_hash.hex().startswith(name.lower())]
        if len(matches) != 1:
            raise AdministrationError("no such invite" if not matches else "several invites begin like this")
        found = matches[0]
    found.revoked = True
    directory.put_invite(found)
    return Done(f"revoked invite {found.token_hash.hex()[:_ID_LENGTH]}")


def _list_accounts(context: Context, command: ListAccounts) -> AccountLines:
    page = context.transaction.directory.accounts_after(command.after, command.limit + 1)
    lines = tuple(
        AccountLine(
            record.handle,
            record.key.hex(),
            record.created,
            devices,
            record.suspended,
            bool(context.connections_of(record.key)),
        )
        for record, devices in page[: command.limit]
    )
    return AccountLines(lines, len(page) > command.limit)


def _suspend(context: Context, handle: str) -> Done:
    account = _account(context, handle)
    account.suspended = True
    context.transaction.directory.put_account(account)
    for connection in context.connections_of(account.key):
        context.close(connection, Error(0, ErrorCode.SUSPENDED, "the operator has suspended this account"))
    return Done(f"suspended {handle}")


def _resume(context: Context, handle: str) -> Done:
    account = _account(context, handle)
    account.suspended = False
    context.transaction.directory.put_account(account)
    return Done(f"resumed {handle}")


def _list_devices(context: Context, handle: str) -> DeviceLines:
    transaction = context.transaction
    lines = tuple(
        DeviceLine(
            device.id.hex(),
            device.serial,
            device.created,
            verify(device.certificate).expires * 1000,
            transaction.channels.count_memberships(device.id) - 1,
            device.id in context.devices,
        )
        for device in transaction.directory.devices(_account(context, handle).key)
    )
    return DeviceLines(handle, lines)


def _list_channels(context: Context, command: ListChannels) -> ChannelLines:
    page = context.transaction.channels.channels_after(command.after, command.limit + 1)
    lines = tuple(
        ChannelLine(
            record.number,
            record.id.hex(),
            record.kind.value,
            record.name,
            members,
            record.generation,
            context.transaction.log.last(record),
            record.entries,
            record.bytes,
            record.created,
        )
        for record, members in page[: command.limit]
    )
    return ChannelLines(lines, len(page) > command.limit)


def _statistics(context: Context) -> Statistics:
    counts = context.transaction.counts()
    return Statistics(
        counts.accounts,
        counts.suspended,
        counts.devices,
        len(context.devices),
        counts.rooms,
        counts.open_rooms,
        counts.direct,
        counts.inboxes,
        counts.entries,
        counts.bytes,
        context.transaction.free_bytes,
        context.transaction.incarnation.hex(),
    )


def _account(context: Context, handle: str) -> AccountRecord:
    account = context.transaction.directory.account_by_handle(handle)
    if account is None or account.deleted:
        raise AdministrationError(f"no account {handle}")
    return account
