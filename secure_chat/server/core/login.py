"""From the first message to the login: who is there, and may they come in.

Every failure of a registration or login counts for the address, so tokens and handles are not found by trying.
"""

from typing import TypeAlias

from secure_chat.identity import binding as directory_binding
from secure_chat.identity import certificate as device_certificate
from secure_chat.identity.certificate import DeviceCertificate
from secure_chat.identity.errors import IdentityError
from secure_chat.identity.login import verify_login, verify_registration
from secure_chat.server.core.channel import Channel, summarize
from secure_chat.server.core.context import Connection, Context, Phase
from secure_chat.server.core.delivery import flush_appends
from secure_chat.server.core.effects import Authenticated
from secure_chat.server.core.invites import redeem
from secure_chat.server.core.storage import AccountRecord, ChannelRecord, DeviceRecord, MemberRecord, StoreRecord
from secure_chat.wire.errors import ErrorCode, RelayError
from secure_chat.wire.limits import CHANNEL_ID_LENGTH, NONCE_LENGTH, PROTOCOL_VERSION
from secure_chat.wire.messages import (
    CaCertificate,
    ChannelKind,
    ChannelSummary,
    GetCa,
    Hello,
    HelloAck,
    LoggedIn,
    Login,
    Register,
    Registered,
)

__all__ = ["get_ca", "greet", "log_in", "register"]

Attempt: TypeAlias = Register | Login

COPY_RETRY = 60_000
"""Milliseconds after which the older copy of a profile tries again while the newer is connected."""


def get_ca(context: Context, connection: Connection, message: GetCa) -> None:
    """The only exchange of a connection that asks for it."""
    context.close(connection, CaCertificate(context.ca_certificate))


def greet(context: Context, connection: Connection, message: Hello) -> HelloAck:
    """Agrees on version and features, and hands out the nonce that logins sign."""
    if PROTOCOL_VERSION not in message.versions:
        raise RelayError(ErrorCode.UNSUPPORTED_VERSION, f"this relay speaks version {PROTOCOL_VERSION}: update")
    connection.phase = Phase.GREETED
    connection.client_nonce = message.nonce
    connection.server_nonce = context.random_bytes(NONCE_LENGTH)
    asked = set(message.features)
    return HelloAck(
        PROTOCOL_VERSION,
        tuple(feature for feature in context.settings.features if feature in asked),
        connection.server_nonce,
        context.directory.public,
        context.now,
    )


def register(context: Context, connection: Connection, message: Register) -> Registered:
    """Makes the account; who has it already gets the same answer, and no token is used up."""
    _require_attempt(context, connection)
    certificate = _verified(context, connection, message)
    directory = context.transaction.directory
    account = directory.account(certificate.account_key)
    if account is not None and account.handle != certificate.handle:
        raise _failed(context, connection, ErrorCode.FORBIDDEN, f"this account's handle is {account.handle}")
    if account is not None and not account.deleted:
        _require_standing(account, certificate)
        return Registered(message.id, account.binding)

    context.require_space()
    if not context.settings.open_registration or message.token is not None:
        try:
            redeem(context, message.token, dry=True)
        except RelayError as error:
            raise _failed(context, connection, error.code, str(error)) from None
    holder = directory.account_by_handle(certificate.handle)
    if holder is not None and holder.key != certificate.account_key:
        raise _failed(context, connection, ErrorCode.HANDLE_TAKEN, f"the name {certificate.handle} is taken")
    context.limits.registrations.require(connection.address, context.now, "registrations")
    if message.token is not None:
        redeem(context, message.token)
    if account is None:
        bound = directory_binding.bind(context.directory, certificate.handle, certificate.account_key)
        account = AccountRecord(certificate.account_key, certificate.handle, bound.encode(), context.now)
    account.deleted = False
    account.created = context.now
    directory.put_account(account)
    return Registered(message.id, account.binding)


