"""A new profile's first rows, and a device's certificate."""

import random

import pytest

from secure_chat.client.engine import spaces
from secure_chat.client.engine.create import new_profile
from secure_chat.client.engine.device import CERTIFICATE_LIFETIME, Device
from secure_chat.client.engine.effects import PutRow
from secure_chat.client.engine.recovery import mark_restored
from secure_chat.client.engine.spaces import Profile
from secure_chat.client.engine.state import State
from secure_chat.identity import certificate as certificates
from secure_chat.identity.errors import HandleError
from secure_chat.identity.keys import AccountKey
from tests.client.engine.conftest import NOW


def profile(account: AccountKey | None = None) -> Profile:
    writes = new_profile(
        random.Random(5), NOW, handle="me", address="relay", ca_pin=bytes(32), token="token", account=account
    )
    (row,) = writes
    assert isinstance(row, PutRow)
    return spaces.decode(Profile, row.value)


def test_a_new_profile_has_keys_of_its_own_and_a_certificate_that_is_in_force() -> None:
    """Everything that the first connection needs."""
    made = profile()
    certificate = certificates.verify(made.certificate, NOW // 1000)
    assert (certificate.handle, certificate.device_id) == ("me", made.device_id)
    assert certificate.account_key == AccountKey(made.account_seed).public
    assert (made.token, made.binding, made.directory_key) == ("token", b"", b"")


def test_a_recovery_code_brings_its_account_along() -> None:
    """It certifies the new device."""
    account = AccountKey(bytes(32))
    made = profile(account=account)
    assert made.account_seed == account.seed
    assert certificates.verify(made.certificate).account_key == account.public


def test_a_name_that_no_account_may_have_is_refused() -> None:
    """Before anything is written."""
    with pytest.raises(HandleError):
        new_profile(random.Random(5), NOW, handle="No Name", address="relay", ca_pin=None, token=None)


def test_a_certificate_is_renewed_with_a_higher_serial(state: State) -> None:
    """With the same key, or with a fresh one for a rejoin."""
    device = Device(state)
    first = device.certificate
    device.renew(fresh_key=False)
    second = device.certificate
    device.renew(fresh_key=True, above=10**15)
    third = device.certificate
    assert first.serial < second.serial < third.serial >= 10**15
    assert first.device_key == second.device_key != third.device_key
    assert third.expires - third.issued > CERTIFICATE_LIFETIME
    assert state.profile.publish_all


def test_a_certificate_is_not_renewed_before_its_time(state: State) -> None:
    """Months before its end are early enough."""
    device = Device(state)
    device.renew_if_due()
    first = device.certificate
    state.begin(NOW + 300 * 86_400_000)
    device.renew_if_due()
    assert device.certificate.serial > first.serial


def test_a_certificate_made_while_the_clock_was_ahead_is_replaced(state: State) -> None:
    """Otherwise nobody would let this device in until that day has come, though the clock is right again."""
    device = Device(state)
    state.begin(NOW + 300 * 86_400_000)
    device.renew_if_due()
    ahead = device.certificate
    state.begin(NOW)
    device.renew_if_due()
    certificates.verify(device.certificate.encode(), NOW // 1000)
    assert device.certificate.serial > ahead.serial


def test_a_restored_backup_is_marked_before_the_engine_opens_it() -> None:
    """So that nothing is sent with its old keys."""
    (row,) = mark_restored(spaces.encode(profile()))
    assert isinstance(row, PutRow)
    assert spaces.decode(Profile, row.value).restored
