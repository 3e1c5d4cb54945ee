"""A group as the application uses it: everything one member can do, and nothing that skips a check.

A commit is made or received in one step and takes effect in another: `commit` keeps a `Pending` until the delivery
service has accepted it (`merge_pending`) or another commit has won (`discard_pending`, or `merge` of the other);
`receive` returns a `StagedCommit` for the application to look at before `merge`.

Every change is reported by `changes` as rows for an encrypted store; write them before any bytes leave.
"""

from collections.abc import Collection, Mapping, Sequence

from secure_chat.mls.credential.extensions import Extension, Lifetime
from secure_chat.mls.credential.policy import CredentialPolicy
from secure_chat.mls.crypto.secret import Secret
from secure_chat.mls.crypto.suite import CipherSuite, HPKEPrivateKey, suite_of
from secure_chat.mls.errors import (
    DecodeError,
    MLSError,
    UsageError,
    ValidationError,
    WrongEpochError,
    WrongGroupError,
)
from secure_chat.mls.group.create_commit import CommitOptions, check_lifetime, create_commit, make_group_info
from secure_chat.mls.group.creation import first_epoch
from secure_chat.mls.group.epochs import Epochs
from secure_chat.mls.group.incoming import open_handshake
from secure_chat.mls.group.join import join_external, join_welcome, read_group_info, read_welcome
from secure_chat.mls.group.kept import KeptProposals
from secure_chat.mls.group.limits import Limits
from secure_chat.mls.group.process_commit import PrivateFailure, StagedState, stage_commit
from secure_chat.mls.group.proposal_list import select_valid
from secure_chat.mls.group.psks import PSKStore, fresh_psk
from secure_chat.mls.group.results import (
    Application,
    Out,
    Pending,
    ReceivedProposal,
    Skipped,
    StagedCommit,
)
from secure_chat.mls.group.state import EpochState, OwnUpdate, member_of
from secure_chat.mls.group.storage import PendingState, Rows, Status, StoredGroup, load_group
from secure_chat.mls.group.successor import check_successor_group
from secure_chat.mls.group.view import GroupView
from secure_chat.mls.messages.commit import Commit, ProposalRef
from secure_chat.mls.messages.content import AuthenticatedContent, FramedContent, Sender, SenderType
from secure_chat.mls.messages.envelope import MLSMessage
from secure_chat.mls.messages.key_package import KeyPackage, KeyPackageBundle
from secure_chat.mls.messages.private import PrivateMessage
from secure_chat.mls.messages.proposals import Add, Proposal, ReInit, Remove, Update
from secure_chat.mls.messages.public import PublicMessage
from secure_chat.mls.registry import WireFormat
from secure_chat.mls.schedule.psk import ExternalPSK, ResumptionPSK, ResumptionPSKUsage
from secure_chat.mls.tree.leaf_node import LeafIdentity

__all__ = ["Group"]

_NO_PSKS: Mapping[bytes, bytes] = {}
_DEFAULT_LIMITS = Limits()


