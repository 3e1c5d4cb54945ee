"""Fixed people: seeds of one repeated byte, so that every expected value can be recomputed by hand."""

import pytest

from secure_chat.identity import binding, certificate
from secure_chat.identity.binding import DirectoryBinding
from secure_chat.identity.certificate import DeviceCertificate
from secure_chat.identity.keys import AccountKey, DeviceKey, DirectoryKey


@pytest.fixture
def alice() -> AccountKey:
    return AccountKey(b"\x01" * 32)


@pytest.fixture
def bob() -> AccountKey:
    return AccountKey(b"\x02" * 32)


@pytest.fixture
def device() -> DeviceKey:
    return DeviceKey(b"\x03" * 32)


@pytest.fixture
def directory() -> DirectoryKey:
    return DirectoryKey(b"\x04" * 32)


@pytest.fixture
def alice_certificate(alice: AccountKey, device: DeviceKey) -> DeviceCertificate:
    return certificate.issue(
        alice,
        handle="alice",
        device_key=device.public,
        device_id=b"\x05" * 16,
        serial=7,
        issued=1_000,
        expires=2_000,
    )


@pytest.fixture
def alice_binding(alice: AccountKey, directory: DirectoryKey) -> DirectoryBinding:
    return binding.bind(directory, "alice", alice.public)
