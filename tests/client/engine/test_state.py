"""What the engine keeps in memory and what it reads again."""

from secure_chat.client.commands import AcceptInvitation, CreateRoom, InvitePeople, Send
from secure_chat.client.engine.state import GROUPS_IN_MEMORY, State
from secure_chat.client.store.store import Store
from tests.client.engine.conftest import NOW
from tests.scenarios.harness import world


def test_many_rooms_are_not_all_kept_in_memory() -> None:
    """Those used last are; the others come from the store, exactly as they were."""
    with world() as w:
        alice, bob = w.join("alice"), w.join("bob")
        rooms = [str(alice.do(CreateRoom(f"room{n}", suite=3))) for n in range(GROUPS_IN_MEMORY + 6)]
        for room in rooms[:3]:
            alice.do(InvitePeople(room, ("bob",)))
            w.settle(2_000)
            bob.do(AcceptInvitation(room))
        for room in rooms:
            alice.do(Send(room, f"to {room}"))
        assert len(alice.engine._state._groups) == GROUPS_IN_MEMORY
        w.settle()
        assert bob.texts() == [f"to {room}" for room in rooms[:3]]


def test_timers_are_due_once_and_in_order(state: State) -> None:
    """The earliest of a kind stays; a reset moves it."""
    state.set_timer("b", b"room", NOW + 20)
    state.set_timer("b", b"room", NOW + 30)
    state.set_timer("a", b"room", NOW + 10)
    state.reset_timer("a", b"room", NOW + 15)
    assert state.flush().wake_at == NOW + 15
    state.begin(NOW + 20)
    assert list(state.due()) == [("a", b"room"), ("b", b"room")]
    assert list(state.due()) == []
    assert state.flush().wake_at == 0


def test_counters_are_on_disk_before_anything_is_sent_under_them(state: State, store: Store) -> None:
    """A new engine goes on after them."""
    assert (state.next_append(), state.next_append(), state.next_order()) == (1, 2, 1)
    store.apply(state.flush().writes)
    again = State(store, state.random)
    assert (again.next_append(), again.next_order()) == (3, 2)
