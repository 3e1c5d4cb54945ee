"""The Python API: two people, a real relay, and who owns a profile."""

import threading
from pathlib import Path

import pytest

import secure_chat
from secure_chat.client import api
from secure_chat.client.api import Client
from secure_chat.client.commands import COMMANDS, Send
from secure_chat.client.errors import (
    ClientClosed,
    CommandFailed,
    PassphraseNeeded,
    ProfileMissing,
    WrongPassphraseError,
)
from secure_chat.client.events import FailureCode, MessageAdded, ShuttingDown
from secure_chat.client.profile import Profile
from secure_chat.client.vault import Lock
from secure_chat.client.views import DeliveryState, MessageView, RoomKind, Trust
from tests.people import join
from tests.relay_process import RelayProcess, wait_until


def heard(client: Client, room: str, text: str) -> MessageView:
    """Waits until a message stands in the history."""

    def there() -> bool:
        try:
            return any(line.text == text for line in client.history(room))
        except CommandFailed:
            return False

    wait_until(there, f"{text!r} in {room}")
    return next(line for line in client.history(room) if line.text == text)


def test_package_offers_the_client_lazily() -> None:
    """`from secure_chat import Client` works; other names don't."""
    assert secure_chat.Client is Client
    with pytest.raises(AttributeError, match="Nobody"):
        secure_chat.Nobody  # noqa: B018


def test_every_command_of_the_engine_has_a_method() -> None:
    """Nothing needs `ask` with a command made by hand."""
    text = Path(api.__file__).read_text(encoding="utf-8")
    for kind in COMMANDS:
        assert f".{kind.__name__}(" in text, kind


@pytest.mark.usefixtures("home")
def test_two_people_chat_and_verify(relay: RelayProcess) -> None:
    """Lobby, closed room, direct conversation, search, verification: each by one call."""
    with join(relay, "anna") as anna, join(relay, "ben") as ben:
        assert anna.is_owner
        message_id, state = anna.deliver("#lobby", "hello ben")
        assert state in (DeliveryState.SENT, DeliveryState.DELIVERED)
        assert anna.message(message_id).text == "hello ben"
        line = heard(ben, "#lobby", "hello ben")
        ben.react(line.id, "👍")
        wait_until(lambda: bool(anna.message(message_id).reactions), "the reaction")

        anna.create_room("plans")
        anna.invite("#plans", "ben")
        wait_until(lambda: bool(ben.invitations()), "the invitation")
        ben.accept("#plans")
        wait_until(lambda: any(room.name == "plans" and room.joined for room in ben.rooms()), "entering")
        anna.send("#plans", "meet at eight")
        heard(ben, "#plans", "meet at eight")
        assert anna.room_code("#plans").code == ben.room_code("#plans").code
        assert {member.handle for member in anna.members("#plans")} == {"anna", "ben"}

        ben.start_direct("anna")
        ben.send("anna", "just you")
        heard(anna, "ben", "just you")
        assert {room.kind for room in anna.rooms()} == {RoomKind.OPEN, RoomKind.ROOM, RoomKind.DIRECT}
        assert [hit.message.text for hit in anna.search("meet", "#plans")] == ["meet at eight"]
        assert {hit.room_name for hit in anna.search("meet")} == {"#plans"}

        assert anna.safety_number("ben").number == ben.safety_number("anna").number
        anna.mark_verified("ben", ben.safety_number("anna").number)
        assert [person.trust for person in anna.people() if person.handle == "ben"] == [Trust.VERIFIED]
        with pytest.raises(CommandFailed):
            ben.mark_verified("anna", "0" * 60)
        assert anna.status().profile == "anna"
        assert anna.invite_link().startswith("secure-chat://")
        assert len(anna.devices()) == 1
        assert "lobby" in [room.name for room in anna.open_rooms()]


@pytest.mark.usefixtures("home")
def test_failures_are_typed(relay: RelayProcess) -> None:
    """A program can tell what went wrong."""
    with join(relay, "carl") as carl:
        with pytest.raises(CommandFailed) as unknown:
            carl.history("#nowhere")
        assert unknown.value.code is FailureCode.NOT_FOUND
        with pytest.raises(CommandFailed) as large:
            carl.send("#lobby", "x" * 100_000)
        assert large.value.code is FailureCode.TOO_LARGE
        with pytest.raises(CommandFailed, match="no answer"):
            carl.ask(Send("#lobby", "x"), timeout=0)
    with pytest.raises(ClientClosed):
        carl.status()
    carl.close()
    with pytest.raises(ProfileMissing):
        Client.open("nobody")


