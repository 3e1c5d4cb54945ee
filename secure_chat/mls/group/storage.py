"""A group as rows `(key, value)`: what changes is written, and nothing else.

Sending or receiving a message touches rows of a few dozen bytes; a commit touches the nodes on its path::

    version                           format of all the rows
    status                            whether the group is in use, and the ReInit that ended it
    epoch                             context and secrets of the current epoch
    tree/<node>  private/<node>       one row for each non-blank node, and for each private key in the tree
    keys/<epoch><...>                 the rows of an epoch's secret tree
    past/<epoch>  leaf/<epoch><leaf>  past epochs, and the leaves that later commits replaced
    psk/<id>  resumption/<group><epoch>
    proposal/<reference>              proposals kept for a commit
    declined/<reference>              those of them that this member does not want
    pending  pending/tree/<node>  pending/private/<node>  pending/keys/<...>

Values hold secrets: the store they go to must be encrypted.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated

from secure_chat.mls.codec import (
    OPAQUE,
    UINT32,
    UINT64,
    EnumCodec,
    Optional,
    Reader,
    Struct,
    StructCodec,
    encode_opaque,
)
from secure_chat.mls.crypto.secret import Secret
from secure_chat.mls.crypto.suite import HPKEPrivateKey, SignaturePrivateKey, suite_of
from secure_chat.mls.errors import MLSError, StorageError
from secure_chat.mls.group.limits import Limits
from secure_chat.mls.group.psks import PSKStore
from secure_chat.mls.group.results import Pending
from secure_chat.mls.group.state import EpochState, KeptProposal, OwnUpdate, PastEpoch
from secure_chat.mls.messages.content import Sender
from secure_chat.mls.messages.private import PrivateChannel
from secure_chat.mls.messages.proposals import PROPOSAL, Proposal, ReInit
from secure_chat.mls.schedule.epoch import EpochSecrets
from secure_chat.mls.schedule.group_context import GroupContext
from secure_chat.mls.schedule.secret_tree import SecretTree
from secure_chat.mls.tree.leaf_node import LeafNode
from secure_chat.mls.tree.math import node_of
from secure_chat.mls.tree.private import TreePrivate
from secure_chat.mls.tree.ratchet_tree import RatchetTree

__all__ = ["FORMAT_VERSION", "PendingState", "Rows", "Status", "StoredGroup", "load_group"]

FORMAT_VERSION = 1
"""Rows of another version are refused; a later version brings the code that converts them."""

_VERSION, _STATUS, _EPOCH, _PENDING = b"version", b"status", b"epoch", b"pending"
_TREE, _PRIVATE, _KEYS = b"tree/", b"private/", b"keys/"
_PAST, _LEAF = b"past/", b"leaf/"
_PSK, _RESUMPTION = b"psk/", b"resumption/"
_PROPOSAL, _DECLINED = b"proposal/", b"declined/"
_PENDING_TREE, _PENDING_PRIVATE, _PENDING_KEYS = b"pending/tree/", b"pending/private/", b"pending/keys/"


class Status(IntEnum):
    """What a group can be used for."""

    active = 0
    joining = 1
    """An external commit of one's own waits to be accepted (§12.4.3.2)."""
    removed = 2
    reinitialized = 3
    abandoned = 4
    """The external commit was discarded."""


@dataclass(slots=True)
class PendingState:
    """A commit of one's own with the state it leads to; the state of an external join is the group's own already."""

    pending: Pending
    state: EpochState | None
    reinit: ReInit | None


