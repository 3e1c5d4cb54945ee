"""The secret tree: one key for each message, deleted once it is consumed (RFC 9420 §9).

Secrets are derived when a sender is first heard of. Finding a key changes nothing; only `consume` does, so a message
that fails its checks costs its sender's key nothing::

    key = tree.find(leaf_index, APPLICATION, generation)     # pure; SecretConsumedError
    ... decrypt with key.key and key.nonce, verify the signature ...
    tree.consume(key)

What changed is reported as rows, each a few dozen bytes, so that one message never stores the whole tree again.
"""

import hmac
from collections.abc import Mapping
from typing import NewType

from secure_chat.mls.codec import encode_opaque
from secure_chat.mls.crypto.labels import expand_with_label
from secure_chat.mls.crypto.secret import Secret
from secure_chat.mls.crypto.suite import CipherSuite
from secure_chat.mls.errors import SecretConsumedError, StorageError, UsageError

__all__ = ["APPLICATION", "HANDSHAKE", "MAX_GENERATION", "MessageKey", "RatchetKind", "SecretTree"]

RatchetKind = NewType("RatchetKind", int)

HANDSHAKE = RatchetKind(0)
APPLICATION = RatchetKind(1)
_KIND_LABELS = ("handshake", "application")

MAX_GENERATION = (1 << 32) - 1
"""Generations are uint32 (§9.1); the last one is never used, so that its successor always exists."""

_NODE_ROW = b"n"
_RATCHET_ROWS = (b"h", b"a")


class _Ratchet:
    """One sender's hash ratchet: the next secret, and the keys skipped on the way to it."""

    __slots__ = ("generation", "row", "secret", "skipped")

    def __init__(self, row: bytes, secret: bytes, generation: int) -> None:
        self.row = row
        self.secret = secret
        self.generation = generation
        self.skipped: dict[int, tuple[bytes, bytes]] = {}

    def encode(self) -> bytes:
        """The row's value."""
        return self.generation.to_bytes(4, "big") + self.secret


class MessageKey:
    """A key and nonce for one message, found but not yet consumed."""

    __slots__ = ("expansion", "generation", "key", "nonce", "passed", "ratchet", "successor")

    def __init__(
        self,
        ratchet: _Ratchet,
        generation: int,
        key: bytes,
        nonce: bytes,
        successor: bytes | None,
        passed: list[tuple[int, bytes, bytes]] | None,
        expansion: "_Expansion | None",
    ) -> None:
        self.ratchet = ratchet
        self.generation = generation
        self.key = key
        self.nonce = nonce
        self.successor = successor
        self.passed = passed
        self.expansion = expansion

    def __repr__(self) -> str:
        return f"<MessageKey generation={self.generation}>"


class _Expansion:
    """The way from a known node down to a leaf: what is consumed and what takes its place."""

    __slots__ = ("consumed", "created", "leaf_index", "ratchets")

    def __init__(
        self,
        leaf_index: int,
        consumed: list[int],
        created: dict[int, Secret],
        ratchets: tuple[_Ratchet, _Ratchet],
    ) -> None:
        self.leaf_index = leaf_index
        self.consumed = consumed
        self.created = created
        self.ratchets = ratchets


