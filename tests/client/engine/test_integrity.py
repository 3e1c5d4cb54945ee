"""Gaps, broken chains and split rooms, from envelopes as a member could send them."""

import msgspec
import pytest

from secure_chat.client.engine import spaces
from secure_chat.client.engine.content import (
    CHAIN_LENGTH,
    MAX_MISSING,
    Envelope,
    Former,
    Milestone,
    Progress,
    RoomState,
    Text,
    encode_body,
    hash_envelope,
)
from secure_chat.client.engine.history import History
from secure_chat.client.engine.integrity import Integrity, Verdict, epoch_digest
from secure_chat.client.engine.spaces import Phase, Room, Roster
from secure_chat.client.engine.state import State
from secure_chat.client.events import SecurityKind, SecurityNotice
from secure_chat.client.store.store import Store
from secure_chat.client.views import MessageKind
from tests.client.engine.people import ALICE, BOB, closed

CHAIN = bytes([1]) * CHAIN_LENGTH


class Author:
    """Writes envelopes in one chain."""

    def __init__(self, chain: bytes = CHAIN) -> None:
        self.chain = chain
        self.counter = 0
        self.hash = bytes(16)
        self.milestones: tuple[Milestone, ...] = ()
        self.formers: tuple[Former, ...] = ()
        self.void = 0

    def refused(self) -> tuple[Envelope, bytes]:
        """What the relay says that it has not taken: its place stays void."""
        before = self.hash
        written = self.write()
        self.hash, self.void = before, self.void + 1 + written[0].void
        return written

    def write(self, text: str = "text") -> tuple[Envelope, bytes]:
        self.counter += 1
        envelope = Envelope(
            1,
            self.counter.to_bytes(16, "big"),
            self.chain,
            self.counter,
            self.hash,
            0,
            "text",
            "",
            msgspec.Raw(encode_body(Text(text))),
            milestones=self.milestones,
            formers=self.formers,
            void=self.void,
        )
        self.void = 0
        encoded = envelope.encode()
        self.hash = hash_envelope(encoded)
        return envelope, encoded


@pytest.fixture
def integrity(state: State) -> Integrity:
    return Integrity(state, History(state))


def take(integrity: Integrity, room: Room, written: tuple[Envelope, bytes]) -> Verdict:
    return integrity.take(room, BOB.identity, *written, time=0)


def kinds(state: State) -> list[SecurityKind]:
    return [event.kind for event in state.effects.events if isinstance(event, SecurityNotice)]


def gap_lines(state: State, store: Store, room: Room) -> list[str]:
    store.apply(state.flush().writes)
    state.begin(state.now)
    return [line.text for line in store.history(room.channel.hex(), 100) if line.kind is MessageKind.GAP]


def test_a_whole_chain_is_silent(state: State, room: Room, integrity: Integrity) -> None:
    """Nothing to tell."""
    bob = Author()
    integrity.expect(room, BOB.identity)
    assert [take(integrity, room, bob.write()) for _ in range(5)] == [Verdict.NEXT] * 5
    assert kinds(state) == []


def test_what_is_missing_is_told_and_counted(state: State, room: Room, integrity: Integrity, store: Store) -> None:
    """A counter that jumps."""
    bob = Author()
    integrity.expect(room, BOB.identity)
    take(integrity, room, bob.write())
    bob.write(), bob.write()
    assert take(integrity, room, bob.write()) is Verdict.NEXT
    assert kinds(state) == [SecurityKind.GAP]
    assert gap_lines(state, store, room) == ["2 messages of bob are missing here."]


def test_places_that_the_author_calls_void_are_not_missing(state: State, room: Room, integrity: Integrity) -> None:
    """The chain goes on from before them, and where it does not, that is noticed."""
    bob = Author()
    integrity.expect(room, BOB.identity)
    bob.refused()
    take(integrity, room, bob.write())
    bob.refused(), bob.refused()
    assert take(integrity, room, bob.write()) is Verdict.NEXT
    assert kinds(state) == []
    bob.refused()
    bob.hash = bytes([9]) * 16
    take(integrity, room, bob.write())
    assert kinds(state) == [SecurityKind.CHAIN_BROKEN]


