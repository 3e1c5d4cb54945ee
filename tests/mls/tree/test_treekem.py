"""Paths: all that should get a secret do, nobody else does, and each rule refuses what breaks it."""

import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_chat.mls.crypto.hpke import HPKECiphertext
from secure_chat.mls.crypto.secret import Secret
from secure_chat.mls.crypto.suite import CipherSuite, HPKEPrivateKey
from secure_chat.mls.errors import CryptoError, MLSError, ValidationError
from secure_chat.mls.tree.ratchet_tree import RatchetTree
from secure_chat.mls.tree.treekem import OwnPath, apply_path, create_path, follow_path, join_path
from secure_chat.mls.tree.update_path import UpdatePath, UpdatePathNode
from tests.mls.suites import ALL_SUITES, FAST
from tests.mls.tree.party import GROUP, Party, person


@pytest.mark.parametrize("suite", ALL_SUITES, ids=lambda suite: suite.name)
def test_all_members_follow_a_path(suite: CipherSuite) -> None:
    """In every suite: everybody gets the same commit secret, and the keys above their leaf."""
    party = Party(5, suite)
    secrets = [party.commit(index) for index in (0, 4, 2)]
    assert len(set(secrets)) == 3
    party.check()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32))
def test_random_sessions_keep_all_members_together(seed: int) -> None:
    """Adds, removes and updates inside and outside of commits; `Party` compares everybody's secrets."""
    choose = random.Random(seed)
    party = Party(choose.randint(1, 9))
    for _ in range(8):
        present = sorted(party.privates)
        committer = choose.choice(present)
        others = [index for index in present if index != committer]
        if others and choose.random() < 0.3:
            party.update(choose.choice(others))
        removed = choose.sample(others, min(len(others), choose.choice([0, 0, 1, 2])))
        party.commit(committer, remove=removed, add=choose.choice([0, 0, 1, 3]))
        party.check()


def test_a_member_alone_can_renew_itself() -> None:
    """A path without nodes still yields a fresh secret and a fresh leaf."""
    party = Party(1)
    before = party.tree.leaf(0)
    first, second = party.commit(0), party.commit(0)
    assert first != second
    leaf = party.tree.leaf(0)
    assert leaf is not None
    assert before is not None
    assert leaf.parent_hash == b""
    assert leaf.encryption_key != before.encryption_key
    party.check()


def test_new_members_are_left_out_of_the_path() -> None:
    """§7.5: their secrets come with the Welcome."""
    party = Party(3)
    new = party.add(2)
    tree = party.tree.copy()
    own = create_path(tree, 0, party.identities[0], GROUP)
    update = own.encrypt(tree, b"", new)
    assert sum(len(node.encrypted_path_secret) for node in update.nodes) == 2
    assert len(update.nodes) == len(own.steps) == 3


def test_removed_members_cannot_follow() -> None:
    """A path that was made after a removal holds nothing for the removed."""
    party = Party(6)
    party.commit(0)
    outsider = party.privates[3].copy()
    tree = party.tree.copy()
    tree.remove(3)
    before = tree.copy()
    own = create_path(tree, 0, party.identities[0], GROUP)
    merged = apply_path(before, 0, own.encrypt(tree, b"context"), GROUP)
    with pytest.raises(MLSError):
        follow_path(before, outsider, merged, b"context")
    for ciphertexts in (node.encrypted_path_secret for node in merged.update.nodes):
        for ciphertext in ciphertexts:
            for node in outsider.nodes():
                key = outsider.key(node)
                assert key is not None
                with pytest.raises(CryptoError):
                    FAST.hpke.open(key, b"\x16MLS 1.0 UpdatePathNode\x07context", ciphertext)


class Scene:
    """A commit by member 0 of a group of six, ready to be altered before member 5 gets it."""

    def __init__(self) -> None:
        self.party = Party(6)
        self.party.commit(2)
        self.party.commit(4)
        self.tree = self.party.tree
        staged = self.tree.copy()
        self.own: OwnPath = create_path(staged, 0, self.party.identities[0], GROUP)
        self.context = self.party.context(staged)
        self.update = self.own.encrypt(staged, self.context)

    def receive(self, update: UpdatePath, context: bytes | None = None, member: int = 5) -> Secret:
        tree = self.tree.copy()
        merged = apply_path(tree, 0, update, GROUP)
        private = self.party.privates[member].copy()
        before = private.nodes()
        try:
            return follow_path(tree, private, merged, self.context if context is None else context)
        except MLSError:
            assert private.nodes() == before
            raise

    def refuse(self, update: UpdatePath, error: type[MLSError], message: str) -> None:
        with pytest.raises(error, match=message):
            apply_path(self.tree.copy(), 0, update, GROUP)

    def resigned(self, **changes: bytes) -> UpdatePath:
        """With another key or parent hash in a leaf that is validly signed."""
        leaf = self.update.leaf_node
        key = changes.get("encryption_key", leaf.encryption_key)
        above = changes.get("parent_hash", leaf.parent_hash or b"")
        return replace(self.update, leaf_node=self.party.identities[0].commit_leaf(key, above, GROUP, 0))

    def with_node(self, place: int, change: Callable[[UpdatePathNode], UpdatePathNode]) -> UpdatePath:
        nodes = list(self.update.nodes)
        nodes[place] = change(nodes[place])
        return replace(self.update, nodes=tuple(nodes))


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene()


