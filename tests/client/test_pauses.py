"""Pauses grow while failures follow each other, and are short again afterwards."""

from secure_chat.client.pauses import FIRST, LONGEST, WELL, Pauses

START = 1_700_000_000_000


def test_pauses_grow_up_to_the_longest() -> None:
    """Each failure comes right after its pause."""
    pauses, now = Pauses(), START
    waited = []
    for _ in range(8):
        waited.append(pauses.next(now))
        now += waited[-1]
    assert waited == [FIRST * 2**n for n in range(6)] + [LONGEST, LONGEST]


def test_after_a_while_without_failures_the_pause_is_short_again() -> None:
    """Not before: what fails with every connection must not look like success in between."""
    pauses, now = Pauses(), START
    for _ in range(10):
        pauses.next(now)
    assert pauses.next(now + WELL) == LONGEST
    assert pauses.next(now + 2 * WELL + 1) == FIRST
    assert pauses.next(now + 2 * WELL + 2) == 2 * FIRST
