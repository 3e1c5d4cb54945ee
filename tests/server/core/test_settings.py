"""The operator's settings."""

import dataclasses
from typing import Any

import pytest

from secure_chat.client.engine.device import DEFAULT_SUITE, certify
from secure_chat.identity.binding import bind
from secure_chat.identity.credential import encode_credential
from secure_chat.identity.keys import AccountKey, DeviceKey, DirectoryKey
from secure_chat.mls.crypto.suite import SUITES
from secure_chat.server.core.settings import Settings
from secure_chat.wire.limits import MAX_GROUP_INFO, MAX_WELCOME
from tests.mls.group.people import found, spread


def test_settings_are_plain_immutable_values() -> None:
    """A configuration file can set each by its name."""
    settings = Settings()
    for field in dataclasses.fields(settings):
        assert type(getattr(settings, field.name)) in (bool, int)
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.lobby = False  # type: ignore[misc]


def test_features_are_sorted_and_follow_the_switches() -> None:
    """What `hello_ack` may name."""
    assert Settings().features == ("ephemeral", "lobby", "presence")
    assert Settings(lobby=False, presence=False, open_registration=True).features == ("ephemeral", "open-registration")


@pytest.mark.parametrize("name", ["requests_per_second", "channel_entries", "commits_burst", "disk_reserve"])
def test_a_limit_that_stops_everything_is_refused(name: str) -> None:
    """By name."""
    negative: dict[str, Any] = {name: -1}
    with pytest.raises(ValueError, match=name):
        Settings(**negative)
    if name == "disk_reserve":
        assert Settings(disk_reserve=0).disk_reserve == 0
    else:
        zero: dict[str, Any] = {name: 0}
        with pytest.raises(ValueError, match="at least 1"):
            Settings(**zero)


def test_a_full_channel_fits_into_its_messages() -> None:
    """Also an open room of the post-quantum suite whose tree is filled, with the longest names: the client that could
    not send its GroupInfo any more could not change the room any more.
    """
    account, device, directory = AccountKey.generate(), DeviceKey.generate(), DirectoryKey.generate()
    handle = "x" * 32
    certificate = certify(
        account, handle=handle, device_key=device.public, device_id=bytes(16), serial=2**53, now=2_000_000_000_000
    )
    identity = encode_credential(certificate, bind(directory, handle, account.public))
    people = [f"{number}".rjust(len(identity)) for number in range(16)]
    groups = found(*people, suite=SUITES[DEFAULT_SUITE])
    for group in groups:
        spread(group.commit(), group, *(other for other in groups if other is not group))
    tree = len(groups[0].ratchet_tree()) / len(groups)
    devices = Settings().channel_members
    roles = 2 * 1_000 * 32  # admins and the banned
    assert devices * tree + roles < MAX_GROUP_INFO < MAX_WELCOME
    assert devices >= 500