class SecretTree:
    """The message keys of one epoch.

    `leaf_count` is the ratchet tree's width (a power of two), `window` how many generations a message may be ahead of
    its ratchet and how many skipped keys each ratchet keeps.
    """

    __slots__ = (
        "_changed",
        "_key_label",
        "_leaf_count",
        "_next_label",
        "_nodes",
        "_nonce_label",
        "_ratchets",
        "_suite",
        "_window",
    )

    def __init__(self, suite: CipherSuite, encryption_secret: bytes, leaf_count: int, window: int) -> None:
        self._suite = suite
        self._leaf_count = leaf_count
        self._window = window
        self._nodes: dict[int, Secret] = {}
        self._ratchets: tuple[dict[int, _Ratchet], dict[int, _Ratchet]] = ({}, {})
        self._changed: dict[bytes, _Ratchet | bytes | None] = {}
        self._key_label = _tree_label("key", suite.key_length)
        self._nonce_label = _tree_label("nonce", suite.nonce_length)
        self._next_label = _tree_label("secret", suite.hash_length)
        if encryption_secret:
            self._set_node(leaf_count - 1, Secret(encryption_secret))

    def find(self, leaf_index: int, kind: RatchetKind, generation: int) -> MessageKey:
        """The key for a generation, changing nothing; SecretConsumedError if it is gone or too far ahead."""
        ratchet = self._ratchets[kind].get(leaf_index)
        expansion = None
        if ratchet is None:
            expansion = self._expand(leaf_index)
            ratchet = expansion.ratchets[kind]
        ahead = generation - ratchet.generation
        if ahead < 0:
            skipped = ratchet.skipped.get(generation)
            if skipped is None:
                raise SecretConsumedError(f"the key of generation {generation} has been used or dropped (§9.2)")
            return MessageKey(ratchet, generation, skipped[0], skipped[1], None, None, expansion)
        if ahead > self._window or generation >= MAX_GENERATION:
            raise SecretConsumedError(f"generation {generation} is too far ahead (§15.3)")
        secret = ratchet.secret
        if not secret:
            raise SecretConsumedError("the handshake keys of an ended epoch are gone (§9.2)")
        suite = self._suite
        digest, name = hmac.digest, suite.hash_name
        passed: list[tuple[int, bytes, bytes]] | None = None
        if ahead:
            passed = []
            for number in range(ratchet.generation, generation):
                tail = number.to_bytes(4, "big") + b"\x01"
                passed.append(
                    (
                        number,
                        digest(secret, self._key_label + tail, name)[: suite.key_length],
                        digest(secret, self._nonce_label + tail, name)[: suite.nonce_length],
                    )
                )
                secret = digest(secret, self._next_label + tail, name)
        tail = generation.to_bytes(4, "big") + b"\x01"
        return MessageKey(
            ratchet,
            generation,
            digest(secret, self._key_label + tail, name)[: suite.key_length],
            digest(secret, self._nonce_label + tail, name)[: suite.nonce_length],
            digest(secret, self._next_label + tail, name),
            passed,
            expansion,
        )

    def consume(self, key: MessageKey) -> None:
        """Forget the key, and every secret it was derived from (§9.2)."""
        expansion = key.expansion
        ratchet = key.ratchet
        if expansion is not None:
            self._install(expansion)
        generation = key.generation
        if key.successor is None:
            del ratchet.skipped[generation]
            self._changed[ratchet.row + generation.to_bytes(4, "big")] = None
            return
        if key.passed is not None:
            self._keep_skipped(ratchet, key.passed)
        ratchet.secret = key.successor
        ratchet.generation = generation + 1
        self._changed[ratchet.row] = ratchet

    def next_key(self, leaf_index: int, kind: RatchetKind) -> MessageKey:
        """The sender's own next key, consumed at once."""
        ratchet = self._ratchets[kind].get(leaf_index)
        generation = 0 if ratchet is None else ratchet.generation
        if generation >= MAX_GENERATION:
            raise UsageError("this epoch's message keys are used up: commit to start a new epoch")
        key = self.find(leaf_index, kind, generation)
        self.consume(key)
        return key

    def drop_handshake_ratchets(self) -> None:
        """Once its epoch is over, handshake messages of a member can never be valid again (§12.4.2)."""
        for ratchet in self._ratchets[HANDSHAKE].values():
            self._forget(ratchet)
            ratchet.secret = b""

    # Persistence: rows relative to this tree.

    @property
    def has_changes(self) -> bool:
        """Whether `changes` has anything to report."""
        return bool(self._changed)

    def changes(self) -> list[tuple[bytes, bytes | None]]:
        """Rows changed since the last call; None deletes."""
        changed = [
            (
                row,
                value.encode() if isinstance(value, _Ratchet) else value,
            )
            for row, value in self._changed.items()
        ]
        self._changed.clear()
        return changed

    def rows(self) -> dict[bytes, bytes]:
        """All rows."""
        rows: dict[bytes, bytes] = {_node_row(node): secret for node, secret in self._nodes.items()}
        for ratchets in self._ratchets:
            for ratchet in ratchets.values():
                rows[ratchet.row] = ratchet.encode()
                for generation, (key, nonce) in ratchet.skipped.items():
                    rows[ratchet.row + generation.to_bytes(4, "big")] = key + nonce
        return rows

    @classmethod
    def of_rows(cls, suite: CipherSuite, leaf_count: int, window: int, rows: Mapping[bytes, bytes]) -> "SecretTree":
        """The tree that `rows` describe; StorageError if they are damaged."""
        if leaf_count < 1 or leaf_count & (leaf_count - 1):
            raise StorageError("a secret tree's width is damaged")
        tree = cls(suite, b"", leaf_count, window)
        skipped: list[tuple[bytes, bytes]] = []
        for row, value in rows.items():
            kind = row[:1]
            if kind == _NODE_ROW and len(row) == 5 and len(value) == suite.hash_length:
                tree._nodes[int.from_bytes(row[1:], "big")] = Secret(value)
            elif kind in _RATCHET_ROWS and len(row) == 5 and len(value) in (4, 4 + suite.hash_length):
                ratchet = _Ratchet(row, value[4:], int.from_bytes(value[:4], "big"))
                tree._ratchets[_RATCHET_ROWS.index(kind)][int.from_bytes(row[1:], "big")] = ratchet
            elif kind in _RATCHET_ROWS and len(row) == 9 and len(value) == suite.key_length + suite.nonce_length:
                skipped.append((row, value))
            else:
                raise StorageError("a secret tree row is damaged")
        for row, value in sorted(skipped):
            owner = tree._ratchets[_RATCHET_ROWS.index(row[:1])].get(int.from_bytes(row[1:5], "big"))
            if owner is None:
                raise StorageError("a skipped message key has no ratchet")
            owner.skipped[int.from_bytes(row[5:], "big")] = (
                value[: suite.key_length],
                value[suite.key_length :],
            )
        if tree._ratchets[0].keys() != tree._ratchets[1].keys():
            raise StorageError("a sender's ratchets are incomplete")
        return tree

    # Private helpers.

    def _expand(self, leaf_index: int) -> _Expansion:
        if not 0 <= leaf_index < self._leaf_count:
            raise SecretConsumedError(f"leaf {leaf_index} is outside the secret tree")
        suite = self._suite
        node, half = self._leaf_count - 1, self._leaf_count >> 1
        target = 2 * leaf_index
        consumed: list[int] = []
        created: dict[int, Secret] = {}
        secret = self._nodes.get(node)
        if secret is not None:
            consumed.append(node)
        while node != target:
            left, right = node - half, node + half
            child, sibling = (left, right) if target < node else (right, left)
            half >>= 1
            known = self._nodes.get(child)
            if known is not None:
                secret = known
                consumed.append(child)
            elif secret is not None:
                labels = (b"left", b"right") if child == left else (b"right", b"left")
                created[sibling] = expand_with_label(suite, secret, "tree", labels[1], suite.hash_length)
                secret = expand_with_label(suite, secret, "tree", labels[0], suite.hash_length)
            node = child
        if secret is None:
            raise SecretConsumedError(f"the secrets of leaf {leaf_index} are gone (§9.2)")
        number = leaf_index.to_bytes(4, "big")
        handshake, application = (
            _Ratchet(row + number, expand_with_label(suite, secret, label, b"", suite.hash_length), 0)
            for row, label in zip(_RATCHET_ROWS, _KIND_LABELS, strict=True)
        )
        return _Expansion(leaf_index, consumed, created, (handshake, application))

    def _install(self, expansion: _Expansion) -> None:
        for node in expansion.consumed:
            del self._nodes[node]
            self._changed[_node_row(node)] = None
        for node, secret in expansion.created.items():
            self._set_node(node, secret)
        for ratchets, ratchet in zip(self._ratchets, expansion.ratchets, strict=True):
            ratchets[expansion.leaf_index] = ratchet
            self._changed[ratchet.row] = ratchet

    def _set_node(self, node: int, secret: Secret) -> None:
        self._nodes[node] = secret
        self._changed[_node_row(node)] = secret

    def _keep_skipped(self, ratchet: _Ratchet, passed: list[tuple[int, bytes, bytes]]) -> None:
        skipped = ratchet.skipped
        for generation, key, nonce in passed:
            skipped[generation] = (key, nonce)
            self._changed[ratchet.row + generation.to_bytes(4, "big")] = key + nonce
        for generation in list(skipped)[: max(0, len(skipped) - self._window)]:
            del skipped[generation]
            self._changed[ratchet.row + generation.to_bytes(4, "big")] = None

    def _forget(self, ratchet: _Ratchet) -> None:
        for generation in ratchet.skipped:
            self._changed[ratchet.row + generation.to_bytes(4, "big")] = None
        ratchet.skipped.clear()
        self._changed[ratchet.row] = ratchet


def _tree_label(label: str, length: int) -> bytes:
    """The constant front of DeriveTreeSecret's KDFLabel (§8, §9.1), up to the four bytes of the generation."""
    return length.to_bytes(2, "big") + encode_opaque(b"MLS 1.0 " + label.encode()) + b"\x04"


def _node_row(node: int) -> bytes:
    return _NODE_ROW + node.to_bytes(4, "big")
