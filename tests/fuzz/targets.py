"""What is fuzzed: each target takes bytes, and succeeds or raises nothing but MLSError.

Every decoder also has to encode what it decoded to the same bytes, since signatures and hashes are over them. Inputs
mean the same in every process, so a finding can be replayed.
"""

import contextlib
import random
from collections.abc import Callable, Mapping
from dataclasses import replace

from secure_chat.mls.codec import OPAQUE, Reader, Vector, encode_opaque
from secure_chat.mls.crypto.suite import suite_of
from secure_chat.mls.errors import MLSError
from secure_chat.mls.group.group import Group
from secure_chat.mls.messages.envelope import MLSMessage
from secure_chat.mls.messages.key_package import KeyPackage, KeyPackageBundle
from secure_chat.mls.messages.welcome import (
    EncryptedGroupSecrets,
    GroupInfo,
    GroupSecrets,
    Welcome,
    open_group_info,
    open_group_secrets,
    seal_group_info,
    seal_group_secrets,
)
from secure_chat.mls.registry import ExtensionType
from secure_chat.mls.schedule.epoch import member_secret, welcome_secret
from secure_chat.mls.schedule.psk import psk_secret
from secure_chat.mls.tree.leaf_node import LeafNode
from secure_chat.mls.tree.math import NodeIndex, node_count
from secure_chat.mls.tree.parent_node import ParentNode
from secure_chat.mls.tree.ratchet_tree import RatchetTree
from secure_chat.mls.tree.validation import validate_tree
from tests.fuzz.live import PSKS, LiveGroup
from tests.fuzz.mutation import Pool, mutate_bytes
from tests.fuzz.receive import receive_target
from tests.fuzz.target import Target, changed_struct, struct_mutator
from tests.policies import AcceptAll

__all__ = ["TARGETS", "make"]


def mls_message() -> Target:
    """Every message in its envelope."""
    seeds = list(LiveGroup().messages.values())

    def run(data: bytes) -> None:
        with contextlib.suppress(MLSError):
            assert MLSMessage.decode(data).encode() == data

    return Target(seeds, run, struct_mutator(MLSMessage, seeds))


def key_package() -> Target:
    """Key packages, validated as before an Add, and their stored form with private keys."""
    live = LiveGroup()
    bundles = [person.bundle for person in live.people.values()]
    seeds = [bundle.key_package.encode() for bundle in bundles] + [bundles[0].encode()]

    def run(data: bytes) -> None:
        with contextlib.suppress(MLSError):
            # Private keys of the NIST curves may come without leading zeros, and are written in full.
            stored = KeyPackageBundle.decode(data).encode()
            assert KeyPackageBundle.decode(stored).encode() == stored
        with contextlib.suppress(MLSError):
            package = KeyPackage.decode(data)
            assert package.encode() == data
            package.validate(suite_of(package.cipher_suite))

    return Target(seeds, run, struct_mutator(KeyPackage, seeds[:-1]))


def group_info() -> Target:
    """GroupInfos, decoded and verified, with the tree inside."""
    live = LiveGroup()
    signer = live.people[1].identity.signature_key.public
    seeds = [live.messages["group info"][4:]]

    def run(data: bytes) -> None:
        with contextlib.suppress(MLSError):
            info = GroupInfo.decode(data)
            assert info.encode() == data
            info.verify_signature(live.suite, signer)

    return Target(seeds, run, struct_mutator(GroupInfo, seeds))