class Group(GroupView):
    """One member's hold on a group. Make one with `create`, `join`, `join_external` or `load`.

    Methods raise UsageError for what the group's state does not allow and ValidationError for arguments that the
    RFC forbids; in both cases nothing has changed.
    """

    def __init__(self, stored: StoredGroup, policy: CredentialPolicy, limits: Limits) -> None:
        """For this module's own use: the class methods check what they are given."""
        rows = stored.rows
        super().__init__(
            Epochs(stored.state, stored.past, stored.psks, rows, limits),
            KeptProposals(stored.kept, stored.declined, stored.kept_number, policy, rows, limits),
            stored.pending,
            stored.status,
            stored.reinit,
        )
        self._rows = rows
        self._policy = policy
        self._limits = limits

    @classmethod
    def _new(
        cls,
        state: EpochState,
        policy: CredentialPolicy,
        limits: Limits,
        psks: Mapping[bytes, bytes] = _NO_PSKS,
        status: Status = Status.active,
    ) -> "Group":
        rows = Rows()
        group = cls(StoredGroup(state, {}, {}, set(), 0, PSKStore(psks), None, status, None, rows), policy, limits)
        rows.save_version()
        rows.save_status(status, None)
        rows.save_epoch(state)
        for name, psk in psks.items():
            rows.save_psk(name, psk)
        group._epochs.remember_resumption_psk()
        return group

    # ---- Beginnings -------------------------------------------------------------------------------------------

    @classmethod
    def create(
        cls,
        suite: CipherSuite,
        group_id: bytes,
        identity: LeafIdentity,
        lifetime: Lifetime,
        policy: CredentialPolicy,
        extensions: tuple[Extension, ...] = (),
        limits: Limits = _DEFAULT_LIMITS,
    ) -> "Group":
        """§11: a new group with one member; `group_id` should be unguessable or otherwise unique."""
        state = first_epoch(suite, group_id, identity, lifetime, policy, extensions, limits)
        return cls._new(state, policy, limits)

    @classmethod
    def join(
        cls,
        welcome: bytes,
        bundle: KeyPackageBundle,
        identity: LeafIdentity,
        policy: CredentialPolicy,
        *,
        ratchet_tree: bytes | None = None,
        psks: Mapping[bytes, bytes] = _NO_PSKS,
        parent: "Group | None" = None,
        known_groups: Collection[bytes] = (),
        limits: Limits = _DEFAULT_LIMITS,
    ) -> "Group":
        """§12.4.3.1: enter by a Welcome (an MLSMessage) for the key package in `bundle`.

        `ratchet_tree` is the encoded tree where the Welcome lacks it, `psks` external PSKs by id, `parent` the group
        whose resumption PSK is in use, `known_groups` the ids of groups this client is in. Raises an MLSError if
        anything is wrong with the Welcome or the group.
        """
        store = PSKStore(psks, parent._epochs.psks.resumption if parent else None)
        joined = join_welcome(
            read_welcome(welcome, limits), bundle, identity, policy, store, ratchet_tree, known_groups, limits
        )
        successor = joined.successor_of
        if successor is not None:
            assert parent is not None  # nobody else holds its resumption PSK
            check_successor_group(joined.state, successor, parent._epochs.current, parent._reinit, policy)
        group = cls._new(joined.state, policy, limits, psks)
        group._introducer = member_of(joined.state.tree, joined.signer)
        return group

    @classmethod
    def join_external(
        cls,
        group_info: bytes,
        identity: LeafIdentity,
        policy: CredentialPolicy,
        *,
        ratchet_tree: bytes | None = None,
        psks: Mapping[bytes, bytes] = _NO_PSKS,
        remove: int | None = None,
        known_groups: Collection[bytes] = (),
        authenticated_data: bytes = b"",
        limits: Limits = _DEFAULT_LIMITS,
    ) -> tuple["Group", Pending]:
        """§12.4.3.2: enter by an external commit; `remove` is the leaf of an old self that it replaces.

        The group already shows the state that the commit leads to, and becomes active with `merge_pending`; if the
        commit is not accepted, `discard_pending` ends it.
        """
        info = read_group_info(group_info, limits)
        store = PSKStore(psks)
        suite = suite_of(info.group_context.cipher_suite)
        proposals = tuple(fresh_psk(suite, ExternalPSK(name)) for name in psks)
        joined = join_external(
            info, identity, policy, store, proposals, ratchet_tree, remove, known_groups, authenticated_data, limits
        )
        group = cls._new(joined.state, policy, limits, psks, Status.joining)
        group._set_pending(PendingState(joined.pending, None, None))
        return group, joined.pending

    @classmethod
    def load(cls, rows: Mapping[bytes, bytes], policy: CredentialPolicy, limits: Limits = _DEFAULT_LIMITS) -> "Group":
        """The group exactly as it was when `changes` last reported; StorageError if the rows are damaged."""
        return cls(load_group(rows, limits), policy, limits)

    def changes(self) -> list[tuple[bytes, bytes | None]]:
        """Rows changed since the last call, to be stored in one transaction; None deletes a row."""
        return self._epochs.changes()

    def group_info(self, *, external: bool = True, ratchet_tree: bool = True) -> bytes:
        """An MLSMessage with the epoch's GroupInfo; `external` lets its readers join by external commit."""
        self._require_active()
        state = self._epochs.current
        return MLSMessage.of(make_group_info(state, external=external, ratchet_tree=ratchet_tree)).encode()

    # ---- Pre-shared keys --------------------------------------------------------------------------------------

    def add_psk(self, psk_id: bytes, psk: bytes) -> None:
        """Know an external PSK, for commits that use it."""
        self._epochs.psks.external[psk_id] = Secret(psk)
        self._rows.save_psk(psk_id, psk)

    def remove_psk(self, psk_id: bytes) -> None:
        """Forget an external PSK."""
        if self._epochs.psks.external.pop(psk_id, None) is not None:
            self._rows.save_psk(psk_id, None)

    def add_resumption_psk(self, group_id: bytes, epoch: int, psk: bytes) -> None:
        """Know another group's resumption PSK, for commits that use it with usage application (§8.4)."""
        self._epochs.psks.resumption[group_id, epoch] = Secret(psk)
        self._rows.save_resumption_psk(group_id, epoch, psk)

    # ---- Application messages ---------------------------------------------------------------------------------

    def protect(self, data: bytes, authenticated_data: bytes = b"") -> bytes:
        """§15: an MLSMessage for all members; `authenticated_data` travels in the clear.

        UsageError while proposals are kept: they must be committed first (§12.4).
        """
        if self._status or self._kept.waiting():
            self._require_active()
            raise UsageError("proposals are waiting: commit them before sending (RFC 9420 §12.4)")
        if len(data) + len(authenticated_data) > self._limits.application_bytes:
            raise UsageError(f"more than {self._limits.application_bytes} bytes in one message")
        state = self._epochs.current
        return state.channel.protect_application(
            state.private.leaf_index, state.signature_key, data, authenticated_data
        )

    def receive(self, message: bytes) -> Application | ReceivedProposal | StagedCommit | Skipped | Out:
        """Any MLSMessage to the group; never raises for what a peer sent, and changes nothing if it is refused."""
        try:
            # §15.3: bounded before anything is read.
            if len(message) > self._limits.message_bytes:
                raise DecodeError(f"a message of more than {self._limits.message_bytes} bytes")
            return self._epochs.open_application(message) or self._receive_handshake(message)
        except PrivateFailure as failure:
            return Out(failure.author, failure.reason)
        except MLSError as error:
            return Skipped(error)

    def _receive_handshake(self, message: bytes) -> ReceivedProposal | StagedCommit:
        body = MLSMessage.decode(message).body
        if isinstance(body, PublicMessage):
            framed = body.authenticated.content
            group_id, epoch = framed.group_id, framed.epoch
        elif isinstance(body, PrivateMessage):
            group_id, epoch = body.group_id, body.epoch
        else:
            raise ValidationError("not a message to a group's members (RFC 9420 §6)")
        if group_id != self.group_id:
            raise WrongGroupError("a message to another group")
        if epoch != self.epoch:
            text = f"a message of epoch {epoch}, while the group is in {self.epoch} (RFC 9420 §6)"
            raise WrongEpochError(text, ahead=epoch > self.epoch)
        if self._status is not Status.active:
            raise ValidationError("the group is closed for this member (RFC 9420 §12.4.2)")
        if self._pending is not None and message == self._pending.pending.commit:
            raise ValidationError("the own pending commit, which merge_pending applies")
        state = self._epochs.current
        verified = open_handshake(state, body)
        content = verified.content
        if not isinstance(content.content.content, Commit):
            received = self._kept.keep(state, content)
            if verified.key is not None:
                state.channel.secret_tree.consume(verified.key)
            return received
        used_key = None if verified.key is None else (content.content.sender.index, verified.key.generation)
        psks = self._epochs.psks
        return stage_commit(state, self._kept.by_reference, content, used_key, self._policy, psks, self._limits)

    # ---- Proposals --------------------------------------------------------------------------------------------

    def propose(
        self, proposal: Proposal, authenticated_data: bytes = b"", *, public: bool = False, now: int | None = None
    ) -> bytes:
        """§12.1: propose by reference; the proposal is kept here too. One's own Update goes by `propose_update`.

        `now` (POSIX seconds) has the lifetime of what is added checked.
        """
        if isinstance(proposal, Update):
            raise UsageError("an Update needs its private key: use propose_update")
        if isinstance(proposal, Add) and now is not None:
            check_lifetime(proposal, now)
        return self._propose(proposal, None, authenticated_data, public)

    def propose_update(
        self, identity: LeafIdentity | None = None, authenticated_data: bytes = b"", *, public: bool = False
    ) -> bytes:
        """§12.1.2: propose a fresh leaf of one's own, with a new `identity` if given."""
        self._require_active()
        state = self._epochs.current
        identity = identity or state.identity
        key = HPKEPrivateKey.generate(state.suite)
        leaf = identity.update_leaf(key.public, self.group_id, state.own_index)
        return self._propose(Update(leaf), OwnUpdate(key, identity.signature_key), authenticated_data, public)

    def drop_proposal(self, reference: bytes) -> None:
        """Decline to commit a proposal, and let it not hold up sending; others may still commit it."""
        self._kept.decline(reference)

    def _propose(
        self, proposal: Proposal, own_update: OwnUpdate | None, authenticated_data: bytes, public: bool
    ) -> bytes:
        self._require_active()
        state = self._epochs.current
        sender = Sender(SenderType.member, state.own_index)
        wire_format = WireFormat.mls_public_message if public else WireFormat.mls_private_message
        framed = FramedContent(self.group_id, self.epoch, sender, authenticated_data, proposal)
        content = AuthenticatedContent.sign(wire_format, framed, state.channel.context, state.signature_key)
        kept = self._kept.keep(state, content, own_update)
        if public:
            message = PublicMessage.protect(state.suite, content, state.secrets.membership_key, state.channel.context)
            return MLSMessage.of(message).encode()
        try:
            return state.channel.protect(content)
        except UsageError:
            self._kept.forget(kept.reference)
            raise

    # ---- Commits ----------------------------------------------------------------------------------------------

    def commit(
        self,
        *,
        add: Sequence[KeyPackage] = (),
        remove: Sequence[int] = (),
        proposals: Sequence[Proposal] = (),
        by_reference: Sequence[bytes] | None = None,
        identity: LeafIdentity | None = None,
        force_path: bool = True,
        group_info: bool = False,
        public: bool = False,
        ratchet_tree: bool = True,
        psks: Mapping[bytes, bytes] = _NO_PSKS,
        now: int | None = None,
        authenticated_data: bytes = b"",
    ) -> Pending:
        """§12.4.1: a commit that takes effect with `merge_pending`.

        `by_reference` names the kept proposals to cover, None all that are valid together. `identity` is a new
        credential or signature key for the own leaf; without `force_path` the path is left out where it may be.
        `psks` are external PSKs to mix in, `now` (POSIX seconds) has the lifetimes of what is added checked.
        """
        self._require_active()
        if self._pending is not None:
            raise UsageError("a commit is pending: merge or discard it first")
        by_value: list[Proposal] = [*proposals, *(Remove(index) for index in remove)]
        by_value += (Add(package) for package in add)
        by_value += (fresh_psk(self.suite, ExternalPSK(name)) for name in psks)
        if by_reference is None:
            state, sender = self._epochs.current, Sender(SenderType.member, self.own_leaf_index)
            kept = self._kept.wanted
            chosen = select_valid(kept, by_value, sender, state.context, state.tree, self._limits)
            by_reference = [item.reference for item in chosen]
        items = [*(ProposalRef(reference) for reference in by_reference), *by_value]
        options = CommitOptions(
            identity=identity,
            force_path=force_path,
            group_info=group_info,
            public=public,
            ratchet_tree=ratchet_tree,
            now=now,
            authenticated_data=authenticated_data,
        )
        return self._commit(items, self._epochs.psks.with_external(psks), options)

    def _commit(self, items: Sequence[Proposal | ProposalRef], psks: PSKStore, options: CommitOptions) -> Pending:
        own = create_commit(
            self._epochs.current, self._kept.by_reference, items, self._policy, psks, self._limits, options
        )
        self._set_pending(PendingState(own.pending, own.state, own.reinit))
        return own.pending

    def _set_pending(self, pending: PendingState) -> None:
        self._pending = pending
        self._rows.save_pending(pending)

    def merge_pending(self) -> None:
        """The delivery service has accepted the pending commit: enter its epoch."""
        pending = self._pending
        if pending is None:
            raise UsageError("no commit is pending")
        if pending.state is None:
            self._pending = None
            self._rows.delete_pending()
            self._set_status(Status.active, None)
            return
        self._rows.merge_pending(pending.state.epoch)
        self._enter(pending.state, pending.reinit)

    def discard_pending(self) -> None:
        """The pending commit was not accepted: forget it. An external join that is discarded is over."""
        if self._pending is None:
            return
        if self._pending.state is None:
            self._set_status(Status.abandoned, None)
        self._pending = None
        self._rows.delete_pending()

    def merge(self, staged: StagedCommit) -> None:
        """§12.4.2: enter the epoch that a received commit starts; an own pending commit is dropped with the old one."""
        token = staged.token
        if not isinstance(token, StagedState) or token.base is not self._epochs.current:
            raise UsageError("this commit was not staged by this group in its current epoch")
        self._require_active()
        if token.used_key is not None:
            self._epochs.consume_handshake_key(*token.used_key)
        if token.next is None:
            self._kept.clear()
            self.discard_pending()
            self._set_status(Status.removed, None)
        else:
            self._enter(token.next, token.reinit)

    def _enter(self, state: EpochState, reinit: ReInit | None) -> None:
        """Make `state` the current epoch, and the current one the latest of the past."""
        self._epochs.enter(state)
        self._kept.clear()
        self._pending = None
        self._rows.delete_pending()
        if reinit is not None:
            self._set_status(Status.reinitialized, reinit)

    def _set_status(self, status: Status, reinit: ReInit | None) -> None:
        self._status = status
        self._reinit = reinit
        self._rows.save_status(status, reinit)

    def _require_active(self) -> None:
        if self._status is not Status.active:
            raise UsageError(f"the group is not usable: {self._status.name}")

    # ---- Successor groups -------------------------------------------------------------------------------------

    def reinitialize(
        self,
        suite: CipherSuite,
        identity: LeafIdentity,
        lifetime: Lifetime,
        add: Sequence[KeyPackage],
        *,
        now: int | None = None,
    ) -> tuple["Group", Pending]:
        """§11.2: found the group that the committed ReInit asked for, with all other members added.

        `identity` and the key packages are for `suite`, the ReInit's.
        """
        asked = self._reinit
        if asked is None:
            raise UsageError("the group has not been reinitialized")
        if asked.cipher_suite != suite.number:
            raise UsageError(f"the ReInit asked for cipher suite {asked.cipher_suite:#06x}")
        usage = ResumptionPSKUsage.reinit
        return self._found(suite, asked.group_id, asked.extensions, usage, identity, lifetime, add, now)

    def branch(
        self,
        group_id: bytes,
        identity: LeafIdentity,
        lifetime: Lifetime,
        add: Sequence[KeyPackage],
        *,
        extensions: tuple[Extension, ...] = (),
        now: int | None = None,
    ) -> tuple["Group", Pending]:
        """§11.3: found a group of some of this group's members, linked to it by its resumption PSK."""
        self._require_active()
        usage = ResumptionPSKUsage.branch
        return self._found(self.suite, group_id, extensions, usage, identity, lifetime, add, now)

    def _found(
        self,
        suite: CipherSuite,
        group_id: bytes,
        extensions: tuple[Extension, ...],
        usage: ResumptionPSKUsage,
        identity: LeafIdentity,
        lifetime: Lifetime,
        add: Sequence[KeyPackage],
        now: int | None,
    ) -> tuple["Group", Pending]:
        group = Group.create(suite, group_id, identity, lifetime, self._policy, extensions, self._limits)
        psk = ResumptionPSK(usage, self.group_id, self.epoch)
        items: list[Proposal] = [fresh_psk(suite, psk), *(Add(package) for package in add)]
        pending = group._commit(items, self._epochs.psks, CommitOptions(successor=usage, now=now))
        founded = group._pending
        assert founded is not None
        assert founded.state is not None
        check_successor_group(founded.state, psk, self._epochs.current, self._reinit, self._policy)
        return group, pending
