"""What a device proves to the relay: at registration and deletion the account, at login the device.

All signatures cover both sides' nonces (no replay) and the SHA-256 of the server certificate received on
*this* connection (no relaying through somebody else's TLS).
"""

import hashlib

from secure_chat.identity import labels
from secure_chat.identity.certificate import DeviceCertificate
from secure_chat.identity.keys import AccountKey, DeviceKey
from secure_chat.identity.labels import Purpose

__all__ = [
    "NONCE_BYTES",
    "sign_deletion",
    "sign_login",
    "sign_registration",
    "token_hash",
    "verify_deletion",
    "verify_login",
    "verify_registration",
]

NONCE_BYTES = 32
"""Length of each side's random nonce."""


def token_hash(token: str) -> bytes:
    """What a relay keeps of an invite token: reading its database invites nobody."""
    return hashlib.sha256(b"secure-chat 1 invite token\x00" + token.encode()).digest()


def sign_registration(
    account: AccountKey,
    *,
    certificate: DeviceCertificate,
    token: str | None,
    client_nonce: bytes,
    server_nonce: bytes,
    server_certificate: bytes,
) -> bytes:
    """The account's signature that it wants this handle and device, by this invite, on this connection.

    `server_certificate` is the SHA-256 of the DER certificate; `token` is None where registration is open.
    """
    fields = (certificate.encode(), token_hash(token or ""), client_nonce, server_nonce, server_certificate)
    return labels.sign(account, Purpose.REGISTRATION, *fields)


def verify_registration(
    signature: bytes,
    *,
    certificate: DeviceCertificate,
    token: str | None,
    client_nonce: bytes,
    server_nonce: bytes,
    server_certificate: bytes,
) -> None:
    """Raises SignatureError unless the certificate's account signed this registration."""
    fields = (certificate.encode(), token_hash(token or ""), client_nonce, server_nonce, server_certificate)
    labels.verify(certificate.account_key, Purpose.REGISTRATION, signature, *fields)


def sign_login(
    device: DeviceKey,
    *,
    device_id: bytes,
    store_id: bytes,
    client_nonce: bytes,
    server_nonce: bytes,
    server_certificate: bytes,
) -> bytes:
    """The device's signature for this connection; `server_certificate` is the SHA-256 of its DER."""
    return labels.sign(device, Purpose.LOGIN, device_id, store_id, client_nonce, server_nonce, server_certificate)


def verify_login(
    device_key: bytes,
    signature: bytes,
    *,
    device_id: bytes,
    store_id: bytes,
    client_nonce: bytes,
    server_nonce: bytes,
    server_certificate: bytes,
) -> None:
    """Raises SignatureError unless the device signed this very connection."""
    labels.verify(
        device_key, Purpose.LOGIN, signature, device_id, store_id, client_nonce, server_nonce, server_certificate
    )


def sign_deletion(account: AccountKey, *, client_nonce: bytes, server_nonce: bytes, server_certificate: bytes) -> bytes:
    """The account's signature that the relay shall remove it; asked for on this connection."""
    fields = (account.public, client_nonce, server_nonce, server_certificate)
    return labels.sign(account, Purpose.ACCOUNT_DELETION, *fields)


def verify_deletion(
    account_key: bytes, signature: bytes, *, client_nonce: bytes, server_nonce: bytes, server_certificate: bytes
) -> None:
    """Raises SignatureError unless the account asked for its own removal on this very connection."""
    fields = (account_key, client_nonce, server_nonce, server_certificate)
    labels.verify(account_key, Purpose.ACCOUNT_DELETION, signature, *fields)
