"""Commits and foundings: one winner for each head, atomic changes, fairness; requests."""

import pytest

from secure_chat.server.core.effects import Delivery, Received
from secure_chat.server.core.settings import Settings
from secure_chat.wire.errors import ErrorCode
from secure_chat.wire.limits import GROUP_INFOS_KEPT, MAX_COMMIT_PAYLOAD, MAX_REQUEST_PAYLOAD
from secure_chat.wire.messages import (
    Appended,
    ChannelChange,
    ChannelKind,
    Entry,
    EntryKind,
    Error,
    GetChannel,
    GetGroupInfo,
    GroupInfoResult,
    Welcome,
)
from tests.server.relay_host import Peer, RelayHost


def _commit(peer: Peer, room: bytes, head: int, **extra: object) -> Appended | Error:
    answer = peer.append(room, EntryKind.COMMIT, head=head, **extra)  # type: ignore[arg-type]
    assert isinstance(answer, Appended | Error)
    return answer


def _losing_twice(winner: Peer, losers: tuple[Peer, ...], room: bytes) -> int:
    """All race for the head of a new room, twice, and the same one wins; the head."""
    head = 1
    for _ in range(2):
        won = _commit(winner, room, head)
        assert isinstance(won, Appended)
        for loser in losers:
            lost = _commit(loser, room, head)
            assert isinstance(lost, Error)
            assert lost.code is ErrorCode.CONFLICT
        head = won.head
    return head


def test_a_founding_starts_the_group(host: RelayHost) -> None:
    """The generation counts foundings, the head is the founding's sequence number."""
    alice = Peer.join(host, "alice")
    room = alice.create(ChannelKind.ROOM).summary.channel
    assert alice.refused(alice.message(room, EntryKind.COMMIT, head=0)).code is ErrorCode.FORBIDDEN
    first = alice.append(room, EntryKind.FOUNDING, head=0)
    assert isinstance(first, Appended)
    assert (first.seq, first.head) == (1, 1)
    alice.appended(room)
    second = alice.append(room, EntryKind.FOUNDING, head=1)
    assert isinstance(second, Appended)
    assert (second.seq, second.head) == (3, 3)
    (summary,) = alice.reconnect().channels
    assert (summary.generation, summary.head, summary.last) == (2, 3, 3)


def test_a_commit_must_name_the_head(host: RelayHost) -> None:
    """The loser gets `conflict` with the head, and nothing is stored."""
    alice, bob = Peer.join(host, "alice"), Peer.join(host, "bob")
    room = alice.room(bob)
    bob.entries(room)
    won = _commit(alice, room, 1)
    assert isinstance(won, Appended)
    lost = _commit(bob, room, 1)
    assert isinstance(lost, Error)
    assert (lost.code, lost.head) == (ErrorCode.CONFLICT, won.seq)
    assert [entry.head for entry in bob.entries(room)] == [1], "the entry names the head that it replaced"


def test_fifty_racing_commits_have_one_winner_per_head(host: RelayHost) -> None:
    """In one batch or one after the other: one `appended`, otherwise `conflict` or `reserved`, nothing else."""
    host.relay.reconfigure(Settings(commits_per_minute=1000, commits_burst=1000), b"")
    peers = [Peer.join(host, f"peer{i}") for i in range(50)]
    room = peers[0].room(*peers[1:])
    for peer in peers:
        peer.entries(room)
    head = 1
    for round_number in range(6):
        messages = [(peer, peer.message(room, EntryKind.COMMIT, head=head)) for peer in peers]
        host.random.shuffle(messages)
        host.step(*(Received(peer.connection, message) for peer, message in messages))
        appended = [answer for peer in peers for answer in peer.take_all(Appended)]
        errors = [error for peer in peers for error in peer.take_all(Error)]
        assert len(appended) == 1
        assert len(errors) == 49
        assert {error.code for error in errors} <= {ErrorCode.CONFLICT, ErrorCode.RESERVED}
        head = appended[0].head
        conflicts = [error for error in errors if error.code is ErrorCode.CONFLICT]
        assert {error.head for error in conflicts} <= {head}
        if round_number == 0:
            assert len(conflicts) == 49
        for peer in peers:
            assert [entry.seq for entry in peer.entries(room)] == [head]
        host.tick(2_100)


