"""Application entries: order, idempotency, staleness, sizes, quotas."""

from secure_chat.server.core.effects import Delivery, Received, Reply
from secure_chat.server.core.settings import Settings
from secure_chat.wire.errors import ErrorCode
from secure_chat.wire.messages import Appended, ChannelChange, ChannelKind, Entry, EntryKind, Error, Welcome
from tests.server.relay_host import Peer, RelayHost


def test_an_entry_reaches_every_member_and_the_sender(host: RelayHost) -> None:
    """The same frame for all, with the sender's append id."""
    alice, bob = Peer.join(host, "alice"), Peer.join(host, "bob")
    room = alice.room(bob)
    alice.entries(room)
    bob.entries(room)
    answer = alice.appended(room, b"hi")
    deliveries = [output for output in host.outputs if isinstance(output, Delivery)]
    assert len(deliveries) == 1
    (entry,) = bob.entries(room)
    assert alice.entries(room) == [entry]
    assert entry == Entry(
        room, 2, EntryKind.APPLICATION, alice.device_id, alice.store, alice.counter, host.now, 1, b"hi"
    )
    assert (answer.seq, answer.head, answer.time, answer.repeated) == (2, 1, host.now, False)


def test_live_and_replayed_bytes_are_the_same(host: RelayHost) -> None:
    """What the log keeps is the frame that was delivered."""
    alice = Peer.join(host, "alice")
    room = alice.room()
    alice.appended(room)
    (delivery,) = [output for output in host.outputs if isinstance(output, Delivery)]
    assert host.reader.read_after(room, 1, 10, 1000) == [(2, delivery.frame)]


def test_a_batch_is_numbered_in_its_order(host: RelayHost) -> None:
    """Sequence numbers are contiguous, across senders and batches."""
    alice, bob = Peer.join(host, "alice"), Peer.join(host, "bob")
    room = alice.room(bob)
    bob.entries(room)
    host.step(*(Received(peer.connection, peer.message(room)) for peer in (alice, bob) * 10))
    assert [entry.seq for entry in bob.entries(room)] == list(range(2, 22))


def test_a_repeated_append_returns_the_first_result(host: RelayHost) -> None:
    """Within a batch, later, after a restart, and although the head has moved on."""
    alice = Peer.join(host, "alice")
    room = alice.room()
    alice.entries(room)
    message = alice.message(room)
    host.step(Received(alice.connection, message), Received(alice.connection, message))
    first, second = alice.take_all(Appended)
    assert (first.seq, first.repeated) == (2, False)
    assert (second.seq, second.head, second.time, second.repeated) == (2, 1, first.time, True)
    for _ in range(7):
        assert isinstance(alice.append(room, EntryKind.COMMIT, head=_head(alice, room)), Appended)
    host.now += 1000
    third = alice.ask(message)
    host.restart()
    alice.connect()
    alice.log_in()
    fourth = alice.ask(message)
    assert isinstance(third, Appended)
    assert third == fourth
    assert (third.seq, third.head, third.time, third.repeated) == (2, 1, first.time, True)
    alice.entries(room)
    alice.subscribe(room)
    assert [entry.seq for entry in alice.entries(room)] == list(range(1, 10))


def _head(peer: Peer, room: bytes) -> int:
    answer = peer.append(room, EntryKind.COMMIT, head=0)
    assert isinstance(answer, Error)
    return answer.head


def test_a_refused_append_may_be_tried_again(host: RelayHost) -> None:
    """Its id is not used up, even when later ones were accepted meanwhile."""
    alice = Peer.join(host, "alice")
    room = alice.room()
    refused = alice.message(room, head=99)
    answer = alice.refused(refused)
    assert (answer.code, answer.head) == (ErrorCode.STALE, 1)
    alice.appended(room)
    again = alice.append(room, counter=refused.counter)
    assert isinstance(again, Appended)
    assert (again.seq, again.repeated) == (3, False)
    repeat = alice.append(room, counter=refused.counter)
    assert isinstance(repeat, Appended)
    assert (repeat.seq, repeat.repeated) == (3, True)


def test_an_append_id_belongs_to_one_channel(host: RelayHost) -> None:
    """A rolled-back store that uses it again elsewhere gets no misleading result."""
    alice = Peer.join(host, "alice")
    first, second = alice.room(), alice.room()
    alice.appended(first)
    assert alice.refused(alice.message(second, counter=alice.counter)).code is ErrorCode.FORBIDDEN


