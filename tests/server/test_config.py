"""Where options come from, and which ones are refused."""

from pathlib import Path

import pytest

from secure_chat.server.config import Configuration, data_directory, keys, load
from secure_chat.server.errors import ConfigurationError


def test_without_anything_the_defaults_hold() -> None:
    """Every one is documented in the code beside its reason."""
    assert load(None, {}, (), {}) == Configuration()


def test_file_environment_assignments_and_flags_override_in_this_order(tmp_path: Path) -> None:
    """The later one wins, key by key."""
    file = tmp_path / "relay.toml"
    file.write_text("log_level='error'\nlisten=['a:1']\n[network]\nconnections=1\nshards=1\nhalf_open=1\ntick=0.5\n")
    environment = {"SECURE_CHAT_SERVER_NETWORK_HALF_OPEN": "2", "SECURE_CHAT_SERVER_NETWORK_SHARDS": "2", "HOME": "x"}
    found = load(file, environment, ["network.shards=3", "network.connections = 4"], {"network.connections": 5})
    assert (found.network.half_open, found.network.shards, found.network.connections) == (2, 3, 5)
    assert (found.log_level, found.listen, found.network.tick) == ("error", ("a:1",), 0.5)


def test_lists_are_separated_by_commas_in_the_environment() -> None:
    """Several addresses in one variable."""
    found = load(None, {"SECURE_CHAT_SERVER_HOSTS": "chat.lan, 192.168.1.10"}, (), {})
    assert found.hosts == ("chat.lan", "192.168.1.10")


@pytest.mark.parametrize("key", keys())
def test_every_key_can_be_set_in_the_environment(key: str) -> None:
    """A value of the wrong type is refused by the key's own name, so it was recognised."""
    name = "SECURE_CHAT_SERVER_" + key.upper().replace(".", "_")
    try:
        load(None, {name: "\x00"}, (), {})
    except ConfigurationError as error:
        assert key in str(error) or "certificate and key" in str(error) or "ca belongs" in str(error)  # noqa: PT017


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nonsense = 1", "nonsense is no option"),
        ("[network]\nconection = 1", "network.conection is no option; did you mean network.connections?"),
        ("[sockets]\nx = 1", "sockets.x is no option"),
        ("network = 5", "network is no option"),
        ("listen = [", "Invalid value"),
        ("log_level = 'loud'", "log_level: "),
        ("[network]\nconnections = 0", "network.connections: at least 1"),
        ("[limits]\nretention = 'long'", "limits.retention: "),
        ("listen = []", "listen: at least one"),
        ("ca = 'x.pem'", "ca belongs to"),
    ],
)
def test_a_wrong_file_is_refused_by_name(tmp_path: Path, text: str, said: str) -> None:
    """One line."""
    file = tmp_path / "relay.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as refusal:
        load(file, {}, (), {})
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_an_unknown_variable_is_refused_by_name() -> None:
    """A misspelt limit would otherwise be no limit."""
    with pytest.raises(ConfigurationError, match="SECURE_CHAT_SERVER_LISTN is no option"):
        load(None, {"SECURE_CHAT_SERVER_LISTN": "x"}, (), {})


def test_the_data_directory_is_where_it_was_said_or_where_the_system_keeps_such_things() -> None:
    """`~` means home."""
    assert data_directory(Configuration(data="/srv/chat")) == Path("/srv/chat")
    assert data_directory(Configuration(data="~/chat")) == Path.home() / "chat"
    assert "secure-chat" in str(data_directory(Configuration()))