def test_who_lost_twice_has_the_head_reserved(host: RelayHost) -> None:
    """For two seconds, first come first served; then everybody may again."""
    host.relay.reconfigure(Settings(commits_per_minute=1000, commits_burst=1000), b"")
    alice, bob, carol, dave = (Peer.join(host, name) for name in ("alice", "bob", "carol", "dave"))
    room = alice.room(bob, carol, dave)
    head = _losing_twice(dave, (bob, carol), room)
    reserved = _commit(dave, room, head)
    assert isinstance(reserved, Error)
    assert (reserved.code, reserved.retry_after, reserved.head) == (ErrorCode.RESERVED, 2_000, head)
    held_up = _commit(carol, room, head)
    assert isinstance(held_up, Error)
    assert held_up.code is ErrorCode.RESERVED
    won = _commit(bob, room, head)
    assert isinstance(won, Appended), "it was reserved for bob"
    assert isinstance(_commit(dave, room, won.head), Appended)


def test_a_reservation_lapses(host: RelayHost) -> None:
    """And who let it lapse gets no other for a minute."""
    host.relay.reconfigure(Settings(commits_per_minute=1000, commits_burst=1000), b"")
    alice, bob, carol = (Peer.join(host, name) for name in ("alice", "bob", "carol"))
    room = alice.room(bob, carol)
    head = _losing_twice(carol, (bob,), room)
    host.now += 2_000
    for _ in range(3):
        won = _commit(carol, room, head)
        assert isinstance(won, Appended)
        lost = _commit(bob, room, head)
        assert isinstance(lost, Error)
        head = won.head


def test_a_reservation_that_was_used_gives_no_other_for_a_minute(host: RelayHost) -> None:
    """Else whoever loses on purpose would hold the head again and again."""
    host.relay.reconfigure(Settings(commits_per_minute=1000, commits_burst=1000), b"")
    alice, bob, carol = (Peer.join(host, name) for name in ("alice", "bob", "carol"))
    room = alice.room(bob, carol)
    head = _losing_twice(carol, (bob,), room)
    won = _commit(bob, room, head)
    assert isinstance(won, Appended)
    for _ in range(3):
        assert isinstance(_commit(bob, room, head), Error)
    again = _commit(carol, room, won.head)
    assert isinstance(again, Appended)
    host.now += 60_000
    for _ in range(2):
        assert isinstance(_commit(bob, room, head), Error)
    refused = _commit(carol, room, again.head)
    assert isinstance(refused, Error)
    assert refused.code is ErrorCode.RESERVED


def test_an_admin_comes_before_whoever_holds_the_head(host: RelayHost) -> None:
    """A reservation doesn't stop an admin's commit, and one loss reserves the head for it."""
    host.relay.reconfigure(Settings(commits_per_minute=1000, commits_burst=1000), b"")
    alice, bob, carol = (Peer.join(host, name) for name in ("alice", "bob", "carol"))
    room = alice.room(bob, carol)
    head = _losing_twice(carol, (bob,), room)
    passed = _commit(alice, room, head)
    assert isinstance(passed, Appended), "it was reserved for bob, who is no admin"
    assert isinstance(_commit(alice, room, head), Error)
    for member in (bob, carol):
        refused = _commit(member, room, passed.head)
        assert isinstance(refused, Error)
        assert refused.code is ErrorCode.RESERVED, "one loss is enough for an admin, whoever held it before"
    assert isinstance(_commit(alice, room, passed.head), Appended)


def test_between_admins_it_is_first_come_first_served(host: RelayHost) -> None:
    """None takes the head from another."""
    host.relay.reconfigure(Settings(commits_per_minute=1000, commits_burst=1000), b"")
    alice, bob = Peer.join(host, "alice"), Peer.join(host, "bob")
    room = alice.room(bob)
    won = _commit(alice, room, 1, change=ChannelChange(admins=(alice.account.public, bob.account.public)))
    assert isinstance(won, Appended)
    assert isinstance(_commit(bob, room, 1), Error)
    for _ in range(2):
        refused = _commit(alice, room, won.head)
        assert isinstance(refused, Error)
        assert refused.code is ErrorCode.RESERVED
    assert isinstance(_commit(bob, room, won.head), Appended)


def test_a_large_commit_counts_as_several(host: RelayHost) -> None:
    """Ten of a quarter of a megabyte at once, or one of the largest."""
    alice = Peer.join(host, "alice")
    room = alice.room()
    large = _commit(alice, room, 1, payload=bytes(MAX_COMMIT_PAYLOAD))
    assert isinstance(large, Appended)
    refused = _commit(alice, room, large.head, payload=bytes(MAX_COMMIT_PAYLOAD))
    assert isinstance(refused, Error)
    assert refused.code is ErrorCode.RATE_LIMITED


