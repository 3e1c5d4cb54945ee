"""Families about messages: messages, message-protection, welcome."""

import dataclasses
from collections.abc import Callable, Mapping

from secure_chat.mls.codec import Reader, Struct
from secure_chat.mls.crypto.secret import Secret
from secure_chat.mls.crypto.suite import CipherSuite, HPKEPrivateKey, SignaturePrivateKey, suite_of
from secure_chat.mls.errors import MLSError
from secure_chat.mls.messages.commit import Commit
from secure_chat.mls.messages.content import (
    AuthenticatedContent,
    ContentType,
    FramedContent,
    Sender,
    SenderType,
)
from secure_chat.mls.messages.envelope import MLSMessage
from secure_chat.mls.messages.key_package import KeyPackage
from secure_chat.mls.messages.private import PrivateChannel, PrivateMessage
from secure_chat.mls.messages.proposals import (
    PROPOSAL,
    Add,
    ExternalInit,
    GroupContextExtensions,
    PreSharedKey,
    Proposal,
    ReInit,
    Remove,
    Update,
)
from secure_chat.mls.messages.public import PublicMessage
from secure_chat.mls.messages.welcome import (
    GroupInfo,
    GroupSecrets,
    Welcome,
    open_group_info,
    open_group_secrets,
    seal_group_info,
    seal_group_secrets,
)
from secure_chat.mls.registry import ProtocolVersion, WireFormat
from secure_chat.mls.schedule.epoch import EpochSecrets, member_secret, welcome_secret
from secure_chat.mls.schedule.group_context import GroupContext
from secure_chat.mls.schedule.secret_tree import SecretTree
from secure_chat.mls.tree.ratchet_tree import RatchetTree
from tests.vectors.families import Vector

__all__ = ["VERIFY"]

unhex = bytes.fromhex

STRUCTS: Mapping[str, type[Struct]] = {
    "group_secrets": GroupSecrets,
    "add_proposal": Add,
    "update_proposal": Update,
    "remove_proposal": Remove,
    "pre_shared_key_proposal": PreSharedKey,
    "re_init_proposal": ReInit,
    "external_init_proposal": ExternalInit,
    "group_context_extensions_proposal": GroupContextExtensions,
    "commit": Commit,
}
BODIES: Mapping[str, type[Struct]] = {
    "mls_welcome": Welcome,
    "mls_group_info": GroupInfo,
    "mls_key_package": KeyPackage,
    "public_message_application": PublicMessage,
    "public_message_proposal": PublicMessage,
    "public_message_commit": PublicMessage,
    "private_message": PrivateMessage,
}

SENDER = 1
"""The sending leaf of message-protection vectors, in a tree of two."""


def messages(vector: Vector) -> None:
    """Everything decodes as what it is and encodes to the same bytes, field by field."""
    for name, struct in STRUCTS.items():
        data = unhex(vector[name])
        assert _again(struct.decode(data)) == data, name
    for name, body in BODIES.items():
        data = unhex(vector[name])
        message = MLSMessage.decode(data)
        assert isinstance(message.body, body), name
        assert _again(message) == data, name
        if isinstance(message.body, PublicMessage):
            kind = message.body.authenticated.content.content_type
            assert kind == ContentType[name.removeprefix("public_message_")]
    suite = suite_of(MLSMessage.decode(unhex(vector["mls_group_info"])).body.group_context.cipher_suite)  # type: ignore[union-attr]
    tree = unhex(vector["ratchet_tree"])
    assert RatchetTree.decode(suite, tree).encode() == tree


def _again(value: Struct) -> bytes:
    """The encoding made from the fields, although structures remember the bytes they were read from."""
    rebuilt = _rebuild(value)
    assert isinstance(rebuilt, Struct)
    return rebuilt.encode()


