"""Rows: small changes, exact resumption at any point, and refusal of damage."""

import pytest

from secure_chat.mls.errors import StorageError
from secure_chat.mls.group.group import Group
from secure_chat.mls.group.limits import Limits
from secure_chat.mls.group.results import Application, ReceivedProposal, Skipped
from secure_chat.mls.group.storage import FORMAT_VERSION
from secure_chat.mls.messages.proposals import Remove
from tests.mls.group.people import (
    Policy,
    apply_changes,
    bundle,
    create,
    found,
    join,
    out,
    person,
    same,
    skipped,
    spread,
    stage,
    stored,
)


class Device:
    """A group with its store; `crash` forgets everything that was not stored."""

    def __init__(self, group: Group) -> None:
        self.group = group
        self.rows: dict[bytes, bytes] = {}
        self.save()

    def save(self) -> None:
        apply_changes(self.rows, self.group)

    def crash(self) -> Group:
        self.group = Group.load(dict(self.rows), Policy())
        assert self.group.changes() == []
        return self.group

    def check(self) -> None:
        """No row is missing or left over, and what they say is the group."""
        live, loaded = self.group, Group.load(dict(self.rows), Policy())
        state, past = live._epochs.current, live._epochs.past
        expected = {b"version", b"status", b"epoch"}
        expected |= {b"tree/" + node(2 * index) for index, _ in state.tree.leaves()}
        expected |= {b"tree/" + node(index) for index, _ in state.tree.parents()}
        expected |= {b"private/" + node(index) for index in state.private.nodes()}
        expected |= {b"psk/" + name for name in live._epochs.psks.external}
        for group_id, epoch in live._epochs.psks.resumption:
            expected.add(b"resumption/" + bytes([len(group_id)]) + group_id + number(epoch))
        expected |= {b"keys/" + number(state.epoch) + row for row in state.channel.secret_tree.rows()}
        for epoch, ended in past.items():
            expected.add(b"past/" + number(epoch))
            expected |= {b"leaf/" + number(epoch) + node(index) for index in ended.replaced}
            expected |= {b"keys/" + number(epoch) + row for row in ended.channel.secret_tree.rows()}
        expected |= {b"proposal/" + reference for reference in live._kept.by_reference}
        expected |= {b"declined/" + reference for reference in live._kept.declined}
        rows = {row for row in self.rows if not row.startswith(b"pending")}
        assert rows == expected
        assert any(row.startswith(b"pending") for row in self.rows) == (live.pending is not None)
        other = loaded._epochs.current
        assert other.context == state.context
        assert other.secrets == state.secrets
        assert other.interim_transcript_hash == state.interim_transcript_hash
        assert other.confirmation_tag == state.confirmation_tag
        assert other.tree.encode() == state.tree.encode()
        assert other.private.nodes() == state.private.nodes()
        assert other.channel.secret_tree.rows() == state.channel.secret_tree.rows()
        assert loaded._epochs.psks.resumption == live._epochs.psks.resumption
        assert loaded._epochs.psks.external == live._epochs.psks.external
        assert list(loaded._epochs.past) == list(past)
        for epoch, ended in past.items():
            again = loaded._epochs.past[epoch]
            assert again.replaced == ended.replaced
            assert again.channel.context == ended.channel.context
            assert again.channel.secret_tree.rows() == ended.channel.secret_tree.rows()
        assert loaded.proposals == live.proposals
        assert loaded.pending == live.pending
        assert (loaded.active, loaded.reinit) == (live.active, live.reinit)


def node(index: int) -> bytes:
    return index.to_bytes(4, "big")


def number(epoch: int) -> bytes:
    return epoch.to_bytes(8, "big")


def test_a_loaded_group_is_the_same() -> None:
    """Queries answer alike, and it goes on where it was."""
    alice, bob, carol = found("alice", "bob", "carol")
    device = Device(bob)
    again = device.crash()
    same(again, alice)
    assert again.members() == bob.members()
    assert again.own_leaf_index == bob.own_leaf_index
    assert again.export("x", b"", 16) == bob.export("x", b"", 16)
    assert again.identity.signature_key.public == bob.identity.signature_key.public
    assert again.ratchet_tree() == bob.ratchet_tree()
    spread(again.commit(), again, alice, carol)


def test_a_message_key_is_never_used_again() -> None:
    """§9.2: after loading, sending goes on with the next generation, and opened messages stay closed."""
    alice, bob = found("alice", "bob")
    sender, receiver = Device(alice), Device(bob)
    for number in range(3):
        message = sender.group.protect(b"x")
        sender.save()
        sender.crash()
        received = receiver.group.receive(message)
        assert isinstance(received, Application)
        assert received.generation == number
        receiver.save()
        receiver.crash()
        assert isinstance(receiver.group.receive(message), Skipped)


