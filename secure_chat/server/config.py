"""The relay's configuration: defaults, then a TOML file, then the environment, then flags; the later one wins.

A key `network.tick` stands in the file as `tick = …` under `[network]`, in the environment as
`SECURE_CHAT_SERVER_NETWORK_TICK` and on the command line as `--set network.tick=…`. Keys that don't exist are refused
by name: a misspelt limit would otherwise silently be no limit.
"""

import dataclasses
import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from secure_chat.server.core.settings import Settings
from secure_chat.server.errors import ConfigurationError

__all__ = ["ENVIRONMENT_PREFIX", "Configuration", "Network", "data_directory", "keys", "load"]

ENVIRONMENT_PREFIX = "SECURE_CHAT_SERVER_"


class Network(Struct, frozen=True, kw_only=True):
    """Connections and threads; times in seconds."""

    connections: int = 12_000
    """In all; each takes one open file and about 20 KB."""
    connections_per_address: int = 256
    """A school or office behind one router fits."""
    handshake_time: float = 10.0
    """For TLS: three round trips over a bad mobile line fit."""
    login_time: float = 10.0
    """From the end of the handshake to login."""
    half_open: int = 1024
    """Handshakes under way in all; then the oldest gives way."""
    half_open_per_address: int = 64
    """The same for one address."""
    tick: float = 0.0015
    """Under load connections are served at most this often: larger reads and writes cost less."""
    shards: int = 1
    """Threads that serve connections; more than one helps only on a Python without the global lock."""
    shutdown_time: float = 5.0
    """What a stop may take to finish writing and to say goodbye."""


class Configuration(Struct, frozen=True, kw_only=True):
    """All that can be configured."""

    listen: tuple[str, ...] = (":7443",)
    """host:port; without a host on all addresses."""
    data: str = ""
    """Directory of database and certificates; empty: this system's place for application data."""
    hosts: tuple[str, ...] = ()
    """Names and addresses that clients use; the first one stands in links. Empty: found out."""
    certificate: str = ""
    """PEM file with an own server certificate and its chain; empty: the relay makes one."""
    key: str = ""
    """PEM file with its key."""
    ca: str = ""
    """PEM file with its CA, which clients pin; empty with an own certificate: a public CA."""
    metrics: str = ""
    """host:port on loopback for Prometheus metrics and a health check; empty: none."""
    log_format: Literal["auto", "human", "json"] = "auto"
    """auto: for people on a terminal, JSON otherwise."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_addresses: bool = False
    """Peers' addresses in the log, at level debug."""
    network: Network = Network()
    limits: Settings = Settings()


_SECTIONS = {"network", "limits"}


def keys() -> list[str]:
    """Every key, those of sections with their section's name."""
    found = [name for name in Configuration.__struct_fields__ if name not in _SECTIONS]
    found += [f"network.{name}" for name in Network.__struct_fields__]
    found += [f"limits.{field.name}" for field in dataclasses.fields(Settings)]
    return found


def load(
    path: Path | None, environment: Mapping[str, str], assignments: Iterable[str], flags: Mapping[str, object]
) -> Configuration:
    """The configuration from all sources; raises ConfigurationError, which names the key and where it stands.

    `assignments` are `key=value`; `flags` hold what dedicated flags gave, by key.
    """
    tree: dict[str, Any] = {}
    if path is not None:
        _merge(tree, _flat(_read(path)), str(path))
    _merge(tree, _from_environment(environment), "environment")
    for text in assignments:
        key, separator, value = text.partition("=")
        if not separator:
            raise ConfigurationError(f"--set {text}: KEY=VALUE is meant, such as network.connections=500")
        _merge(tree, {key.strip(): value.strip()}, "--set")
    _merge(tree, flags, "command line")
    configuration = _convert(tree)
    _check(configuration)
    return configuration


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: {error}") from None


def _flat(table: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in table.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{inner}": item for inner, item in value.items()}
        else:
            flat[name] = value
    return flat


def _from_environment(environment: Mapping[str, str]) -> dict[str, str]:
    names = {ENVIRONMENT_PREFIX + key.upper().replace(".", "_"): key for key in keys()}
    others = {ENVIRONMENT_PREFIX + name for name in ("CONFIG", "SET")}
    found: dict[str, str] = {}
    for name, value in environment.items():
        if name in names:
            found[names[name]] = value
        elif name.startswith(ENVIRONMENT_PREFIX) and name not in others:
            raise ConfigurationError(f"environment: {name} is no option")
    return found


def _merge(tree: dict[str, Any], values: Mapping[str, object], source: str) -> None:
    known = set(keys())
    for key, value in values.items():
        if key not in known:
            raise ConfigurationError(f"{source}: {key} is no option{_hint(key, known)}")
        *section, name = key.split(".")
        if isinstance(value, str) and key in ("listen", "hosts"):
            value = [part.strip() for part in value.split(",") if part.strip()]
        place = tree.setdefault(section[0], {}) if section else tree
        place[name] = value


def _hint(key: str, known: set[str]) -> str:
    import difflib

    close = difflib.get_close_matches(key, known, 1)
    return f"; did you mean {close[0]}?" if close else ""


def _convert(tree: Mapping[str, Any]) -> Configuration:
    for section, kind in (("", Configuration), ("network", Network), ("limits", Settings)):
        values = (
            {name: value for name, value in tree.items() if name not in _SECTIONS}
            if not section
            else tree.get(section, {})
        )
        for name, value in values.items():
            try:
                msgspec.convert({name: value}, kind, strict=False)
            except msgspec.ValidationError as error:
                reason = str(error).partition(" - at ")[0]
                dotted = f"{section}.{name}" if section else name
                raise ConfigurationError(f"{dotted}: {reason[:1].lower() + reason[1:]}") from None
    return msgspec.convert(tree, Configuration, strict=False)


def _check(configuration: Configuration) -> None:
    if bool(configuration.certificate) != bool(configuration.key):
        raise ConfigurationError("certificate and key are given together or not at all")
    if configuration.ca and not configuration.certificate:
        raise ConfigurationError("ca belongs to an own certificate and key")
    if not configuration.listen:
        raise ConfigurationError("listen: at least one address is needed")
    for name, value in msgspec.to_builtins(configuration.network).items():
        if value < 0:
            raise ConfigurationError(f"network.{name}: not below zero")
    for name in ("connections", "connections_per_address", "half_open", "half_open_per_address", "shards"):
        if getattr(configuration.network, name) < 1:
            raise ConfigurationError(f"network.{name}: at least 1")


def data_directory(configuration: Configuration) -> Path:
    """Where database and certificates are."""
    if configuration.data:
        return Path(configuration.data).expanduser()
    import platformdirs

    if os.name == "posix" and os.geteuid() == 0:
        return Path(platformdirs.site_data_dir("secure-chat-server", appauthor=False))
    return Path(platformdirs.user_data_dir("secure-chat-server", appauthor=False))
