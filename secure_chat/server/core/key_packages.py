"""Key packages: published by devices, claimed once each by who wants to add them."""

from secure_chat.server.core.context import Connection, Context
from secure_chat.server.core.storage import DeviceRecord
from secure_chat.wire.errors import ErrorCode, RelayError
from secure_chat.wire.messages import (
    ClaimedKeyPackage,
    ClaimKeyPackages,
    KeyPackages,
    KeyPackagesLow,
    Ok,
    PublishKeyPackages,
)

__all__ = ["claim_key_packages", "publish_key_packages"]

LOW = 5
"""With fewer key packages left, a connected device is told to publish more."""


def publish_key_packages(context: Context, connection: Connection, message: PublishKeyPackages) -> Ok:
    """Stores this device's key packages for one cipher suite."""
    settings = context.settings
    directory = context.transaction.directory
    device = connection.device.id
    stored = dict(directory.key_packages(device))
    if message.replace:
        stored.pop(message.suite, None)
    if stored.get(message.suite, 0) + len(message.packages) > settings.key_packages_per_device:
        raise RelayError(ErrorCode.QUOTA, f"at most {settings.key_packages_per_device} key packages for one suite")
    if message.suite not in stored and len(stored) >= settings.suites_per_device:
        raise RelayError(ErrorCode.QUOTA, f"at most {settings.suites_per_device} cipher suites")
    context.require_space()
    if message.replace:
        directory.clear_key_packages(device, message.suite)
    directory.add_key_packages(device, message.suite, message.packages)
    if message.last_resort is not None:
        directory.put_last_resort(device, message.suite, message.last_resort)
    return Ok(message.id)


def claim_key_packages(context: Context, connection: Connection, message: ClaimKeyPackages) -> KeyPackages:
    """One key package of every device of these accounts but the asking one.

    Whoever is asked for too many has only the last resort handed out: the others are not drained.
    """
    directory = context.transaction.directory
    accounts = list(dict.fromkeys(message.accounts))
    context.limits.claims.require(connection.device.account, context.now, "claims of key packages", len(accounts))
    claimed: list[ClaimedKeyPackage] = []
    for key in accounts:
        account = directory.account(key)
        if account is None or account.deleted or account.suspended:
            continue
        for device in directory.devices(key):
            if device.id != connection.device.id and device.serial >= account.minimum_serial:
                package = _claim(context, connection.device.account, device, message.suite)
                if package is not None:
                    claimed.append(package)
    return KeyPackages(message.id, tuple(claimed))


def _claim(context: Context, requester: bytes, device: DeviceRecord, suite: int) -> ClaimedKeyPackage | None:
    directory = context.transaction.directory
    limits = context.limits
    package: bytes | None = None
    if not limits.claims_per_pair.take((requester, device.id), context.now) and not limits.claims_per_target.take(
        device.id, context.now
    ):
        package = directory.take_key_package(device.id, suite)
    if package is not None:
        remaining = dict(directory.key_packages(device.id)).get(suite, 0)
        target = context.devices.get(device.id)
        if target is not None and remaining < LOW:
            context.send(target, KeyPackagesLow(suite, remaining))
        return ClaimedKeyPackage(device.account, device.id, package, False)
    last_resort = directory.last_resort(device.id, suite)
    return ClaimedKeyPackage(device.account, device.id, last_resort, True) if last_resort is not None else None
