"""Crowds and floods, a slice of `storm`: the simulated ones have the real sizes and a clock of their own."""

import pytest

from tests.scenarios import real_storm
from tests.scenarios.flooder import Flood
from tests.scenarios.storm import enter_lobby, remove_flooders

SECOND = 1_000
REMOVED_WITHIN = 10 * SECOND


def test_a_crowd_enters_the_lobby_as_fast_as_it_comes() -> None:
    """Forty people within twelve seconds, as dense as 200 in a minute: nobody waits long, and traffic stays bounded.

    Per person it is what grows with the room (requests, additions and ratchet trees for everybody who is in already)
    beside key packages: 200 people at this rate stay below 300 MB.
    """
    entry = enter_lobby(40, 12 * SECOND)
    assert entry.took <= 15 * SECOND
    assert entry.commits <= 25
    assert entry.traffic.total <= 40 * 0.35e6


def test_a_crowd_that_comes_at_once_shares_commits() -> None:
    """Forty people within a second."""
    entry = enter_lobby(40, SECOND)
    assert entry.took <= 6 * SECOND
    assert entry.commits <= 12
    assert entry.traffic.total <= 40 * 0.35e6


@pytest.mark.parametrize(("flood", "members"), [(Flood.EVERYTHING, 64), (Flood.COMMITS, 24), (Flood.JUNK, 24)])
def test_an_admin_bans_who_floods_a_large_room(flood: Flood, members: int) -> None:
    """With commits of every sort, messages, and races lost on purpose: the ban lands, whenever it comes."""
    removals, _ = remove_flooders(members, flood)
    assert len(removals) == 3
    for removal in removals:
        assert removal.until_done <= REMOVED_WITHIN
        assert removal.until_known <= REMOVED_WITHIN
    assert removals[-1].sent > 100


def test_a_crowd_enters_the_lobby_of_a_real_relay() -> None:
    """Twelve people in two processes, over TLS and with post-quantum cryptography: all in, in the same epoch."""
    entry = real_storm.enter_lobby(12, within=1, processes=2)
    assert len(entry.waits) == 12
    assert entry.sent + entry.received <= 12 * 0.35e6


def test_an_admin_removes_who_floods_a_room_of_a_real_relay() -> None:
    """Real time is not asserted here; that each removal comes through is."""
    removals = real_storm.remove_flooders(10, Flood.EVERYTHING, witnesses=1)
    assert [removal.sent > 0 for removal in removals] == [True] * 3
