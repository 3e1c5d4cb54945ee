"""A real store with a new profile, and the engine's state over it."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_chat.client.engine import spaces
from secure_chat.client.engine.create import new_profile
from secure_chat.client.engine.spaces import Phase, Room
from secure_chat.client.engine.state import State
from secure_chat.client.store.store import Store
from secure_chat.client.views import RoomKind

NOW = 1_700_000_000_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An encrypted store that holds the profile of `me`."""
    with Store.create(tmp_path / "store.db", bytes(32)) as store:
        store.apply(
            new_profile(random.Random(1), NOW, handle="me", address="relay:7443", ca_pin=bytes(32), token="token")
        )
        store.commit()
        yield store


@pytest.fixture
def state(store: Store) -> State:
    """What the engine knows at its start."""
    state = State(store, random.Random(2))
    state.begin(NOW)
    return state


@pytest.fixture
def room(state: State) -> Room:
    """A closed room that this device is in."""
    room = Room(spaces.FORMAT, bytes(16), RoomKind.ROOM, "team", phase=Phase.JOINED, generation=1)
    room.entered_generation, room.entered_epoch = 1, 5
    state.save(room)
    return room
