"""Fixtures of the interoperation tests: one Node process per other implementation."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.draft_suites import accept_draft_suites
from tests.interop.node import Driver, NotInstalled, install, node_command

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def draft_suites() -> Iterator[None]:
    """Tests here know the X-Wing suite by ts-mls's number too."""
    with accept_draft_suites():
        yield


def installed(folder: Path) -> Path:
    """The peer's folder, its packages installed; without Node or network the test is skipped (in CI it fails)."""
    try:
        node_command()
        install(folder)
    except NotInstalled as error:
        pytest.skip(str(error))
    return folder


@pytest.fixture(scope="session")
def ts_mls_folder() -> Path:
    """Where ts-mls is installed."""
    return installed(HERE / "ts_mls")


@pytest.fixture(scope="session")
def ts_mls(ts_mls_folder: Path) -> Iterator[Driver]:
    """A process running ts-mls."""
    with Driver(ts_mls_folder) as driver:
        yield driver


@pytest.fixture(scope="session")
def core_crypto() -> Iterator[Driver]:
    """A process running Wire's core-crypto."""
    with Driver(installed(HERE / "core_crypto")) as driver:
        yield driver