def test_commits_are_limited_per_device(host: RelayHost) -> None:
    """Ten at once in one channel by default, with the time to wait; other channels are not concerned."""
    alice = Peer.join(host, "alice")
    room = alice.room()
    head = 1
    for _ in range(9):
        answer = _commit(alice, room, head)
        assert isinstance(answer, Appended)
        head = answer.head
    refused = _commit(alice, room, head)
    assert isinstance(refused, Error)
    assert refused.code is ErrorCode.RATE_LIMITED
    alice.room()
    host.now += refused.retry_after
    assert isinstance(_commit(alice, room, head), Appended)


def test_a_commit_is_atomic(host: RelayHost) -> None:
    """If one Welcome can't be stored there is no commit, no member and no other Welcome."""
    alice, bob, eve = (Peer.join(host, name) for name in ("alice", "bob", "eve"))
    room = alice.room()
    alice.entries(room)
    change = ChannelChange(add=(bob.member,))
    welcomes = (Welcome(b"w", (bob.device_id,)), Welcome(b"w", (eve.device_id,)))
    refused = _commit(alice, room, 1, change=change, welcomes=welcomes)
    assert isinstance(refused, Error)
    assert refused.code is ErrorCode.FORBIDDEN
    assert not alice.entries(room)
    assert not bob.entries(bob.inbox)
    assert alice.appended(room).seq == 2
    accepted = _commit(alice, room, 1, change=change, welcomes=welcomes[:1])
    assert isinstance(accepted, Appended)
    (welcome,) = bob.entries(bob.inbox)
    assert (welcome.payload, welcome.origin, welcome.kind) == (b"w", (room, accepted.seq), EntryKind.WELCOME)
    assert (welcome.sender, welcome.store, welcome.counter) == (alice.device_id, alice.store, alice.counter)


def test_a_commit_has_a_size_limit(host: RelayHost) -> None:
    """Two mebibytes; changes of members alone have that of an application entry."""
    alice = Peer.join(host, "alice")
    room = alice.room()
    big = alice.message(room, EntryKind.COMMIT, bytes(MAX_COMMIT_PAYLOAD + 1))
    assert alice.refused(big).code is ErrorCode.TOO_LARGE
    assert isinstance(_commit(alice, room, 1, payload=bytes(MAX_COMMIT_PAYLOAD)), Appended)
    members = alice.message(room, EntryKind.MEMBERS, bytes(65_537))
    assert alice.refused(members).code is ErrorCode.TOO_LARGE


@pytest.mark.parametrize("extra", [{"welcomes": (Welcome(b"", ()),)}, {"group_info": b""}])
def test_a_change_of_members_alone_carries_nothing_else(host: RelayHost, extra: dict[str, object]) -> None:
    """Welcomes and GroupInfos belong to commits."""
    alice = Peer.join(host, "alice")
    room = alice.room()
    message = alice.message(room, EntryKind.MEMBERS, **extra)  # type: ignore[arg-type]
    assert alice.refused(message).code is ErrorCode.MALFORMED


def test_nobody_appends_a_welcome_to_a_channel(host: RelayHost) -> None:
    """Welcomes go with commits."""
    alice = Peer.join(host, "alice")
    room = alice.room()
    assert alice.refused(alice.message(room, EntryKind.WELCOME)).code is ErrorCode.MALFORMED


def test_only_an_admin_founds_anew(host: RelayHost) -> None:
    """In a direct channel either side."""
    alice, bob, eve = (Peer.join(host, name) for name in ("alice", "bob", "eve"))
    room = alice.room(bob)
    assert bob.refused(bob.message(room, EntryKind.FOUNDING)).code is ErrorCode.FORBIDDEN
    assert eve.refused(eve.message(room, EntryKind.FOUNDING)).code is ErrorCode.NOT_FOUND
    direct = alice.create(ChannelKind.DIRECT, peer=bob.account.public).summary.channel
    without_self = bob.message(direct, EntryKind.FOUNDING, head=0)
    assert bob.refused(without_self).code is ErrorCode.FORBIDDEN
    change = ChannelChange(add=(bob.member,))
    assert isinstance(bob.append(direct, EntryKind.FOUNDING, head=0, change=change), Appended)
    assert isinstance(alice.append(direct, EntryKind.FOUNDING, head=1), Appended)
    assert eve.refused(eve.message(direct, EntryKind.FOUNDING, head=2)).code is ErrorCode.NOT_FOUND


