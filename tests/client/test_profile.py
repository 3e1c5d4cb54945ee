"""Profiles: names, ownership and deletion."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from secure_chat.client.errors import ProfileBusy, ProfileError, ProfileMissing
from secure_chat.client.profile import Profile, home, profiles
from secure_chat.client.store import Store
from secure_chat.client.vault import Lock


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECURE_CHAT_HOME", str(tmp_path))


def make(name: str) -> Profile:
    profile = Profile(name)
    with profile.acquire():
        Store.create(profile.store_path, profile.vault.create(Lock.KEY_FILE)).close()
    return profile


def test_profiles_are_listed_by_name() -> None:
    """Only what can be opened counts; a directory of a join that never got anywhere does not."""
    assert profiles() == []
    make("work")
    make("home")
    Profile("empty").acquire().release()
    assert [profile.name for profile in profiles()] == ["home", "work"]


def test_home_falls_back_to_the_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the variable, the platform's data directory."""
    monkeypatch.delenv("SECURE_CHAT_HOME")
    assert home().name == "secure-chat"


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "A", "-x", "a" * 33, "ä", "a\n"])
def test_names_that_are_no_file_names_are_refused(name: str) -> None:
    """A profile's name can't lead out of the directory."""
    with pytest.raises(ProfileError, match="1 to 32"):
        Profile(name)


def test_missing_profile_names_those_that_exist() -> None:
    """The way on stands in the message."""
    with pytest.raises(ProfileMissing, match="client LINK"):
        Profile("nobody").require()
    make("work").require()
    with pytest.raises(ProfileMissing, match="work"):
        Profile("nobody").require()


def test_one_owner_at_a_time() -> None:
    """A second one is refused until the first releases, in this process as in others."""
    profile = Profile("a")
    with profile.acquire() as lock:
        with pytest.raises(ProfileBusy, match="'a'"):
            profile.acquire()
        lock.release()
        lock.release()
        profile.acquire().release()


@pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
def test_killed_owner_leaves_no_lock_behind() -> None:
    """Ownership dies with the process."""
    script = (
        "from secure_chat.client.profile import Profile; l = Profile('a').acquire(); print('in', flush=True); input()"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"in\n"
        with pytest.raises(ProfileBusy):
            Profile("a").acquire()
        process.send_signal(signal.SIGKILL)
    Profile("a").acquire().release()


def test_deleting_leaves_nothing() -> None:
    """Directory, keys and history are gone, other profiles stay."""
    profile = make("a")
    make("b")
    profile.delete()
    assert not profile.directory.exists()
    assert [each.name for each in profiles()] == ["b"]
