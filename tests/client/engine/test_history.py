"""Lines, unread counts, mentions, and findings that repeat."""

import pytest

from secure_chat.client.commands import MarkRead, Mute, Send
from secure_chat.client.engine.history import REPEAT_WINDOW, History
from secure_chat.client.engine.spaces import Room
from secure_chat.client.engine.state import State
from secure_chat.client.events import MessageAdded, MessageChanged, SecurityKind, SecurityNotice
from secure_chat.client.store.store import Store
from tests.scenarios.harness import world


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("me", True),
        ("@me: look", True),
        ("ask ME, please", True),
        ("(me)", True),
        ("me.", True),
        ("some", False),
        ("mean", False),
        ("me-too", False),
        ("a.me", False),
        ("you", False),
    ],
)
def test_a_mention_is_the_name_as_a_word(state: State, text: str, names: bool) -> None:
    """With or without the sign, in any case."""
    assert History(state).mentions(text) is names


def test_the_same_finding_again_counts_up_its_line(state: State, room: Room, store: Store) -> None:
    """One line and one event, however many entries are bad."""
    history = History(state)
    for _ in range(3):
        history.security(room, SecurityKind.REPLAY, "Something came again.", handle="bob")
        store.apply(state.flush().writes)
        events = state.effects.events
        state.begin(state.now + 1)
    assert [type(event) for event in events] == [MessageChanged]
    lines = store.history(room.channel.hex(), 10)
    assert [line.text for line in lines] == ["Something came again. (3 times)"]


def test_another_finding_or_a_later_one_has_a_line_of_its_own(state: State, room: Room, store: Store) -> None:
    """By kind, person and time."""
    history = History(state)
    for kind, handle, later in (
        (SecurityKind.REPLAY, "bob", 0),
        (SecurityKind.REPLAY, "carol", 0),
        (SecurityKind.UNDECRYPTABLE, "bob", 0),
        (SecurityKind.REPLAY, "bob", REPEAT_WINDOW + 1),
    ):
        state.begin(state.now + later)
        history.security(room, kind, "text", handle=handle)
        assert any(isinstance(event, SecurityNotice) for event in state.effects.events)
        store.apply(state.flush().writes)
    assert len(store.history(room.channel.hex(), 10)) == 4


def test_what_others_write_is_unread_until_it_is_seen() -> None:
    """Up to a message, or all; one's own writing counts as seeing."""
    with world() as w:
        alice, bob = w.join("alice"), w.join("bob")
        for text in ("one", "hey bob", "three"):
            alice.do(Send("#lobby", text))
        w.settle()
        assert [(e.message.text, e.mention) for e in bob.told(MessageAdded)] == [
            ("one", False),
            ("hey bob", True),
            ("three", False),
        ]
        lobby = bob.rooms()["#lobby"]
        assert (lobby.unread, lobby.mentions) == (3, 1)
        second = next(line.id for line in bob.history() if line.text == "hey bob")
        bob.do(MarkRead("#lobby", second))
        lobby = bob.rooms()["#lobby"]
        assert (lobby.unread, lobby.mentions) == (1, 0)
        bob.do(Send("#lobby", "seen"))
        assert bob.rooms()["#lobby"].unread == 0


def test_unread_counts_survive_a_restart_and_a_muted_room_mentions_nobody() -> None:
    """They are on disk."""
    with world() as w:
        alice, bob = w.join("alice"), w.join("bob")
        bob.do(Mute("#lobby"))
        alice.do(Send("#lobby", "bob bob bob"))
        w.settle()
        bob.crash()
        w.settle()
        lobby = bob.rooms()["#lobby"]
        assert (lobby.unread, lobby.mentions, lobby.muted) == (1, 0, True)
