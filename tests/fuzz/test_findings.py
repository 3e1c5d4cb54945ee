"""What fuzzing has found, each as a case of its own."""

from dataclasses import replace

import pytest

from secure_chat.mls.codec import MAX_ITEMS, encode_opaque
from secure_chat.mls.errors import DecodeError, StorageError, ValidationError
from secure_chat.mls.group.group import Group
from secure_chat.mls.group.results import Skipped
from secure_chat.mls.messages.envelope import MLSMessage
from secure_chat.mls.messages.welcome import GroupInfo
from tests.fuzz.live import LiveGroup
from tests.policies import AcceptAll


@pytest.fixture(scope="module")
def live() -> LiveGroup:
    """The group that the campaigns attack."""
    return LiveGroup()


def test_last_epoch_has_no_successor(live: LiveGroup) -> None:
    """A GroupInfo of epoch 2^64 - 1, rightly signed, is refused instead of overflowing the next epoch's number."""
    info = MLSMessage.decode(live.messages["group info"]).body
    assert isinstance(info, GroupInfo)
    context = replace(info.group_context, epoch=(1 << 64) - 1)
    key = live.people[info.signer].identity.signature_key
    signed = GroupInfo.sign(context, info.extensions, info.confirmation_tag, info.signer, key)
    with pytest.raises(ValidationError, match="no further epoch"):
        Group.join_external(MLSMessage.of(signed).encode(), live.newcomer.identity, AcceptAll())


def test_stored_node_far_outside_the_tree_is_damage(live: LiveGroup) -> None:
    """A damaged node index is refused at once instead of building a tree of millions of blank nodes."""
    rows = dict(live.victim.rows)
    leaf = next(value for key, value in rows.items() if key.startswith(b"tree/"))
    rows[b"tree/" + (1 << 24).to_bytes(4, "big")] = leaf
    with pytest.raises(StorageError):
        Group.load(rows, AcceptAll())


@pytest.mark.parametrize("content", [b"", b"\0", b"\xff", encode_opaque(bytes(100))])
def test_arbitrary_rows_are_damage(live: LiveGroup, content: bytes) -> None:
    """Each row in turn replaced by something else: the group is refused, or loads and works."""
    for key in live.victim.rows:
        try:
            group = Group.load({**live.victim.rows, key: content}, AcceptAll())
        except StorageError:
            continue
        group.members()
        group.receive(live.messages["application"])


@pytest.mark.parametrize(
    "item", [b"\x02\x00", b"\x01\x00\x03\x00\x00\x00\x01", b"\x01\x00\x07\x00"], ids=["reference", "remove", "context"]
)
def test_messages_of_tiny_items_are_cut_short(live: LiveGroup, item: bytes) -> None:
    """A commit of a million proposals, which anybody can send, is refused before it fills the memory."""
    group = live.victim.load()
    state = group._epochs.current
    head = encode_opaque(state.context.group_id) + state.epoch.to_bytes(8, "big") + b"\x01" + bytes(4) + b"\x00\x03"
    commit = head + encode_opaque(item * (MAX_ITEMS + 1)) + b"\x00"
    tail = encode_opaque(bytes(64)) + encode_opaque(bytes(32)) + encode_opaque(bytes(32))
    result = group.receive(bytes.fromhex("00010001") + commit + tail)
    assert isinstance(result, Skipped)
    assert isinstance(result.reason, DecodeError)
    assert "list items" in str(result.reason)