@dataclass(frozen=True, slots=True, repr=False)
class _EpochRow(Struct):
    context: Annotated[GroupContext, StructCodec(GroupContext)]
    own_index: Annotated[int, UINT32]
    signature_key: Annotated[bytes, OPAQUE]
    interim_transcript_hash: Annotated[bytes, OPAQUE]
    confirmation_tag: Annotated[bytes, OPAQUE]
    sender_data_secret: Annotated[bytes, OPAQUE]
    exporter_secret: Annotated[bytes, OPAQUE]
    external_secret: Annotated[bytes, OPAQUE]
    confirmation_key: Annotated[bytes, OPAQUE]
    membership_key: Annotated[bytes, OPAQUE]
    resumption_psk: Annotated[bytes, OPAQUE]
    epoch_authenticator: Annotated[bytes, OPAQUE]
    init_secret: Annotated[bytes, OPAQUE]

    @classmethod
    def of(cls, state: EpochState) -> "_EpochRow":
        secrets = state.secrets
        return cls(
            state.context,
            state.own_index,
            state.signature_key.private_bytes,
            state.interim_transcript_hash,
            state.confirmation_tag,
            secrets.sender_data_secret,
            secrets.exporter_secret,
            secrets.external_secret,
            secrets.confirmation_key,
            secrets.membership_key,
            secrets.resumption_psk,
            secrets.epoch_authenticator,
            secrets.init_secret,
        )

    def secrets(self) -> EpochSecrets:
        return EpochSecrets(
            Secret(self.sender_data_secret),
            Secret(b""),
            Secret(self.exporter_secret),
            Secret(self.external_secret),
            Secret(self.confirmation_key),
            Secret(self.membership_key),
            Secret(self.resumption_psk),
            Secret(self.epoch_authenticator),
            Secret(self.init_secret),
        )


@dataclass(frozen=True, slots=True)
class _StatusRow(Struct):
    status: Annotated[Status, EnumCodec(Status, 1)]
    reinit: Annotated[ReInit | None, Optional(StructCodec(ReInit))]


@dataclass(frozen=True, slots=True, repr=False)
class _PastRow(Struct):
    context: Annotated[GroupContext, StructCodec(GroupContext)]
    leaf_count: Annotated[int, UINT32]
    sender_data_secret: Annotated[bytes, OPAQUE]


@dataclass(frozen=True, slots=True, repr=False)
class _OwnUpdateRow(Struct):
    encryption_key: Annotated[bytes, OPAQUE]
    signature_key: Annotated[bytes, OPAQUE]


@dataclass(frozen=True, slots=True, repr=False)
class _ProposalRow(Struct):
    number: Annotated[int, UINT32]
    size: Annotated[int, UINT32]
    sender: Annotated[Sender, StructCodec(Sender)]
    authenticated_data: Annotated[bytes, OPAQUE]
    proposal: Annotated[Proposal, PROPOSAL]
    own_update: Annotated[_OwnUpdateRow | None, Optional(StructCodec(_OwnUpdateRow))]


@dataclass(frozen=True, slots=True, repr=False)
class _PendingRow(Struct):
    commit: Annotated[bytes, OPAQUE]
    welcome: Annotated[bytes | None, Optional(OPAQUE)]
    group_info: Annotated[bytes | None, Optional(OPAQUE)]
    epoch: Annotated[int, UINT64]
    state: Annotated[_EpochRow | None, Optional(StructCodec(_EpochRow))]
    reinit: Annotated[ReInit | None, Optional(StructCodec(ReInit))]