def test_what_is_missing_before_a_void_place_is_told(
    state: State, room: Room, integrity: Integrity, store: Store
) -> None:
    """Only what the relay has refused counts as nothing."""
    bob = Author()
    integrity.expect(room, BOB.identity)
    take(integrity, room, bob.write())
    bob.write()
    bob.refused()
    take(integrity, room, bob.write())
    assert gap_lines(state, store, room) == ["1 message of bob is missing here."]


def test_who_comes_in_after_a_void_place_misses_nothing(state: State, room: Room, integrity: Integrity) -> None:
    """Neither does who comes in between it and the next message."""
    bob = Author()
    bob.counter = 3
    bob.refused()
    bob.milestones = (Milestone(1, 2, 0), Milestone(1, 6, bob.counter))
    take(integrity, room, bob.write())
    assert kinds(state) == []


def test_what_was_refused_and_delivered_has_its_place_to_itself(
    state: State, room: Room, integrity: Integrity, store: Store
) -> None:
    """The message after it is another, and is missed where it is withheld."""
    bob = Author()
    integrity.expect(room, BOB.identity)
    assert take(integrity, room, bob.refused()) is Verdict.NEXT
    bob.write()
    assert take(integrity, room, bob.write()) is Verdict.NEXT
    assert gap_lines(state, store, room) == ["1 message of bob is missing here."]


def test_the_first_message_of_somebody_who_was_seen_to_come_can_be_missing(
    state: State, room: Room, integrity: Integrity
) -> None:
    """Its chain is expected to start at one."""
    bob = Author()
    integrity.expect(room, BOB.identity)
    bob.write()
    take(integrity, room, bob.write())
    assert kinds(state) == [SecurityKind.GAP]


def test_what_was_written_before_one_came_in_is_not_missing(state: State, room: Room, integrity: Integrity) -> None:
    """The author's milestones tell where the chain stood."""
    bob = Author()
    bob.counter = 7
    bob.milestones = (Milestone(1, 2, 0), Milestone(1, 4, 5), Milestone(1, 5, 7), Milestone(1, 6, 9))
    take(integrity, room, bob.write())
    assert kinds(state) == []


def test_what_was_written_since_one_came_in_is_missing(
    state: State, room: Room, integrity: Integrity, store: Store
) -> None:
    """Even where nothing of the author has ever been seen; what was written in earlier epochs is not."""
    bob = Author()
    bob.counter = 9
    bob.milestones = (Milestone(1, 2, 0), Milestone(1, 4, 5), Milestone(1, 6, 7))
    take(integrity, room, bob.write())
    assert gap_lines(state, store, room) == ["2 messages of bob are missing here."]


def test_the_end_of_a_former_chain_cannot_be_cut_off(
    state: State, room: Room, integrity: Integrity, store: Store
) -> None:
    """The next chain says how long it was; who was not there for it misses nothing."""
    bob = Author()
    integrity.expect(room, BOB.identity)
    take(integrity, room, bob.write())
    again = Author(bytes([2]) * CHAIN_LENGTH)
    again.formers = (Former(CHAIN, 3, (Milestone(1, 2, 0),)),)
    written = again.write()
    take(integrity, room, written)
    assert take(integrity, room, written) is Verdict.REPEATED
    assert gap_lines(state, store, room) == ["2 messages of bob are missing here."]


def test_a_former_chain_that_never_came_is_missing_from_when_one_came_in(
    state: State, room: Room, integrity: Integrity, store: Store
) -> None:
    """Its milestones tell what was written since."""
    again = Author(bytes([2]) * CHAIN_LENGTH)
    again.formers = (Former(CHAIN, 9, (Milestone(1, 2, 0), Milestone(1, 4, 5), Milestone(1, 6, 7))),)
    take(integrity, room, again.write())
    assert gap_lines(state, store, room) == ["2 messages of bob are missing here."]