def test_an_open_room_that_was_never_founded_is_anyones(host: RelayHost) -> None:
    """Who made the lobby and crashed doesn't close it for the others; who founds it is its admin."""
    alice, bob = Peer.join(host, "alice"), Peer.join(host, "bob")
    room = alice.create(ChannelKind.OPEN, name="lobby").summary.channel
    removal = ChannelChange(remove=(alice.device_id,))
    assert isinstance(alice.append(room, EntryKind.MEMBERS, change=removal), Appended)
    change = ChannelChange(add=(bob.member,))
    founded = bob.append(room, EntryKind.FOUNDING, head=0, change=change, group_info=b"g")
    assert isinstance(founded, Appended)
    info = bob.create(ChannelKind.OPEN, name="lobby")
    assert info.admins == (bob.account.public,)
    assert not info.created


def test_an_external_commit_enters_an_open_room(host: RelayHost) -> None:
    """It adds the own device and no other; the newcomer gets the room from where the group is that it enters."""
    alice, bob, eve = (Peer.join(host, name) for name in ("alice", "bob", "eve"))
    room = alice.room(kind=ChannelKind.OPEN, name="lobby")
    said = alice.appended(room)
    for change in (None, ChannelChange(add=(eve.member,)), ChannelChange(add=(bob.member, eve.member))):
        refused = _commit(bob, room, 1, change=change)
        assert isinstance(refused, Error)
        assert refused.code is ErrorCode.FORBIDDEN
    entered = _commit(bob, room, 1, change=ChannelChange(add=(bob.member,)), group_info=b"next")
    assert isinstance(entered, Appended)
    earlier, entry = bob.entries(room)
    assert earlier.seq == said.seq
    assert (entry.seq, entry.added) == (entered.seq, (bob.member,))
    assert bob.create(ChannelKind.OPEN, name="lobby").summary.joined == said.seq
    bob.appended(room, head=entered.head)
    closed = alice.room()
    refused = _commit(bob, closed, 1, change=ChannelChange(add=(bob.member,)))
    assert isinstance(refused, Error)
    assert refused.code is ErrorCode.NOT_FOUND


def test_an_external_commit_may_not_take_rights(host: RelayHost) -> None:
    """A stranger neither removes others nor becomes admin on entering."""
    alice, bob = Peer.join(host, "alice"), Peer.join(host, "bob")
    room = alice.room(kind=ChannelKind.OPEN, name="lobby")
    own = (bob.member,)
    for change in (
        ChannelChange(add=own, remove=(alice.device_id,)),
        ChannelChange(add=own, admins=(bob.account.public,)),
        ChannelChange(add=own, banned=(alice.account.public,)),
        ChannelChange(add=own, members_may_add=True),
    ):
        refused = _commit(bob, room, 1, change=change)
        assert isinstance(refused, Error)
        assert refused.code is ErrorCode.FORBIDDEN


def test_a_banned_account_stays_out(host: RelayHost) -> None:
    """Its requests, external commits and GroupInfo are refused, and nobody adds it."""
    alice, bob = Peer.join(host, "alice"), Peer.join(host, "bob")
    room = alice.room(kind=ChannelKind.OPEN, name="lobby")
    ban = ChannelChange(banned=(bob.account.public,))
    assert isinstance(alice.append(room, EntryKind.MEMBERS, change=ban), Appended)
    change = ChannelChange(add=(bob.member,))
    refused = _commit(bob, room, 1, change=change)
    assert isinstance(refused, Error)
    assert refused.code is ErrorCode.FORBIDDEN
    assert bob.refused(bob.message(room, EntryKind.REQUEST)).code is ErrorCode.FORBIDDEN
    assert bob.refused(GetGroupInfo(bob.next_id(), room)).code is ErrorCode.FORBIDDEN
    assert bob.refused(bob.message(room, EntryKind.FOUNDING)).code is ErrorCode.FORBIDDEN
    refused = _commit(alice, room, 1, change=change)
    assert isinstance(refused, Error)
    assert refused.code is ErrorCode.FORBIDDEN