class Rows:
    """Collects the changes of one group until the application stores them."""

    __slots__ = ("_changed", "_pending")

    def __init__(self) -> None:
        self._changed: dict[bytes, bytes | None] = {}
        self._pending: dict[bytes, bytes | None] = {}

    def save_version(self) -> None:
        """The rows of a new group begin."""
        self._changed[_VERSION] = FORMAT_VERSION.to_bytes(2, "big")

    def save_status(self, status: Status, reinit: ReInit | None) -> None:
        """The group's status changed."""
        self._changed[_STATUS] = _StatusRow(status, reinit).encode()

    def save_epoch(self, state: EpochState) -> None:
        """A new epoch began; its tree and keys are collected by `drain`."""
        self._changed[_EPOCH] = _EpochRow.of(state).encode()

    def save_past(self, past: PastEpoch, context: GroupContext, leaf_count: int, sender_data_secret: bytes) -> None:
        """An epoch ended."""
        number = context.epoch.to_bytes(8, "big")
        self._changed[_PAST + number] = _PastRow(context, leaf_count, sender_data_secret).encode()
        for index, leaf in past.replaced.items():
            row = _LEAF + number + index.to_bytes(4, "big")
            self._changed[row] = b"" if leaf is None else leaf.encode()

    def delete_past(self, epoch: int, past: PastEpoch) -> None:
        """A past epoch's secrets are dropped (§9.2)."""
        number = epoch.to_bytes(8, "big")
        self._changed[_PAST + number] = None
        for index in past.replaced:
            self._changed[_LEAF + number + index.to_bytes(4, "big")] = None
        self.delete_keys(epoch, past.channel.secret_tree)

    def delete_keys(self, epoch: int, keys: SecretTree) -> None:
        """All of an epoch's message keys go."""
        prefix = _KEYS + epoch.to_bytes(8, "big")
        for row in [row for row, _ in keys.changes()] + list(keys.rows()):
            self._changed[prefix + row] = None

    def save_psk(self, name: bytes, psk: bytes | None) -> None:
        """An external PSK was added, or removed (None)."""
        self._changed[_PSK + name] = psk

    def save_resumption_psk(self, group_id: bytes, epoch: int, psk: bytes | None) -> None:
        """A resumption PSK was added, or removed (None)."""
        self._changed[_RESUMPTION + encode_opaque(group_id) + epoch.to_bytes(8, "big")] = psk

    def save_proposal(self, number: int, kept: KeptProposal) -> None:
        """A proposal is kept, as the `number`th of its epoch."""
        own = kept.own_update
        own_row = None
        if own is not None:
            own_row = _OwnUpdateRow(own.encryption_key.private_bytes, own.signature_key.private_bytes)
        row = _ProposalRow(number, kept.size, kept.sender, kept.authenticated_data, kept.proposal, own_row)
        self._changed[_PROPOSAL + kept.reference] = row.encode()

    def save_declined(self, reference: bytes) -> None:
        """A kept proposal is not to be committed by this member."""
        self._changed[_DECLINED + reference] = b""

    def delete_proposal(self, reference: bytes) -> None:
        """A proposal is no longer kept."""
        self._changed[_PROPOSAL + reference] = None
        self._changed[_DECLINED + reference] = None

    def save_pending(self, pending: PendingState) -> None:
        """A commit of one's own waits for the delivery service; call once, the trees' changes go into its rows."""
        state, made = pending.state, pending.pending
        row = _PendingRow(
            made.commit,
            made.welcome,
            made.group_info,
            made.epoch,
            None if state is None else _EpochRow.of(state),
            pending.reinit,
        )
        self._pending = {_PENDING: row.encode()}
        if state is not None:
            for node, data in state.tree.drain_changes():
                self._pending[_PENDING_TREE + node.to_bytes(4, "big")] = data or b""
            for node, key in state.private.drain_changes():
                self._pending[_PENDING_PRIVATE + node.to_bytes(4, "big")] = key or b""
            for name, value in state.channel.secret_tree.changes():
                self._pending[_PENDING_KEYS + name] = value
        self._changed.update(self._pending)

    def restore_pending(self, rows: Mapping[bytes, bytes]) -> None:
        """The rows of a pending commit that was loaded."""
        self._pending = {row: value for row, value in rows.items() if row.startswith(_PENDING)}

    def merge_pending(self, epoch: int) -> None:
        """The pending commit's tree and keys become the group's."""
        keys = _KEYS + epoch.to_bytes(8, "big")
        for row, value in self._pending.items():
            if row.startswith(_PENDING_TREE):
                self._changed[_TREE + row[len(_PENDING_TREE) :]] = value or None
            elif row.startswith(_PENDING_PRIVATE):
                self._changed[_PRIVATE + row[len(_PENDING_PRIVATE) :]] = value or None
            elif row.startswith(_PENDING_KEYS):
                self._changed[keys + row[len(_PENDING_KEYS) :]] = value
        self.delete_pending()

    def delete_pending(self) -> None:
        """The pending commit is gone."""
        for row in self._pending:
            self._changed[row] = None
        self._pending = {}

    def drain(self, state: EpochState, past: Mapping[int, PastEpoch]) -> list[tuple[bytes, bytes | None]]:
        """Everything that changed since the last call; None deletes a row."""
        changed = self._changed
        for node, data in state.tree.drain_changes():
            changed[_TREE + node.to_bytes(4, "big")] = data
        for node, key in state.private.drain_changes():
            changed[_PRIVATE + node.to_bytes(4, "big")] = key
        for epoch, keys in _secret_trees(state, past):
            if keys.has_changes:
                prefix = _KEYS + epoch.to_bytes(8, "big")
                for row, value in keys.changes():
                    changed[prefix + row] = value
        self._changed = {}
        return list(changed.items())