def test_sending_and_receiving_store_one_small_row() -> None:
    """Even in a large group, after a sender's first message."""
    groups = found(*[f"member{number}" for number in range(40)])
    alice, bob = groups[0], groups[39]
    bob.receive(alice.protect(b"first"))
    alice.changes()
    bob.changes()
    bob.receive(alice.protect(b"second"))
    for group in (alice, bob):
        [(row, value)] = group.changes()
        assert value is not None
        assert len(row) + len(value) < 64


def test_a_commit_stores_only_what_it_changes() -> None:
    """An update in a full tree writes its path, not the tree."""
    groups = found(*[f"member{number}" for number in range(40)])
    for group in groups:
        group.changes()
    spread(groups[0].commit(), *groups)
    for group in (groups[0], groups[39]):
        changes = group.changes()
        nodes = [row for row, _ in changes if row.startswith(b"tree/")]
        assert len(nodes) == 7
        assert len(changes) < 60


def test_skipped_keys_are_stored_one_by_one() -> None:
    """A late message deletes its own row."""
    alice, bob = found("alice", "bob")
    device = Device(bob)
    messages = [alice.protect(b"x") for _ in range(50)]
    bob.receive(messages[49])
    device.save()
    again = device.crash()
    again.receive(messages[7])
    [(row, value)] = again.changes()
    assert value is None
    assert row in device.rows


def test_a_pending_commit_survives_a_crash() -> None:
    """Merging after loading gives exactly the epoch that the others entered."""
    alice, bob, carol = found("alice", "bob", "carol")
    who = person("dave")
    package = bundle(who)
    device = Device(alice)
    bob.receive(carol.propose_update())
    pending = alice.commit(add=[package.key_package], remove=[2], group_info=True)
    device.save()
    again = device.crash()
    assert again.pending == pending
    spread(pending, again, bob)
    device.save()
    same(device.crash(), bob, join(pending, package, who))
    assert device.group.pending is None
    device.check()
    assert isinstance(bob.receive(device.group.protect(b"on")), Application)


def test_a_discarded_commit_leaves_no_row() -> None:
    """All that was stored for it is deleted, also after a crash."""
    alice, bob = found("alice", "bob")
    device = Device(alice)
    alice.commit()
    device.save()
    device.check()
    device.crash().discard_pending()
    device.save()
    device.check()
    spread(bob.commit(), bob, device.group)
    device.save()
    device.check()


def test_another_commit_drops_the_pending_rows() -> None:
    """Losing the race after a crash."""
    alice, bob = found("alice", "bob")
    device = Device(alice)
    alice.commit(add=[bundle(person("carol")).key_package])
    device.save()
    spread(bob.commit(), bob, device.crash())
    device.save()
    device.check()


def test_an_unsaved_merge_is_repeated() -> None:
    """A crash between merging and storing leaves the pending commit to be merged again."""
    alice, bob = found("alice", "bob")
    device = Device(alice)
    pending = alice.commit()
    device.save()
    alice.merge_pending()
    again = device.crash()
    assert again.epoch == 1
    spread(pending, again, bob)
    device.save()
    device.check()


def test_kept_proposals_survive_a_crash() -> None:
    """With the private keys of an own Update, in the order they came."""
    alice, bob, carol = found("alice", "bob", "carol")
    device = Device(bob)
    messages = [bob.propose_update(person("bob.2")), carol.propose_update(), bob.propose(Remove(2))]
    for group in (alice, bob, carol):
        for message in messages:
            group.receive(message)
    device.save()
    device.check()
    again = device.crash()
    assert again.proposals == bob.proposals
    spread(alice.commit(by_reference=[kept.reference for kept in alice.proposals[:2]]), alice, again, carol)
    device.save()
    device.check()
    assert isinstance(alice.receive(device.crash().protect(b"new key")), Application)


def test_numbering_of_proposals_goes_on() -> None:
    """Proposals kept before and after a crash stay in order."""
    alice, bob = found("alice", "bob")
    device = Device(alice)
    first = bob.propose_update()
    alice.receive(first)
    device.save()
    again = device.crash()
    assert isinstance(again.receive(bob.propose_update()), ReceivedProposal)
    again.drop_proposal(again.proposals[0].reference)
    assert isinstance(again.receive(bob.propose_update()), ReceivedProposal)
    device.save()
    device.check()
    assert len(device.crash().proposals) == 2
    spread(device.group.commit(), device.group, bob)
    device.save()
    device.check()


def test_past_epochs_survive_a_crash() -> None:
    """Late messages open after loading, once, with the sender of that time."""
    alice, bob, carol = found("alice", "bob", "carol")
    late = [carol.protect(b"late"), carol.protect(b"later")]
    old = carol.identity.signature_key.public
    device = Device(alice)
    spread(carol.commit(identity=person("carol.2")), carol, alice, bob)
    spread(bob.commit(remove=[2]), bob, alice)
    device.save()
    device.check()
    again = device.crash()
    received = again.receive(late[0])
    assert isinstance(received, Application)
    assert received.sender.signature_key == old
    device.save()
    device.check()
    assert isinstance(device.crash().receive(late[0]), Skipped)
    assert isinstance(device.group.receive(late[1]), Application)