def test_nobody_can_end_anothers_chain(state: State, room: Room, integrity: Integrity) -> None:
    """A chain belongs to an account."""
    alice, bob = Author(), Author(bytes([2]) * CHAIN_LENGTH)
    integrity.take(room, ALICE.identity, *alice.write(), time=0)
    bob.formers = (Former(CHAIN, 5),)
    take(integrity, room, bob.write())
    integrity.take(room, ALICE.identity, *alice.write(), time=0)
    assert kinds(state) == []


def test_a_late_message_heals_its_gap(state: State, room: Room, integrity: Integrity, store: Store) -> None:
    """The line says so in the end."""
    bob = Author()
    integrity.expect(room, BOB.identity)
    written = [bob.write() for _ in range(4)]
    take(integrity, room, written[0])
    take(integrity, room, written[3])
    store.apply(state.flush().writes)
    state.begin(state.now)
    assert take(integrity, room, written[2]) is Verdict.LATE
    assert gap_lines(state, store, room) == ["1 message of bob is missing here."]
    assert take(integrity, room, written[1]) is Verdict.LATE
    assert gap_lines(state, store, room) == ["Messages of bob came late and out of order."]
    assert take(integrity, room, written[1]) is Verdict.REPEATED


def test_a_message_that_does_not_continue_the_last_breaks_the_chain(
    state: State, room: Room, integrity: Integrity
) -> None:
    """The previous hash is wrong: somebody changed the order, or the device has two pasts."""
    bob = Author()
    integrity.expect(room, BOB.identity)
    take(integrity, room, bob.write())
    bob.hash = bytes(16)
    take(integrity, room, bob.write())
    assert kinds(state) == [SecurityKind.CHAIN_BROKEN]


def test_two_messages_in_one_place_break_the_chain(state: State, room: Room, integrity: Integrity) -> None:
    """A copied device."""
    bob, copy = Author(), Author()
    integrity.expect(room, BOB.identity)
    take(integrity, room, bob.write("one"))
    assert take(integrity, room, copy.write("another")) is Verdict.REPEATED
    assert kinds(state) == [SecurityKind.CHAIN_BROKEN]


def test_nobody_continues_anothers_chain(state: State, room: Room, integrity: Integrity) -> None:
    """A chain belongs to the device key that began it."""
    bob = Author()
    take(integrity, room, bob.write())
    integrity.take(room, ALICE.identity, *bob.write(), time=0)
    assert kinds(state) == []
    take(integrity, room, bob.write())
    assert kinds(state) == [SecurityKind.GAP]


def test_progress_is_told_once_and_names_what_is_missing(
    state: State, room: Room, integrity: Integrity, store: Store
) -> None:
    """Cumulative, but never a false tick."""
    bob = Author()
    integrity.expect(room, BOB.identity)
    take(integrity, room, bob.write())
    bob.write()
    take(integrity, room, bob.write())
    store.apply(state.flush().writes)
    state.begin(state.now)
    assert integrity.progress(room, read=False) == (Progress(CHAIN, 3, 0, ((2, 2),)),)
    store.apply(state.flush().writes)
    assert integrity.progress(room, read=False) == ()
    assert integrity.progress(room, read=True) == (Progress(CHAIN, 3, 3, ((2, 2),)),)


def test_nothing_counts_as_delivered_after_too_many_gaps(
    state: State, room: Room, integrity: Integrity, store: Store
) -> None:
    """Only so many are named."""
    bob = Author()
    integrity.expect(room, BOB.identity)
    for _ in range(MAX_MISSING + 1):
        bob.write()
        take(integrity, room, bob.write())
    store.apply(state.flush().writes)
    (progress,) = integrity.progress(room, read=False)
    assert len(progress.missing) == MAX_MISSING
    assert progress.delivered == 2 * MAX_MISSING


