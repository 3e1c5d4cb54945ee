"""The store's key under its three locks."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import keyring
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keyring.backend import KeyringBackend

from secure_chat.client.errors import PassphraseNeeded, VaultError, WrongPassphraseError
from secure_chat.client.vault import Lock, Vault, derive_key


class MemoryKeyring(KeyringBackend):
    """A keyring as the keyring library lets anybody write one."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.entries: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.entries[service, username]


@pytest.fixture
def memory_keyring() -> Iterator[MemoryKeyring]:
    old = keyring.get_keyring()
    backend = MemoryKeyring()
    keyring.set_keyring(backend)
    yield backend
    keyring.set_keyring(old)


def test_passphrase_unlocks_again(tmp_path: Path) -> None:
    """The key comes back, from another object too."""
    key = Vault(tmp_path).create(Lock.PASSPHRASE, "correct horse")
    assert Vault(tmp_path).lock is Lock.PASSPHRASE
    assert Vault(tmp_path).unlock("correct horse") == key


def test_wrong_passphrase_is_refused(tmp_path: Path) -> None:
    """One clear line, and the right one still works."""
    vault = Vault(tmp_path)
    key = vault.create(Lock.PASSPHRASE, "right")
    with pytest.raises(WrongPassphraseError, match="nothing was changed"):
        vault.unlock("wrong")
    assert vault.unlock("right") == key


def test_no_passphrase_given_is_told_apart_from_a_wrong_one(tmp_path: Path) -> None:
    """Skins ask then; scripts are told which option to give."""
    vault = Vault(tmp_path)
    vault.create(Lock.PASSPHRASE, "right")
    with pytest.raises(PassphraseNeeded, match="--passphrase-file"):
        vault.unlock()


def test_composed_and_decomposed_accents_are_one_passphrase(tmp_path: Path) -> None:
    """Keyboards of different systems produce different forms of the same letters."""
    vault = Vault(tmp_path)
    key = vault.create(Lock.PASSPHRASE, "caf\u00e9")
    assert vault.unlock("cafe\u0301") == key


def test_empty_passphrase_is_refused(tmp_path: Path) -> None:
    """An empty passphrase would only pretend to protect."""
    for passphrase in ("", None):
        with pytest.raises(VaultError, match="empty"):
            Vault(tmp_path).create(Lock.PASSPHRASE, passphrase)
    assert list(tmp_path.iterdir()) == []


def test_key_file_unlocks_without_asking_and_is_private(tmp_path: Path) -> None:
    """No prompt; only the file's owner can read it."""
    key = Vault(tmp_path).create(Lock.KEY_FILE)
    assert Vault(tmp_path).unlock() == key
    if os.name == "posix":
        assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in tmp_path.iterdir())


@pytest.mark.parametrize("content", [b"", b"short", bytes(32), bytes(33)])
def test_wrong_key_file_is_refused(tmp_path: Path, content: bytes) -> None:
    """Another file of any length is another key or none."""
    vault = Vault(tmp_path)
    vault.create(Lock.KEY_FILE)
    (tmp_path / "vault.key").write_bytes(content)
    with pytest.raises(WrongPassphraseError):
        vault.unlock()


def test_missing_key_file_says_so(tmp_path: Path) -> None:
    """The message names the file."""
    vault = Vault(tmp_path)
    vault.create(Lock.KEY_FILE)
    (tmp_path / "vault.key").unlink()
    with pytest.raises(VaultError, match=r"vault\.key"):
        vault.unlock()


def test_keyring_holds_the_key(tmp_path: Path, memory_keyring: MemoryKeyring) -> None:
    """One entry; a missing or foreign one is told."""
    vault = Vault(tmp_path)
    key = vault.create(Lock.KEYRING)
    assert vault.unlock() == key
    (entry,) = memory_keyring.entries
    for wrong in ("00" * 32, "00", "no hexadecimal"):
        memory_keyring.entries[entry] = wrong
        with pytest.raises(WrongPassphraseError):
            vault.unlock()
    del memory_keyring.entries[entry]
    with pytest.raises(WrongPassphraseError, match="no key"):
        vault.unlock()


def test_refusing_keyring_is_one_clear_line(tmp_path: Path) -> None:
    """A machine without a keyring service gets a hint, not a traceback."""
    from keyring.backends.fail import Keyring

    old = keyring.get_keyring()
    keyring.set_keyring(Keyring())  # type: ignore[no-untyped-call]
    try:
        with pytest.raises(VaultError, match="keyring") as refused:
            Vault(tmp_path).create(Lock.KEYRING)
        assert str(refused.value).endswith("available); choose a passphrase or a key file instead")
    finally:
        keyring.set_keyring(old)
    assert list(tmp_path.iterdir()) == []


