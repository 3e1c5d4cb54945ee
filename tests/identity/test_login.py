"""What registration and login sign."""

import hashlib

import msgspec
import pytest

from secure_chat.identity.certificate import DeviceCertificate
from secure_chat.identity.errors import SignatureError
from secure_chat.identity.keys import AccountKey, DeviceKey
from secure_chat.identity.login import (
    sign_deletion,
    sign_login,
    sign_registration,
    token_hash,
    verify_deletion,
    verify_login,
    verify_registration,
)

NONCES = {"client_nonce": b"c" * 32, "server_nonce": b"s" * 32, "server_certificate": b"h" * 32}


def test_login_verifies_for_its_connection(device: DeviceKey) -> None:
    """The same device, nonces and certificate."""
    signature = sign_login(device, device_id=bytes(16), store_id=bytes(16), **NONCES)
    verify_login(device.public, signature, device_id=bytes(16), store_id=bytes(16), **NONCES)


@pytest.mark.parametrize("changed", ["client_nonce", "server_nonce", "server_certificate", "device_id", "store_id"])
def test_login_is_worthless_elsewhere(changed: str, device: DeviceKey) -> None:
    """Replayed, relayed through another certificate, or for another device: refused."""
    fields = {"device_id": bytes(16), "store_id": bytes(16), **NONCES}
    signature = sign_login(device, **fields)
    with pytest.raises(SignatureError, match="login"):
        verify_login(device.public, signature, **{**fields, changed: b"x" * 32})


def test_login_of_another_device_is_refused(device: DeviceKey) -> None:
    """The certified key must have signed."""
    signature = sign_login(DeviceKey(b"\x08" * 32), device_id=bytes(16), store_id=bytes(16), **NONCES)
    with pytest.raises(SignatureError):
        verify_login(device.public, signature, device_id=bytes(16), store_id=bytes(16), **NONCES)


def test_registration_verifies_for_its_connection(alice: AccountKey, alice_certificate: DeviceCertificate) -> None:
    """The account asks for this handle and device with this invite."""
    signature = sign_registration(alice, certificate=alice_certificate, token="t" * 22, **NONCES)
    verify_registration(signature, certificate=alice_certificate, token="t" * 22, **NONCES)


@pytest.mark.parametrize("changed", ["client_nonce", "server_nonce", "server_certificate"])
def test_registration_is_worthless_elsewhere(
    changed: str, alice: AccountKey, alice_certificate: DeviceCertificate
) -> None:
    """Another connection needs another signature."""
    signature = sign_registration(alice, certificate=alice_certificate, token="t", **NONCES)
    with pytest.raises(SignatureError, match="registration"):
        verify_registration(signature, certificate=alice_certificate, token="t", **{**NONCES, changed: b"x" * 32})


@pytest.mark.parametrize("token", ["u", "", None])
def test_registration_is_worthless_with_another_invite(
    token: str | None, alice: AccountKey, alice_certificate: DeviceCertificate
) -> None:
    """The signature names its invite."""
    signature = sign_registration(alice, certificate=alice_certificate, token="t", **NONCES)
    with pytest.raises(SignatureError, match="registration"):
        verify_registration(signature, certificate=alice_certificate, token=token, **NONCES)


def test_registration_by_another_account_is_refused(
    bob: AccountKey, alice: AccountKey, alice_certificate: DeviceCertificate
) -> None:
    """Nobody registers a device that its account did not ask for."""
    signature = sign_registration(bob, certificate=alice_certificate, token=None, **NONCES)
    with pytest.raises(SignatureError):
        verify_registration(signature, certificate=alice_certificate, token=None, **NONCES)
    renamed = msgspec.structs.replace(alice_certificate, handle="mallory")
    signature = sign_registration(alice, certificate=alice_certificate, token=None, **NONCES)
    with pytest.raises(SignatureError):
        verify_registration(signature, certificate=renamed, token=None, **NONCES)


def test_token_is_kept_as_a_hash() -> None:
    """The relay's database holds nothing that could be used as a token."""
    assert token_hash("t") == hashlib.sha256(b"secure-chat 1 invite token\x00t").digest()


def test_deletion_verifies_for_its_connection(alice: AccountKey) -> None:
    """The account asks for its own removal."""
    verify_deletion(alice.public, sign_deletion(alice, **NONCES), **NONCES)


@pytest.mark.parametrize("changed", ["client_nonce", "server_nonce", "server_certificate"])
def test_deletion_is_worthless_elsewhere(changed: str, alice: AccountKey) -> None:
    """Nobody deletes an account with a recorded request."""
    signature = sign_deletion(alice, **NONCES)
    with pytest.raises(SignatureError, match="account deletion"):
        verify_deletion(alice.public, signature, **{**NONCES, changed: b"x" * 32})


def test_deletion_by_another_account_is_refused(alice: AccountKey, bob: AccountKey) -> None:
    """Only the account itself goes."""
    with pytest.raises(SignatureError):
        verify_deletion(alice.public, sign_deletion(bob, **NONCES), **NONCES)
