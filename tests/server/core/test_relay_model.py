"""The relay against a simple model, under any sequence of steps with crashes in between.

The model keeps for each channel the list of its entries, its head and its members. Checked: every acknowledged append
is there exactly once, sequence numbers are contiguous, heads move by compare-and-swap only, the delivery list is the
model's, and every device gets exactly the entries of the time of its membership, in order.
"""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from secure_chat.server.core.settings import Settings
from secure_chat.wire.errors import ErrorCode
from secure_chat.wire.limits import STALE_AFTER_COMMITS
from secure_chat.wire.messages import (
    Append,
    Appended,
    ChannelChange,
    ChannelInfo,
    ChannelKind,
    Entry,
    EntryKind,
    Error,
    GetChannel,
    Welcome,
)
from tests.server.relay_host import Peer, RelayHost

PEOPLE = 4
CHANNELS = 2
GENEROUS = Settings(
    commits_per_minute=10_000,
    commits_burst=10_000,
    requests_burst=100_000,
    join_requests_burst=10_000,
    failures_burst=1_000,
    registrations_burst=1_000,
)

people = st.integers(0, PEOPLE - 1)
channels = st.integers(0, CHANNELS - 1)


@dataclass
class Model:
    """A channel as it should be."""

    channel: bytes
    entries: list[tuple[bytes, int, EntryKind]] = field(default_factory=list)
    """(store, counter, kind) of entry 1, 2, …"""
    heads: list[int] = field(default_factory=lambda: [0])
    members: dict[int, int] = field(default_factory=dict)
    """Person to the entry that added it."""
    spans: dict[int, list[tuple[int, int | None]]] = field(default_factory=dict)
    """For each person: the first and last entry that it may read, for each time as a member."""


