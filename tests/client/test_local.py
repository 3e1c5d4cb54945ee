"""The owner's local socket."""

import os
import stat
from pathlib import Path

import pytest

from secure_chat.client.api import Client
from secure_chat.client.errors import ClientClosed, CommandFailed
from secure_chat.client.hand import Hand
from secure_chat.client.queries import GetStatus
from secure_chat.transport.errors import NobodyListens
from secure_chat.transport.local import connect_local
from tests.people import join
from tests.relay_process import RelayProcess


def test_socket_is_private_and_goes_with_its_owner(home: Path, relay: RelayProcess) -> None:
    """Mode 0600 while the profile is open, gone afterwards."""
    path = home / "profiles" / "anna" / "socket"
    with join(relay, "anna"):
        if os.name == "posix":
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()
    with pytest.raises(NobodyListens):
        Hand(path)


def test_long_path_works_all_the_same(relay: RelayProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unix sockets have short names; a loopback port with a token takes their place."""
    monkeypatch.setenv("SECURE_CHAT_HOME", str(tmp_path / ("long" * 30)))
    with join(relay, "ben") as ben, Client.open("ben") as hand:
        assert not hand.is_owner
        assert hand.status().handle == ben.status().handle


def test_raw_lines_are_json_rpc(home: Path, relay: RelayProcess) -> None:
    """Any language can talk to it; nonsense gets an error, not a hang."""
    with join(relay, "carl"):
        connection = connect_local(home / "profiles" / "carl" / "socket")
        try:
            connection.send_line(b'{"jsonrpc": "2.0", "id": 1, "method": "get_status"}')
            line = connection.receive_line(20)
            assert line is not None
            assert b'"handle":"carl"' in line
            connection.send_line(b"nonsense")
            line = connection.receive_line(20)
            assert line is not None
            assert b"-32700" in line
        finally:
            connection.close()


def test_hand_tells_a_clean_end_from_a_broken_one(home: Path, relay: RelayProcess) -> None:
    """Only after the owner's last word may a call be repeated."""
    dora = join(relay, "dora")
    hand = Hand(home / "profiles" / "dora" / "socket")
    assert hand.submit(GetStatus()).result(20) is not None
    dora.close()
    with pytest.raises(ClientClosed) as caught:
        ask_for_ever(hand)
    assert caught.value.safe
    hand.close()


def test_hand_passes_on_every_kind_of_failure(home: Path, relay: RelayProcess, tmp_path: Path) -> None:
    """With the type that the owner itself would raise."""
    from secure_chat.client.commands import Kick
    from secure_chat.client.errors import BackupError, VaultError
    from secure_chat.client.vault import Lock

    with join(relay, "emil"):
        hand = Hand(home / "profiles" / "emil" / "socket")
        with pytest.raises(CommandFailed):
            hand.submit(Kick("#nowhere", "nobody")).result(20)
        with pytest.raises(BackupError):
            hand.backup(tmp_path / "backup", "").result(20)
        with pytest.raises(VaultError):
            hand.change_lock(Lock.PASSPHRASE, None).result(20)
        hand.backup(tmp_path / "backup", "words").result(20)
        assert (tmp_path / "backup").exists()
        hand.close()


def ask_for_ever(hand: Hand) -> None:
    while True:
        hand.submit(GetStatus()).result(20)
