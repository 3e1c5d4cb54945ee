"""A relay for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.relay_host import RelayHost


@pytest.fixture
def host(tmp_path: Path) -> Iterator[RelayHost]:
    host = RelayHost(tmp_path)
    yield host
    host.close()
