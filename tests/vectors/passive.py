"""The passive-client family: join by a Welcome and follow whatever the group does."""

from collections.abc import Callable

from secure_chat.mls.crypto.suite import CipherSuite, HPKEPrivateKey, SignaturePrivateKey, suite_of
from secure_chat.mls.errors import MLSError
from secure_chat.mls.group.group import Group
from secure_chat.mls.group.results import ReceivedProposal, StagedCommit
from secure_chat.mls.messages.key_package import KeyPackage, KeyPackageBundle
from secure_chat.mls.tree.leaf_node import LeafIdentity
from tests.policies import AcceptAll
from tests.vectors.families import Vector

__all__ = ["VERIFY"]

unhex = bytes.fromhex

RELOAD_EVERY = 7
"""Epochs between restarts from the stored rows."""


def passive_client(vector: Vector) -> None:
    """The private keys fit; after the Welcome and after every commit the epoch authenticator is the given one."""
    suite = suite_of(vector["cipher_suite"])
    bundle, identity = _keys(suite, vector)
    tree = vector.get("ratchet_tree")
    policy = AcceptAll()
    group = Group.join(
        unhex(vector["welcome"]),
        bundle,
        identity,
        policy,
        ratchet_tree=None if tree is None else unhex(tree),
        psks={unhex(psk["psk_id"]): unhex(psk["psk"]) for psk in vector["external_psks"]},
    )
    assert group.epoch_authenticator == unhex(vector["initial_epoch_authenticator"])
    rows: dict[bytes, bytes] = {}
    for number, epoch in enumerate(vector["epochs"]):
        for message in epoch["proposals"]:
            proposal = group.receive(unhex(message))
            assert isinstance(proposal, ReceivedProposal), f"epoch {number}: {proposal}"
        staged = group.receive(unhex(epoch["commit"]))
        assert isinstance(staged, StagedCommit), f"epoch {number}: {staged}"
        group.merge(staged)
        assert group.epoch_authenticator == unhex(epoch["epoch_authenticator"]), f"epoch {number}"
        for key, value in group.changes():
            if value is None:
                rows.pop(key, None)
            else:
                rows[key] = value
        if number % RELOAD_EVERY == 0:
            group = Group.load(rows, policy)


def _keys(suite: CipherSuite, vector: Vector) -> tuple[KeyPackageBundle, LeafIdentity]:
    key_package = _key_package(unhex(vector["key_package"]))
    leaf = key_package.leaf_node
    signature_key = SignaturePrivateKey.from_bytes(suite, unhex(vector["signature_priv"]))
    init_key = HPKEPrivateKey.from_bytes(suite, unhex(vector["init_priv"]))
    encryption_key = HPKEPrivateKey.from_bytes(suite, unhex(vector["encryption_priv"]))
    assert signature_key.public == leaf.signature_key
    assert init_key.public == key_package.init_key
    assert encryption_key.public == leaf.encryption_key
    identity = LeafIdentity(leaf.credential, signature_key, leaf.capabilities, leaf.extensions)
    return KeyPackageBundle(key_package, init_key, encryption_key), identity


def _key_package(data: bytes) -> KeyPackage:
    """The format says KeyPackage, the published files have it inside an MLSMessage."""
    try:
        return KeyPackage.from_message(data)
    except MLSError:
        return KeyPackage.decode(data)


VERIFY: dict[str, Callable[[Vector], None]] = {"passive-client": passive_client}
