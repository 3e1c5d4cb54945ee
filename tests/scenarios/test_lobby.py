"""The lobby: everybody enters it on first connection, and what is said there arrives."""

from secure_chat.client.commands import Send
from secure_chat.client.views import DeliveryState
from tests.scenarios.harness import world


def test_two_people_meet_in_the_lobby_and_talk() -> None:
    """The first founds the lobby, the second is let in, and both read each other."""
    with world() as w:
        alice, bob = w.join("alice"), w.join("bob")
        alice.do(Send("#lobby", "hello bob"))
        w.settle()
        bob.do(Send("#lobby", "hello alice"))
        w.settle()
        assert alice.texts() == bob.texts() == ["hello bob", "hello alice"]
        states = {line.text: line.state for line in alice.history() if line.kind == "text"}
        assert states == {"hello bob": DeliveryState.DELIVERED, "hello alice": DeliveryState.RECEIVED}
