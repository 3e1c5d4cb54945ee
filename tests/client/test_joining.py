"""Joining by a link: what can be wrong with it, and that nothing is left behind then."""

import socket
from pathlib import Path

import pytest

from secure_chat.client.api import Client
from secure_chat.client.errors import JoinError, ProfileExists, UnreachableError
from secure_chat.client.profile import Profile
from secure_chat.client.store import Store
from secure_chat.client.vault import Lock
from secure_chat.client.views import RoomKind
from secure_chat.identity.errors import HandleError, InviteLinkError, RecoveryCodeError
from secure_chat.identity.invite import InviteLink, encode_token
from tests.people import invite_link, join
from tests.relay_process import RelayProcess


@pytest.mark.usefixtures("home")
def test_joined_profile_opens_and_is_in_the_lobby(relay: RelayProcess) -> None:
    """The link is needed once."""
    with join(relay, "anna") as anna:
        recovery = anna.recovery_code()
    with Client.open("anna") as anna:
        assert anna.wait_until_online()
        assert anna.recovery_code() == recovery
        assert [(room.name, room.kind, room.joined) for room in anna.rooms()] == [("lobby", RoomKind.OPEN, True)]
        assert anna.status().address == f"127.0.0.1:{relay.address[1]}"


@pytest.mark.usefixtures("home")
def test_recovery_code_makes_another_device_of_the_same_account(relay: RelayProcess) -> None:
    """The name and the account key are the old ones."""
    with join(relay, "berta") as berta:
        code, account = berta.recovery_code(), berta.status().account
    with Client.join(invite_link(relay), "berta", profile="new", recovery_code=code) as new:
        assert new.status().account == account
        assert new.wait_until_entered()
        assert len(new.devices()) == 2
    with pytest.raises(RecoveryCodeError):
        Client.join(invite_link(relay), "berta", profile="bad", recovery_code=code[:-1])


def fails(relay_link: str, name: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        Client.join(relay_link, name, profile="new")
    assert "\n" not in str(caught.value)
    assert not Profile("new").directory.exists()


@pytest.mark.usefixtures("home")
def test_what_the_relay_refuses_leaves_nothing_behind(relay: RelayProcess) -> None:
    """A name that is taken, a link that was used, a token that never was one: one clear line each."""
    link = invite_link(relay)
    Client.join(link, "carla", profile="carla").close()
    fails(invite_link(relay), "carla", JoinError, "carla|name|taken")
    fails(link, "dora", JoinError, "invite|token|used")
    parsed = InviteLink.parse(link)
    unknown = InviteLink(parsed.host, parsed.port, parsed.ca_pin, encode_token(bytes(16)))
    fails(str(unknown), "dora", JoinError, "invite|token")


@pytest.mark.usefixtures("home")
def test_what_is_wrong_with_the_link_is_said_before_anything_is_sent(relay: RelayProcess) -> None:
    """Cut off, wrong pin, impossible name."""
    link = invite_link(relay)
    fails(link[:-3], "dora", InviteLinkError, "copy all of it|damaged")
    fails("http://example.org/", "dora", InviteLinkError, "secure-chat://")
    fails(link, "Dora Maier", HandleError, "a-z")
    parsed = InviteLink.parse(link)
    fails(str(InviteLink(parsed.host, parsed.port, bytes(32), parsed.token)), "dora", JoinError, "not the one of your")
    Client.join(link, "dora", profile="dora").close()  # the link itself was not used up


@pytest.mark.usefixtures("home")
def test_server_that_is_down_is_said_at_once(relay: RelayProcess) -> None:
    """The address is named."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    parsed = InviteLink.parse(invite_link(relay))
    fails(str(InviteLink("127.0.0.1", port, parsed.ca_pin, parsed.token)), "eva", UnreachableError, str(port))


def test_profile_that_exists_is_never_overwritten(home: Path, relay: RelayProcess) -> None:
    """Neither while it is closed nor while it is open."""
    with join(relay, "fritz") as fritz:
        with pytest.raises(ProfileExists):
            Client.join(invite_link(relay), "other", profile="fritz")
        assert fritz.status().handle == "fritz"
    before = (home / "profiles" / "fritz" / "store.db").read_bytes()
    with pytest.raises(ProfileExists, match="choose another"):
        Client.join(invite_link(relay), "other", profile="fritz")
    assert (home / "profiles" / "fritz" / "store.db").read_bytes() == before


@pytest.mark.usefixtures("home")
def test_what_a_death_while_making_the_profile_left_is_no_obstacle(relay: RelayProcess) -> None:
    """A locked key without a store, half a store: the same link and name, and the profile is made."""
    link = invite_link(relay, 2)
    profile = Profile("frieda")
    with profile.acquire():
        key = profile.vault.create(Lock.KEY_FILE)
        with Store.create(profile.store_path.with_suffix(".new"), key):
            assert not profile.exists
    with Client.join(link, "frieda", profile="frieda") as frieda:
        assert frieda.wait_until_entered()
        assert frieda.status().recovery_due
    assert sorted(path.name for path in profile.directory.iterdir() if path.suffix == ".new") == []


@pytest.mark.usefixtures("home")
def test_the_code_of_an_account_that_is_there_already_is_not_shown(relay: RelayProcess) -> None:
    """Who comes with a recovery code has it."""
    with Client.join(invite_link(relay), "gerd", profile="gerd") as gerd:
        assert gerd.wait_until_entered()
        code = gerd.recovery_code()
        assert gerd.status().recovery_due
        gerd.recovery_code_seen()
        assert not gerd.status().recovery_due
    with Client.join(invite_link(relay), "gerd", profile="gerd-2", recovery_code=code) as other:
        assert not other.status().recovery_due