def _secret_trees(state: EpochState, past: Mapping[int, PastEpoch]) -> Iterator[tuple[int, SecretTree]]:
    yield state.epoch, state.channel.secret_tree
    for epoch, ended in past.items():
        yield epoch, ended.channel.secret_tree


@dataclass(slots=True)
class StoredGroup:
    """A group as its rows describe it."""

    state: EpochState
    past: dict[int, PastEpoch]
    kept: dict[bytes, KeptProposal]
    declined: set[bytes]
    kept_number: int
    """What the next kept proposal is numbered."""
    psks: PSKStore
    pending: PendingState | None
    status: Status
    reinit: ReInit | None
    rows: Rows


def load_group(rows: Mapping[bytes, bytes], limits: Limits) -> StoredGroup:
    """The group that these rows describe; StorageError if any is missing, damaged or of another version."""
    if rows.get(_VERSION) != FORMAT_VERSION.to_bytes(2, "big"):
        raise StorageError("the stored group has an unknown format version")
    try:
        return _load(rows, limits)
    except StorageError:
        raise
    except MLSError as error:
        raise StorageError(f"the stored group is damaged: {error}") from None


def _load(rows: Mapping[bytes, bytes], limits: Limits) -> StoredGroup:
    status = _StatusRow.decode(_row(rows, _STATUS))
    tree_rows, private_rows = _nodes(rows, _TREE), _nodes(rows, _PRIVATE)
    epoch_row = _EpochRow.decode(_row(rows, _EPOCH))
    keys = _below(rows, _KEYS + epoch_row.context.epoch.to_bytes(8, "big"))
    state = _load_epoch(epoch_row, tree_rows, private_rows, keys, limits)
    kept = _load_proposals(rows, state)
    result = StoredGroup(
        state=state,
        past=_load_past(rows, limits),
        kept={proposal.reference: proposal for _, proposal in sorted(kept.items())},
        declined=set(_below(rows, _DECLINED)),
        kept_number=max(kept, default=-1) + 1,
        psks=_load_psks(rows),
        pending=None,
        status=status.status,
        reinit=status.reinit,
        rows=Rows(),
    )
    if _PENDING in rows:
        row = _PendingRow.decode(rows[_PENDING])
        next_state = None
        if row.state is not None:
            tree_rows |= _nodes(rows, _PENDING_TREE)
            private_rows |= _nodes(rows, _PENDING_PRIVATE)
            next_state = _load_epoch(row.state, tree_rows, private_rows, _below(rows, _PENDING_KEYS), limits)
        pending = Pending(row.commit, row.welcome, row.group_info, row.epoch)
        result.pending = PendingState(pending, next_state, row.reinit)
        result.rows.restore_pending(rows)
    return result


