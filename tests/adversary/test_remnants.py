"""What a deleted key leaves behind on a client's disk: nothing, in whatever part of the file it stood."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import apsw
import pytest

from secure_chat.client.commands import AcceptInvitation, CreateRoom, Delete, InvitePeople, RefreshKeys, Send
from secure_chat.client.engine.effects import DeleteRow, PutRow
from secure_chat.client.engine.spaces import KEY_PACKAGES
from secure_chat.client.events import Invited
from secure_chat.client.store.store import Store
from tests.adversary.audit import lying_relay
from tests.adversary.rooms import closed_room
from tests.client.store.pages import raw_pages
from tests.scenarios.harness import STORE_KEY, Node

WINDOW = 16
"""Bytes of a secret that nobody guesses and that don't occur twice by chance."""


def secrets(store: Store) -> dict[tuple[str, bytes], bytes]:
    """The rows that hold private keys and secrets."""
    return {
        (space, key): value
        for space in store.spaces()
        if space.startswith("group/") or space == KEY_PACKAGES
        for key, value in store.scan(space)
        if space == KEY_PACKAGES or key.startswith((b"keys/", b"private/", b"epoch", b"past/", b"pending/"))
    }


def lost(before: Mapping[tuple[str, bytes], bytes], now: bytes) -> Iterator[bytes]:
    """Pieces of what stood in the rows of then and stands in no row any more."""
    for value in before.values():
        for place in range(0, len(value) - WINDOW + 1, 4):
            piece = value[place : place + WINDOW]
            if len(set(piece)) > WINDOW // 2 and piece not in now:  # a secret's bytes, not lengths and zeros
                yield piece


def everything(store: Store) -> bytes:
    """All rows' values as they are now."""
    return b"\n".join(value for space in store.spaces() for _, value in store.scan(space))


def leftovers(node: Node, before: Mapping[tuple[str, bytes], bytes]) -> tuple[int, int]:
    """How many pieces of earlier secrets are no longer in any row, and how many of those the file still holds."""
    gone = set(lost(before, everything(node.store)))
    pages = raw_pages(node.path, STORE_KEY)
    return len(gone), sum(piece in pages for piece in gone)


def test_used_keys_are_on_no_page_of_the_file() -> None:
    """Ratchet keys, epoch secrets, path keys, key packages: all that was deleted is gone from free space and log, too.

    The control: before, the same pages hold every one of them.
    """
    with lying_relay() as world:
        alice, bob = closed_room(world, "bob")
        bob.go_offline()
        alice.do(Send("#plans", "to be read soon"))
        alice.do(CreateRoom("second", None, False))
        alice.do(InvitePeople("#second", ("bob",)))
        world.settle()
        bob.store.checkpoint()
        before = secrets(bob.store)
        pages = raw_pages(bob.path, STORE_KEY)
        pieces = set(lost(before, b""))
        assert len(pieces) > 1_000
        # A few lie across two pages, where the value did not fit on one.
        assert sum(piece in pages for piece in pieces) > 0.9 * len(pieces)

        bob.go_online()
        world.settle()
        bob.do(AcceptInvitation(bob.told(Invited)[-1].invitation.room))
        bob.do(RefreshKeys("#plans"))
        bob.do(Send("#plans", "mine"))
        for _ in range(6):  # past epochs go, too
            alice.do(RefreshKeys("#plans"))
        world.settle()
        gone, left = leftovers(bob, before)
        assert gone > 300
        assert left > 0, "until the log is emptied it holds them: the search is proven once more"
        bob.store.checkpoint()
        assert leftovers(bob, before) == (gone, 0)


def test_a_deleted_message_is_on_no_page_of_the_file() -> None:
    """Neither its text nor its words in the search index."""
    with lying_relay() as world:
        alice, bob = closed_room(world, "bob")
        alice.do(Send("#plans", "incriminating evidence"))
        world.settle()
        bob.store.checkpoint()
        assert b"incriminating" in raw_pages(bob.path, STORE_KEY)
        message = next(line.id for line in alice.history() if line.text == "incriminating evidence")
        alice.do(Delete(message))
        world.settle()
        for node in (alice, bob):
            node.store.checkpoint()
            assert b"incriminating" not in raw_pages(node.path, STORE_KEY), node.name


@pytest.mark.parametrize("careless", [False, True])
def test_deleted_rows_are_overwritten_where_they_stood(tmp_path: Path, careless: bool) -> None:
    """On pages that stay in use and on those that become free; without the store's care the search finds them."""
    path = tmp_path / "store.db"
    values = [b"secret %6d " % number * 20 for number in range(2_000)]
    with Store.create(path, STORE_KEY) as store:
        store.apply([PutRow("s", number.to_bytes(4, "big"), value) for number, value in enumerate(values)])
        store.commit()
    assert b"secret   1999" in raw_pages(path, STORE_KEY)
    if careless:
        connection = apsw.Connection(str(path))
        connection.pragma("cipher", "chacha20")
        connection.pragma("key", "raw:" + STORE_KEY.hex())
        connection.pragma("secure_delete", "OFF")
        connection.execute("DELETE FROM rows WHERE space = 's'")
        connection.close()
    else:
        with Store.open(path, STORE_KEY) as store:
            store.apply([DeleteRow("s", None)])
            store.commit()
    copy = tmp_path / "copy.db"
    shutil.copy(path, copy)
    with Store.open(copy, STORE_KEY) as store:
        assert not list(store.scan("s"))
    assert (b"secret " in raw_pages(path, STORE_KEY)) is careless
