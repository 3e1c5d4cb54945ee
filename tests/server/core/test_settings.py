"""The operator's settings."""

import dataclasses

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
