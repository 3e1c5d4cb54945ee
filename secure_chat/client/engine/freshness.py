"""When this device's keys in a room have to be fresh before it sends: by time, by use, and after a relay's restore.

A relay that was restored from a backup has forgotten how far each store had come: a store that was itself set back
can't be told from one that was not, and its old keys may have been used by its own lost future. So that begins another
*era*: with keys of an earlier one no message is encrypted any more. Before this device sends something in a room it
makes its keys fresh there, by a commit that no message key protects (a PublicMessage, RFC 9420 §6.2: signed, proved by
the membership key, and nothing in it that the relay does not know from the login).
"""

from secure_chat.client.engine.spaces import Room
from secure_chat.client.engine.state import State

__all__ = ["DAY", "HOUR", "MESSAGES_PER_KEYS", "WEEK", "are_due", "are_outdated", "begin_era", "hasten"]

HOUR = 3_600_000
DAY = 24 * HOUR
WEEK = 7 * DAY
MESSAGES_PER_KEYS = 100
"""Fresh keys after this many messages, at most hourly."""
SPREAD = 4_000
"""Milliseconds for each third person, over which those spread their commits who have nothing but receipts to send."""


def are_due(state: State, room: Room, *, sending: bool) -> bool:
    """Whether the own keys are old, or have encrypted much."""
    if len(state.accounts(room)) < 2:
        return False
    if state.now >= room.keys_due:
        return True
    if not sending:
        return False
    if room.keys_at // DAY != state.now // DAY:
        return True
    return room.sent_since_keys >= MESSAGES_PER_KEYS and state.now - room.keys_at >= HOUR


def are_outdated(state: State, room: Room) -> bool:
    """Whether the own keys are of an earlier era: nothing may be encrypted with them."""
    return room.era != state.profile.era


def begin_era(state: State) -> None:
    """The relay was restored: every key made until now may have been used already."""
    state.profile.era += 1
    state.save_profile()


def hasten(state: State, room: Room) -> None:
    """Outdated keys are due soon: a message must not have everybody who has read it commit at once."""
    longest = SPREAD * max(len(state.accounts(room)) - 2, 0)
    if room.keys_due > state.now + longest:
        room.keys_due = state.now + state.jitter(0, longest)
        state.save(room)
    state.set_timer("fresh", room.channel, room.keys_due)
