"""The --vectors option: a folder with nothing to run is an error, and nothing in it is passed over."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GOOD = {"vlbytes_header": "00", "length": 0}


def run(folder: Path) -> subprocess.CompletedProcess[str]:
    """pytest tests/vectors on that folder's vectors."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/vectors", "-k", "official"]
    return subprocess.run(
        [*command, f"--vectors={folder}"], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )


def test_missing_folder_is_an_error(tmp_path: Path) -> None:
    """A folder that is not there."""
    done = run(tmp_path / "nowhere")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "is not a folder" in done.stderr


def test_empty_folder_is_an_error(tmp_path: Path) -> None:
    """A folder with nothing in it."""
    done = run(tmp_path)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "holds no file" in done.stderr


def test_results_are_printed_by_family(tmp_path: Path) -> None:
    """One line with passed and total, whatever the file is called."""
    (tmp_path / "anything").write_text(json.dumps([GOOD, GOOD]))
    done = run(tmp_path)
    assert done.returncode == 0, done.stdout
    assert "deserialization" in done.stdout
    assert "2/2" in done.stdout


@pytest.mark.parametrize("content", ["not json", "[]", '[{"cipher_suite": 1}]'])
def test_unknown_file_fails(content: str, tmp_path: Path) -> None:
    """What is of no known family fails the run, beside what passes."""
    (tmp_path / "good.json").write_text(json.dumps([GOOD]))
    (tmp_path / "odd.json").write_text(content)
    done = run(tmp_path)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "odd.json" in done.stdout


def test_wrong_vector_fails(tmp_path: Path) -> None:
    """A vector that does not verify fails the run and is counted."""
    (tmp_path / "file.json").write_text(json.dumps([GOOD, {**GOOD, "length": 1}]))
    done = run(tmp_path)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "1/2" in done.stdout
