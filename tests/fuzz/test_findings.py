"""What fuzzing has found, each as a case of its own."""

from dataclasses import replace

import pytest

from secure_chat.mls.codec import encode_opaque
from secure_chat.mls.errors import StorageError, ValidationError
from secure_chat.mls.group.group import Group
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