def test_the_newest_group_infos_are_kept(host: RelayHost) -> None:
    """By head; the newest is the default, older than four heads are gone; closed rooms have none."""
    alice, bob = Peer.join(host, "alice"), Peer.join(host, "bob")
    room = alice.room(kind=ChannelKind.OPEN, name="lobby")
    heads = [1]
    for number in range(GROUP_INFOS_KEPT):
        answer = _commit(alice, room, heads[-1], group_info=b"info %d" % number)
        assert isinstance(answer, Appended)
        heads.append(answer.head)
    newest = bob.ask(GetGroupInfo(bob.next_id(), room))
    assert isinstance(newest, GroupInfoResult)
    assert (newest.payload, newest.head, newest.generation) == (b"info 3", heads[-1], 1)
    older = bob.ask(GetGroupInfo(bob.next_id(), room, heads[1]))
    assert isinstance(older, GroupInfoResult)
    assert older.payload == b"info 0"
    assert bob.refused(GetGroupInfo(bob.next_id(), room, heads[0])).code is ErrorCode.NOT_FOUND
    closed = alice.room()
    assert alice.refused(GetGroupInfo(alice.next_id(), closed)).code is ErrorCode.NOT_FOUND
    refused = _commit(alice, closed, 1, group_info=b"g")
    assert isinstance(refused, Error)
    assert refused.code is ErrorCode.FORBIDDEN


def test_a_request_reaches_the_members(host: RelayHost) -> None:
    """Of an open room from anyone; otherwise from accounts that have or had a member device, or the direct peer."""
    alice, bob, eve = (Peer.join(host, name) for name in ("alice", "bob", "eve"))
    lobby = alice.room(kind=ChannelKind.OPEN, name="lobby")
    room = alice.room(bob)
    direct = alice.create(ChannelKind.DIRECT, peer=bob.account.public).summary.channel
    alice.subscribe(direct)
    alice.received.clear()
    assert isinstance(eve.append(lobby, EntryKind.REQUEST), Appended)
    assert isinstance(bob.another_device().append(room, EntryKind.REQUEST), Appended)
    assert isinstance(bob.append(direct, EntryKind.REQUEST), Appended)
    assert isinstance(alice.append(room, EntryKind.MEMBERS, change=ChannelChange(remove=(bob.device_id,))), Appended)
    assert isinstance(bob.append(room, EntryKind.REQUEST), Appended), "who was a member may ask to come back"
    for channel in (room, direct):
        assert eve.refused(eve.message(channel, EntryKind.REQUEST)).code is ErrorCode.NOT_FOUND
    kinds = [message.kind for message in alice.received if isinstance(message, Entry)]
    assert kinds.count(EntryKind.REQUEST) == 4


def test_requests_are_limited(host: RelayHost) -> None:
    """In size and rate, and they change nothing."""
    alice = Peer.join(host, "alice")
    room = alice.room()
    big = alice.message(room, EntryKind.REQUEST, bytes(MAX_REQUEST_PAYLOAD + 1))
    assert alice.refused(big).code is ErrorCode.TOO_LARGE
    for _ in range(12):
        assert isinstance(alice.append(room, EntryKind.REQUEST), Appended)
    assert alice.refused(alice.message(room, EntryKind.REQUEST)).code is ErrorCode.RATE_LIMITED
    host.tick(60_000)
    changing = alice.message(room, EntryKind.REQUEST, change=ChannelChange())
    assert alice.refused(changing).code is ErrorCode.MALFORMED


def test_a_repeated_commit_is_answered_before_its_head_is_checked(host: RelayHost) -> None:
    """The lost answer of a commit that won is not a conflict."""
    alice = Peer.join(host, "alice")
    room = alice.room()
    message = alice.message(room, EntryKind.COMMIT)
    first = alice.ask(message)
    again = alice.ask(message)
    assert isinstance(first, Appended)
    assert isinstance(again, Appended)
    assert (again.seq, again.head, again.repeated) == (first.seq, first.head, True)
    assert not [output for output in host.outputs if isinstance(output, Delivery)]


def test_rights_survive_a_restart(host: RelayHost) -> None:
    """Admins, bans, generation and heads are stored."""
    alice, bob = Peer.join(host, "alice"), Peer.join(host, "bob")
    room = alice.room(bob, kind=ChannelKind.OPEN, name="Lobby")
    change = ChannelChange(
        admins=(alice.account.public, bob.account.public), members_may_add=False, banned=(bytes(32),)
    )
    answer = _commit(alice, room, 1, change=change)
    assert isinstance(answer, Appended)
    before = bob.ask(GetChannel(9_000, room))
    host.restart()
    for peer in (alice, bob):
        peer.connect()
        peer.log_in()
    assert bob.ask(GetChannel(9_000, room)) == before
    banned = bob.append(room, head=1)
    assert isinstance(banned, Appended), "one commit back is not stale"