def test_append_ids_are_forgotten_with_the_retention(host: RelayHost) -> None:
    """Then an old id is refused rather than stored twice."""
    alice = Peer.join(host, "alice")
    room = alice.room()
    old = alice.message(room)
    assert isinstance(alice.ask(old), Appended)
    host.tick(31 * 86_400_000)
    alice.appended(room)
    assert alice.refused(old).code is ErrorCode.STALE
    assert alice.reconnect().last_counter == alice.counter


def test_an_append_more_than_five_commits_back_is_stale(host: RelayHost) -> None:
    """Five back is still accepted, a number that was no head never."""
    alice = Peer.join(host, "alice")
    room = alice.room()
    heads = [1]
    for _ in range(5):
        answer = alice.append(room, EntryKind.COMMIT, head=heads[-1])
        assert isinstance(answer, Appended)
        heads.append(answer.head)
    assert alice.appended(room, head=heads[0]).head == heads[-1]
    assert isinstance(alice.append(room, EntryKind.COMMIT, head=heads[-1]), Appended)
    for head in (heads[0], 0, 3_000, heads[-1] - 1 if heads[-1] - 1 not in heads else 0):
        answer = alice.append(room, head=head)
        assert isinstance(answer, Error)
        assert answer.code is ErrorCode.STALE
        assert answer.head == heads[-1] + 2


def test_what_was_encrypted_before_a_founding_is_stale(host: RelayHost) -> None:
    """Nobody in the new group could read it: its author encrypts it anew."""
    alice = Peer.join(host, "alice")
    room = alice.room()
    founding = alice.append(room, EntryKind.FOUNDING, head=1)
    assert isinstance(founding, Appended)
    late = alice.append(room, head=1)
    assert isinstance(late, Error)
    assert (late.code, late.head) == (ErrorCode.STALE, founding.head)
    assert isinstance(alice.append(room, head=founding.head), Appended)


def test_nothing_is_appended_before_the_group_is_founded(host: RelayHost) -> None:
    """A channel without a group has no head."""
    alice = Peer.join(host, "alice")
    channel = alice.create(ChannelKind.ROOM).summary.channel
    assert alice.refused(alice.message(channel, head=0)).code is ErrorCode.STALE


def test_a_stranger_may_not_append(host: RelayHost) -> None:
    """Nor may a device that was removed, nor anyone to a channel that does not exist, nor to an inbox."""
    alice, bob, eve = (Peer.join(host, name) for name in ("alice", "bob", "eve"))
    room = alice.room(bob)
    assert eve.refused(eve.message(room)).code is ErrorCode.FORBIDDEN
    assert eve.refused(eve.message(bytes(16))).code is ErrorCode.NOT_FOUND
    assert eve.refused(eve.message(eve.inbox)).code is ErrorCode.FORBIDDEN
    assert eve.refused(eve.message(alice.inbox)).code is ErrorCode.FORBIDDEN
    assert eve.refused(eve.message(alice.inbox, EntryKind.REQUEST)).code is ErrorCode.FORBIDDEN
    assert eve.refused(eve.message(alice.inbox, EntryKind.COMMIT)).code is ErrorCode.FORBIDDEN
    removal = ChannelChange(remove=(bob.device_id,))
    assert isinstance(alice.append(room, EntryKind.MEMBERS, change=removal), Appended)
    assert bob.refused(bob.message(room)).code is ErrorCode.FORBIDDEN


def test_an_application_entry_has_a_size_limit(host: RelayHost) -> None:
    """64 KiB pass, one byte more does not."""
    alice = Peer.join(host, "alice")
    room = alice.room()
    assert isinstance(alice.append(room, payload=bytes(65_536)), Appended)
    assert alice.refused(alice.message(room, payload=bytes(65_537))).code is ErrorCode.TOO_LARGE


def test_an_application_entry_changes_nothing_else(host: RelayHost) -> None:
    """Changes, Welcomes and GroupInfos belong to commits; the connection of such a client is closed."""
    for name, extra in (
        ("a", {"change": ChannelChange()}),
        ("b", {"welcomes": (Welcome(b"", ()),)}),
        ("c", {"group_info": b""}),
    ):
        peer = Peer.join(host, name)
        room = peer.room()
        answer = peer.refused(peer.message(room, **extra))
        assert answer.code is ErrorCode.MALFORMED
        assert peer.closed


def test_proposals_are_treated_like_application_entries(host: RelayHost) -> None:
    """A leaving member's Remove proposal."""
    alice = Peer.join(host, "alice")
    room = alice.room()
    answer = alice.append(room, EntryKind.PROPOSAL)
    assert isinstance(answer, Appended)
    assert (answer.seq, answer.head) == (2, 1)