def _rebuild(value: object) -> object:
    if isinstance(value, tuple):
        return tuple(map(_rebuild, value))
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return value
    parts = {field.name: _rebuild(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if "_encoded" in parts:
        parts["_encoded"] = b""
    if isinstance(value, AuthenticatedContent):
        content = parts["content"]
        assert isinstance(content, FramedContent)
        parts["encoded"] = content.encode()
    return type(value)(**parts)


def message_protection(vector: Vector) -> None:
    """Proposal, commit and application data in both framings, in both directions."""
    suite = suite_of(vector["cipher_suite"])
    key = SignaturePrivateKey.from_bytes(suite, unhex(vector["signature_priv"]))
    assert key.public == unhex(vector["signature_pub"])
    context = GroupContext(
        version=ProtocolVersion.mls10,
        cipher_suite=suite.number,
        group_id=unhex(vector["group_id"]),
        epoch=vector["epoch"],
        tree_hash=unhex(vector["tree_hash"]),
        confirmed_transcript_hash=unhex(vector["confirmed_transcript_hash"]),
        extensions=(),
    )
    for name in ("proposal", "commit", "application"):
        raw = unhex(vector[name])
        content: bytes | Proposal | Commit = raw
        if name == "proposal":
            reader = Reader(raw)
            content = PROPOSAL.read(reader)
            reader.finish()
        elif name == "commit":
            content = Commit.decode(raw)
        if name == "application":
            _application_is_never_public(suite, vector, context, key, raw)
        else:
            _unprotect_public(suite, vector, context, unhex(vector[f"{name}_pub"]), content)
            own = _sign(WireFormat.mls_public_message, context, key, content)
            message = PublicMessage.protect(suite, own, unhex(vector["membership_key"]), context.encode())
            _unprotect_public(suite, vector, context, MLSMessage.of(message).encode(), content)
        _unprotect_private(suite, vector, context, unhex(vector[f"{name}_priv"]), content)
        own = _sign(WireFormat.mls_private_message, context, key, content)
        protected = _channel(suite, vector, context).protect(own)
        _unprotect_private(suite, vector, context, protected, content)


def _sign(
    wire_format: WireFormat, context: GroupContext, key: SignaturePrivateKey, content: bytes | Proposal | Commit
) -> AuthenticatedContent:
    framed = FramedContent(context.group_id, context.epoch, Sender(SenderType.member, SENDER), b"", content)
    signed = AuthenticatedContent.sign(wire_format, framed, context.encode(), key)
    return signed.with_confirmation_tag(bytes(32)) if isinstance(content, Commit) else signed


def _unprotect_public(suite: CipherSuite, vector: Vector, context: GroupContext, data: bytes, content: object) -> None:
    message = MLSMessage.decode(data).body
    assert isinstance(message, PublicMessage)
    message.verify_membership(suite, unhex(vector["membership_key"]), context.encode())
    message.authenticated.verify_signature(suite, unhex(vector["signature_pub"]), context.encode())
    assert message.authenticated.content.content == content
    assert message.authenticated.content.sender == Sender(SenderType.member, SENDER)


def _channel(suite: CipherSuite, vector: Vector, context: GroupContext) -> PrivateChannel:
    tree = SecretTree(suite, unhex(vector["encryption_secret"]), 2, window=1000)
    return PrivateChannel(suite, context, Secret(unhex(vector["sender_data_secret"])), tree)


def _unprotect_private(suite: CipherSuite, vector: Vector, context: GroupContext, data: bytes, content: object) -> None:
    message = MLSMessage.decode(data).body
    assert isinstance(message, PrivateMessage)
    authenticated, _ = _channel(suite, vector, context).unprotect(message)
    authenticated.verify_signature(suite, unhex(vector["signature_pub"]), context.encode())
    assert authenticated.content.content == content
    assert authenticated.content.sender == Sender(SenderType.member, SENDER)


def _application_is_never_public(
    suite: CipherSuite, vector: Vector, context: GroupContext, key: SignaturePrivateKey, data: bytes
) -> None:
    try:
        signed = _sign(WireFormat.mls_public_message, context, key, data)
        PublicMessage.protect(suite, signed, unhex(vector["membership_key"]), context.encode())
    except MLSError:
        return
    raise AssertionError("application data were protected as a PublicMessage")


def welcome(vector: Vector) -> None:
    """A Welcome opened down to the confirmation tag, and sealed again."""
    suite = suite_of(vector["cipher_suite"])
    key_package = MLSMessage.decode(unhex(vector["key_package"])).body
    message = MLSMessage.decode(unhex(vector["welcome"])).body
    assert isinstance(key_package, KeyPackage)
    assert isinstance(message, Welcome)
    key_package.validate(suite)
    init_key = HPKEPrivateKey.from_bytes(suite, unhex(vector["init_priv"]))
    assert init_key.public == key_package.init_key
    entry = message.secrets_for([key_package.reference(suite)])
    encrypted = message.encrypted_group_info
    secrets = open_group_secrets(suite, init_key, encrypted, entry.encrypted_group_secrets)
    member = member_secret(suite, secrets.joiner_secret, bytes(suite.hash_length))
    group_info = open_group_info(suite, welcome_secret(suite, member), encrypted)
    group_info.verify_signature(suite, unhex(vector["signer_pub"]))
    context = group_info.group_context
    epoch = EpochSecrets.of_member_secret(suite, member, context.encode())
    assert epoch.confirmation_tag(suite, context.confirmed_transcript_hash) == group_info.confirmation_tag

    assert seal_group_info(suite, welcome_secret(suite, member), group_info) == encrypted
    sealed = seal_group_secrets(suite, init_key.public, encrypted, secrets.encode())
    assert open_group_secrets(suite, init_key, encrypted, sealed).encode() == secrets.encode()


VERIFY: dict[str, Callable[[Vector], None]] = {
    "messages": messages,
    "message-protection": message_protection,
    "welcome": welcome,
}
