"""Fixtures of the interoperation tests: one Node process per other implementation."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.draft_suites import accept_draft_suites
from tests.interop.node import Driver

accept_draft_suites()

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def ts_mls() -> Iterator[Driver]:
    """A process running ts-mls."""
    with Driver(HERE / "ts_mls") as driver:
        yield driver


@pytest.fixture(scope="session")
def core_crypto() -> Iterator[Driver]:
    """A process running Wire's core-crypto."""
    with Driver(HERE / "core_crypto") as driver:
        yield driver