@pytest.mark.usefixtures("home")
def test_passphrase_locks_and_can_be_changed(relay: RelayProcess) -> None:
    """Wrong or missing: a clear error and no damage; changed while open, effective afterwards."""
    with join(relay, "dora", passphrase="one") as dora:
        dora.change_lock(Lock.PASSPHRASE, "two").result()
    with pytest.raises(WrongPassphraseError):
        Client.open("dora", passphrase="one")
    with pytest.raises(PassphraseNeeded):
        Client.open("dora")
    asked = []

    def ask() -> str:
        asked.append(True)
        return "two"

    with Client.open("dora", passphrase=ask) as dora:
        assert dora.status().handle == "dora"
        with Client.open("dora", passphrase=ask) as hand:
            assert not hand.is_owner
        dora.change_lock(Lock.KEY_FILE).result()
    assert len(asked) == 1
    with Client.open("dora", passphrase=ask) as dora:
        assert dora.is_owner
    assert len(asked) == 1


@pytest.mark.usefixtures("home")
def test_second_client_is_a_hand_on_the_first(relay: RelayProcess) -> None:
    """The same methods, the same events, through the owner's socket."""
    with join(relay, "emil") as emil, Client.open("emil") as hand:
        assert not hand.is_owner
        with emil.events(20) as own, hand.events(20) as others:
            message_id, state = hand.deliver("#lobby", "by hand")
            assert state is DeliveryState.SENT
            for stream in (own, others):
                assert any(isinstance(event, MessageAdded) and event.message.id == message_id for event in stream)
        assert hand.history("#lobby")[-1].text == "by hand"
        with pytest.raises(CommandFailed) as caught:
            hand.history("#nowhere")
        assert caught.value.code is FailureCode.NOT_FOUND
        assert hand.rooms() == emil.rooms()


@pytest.mark.usefixtures("home")
def test_hand_takes_over_when_the_owner_ends(relay: RelayProcess) -> None:
    """Commands and event streams go on; the next process becomes the owner."""
    emma = join(relay, "emma")
    with Client.open("emma") as hand, hand.events(30) as events:
        emma.close()
        wait_until(lambda: hand.is_owner, "the hand owns the profile")
        assert hand.wait_until_online()
        message_id = hand.send("#lobby", "still here")
        assert any(isinstance(event, MessageAdded) and event.message.id == message_id for event in events)


@pytest.mark.usefixtures("home")
def test_many_threads_and_hands_send_and_nothing_is_lost_or_doubled(relay: RelayProcess) -> None:
    """Commands from anywhere go through one owner."""
    with join(relay, "fritz") as fritz, join(relay, "gerd") as gerd:
        hands = [Client.open("fritz") for _ in range(4)]
        texts = [f"message {number}" for number in range(40)]

        def send(client: Client, part: list[str]) -> None:
            for text in part:
                client.send("#lobby", text)

        threads = [
            threading.Thread(target=send, args=(client, texts[index::5]))
            for index, client in enumerate([fritz, *hands])
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wait_until(lambda: len([x for x in gerd.history("#lobby", 200) if x.sender == "fritz"]) >= 40, "all arrived")
        assert sorted(line.text for line in gerd.history("#lobby", 200) if line.sender == "fritz") == sorted(texts)
        for hand in hands:
            hand.close()


@pytest.mark.usefixtures("home")
def test_streams_end_with_the_client(relay: RelayProcess) -> None:
    """Iteration ends after the last event, and after a silence if one was asked for."""
    heinz = join(relay, "heinz")
    assert list(heinz.events(0.05)) == []
    stream = heinz.events()
    heinz.close()
    assert isinstance(list(stream)[-1], ShuttingDown)


@pytest.mark.usefixtures("home")
def test_outbox_survives_the_process_and_a_relay_that_is_down(tmp_path: Path) -> None:
    """Queued while the relay is down, sent by the next process once it is back."""
    from tests.relay_process import running

    with running(tmp_path) as relay:
        ida = join(relay, "ida")
        relay.kill()
        message_id, state = ida.deliver("#lobby", "later", timeout=1.0)
        assert state is DeliveryState.QUEUED
        ida.close()
        with Client.open("ida") as ida:
            assert not ida.wait_until_online()
            assert ida.message(message_id).state is DeliveryState.QUEUED
            relay.start(port=relay.address[1])
            wait_until(lambda: ida.message(message_id).state is not DeliveryState.QUEUED, "sent", timeout=60)
            assert ida.message(message_id).state is DeliveryState.SENT
            assert [line.text for line in ida.history("#lobby")].count("later") == 1
    assert Profile("ida").exists
