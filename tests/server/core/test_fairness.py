"""Rate limits and the race for a head."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_chat.server.core import fairness
from secure_chat.server.core.fairness import Contest, RateLimit, address_key
from secure_chat.wire.errors import ErrorCode, RelayError


def test_a_burst_and_then_the_rate() -> None:
    """Five at once, then one every 100 ms."""
    limit = RateLimit(10, 1_000, 5)
    assert [limit.take("key", 0) for _ in range(6)] == [0] * 5 + [100]
    assert limit.take("other", 0) == 0
    assert limit.take("key", 99) == 1
    assert limit.take("key", 100) == 0
    assert limit.take("key", 100) == 100
    assert [limit.take("key", 10_000) for _ in range(6)] == [0] * 5 + [100]


def test_waiting_as_told_is_enough() -> None:
    """Whatever the cost."""
    limit = RateLimit(7, 1_000, 10)
    now = 0
    for cost in (3.0, 9.0, 1.0, 10.0, 0.5, 10.0):
        wait = limit.take("key", now, cost)
        now += wait
        if wait:
            assert limit.take("key", now, cost) == 0


def test_more_than_a_burst_waits_for_the_whole_credit() -> None:
    """It is not refused for ever."""
    limit = RateLimit(1, 1_000, 5)
    assert limit.take("key", 0, 50) == 0
    wait = limit.take("key", 0, 50)
    assert wait == 50_000
    assert limit.take("key", wait, 50) == 0


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 3)), max_size=200))
def test_never_more_than_burst_and_rate(steps: list[tuple[int, int]]) -> None:
    """In any stretch of time, for each key."""
    limit = RateLimit(10, 1_000, 5)
    now = 0
    taken: dict[int, list[int]] = {}
    for pause, key in steps:
        now += pause
        if limit.take(key, now) == 0:
            taken.setdefault(key, []).append(now)
    for times in taken.values():
        for start in range(len(times)):
            for stop in range(start, len(times)):
                assert stop - start + 1 <= 5 + (times[stop] - times[start]) / 100 + 1e-9


def test_wait_uses_nothing() -> None:
    """It only tells."""
    limit = RateLimit(1, 1_000, 1)
    assert limit.wait("key", 0) == 0
    assert limit.take("key", 0) == 0
    assert limit.wait("key", 0) == limit.wait("key", 0) == 1_000


def test_keys_are_forgotten_when_they_have_no_effect() -> None:
    """And their number is bounded in any case."""
    limit = RateLimit(1, 1_000, 2)
    limit.take("early", 0)
    limit.take("late", 900)
    limit.prune(1_000)
    assert list(limit._whole) == ["late"]
    crowded = RateLimit(1, 1_000, 1)
    for key in range(fairness._MAX_KEYS + 10):
        crowded.take(key, 0)
    assert len(crowded._whole) == fairness._MAX_KEYS


def test_require_raises_with_the_time_to_wait() -> None:
    """As the client is told."""
    limit = RateLimit(1, 1_000, 1)
    limit.require("key", 0, "questions")
    with pytest.raises(RelayError, match="too many questions") as caught:
        limit.require("key", 400, "questions")
    assert (caught.value.code, caught.value.retry_after) == (ErrorCode.RATE_LIMITED, 600)


def test_addresses_of_one_site_are_one() -> None:
    """IPv4 as it is, IPv6 by its /64."""
    assert address_key("192.0.2.7") == "192.0.2.7"
    assert address_key("::ffff:192.0.2.7") == "192.0.2.7"
    assert address_key("2001:db8:1:2:3::4") == address_key("2001:db8:1:2:ffff::1") == "2001:db8:1:2::/64"
    assert address_key("2001:db8:1:3::1") != address_key("2001:db8:1:2::1")
    assert address_key("fe80::1%eth0") == address_key("fe80::2%eth0")
    assert address_key("no:address") == "no:address"


def test_the_first_who_loses_twice_holds_the_head() -> None:
    """The others wait for what is left of two seconds."""
    contest = Contest()
    for device in (b"a", b"b", b"a", b"b"):
        contest.lost(device, 0)
    contest.require_turn(b"a", 0, 7)
    with pytest.raises(RelayError) as caught:
        contest.require_turn(b"b", 500, 7)
    assert (caught.value.code, caught.value.retry_after, caught.value.head) == (ErrorCode.RESERVED, 1_500, 7)
    contest.won(b"a", 500)
    contest.require_turn(b"c", 500, 8)


def test_a_win_ends_the_count() -> None:
    """Twice in a row is meant."""
    contest = Contest()
    contest.lost(b"a", 0)
    contest.won(b"a", 0)
    contest.lost(b"a", 0)
    contest.require_turn(b"b", 0, 1)


def test_losers_are_bounded() -> None:
    """No crowd of strangers fills memory."""
    contest = Contest()
    for number in range(5_000):
        contest.lost(number.to_bytes(2, "big"), 0)
    assert len(contest._losses) <= fairness._MAX_LOSERS
