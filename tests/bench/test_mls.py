"""The MLS benchmark measures what it says, on groups small enough for a test."""

import pytest

from bench.mls.catalog import OPERATIONS, REFERENCE
from bench.mls.floor import measure_primitives
from bench.mls.own import bulk_group, filled_group, follow
from secure_chat.mls.crypto.suite import SUITES
from secure_chat.mls.group.results import Application
from secure_chat.mls.tree.ratchet_tree import RatchetTree


def parents(tree: bytes) -> int:
    """Non-blank parent nodes of an encoded tree."""
    return len(list(RatchetTree.decode(SUITES[3], tree).parents()))


def test_a_filled_group_has_no_blank_parent_node() -> None:
    """And its two ends hold the same epoch."""
    alice, bob = filled_group(SUITES[3], 8)
    assert parents(alice.ratchet_tree()) == 7
    assert alice.epoch_authenticator == bob.epoch_authenticator
    follow(bob, alice.commit().commit)
    alice.merge_pending()
    assert alice.epoch_authenticator == bob.epoch_authenticator


@pytest.mark.parametrize("number", [3, 0xF00E])
def test_a_bulk_group_has_only_the_founders_path(number: int) -> None:
    """Everybody can join by the one Welcome and open what the founder sends."""
    results: dict[str, list[float]] = {}
    bulk = bulk_group(SUITES[number], 5, results, "add")
    assert len(results["add"]) == 3
    members = [client.join(bulk.welcome) for client in bulk.others]
    sent = bulk.founder.protect(b"hello")
    for member in members:
        opened = member.receive(sent)
        assert isinstance(opened, Application)
        assert opened.data == b"hello"


def test_every_operation_has_a_floor() -> None:
    """Its primitives are measured, and the floor lies below the target on the machine the targets are for."""
    measured = measure_primitives(runs=2)
    assert measured.keys() == REFERENCE.keys()
    for operation in OPERATIONS:
        assert operation.floor(measured) > 0
        assert operation.floor(REFERENCE) < operation.target
