"""Backup and restore: what comes back, what must not, and damaged files."""

import itertools
import stat
from pathlib import Path

import pytest

from secure_chat.client.api import Client
from secure_chat.client.backup import CHUNK, restore_backup, write_backup
from secure_chat.client.engine import spaces
from secure_chat.client.engine.effects import PutMessage
from secure_chat.client.errors import BackupError, ProfileExists
from secure_chat.client.joining import restore_profile
from secure_chat.client.profile import Profile, profiles
from secure_chat.client.store import Store
from secure_chat.client.vault import Lock
from secure_chat.client.views import DeliveryState, Trust
from tests.client.lines import KEY, line
from tests.people import join
from tests.relay_process import RelayProcess, wait_until

WORDS = "backup words"
_numbers = itertools.count()


@pytest.fixture
def backup(home: Path, relay: RelayProcess) -> Path:
    """Of somebody with some history."""
    with join(relay, f"person{next(_numbers)}") as client:
        for number in range(3):
            client.deliver("#lobby", f"text {number}")
        path = home / "backup"
        client.backup(path, WORDS).result()
    return path


def restored(path: Path, folder: Path, words: str = WORDS) -> Store:
    store = Store.create(folder / "restored.db", KEY)
    try:
        restore_backup(path, words, store)
    except BaseException:
        store.close()
        raise
    return store


def test_restored_device_comes_back_as_a_new_leaf(home: Path, relay: RelayProcess) -> None:
    """Account, history and verification are there; rooms let the device in anew; nobody sees another person."""
    with join(relay, "anna") as anna, join(relay, "ben") as ben:
        anna.create_room("plans")
        anna.invite("#plans", "ben")
        wait_until(lambda: bool(ben.invitations()), "the invitation")
        ben.accept("#plans")
        wait_until(lambda: any(room.name == "plans" and room.joined for room in ben.rooms()), "entering")
        anna.deliver("#plans", "before")
        anna.mark_verified("ben")
        account, code = anna.status().account, anna.recovery_code()
        anna.backup(home / "backup", WORDS).result()
        anna.close()

        restore_profile(home / "backup", WORDS, "again", Lock.KEY_FILE, None)
        with Client.open("again") as again:
            assert again.status().account == account
            assert again.recovery_code() == code
            assert [person.trust for person in again.people() if person.handle == "ben"] == [Trust.VERIFIED]
            assert "before" in [each.text for each in again.history("#plans")]
            _, state = again.deliver("#plans", "I am back", timeout=60)
            assert state in (DeliveryState.SENT, DeliveryState.DELIVERED)
            wait_until(lambda: "I am back" in [each.text for each in ben.history("#plans")], "hearing anna again")
            assert {member.handle for member in ben.members("#plans")} == {"anna", "ben"}


def test_backup_holds_no_key_that_could_be_used_twice(home: Path, backup: Path, tmp_path: Path) -> None:
    """No MLS group, no key package, no queued ciphertext, no device key."""
    (name,) = [profile.name for profile in profiles()]
    profile = Profile(name)
    with profile.acquire(), Store.open(profile.store_path, profile.vault.unlock()) as original:
        row = original.get(spaces.PROFILE, b"profile")
        assert row is not None
        before = spaces.decode(spaces.Profile, row)
        secret_spaces = {space for space in original.spaces() if space.startswith("group/")} | {spaces.KEY_PACKAGES}
        assert len(secret_spaces) > 1
    with restored(backup, tmp_path) as store:
        row = store.get(spaces.PROFILE, b"profile")
        assert row is not None
        after = spaces.decode(spaces.Profile, row)
        assert after.account_seed == before.account_seed
        assert before.device_seed not in row
        assert after.restored
        assert not secret_spaces & set(store.spaces())
        assert not {spaces.OUTBOX, spaces.PENDING} & set(store.spaces())
        assert [each.text for each in store.history(None, 100) if each.kind == "text"] == [
            f"text {number}" for number in range(3)
        ]
        assert len(store.search("text")) == 3


def test_backup_is_private_and_unreadable(backup: Path) -> None:
    """Mode 0600, nothing of the content in it."""
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert b"text 1" not in backup.read_bytes()


@pytest.mark.usefixtures("home")
def test_wrong_passphrase_and_damage_are_refused(backup: Path, tmp_path: Path) -> None:
    """Each with its own words, and nothing half restored."""
    with pytest.raises(BackupError, match="wrong passphrase"):
        restored(backup, tmp_path, "other")
    data = backup.read_bytes()
    for number, damaged in enumerate(
        [b"", data[:10], data[:-1], data + b"x", data[:-40] + bytes(40), b"x" + data[1:], data[:60] + b"x" + data[61:]]
    ):
        (tmp_path / str(number)).mkdir()
        bad = tmp_path / str(number) / "backup"
        bad.write_bytes(damaged)
        with pytest.raises(BackupError):
            restored(bad, bad.parent)
        with pytest.raises(BackupError):
            restore_profile(bad, WORDS, "new", Lock.KEY_FILE, None)
        assert not Profile("new").directory.exists()


@pytest.mark.usefixtures("home")
def test_chunks_cannot_be_cut_off_or_exchanged(tmp_path: Path) -> None:
    """A large backup is many chunks, each bound to its place."""
    with Store.create(tmp_path / "large.db", KEY) as store:
        store.apply([PutMessage(line(str(number), "x" * 1_000)) for number in range(500)])
        store.commit()
        for _ in write_backup(store, tmp_path / "large", WORDS):
            pass
    data = (tmp_path / "large").read_bytes()
    header, sealed = 21 + 16 + 12, CHUNK + 16
    assert len(data) > header + 4 * sealed
    first, second = data[header : header + sealed], data[header + sealed : header + 2 * sealed]
    for changed in (data[: header + 2 * sealed], data[:header] + second + first + data[header + 2 * sealed :]):
        (tmp_path / "changed").write_bytes(changed)
        with pytest.raises(BackupError):
            restored(tmp_path / "changed", tmp_path)
        (tmp_path / "restored.db").unlink()


def test_queued_messages_are_settled(tmp_path: Path) -> None:
    """What waited to be sent says so in the restored history instead of waiting for ever."""
    with Store.create(tmp_path / "queued.db", KEY) as store:
        store.apply([PutMessage(line("q", state=DeliveryState.QUEUED))])
        store.commit()
        for _ in write_backup(store, tmp_path / "backup", WORDS):
            pass
    with pytest.raises(BackupError, match="no account"):
        restored(tmp_path / "backup", tmp_path)


def test_backup_never_overwrites_and_needs_a_passphrase(home: Path, relay: RelayProcess) -> None:
    """Two mistakes that would cost something."""
    with join(relay, "carl") as client:
        with pytest.raises(BackupError, match="passphrase"):
            client.backup(home / "backup", "").result()
        (home / "backup").write_text("precious")
        with pytest.raises(BackupError, match="exists already"):
            client.backup(home / "backup", WORDS).result()
        with pytest.raises(BackupError, match="cannot write"):
            client.backup(home / "nowhere" / "backup", WORDS).result()
        assert (home / "backup").read_text() == "precious"
        client.backup(home / "second", WORDS).result()
        with pytest.raises(ProfileExists):
            restore_profile(home / "second", WORDS, "carl", Lock.KEY_FILE, None)
        assert client.status().handle == "carl"
