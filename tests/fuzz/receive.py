"""Fuzzing `receive` on a live group: from raw bytes to well-signed, well-encrypted nonsense.

The first byte of an input says what the rest is::

    0   an MLSMessage as it is
    1   a FramedContent, which its sender signs and tags as a PublicMessage
    2   a FramedContent, which its member signs and encrypts as a PrivateMessage
    3   content type, leaf, then the plaintext of a PrivateMessage, which is only encrypted

The second byte of 1 and 2 chooses the confirmation tag, and whether leaves and key packages inside are signed anew.
"""

import random
from dataclasses import replace

from secure_chat.mls.codec import Reader, encode_opaque
from secure_chat.mls.crypto.labels import sign_with_label
from secure_chat.mls.crypto.secret import Secret
from secure_chat.mls.crypto.suite import SignaturePrivateKey
from secure_chat.mls.errors import MLSError
from secure_chat.mls.group.group import Group
from secure_chat.mls.group.results import Application, Out, ReceivedProposal, Skipped, StagedCommit
from secure_chat.mls.messages.commit import Commit, ProposalRef
from secure_chat.mls.messages.content import ContentType, FramedContent, Sender, SenderType, write_content
from secure_chat.mls.messages.envelope import MLSMessage
from secure_chat.mls.messages.proposals import Add, Proposal, Update
from secure_chat.mls.messages.public import PublicMessage
from secure_chat.mls.tree.leaf_node import LeafNode
from tests.fuzz.live import LiveGroup
from tests.fuzz.mutation import Pool, mutate_bytes
from tests.fuzz.target import Target, changed_struct, struct_mutator
from tests.policies import AcceptAll

__all__ = ["receive_target"]

RAW, PUBLIC, PRIVATE, PLAINTEXT = range(4)
NO_TAG, WRONG_TAG, EMPTY_TAG = range(3)
RESIGN = 4


class Frankenstein:
    """Makes a message of an input, and feeds it to the victim."""

    def __init__(self) -> None:
        self.live = LiveGroup()
        self.group = self.live.victim.load()
        self.rows = dict(self.live.victim.rows)
        self.framed: list[bytes] = []
        for data in self.live.messages.values():
            body = MLSMessage.decode(data).body
            if isinstance(body, PublicMessage):
                self.framed.append(body.authenticated.encoded)
        state = self.group._epochs.current
        member = Sender(SenderType.member, 1)
        self.framed.append(FramedContent(state.context.group_id, state.epoch, member, b"data", b"hello").encode())

    def seeds(self) -> list[bytes]:
        """Inputs of every kind."""
        inputs = [bytes([RAW]) + message for message in self.live.messages.values()]
        for framed in self.framed:
            inputs += [bytes([PUBLIC, WRONG_TAG]) + framed, bytes([PRIVATE, WRONG_TAG]) + framed]
            content = FramedContent.decode(framed)
            plaintext = bytearray()
            write_content(content.content, plaintext)
            plaintext += encode_opaque(bytes(64)) + encode_opaque(bytes(32))
            inputs.append(bytes([PLAINTEXT, content.content_type, 1]) + plaintext)
        return inputs

    def message(self, data: bytes) -> bytes | None:
        """The message that an input stands for."""
        if len(data) < 3 or data[0] == RAW:
            return data[1:]
        kind, option, rest = data[0] % 4, data[1], data[2:]
        if kind == PLAINTEXT:
            content_type = ContentType(1 + option % 3)
            return self.live.seal_private(content_type, rest[0] % 8, b"", rest[1:])
        if option & RESIGN:
            rest = self._resigned(rest)
        sender, content_type = _head(rest)
        tail = (None, bytes(32), b"")[option % 3]
        if content_type is not ContentType.commit:
            tail = None
        state = self.group._epochs.current
        if kind == PUBLIC:
            return self.live.sign_public(state, rest, sender.sender_type, sender.index, tail)
        content = _body(rest)
        leaf_index = sender.index if sender.index in self.live.people else 1
        signature = self.live.sign_private(state, leaf_index, content_type, b"", content)
        plaintext = content + encode_opaque(signature)
        if tail is not None:
            plaintext += encode_opaque(tail)
        return self.live.seal_private(content_type, leaf_index, b"", plaintext + bytes(option % 7))

    def _resigned(self, data: bytes) -> bytes:
        """A FramedContent whose leaves and key packages bear right signatures, so that further checks are reached."""
        try:
            framed = FramedContent.decode(data)
        except MLSError:
            return data
        content = framed.content
        if isinstance(content, Commit):
            proposals = tuple(
                item if isinstance(item, ProposalRef) else self._resigned_proposal(item, framed)
                for item in content.proposals
            )
            path = content.path
            if path is not None:
                path = replace(path, leaf_node=self._resigned_leaf(path.leaf_node, framed, self._place(framed)))
            return replace(framed, content=Commit(proposals, path)).encode()
        if isinstance(content, Add | Update):
            return replace(framed, content=self._resigned_proposal(content, framed)).encode()
        return data

    def _place(self, framed: FramedContent) -> int:
        """Where the sender's new leaf goes: an external committer takes the first blank leaf."""
        if framed.sender.sender_type is SenderType.member:
            return framed.sender.index
        return self.group._epochs.current.tree.copy().blank_leaf()

    def _resigned_proposal(self, item: Proposal, framed: FramedContent) -> Proposal:
        if isinstance(item, Add):
            package = item.key_package
            leaf = self._resigned_leaf(package.leaf_node, framed, 0)
            unsigned = replace(package, leaf_node=leaf, _encoded=b"")
            key = self.live.owner_key(leaf.signature_key, self._sender_key(framed))
            signature = sign_with_label(key, "KeyPackageTBS", unsigned.to_be_signed())
            return Add(replace(unsigned, signature=signature, _encoded=b""))
        if isinstance(item, Update):
            return Update(self._resigned_leaf(item.leaf_node, framed, framed.sender.index))
        return item

    def _resigned_leaf(self, leaf: LeafNode, framed: FramedContent, leaf_index: int) -> LeafNode:
        return self.live.resign_leaf(leaf, leaf_index, self._sender_key(framed))

    def _sender_key(self, framed: FramedContent) -> SignaturePrivateKey:
        return self.live.key_of(framed.sender.sender_type, framed.sender.index)

    def run(self, data: bytes) -> None:
        """Receive; a refusal must leave no trace, an acceptance a group that works."""
        message = self.message(data)
        if message is None:
            return
        group = self.group
        before = (group.epoch, group.epoch_authenticator, group.proposals, group.pending)
        result = group.receive(message)
        if isinstance(result, Application | ReceivedProposal):
            self.group = Group.load(self.rows, AcceptAll())
            return
        assert isinstance(result, Skipped | Out | StagedCommit)
        assert group.changes() == []
        assert (group.epoch, group.epoch_authenticator, group.proposals, group.pending) == before
        if isinstance(result, Skipped | Out):
            _redacted(result.reason)
            return
        group.merge(result)
        self._works(group, result)
        self.group = Group.load(self.rows, AcceptAll())

    def _works(self, group: Group, staged: StagedCommit) -> None:
        rows = dict(self.rows)
        for key, value in group.changes():
            if value is None:
                rows.pop(key, None)
            else:
                rows[key] = value
        again = Group.load(rows, AcceptAll())
        assert again.epoch_authenticator == group.epoch_authenticator
        assert again.tree_hash == group.tree_hash
        assert [member.leaf_index for member in again.members()] == [m.leaf_index for m in group.members()]
        if again.active:
            assert again.epoch == staged.epoch
            again.protect(b"still here")
            again.commit()