def test_the_unaltered_path_is_accepted(scene: Scene) -> None:
    """So that the refusals below mean something."""
    assert scene.receive(scene.update) == scene.own.commit_secret


def test_a_leaf_from_elsewhere_is_refused(scene: Scene) -> None:
    """§12.4.2: leaf_node_source must be commit."""
    leaf = scene.party.identities[0].update_leaf(scene.update.leaf_node.encryption_key, GROUP, 0)
    scene.refuse(replace(scene.update, leaf_node=leaf), ValidationError, "not commit")


def test_a_leaf_of_another_group_is_refused(scene: Scene) -> None:
    """§7.3: the signature covers group and place."""
    with pytest.raises(CryptoError):
        apply_path(scene.tree.copy(), 0, scene.update, b"other group")


@pytest.mark.parametrize("nodes", [0, 1, 4])
def test_a_path_of_another_length_is_refused(scene: Scene, nodes: int) -> None:
    """§7.6: one entry for each node of the filtered direct path."""
    altered = replace(scene.update, nodes=(scene.update.nodes * 2)[:nodes])
    scene.refuse(altered, ValidationError, r"does not fit.*§7\.6")


@pytest.mark.parametrize("change", [lambda c: c[:-1], lambda c: (*c, HPKECiphertext(b"", b""))])
def test_a_wrong_number_of_ciphertexts_is_refused(
    scene: Scene, change: Callable[[tuple[HPKECiphertext, ...]], tuple[HPKECiphertext, ...]]
) -> None:
    """§7.6: one for each node of the resolution."""
    altered = scene.with_node(
        1, lambda node: replace(node, encrypted_path_secret=change(tuple(node.encrypted_path_secret)))
    )
    scene.refuse(altered, ValidationError, r"too few or too many.*§7\.6")


def test_ciphertexts_for_new_members_are_refused() -> None:
    """§7.6: the resolution excludes leaves that the same commit adds."""
    party = Party(3)
    new = party.add(1)
    staged = party.tree.copy()
    own = create_path(staged, 0, party.identities[0], GROUP)
    with pytest.raises(ValidationError, match="too few or too many"):
        apply_path(party.tree.copy(), 0, own.encrypt(staged, b""), GROUP, new)
    apply_path(party.tree.copy(), 0, own.encrypt(staged, b"", new), GROUP, new)


def test_the_committers_old_key_is_refused(scene: Scene) -> None:
    """§12.4.2: the leaf's key must be a new one."""
    old = scene.tree.leaf(0)
    assert old is not None
    scene.refuse(scene.resigned(encryption_key=old.encryption_key), ValidationError, "already in the tree")


def test_keys_of_the_tree_are_refused(scene: Scene) -> None:
    """§12.4.2: none of the path's keys may stand anywhere in the tree."""
    other = scene.tree.leaf(3)
    assert other is not None
    altered = scene.with_node(1, lambda node: replace(node, encryption_key=other.encryption_key))
    scene.refuse(altered, ValidationError, "already in the tree")


def test_a_path_with_the_same_key_twice_is_refused(scene: Scene) -> None:
    """§7.3, §12.4.3.1: keys are unique, also among the new ones; the leaf is signed for such a path."""
    key = HPKEPrivateKey.generate(FAST).public
    nodes = tuple(replace(node, encryption_key=key) for node in scene.update.nodes)
    above = scene.tree.copy().merge_path(0, scene.tree.filtered_direct_path(0), [key] * len(nodes))
    altered = replace(scene.resigned(parent_hash=above), nodes=nodes)
    scene.refuse(altered, ValidationError, "same encryption key")


@pytest.mark.parametrize("key", [b"", b"\0" * 32, b"k" * 31])
def test_unusable_keys_in_a_path_are_refused(scene: Scene, key: bytes) -> None:
    """§5.1.1: before anybody has to encrypt to them."""
    altered = scene.with_node(0, lambda node: replace(node, encryption_key=key))
    scene.refuse(altered, ValidationError, "encryption_key")


