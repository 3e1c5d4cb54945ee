"""Private files."""

import os
import stat
from pathlib import Path

import pytest

from secure_chat.client.files import make_private_directory, remove_file, write_private

posix = pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")


def test_writing_replaces_the_whole_file(tmp_path: Path) -> None:
    """No mixture of old and new, and nothing else left in the directory."""
    path = tmp_path / "secret"
    write_private(path, b"a longer old value")
    write_private(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


@posix
def test_files_and_directories_are_private(tmp_path: Path) -> None:
    """Modes 0600 and 0700, also where a dead process left a readable temporary file."""
    directory = tmp_path / "a" / "b"
    make_private_directory(directory)
    stale = directory / ".secret.new"
    stale.write_bytes(b"")
    stale.chmod(0o644)
    write_private(directory / "secret", b"x")
    assert stat.S_IMODE((directory / "secret").stat().st_mode) == 0o600
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


@posix
def test_removed_file_is_overwritten_first(tmp_path: Path) -> None:
    """Another name of the same file shows zeros afterwards."""
    path = tmp_path / "secret"
    write_private(path, b"secret")
    os.link(path, tmp_path / "other")
    remove_file(path)
    assert not path.exists()
    assert (tmp_path / "other").read_bytes() == bytes(6)


def test_removing_a_missing_file_is_fine(tmp_path: Path) -> None:
    """The end is the same."""
    remove_file(tmp_path / "nothing")
