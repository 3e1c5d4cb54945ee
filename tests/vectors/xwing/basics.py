"""Vectors of the X-Wing suite below the tree: functions, schedule, framing, Welcome."""

from secure_chat.mls.crypto.labels import (
    derive_secret,
    derive_tree_secret,
    encrypt_with_label,
    expand_with_label,
    ref_hash,
    sign_with_label,
)
from secure_chat.mls.crypto.suite import CipherSuite, HPKEPrivateKey, SignaturePrivateKey
from secure_chat.mls.messages.commit import Commit
from secure_chat.mls.messages.content import AuthenticatedContent, FramedContent, Sender, SenderType
from secure_chat.mls.messages.envelope import MLSMessage
from secure_chat.mls.messages.private import PrivateChannel
from secure_chat.mls.messages.proposals import PROPOSAL, Proposal, Remove
from secure_chat.mls.messages.public import PublicMessage
from secure_chat.mls.registry import ProtocolVersion, WireFormat
from secure_chat.mls.schedule.epoch import EpochSecrets, joiner_secret, member_secret, welcome_secret
from secure_chat.mls.schedule.group_context import GroupContext
from secure_chat.mls.schedule.psk import ExternalPSK, PreSharedKeyID, psk_secret
from secure_chat.mls.schedule.secret_tree import APPLICATION, HANDSHAKE, SecretTree
from secure_chat.mls.schedule.transcript import confirmed_transcript_hash, interim_transcript_hash
from tests.vectors.families import Vector
from tests.vectors.xwing.derandomised import Randomness

__all__ = [
    "crypto_basics",
    "key_schedule",
    "message_protection",
    "psk_secrets",
    "secret_tree",
    "transcript_hashes",
]

EPOCHS = 4
GENERATIONS = (0, 1, 2, 15)


def crypto_basics(suite: CipherSuite, randomness: Randomness) -> list[Vector]:
    """The labelled functions."""
    take, length = randomness.take, suite.hash_length
    value, secret, context, content, plaintext = (take(64) for _ in range(5))
    signer = SignaturePrivateKey.from_bytes(suite, take(32))
    key = HPKEPrivateKey.generate(suite)
    sealed = encrypt_with_label(suite, key.public, "EncryptWithLabel", context, plaintext)
    return [
        {
            "cipher_suite": suite.number,
            "ref_hash": {
                "label": "RefHash", "value": value.hex(), "out": ref_hash(suite, "RefHash", value).hex(),
            },
            "expand_with_label": {
                "secret": secret.hex(), "label": "ExpandWithLabel", "context": context.hex(), "length": length,
                "out": expand_with_label(suite, secret, "ExpandWithLabel", context, length).hex(),
            },
            "derive_secret": {
                "secret": secret.hex(), "label": "DeriveSecret",
                "out": derive_secret(suite, secret, "DeriveSecret").hex(),
            },
            "derive_tree_secret": {
                "secret": secret.hex(), "label": "DeriveTreeSecret", "generation": 0xA0A0A0A0, "length": length,
                "out": derive_tree_secret(suite, secret, "DeriveTreeSecret", 0xA0A0A0A0, length).hex(),
            },
            "sign_with_label": {
                "priv": signer.private_bytes.hex(), "pub": signer.public.hex(), "content": content.hex(),
                "label": "SignWithLabel",
                "signature": sign_with_label(signer, "SignWithLabel", content).hex(),
            },
            "encrypt_with_label": {
                "priv": key.private_bytes.hex(), "pub": key.public.hex(), "label": "EncryptWithLabel",
                "context": context.hex(), "plaintext": plaintext.hex(),
                "kem_output": sealed.kem_output.hex(), "ciphertext": sealed.ciphertext.hex(),
            },
        }
    ]  # fmt: skip