def test_lock_can_be_changed_and_leaves_nothing_of_the_old_one(tmp_path: Path, memory_keyring: MemoryKeyring) -> None:
    """The key stays, the old secret no longer opens, its file or entry is gone."""
    vault = Vault(tmp_path)
    key = vault.create(Lock.PASSPHRASE, "one")
    vault.change(key, Lock.PASSPHRASE, "two")
    assert vault.unlock("two") == key
    with pytest.raises(WrongPassphraseError):
        vault.unlock("one")
    vault.change(key, Lock.KEYRING)
    assert vault.unlock() == key
    vault.change(key, Lock.KEY_FILE)
    assert vault.unlock() == key
    assert memory_keyring.entries == {}
    vault.change(key, Lock.PASSPHRASE, "three")
    assert vault.unlock("three") == key
    assert [file.name for file in tmp_path.iterdir()] == ["vault.json"]


def test_destroying_removes_key_header_and_entry(tmp_path: Path, memory_keyring: MemoryKeyring) -> None:
    """Nothing that could open the store is left; repeating it is harmless."""
    for lock in (Lock.KEYRING, Lock.KEY_FILE):
        Vault(tmp_path).create(lock)
        Vault(tmp_path).destroy()
        Vault(tmp_path).destroy()
        assert list(tmp_path.iterdir()) == []
    assert memory_keyring.entries == {}


def test_second_creation_does_not_overwrite(tmp_path: Path) -> None:
    """The only copy of a key is never replaced by accident."""
    key = Vault(tmp_path).create(Lock.KEY_FILE)
    with pytest.raises(VaultError, match="exists"):
        Vault(tmp_path).create(Lock.KEY_FILE)
    assert Vault(tmp_path).unlock() == key


def test_every_field_of_the_header_is_authenticated(tmp_path: Path) -> None:
    """Nobody can weaken the parameters or swap the lock unnoticed."""
    vault = Vault(tmp_path)
    vault.create(Lock.KEY_FILE)
    header = msgspec.json.decode((tmp_path / "vault.json").read_bytes())
    for name, value in {
        "memory_kib": 8,
        "iterations": 1,
        "lanes": 1,
        "salt": "AAAAAAAAAAAAAAAAAAAAAA==",
        "nonce": "AAAAAAAAAAAAAAAA",
        "wrapped": "AAAA",
    }.items():
        (tmp_path / "vault.json").write_bytes(msgspec.json.encode({**header, name: value}))
        with pytest.raises(WrongPassphraseError):
            vault.unlock()


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"lock": "none"},
        {"memory_kib": 1 << 40},
        {"iterations": 0},
        {"nonce": ""},
        {"salt": ""},
        {"extra": 1},
    ],
)
def test_header_out_of_range_is_damaged(tmp_path: Path, change: dict[str, object]) -> None:
    """A header from elsewhere can't make us work for hours or use all memory."""
    vault = Vault(tmp_path)
    vault.create(Lock.KEY_FILE)
    header = msgspec.json.decode((tmp_path / "vault.json").read_bytes())
    (tmp_path / "vault.json").write_bytes(msgspec.json.encode({**header, **change}))
    with pytest.raises(VaultError, match="damaged"):
        vault.unlock()


@settings(max_examples=50)
@given(st.binary(max_size=200))
def test_any_header_bytes_give_a_typed_error(data: bytes) -> None:
    """Garbage is damage, never a crash."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "vault.json").write_bytes(data)
        with pytest.raises(VaultError):
            Vault(Path(folder)).unlock("x")


def test_missing_header_says_so(tmp_path: Path) -> None:
    """The message says where a new one comes from."""
    with pytest.raises(VaultError, match="backup"):
        Vault(tmp_path).unlock()


def test_argon2_is_that_of_rfc_9106() -> None:
    """The derivation agrees with the reference implementation (argon2-cffi 25.1 gave this value)."""
    expected = bytes.fromhex("bc418ea5103abc2ba7105df54a95022fd755ef3cef33bbc8c0f7a4666acaddbc")
    assert derive_key("password", b"somesalt12345678", 64, 2, 2) == expected


def test_locking_with_a_key_file_that_locks_already_changes_nothing(tmp_path: Path) -> None:
    """A new key file beside the old header, as a crash between the two would leave them, could open nothing."""
    vault = Vault(tmp_path)
    key = vault.create(Lock.KEY_FILE)
    files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    vault.change(key, Lock.KEY_FILE)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == files
    assert vault.unlock() == key