class RelayMachine(RuleBasedStateMachine):
    """Four devices and two rooms."""

    @initialize()
    def begin(self) -> None:
        self.directory = tempfile.TemporaryDirectory()
        self.host = RelayHost(Path(self.directory.name), GENEROUS)
        self.peers = [Peer.join(self.host, f"peer{number}") for number in range(PEOPLE)]
        self.models = []
        for number in range(CHANNELS):
            creator = self.peers[number]
            channel = creator.room()
            model = Model(channel)
            self._record(model, number, creator.counter, EntryKind.FOUNDING)
            model.members[number] = 1
            model.spans[number] = [(1, None)]
            self.models.append(model)
        self.repeats: list[tuple[int, Append, Appended]] = []
        self.seen: dict[tuple[int, bytes], list[int]] = {}

    def _record(self, model: Model, person: int, counter: int, kind: EntryKind) -> int:
        model.entries.append((self.peers[person].store, counter, kind))
        seq = len(model.entries)
        if kind in (EntryKind.COMMIT, EntryKind.FOUNDING):
            model.heads.append(seq)
        return seq

    def _append(
        self, person: int, model: Model, kind: EntryKind, head: int, change: ChannelChange | None = None
    ) -> None:
        peer = self.peers[person]
        welcomes: tuple[Welcome, ...] = ()
        if change is not None and change.add and kind is EntryKind.COMMIT:
            welcomes = (Welcome(b"w", tuple(member.device for member in change.add)),)
        message = peer.message(model.channel, kind, head=head, change=change, welcomes=welcomes)
        answer = peer.ask(message)
        refusal = self._expected_refusal(person, model, kind, head)
        if refusal is None:
            seq = self._record(model, person, message.counter, kind)
            assert isinstance(answer, Appended), answer
            assert (answer.seq, answer.head, answer.repeated) == (seq, model.heads[-1], False)
            self.repeats.append((person, message, answer))
            self._change(model, seq, change)
        else:
            assert isinstance(answer, Error)
            assert answer.code in refusal, (answer, refusal)
            if answer.code in (ErrorCode.CONFLICT, ErrorCode.STALE):
                assert answer.head == model.heads[-1]

    def _expected_refusal(self, person: int, model: Model, kind: EntryKind, head: int) -> set[ErrorCode] | None:
        if person not in model.members:
            return {ErrorCode.FORBIDDEN, ErrorCode.NOT_FOUND}
        if kind is EntryKind.COMMIT and head != model.heads[-1]:
            return {ErrorCode.CONFLICT}
        if kind is EntryKind.APPLICATION and (head == 0 or head not in model.heads[-STALE_AFTER_COMMITS - 1 :]):
            return {ErrorCode.STALE}
        return None

    def _change(self, model: Model, seq: int, change: ChannelChange | None) -> None:
        if change is None:
            return
        by_device = {peer.device_id: person for person, peer in enumerate(self.peers)}
        for device in change.remove:
            person = by_device[device]
            if model.members.pop(person, None) is not None:
                model.spans[person][-1] = (model.spans[person][-1][0], seq)
        for member in change.add:
            person = by_device[member.device]
            if person not in model.members:
                model.members[person] = seq
                model.spans.setdefault(person, []).append((seq, None))

    @rule(person=people, number=channels, back=st.integers(0, 7))
    def say(self, person: int, number: int, back: int) -> None:
        model = self.models[number]
        self._append(person, model, EntryKind.APPLICATION, model.heads[max(0, len(model.heads) - 1 - back)])

    @rule(person=people, number=channels, other=people, stale=st.booleans(), adds=st.booleans())
    def commit(self, person: int, number: int, other: int, stale: bool, adds: bool) -> None:
        """Reservations are another test's: who loses here waits until they have lapsed."""
        model = self.models[number]
        head = model.heads[-2] if stale else model.heads[-1]
        change = ChannelChange(add=(self.peers[other].member,)) if adds else None
        self._append(person, model, EntryKind.COMMIT, head, change)
        self.host.now += 2_001

    @rule(person=people, number=channels)
    def leave(self, person: int, number: int) -> None:
        """Everybody but the admin, so that the rooms stay usable."""
        if person != number:
            change = ChannelChange(remove=(self.peers[person].device_id,))
            self._append(person, self.models[number], EntryKind.MEMBERS, 0, change)

    @rule(number=channels, other=people)
    def remove(self, number: int, other: int) -> None:
        if other != number:
            change = ChannelChange(remove=(self.peers[other].device_id,))
            self._append(number, self.models[number], EntryKind.MEMBERS, 0, change)

    @rule(choice=st.integers(0, 1 << 30))
    def repeat(self, choice: int) -> None:
        """An answer was lost: the same append again, now or after a crash."""
        if self.repeats:
            person, message, first = self.repeats[choice % len(self.repeats)]
            answer = self.peers[person].ask(message)
            assert isinstance(answer, Appended)
            assert answer == Appended(first.id, first.seq, first.head, first.time, True)

    @rule()
    def crash(self) -> None:
        """Everything that is not in the database is lost; everybody comes back and goes on from their own position."""
        self._read()
        self.host.restart()
        for peer in self.peers:
            self._come_back(peer)

    @rule(person=people)
    def reconnect(self, person: int) -> None:
        self._read()
        self.peers[person].disconnect()
        self._come_back(self.peers[person])

    def _come_back(self, peer: Peer) -> None:
        peer.connect()
        assert peer.log_in().last_counter == peer.counter
        person = self.peers.index(peer)
        for model in self.models:
            if person in model.spans:
                peer.subscribe(model.channel, max(self.seen.get((person, model.channel), [0])))

    @rule(milliseconds=st.sampled_from([1, 300, 700, 5_001]))
    def tick(self, milliseconds: int) -> None:
        self.host.tick(milliseconds)

    def _read(self) -> None:
        """Everybody takes what arrived, and half of them acknowledge it."""
        for person, peer in enumerate(self.peers):
            for message in peer.take_all(Entry):
                if message.channel == peer.inbox:
                    continue
                model = next(model for model in self.models if model.channel == message.channel)
                assert (message.store, message.counter, message.kind) == model.entries[message.seq - 1]
                self.seen.setdefault((person, message.channel), []).append(message.seq)
                if person % 2:
                    peer.acknowledge(message.channel, message.seq)
            peer.received.clear()

    @invariant()
    def everybody_has_exactly_what_is_theirs(self) -> None:
        if not hasattr(self, "seen"):
            return
        self._read()
        for person in range(PEOPLE):
            for model in self.models:
                expected: list[int] = []
                for first, last in model.spans.get(person, ()):
                    expected += range(first, (len(model.entries) if last is None else last) + 1)
                assert self.seen.get((person, model.channel), []) == expected

    @invariant()
    def the_delivery_list_is_the_models(self) -> None:
        for number, model in enumerate(getattr(self, "models", ())):
            answer = self.peers[number].ask(GetChannel(self.peers[number].next_id(), model.channel))
            assert isinstance(answer, ChannelInfo)
            assert [member.device for member in answer.devices] == [
                self.peers[person].device_id for person in sorted(model.members, key=lambda p: (model.members[p], p))
            ] or len(set(model.members.values())) < len(model.members)
            assert {member.device for member in answer.devices} == {self.peers[p].device_id for p in model.members}
            assert (answer.summary.last, answer.summary.head) == (len(model.entries), model.heads[-1])

    def teardown(self) -> None:
        if hasattr(self, "host"):
            self.host.close()
            self.directory.cleanup()


TestRelayAgainstModel = RelayMachine.TestCase
TestRelayAgainstModel.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)


def test_the_creator_is_the_only_member_at_first(tmp_path: Path) -> None:
    """What the model starts from."""
    host = RelayHost(tmp_path)
    peer = Peer.join(host, "alice")
    info = peer.create(ChannelKind.ROOM)
    assert info.devices == (peer.member,)
    host.close()
