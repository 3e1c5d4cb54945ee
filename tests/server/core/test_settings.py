"""The operator's settings."""

import dataclasses
from typing import Any

import pytest

from secure_chat.server.core.settings import Settings


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
