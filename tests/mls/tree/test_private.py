"""Private keys by node: copies, storage, forgetting."""

import pytest

from secure_chat.mls.crypto.secret import Secret
from secure_chat.mls.crypto.suite import HPKEPrivateKey
from secure_chat.mls.errors import StorageError
from secure_chat.mls.tree.math import NodeIndex
from secure_chat.mls.tree.private import TreePrivate
from tests.mls.suites import FAST
from tests.mls.tree.party import Party


def test_private_keys_survive_storage() -> None:
    """Only what changed is written, and what is written suffices."""
    party = Party(8)
    party.commit(0)
    private = party.privates[3]
    rows = {node: data for node, data in private.drain_changes() if data is not None}
    assert private.drain_changes() == []
    party.commit(7)
    for node, data in private.drain_changes():
        assert data is None or isinstance(data, Secret)
        if data is None:
            del rows[node]
        else:
            rows[node] = data
    loaded = TreePrivate.load(FAST, 3, rows.items())
    assert loaded.nodes() == private.nodes()
    assert loaded.drain_changes() == []
    party.privates[3] = loaded
    party.commit(1)
    party.check()


def test_keys_of_blanked_and_replaced_nodes_are_forgotten() -> None:
    """§7.5: outdated key material is deleted."""
    party = Party(4)
    party.commit(0)
    private = party.privates[0]
    assert private.nodes() == [0, 1, 3]
    private.drain_changes()
    party.remove(3)
    assert private.nodes() == [0, 1]
    assert private.drain_changes() == [(NodeIndex(3), None)]


def test_a_copy_is_independent() -> None:
    """Staging on a copy leaves no trace."""
    private = TreePrivate(0, HPKEPrivateKey.generate(FAST))
    private.drain_changes()
    other = private.copy()
    other.set_key(NodeIndex(1), HPKEPrivateKey.generate(FAST))
    assert private.key(NodeIndex(1)) is None
    assert private.drain_changes() == []
    assert [node for node, _ in other.drain_changes()] == [1]


KEY = HPKEPrivateKey.generate(FAST).private_bytes


@pytest.mark.parametrize(
    "rows", [[], [(4, KEY[:-1])], [(4, b"")], [(2, KEY)]], ids=["none", "cut", "empty", "another leaf's"]
)
def test_damaged_rows_are_a_storage_error(rows: list[tuple[int, bytes]]) -> None:
    """No own key, or bytes that are none."""
    with pytest.raises(StorageError):
        TreePrivate.load(FAST, 2, rows)