def test_a_leaf_that_does_not_bind_the_path_is_refused(scene: Scene) -> None:
    """§7.9.2: a wrong parent hash, and a path whose keys were swapped under a valid leaf."""
    scene.refuse(scene.resigned(parent_hash=b"\0" * 32), ValidationError, "parent hash")
    scene.refuse(scene.resigned(parent_hash=b""), ValidationError, "parent hash")
    stranger = HPKEPrivateKey.generate(FAST).public
    for place in range(len(scene.update.nodes)):
        altered = scene.with_node(place, lambda node: replace(node, encryption_key=stranger))
        scene.refuse(altered, ValidationError, "parent hash")


def test_a_secret_under_another_context_stays_closed(scene: Scene) -> None:
    """§7.6: the provisional group context is part of the encryption."""
    with pytest.raises(CryptoError):
        scene.receive(scene.update, context=b"another")


def test_an_altered_ciphertext_is_a_private_failure(scene: Scene) -> None:
    """Everybody else follows; this member gets a CryptoError and keeps its keys."""
    nodes = len(scene.update.nodes)
    altered = scene.with_node(
        nodes - 1,
        lambda node: replace(
            node,
            encrypted_path_secret=tuple(
                HPKECiphertext(c.kem_output, bytes(len(c.ciphertext))) for c in node.encrypted_path_secret
            ),
        ),
    )
    with pytest.raises(CryptoError):
        scene.receive(altered)
    assert scene.receive(altered, member=1) == scene.own.commit_secret


def test_a_secret_that_leads_to_other_keys_is_refused(scene: Scene) -> None:
    """§7.5: derived public keys are compared with the path's."""
    wrong = replace(scene.own, steps=tuple(replace(step, path_secret=Secret(b"x" * 32)) for step in scene.own.steps))
    tree = scene.tree.copy()
    create_path(tree, 0, scene.party.identities[0], GROUP)
    altered = wrong.encrypt(tree, scene.context)
    with pytest.raises(ValidationError, match="does not lead"):
        scene.receive(altered)


def test_a_member_without_a_fitting_key_is_told_so(scene: Scene) -> None:
    """A lost or outdated private key is this member's private failure."""
    tree = scene.tree.copy()
    merged = apply_path(tree, 0, scene.update, GROUP)
    private = scene.party.privates[5].copy()
    for node in private.nodes():
        private.set_key(node, HPKEPrivateKey.generate(FAST))
    with pytest.raises(CryptoError, match="no private key"):
        follow_path(tree, private, merged, scene.context)


def test_a_committer_cannot_follow_its_own_path(scene: Scene) -> None:
    """There is no secret for it in the path."""
    tree = scene.tree.copy()
    merged = apply_path(tree, 0, scene.update, GROUP)
    with pytest.raises(ValidationError, match="does not reach"):
        follow_path(tree, scene.party.privates[0].copy(), merged, scene.context)


def joined() -> tuple[RatchetTree, Party, OwnPath, int]:
    party = Party(4)
    (newcomer,) = party.add(1)
    tree = party.tree.copy()
    return tree, party, create_path(tree, 1, party.identities[1], GROUP), newcomer


def test_a_newcomer_takes_the_keys_above_the_common_ancestor() -> None:
    """§12.4.3.1: with the path secret of the Welcome."""
    tree, party, own, newcomer = joined()
    private = party.privates[newcomer]
    join_path(tree, private, 1, own.secret_for(newcomer))
    assert private.nodes() == [7, 8]


def test_a_newcomers_secret_must_lead_to_the_trees_keys() -> None:
    """§12.4.3.1: a wrong secret leaves no keys behind."""
    tree, party, _, newcomer = joined()
    private = party.privates[newcomer]
    with pytest.raises(ValidationError, match="does not lead"):
        join_path(tree, private, 1, Secret(b"x" * 32))
    assert private.nodes() == [8]


def test_a_newcomers_secret_must_belong_to_a_node_above_it() -> None:
    """§12.4.3.1: a signer whose path does not meet the newcomer's."""
    tree, party, own, newcomer = joined()
    secret = own.secret_for(newcomer)
    with pytest.raises(ValidationError, match="no node above"):
        join_path(tree, party.privates[newcomer], newcomer, secret)


def test_encrypting_to_an_unusable_key_is_a_crypto_error() -> None:
    """Such a leaf cannot pass validation; should it stand in the tree, the error is a typed one."""
    party = Party(2)
    broken = person("broken")
    party.tree.add(replace(broken.leaf, encryption_key=b"\0" * 32, _encoded=b""))
    tree = party.tree.copy()
    own = create_path(tree, 0, party.identities[0], GROUP)
    with pytest.raises(CryptoError):
        own.encrypt(tree, b"")
