"""The record of an unexpected error."""

import os
from pathlib import Path

import pytest

from secure_chat.client.crash import record_crash


def fail(secret: str) -> None:
    try:
        raise KeyError(secret)
    except KeyError as error:
        raise ValueError(f"not {secret}") from error


def recorded(directory: Path) -> Path:
    try:
        fail("hunter2")
    except ValueError as error:
        return record_crash(error, directory)
    raise AssertionError


def test_record_says_where_and_nothing_else(tmp_path: Path) -> None:
    """Kinds and places of the error and its cause; no value that was in it."""
    path = recorded(tmp_path)
    assert path == tmp_path / "crash.log"
    text = path.read_text()
    assert "ValueError" in text
    assert "KeyError" in text
    assert "in fail" in text
    assert "hunter2" not in text.replace('recorded("hunter2")', "").replace('fail("hunter2")', "")


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
def test_record_goes_to_the_temporary_files_where_the_directory_cannot_be_used(tmp_path: Path) -> None:
    """Readable by its owner only."""
    path = recorded(tmp_path / "missing")
    try:
        assert "ValueError" in path.read_text()
        assert path.stat().st_mode & 0o077 == 0
    finally:
        path.unlink()
