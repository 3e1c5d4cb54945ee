"""Full-text search: what is found, in which order, and what can't be injected."""

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_chat.client.engine.effects import PutMessage
from secure_chat.client.store import Store
from secure_chat.client.store.schema import ROOM_MARK, migrate
from secure_chat.client.store.search import MAX_EXPANSION, MAX_WORDS, match_expression, search
from secure_chat.client.views import DeliveryState, MessageKind
from tests.client.lines import LOBBY, OTHER, line


def found(store: Store, text: str, room: str | None = None, limit: int = 50) -> list[str]:
    return [hit.message.text for hit in store.search(text, room, limit)]


@pytest.fixture
def filled(store: Store) -> Store:
    lines = [
        line("1", "the quick brown fox"),
        line("2", "quick silver", room=OTHER),
        line("3", "Grüße aus dem Café"),
        line("4", "quick brown owl"),
        line("5", "alice joined quick", kind=MessageKind.NOTICE),
    ]
    store.apply([PutMessage(each) for each in lines])
    store.commit()
    return store


def test_hits_are_newest_first_everywhere_or_in_one_room(filled: Store) -> None:
    """The room filter only narrows."""
    assert found(filled, "quick") == ["quick brown owl", "quick silver", "the quick brown fox"]
    assert found(filled, "quick", LOBBY) == ["quick brown owl", "the quick brown fox"]
    assert found(filled, "quick", OTHER) == ["quick silver"]
    assert found(filled, "quick", "33" * 16) == []


def test_limit_keeps_the_newest(filled: Store) -> None:
    """The oldest hits fall off."""
    assert found(filled, "quick", limit=1) == ["quick brown owl"]


def test_words_are_joined_by_and_and_match_as_beginnings(filled: Store) -> None:
    """All words must be there; one to three letters and more are enough; case and accents don't matter."""
    assert found(filled, "bro qui") == ["quick brown owl", "the quick brown fox"]
    assert found(filled, "b f") == ["the quick brown fox"]
    assert found(filled, "GRUSSE") == []
    assert found(filled, "gruße CAFE") == ["Grüße aus dem Café"]
    assert found(filled, "uick") == []


def test_quotes_make_an_exact_phrase(filled: Store) -> None:
    """A quoted phrase matches whole words in this order."""
    assert found(filled, '"brown fox"') == ["the quick brown fox"]
    assert found(filled, '"fox brown"') == []
    assert found(filled, '"brown fo"') == []
    assert found(filled, '"brown fox') == ["the quick brown fox"]


@pytest.mark.parametrize("text", ["", "  ", "()", '"', '""', "*", "- + ^", ROOM_MARK, "👍"])
def test_search_without_a_word_finds_nothing(filled: Store, text: str) -> None:
    """Punctuation alone is no search, and no error."""
    assert found(filled, text) == []


@pytest.mark.parametrize("text", ["quick NOT brown", "room:x", "text:quick", "quick*)", "NEAR(quick brown)", "quick^"])
def test_query_language_is_not_reachable(filled: Store, text: str) -> None:
    """What people type are words, never operators."""
    assert set(found(filled, text)) <= {"quick brown owl", "quick silver", "the quick brown fox"}
    assert found(filled, "brown OR silver") == []


def test_room_marks_are_not_reachable_by_typing(filled: Store) -> None:
    """The token by which rooms are filtered can't be searched for, in messages or by input."""
    assert found(filled, ROOM_MARK + LOBBY) == []
    assert found(filled, LOBBY) == []


def test_edited_and_deleted_text_is_no_longer_found(filled: Store) -> None:
    """The index follows the line."""
    filled.apply(
        [PutMessage(line("1", "a slow badger", edited=True)), PutMessage(line("4", "quick owl", deleted=True))]
    )
    assert found(filled, "quick") == ["quick silver"]
    assert found(filled, "badger") == ["a slow badger"]
    filled.apply([PutMessage(line("1", "a slow badger", state=DeliveryState.READ))])
    assert found(filled, "badger") == ["a slow badger"]


def test_hits_carry_snippet_marks_and_room_names(filled: Store) -> None:
    """Skins can show where the words are."""
    (hit,) = filled.search("silver", names={OTHER: "metals"})
    assert hit.snippet == "quick \x02silver\x03"
    assert hit.room_name == "metals"


def test_number_of_words_is_bounded() -> None:
    """A pasted page doesn't become a thousand-word query."""
    connection = apsw.Connection(":memory:")
    migrate(connection)
    assert match_expression(connection, "word " * 1000).count("word") == MAX_WORDS
    connection.close()


@given(st.text(st.characters(exclude_categories=()), max_size=30))
def test_any_input_is_a_valid_query(text: str) -> None:
    """No input breaks the expression."""
    connection = apsw.Connection(":memory:")
    migrate(connection)
    search(connection, text, LOBBY, 5, {})
    search(connection, text, None, 5, {})
    connection.close()


def test_long_beginnings_find_the_same_whether_expanded_or_not(store: Store) -> None:
    """More words than are named one by one fall back to the index's own way."""
    for count in (5, MAX_EXPANSION + 5):
        store.apply([PutMessage(line(f"{count} {i}", f"beginning{count}x{i}")) for i in range(count)])
        assert len(store.search(f"BEGINNING{count}x", limit=1000)) == count
    assert found(store, "beginnings") == []