def test_dropped_epochs_leave_no_row() -> None:
    """Once an epoch is too old, everything of it is deleted, whatever has been received in it."""
    alice, bob, carol = found("alice", "bob", "carol", limits=Limits(past_epochs=1, resumption_psks=2))
    device = Device(alice)
    for _ in range(4):
        messages = [bob.protect(b"x") for _ in range(5)]
        alice.receive(messages[4])
        alice.protect(b"y")
        device.save()
        late = carol.propose_update()
        for group in (alice, bob):
            group.receive(late)
        alice.receive(messages[1])
        spread(bob.commit(), bob, alice, carol)
        alice.receive(messages[2])
        device.save()
        device.check()


def test_psks_are_stored() -> None:
    """External ones until they are removed, given at joining or later."""
    alice, _ = found("alice", "bob")
    device = Device(alice)
    alice.add_psk(b"one", b"1")
    alice.add_psk(b"two", b"2")
    alice.add_resumption_psk(b"other", 5, b"3")
    device.save()
    device.check()
    alice.remove_psk(b"one")
    alice.remove_psk(b"one")
    device.save()
    device.check()
    assert device.crash()._epochs.psks.external == {b"two": b"2"}


def test_a_removed_member_stays_removed() -> None:
    """The status is stored."""
    alice, bob = found("alice", "bob")
    device = Device(bob)
    pending = alice.commit(remove=[1])
    bob.merge(stage(bob, pending.commit))
    device.save()
    device.check()
    assert not device.crash().active
    skipped(device.group, pending.commit, "closed")


def test_a_secret_once_used_is_in_no_row() -> None:
    """§9.2: neither message keys nor the secrets they came from stay in the store."""
    alice, bob = found("alice", "bob")
    device = Device(bob)
    tree = bob._epochs.current.channel.secret_tree
    before = set(tree.rows().values())
    message = alice.protect(b"x")
    bob.receive(message)
    device.save()
    assert before.isdisjoint(device.rows.values())
    snapshot = Group.load(dict(device.rows), Policy())
    skipped(snapshot, message, "9.2")
    init = bytes(bob._epochs.current.secrets.init_secret)
    assert any(init in value for value in device.rows.values())
    spread(alice.commit(), alice, bob)
    device.save()
    assert not any(init in value for value in device.rows.values())


def test_a_failed_commit_changes_nothing() -> None:
    """`out` and `skipped` leave no row behind."""
    alice, bob = found("alice", "bob")
    Device(bob)
    out(bob, alice.commit(psks={b"x": b"y"}).commit, "not available")


@pytest.mark.parametrize("version", [None, b"", b"\x00\x00", b"\x00\x02"])
def test_another_format_version_is_refused(version: bytes | None) -> None:
    """Only rows of this version are read."""
    assert FORMAT_VERSION == 1
    rows = stored(create())
    if version is None:
        del rows[b"version"]
    else:
        rows[b"version"] = version
    with pytest.raises(StorageError, match="version"):
        Group.load(rows, Policy())


def everything() -> dict[bytes, bytes]:
    """Rows of every kind."""
    alice, bob, carol = found("alice", "bob", "carol")
    bob.receive(carol.protect(b"x"))
    messages = [alice.protect(b"x") for _ in range(3)]
    bob.receive(messages[2])
    spread(alice.commit(), alice, bob, carol)
    bob.add_psk(b"psk", b"secret")
    bob.receive(carol.propose_update())
    bob.propose_update()
    bob.receive(alice.protect(b"y"))
    bob.commit(group_info=True, add=[bundle(person("dave")).key_package])
    return stored(bob)


def test_missing_rows_are_noticed() -> None:
    """A lost row is a StorageError, or concerns nothing but what it held; nothing else is raised."""
    rows = everything()
    Group.load(rows, Policy())
    for row in rows:
        rest = {key: value for key, value in rows.items() if key != row}
        try:
            Group.load(rest, Policy())
        except StorageError:
            continue
        assert row.startswith(
            (b"keys/", b"past/", b"leaf/", b"psk/", b"resumption/", b"proposal/", b"pending", b"private/")
        )


def test_damaged_rows_are_noticed() -> None:
    """Whatever stands in a row, loading raises StorageError or succeeds."""
    rows = everything()
    for row, value in rows.items():
        for damaged in (b"", b"\xff", value[:-1], value + b"\0", bytes(len(value)), b"\xff" * len(value)):
            try:
                Group.load(rows | {row: damaged}, Policy())
            except StorageError:
                continue
    for row in (b"tree/", b"tree/\xff\xff\xff\xff", b"private/1", b"keys/", b"past/1", b"leaf/1", b"proposal/"):
        try:
            Group.load(rows | {row: b"x"}, Policy())
        except StorageError:
            continue
