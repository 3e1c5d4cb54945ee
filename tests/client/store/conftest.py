"""A fresh encrypted store and lines to put into it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_chat.client.store import Store
from tests.client.lines import KEY


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store.create(path, KEY) as store:
        yield store
