"""What starting loads: heavy modules only where they are used, since every process of a script pays for them."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
HEAVY = {"cryptography.x509", "prompt_toolkit", "textual", "segno", "asyncio"}
ENGINE = {"secure_chat.client.engine.engine", "secure_chat.mls.group.group", "apsw", "ssl"}


def loaded(module: str) -> set[str]:
    """All modules that importing this one loads."""
    code = f"import sys, {module}; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("module", ["messages", "trust", "account", "bots", "simple"])
def test_subcommands_load_no_interface_and_no_engine(module: str) -> None:
    """A command beside an open chat is a hand: it needs neither."""
    assert not loaded(f"secure_chat.ui.cli.{module}") & (HEAVY | ENGINE)


def test_owner_loads_no_interface_and_no_x509() -> None:
    """`send` without an open chat runs the engine, and nothing that draws or reads certificates."""
    modules = loaded("secure_chat.client.runner, secure_chat.client.local")
    assert modules >= ENGINE
    assert not modules & HEAVY


def test_package_loads_nothing_by_itself() -> None:
    """The relay imports it, too."""
    assert not loaded("secure_chat") & (HEAVY | ENGINE | {"secure_chat.client"})
