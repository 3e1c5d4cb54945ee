"""The MLS basic credential's content."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_chat.identity import binding, certificate
from secure_chat.identity.binding import DirectoryBinding
from secure_chat.identity.certificate import DeviceCertificate
from secure_chat.identity.credential import (
    MAX_CREDENTIAL,
    Identity,
    account_fingerprint,
    encode_credential,
    require_successor,
    short_fingerprint,
    verify_credential,
)
from secure_chat.identity.errors import (
    ExpiredError,
    IdentityError,
    MalformedError,
    SignatureError,
    SuccessorError,
)
from secure_chat.identity.keys import AccountKey, DeviceKey, DirectoryKey


def identity(
    account: AccountKey,
    directory: DirectoryKey,
    handle: str = "alice",
    serial: int = 1,
    device: bytes = b"\x03",
) -> Identity:
    """A checked identity, made the honest way."""
    issued = certificate.issue(
        account,
        handle=handle,
        device_key=DeviceKey(device * 32).public,
        device_id=bytes(16),
        serial=serial,
        issued=1_000,
        expires=2_000,
    )
    data = encode_credential(issued, binding.bind(directory, handle, account.public))
    return verify_credential(data, directory.public)


def test_credential_gives_the_identity(
    directory: DirectoryKey, alice_certificate: DeviceCertificate, alice_binding: DirectoryBinding
) -> None:
    """Handle, account and device come out as they were certified."""
    data = encode_credential(alice_certificate, alice_binding)
    found = verify_credential(data, directory.public, now=1_500)
    assert found == Identity(alice_certificate, alice_binding)
    assert (found.handle, found.account_key) == ("alice", alice_certificate.account_key)
    assert (found.device_key, found.device_id, found.serial) == (
        alice_certificate.device_key,
        b"\x05" * 16,
        7,
    )
    assert len(data) < MAX_CREDENTIAL


def test_credential_under_another_directory_is_refused(
    alice_certificate: DeviceCertificate, alice_binding: DirectoryBinding
) -> None:
    """The pinned directory must have bound the handle."""
    with pytest.raises(SignatureError, match="directory binding"):
        verify_credential(encode_credential(alice_certificate, alice_binding), DirectoryKey(b"\x09" * 32).public)


def test_ghost_device_is_refused(alice: AccountKey, bob: AccountKey, directory: DirectoryKey) -> None:
    """A relay with its directory key but without Alice's account key can't add a device to her."""
    ghost = certificate.issue(
        bob, handle="alice", device_key=bytes(32), device_id=bytes(16), serial=1, issued=1, expires=2
    )
    forged = msgspec.structs.replace(ghost, account_key=alice.public)
    with pytest.raises(SignatureError, match="device certificate"):
        verify_credential(encode_credential(forged, binding.bind(directory, "alice", alice.public)), directory.public)


def test_mixed_halves_are_not_encoded(alice_certificate: DeviceCertificate, directory: DirectoryKey) -> None:
    """Certificate and binding are of one account."""
    with pytest.raises(SuccessorError):
        encode_credential(alice_certificate, binding.bind(directory, "alice", bytes(32)))


def test_expiry_counts_only_with_a_clock(
    directory: DirectoryKey, alice_certificate: DeviceCertificate, alice_binding: DirectoryBinding
) -> None:
    """Validity inside MLS never depends on a clock."""
    data = encode_credential(alice_certificate, alice_binding)
    verify_credential(data, directory.public)
    with pytest.raises(ExpiredError):
        verify_credential(data, directory.public, now=2_000)


def test_unknown_version_is_refused(alice_certificate: DeviceCertificate, alice_binding: DirectoryBinding) -> None:
    """A later version is not half-understood."""
    data = msgspec.msgpack.encode([2, alice_certificate.encode(), alice_binding.signature])
    with pytest.raises(MalformedError, match="version 2"):
        verify_credential(data, bytes(32))


@given(st.binary(max_size=400))
def test_any_bytes_give_the_typed_error(data: bytes) -> None:
    """Random bytes are never a credential and never another exception."""
    with pytest.raises(IdentityError):
        verify_credential(data, bytes(32))


def test_new_device_of_the_account_may_succeed(alice: AccountKey, directory: DirectoryKey) -> None:
    """Same certificate, or a higher serial."""
    old = identity(alice, directory, serial=1)
    require_successor(old, old)
    require_successor(old, identity(alice, directory, serial=2, device=b"\x06"))


def test_other_account_or_older_certificate_may_not_succeed(
    alice: AccountKey, bob: AccountKey, directory: DirectoryKey
) -> None:
    """A leaf never becomes somebody else and never goes back."""
    old = identity(alice, directory, serial=2)
    for new in (
        identity(bob, directory, serial=3),
        identity(alice, directory, handle="alicia", serial=3),
        identity(alice, directory, serial=1),
        identity(alice, directory, serial=2, device=b"\x06"),
    ):
        with pytest.raises(SuccessorError):
            require_successor(old, new)


def test_fingerprints_are_fixed(alice: AccountKey) -> None:
    """Stored and printed fingerprints stay comparable."""
    assert account_fingerprint(alice.public).hex() == "cf4bc38ce6ca9a0bf85def8236cd1f1ff5298d792ea3c8d14bfcc198e142b5f1"
    assert short_fingerprint(alice.public) == "cf4b c38c e6ca 9a0b"
