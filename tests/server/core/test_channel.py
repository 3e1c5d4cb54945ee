"""A channel in memory: heads and rights."""

from secure_chat.server.core.channel import Channel
from secure_chat.server.core.storage import ChannelRecord, MemberRecord
from secure_chat.wire.limits import STALE_AFTER_COMMITS
from secure_chat.wire.messages import ChannelKind

ALICE, BOB, CAROL = b"a" * 32, b"b" * 32, b"c" * 32


def channel(kind: ChannelKind, *accounts: bytes, **fields: object) -> Channel:
    members = [MemberRecord(account[:16], account, number, 1, 0) for number, account in enumerate(accounts)]
    return Channel(ChannelRecord(b"c" * 16, kind, **fields), members, 0, 0)  # type: ignore[arg-type]


def test_a_founding_forgets_that_there_was_no_head() -> None:
    """Nothing was ever encrypted under head 0."""
    room = channel(ChannelKind.ROOM)
    assert (room.head, room.heads) == (0, (0,))
    room.move_head(1, founding=True)
    assert (room.head, room.heads, room.record.generation) == (1, (1,), 1)


def test_five_earlier_heads_are_remembered() -> None:
    """But none from before a founding; the record has the same."""
    room = channel(ChannelKind.ROOM)
    for seq in range(1, 10):
        room.move_head(seq, founding=seq == 1)
    assert room.heads == tuple(range(9 - STALE_AFTER_COMMITS, 10)) == room.record.heads
    room.move_head(10, founding=True)
    assert room.heads == (10,) == room.record.heads
    assert room.record.generation == 2


def test_admins_may_act_unless_none_is_left() -> None:
    """Then every member may, and nobody else."""
    room = channel(ChannelKind.ROOM, ALICE, BOB, admins=(ALICE,))
    assert [room.is_admin(account) for account in (ALICE, BOB, CAROL)] == [True, False, False]
    deserted = channel(ChannelKind.ROOM, BOB, admins=(ALICE,))
    assert [deserted.is_admin(account) for account in (ALICE, BOB, CAROL)] == [True, True, False]


def test_both_sides_of_a_direct_channel_may_act() -> None:
    """Members or not."""
    direct = channel(ChannelKind.DIRECT, ALICE, peers=(ALICE, BOB))
    assert [direct.is_admin(account) for account in (ALICE, BOB, CAROL)] == [True, True, False]
    assert [direct.may_see(account) for account in (ALICE, BOB, CAROL)] == [True, True, False]
    assert [direct.may_add(ALICE, account) for account in (ALICE, BOB, CAROL)] == [True, True, False]


def test_who_may_add_whom() -> None:
    """In closed rooms as the room says, in open rooms everyone but the banned."""
    closed = channel(ChannelKind.ROOM, ALICE, BOB, admins=(ALICE,), members_may_add=False)
    assert (closed.may_add(ALICE, CAROL), closed.may_add(BOB, CAROL), closed.may_add(BOB, ALICE)) == (True, False, True)
    lobby = channel(ChannelKind.OPEN, ALICE, BOB, admins=(ALICE,), members_may_add=False, banned=(CAROL,))
    assert (lobby.may_add(BOB, b"d" * 32), lobby.may_add(ALICE, CAROL)) == (True, False)


def test_a_removed_device_is_no_member() -> None:
    """It only may still read."""
    gone = MemberRecord(b"g" * 16, BOB, 2, 1, 0, until=5)
    room = Channel(ChannelRecord(b"c" * 16, ChannelKind.ROOM), [gone], 9, 0)
    assert not room.members
    assert list(room.leaving) == [b"g" * 16]
    assert not room.may_see(BOB)


def test_a_summary_names_the_other_side() -> None:
    """From either side; positions are the device's own."""
    direct = channel(ChannelKind.DIRECT, ALICE, peers=(ALICE, BOB), floor=4)
    member = MemberRecord(b"d" * 16, ALICE, 1, joined=3, cursor=7)
    summary = direct.summary(ALICE, member)
    assert (summary.peer, summary.first, summary.cursor, summary.joined) == (BOB, 5, 7, 3)
    assert direct.summary(BOB, None).peer == ALICE