def known_room(state: State, room: Room, authenticators: dict[int, bytes]) -> None:
    """The room with codes of past epochs and the current one."""
    for epoch, authenticator in authenticators.items():
        key = spaces.order_key(room.generation) + spaces.order_key(epoch)
        state.put(spaces.CODES + room.channel.hex(), key, spaces.RoomCode(spaces.FORMAT, authenticator))
    state.save_roster(room, Roster(spaces.FORMAT, max(authenticators), closed(ALICE).encode(), []))


def test_the_same_state_seen_by_another_is_silent(state: State, room: Room, integrity: Integrity, store: Store) -> None:
    """The current epoch, and one that the other has not left yet."""
    known_room(state, room, {4: b"four", 5: b"five"})
    store.apply(state.flush().writes)
    for epoch, authenticator in ((4, b"four"), (5, b"five")):
        integrity.hear(BOB.identity, (RoomState(room.channel, 1, epoch, epoch_digest(authenticator)),))
    assert kinds(state) == []


def test_another_state_of_the_same_epoch_is_a_split_room(
    state: State, room: Room, integrity: Integrity, store: Store
) -> None:
    """The relay shows the two of them different logs."""
    known_room(state, room, {5: b"five"})
    store.apply(state.flush().writes)
    state.begin(state.now)
    integrity.hear(BOB.identity, (RoomState(room.channel, 1, 5, epoch_digest(b"cinq")),))
    assert kinds(state) == [SecurityKind.ROOM_SPLIT]


def test_what_is_not_known_here_proves_nothing(state: State, room: Room, integrity: Integrity, store: Store) -> None:
    """Forgotten epochs, other generations, rooms that one is not in."""
    known_room(state, room, {5: b"five"})
    store.apply(state.flush().writes)
    state.begin(state.now)
    integrity.hear(
        BOB.identity, (RoomState(room.channel, 1, 2, bytes(16)), RoomState(bytes([9]) * 16, 1, 5, bytes(16)))
    )
    room.phase = Phase.LEFT
    integrity.hear(BOB.identity, (RoomState(room.channel, 1, 5, bytes(16)),))
    assert kinds(state) == []


def test_a_statement_about_a_later_epoch_waits(state: State, room: Room, integrity: Integrity, store: Store) -> None:
    """Until this device gets there."""
    known_room(state, room, {5: b"five"})
    store.apply(state.flush().writes)
    integrity.hear(BOB.identity, (RoomState(room.channel, 1, 6, epoch_digest(b"six")),))
    assert [(claim.epoch, claim.account) for claim in room.claims] == [(6, BOB.public)]


def test_the_past_of_a_room_is_known(integrity: Integrity, state: State, room: Room) -> None:
    """States that were gone on from, and what lies before all of them; not another branch, nor what is newer."""
    group = ALICE.found(closed(ALICE))
    room.group = state.adopt_group(room, group)
    contexts: dict[int, bytes] = {}
    for _ in range(3):
        group.commit()
        group.merge_pending()
        integrity.record_epoch(room)
        contexts[group.epoch] = group.context
        store_writes(state)
    assert [epoch for epoch, context in contexts.items() if integrity.is_past(room, 1, epoch, context)] == [1, 2]
    assert integrity.is_past(room, 1, 0, b"before")
    assert integrity.is_past(room, 0, 9, b"an earlier founding")
    assert not integrity.is_past(room, 1, 2, b"another branch")
    assert not integrity.is_past(room, 1, 4, b"newer")
    assert not integrity.is_past(room, 2, 0, b"founded anew")


def store_writes(state: State) -> None:
    store = state.reader
    assert isinstance(store, Store)
    store.apply(state.flush().writes)
    store.commit()
    state.begin(state.now)