def _load_epoch(
    row: _EpochRow,
    tree_rows: Mapping[int, bytes],
    private_rows: Mapping[int, bytes],
    keys: Mapping[bytes, bytes],
    limits: Limits,
) -> EpochState:
    suite = suite_of(row.context.cipher_suite)
    present_nodes = [(node, data) for node, data in tree_rows.items() if data]
    tree = RatchetTree.load(suite, present_nodes, limits.members)
    present = [(node, data) for node, data in private_rows.items() if data]
    private = TreePrivate.load(suite, row.own_index, present)
    signature_key = SignaturePrivateKey.from_bytes(suite, row.signature_key)
    leaf, own_key = tree.leaf(row.own_index), private.key(node_of(row.own_index))
    if tree.tree_hash() != row.context.tree_hash:
        raise StorageError("the stored tree is not the stored epoch's")
    if (
        leaf is None
        or own_key is None
        or own_key.public != leaf.encryption_key
        or signature_key.public != leaf.signature_key
    ):
        raise StorageError("the stored private keys are not the own leaf's")
    secret_tree = SecretTree.of_rows(suite, tree.leaf_count, limits.window, keys)
    secrets = row.secrets()
    channel = PrivateChannel(suite, row.context, secrets.sender_data_secret, secret_tree)
    return EpochState(
        suite,
        row.context,
        tree,
        private,
        signature_key,
        secrets,
        row.interim_transcript_hash,
        row.confirmation_tag,
        channel,
    )


def _load_past(rows: Mapping[bytes, bytes], limits: Limits) -> dict[int, PastEpoch]:
    past = {}
    for number, data in sorted(_below(rows, _PAST).items()):
        row = _PastRow.decode(data)
        suite = suite_of(row.context.cipher_suite)
        replaced: dict[int, LeafNode | None] = {}
        for index, leaf in _below(rows, _LEAF + number).items():
            replaced[_uint32(index)] = LeafNode.decode(leaf) if leaf else None
        keys = SecretTree.of_rows(suite, row.leaf_count, limits.window, _below(rows, _KEYS + number))
        channel = PrivateChannel(suite, row.context, row.sender_data_secret, keys)
        past[row.context.epoch] = PastEpoch(channel, replaced)
    return past


def _load_proposals(rows: Mapping[bytes, bytes], state: EpochState) -> dict[int, KeptProposal]:
    found = {}
    for reference, data in _below(rows, _PROPOSAL).items():
        row = _ProposalRow.decode(data)
        own = None
        if row.own_update is not None:
            own = OwnUpdate(
                HPKEPrivateKey.from_bytes(state.suite, row.own_update.encryption_key),
                SignaturePrivateKey.from_bytes(state.suite, row.own_update.signature_key),
            )
        found[row.number] = KeptProposal(reference, row.proposal, row.sender, row.authenticated_data, row.size, own)
    return found


def _load_psks(rows: Mapping[bytes, bytes]) -> PSKStore:
    resumption = {}
    for place, psk in sorted(_below(rows, _RESUMPTION).items()):
        reader = Reader(place)
        resumption[reader.opaque(), reader.uint(8)] = psk
        reader.finish()
    return PSKStore(_below(rows, _PSK), resumption)


def _row(rows: Mapping[bytes, bytes], key: bytes) -> bytes:
    value = rows.get(key)
    if value is None:
        raise StorageError(f"the stored group lacks its row {key.decode()!r}")
    return value


def _below(rows: Mapping[bytes, bytes], prefix: bytes) -> dict[bytes, bytes]:
    return {key[len(prefix) :]: value for key, value in rows.items() if key.startswith(prefix)}


def _nodes(rows: Mapping[bytes, bytes], prefix: bytes) -> dict[int, bytes]:
    return {_uint32(key): value for key, value in _below(rows, prefix).items()}


def _uint32(data: bytes) -> int:
    if len(data) != 4:
        raise StorageError("a stored row's key is damaged")
    return int.from_bytes(data, "big")