def _redacted(reason: MLSError) -> None:
    """An error names no secret and shows no key material."""
    assert not any(isinstance(argument, Secret) for argument in reason.args)
    assert len(str(reason)) < 300


def _head(framed: bytes) -> tuple[Sender, ContentType]:
    """Sender and content type of FramedContent bytes, or of something close to them."""
    try:
        reader = Reader(framed)
        reader.opaque()
        reader.uint(8)
        sender = Sender.read(reader)
        reader.opaque()
        return sender, ContentType(reader.uint(1))
    except (MLSError, ValueError):
        return Sender(SenderType.member, 1), ContentType.commit


def _body(framed: bytes) -> bytes:
    """What follows the content type."""
    try:
        reader = Reader(framed)
        reader.opaque()
        reader.uint(8)
        Sender.read(reader)
        reader.opaque()
        return framed[reader.position + 1 :]
    except MLSError:
        return framed


def receive_target() -> Target:
    """The campaign."""
    made = Frankenstein()
    mutate_message = struct_mutator(MLSMessage, list(made.live.messages.values()))
    pool = Pool(
        [FramedContent.decode(framed) for framed in made.framed]
        + [MLSMessage.decode(message) for message in made.live.messages.values()]
    )

    def mutate(data: bytes, rng: random.Random) -> bytes:
        if len(data) < 3:
            return bytes([rng.randrange(4)]) + mutate_bytes(data, rng)
        if data[0] == RAW:
            return data[:1] + mutate_message(data[1:], rng)
        if data[0] == PLAINTEXT or rng.random() < 0.1:
            return data[:3] + mutate_bytes(data[3:], rng)
        try:
            framed = FramedContent.decode(data[2:])
        except MLSError:
            return data[:2] + mutate_bytes(data[2:], rng)
        return data[:1] + bytes([rng.randrange(8)]) + changed_struct(framed, pool, rng).encode()

    return Target(made.seeds(), made.run, mutate)
