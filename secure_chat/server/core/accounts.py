"""Accounts: looking them up, withdrawing devices, and removing them."""

from secure_chat.identity.certificate import verify_revocation
from secure_chat.identity.errors import IdentityError
from secure_chat.identity.login import verify_deletion
from secure_chat.server.core.context import Connection, Context
from secure_chat.server.core.delivery import remove_channel
from secure_chat.server.core.entries import write_entry
from secure_chat.server.core.membership import Plan
from secure_chat.server.core.storage import AccountRecord, DeviceRecord
from secure_chat.wire.errors import ErrorCode, RelayError
from secure_chat.wire.messages import (
    AccountInfo,
    Accounts,
    ChannelKind,
    DeleteAccount,
    EntryKind,
    Error,
    Lookup,
    Ok,
    RevokeDevices,
)

__all__ = ["delete_account", "look_up", "remove_account", "revoke_devices"]

_MISS_COST = 5
"""A name that is not found counts so many times: nobody enumerates handles."""


def look_up(context: Context, connection: Connection, message: Lookup) -> Accounts:
    """Who is behind these handles and account keys; what is not found is left out."""
    own = connection.device.account
    directory = context.transaction.directory
    asked = len(message.handles) + len(message.accounts)
    context.limits.lookups.require(own, context.now, "lookups", asked)
    found: dict[bytes, AccountRecord] = {}
    misses = 0
    for record in [directory.account_by_handle(handle) for handle in message.handles] + [
        directory.account(key) for key in message.accounts
    ]:
        if record is None or record.deleted:
            misses += 1
        else:
            found[record.key] = record
    if misses:
        context.limits.lookups.charge(own, context.now, misses * (_MISS_COST - 1))
    return Accounts(message.id, tuple(_info(context, own, record) for record in found.values()))


def revoke_devices(context: Context, connection: Connection, message: RevokeDevices) -> None:
    """Publishes an account-signed minimum serial: older devices are removed and logged out for good."""
    try:
        revocation = verify_revocation(message.revocation)
    except IdentityError as error:
        raise RelayError(ErrorCode.UNAUTHENTICATED, str(error)) from None
    own = connection.device.account
    if revocation.account_key != own:
        raise RelayError(ErrorCode.FORBIDDEN, "an account withdraws only its own devices")
    directory = context.transaction.directory
    account = directory.account(own)
    assert account is not None, "its devices are logged in"
    context.send(connection, Ok(message.id))
    if revocation.minimum_serial > account.minimum_serial:
        account.minimum_serial = revocation.minimum_serial
        account.revocation = message.revocation
        directory.put_account(account)
        older = [device for device in directory.devices(own) if device.serial < account.minimum_serial]
        farewell = Error(0, ErrorCode.REVOKED, "this account has withdrawn this device")
        _remove_devices(context, account, older, farewell, statement=message.revocation)


def delete_account(context: Context, connection: Connection, message: DeleteAccount) -> None:
    """An account ends itself."""
    account = context.transaction.directory.account(connection.device.account)
    assert account is not None, "its device is logged in"
    try:
        verify_deletion(
            account.key,
            message.signature,
            client_nonce=connection.client_nonce,
            server_nonce=connection.server_nonce,
            server_certificate=connection.certificate_hash,
        )
    except IdentityError as error:
        raise RelayError(ErrorCode.UNAUTHENTICATED, str(error)) from None
    context.send(connection, Ok(message.id))
    remove_account(context, account, "this account was deleted")


def remove_account(context: Context, account: AccountRecord, reason: str) -> None:
    """Removes devices, key packages and memberships; the handle stays reserved for its key."""
    devices = context.transaction.directory.devices(account.key)
    _remove_devices(context, account, devices, Error(0, ErrorCode.NOT_FOUND, reason), as_admin=True)
    account.deleted = True
    account.suspended = False
    context.transaction.directory.put_account(account)


def _remove_devices(
    context: Context,
    account: AccountRecord,
    devices: list[DeviceRecord],
    farewell: Error,
    *,
    statement: bytes = b"",
    as_admin: bool = False,
) -> None:
    """Takes devices out of everything; members are handed the statement, and with `as_admin` the rights go, too."""
    transaction = context.transaction
    channels: dict[bytes, list[DeviceRecord]] = {}
    for device in devices:
        connection = context.devices.get(device.id)
        if connection is not None:
            context.close(connection, farewell)
        for record, _ in transaction.channels.memberships(device.id):
            if record.kind is not ChannelKind.INBOX:
                channels.setdefault(record.id, []).append(device)
    for channel_id, members in channels.items():
        _remove_from_channel(context, account, members, channel_id, statement=statement, as_admin=as_admin)
    for device in devices:
        inbox = context.channel(device.inbox)
        if inbox is not None:
            remove_channel(context, inbox)
        transaction.directory.remove_device(device.id)


def _remove_from_channel(
    context: Context,
    account: AccountRecord,
    devices: list[DeviceRecord],
    channel_id: bytes,
    *,
    statement: bytes,
    as_admin: bool,
) -> None:
    """The relay's own entry says so to the members; a device that is gone reads nothing more."""
    channel = context.channel(channel_id)
    assert channel is not None, "it has members"
    removed = [channel.members[device.id] for device in devices if device.id in channel.members]
    if removed:
        record = channel.record
        admins: tuple[bytes, ...] | None = None
        if as_admin and account.key in record.admins:
            record.admins = admins = tuple(admin for admin in record.admins if admin != account.key)
        plan = Plan([], removed, admins, members_may_add=None, banned=None)
        write_entry(context, channel, EntryKind.MEMBERS, statement, plan=plan)
        for member in removed:
            del channel.members[member.device]
        context.count_member(-len(removed))
        if channel.kind is not ChannelKind.OPEN:
            context.transaction.channels.put_former(channel.number, account.key)
        context.save(channel)
    for device in devices:
        channel.leaving.pop(device.id, None)
        channel.acknowledged.pop(device.id, None)
        context.transaction.channels.remove_member(channel.number, device.number)
    context.unsaved[channel.id] = channel


def _info(context: Context, own: bytes, record: AccountRecord) -> AccountInfo:
    transaction = context.transaction
    online = record.key in context.announced and transaction.channels.share_channel(own, record.key)
    return AccountInfo(
        record.handle,
        record.key,
        record.binding,
        tuple(device.certificate for device in transaction.directory.devices(record.key)),
        record.revocation,
        online,
    )