def key_schedule(suite: CipherSuite, randomness: Randomness) -> list[Vector]:
    """A few epochs, with and without PSK."""
    take, length = randomness.take, suite.hash_length
    group_id, init = take(32), take(length)
    vector = {"cipher_suite": suite.number, "group_id": group_id.hex(), "initial_init_secret": init.hex()}
    epochs = []
    for number in range(EPOCHS):
        commit, psk = take(length), bytes(length) if number == 0 else take(length)
        tree_hash, confirmed, label, export_context = (take(length) for _ in range(4))
        context = _context(suite, group_id, number, tree_hash, confirmed).encode()
        joiner = joiner_secret(suite, init, commit, context)
        member = member_secret(suite, joiner, psk)
        secrets = EpochSecrets.of_member_secret(suite, member, context)
        epochs.append(
            {
                "tree_hash": tree_hash.hex(),
                "commit_secret": commit.hex(),
                "psk_secret": psk.hex(),
                "confirmed_transcript_hash": confirmed.hex(),
                "group_context": context.hex(),
                "joiner_secret": joiner.hex(),
                "welcome_secret": welcome_secret(suite, member).hex(),
                "init_secret": secrets.init_secret.hex(),
                "sender_data_secret": secrets.sender_data_secret.hex(),
                "encryption_secret": secrets.encryption_secret.hex(),
                "exporter_secret": secrets.exporter_secret.hex(),
                "epoch_authenticator": secrets.epoch_authenticator.hex(),
                "external_secret": secrets.external_secret.hex(),
                "confirmation_key": secrets.confirmation_key.hex(),
                "membership_key": secrets.membership_key.hex(),
                "resumption_psk": secrets.resumption_psk.hex(),
                "external_pub": secrets.external_key(suite).public.hex(),
                "exporter": {
                    "label": label.hex(),
                    "context": export_context.hex(),
                    "length": length,
                    "secret": secrets.export(suite, label.hex(), export_context, length).hex(),
                },
            }
        )
        init = secrets.init_secret
    return [{**vector, "epochs": epochs}]


def psk_secrets(suite: CipherSuite, randomness: Randomness) -> list[Vector]:
    """None, one and several PSKs."""
    take, length = randomness.take, suite.hash_length
    vectors = []
    for count in (0, 1, 2, 5):
        psks = [(PreSharedKeyID(ExternalPSK(take(16)), take(length)), take(32)) for _ in range(count)]
        entries = []
        for name, psk in psks:
            assert isinstance(name.psk, ExternalPSK)
            psk_id, nonce = name.psk.psk_id.hex(), name.psk_nonce.hex()
            entries.append({"psk_id": psk_id, "psk": psk.hex(), "psk_nonce": nonce})
        vectors.append({"cipher_suite": suite.number, "psks": entries, "psk_secret": psk_secret(suite, psks).hex()})
    return vectors


def secret_tree(suite: CipherSuite, randomness: Randomness) -> list[Vector]:
    """Trees of one and of eight leaves."""
    take = randomness.take
    vectors = []
    for size in (1, 8):
        encryption_secret, sender_data_secret, ciphertext = take(64), take(64), take(100)
        context = _context(suite, b"", 0, b"", b"")
        channel = PrivateChannel(suite, context, sender_data_secret, SecretTree(suite, b"", 1, window=0))
        key, nonce = channel.sender_data_keys(ciphertext)
        tree = SecretTree(suite, encryption_secret, size, window=max(GENERATIONS) + 1)
        leaves = []
        for leaf in range(size):
            entries = []
            for generation in GENERATIONS:
                handshake = tree.find(leaf, HANDSHAKE, generation)
                application = tree.find(leaf, APPLICATION, generation)
                entries.append(
                    {
                        "generation": generation,
                        "handshake_key": handshake.key.hex(),
                        "handshake_nonce": handshake.nonce.hex(),
                        "application_key": application.key.hex(),
                        "application_nonce": application.nonce.hex(),
                    }
                )
            leaves.append(entries)
        vectors.append(
            {
                "cipher_suite": suite.number,
                "sender_data": {
                    "sender_data_secret": sender_data_secret.hex(),
                    "ciphertext": ciphertext.hex(),
                    "key": key.hex(),
                    "nonce": nonce.hex(),
                },
                "encryption_secret": encryption_secret.hex(),
                "leaves": leaves,
            }
        )
    return vectors


