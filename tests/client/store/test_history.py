"""Lines of history: encoding, replacement and paging."""

from hypothesis import given
from hypothesis import strategies as st

from secure_chat.client.engine.effects import PutMessage
from secure_chat.client.store import Store
from secure_chat.client.views import DeliveryState, MessageKind, MessageView, Reaction
from tests.client.lines import LOBBY, OTHER, line


def put(store: Store, *lines: MessageView) -> None:
    store.apply([PutMessage(each) for each in lines])
    store.commit()


def texts(lines: tuple[MessageView, ...]) -> list[str]:
    return [each.text for each in lines]


def test_every_field_comes_back(store: Store) -> None:
    """A line is stored as it was given but for its position."""
    reactions = (Reaction("👍", ("bob", "carol")), Reaction("🎉", ("dave",)))
    full = line("m", "text\x00\u202e", position=7, edited=True, deleted=True, reply_to="ab" * 16, reactions=reactions)
    put(store, full)
    assert store.message(full.id) == full
    assert store.message("00" * 16) is None


def test_each_kind_and_state_is_stored(store: Store) -> None:
    """No value of the contract is lost."""
    for number, kind in enumerate(MessageKind):
        for state in DeliveryState:
            given_line = line(f"{number} {state}", kind=kind, state=state)
            put(store, given_line)
            found = store.message(given_line.id)
            assert found is not None
            assert (found.kind, found.state) == (kind, state)


def test_positions_are_given_in_order_and_kept(store: Store) -> None:
    """A new line goes to the end; a changed one stays where it is."""
    put(store, line("a"), line("b"), line("c"))
    put(store, line("b", "b changed", edited=True))
    assert texts(store.history(LOBBY, 10)) == ["a", "b changed", "c"]
    assert [each.position for each in store.history(LOBBY, 10)] == [1, 2, 3]
    assert store.next_position() == 4


def test_line_moves_to_a_position_given(store: Store) -> None:
    """The engine may set a line behind those that came first at the relay; the index follows."""
    put(store, line("a", "early"), line("b"))
    put(store, line("a", "early", position=9))
    assert texts(store.history(LOBBY, 10)) == ["b", "early"]
    assert [hit.message.position for hit in store.search("early")] == [9]
    assert store.next_position() == 10


def test_pages_go_back_and_forth(store: Store) -> None:
    """The newest first page, those before it, those after a position; always oldest first."""
    put(store, *(line(str(number), room=OTHER if number % 2 else LOBBY) for number in range(1, 21)))
    assert texts(store.history(OTHER, 3)) == ["15", "17", "19"]
    assert texts(store.history(OTHER, 3, before=15)) == ["9", "11", "13"]
    assert texts(store.history(OTHER, 3, after=15)) == ["17", "19"]
    assert texts(store.history(OTHER, 3, after=1)) == ["3", "5", "7"]
    assert texts(store.history(OTHER, 2, before=15, after=9)) == ["11", "13"]
    assert texts(store.history(None, 4)) == ["17", "18", "19", "20"]
    assert texts(store.history("33" * 16, 4)) == []


@given(st.text(max_size=50))
def test_any_text_survives(text: str) -> None:
    """Whatever somebody sends is stored as it was sent: encoded and decoded alike."""
    import apsw

    from secure_chat.client.store import history, schema

    connection = apsw.Connection(":memory:")
    schema.migrate(connection)
    given_line = line("m", text or "-", position=1)
    history.put(connection, given_line, 1)
    history.put(connection, line("m", "other", position=1), 2)
    history.put(connection, given_line, 2)
    assert history.find(connection, given_line.id) == given_line
    connection.execute("INSERT INTO search(search, rank) VALUES('integrity-check', 1)")
    connection.close()
