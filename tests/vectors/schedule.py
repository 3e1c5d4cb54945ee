"""Families about the key schedule: key-schedule, psk-secret, transcript-hashes, secret-tree."""

from collections.abc import Callable

from secure_chat.mls.crypto.suite import suite_of
from secure_chat.mls.messages.content import AuthenticatedContent
from secure_chat.mls.messages.private import PrivateChannel
from secure_chat.mls.registry import ProtocolVersion
from secure_chat.mls.schedule.epoch import EpochSecrets, joiner_secret, member_secret, welcome_secret
from secure_chat.mls.schedule.group_context import GroupContext
from secure_chat.mls.schedule.psk import ExternalPSK, PreSharedKeyID, psk_secret
from secure_chat.mls.schedule.secret_tree import APPLICATION, HANDSHAKE, SecretTree
from secure_chat.mls.schedule.transcript import confirmed_transcript_hash, interim_transcript_hash
from tests.vectors.families import Vector

__all__ = ["VERIFY"]

unhex = bytes.fromhex


def key_schedule(vector: Vector) -> None:
    """Every secret of every epoch, each epoch from the one before."""
    suite = suite_of(vector["cipher_suite"])
    group_id, init = unhex(vector["group_id"]), unhex(vector["initial_init_secret"])
    for number, epoch in enumerate(vector["epochs"]):
        context = GroupContext(
            version=ProtocolVersion.mls10,
            cipher_suite=suite.number,
            group_id=group_id,
            epoch=number,
            tree_hash=unhex(epoch["tree_hash"]),
            confirmed_transcript_hash=unhex(epoch["confirmed_transcript_hash"]),
            extensions=(),
        ).encode()
        assert context == unhex(epoch["group_context"])
        joiner = joiner_secret(suite, init, unhex(epoch["commit_secret"]), context)
        assert joiner == unhex(epoch["joiner_secret"])
        psk = unhex(epoch["psk_secret"]) if epoch.get("psk_secret") else bytes(suite.hash_length)
        member = member_secret(suite, joiner, psk)
        assert welcome_secret(suite, member) == unhex(epoch["welcome_secret"])
        secrets = EpochSecrets.of_member_secret(suite, member, context)
        for name in (
            "init_secret",
            "sender_data_secret",
            "encryption_secret",
            "exporter_secret",
            "epoch_authenticator",
            "external_secret",
            "confirmation_key",
            "membership_key",
            "resumption_psk",
        ):
            assert getattr(secrets, name) == unhex(epoch[name]), name
        assert secrets.external_key(suite).public == unhex(epoch["external_pub"])
        case = epoch["exporter"]
        exported = secrets.export(suite, case["label"], unhex(case["context"]), case["length"])
        assert exported == unhex(case["secret"])
        init = secrets.init_secret


def psk_secrets(vector: Vector) -> None:
    """External PSKs chained in their order."""
    suite = suite_of(vector["cipher_suite"])
    psks = [
        (PreSharedKeyID(ExternalPSK(unhex(psk["psk_id"])), unhex(psk["psk_nonce"])), unhex(psk["psk"]))
        for psk in vector["psks"]
    ]
    assert psk_secret(suite, psks) == unhex(vector["psk_secret"])


def transcript_hashes(vector: Vector) -> None:
    """A commit's confirmation tag and both hashes after it."""
    suite = suite_of(vector["cipher_suite"])
    given = unhex(vector["authenticated_content"])
    authenticated = AuthenticatedContent.decode(given)
    assert authenticated.encode() == given
    tag = authenticated.auth.confirmation_tag
    assert tag is not None
    before = unhex(vector["interim_transcript_hash_before"])
    confirmed = confirmed_transcript_hash(
        suite, before, authenticated.wire_format, authenticated.content.encode(), authenticated.auth.signature
    )
    assert confirmed == unhex(vector["confirmed_transcript_hash_after"])
    suite.verify_mac(unhex(vector["confirmation_key"]), confirmed, tag)
    assert interim_transcript_hash(suite, confirmed, tag) == unhex(vector["interim_transcript_hash_after"])


def secret_tree(vector: Vector) -> None:
    """Sender data key and nonce; every given generation of every ratchet, in and out of order."""
    suite = suite_of(vector["cipher_suite"])
    case = vector["sender_data"]
    context = GroupContext(ProtocolVersion.mls10, suite.number, b"", 0, b"", b"", ())
    channel = PrivateChannel(suite, context, unhex(case["sender_data_secret"]), SecretTree(suite, b"", 1, window=0))
    keys = channel.sender_data_keys(unhex(case["ciphertext"]))
    assert keys == (unhex(case["key"]), unhex(case["nonce"]))
    for ordered in (True, False):
        leaves = vector["leaves"]
        tree = SecretTree(suite, unhex(vector["encryption_secret"]), len(leaves), window=1000)
        for index, generations in enumerate(leaves):
            for entry in generations if ordered else reversed(generations):
                for kind, name in ((HANDSHAKE, "handshake"), (APPLICATION, "application")):
                    found = tree.find(index, kind, entry["generation"])
                    assert found.key == unhex(entry[f"{name}_key"])
                    assert found.nonce == unhex(entry[f"{name}_nonce"])
                    tree.consume(found)


VERIFY: dict[str, Callable[[Vector], None]] = {
    "key-schedule": key_schedule,
    "psk-secret": psk_secrets,
    "transcript-hashes": transcript_hashes,
    "secret-tree": secret_tree,
}
