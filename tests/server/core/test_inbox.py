"""Inboxes and Welcomes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_chat.server.core.effects import Delivery
from secure_chat.server.core.inbox import split_frame
from secure_chat.server.core.settings import Settings
from secure_chat.wire.errors import ErrorCode
from secure_chat.wire.framing import encode_frame
from secure_chat.wire.messages import (
    Append,
    Appended,
    ChannelChange,
    Entry,
    EntryKind,
    Error,
    MemberDevice,
    Welcome,
)
from tests.server.relay_host import Peer, RelayHost

ids = st.binary(min_size=16, max_size=16)
keys = st.binary(min_size=32, max_size=32)
numbers = st.integers(0, 2**63 - 1)
entries = st.builds(
    Entry,
    channel=ids,
    seq=numbers,
    kind=st.sampled_from(EntryKind),
    sender=ids,
    store=ids,
    counter=numbers,
    time=numbers,
    head=numbers,
    payload=st.one_of(st.binary(max_size=600), st.sampled_from([bytes(255), bytes(256), bytes(65_535), bytes(65_536)])),
    added=st.lists(st.builds(MemberDevice, ids, keys), max_size=20).map(tuple),
    removed=st.lists(ids, max_size=20).map(tuple),
    admins=st.none() | st.lists(keys, max_size=3).map(tuple),
    origin=st.none() | st.tuples(ids, numbers),
)


@given(entries)
def test_a_split_frame_is_the_frame(entry: Entry) -> None:
    """What is put together around a Welcome are the bytes of an ordinary frame."""
    start, end = split_frame(entry)
    assert start + entry.payload + end == encode_frame(entry)


def _welcome(host: RelayHost, alice: Peer, peers: list[Peer], payload: bytes) -> bytes:
    room = alice.room()
    message = Append(
        alice.next_id(),
        room,
        alice.next_counter(),
        EntryKind.COMMIT,
        1,
        b"commit",
        ChannelChange(add=tuple(peer.member for peer in peers)),
        (Welcome(payload, tuple(peer.device_id for peer in peers)),),
    )
    assert isinstance(alice.ask(message), Appended)
    return room


def test_a_welcome_for_many_is_stored_once(host: RelayHost) -> None:
    """And deleted with the last inbox entry that refers to it."""
    alice, *others = (Peer.join(host, f"peer{number}") for number in range(21))
    _welcome(host, alice, others, bytes(10_000))
    counted = "SELECT count(*), sum(length(payload)) FROM welcomes"
    assert _sql(host, counted) == (1, 10_000)
    for peer in others:
        (entry,) = peer.entries(peer.inbox)
        assert entry.payload == bytes(10_000)
        assert host.reader.read_after(peer.inbox, 0, 10, 1)[0] == (1, encode_frame(entry))
    for peer in others[:-1]:
        peer.acknowledge(peer.inbox, 1)
    for _ in range(3):
        host.tick()
    assert _sql(host, counted) == (1, 10_000)
    others[-1].acknowledge(others[-1].inbox, 1)
    host.tick()
    assert _sql(host, counted) == (0, None)


def _sql(host: RelayHost, statement: str) -> tuple[object, ...]:
    with host.database.transaction() as transaction:
        return transaction.log._sql.one(statement)


def test_a_welcome_waits_for_a_device_that_is_away(host: RelayHost) -> None:
    """Also across a restart."""
    alice, bob = Peer.join(host, "alice"), Peer.join(host, "bob")
    bob.disconnect()
    room = _welcome(host, alice, [bob], b"welcome")
    host.restart()
    bob.connect()
    assert bob.log_in().inbox.last == 1
    (entry,) = bob.entries(bob.inbox)
    assert (entry.payload, entry.origin) == (b"welcome", (room, 2))


def test_large_welcomes_are_read_from_the_log(host: RelayHost) -> None:
    """What would fill memory is not handed out as frames; the recipients get it all the same."""
    alice, *others = (Peer.join(host, f"peer{number}") for number in range(8))
    _welcome(host, alice, others, bytes(1 << 20))
    inboxes = {peer.inbox for peer in others}
    handed = [output for output in host.outputs if isinstance(output, Delivery) and output.channel in inboxes]
    assert [bool(output.frame) for output in handed] == [True] * 3 + [False] * 4
    for peer in others:
        (entry,) = peer.entries(peer.inbox)
        assert entry.payload == bytes(1 << 20)


@pytest.mark.parametrize(
    "settings",
    [Settings(inbox_entries_per_sender=2), Settings(inbox_bytes_per_sender=2_500), Settings(inbox_entries=2)],
)
def test_an_inbox_can_not_be_flooded(host: RelayHost, settings: Settings) -> None:
    """By count or bytes of one account, or in all."""
    host.relay.reconfigure(settings, b"")
    alice, bob, carol = (Peer.join(host, name) for name in ("alice", "bob", "carol"))
    for _ in range(2):
        _welcome(host, alice, [bob], bytes(1_000))
    room = alice.room()
    answer = alice.append(
        room,
        EntryKind.COMMIT,
        change=ChannelChange(add=(bob.member,)),
        welcomes=(Welcome(bytes(1_000), (bob.device_id,)),),
    )
    assert isinstance(answer, Error)
    assert answer.code is ErrorCode.QUOTA
    if settings.inbox_entries > 2:
        _welcome(host, carol, [bob], bytes(1_000))


def test_welcomes_are_for_members(host: RelayHost) -> None:
    """Who is a member already may get one again; strangers, the removed, and nobody twice."""
    alice, bob, eve = (Peer.join(host, name) for name in ("alice", "bob", "eve"))
    room = alice.room(bob)

    def code(change: ChannelChange | None, *welcomes: Welcome) -> ErrorCode | None:
        answer = alice.append(room, EntryKind.COMMIT, change=change, welcomes=welcomes)
        return answer.code if isinstance(answer, Error) else None

    assert code(None, Welcome(b"w", (eve.device_id,))) is ErrorCode.FORBIDDEN
    assert code(ChannelChange(remove=(bob.device_id,)), Welcome(b"w", (bob.device_id,))) is ErrorCode.FORBIDDEN
    assert code(None, Welcome(b"w", (bob.device_id,))) is None
    twice = Welcome(b"w", (bob.device_id, bob.device_id))
    assert isinstance(alice.append(room, EntryKind.COMMIT, head=2), Appended)
    answer = alice.append(room, EntryKind.COMMIT, head=3, welcomes=(twice,))
    assert isinstance(answer, Error)
    assert answer.code is ErrorCode.MALFORMED


def test_a_commit_carries_welcomes_for_64_devices(host: RelayHost) -> None:
    """However they are divided."""
    alice = Peer.join(host, "alice")
    others = [Peer.join(host, f"peer{number}") for number in range(65)]
    room = alice.room(*others[:64])
    alice.append(room, EntryKind.COMMIT, change=ChannelChange(add=(others[64].member,)))
    welcomes = [Welcome(b"w", tuple(peer.device_id for peer in part)) for part in (others[:40], others[40:])]
    refused = alice.append(room, EntryKind.COMMIT, head=2, welcomes=welcomes)
    assert isinstance(refused, Error)
    assert refused.code is ErrorCode.TOO_LARGE