def message_protection(suite: CipherSuite, randomness: Randomness) -> list[Vector]:
    """A proposal, a commit and application data from leaf 1 of 2."""
    take, length = randomness.take, suite.hash_length
    signer = SignaturePrivateKey.from_bytes(suite, take(32))
    context = _context(suite, take(32), 1_184_274, take(length), take(length))
    secrets = {name: take(length) for name in ("encryption_secret", "sender_data_secret", "membership_key")}
    remove = Remove(1)
    contents: dict[str, bytes | Proposal | Commit] = {
        "proposal": remove,
        "commit": Commit((remove,), None),
        "application": take(50),
    }
    vector: dict[str, object] = {
        "cipher_suite": suite.number,
        "group_id": context.group_id.hex(),
        "epoch": context.epoch,
        "tree_hash": context.tree_hash.hex(),
        "confirmed_transcript_hash": context.confirmed_transcript_hash.hex(),
        "signature_priv": signer.private_bytes.hex(),
        "signature_pub": signer.public.hex(),
        **{name: secret.hex() for name, secret in secrets.items()},
    }
    for name, content in contents.items():
        vector[name] = _raw(content).hex()
        for wire_format in (WireFormat.mls_public_message, WireFormat.mls_private_message):
            if wire_format is WireFormat.mls_public_message and isinstance(content, bytes):
                continue
            framed = FramedContent(context.group_id, context.epoch, Sender(SenderType.member, 1), b"", content)
            signed = AuthenticatedContent.sign(wire_format, framed, context.encode(), signer)
            if isinstance(content, Commit):
                signed = signed.with_confirmation_tag(take(length))
            if wire_format is WireFormat.mls_public_message:
                message = PublicMessage.protect(suite, signed, secrets["membership_key"], context.encode())
                vector[f"{name}_pub"] = MLSMessage.of(message).encode().hex()
            else:
                tree = SecretTree(suite, secrets["encryption_secret"], 2, window=1)
                channel = PrivateChannel(suite, context, secrets["sender_data_secret"], tree)
                vector[f"{name}_priv"] = channel.protect(signed).hex()
    return [vector]


def transcript_hashes(suite: CipherSuite, randomness: Randomness) -> list[Vector]:
    """One commit."""
    take, length = randomness.take, suite.hash_length
    signer = SignaturePrivateKey.from_bytes(suite, take(32))
    confirmation_key, before = take(length), take(length)
    context = _context(suite, take(32), 7, take(length), take(length))
    framed = FramedContent(
        context.group_id, context.epoch, Sender(SenderType.member, 0), b"", Commit((Remove(3),), None)
    )
    signed = AuthenticatedContent.sign(WireFormat.mls_public_message, framed, context.encode(), signer)
    confirmed = confirmed_transcript_hash(suite, before, signed.wire_format, signed.encoded, signed.auth.signature)
    tag = suite.mac(confirmation_key, confirmed)
    return [
        {
            "cipher_suite": suite.number,
            "confirmation_key": confirmation_key.hex(),
            "authenticated_content": signed.with_confirmation_tag(tag).encode().hex(),
            "interim_transcript_hash_before": before.hex(),
            "confirmed_transcript_hash_after": confirmed.hex(),
            "interim_transcript_hash_after": interim_transcript_hash(suite, confirmed, tag).hex(),
        }
    ]


def _raw(content: bytes | Proposal | Commit) -> bytes:
    if isinstance(content, bytes):
        return content
    if isinstance(content, Commit):
        return content.encode()
    out = bytearray()
    PROPOSAL.write(content, out)
    return bytes(out)


def _context(suite: CipherSuite, group_id: bytes, epoch: int, tree_hash: bytes, confirmed: bytes) -> GroupContext:
    return GroupContext(ProtocolVersion.mls10, suite.number, group_id, epoch, tree_hash, confirmed, ())