def ratchet_tree() -> Target:
    """Trees, decoded and validated as a joiner does."""
    live = LiveGroup()
    groups = [person.load() for person in live.people.values()]
    group = groups[0]
    seeds = [group.ratchet_tree()]
    nodes = [node for _, node in group._epochs.current.tree.parents()]
    pool = Pool([*(member.leaf for member in group.members()), *nodes])

    def run(data: bytes) -> None:
        with contextlib.suppress(MLSError):
            tree = RatchetTree.decode(live.suite, data)
            assert tree.encode() == data
            tree.tree_hash()
            for leaf_index in range(min(tree.leaf_count, 32)):
                tree.filtered_direct_path(leaf_index)
            validate_tree(tree, group.group_id, group.extensions, AcceptAll())

    def mutate(data: bytes, rng: random.Random) -> bytes:
        try:
            tree = RatchetTree.decode(live.suite, data)
        except MLSError:
            return mutate_bytes(data, rng)
        parts = [tree.node(NodeIndex(index)) for index in range(node_count(tree.leaf_count))]
        for _ in range(rng.choice([1, 1, 2])):
            at = rng.randrange(len(parts))
            part = parts[at]
            choice = rng.randrange(5)
            if choice == 0:
                parts[at] = None
            elif choice == 1:
                parts[at] = parts[rng.randrange(len(parts))]
            elif choice == 2:
                parts += [None] * (rng.choice([1, len(parts) + 1])) + [part]
            elif part is not None:
                changed = changed_struct(part, pool, rng)
                if isinstance(changed, LeafNode) and rng.random() < 0.7:
                    changed = live.resign_leaf(changed, at // 2, live.people[1].identity.signature_key)
                parts[at] = changed if isinstance(changed, LeafNode | ParentNode) else part
        body = b"".join(
            b"\0" if part is None else b"\x01" + bytes([1 if index % 2 == 0 else 2]) + part.encode()
            for index, part in enumerate(parts)
        )
        return encode_opaque(body)

    return Target(seeds, run, mutate)


def stored_rows() -> Target:
    """A group's rows, damaged; what still loads must work."""
    live = LiveGroup()
    pending = live.victim.load()
    pending.commit(add=[live.invited.bundle.key_package], psks=PSKS)
    rows = dict(live.victim.rows)
    seeds = [_write_rows(rows)]
    for key, value in pending.changes():
        if value is None:
            rows.pop(key, None)
        else:
            rows[key] = value
    seeds.append(_write_rows(rows))

    def run(data: bytes) -> None:
        with contextlib.suppress(MLSError):
            group = Group.load(_read_rows(data), AcceptAll())
            group.members()
            group.receive(live.messages["application"])
            group.receive(live.messages["late"])
            group.receive(live.messages["commit by reference"])
            group.export("label", b"", 32)
            group.changes()
            for act in (group.merge_pending, group.commit, group.discard_pending, group.group_info):
                with contextlib.suppress(MLSError):
                    act()
            group.protect(b"data")

    def mutate(data: bytes, rng: random.Random) -> bytes:
        try:
            changed = _read_rows(data)
        except MLSError:
            return mutate_bytes(data, rng)
        key = rng.choice(list(changed)) if changed else b"epoch"
        choice = rng.randrange(5)
        if choice == 0:
            changed.pop(key, None)
        elif choice == 1:
            changed[key] = changed[rng.choice(list(changed))] if changed else b""
        elif choice == 2:
            changed[mutate_bytes(key, rng)] = changed.get(key, b"")
        else:
            changed[key] = mutate_bytes(changed.get(key, b""), rng)
        return _write_rows(changed)

    return Target(seeds, run, mutate)


_ROW_ITEMS = Vector(OPAQUE)


def _write_rows(rows: Mapping[bytes, bytes]) -> bytes:
    out = bytearray()
    _ROW_ITEMS.write(tuple(item for row in sorted(rows.items()) for item in row), out)
    return bytes(out)


def _read_rows(data: bytes) -> dict[bytes, bytes]:
    reader = Reader(data)
    items = _ROW_ITEMS.read(reader)
    reader.finish()
    return dict(zip(items[::2], items[1::2], strict=False))


def welcome() -> Target:
    """Welcomes as they arrive."""
    live = LiveGroup()
    person = live.invited
    seeds = [live.messages["welcome"]]

    def run(data: bytes) -> None:
        with contextlib.suppress(MLSError):
            Group.join(data, person.bundle, person.identity, AcceptAll(), psks=PSKS)

    assert Group.join(seeds[0], person.bundle, person.identity, AcceptAll(), psks=PSKS).active
    return Target(seeds, run, struct_mutator(MLSMessage, seeds))


def join() -> Target:
    """GroupSecrets and a GroupInfo of any content, rightly signed and encrypted into a Welcome."""
    live = LiveGroup()
    person, suite = live.invited, live.suite
    message = MLSMessage.decode(live.messages["welcome"]).body
    assert isinstance(message, Welcome)
    reference = person.bundle.reference
    sealed = message.secrets_for([reference]).encrypted_group_secrets
    secrets = open_group_secrets(suite, person.bundle.init_key, message.encrypted_group_info, sealed)

    def key_of(group_secrets: GroupSecrets) -> bytes:
        psk = psk_secret(suite, [(psk_id, PSKS[b"psk"]) for psk_id in group_secrets.psks])
        return welcome_secret(suite, member_secret(suite, group_secrets.joiner_secret, psk))

    info = open_group_info(suite, key_of(secrets), message.encrypted_group_info)
    pool = Pool([secrets, info, *(MLSMessage.decode(message) for message in live.messages.values())])
    seed = encode_opaque(secrets.encode()) + info.encode()

    def run(data: bytes) -> None:
        with contextlib.suppress(MLSError):
            reader = Reader(data)
            group_secrets = GroupSecrets.decode(reader.opaque())
            group_info = GroupInfo.decode(data[reader.position :])
            signer = live.people.get(group_info.signer, live.people[1])
            signed = GroupInfo.sign(
                group_info.group_context,
                group_info.extensions,
                group_info.confirmation_tag,
                group_info.signer,
                signer.identity.signature_key,
            )
            encrypted = seal_group_info(suite, key_of(group_secrets), signed)
            entry = seal_group_secrets(suite, person.bundle.key_package.init_key, encrypted, group_secrets.encode())
            made = Welcome(suite.number, (EncryptedGroupSecrets(reference, entry),), encrypted)
            encoded = MLSMessage.of(made).encode()
            Group.join(encoded, person.bundle, person.identity, AcceptAll(), psks=PSKS).protect(b"joined")

    def mutate(data: bytes, rng: random.Random) -> bytes:
        try:
            reader = Reader(data)
            group_secrets = GroupSecrets.decode(reader.opaque())
            group_info = GroupInfo.decode(data[reader.position :])
        except MLSError:
            return mutate_bytes(data, rng)
        if rng.random() < 0.3:
            changed = changed_struct(group_secrets, pool, rng)
            return encode_opaque(changed.encode()) + data[reader.position :]
        return encode_opaque(group_secrets.encode()) + _changed_info(group_info, pool, rng).encode()

    return Target([seed], run, mutate)


def join_external() -> Target:
    """GroupInfos of any content, rightly signed by the member they name, for an external commit."""
    live = LiveGroup()
    seeds = [live.messages["group info"]]
    pool = Pool([MLSMessage.decode(message) for message in live.messages.values()])

    def run(data: bytes) -> None:
        with contextlib.suppress(MLSError):
            Group.join_external(data, live.newcomer.identity, AcceptAll())
        with contextlib.suppress(MLSError):
            info = MLSMessage.decode(data).body
            if not isinstance(info, GroupInfo):
                return
            signer = live.people.get(info.signer, live.people[1]).identity.signature_key
            signed = GroupInfo.sign(info.group_context, info.extensions, info.confirmation_tag, info.signer, signer)
            encoded = MLSMessage.of(signed).encode()
            group, _ = Group.join_external(encoded, live.newcomer.identity, AcceptAll(), remove=6, psks=PSKS)
            group.changes()
            group.merge_pending()
            group.protect(b"joined")

    def mutate(data: bytes, rng: random.Random) -> bytes:
        try:
            info = MLSMessage.decode(data).body
        except MLSError:
            return mutate_bytes(data, rng)
        if not isinstance(info, GroupInfo):
            return seeds[0]
        return MLSMessage.of(_changed_info(info, pool, rng)).encode()

    return Target(seeds, run, mutate)


def _changed_info(info: GroupInfo, pool: Pool, rng: random.Random) -> GroupInfo:
    """A GroupInfo with something changed, sometimes inside its tree, with the tree hash to match."""
    if rng.random() < 0.5:
        changed = changed_struct(info, pool, rng)
        assert isinstance(changed, GroupInfo)
        return changed
    suite = suite_of(3)
    extensions = list(info.extensions)
    for place, extension in enumerate(extensions):
        if extension.extension_type == ExtensionType.ratchet_tree:
            data = _TREES.mutate(extension.extension_data, rng)
            extensions[place] = replace(extension, extension_data=data)
            with contextlib.suppress(MLSError):
                tree_hash = RatchetTree.decode(suite, data).tree_hash()
                info = replace(info, group_context=replace(info.group_context, tree_hash=tree_hash))
    return replace(info, extensions=tuple(extensions))


TARGETS: Mapping[str, Callable[[], Target]] = {
    "mls_message": mls_message,
    "key_package": key_package,
    "group_info": group_info,
    "welcome": welcome,
    "ratchet_tree": ratchet_tree,
    "stored_rows": stored_rows,
    "receive": receive_target,
    "join": join,
    "join_external": join_external,
}

_TREES = ratchet_tree()


def make(name: str) -> Target:
    """The target of this name."""
    return TARGETS[name]()
