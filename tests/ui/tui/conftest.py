"""A relay for a module's tests, a home for each test's profiles, and one time zone everywhere."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.relay_process import RelayProcess, running


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelayProcess]:
    with running(tmp_path_factory.mktemp("relay")) as relay:
        yield relay


@pytest.fixture(autouse=True)
def home(tmp_path: Path) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SECURE_CHAT_HOME", str(tmp_path / "home"))
        patch.setenv("TZ", "UTC")
        patch.delenv("COLORFGBG", raising=False)
        time.tzset()
        yield tmp_path / "home"
    time.tzset()
