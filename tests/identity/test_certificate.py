"""Device certificates and revocations."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_chat.identity import certificate, labels
from secure_chat.identity.certificate import MAX_CERTIFICATE, DeviceCertificate
from secure_chat.identity.errors import (
    ExpiredError,
    HandleError,
    IdentityError,
    MalformedError,
    RevokedError,
    SignatureError,
)
from secure_chat.identity.keys import AccountKey, DeviceKey
from secure_chat.identity.labels import Purpose


def signed(account: AccountKey, *fields: labels.Field) -> bytes:
    """A certificate with any fields and a correct signature, as a hostile account could make it."""
    signature = labels.sign(account, Purpose.DEVICE_CERTIFICATE, *fields)
    return msgspec.msgpack.encode([*fields, signature])


def test_issued_certificate_verifies(alice_certificate: DeviceCertificate) -> None:
    """What the account issues, anybody accepts."""
    assert certificate.verify(alice_certificate.encode()) == alice_certificate
    assert certificate.verify(alice_certificate.encode(), now=1_000) == alice_certificate


def test_certificate_bytes_are_fixed(alice_certificate: DeviceCertificate) -> None:
    """The encoding never changes under version 1."""
    data = alice_certificate.encode()
    assert data.hex().startswith("9901a5616c696365c4208a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf374880")
    assert len(data) < MAX_CERTIFICATE


def test_longest_certificate_fits_the_bound(alice: AccountKey, device: DeviceKey) -> None:
    """The bound refuses nothing that `issue` makes."""
    top = 2**63 - 1
    longest = certificate.issue(
        alice,
        handle="x" * 32,
        device_key=device.public,
        device_id=bytes(16),
        serial=top,
        issued=top - 1,
        expires=top,
    )
    assert len(longest.encode()) <= MAX_CERTIFICATE


@given(st.data())
def test_every_changed_byte_is_noticed(data: st.DataObject) -> None:
    """No altered certificate verifies."""
    genuine = certificate.issue(
        AccountKey(b"\x01" * 32),
        handle="alice",
        device_key=DeviceKey(b"\x03" * 32).public,
        device_id=bytes(16),
        serial=1,
        issued=1,
        expires=2,
    ).encode()
    position = data.draw(st.integers(0, len(genuine) - 1))
    flip = data.draw(st.integers(1, 255))
    altered = genuine[:position] + bytes([genuine[position] ^ flip]) + genuine[position + 1 :]
    with pytest.raises((MalformedError, SignatureError)):
        certificate.verify(altered)


@given(st.binary(max_size=300))
def test_any_bytes_give_the_typed_error(data: bytes) -> None:
    """Random bytes are never a certificate and never another exception."""
    with pytest.raises(IdentityError):
        certificate.verify(data)


@pytest.mark.parametrize(("now", "word"), [(999, "not valid yet"), (2_000, "expired")])
def test_outside_its_time_it_is_refused(now: int, word: str, alice_certificate: DeviceCertificate) -> None:
    """With a clock given, the validity counts; `expires` itself is already too late."""
    with pytest.raises(ExpiredError, match=word):
        certificate.verify(alice_certificate.encode(), now)


def test_certificate_signed_by_another_account_is_refused(
    alice: AccountKey, bob: AccountKey, device: DeviceKey
) -> None:
    """Bob can't certify a device for Alice's account."""
    fields = (1, "alice", alice.public, device.public, bytes(16), 1, 1, 2)
    with pytest.raises(SignatureError):
        certificate.verify(signed(bob, *fields))


def test_unknown_version_is_refused(alice: AccountKey, device: DeviceKey) -> None:
    """A later version is not half-understood."""
    with pytest.raises(MalformedError, match="version 2"):
        certificate.verify(signed(alice, 2, "alice", alice.public, device.public, bytes(16), 1, 1, 2))


def test_certificate_expiring_before_it_starts_is_refused(alice: AccountKey, device: DeviceKey) -> None:
    """A correct signature does not make nonsense valid."""
    with pytest.raises(MalformedError, match="expires before"):
        certificate.verify(signed(alice, 1, "alice", alice.public, device.public, bytes(16), 1, 2, 2))


def test_invalid_handle_is_refused_on_both_sides(alice: AccountKey, device: DeviceKey) -> None:
    """Neither issued nor accepted."""
    with pytest.raises(HandleError):
        certificate.issue(
            alice,
            handle="Alice",
            device_key=device.public,
            device_id=bytes(16),
            serial=1,
            issued=1,
            expires=2,
        )
    with pytest.raises(MalformedError):
        certificate.verify(signed(alice, 1, "Alice", alice.public, device.public, bytes(16), 1, 1, 2))


def test_issue_refuses_what_nobody_would_accept(alice: AccountKey) -> None:
    """A device key of the wrong length never becomes a certificate."""
    with pytest.raises(MalformedError):
        certificate.issue(
            alice, handle="alice", device_key=b"short", device_id=bytes(16), serial=1, issued=1, expires=2
        )


def test_revocation_covers_lower_serials_only(alice: AccountKey, alice_certificate: DeviceCertificate) -> None:
    """Serial 7 falls under a minimum of 8, not of 7."""
    data = certificate.revoke(alice, 7).encode()
    certificate.require_not_revoked(alice_certificate, certificate.verify_revocation(data))
    with pytest.raises(RevokedError):
        certificate.require_not_revoked(alice_certificate, certificate.revoke(alice, 8))


def test_revocation_of_another_account_does_not_count(bob: AccountKey, alice_certificate: DeviceCertificate) -> None:
    """Bob can't withdraw Alice's devices."""
    certificate.require_not_revoked(alice_certificate, certificate.revoke(bob, 100))


def test_forged_revocation_is_refused(alice: AccountKey, bob: AccountKey) -> None:
    """The account itself must have signed."""
    forged = msgspec.msgpack.encode([alice.public, 9, labels.sign(bob, Purpose.REVOCATION, alice.public, 9)])
    with pytest.raises(SignatureError):
        certificate.verify_revocation(forged)
    with pytest.raises(MalformedError):
        certificate.verify_revocation(b"\x90")


def test_only_the_very_bytes_that_were_recorded_escape_the_signature_check(
    alice_certificate: DeviceCertificate,
) -> None:
    """A forged certificate for a recorded device is verified, and refused."""
    genuine = alice_certificate.encode()
    nothing: dict[bytes, bytes] = {}
    forged = msgspec.structs.replace(alice_certificate, serial=alice_certificate.serial + 1).encode()
    assert certificate.verify(genuine, recorded={alice_certificate.device_id: genuine}.get) == alice_certificate
    with pytest.raises(SignatureError):
        certificate.verify(forged, recorded={alice_certificate.device_id: genuine}.get)
    with pytest.raises(SignatureError):
        certificate.verify(forged, recorded=nothing.get)
