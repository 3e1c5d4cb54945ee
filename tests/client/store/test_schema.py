"""Schema versions of the client's store."""

from pathlib import Path

import apsw
import pytest

from secure_chat.client.engine.effects import PutMessage
from secure_chat.client.errors import StoreTooNewError
from secure_chat.client.store import Store
from secure_chat.client.store.schema import VERSION, migrate
from tests.client.lines import KEY, line


def raw(path: Path) -> apsw.Connection:
    connection = apsw.Connection(str(path))
    connection.pragma("key", "raw:" + KEY.hex())
    return connection


def test_store_of_a_later_version_is_refused_untouched(path: Path) -> None:
    """An older program must not half-understand a newer store."""
    Store.create(path, KEY).close()
    connection = raw(path)
    connection.pragma("user_version", VERSION + 1)
    connection.close()
    with pytest.raises(StoreTooNewError, match="update"):
        Store.open(path, KEY)
    connection = raw(path)
    assert connection.pragma("user_version") == VERSION + 1
    connection.close()


def test_migrating_twice_changes_nothing(path: Path) -> None:
    """A current store is left alone."""
    with Store.create(path, KEY) as store:
        store.apply([PutMessage(line("here"))])
        store.commit()
    connection = raw(path)
    migrate(connection)
    connection.close()
    with Store.open(path, KEY) as store:
        assert len(store.search("here")) == 1


def test_index_agrees_with_its_view(path: Path) -> None:
    """What FTS5's own integrity check reads through the view is what was indexed."""
    with Store.create(path, KEY) as store:
        store.apply([PutMessage(line(str(i), f"text number {i}", room=f"{i:032x}")) for i in range(20)])
        store.apply([PutMessage(line("3", "changed", room=f"{3:032x}")), PutMessage(line("4", "gone", deleted=True))])
        store.commit()
    connection = raw(path)
    connection.execute("INSERT INTO search(search, rank) VALUES('integrity-check', 1)")
    connection.close()
