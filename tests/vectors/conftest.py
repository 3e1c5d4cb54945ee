"""Where the official vectors are, and which test each of them becomes."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.draft_suites import accept_draft_suites
from tests.vectors.families import Batch, batches

SHARED = Path(__file__).parents[3] / "shared" / "mls-vectors"
SOURCE = "github.com/mlswg/mls-implementations, folder test-vectors"


@pytest.fixture(autouse=True)
def draft_suites() -> Iterator[None]:
    """Tests here know the X-Wing suite by ts-mls's number too."""
    with accept_draft_suites():
        yield


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--vectors=DIR`: run every file in DIR."""
    parser.addoption("--vectors", metavar="DIR", help=f"folder of MLS test vectors ({SOURCE})")


def vector_folder(config: pytest.Config) -> Path | None:
    """The folder asked for, else the shared one, else None. A folder asked for must hold something."""
    wanted = config.getoption("--vectors", default=None)
    if wanted is None:
        return SHARED if SHARED.is_dir() and any(SHARED.iterdir()) else None
    folder = Path(wanted)
    if not folder.is_dir():
        raise pytest.UsageError(f"--vectors: {folder} is not a folder")
    if not any(path.is_file() for path in folder.rglob("*")):
        raise pytest.UsageError(f"--vectors: {folder} holds no file")
    return folder


def pytest_configure(config: pytest.Config) -> None:
    """Complain about --vectors before anything runs."""
    vector_folder(config)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test per file, family and suite, so that workers can share them out."""
    if "official_batch" not in metafunc.fixturenames:
        return
    folder = vector_folder(metafunc.config)
    if folder is None:
        reason = f"no test vectors: give --vectors=DIR; they are at {SOURCE}"
        metafunc.parametrize("official_batch", [pytest.param(None, marks=pytest.mark.skip(reason=reason))])
        return
    found = batches(path for path in sorted(folder.rglob("*")) if path.is_file())
    metafunc.parametrize("official_batch", found, ids=[_name(batch, folder) for batch in found])


def _name(batch: Batch, folder: Path) -> str:
    return os.fspath(batch.path.relative_to(folder)) + f"-{batch.family}-{batch.suite_name}"