def log_in(context: Context, connection: Connection, message: Login) -> LoggedIn:
    """Proves the device on this connection; a device not seen before is recorded."""
    _require_attempt(context, connection)
    certificate = _verified(context, connection, message)
    directory = context.transaction.directory
    account = directory.account(certificate.account_key)
    if account is None or account.deleted:
        raise _failed(context, connection, ErrorCode.NOT_FOUND, "no such account at this relay: register first")
    if account.handle != certificate.handle:
        raise _failed(context, connection, ErrorCode.UNAUTHENTICATED, f"this account's handle is {account.handle}")
    _require_standing(account, certificate)
    flush_appends(context)
    known_store = context.transaction.log.store(message.store)
    device = directory.device(certificate.device_id)
    if (device is not None and device.account != account.key) or (
        known_store is not None and known_store.device != certificate.device_id
    ):
        raise _failed(context, connection, ErrorCode.UNAUTHENTICATED, "this device or store is another's")
    if device is None:
        device = _record_device(context, account, certificate, message)
    elif certificate.serial > device.serial:
        device.serial = certificate.serial
        device.certificate = message.certificate
        directory.put_device(device)
    elif certificate.serial < device.serial and device.id in context.devices:
        # Two copies of one profile would push each other out for ever: the one with the newer keys stays.
        text = "another copy of this profile is connected; this one waits until it is not"
        raise RelayError(ErrorCode.BUSY, text, retry_after=COPY_RETRY)
    connection.device = device
    connection.store = known_store or StoreRecord(message.store, device.id)
    connection.visible = message.visible
    context.enter(connection)
    context.outputs.append(Authenticated(connection.id))
    inbox, channels = _summaries(context, device)
    return LoggedIn(
        message.id,
        account.binding,
        context.transaction.incarnation,
        connection.store.last,
        inbox,
        channels,
        tuple(directory.key_packages(device.id)),
        context.now,
    )


def _require_attempt(context: Context, connection: Connection) -> None:
    wait = context.limits.failures.wait(connection.address, context.now)
    if wait:
        raise RelayError(ErrorCode.RATE_LIMITED, "too many failed attempts from this address", retry_after=wait)


def _failed(context: Context, connection: Connection, code: ErrorCode, message: str) -> RelayError:
    context.limits.failures.take(connection.address, context.now)
    return RelayError(code, message)


def _verified(context: Context, connection: Connection, message: Attempt) -> DeviceCertificate:
    """The certificate, after every signature of the attempt was verified."""
    directory = context.transaction.directory

    def recorded(device: bytes) -> bytes | None:
        found = directory.device(device)
        return None if found is None else found.certificate

    try:
        certificate = device_certificate.verify(message.certificate, context.now // 1000, recorded=recorded)
        if isinstance(message, Register):
            verify_registration(
                message.signature,
                certificate=certificate,
                token=message.token,
                client_nonce=connection.client_nonce,
                server_nonce=connection.server_nonce,
                server_certificate=connection.certificate_hash,
            )
        else:
            verify_login(
                certificate.device_key,
                message.signature,
                device_id=certificate.device_id,
                store_id=message.store,
                client_nonce=connection.client_nonce,
                server_nonce=connection.server_nonce,
                server_certificate=connection.certificate_hash,
            )
    except IdentityError as error:
        raise _failed(context, connection, ErrorCode.UNAUTHENTICATED, str(error)) from None
    return certificate


def _require_standing(account: AccountRecord, certificate: DeviceCertificate) -> None:
    if account.suspended:
        raise RelayError(ErrorCode.SUSPENDED, "the operator has suspended this account")
    if certificate.serial < account.minimum_serial:
        raise RelayError(ErrorCode.REVOKED, "this account has withdrawn this device")


def _record_device(
    context: Context, account: AccountRecord, certificate: DeviceCertificate, message: Login
) -> DeviceRecord:
    """A device certified by a known account is recorded with its inbox."""
    transaction = context.transaction
    limit = context.settings.devices_per_account
    if len(transaction.directory.devices(account.key)) >= limit:
        raise RelayError(ErrorCode.QUOTA, f"an account has at most {limit} devices: withdraw one")
    context.require_space()
    inbox = ChannelRecord(context.random_bytes(CHANNEL_ID_LENGTH), ChannelKind.INBOX, created=context.now)
    device = DeviceRecord(
        certificate.device_id, account.key, message.certificate, certificate.serial, inbox.id, context.now
    )
    transaction.directory.put_device(device)
    transaction.channels.put_channel(inbox)
    member = MemberRecord(device.id, account.key, device.number, joined=1, cursor=0)
    transaction.channels.put_member(inbox.number, member)
    context.keep(Channel(inbox, [member], 0, context.now))
    return device


def _summaries(context: Context, device: DeviceRecord) -> tuple[ChannelSummary, tuple[ChannelSummary, ...]]:
    """The device's inbox and the channels that it is a member of; what is in memory is newer than what is stored."""
    inbox: list[ChannelSummary] = []
    channels: list[ChannelSummary] = []
    for record, member in context.transaction.channels.memberships(device.id):
        if member.until:
            continue
        cached = context.cached(record.id)
        if cached is not None:
            summary = cached.summary(device.account, cached.members[device.id])
        else:
            summary = summarize(record, context.transaction.log.last(record), device.account, member)
        (inbox if record.kind is ChannelKind.INBOX else channels).append(summary)
    return inbox[0], tuple(channels)