def test_requests_over_the_rate_are_refused_with_the_time_to_wait(host: RelayHost) -> None:
    """Waiting as told helps; a repeat after the refusal is stored once."""
    host.relay.reconfigure(Settings(requests_per_second=10, requests_burst=20), b"")
    alice = Peer.join(host, "alice")
    room = alice.room()
    messages = [alice.message(room) for _ in range(40)]
    host.step(*(Received(alice.connection, message) for message in messages))
    errors = alice.take_all(Error)
    assert 15 < len(errors) < 40
    assert {error.code for error in errors} == {ErrorCode.RATE_LIMITED}
    host.now += errors[0].retry_after
    assert isinstance(alice.ask(messages[-len(errors)]), Appended)


def test_what_was_refused_for_now_is_not_overtaken(host: RelayHost) -> None:
    """Messages of one channel keep their order; other channels go on, and nothing is waited for without end."""
    host.relay.reconfigure(Settings(requests_per_second=10, requests_burst=20), b"")
    alice = Peer.join(host, "alice")
    room, other = alice.room(), alice.room()
    messages = [alice.message(room) for _ in range(40)]
    host.step(*(Received(alice.connection, message) for message in messages))
    errors = alice.take_all(Error)
    first = messages[-len(errors)]
    host.now += 2_000
    assert alice.refused(messages[-1]).code is ErrorCode.RATE_LIMITED
    assert isinstance(alice.append(other), Appended)
    assert isinstance(alice.ask(first), Appended)
    assert isinstance(alice.ask(messages[-1]), Appended)
    host.step(*(Received(alice.connection, alice.message(room)) for _ in range(40)))
    assert alice.take_all(Error)
    host.now += 60_000
    assert isinstance(alice.append(room), Appended)


def test_a_client_that_ignores_refusals_is_closed(host: RelayHost) -> None:
    """A flood of requests does not become a flood of answers."""
    alice = Peer.join(host, "alice")
    room = alice.room()
    outputs = host.step(*(Received(alice.connection, alice.message(room)) for _ in range(5_000)))
    assert alice.closed
    assert sum(isinstance(output, Reply) for output in outputs) < 2_100


def test_an_account_may_not_send_without_end(host: RelayHost) -> None:
    """The quota is the account's, whatever the device."""
    host.relay.reconfigure(Settings(account_bytes_per_hour=3_600_000, account_bytes_burst=100_000), b"")
    alice = Peer.join(host, "alice")
    room = alice.room()
    assert isinstance(alice.append(room, payload=bytes(60_000)), Appended)
    second = alice.message(room, payload=bytes(60_000))
    answer = alice.refused(second)
    assert answer.code is ErrorCode.QUOTA
    assert alice.refused(alice.message(room, EntryKind.COMMIT, payload=bytes(60_000))).code is ErrorCode.QUOTA
    host.now += answer.retry_after
    assert isinstance(alice.ask(second), Appended)


def test_what_goes_to_many_counts_for_more(host: RelayHost) -> None:
    """In a room of 32 devices a message is charged twice, so that nobody fills everybody's line."""
    host.relay.reconfigure(Settings(account_bytes_per_hour=3_600_000, account_bytes_burst=100_000), b"")
    alice = Peer.join(host, "alice")
    small = alice.room()
    large = alice.room(*(Peer.join(host, f"member{number}") for number in range(31)))
    assert isinstance(alice.append(large, payload=bytes(40_000)), Appended)
    refused = alice.refused(alice.message(large, payload=bytes(20_000)))
    assert refused.code is ErrorCode.QUOTA
    assert isinstance(alice.append(small, payload=bytes(15_000)), Appended)


def test_nothing_is_appended_on_a_full_disk(host: RelayHost) -> None:
    """Not even a commit; the answer is typed and nothing was written."""
    alice = Peer.join(host, "alice")
    room = alice.room()
    host.relay.reconfigure(Settings(disk_reserve=1 << 62), b"")
    message = alice.message(room)
    assert alice.refused(message).code is ErrorCode.DISK_FULL
    for kind in (EntryKind.COMMIT, EntryKind.REQUEST):
        assert alice.refused(alice.message(room, kind)).code is ErrorCode.DISK_FULL
    host.relay.reconfigure(Settings(), b"")
    answer = alice.ask(message)
    assert isinstance(answer, Appended)
    assert answer.seq == 2
